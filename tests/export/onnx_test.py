"""The ONNX file, run by ONNX Runtime."""

import contextlib
import io
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import skimage.data
import tensorflow as tf

import tfdivcolor as tdc
from tfdivcolor import cli, export
from tfdivcolor.color import canvas
from tfdivcolor.export.onnx import core, onnx_file
from tfdivcolor.models import storage
from tfdivcolor.settings import MODES, ExportOptions


@pytest.fixture(scope="module")
def command(tiny, tmp_path_factory):
    """Arguments of a command that has exported the tiny model, and its word."""
    folder = tmp_path_factory.mktemp("onnx")
    tiny.save(folder / "weights")
    arguments = ["export", str(folder / "m"), "--format", "onnx", "--weights",
                 str(folder / "weights"), "--version", "3"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert cli.main(arguments) == 0
    return arguments, said.getvalue()


@pytest.fixture(scope="module")
def version(command):
    return Path(command[0][1]) / "3"


@pytest.fixture(scope="module")
def session(version):
    return load(version)


def load(version):
    return onnxruntime.InferenceSession(str(version / onnx_file.MODEL))


def run(session, luminance, num_samples, temperature, noise):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {
        "luminance": luminance, **noise,
        "num_samples": np.array(num_samples, np.int32),
        "temperature": np.array(temperature, np.float32)})))


def assert_same(received, expected, tolerance=1e-4):
    """Compares results: ab within 1e-4 CIE units, the rest accordingly.

    Rounding may turn a near tie in the choice of a picture's results, so one
    picture of the batch may differ.
    """
    assert received.keys() == expected.keys() == set(core.OUTPUTS)
    for name, value in expected.items():
        assert received[name].dtype == value.dtype
        assert received[name].shape == value.shape
    difference = np.abs(received["ab"] - expected["ab"]).max((1, 2, 3, 4))
    rows = difference <= tolerance
    assert np.sum(rows) >= len(rows) - 1, difference
    for name, nearness in {"z": tolerance, "log_prob": 1e-2, "component": 0,
                           "weight": 1e-5, "share": 0.02}.items():
        np.testing.assert_allclose(
            received[name][rows], expected[name].numpy()[rows], rtol=0,
            atol=nearness, err_msg=name)


@pytest.mark.parametrize("num_samples, temperature", [
    (1, 0.5), (8, 0.5), (3, 0.0), (12, 1.0)])
def test_the_noise_of_a_seed_gives_the_results_of_python(
        session, tiny, batch, num_samples, temperature):
    seeds = [3, 3, 0, -7, 2**40]
    received = run(session, batch["luminance"], num_samples, temperature,
                   export.noise(tiny, seeds, num_samples))
    assert_same(received, tiny.sample(
        batch["luminance"], num_samples, seeds, temperature))


def test_other_noise_gives_other_results(session, tiny, batch):
    luminance = batch["luminance"][:1]
    first, second = (run(session, luminance, 3, 0.5, export.noise(
        tiny, seed, 3)) for seed in (0, 1))
    assert np.abs(first["ab"] - second["ab"]).max() > 0.1


@pytest.mark.parametrize("mode", ["samples", *(
    pytest.param(mode, marks=pytest.mark.slow)
    for mode in MODES if mode != "samples")])
def test_the_core_is_the_sampling_of_python(tiny, batch, mode):
    function, _ = core.function(tiny, mode)
    seeds = [1, 2, 3, 4, 5]
    received = function(
        batch["luminance"], **{
            name: tf.constant(value)
            for name, value in export.noise(tiny, seeds, 4, mode).items()},
        num_samples=tf.constant(4), temperature=tf.constant(0.7))
    assert_same({name: value.numpy() for name, value in received.items()},
                tiny.sample(batch["luminance"], 4, seeds, 0.7, mode))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["samples", "components"])
def test_other_modes(tiny, batch, mode, tmp_path):
    version = export.save(tmp_path, tiny, format="onnx",
                          options=ExportOptions(mode=mode))
    received = run(load(version), batch["luminance"], 4, 0.5,
                   export.noise(tiny, [0] * 5, 4, mode))
    assert_same(received, tiny.sample(batch["luminance"], 4, mode=mode))
    assert json.loads((version / export.CONTRACT).read_text())["mode"] == mode


def test_noise_is_uniform_and_normal(tiny):
    noise = export.noise(tiny, list(range(200)), 1)
    assert noise["uniform"].shape == (200, 256 + 256)
    assert noise["normal"].shape == (200, 256 + 256, 16 + 2)
    assert noise["uniform"].min() >= 0 and noise["uniform"].max() < 1
    np.testing.assert_allclose(noise["uniform"].mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(noise["normal"].mean((0, 1)), 0.0, atol=0.02)
    np.testing.assert_allclose(noise["normal"].std((0, 1)), 1.0, atol=0.02)
    # No number serves twice.
    assert len(np.unique(noise["normal"][0])) > 0.999 * 512 * 18
    with pytest.raises(ValueError, match="num_samples must be"):
        export.noise(tiny, 0, 0)
    with pytest.raises(ValueError, match="mode must be"):
        export.noise(tiny, mode="best")


@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_a_wrong_number_of_random_numbers_is_refused(
        session, tiny, batch, name):
    for seeds, rows in (([0, 0], slice(None, -1)), ([0], slice(None))):
        noise = export.noise(tiny, [0, 0], 3)
        noise[name] = export.noise(tiny, seeds, 3)[name][:, rows]
        with pytest.raises(Exception, match="cannot be reshaped"):
            run(session, batch["luminance"][:2], 3, 0.5, noise)


# --- The file ----------------------------------------------------------------


def test_the_file_describes_itself(version, session, tiny):
    model = onnx.load(version / onnx_file.MODEL)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [
        ("", onnx_file.OPSET)]
    assert model.producer_version == tdc.__version__
    found = session.get_modelmeta().custom_metadata_map
    assert found["weights"] == "weights"
    assert found["weights_sha256"] == storage.describe(
        version.parents[1] / "weights")["sha256"]
    assert found["mode"] == "diverse"
    assert "Apache-2.0" in found["licence"]
    versions = json.loads(found["versions"])
    assert versions["tensorflow"] == tf.__version__
    assert versions["onnx"] == onnx.__version__
    assert {value.name: (value.type, value.shape)
            for value in (*session.get_inputs(), *session.get_outputs())} == {
        "luminance": ("tensor(float)", ["B", 32, 32, 1]),
        "uniform": ("tensor(float)", ["B", "N"]),
        "normal": ("tensor(float)", ["B", "N", 18]),
        "num_samples": ("tensor(int32)", []),
        "temperature": ("tensor(float)", []),
        "ab": ("tensor(float)", ["B", "S", 32, 32, 2]),
        "z": ("tensor(float)", ["B", "S", 16]),
        "log_prob": ("tensor(float)", ["B", "S"]),
        "component": ("tensor(int32)", ["B", "S"]),
        "weight": ("tensor(float)", ["B", "S"]),
        "share": ("tensor(float)", ["B", "S"])}
    kinds = {"tensor(float)": "float32", "tensor(int32)": "int32"}
    for value in (*model.graph.input, *model.graph.output):
        [found] = [each for each in (
            *session.get_inputs(), *session.get_outputs())
            if each.name == value.name]
        shape = ", ".join(map(str, found.shape))
        assert value.doc_string.startswith(f"{kinds[found.type]} [{shape}]")


def test_contract(version):
    contract = json.loads((version / export.CONTRACT).read_text())
    assert contract["export_format"] == "onnx"
    assert list(contract["about"]) == ["weights", "weights_sha256"]
    assert contract["mode"] == "diverse"
    assert contract["files_sha256"] == {
        onnx_file.MODEL: storage.checksum(version / onnx_file.MODEL)}


# --- Operations --------------------------------------------------------------


def converted(function, *arguments):
    """Runs a function of arrays in ONNX Runtime."""
    tensors = [tf.constant(value) for value in arguments]
    model = onnx_file._converted(tf.function(
        lambda *values: {"y": function(*values)}, autograph=False)
        .get_concrete_function(*(
            tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype, f"x{i}")
            for i, tensor in enumerate(tensors))))
    onnx_file._require_onnx(onnx, model)
    [found] = onnxruntime.InferenceSession(model.SerializeToString()).run(
        ["y"], {f"x{i}": value for i, value in enumerate(arguments)})
    expected = function(*tensors)
    assert found.dtype == expected.dtype
    return found, expected.numpy()


def test_upper_bound():
    rng = np.random.default_rng(0)
    ordered = np.sort(rng.random((3, 5), np.float32))
    values = np.concatenate([rng.random((3, 9), np.float32), ordered], 1)
    found, expected = converted(
        lambda x, y: tf.searchsorted(x, y, side="right"), ordered, values)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape", [(3, 4, 1), (3, 4, 2), (2, 6), (1, 1, 2, 3)])
def test_cholesky(shape):
    root = np.random.default_rng(1).normal(
        size=(*shape, shape[-1])).astype(np.float32)
    matrices = root @ np.swapaxes(root, -1, -2) + np.eye(
        shape[-1], dtype=np.float32)
    found, expected = converted(tf.linalg.cholesky, matrices)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 6])
def test_triangular_solve(size):
    rng = np.random.default_rng(2)
    # Only the lower half counts.
    lower = rng.normal(size=(3, 4, size, size)).astype(np.float32)
    lower += 3 * np.eye(size, dtype=np.float32)
    right = rng.normal(size=(3, 4, size, 7)).astype(np.float32)
    found, expected = converted(
        tf.linalg.triangular_solve, lower, right)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("lower, adjoint", [(False, False), (True, True)])
def test_other_triangular_systems_are_refused(lower, adjoint):
    with pytest.raises(ValueError, match="MatrixTriangularSolve must have"):
        converted(lambda x, y: tf.linalg.triangular_solve(
            x, y, lower=lower, adjoint=adjoint),
            np.eye(2, dtype=np.float32)[None], np.ones((1, 2, 1), np.float32))


@pytest.mark.parametrize("places", [[2, 0, 2, 2], []])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unsorted_segment_sum(places, dtype):
    rows = np.random.default_rng(3).normal(size=(len(places), 5)).astype(dtype)
    found, expected = converted(
        lambda x, y: tf.math.unsorted_segment_sum(x, y, 4), rows,
        np.array(places, np.int32))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


# --- Refusals ----------------------------------------------------------------


def test_an_operation_that_onnx_lacks_is_named(tiny, monkeypatch, tmp_path):
    def function(colorizer, mode):
        return tf.function(lambda x: {"y": tf.math.bessel_i0e(x)}), [
            tf.TensorSpec([None], tf.float32, "x")]

    monkeypatch.setattr(core, "function", function)
    with pytest.raises(RuntimeError, match=r"received BesselI0e\)"):
        export.save(tmp_path / "m", tiny, format="onnx")
    assert not list((tmp_path / "m").iterdir())


def test_a_file_that_differs_is_noticed(version, tiny, monkeypatch):
    noise = export.noise(tiny, [8, 7, 6, 5], 4)  # of other seeds
    monkeypatch.setattr(core, "noise", lambda *_: noise)
    with pytest.raises(RuntimeError, match="ab of the export must equal"):
        onnx_file.verify(version, tiny, ExportOptions())


def test_missing_libraries_are_one_line(
        command, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    call = [*command[0], "--quiet"]
    call[1] = str(tmp_path / "m")
    assert cli.main(call) == 1
    assert capsys.readouterr().err == (
        "tfdivcolor: export: format onnx needs its libraries, pip install "
        "'tfdivcolor[onnx]' (received no module tf2onnx)\n")
    assert not list((tmp_path / "m").iterdir())


def test_other_formats_have_one_mode(tiny, tmp_path, capsys):
    with pytest.raises(ValueError, match="mode must be diverse, unless"):
        export.save(tmp_path, tiny, format="decode",
                    options=ExportOptions(mode="samples"))
    with pytest.raises(ValueError, match="mode must be one of"):
        ExportOptions(mode="best")


def test_command(command, version, tmp_path, capsys):
    call, said = command
    assert said.startswith(f"wrote {version} (")
    assert cli.main(call) == 2
    assert "must be a new version" in capsys.readouterr().err
    assert cli.main([*call, "--mode", "best"]) == 2
    assert "invalid choice: 'best'" in capsys.readouterr().err
    assert cli.main([call[0], call[1], *call[4:6]]) == 1
    assert "must hold versions of one format" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    call = [*call, "--quiet"]
    call[1] = str(tmp_path / "file" / "m")
    assert cli.main(call) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


# --- Shipped weights ---------------------------------------------------------


def photographs(size):
    pictures = [skimage.data.astronaut(), skimage.data.chelsea(),
                skimage.data.coffee(), skimage.data.rocket(),
                np.stack([skimage.data.camera()] * 3, -1),
                skimage.data.astronaut()[:270, 90:360]]
    return np.stack([canvas.on_canvas(canvas.luminance_of(picture), size)
                     for picture in pictures])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["photos", "lfw", "flowers"])
def test_shipped_weights(name, tmp_path):
    colorizer = tdc.load(name)
    session = load(export.save(tmp_path, colorizer, format="onnx"))
    luminance = photographs(colorizer.luminance_size)
    seeds = list(range(6))
    for num_samples in (1, 8):
        assert_same(
            run(session, luminance, num_samples, 0.5,
                export.noise(colorizer, seeds, num_samples)),
            colorizer.sample(luminance, num_samples, seeds),
            tolerance=5e-4)  # found: 1.4e-4 with flowers, 7e-5 with photos


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["paper", "paper_skip"])
def test_networks_of_the_paper(preset, tmp_path):
    colorizer = tdc.presets.build(preset, canvas=16, latent_dim=4)
    session = load(export.save(tmp_path, colorizer, format="onnx"))
    luminance = photographs(16)
    assert_same(
        run(session, luminance, 3, 0.5, export.noise(colorizer, [0] * 6, 3)),
        colorizer.sample(luminance, 3), tolerance=1e-3)
