"""Exported models, run by the session loader and the C API."""

import importlib.util
import io
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
import yaml
from picture_files import encoded
from PIL import Image
from tiny import TINY_EXPORT, random_batch

from tfdivcolor import cli, export, images
from tfdivcolor.color import canvas
from tfdivcolor.export import portable, saved_model, signatures, warmup, writer
from tfdivcolor.models import storage
from tfdivcolor.settings import DEFAULTS, ExportOptions

OPTIONS = ExportOptions(**TINY_EXPORT)
CANVAS = 32  # of the tiny model

GOLDEN = {
    "serving_default": (
        {"image_bytes": ("string", [None])},
        {"colorized_bytes": ("string", [None, 3]),
         "share": ("float32", [None, 3]), "log_prob": ("float32", [None, 3])}),
    "colorize": (
        {"image_bytes": ("string", [None]), "seed": ("int64", [None]),
         "temperature": ("float32", [None])},
        {"colorized_bytes": ("string", [None, 3]),
         "share": ("float32", [None, 3]), "log_prob": ("float32", [None, 3])}),
    "colorize_n": (
        {"image_bytes": ("string", [None]), "num_samples": ("int32", []),
         "seed": ("int64", []), "temperature": ("float32", [])},
        {"colorized_bytes": ("string", [None, None]),
         "share": ("float32", [None, None]),
         "log_prob": ("float32", [None, None])}),
    "colorize_hinted": (
        {"image_bytes": ("string", [None]),
         "hints": ("float32", [None, None, 5]), "num_samples": ("int32", []),
         "seed": ("int64", []), "temperature": ("float32", []),
         "saturation": ("float32", []), "warmth": ("float32", [])},
        {"colorized_bytes": ("string", [None, None]),
         "share": ("float32", [None, None]),
         "log_prob": ("float32", [None, None]),
         "hint_distance": ("float32", [None, None, None]),
         "hint_distance_before": ("float32", [None, None])}),
    "colorize_pixels": (
        {"pixels": ("uint8", [None, None, None, 3]),
         "num_samples": ("int32", []), "seed": ("int64", []),
         "temperature": ("float32", [])},
        {"colorized": ("uint8", [None, None, None, None, 3]),
         "share": ("float32", [None, None]),
         "log_prob": ("float32", [None, None])}),
    "colorize_tensor": (
        {"luminance": ("float32", [None, 32, 32, 1]),
         "seed": ("int64", [None]), "temperature": ("float32", [None])},
        {"ab": ("float32", [None, 3, 32, 32, 2]),
         "share": ("float32", [None, 3]), "log_prob": ("float32", [None, 3])}),
    "prior": (
        {"luminance": ("float32", [None, 32, 32, 1])},
        {"mixture_logits": ("float32", [None, 4]),
         "locs": ("float32", [None, 4, 16]),
         "scales": ("float32", [None, 4, 16]),
         "factors": ("float32", [None, 4, 16, 2])}),
    "decode": (
        {"luminance": ("float32", [None, 32, 32, 1]),
         "z": ("float32", [None, None, 16])},
        {"ab": ("float32", [None, None, 32, 32, 2])}),
}


UNBATCHABLE = {"colorize_n", "colorize_hinted", "colorize_pixels", "decode"}


@pytest.fixture(scope="module")
def photos_model(photos_version):
    with saved_model.Servable(photos_version) as loaded:
        yield loaded


def picture(height=50, width=70, top=0):
    grey = skimage.data.astronaut()[top:top + height, 100:100 + width]
    return np.asarray(Image.fromarray(grey).convert("L"))


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


UNSTEERED_SCALARS = {"saturation": 1.0, "warmth": 0.0}
PICTURES = [png(picture()), png(picture(41, 30, 80)), png(picture(1, 1))]


def decoded(encoded):
    """Object array [N] of PNG bytes -> uint8 [N, H, W, 3]."""
    return np.stack([images.read(data).pixels for data in encoded])


def rows(count, seed=0, temperature=0.5):
    return {"seed": np.arange(seed, seed + count),
            "temperature": np.full(count, temperature)}


# --- What is written ---------------------------------------------------------


def test_contract_is_stable(exported):
    contract = json.loads((exported / export.CONTRACT).read_text())
    assert {name: tuple(
        {key: (value["dtype"], value["shape"])
         for key, value in signature[side].items()}
        for side in ("inputs", "outputs"))
        for name, signature in contract["signatures"].items()} == GOLDEN
    assert contract["about"] == {"weights": "none"}
    assert contract["export_format"] == "serving"
    for name, checksum in contract["files_sha256"].items():
        assert storage.checksum(exported / name) == checksum
    assert "variables/variables.data-00000-of-00001" in (
        contract["files_sha256"])
    assert contract["num_samples"] == 3
    assert contract["canvas"] == contract["luminance_size"] == CANVAS
    assert contract["seed"] == DEFAULTS.seed
    assert contract["versions"]["tensorflow"] == tf.__version__


def test_no_weight_is_stored_twice(exported, tiny):
    stored = {name: shape for name, shape in tf.train.list_variables(
        str(exported / "variables" / "variables"))
        if name.startswith("raw_variables")}
    count = sum(int(np.prod(shape)) for shape in stored.values())
    known = {variable.path: variable for variable in tiny.variables}
    # All but the posterior's, which sampling does not need, and the states
    # of random generators.
    needed = [variable for path, variable in known.items()
              if "scale_network" not in path and "seed" not in path]
    assert len(stored) == len(needed)
    assert count == sum(int(np.prod(v.shape)) for v in needed)
    size = (exported / "variables/variables.data-00000-of-00001"
            ).stat().st_size
    assert size < 1.1 * 4 * count + 20_000


def test_byte_outputs_are_named_for_rest(exported):
    contract = json.loads((exported / export.CONTRACT).read_text())
    for signature in contract["signatures"].values():
        for name, info in signature["outputs"].items():
            assert (info["dtype"] == "string") == name.endswith("_bytes")


def test_forbidden_operations_are_found(tmp_path):
    function = tf.function(lambda x: {"y": tf.numpy_function(
        lambda x: x, [x], tf.float32)}, autograph=False)
    saved_model.write(tmp_path / "1", {"serving_default": function
        .get_concrete_function(tf.TensorSpec([], tf.float32))})
    with pytest.raises(RuntimeError, match="PyFunc"):
        writer._verify_graph(tmp_path / "1")
    compiled = tf.function(lambda x: {"y": x + 1.0}, jit_compile=True)
    saved_model.write(tmp_path / "2", {"serving_default": compiled
        .get_concrete_function(tf.TensorSpec([], tf.float32))})
    with pytest.raises(RuntimeError, match="XLA"):
        writer._verify_graph(tmp_path / "2")


def test_an_export_that_differs_is_noticed(exported, model, tiny, make_tiny):
    inputs = dict(warmup.read(exported / warmup.FILE))["colorize"]
    outputs = model.run("colorize", inputs)
    writer._verify_results(inputs, outputs, tiny, OPTIONS)
    with pytest.raises(RuntimeError, match="result 0 of the export must equal"):
        writer._verify_results(inputs, outputs, make_tiny(1), OPTIONS)
    for name in ("log_prob", "share"):
        outputs[name][1, 2] += 1
        with pytest.raises(RuntimeError, match=f"{name} of the export"):
            writer._verify_results(inputs, outputs, tiny, OPTIONS)
        outputs[name][1, 2] -= 1


def test_warm_up_file_covers_every_signature(exported):
    recorded = warmup.read(exported / warmup.FILE)
    assert [name for name, _ in recorded] == list(GOLDEN)
    for name, inputs in recorded:
        assert {key: value.dtype.name.replace("object", "string")
                for key, value in inputs.items()} == {
            key: dtype for key, (dtype, _) in GOLDEN[name][0].items()}


def test_versions_go_up_and_are_never_replaced(exported, tiny):
    base = exported.parent
    assert exported == base / "1"
    assert export.version_path(base) == base / "2"
    (base / ".hidden").mkdir(exist_ok=True)
    (base / "notes").mkdir(exist_ok=True)
    assert export.version_path(base, 12) == base / "12"
    with pytest.raises(ValueError, match="must be a new version"):
        export.save(base, tiny, 1)
    with pytest.raises(ValueError, match="0 or more"):
        export.save(base, tiny, -1)
    with pytest.raises(ValueError, match="format must be one of"):
        export.save(base, tiny, format="pickle")


def test_what_fails_verification_is_not_published(
        tiny, tmp_path, monkeypatch):
    def refuses(*_):
        raise tf.errors.InvalidArgumentError(
            None, None, "assertion failed: [x]\n")

    monkeypatch.setattr(portable, "verify_decode", refuses)
    with pytest.raises(RuntimeError, match="must answer its own requests"):
        export.save(tmp_path, tiny, format="decode")
    assert not list(tmp_path.iterdir())

    monkeypatch.undo()
    monkeypatch.setattr(portable, "_TOLERANCE", -1.0)
    with pytest.raises(RuntimeError, match="ab of the export must equal"):
        export.save(tmp_path, tiny, format="decode")
    assert not list(tmp_path.iterdir())


def test_a_folder_holds_versions_of_one_format(exported, tiny):
    with pytest.raises(ValueError, match="1 is serving"):
        export.save(exported.parent, tiny, format="decode")


@pytest.mark.slow  # one more export
def test_the_smallest_limits_can_be_exported(tiny, tmp_path):
    """Warm-up requests keep to them."""
    options = ExportOptions(
        num_samples=1, max_samples=1, max_results=2, max_pixels=64)
    writer._write_serving(tmp_path, tiny, options)
    with saved_model.Servable(tmp_path) as model:
        for signature, inputs in warmup.read(tmp_path / warmup.FILE):
            if signature.startswith("colorize_"):
                model.run(signature, inputs)


def test_of_two_exports_at_a_time_one_is_refused(tiny, tmp_path, monkeypatch):
    def other_is_first(*_):
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "saved_model.pb").write_bytes(b"other")

    monkeypatch.setattr(portable, "write_decode", other_is_first)
    monkeypatch.setattr(portable, "verify_decode", lambda *_: None)
    with pytest.raises(OSError, match="not empty"):
        export.save(tmp_path, tiny, format="decode")
    assert (tmp_path / "1" / "saved_model.pb").read_bytes() == b"other"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failure_leaves_nothing(tiny, tmp_path, monkeypatch):
    def full(*_):
        raise tf.errors.ResourceExhaustedError(
            None, None, "{{function_node x}} disk is full [Op:SaveV2]\nx")

    monkeypatch.setattr(saved_model, "write", full)
    with pytest.raises(OSError, match=r"written \(received disk is full\)"):
        export.save(tmp_path / "m", tiny, format="decode")
    assert not list((tmp_path / "m").iterdir())


# --- What it gives -----------------------------------------------------------


def check_results(received, expected):
    """Holds a picture's row of outputs to a `Coloring`."""
    pixels = decoded(received["colorized_bytes"]).astype(int)
    assert (np.abs(pixels - expected.images) > 1).mean() <= 0.001
    np.testing.assert_allclose(
        received["log_prob"], expected.log_prob, rtol=1e-4, atol=1e-2)
    # Counted in 256ths; a draw between two results may go to either.
    np.testing.assert_allclose(
        received["share"], expected.share, atol=2.5 / 256)
    assert received["share"].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("row", range(len(PICTURES)))
def test_pictures_are_those_of_python(model, tiny, row):
    result = model.run("colorize", {
        "image_bytes": PICTURES, **rows(len(PICTURES), seed=5)})
    expected = tiny.colorize(PICTURES[row], num_samples=3, seed=5 + row)
    check_results(
        {name: value[row] for name, value in result.items()}, expected)


def test_serving_default_is_colorize_with_the_defaults(model):
    default = model.run("serving_default", {"image_bytes": PICTURES})
    asked = model.run("colorize", {
        "image_bytes": PICTURES, "seed": [DEFAULTS.seed] * 3,
        "temperature": [DEFAULTS.temperature] * 3})
    assert (default["colorized_bytes"] == asked["colorized_bytes"]).all()


def test_a_scalar_seed_goes_to_every_row(model, tiny):
    result = model.run("colorize_n", {
        "image_bytes": PICTURES[:2], "num_samples": 5, "seed": 9,
        "temperature": 1.0})
    assert result["colorized_bytes"].shape == (2, 5)
    for row in range(2):
        expected = tiny.colorize(
            PICTURES[row], num_samples=5, seed=9, temperature=1.0)
        received = decoded(result["colorized_bytes"][row])
        assert np.abs(received.astype(int) - expected.images).max() <= 1


def test_fields_are_those_of_python(model, tiny):
    luminance = random_batch(3, CANVAS)["luminance"]
    result = model.run("colorize_tensor", {
        "luminance": luminance, **rows(3, seed=2)})
    expected = tiny.sample(luminance, 3, seed=np.arange(2, 5))
    np.testing.assert_allclose(result["ab"], expected["ab"], atol=1e-3)
    np.testing.assert_allclose(
        result["share"], expected["share"], atol=2.5 / 256)
    prior = model.run("prior", {"luminance": luminance})
    for name, value in tiny.mdn(luminance).items():
        np.testing.assert_allclose(prior[name], value, atol=1e-4)
    z = expected["z"].numpy()
    again = model.run("decode", {"luminance": luminance, "z": z})["ab"]
    np.testing.assert_allclose(again, expected["ab"], atol=1e-3)


def test_rows_do_not_depend_on_each_other(model):
    luminance = random_batch(3, CANVAS)["luminance"]
    together = model.run("colorize_tensor", {
        "luminance": luminance, **rows(3)})
    for row in range(3):
        alone = model.run("colorize_tensor", {
            "luminance": luminance[row:row + 1], **rows(1, seed=row)})
        np.testing.assert_allclose(
            alone["ab"][0], together["ab"][row], atol=1e-3)


def test_seeds_decide(model):
    def call(seed):
        return model.run("colorize", {"image_bytes": PICTURES[:1],
                                      **rows(1, seed)})["colorized_bytes"]

    assert (call(1) == call(1)).all()
    assert (call(1) != call(2)).any()
    assert (call(-2**63) != call(2**62)).any()


def test_temperature_0_leaves_the_means(model):
    result = model.run("colorize_n", {
        "image_bytes": PICTURES[:1], "num_samples": 10, "seed": 1,
        "temperature": 0.0})
    # Of four components.
    assert len(set(result["colorized_bytes"][0])) <= 4


@pytest.mark.parametrize("signature", GOLDEN)
@pytest.mark.parametrize("count", [0, 1, 3])
def test_outputs_have_a_row_a_picture(model, signature, count):
    luminance = random_batch(3, CANVAS)["luminance"][:count]
    given = {"image_bytes": np.array(PICTURES[:count], object),
             "luminance": luminance, "num_samples": 2,
             "z": np.zeros((count, 2, 16)), **rows(count),
             "hints": np.full((count, 2, 5), np.nan),
             "pixels": np.zeros((count, 2, 2, 3)), **UNSTEERED_SCALARS}
    if "num_samples" in GOLDEN[signature][0]:
        given |= {"seed": 1, "temperature": 0.5}
    result = model.run(signature, {
        name: given[name] for name in GOLDEN[signature][0]})
    for name, (_, shape) in GOLDEN[signature][1].items():
        expected = [count, *(2 if size is None else size
                             for size in shape[1:])]
        assert list(result[name].shape) == expected


@pytest.mark.slow
def test_jpeg_and_batchable_exports(tiny, tmp_path):
    options = ExportOptions(
        num_samples=2, image_format="jpeg", batchable=True)
    path = tmp_path
    writer._write_serving(path, tiny, options)
    assert "max_batch_size { value: 8 }" in (
        path / export.BATCHING).read_text()
    with saved_model.Servable(path) as model:
        assert set(model.signatures) == set(GOLDEN) - UNBATCHABLE
        for signature in model.signatures.values():
            for info in signature.inputs.values():
                assert info.tensor_shape.dim[0].size == -1
        result = model.run("serving_default", {"image_bytes": PICTURES[:1]})
    for data, expected in zip(
            result["colorized_bytes"][0],
            tiny.colorize(PICTURES[0], num_samples=2).images):
        image = Image.open(io.BytesIO(data))
        assert image.format == "JPEG"
        assert image.layer[1][1:3] == (1, 1)  # full colour resolution
        assert np.abs(np.asarray(image).astype(int) - expected).mean() < 4


# --- A model that sees more pixels than its canvas has -----------------------


def test_photos_in_the_session_loader(tiny_photos, tmp_path, monkeypatch):
    chosen = ["colorize", "colorize_tensor"]  # all of them take a minute
    monkeypatch.setattr(signatures, "names", lambda _: chosen)
    writer._write_serving(tmp_path, tiny_photos, OPTIONS)
    contract = writer.contract(
        tmp_path, tiny_photos, OPTIONS, "serving", {})
    assert (contract["canvas"], contract["luminance_size"]) == (32, 64)
    luminance = random_batch(2, 64)["luminance"]
    with saved_model.Servable(tmp_path) as model:
        result = model.run("colorize", {
            "image_bytes": PICTURES[:2], **rows(2, seed=5)})
        for row in range(2):
            check_results(
                {name: value[row] for name, value in result.items()},
                tiny_photos.colorize(
                    PICTURES[row], num_samples=3, seed=5 + row))
        result = model.run("colorize_tensor", {
            "luminance": luminance, **rows(2)})
        expected = tiny_photos.sample(luminance, 3, seed=np.arange(2))
        for name in ("ab", "share"):
            np.testing.assert_allclose(
                result[name], expected[name], atol=2.5 / 256)
        with pytest.raises(tf.errors.InvalidArgumentError, match=(
                r"shape \[B, 64, 64, 1\] \(received \[2, 32, 32, 1\]\)")):
            model.run("colorize_tensor", {
                "luminance": luminance[:, ::2, ::2], **rows(2)})


@pytest.mark.slow
def test_shapes_of_photos(photos_version):
    described = json.loads((photos_version / export.CONTRACT).read_text())
    assert (described["canvas"], described["luminance_size"]) == (32, 64)
    for name, signature in described["signatures"].items():
        for key, (dtype, shape) in GOLDEN[name][0].items():
            if key == "luminance":
                shape = [None, 64, 64, 1]
            assert signature["inputs"][key]["shape"] == shape
        assert {key: info["shape"] for key, info in
                signature["outputs"].items()} == {
            key: shape for key, (_, shape) in GOLDEN[name][1].items()}


# --- What it refuses ---------------------------------------------------------


LUMINANCE = np.full((2, CANVAS, CANVAS, 1), 50, np.float32)
NOT_A_NUMBER = LUMINANCE.copy()
NOT_A_NUMBER[1, 3, 3] = np.nan


@pytest.mark.parametrize("signature, inputs, message", [
    ("serving_default", {"image_bytes": [PICTURES[0], b"text"]},
     "image_bytes[1]: must be a JPEG, PNG, BMP or WebP picture"),
    ("serving_default", {"image_bytes": [PICTURES[0][:99]]},
     "image_bytes[0]: must be a whole, undamaged picture"),
    ("serving_default", {"image_bytes": [png(np.zeros((200, 101), np.uint8))]},
     "image_bytes[0]: must have at most 20000 pixels (received 101 x 200)"),
    ("serving_default", {"image_bytes": [[PICTURES[0]]]},
     "image_bytes: must be one picture per row, shape [B] (received [1, 1])"),
    ("serving_default", {"image_bytes": PICTURES[0]},
     "image_bytes: must be one picture per row, shape [B] (received [])"),
    ("colorize", {"image_bytes": PICTURES[:1], "seed": [1, 2],
                  "temperature": [1.0]},
     "seed: must be one number per row, shape [1] (received [2])"),
    ("colorize", {"image_bytes": PICTURES[:2], "seed": [1, 2],
                  "temperature": [1.0]},
     "temperature: must be one number per row, shape [2] (received [1])"),
    ("colorize", {"image_bytes": PICTURES[:2], "seed": [1, 2],
                  "temperature": [1.0, np.nan]},
     "temperature[1]: must be a finite number of 0 or more (received nan)"),
    ("colorize", {"image_bytes": PICTURES[:1], "seed": [1],
                  "temperature": [-0.5]},
     "temperature[0]: must be a finite number of 0 or more (received -0.5"),
    ("colorize", {"image_bytes": PICTURES[:1], "seed": [1],
                  "temperature": [np.inf]},
     "temperature[0]: must be a finite number of 0 or more (received inf)"),
    ("colorize_n", {"image_bytes": PICTURES[:1], "num_samples": 0, "seed": 1,
                    "temperature": 1.0},
     "num_samples: must be 1 to 10 (received 0)"),
    ("colorize_n", {"image_bytes": PICTURES[:1], "num_samples": 10_000,
                    "seed": 1, "temperature": 1.0},
     "num_samples: must be 1 to 10 (received 10000)"),
    ("colorize_n", {"image_bytes": PICTURES[:1], "num_samples": [2],
                    "seed": 1, "temperature": 1.0},
     "num_samples: must be one number, shape [] (received [1])"),
    ("colorize_n", {"image_bytes": PICTURES[:1], "num_samples": 2,
                    "seed": [1, 2], "temperature": 1.0},
     "seed: must be one number, shape [] (received [2])"),
    ("colorize_n", {"image_bytes": PICTURES[:1], "num_samples": 2,
                    "seed": 1, "temperature": [1.0]},
     "temperature: must be one number, shape [] (received [1])"),
    ("colorize_n", {"image_bytes": PICTURES[2:] * 3, "num_samples": 9,
                    "seed": 1, "temperature": 1.0},
     "rows times num_samples: must be at most 25 (received 27)"),
    ("colorize_tensor", {"luminance": np.zeros((9, CANVAS, CANVAS, 1)),
                         **rows(9)},
     "rows times num_samples: must be at most 25 (received 27)"),
    ("colorize_n", {"image_bytes": [png(np.zeros((130, 150), np.uint8))],
                    "num_samples": 9, "seed": 1, "temperature": 1.0},
     "image_bytes: must have at most 160000 pixels, all rows times "
     "num_samples (received 175500)"),
    ("colorize_tensor", {"luminance": NOT_A_NUMBER, **rows(2)},
     "luminance[1]: must be numbers of 0 to 100 (received nan)"),
    ("colorize_tensor", {"luminance": LUMINANCE + 51, **rows(2)},
     "luminance[0]: must be numbers of 0 to 100 (received 101"),
    ("colorize_tensor", {"luminance": LUMINANCE[:, :16], **rows(2)},
     "luminance: must be one square per row, shape [B, 32, 32, 1] "
     "(received [2, 16, 32, 1])"),
    ("prior", {"luminance": LUMINANCE[0]},
     "luminance: must be one square per row, shape [B, 32, 32, 1] "
     "(received [32, 32, 1])"),
])
def test_refusals_name_input_rule_and_value(model, signature, inputs, message):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        model.run(signature, inputs)
    assert message in caught.value.message
    # And it goes on.
    model.run("serving_default", {"image_bytes": PICTURES[2:]})


def test_inputs_must_be_the_signatures(model):
    with pytest.raises(KeyError, match="inputs must be image_bytes"):
        model.run("serving_default", {"image": PICTURES})
    with pytest.raises(ValueError, match="must be the folder of an exported"):
        saved_model.Servable(model.path / "variables")


# --- Other programs ----------------------------------------------------------


def test_python_s_own_loader(exported, model):
    loaded = tf.saved_model.load(str(exported))
    inputs = {"image_bytes": tf.constant(PICTURES[:1]),
              "num_samples": tf.constant(2), "seed": tf.constant(7, tf.int64),
              "temperature": tf.constant(0.5)}
    received = loaded.signatures["colorize_n"](**inputs)
    expected = model.run("colorize_n", {
        name: value.numpy() for name, value in inputs.items()})
    np.testing.assert_allclose(
        received["log_prob"], expected["log_prob"], rtol=1e-4, atol=1e-2)
    for a, b in zip(received["colorized_bytes"].numpy()[0],
                    expected["colorized_bytes"][0]):
        assert np.abs(images.read(a).pixels.astype(int)
                      - images.read(b).pixels).max() <= 1


def run_in_c(libraries, exported, requests, tmp_path):
    """Results of `c_api.py` in a process of its own."""
    (tmp_path / "requests").write_bytes(pickle.dumps(requests))
    subprocess.run(
        [sys.executable, Path(__file__).with_name("c_api.py"), libraries,
         exported, tmp_path / "requests", tmp_path / "results"], check=True)
    return pickle.loads((tmp_path / "results").read_bytes())


def check_in_c(libraries, exported, model, tmp_path, asked=tuple(GOLDEN)):
    requests = [*(request for request in warmup.read(exported / warmup.FILE)
                  if request[0] in asked),
                *(("serving_default", {"image_bytes": [encoded(name)]})
                  for name in ("BMP", "WEBP")),
                ("serving_default", {"image_bytes": [b"text"]}),
                ("prior", {"luminance": LUMINANCE[:, :16]})]
    *good, bad, wrong = run_in_c(libraries, exported, requests, tmp_path)
    for (signature, inputs), (code, message, outputs) in zip(requests, good):
        assert not code, message
        for name, value in model.run(signature, inputs).items():
            if name == "colorized_bytes":
                for a, b in zip(outputs[name].ravel(), value.ravel()):
                    assert np.abs(images.read(a).pixels.astype(int)
                                  - images.read(b).pixels).max() <= 1
            else:
                np.testing.assert_allclose(outputs[name], value, rtol=1e-3,
                                           atol=1e-2)
    assert bad[0] == tf.errors.INVALID_ARGUMENT
    assert "image_bytes[0]: must be a JPEG" in bad[1]
    assert wrong[0] == tf.errors.INVALID_ARGUMENT
    assert "(received [2, 16, 32, 1])" in wrong[1]


@pytest.mark.parametrize("name", [
    "model", pytest.param("photos_model", marks=pytest.mark.slow)])
def test_c_api_without_python_s_tensorflow(name, request, tmp_path):
    libraries = importlib.util.find_spec(
        "tensorflow").submodule_search_locations[0]
    model = request.getfixturevalue(name)
    # These have every operation; all of them take twice as long.
    asked = ("serving_default", "colorize_hinted", "prior", "decode")
    check_in_c(libraries, model.path, model, tmp_path,
               asked if name == "model" else tuple(GOLDEN))


@pytest.mark.slow
def test_libraries_of_the_serving_release(exported, model, tmp_path):
    """TensorFlow Serving trails TensorFlow: older libraries must run it."""
    deploy = Path(__file__).parents[2] / "serving" / "deploy"
    compose = yaml.safe_load((deploy / "docker-compose.yml").read_text())
    release = compose["services"]["tfdivcolor"]["image"].rpartition(":")[2]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
         f"tensorflow-cpu=={release}", "--dest", tmp_path], check=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith("tensorflow/libtensorflow_"):
                archive.extract(name, tmp_path)
    check_in_c(tmp_path / "tensorflow", exported, model, tmp_path)


@pytest.fixture(params=[
    "tiny", pytest.param("tiny_photos", marks=pytest.mark.slow)])
def either(request):
    """A model that sees its canvas, or one that sees more."""
    return request.getfixturevalue(request.param)


def test_decoder_alone(either, tmp_path):
    path = export.save(tmp_path, either, format="decode")
    inputs = portable.example(either)
    expected = either.vae.decode(
        tf.constant(inputs["z"]), tf.constant(inputs["luminance"]))
    with saved_model.Servable(path) as model:
        assert list(model.signatures) == ["serving_default"]
        np.testing.assert_allclose(
            model.run("serving_default", inputs)["ab"], expected, atol=1e-2)
    openvino = pytest.importorskip("openvino")
    compiled = openvino.compile_model(
        openvino.Core().read_model(str(path)), "CPU",
        # Otherwise bfloat16 on processors that have it.
        {"INFERENCE_PRECISION_HINT": "f32"})
    [received] = compiled(inputs).values()
    np.testing.assert_allclose(received, expected, atol=1e-2)


def test_litert(either, tmp_path):
    path = export.save(tmp_path, either, format="tflite")
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(str(path / portable.TFLITE))
    inputs = portable.example(either)
    expected = either.vae.decode(
        tf.constant(inputs["z"]), tf.constant(inputs["luminance"]))
    received = interpreter.get_signature_runner("decode")(**inputs)["ab"]
    np.testing.assert_allclose(received, expected, atol=1e-2)
    prior = interpreter.get_signature_runner("prior")(
        luminance=inputs["luminance"])
    for name, value in either.mdn(inputs["luminance"]).items():
        np.testing.assert_allclose(prior[name], value, atol=1e-2)


# --- The command -------------------------------------------------------------


def test_command(make_tiny, tmp_path, capsys):
    make_tiny().save(tmp_path / "weights")
    call = ["export", str(tmp_path / "m"), "--weights",
            str(tmp_path / "weights"), "--format", "decode", "--version", "7"]
    assert cli.main(call) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"wrote {tmp_path / 'm' / '7'} (")
    contract = json.loads((tmp_path / "m/7" / export.CONTRACT).read_text())
    assert len(contract["about"]["weights_sha256"]) == 64
    assert cli.main(call) == 2
    assert "must be a new version" in capsys.readouterr().err
    assert cli.main([*call[:4], "--samples", "101"]) == 2
    assert "num_samples must be 1 to max_samples" in capsys.readouterr().err
    assert cli.main(["export", str(tmp_path / "weights/colorizer.json/m"),
                     *call[2:4]]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("options", [
    {"num_samples": 0}, {"num_samples": 101}, {"max_pixels": 63},
    {"max_samples": 0}, {"max_samples": 101}, {"max_results": 15},
    {"image_format": "gif"}])
def test_bad_options_are_named(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        ExportOptions(**options)


def test_names_are_those_that_are_traced(tiny):
    for batchable in (False, True):
        options = ExportOptions(batchable=batchable)
        assert set(signatures.names(options)) == set(GOLDEN) - (
            UNBATCHABLE if batchable else set())


def test_strips_are_the_same_in_the_graph():
    """Pictures larger than a strip are cut up; it must not show."""
    height = canvas.STRIP_PIXELS // 1000 + 7
    luminance = np.tile(np.linspace(0, 100, 1000, dtype=np.float32)[
        None, :, None], (height, 1, 1))
    ab = np.full((4, 4, 2), 20, np.float32)
    joined = canvas.join(luminance, ab).numpy()
    np.testing.assert_array_equal(joined[0], joined[-1])
