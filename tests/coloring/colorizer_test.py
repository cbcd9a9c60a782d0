"""Sampling and colourising with a Colorizer; its files."""

import gc
import io
import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import color as skcolor, data
from tensorflow.python.framework.func_graph import FuncGraph
from tiny import TINY_REGIONS

import tfdivcolor as tdc
from tfdivcolor import presets
from tfdivcolor.images import ImageError
from tfdivcolor.models import storage
from tfdivcolor.settings import MODES


@pytest.fixture(scope="module")
def photo():
    """A grey photograph, not square, uint8 [H, W]."""
    grey = skcolor.rgb2gray(data.astronaut()[:300:3, ::3])
    return np.round(255 * grey).astype(np.uint8)


@pytest.fixture(scope="module")
def strong(make_module_tiny):
    """A Colorizer whose colours are strong, though untrained."""
    return make_module_tiny


@pytest.fixture(scope="module")
def make_module_tiny():
    import keras
    from tiny import TINY_REGIONS

    keras.utils.set_random_seed(1)
    colorizer = presets.build("regions", **TINY_REGIONS)
    bias = [v for v in colorizer.mdn.head.trainable_variables
            if v.path.endswith("packed/bias")]
    assert len(bias) == 1
    bias[0].assign(3.0 * tf.random.stateless_normal(bias[0].shape, [1, 2]))
    return colorizer


# --- sample ----------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_sample_shapes_and_order(strong, batch, mode):
    drawn = strong.sample(batch["luminance"], 4, mode=mode)
    assert drawn["ab"].shape == (5, 4, 32, 32, 2)
    assert drawn["z"].shape == (5, 4, 16)
    key = {"components": "weight", "samples": "log_prob"}.get(mode)
    if key:
        assert np.all(np.diff(drawn[key], axis=1) <= 0)
    np.testing.assert_allclose(
        tf.reduce_sum(drawn["share"], axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_results_do_not_depend_on_batch_mates(strong, batch, mode):
    together = strong.sample(batch["luminance"], 4, seed=3, mode=mode)
    for row in range(5):
        alone = strong.sample(
            batch["luminance"][row:row + 1], 4, seed=3, mode=mode)
        np.testing.assert_allclose(
            together["ab"][row], alone["ab"][0], atol=1e-3)


def test_a_seed_for_each_picture(strong, batch):
    luminance = tf.repeat(batch["luminance"][:1], 3, axis=0)
    drawn = strong.sample(luminance, 3, seed=[7, 8, 7])["ab"]
    np.testing.assert_allclose(drawn[0], drawn[2], atol=1e-3)
    assert np.abs(drawn[0] - drawn[1]).max() > 1


def test_log_prob_is_that_of_the_untempered_prior(strong, batch):
    drawn = strong.sample(batch["luminance"], 3, temperature=0.2)
    prior = strong.prior(batch["luminance"])
    expected = prior.log_prob(tf.transpose(drawn["z"], [1, 0, 2]))
    np.testing.assert_allclose(
        drawn["log_prob"], tf.transpose(expected), rtol=1e-3, atol=1e-2)


def test_fields_are_the_decoded_latents(strong, batch):
    drawn = strong.sample(batch["luminance"], 3)
    np.testing.assert_allclose(
        drawn["ab"], strong.vae.decode(drawn["z"], batch["luminance"]),
        atol=1e-2)


def test_no_retracing_for_another_number(strong, batch):
    strong.sample(batch["luminance"], 3)
    count = strong.sample_fields.experimental_get_tracing_count()
    for number in (4, 5, 9):
        strong.sample(batch["luminance"], number, seed=number,
                      temperature=0.1 * number)
    assert strong.sample_fields.experimental_get_tracing_count() == count


def test_a_frozen_one_gives_the_same_and_is_not_trained(
        strong, batch, tmp_path):
    strong.save(tmp_path / "weights")
    frozen = tdc.load(tmp_path / "weights")
    before = frozen.sample(batch["luminance"], 3)
    assert frozen.freeze() is frozen
    after = frozen.sample(batch["luminance"], 3)
    for name in before:
        np.testing.assert_allclose(after[name], before[name], atol=1e-2)
    # Nothing is read from a variable any more.
    function = frozen.sample_fields.get_concrete_function(
        batch["luminance"], tf.zeros([len(batch["luminance"])], tf.int64),
        tf.constant(0.5), tf.constant(3), "diverse")
    assert not function.variables and not function.captured_inputs
    with pytest.raises(ValueError, match="must be trainable.*a frozen one"):
        frozen.fit(tf.data.Dataset.from_tensors(batch))


def test_loading_does_not_depend_on_the_precision_policy(
        strong, batch, tmp_path):
    strong.save(tmp_path / "weights")
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        loaded = tdc.load(tmp_path / "weights")
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(
        loaded.sample(batch["luminance"], 3)["ab"],
        strong.sample(batch["luminance"], 3)["ab"])


@pytest.mark.parametrize("options, message", [
    ({"num_samples": 0}, "num_samples must be 1 to 100"),
    ({"num_samples": 5, "mode": "components"},
     r"at most the number of components, 4.*received 5"),
    ({"temperature": -1.0}, "temperature must be"),
    ({"num_samples": 2.5}, r"whole number \(received 2.5\)"),
    ({"seed": 2**63}, "seed must fit into 64 bits"),
    ({"temperature": None}, "temperature must be a number of 0 or more"),
    ({"seed": [1, 2]}, r"one per picture, \[5\] \(received \[2\]\)"),
    ({"mode": "best"}, "mode must be one of"),
])
def test_bad_sampling_arguments(strong, batch, options, message):
    with pytest.raises(ValueError, match=message):
        strong.sample(batch["luminance"], **options)


# --- colorize --------------------------------------------------------------


def test_colorize_keeps_size_and_luminance(strong, photo):
    result = strong.colorize(photo, num_samples=5, seed=1)
    assert result.images.shape == (5, *photo.shape, 3)
    assert result.images.dtype == np.uint8
    before = skcolor.rgb2lab(np.repeat(photo[..., None], 3, -1))[..., 0]
    for image in result.images:
        after = skcolor.rgb2lab(image)
        assert np.abs(after[..., 0] - before).max() <= 0.5
        assert np.abs(after[..., 1:]).mean() > 5  # and there is colour
    assert len({image.tobytes() for image in result.images}) == 5
    np.testing.assert_array_equal(result.grey[..., 0], photo)


def test_colorize_takes_path_bytes_image_and_array(strong, photo, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    expected = strong.colorize(photo, 2).images
    for source in (path, str(path), path.read_bytes(), Image.open(path),
                   np.repeat(photo[..., None], 3, -1)):
        np.testing.assert_array_equal(
            strong.colorize(source, 2).images, expected)


def test_of_a_colour_picture_the_luminance_counts(strong):
    astronaut = data.astronaut()[::8, ::8]
    result = strong.colorize(astronaut, 2)
    assert not result.is_grey
    buffer = io.BytesIO()
    Image.fromarray(result.grey).save(buffer, "PNG")
    again = strong.colorize(buffer.getvalue(), 2)
    assert again.is_grey
    difference = np.abs(result.images.astype(int) - again.images)
    assert np.mean(difference <= 4) > 0.99


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (200, 3)])
def test_odd_shapes(strong, shape):
    picture = np.full(shape, 120, np.uint8)
    assert strong.colorize(picture, 2).images.shape == (2, *shape, 3)


def test_bad_input_is_named(strong, tmp_path):
    path = tmp_path / "notes.jpg"
    path.write_text("not a picture")
    with pytest.raises(ImageError, match="notes.jpg"):
        strong.colorize(path)
    with pytest.raises(ImageError, match="received"):
        strong.colorize(np.zeros((20, 20), np.uint8), max_pixels=399)


@pytest.mark.parametrize("options, message", [
    ({"num_samples": "8"}, r"num_samples must be a whole .*\(received '8'"),
    ({"num_samples": None}, "num_samples must be a whole number"),
    ({"seed": None}, "seed must be a whole number"),
    ({"seed": np.array([1, 2])}, "seed must be a whole number"),
    ({"seed": 2**70}, "seed must fit into 64 bits"),
    ({"temperature": float("nan")}, "temperature must be a number of 0 or"),
    ({"temperature": "0.5"}, "temperature must be a number of 0 or more"),
    ({"temperature": None}, "temperature must be a number of 0 or more"),
    ({"temperature": [0.5]}, "temperature must be a number of 0 or more"),
    ({"mode": "divers"}, "mode must be one of diverse, samples, components"),
    ({"max_pixels": None}, "max_pixels must be a whole number"),
    ({"max_pixels": 0}, "max_pixels must be 1 or more"),
    ({"hints": None}, r"hints must be a list of Hint \(received None\)"),
    ({"hints": tdc.Hint(1, 2, (3, 4, 5))}, "hints must be a list of Hint"),
    ({"strength": "a"}, "strength must be a number of 0 to 10"),
    ({"warmth": None}, "warmth must be a number of -30 to 30"),
    ({"saturation": None}, "saturation must be a number of 0 to 10"),
    ({"latents": np.full([2, 16], np.nan)}, "latents must be finite"),
])
def test_bad_options_are_one_line(strong, photo, options, message):
    with pytest.raises(ValueError, match=message) as error:
        strong.colorize(photo, **options)
    assert "\n" not in str(error.value)


def test_a_misspelt_option_is_named(strong, photo):
    with pytest.raises(TypeError, match="colorize has no argument "
                       "'num_sample'; the steering arguments are hints, keep"):
        strong.colorize(photo, num_sample=3)


@pytest.mark.slow
def test_same_seed_same_bytes_in_a_fresh_process(strong, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    strong.save(tmp_path / "weights")
    program = (
        "import sys, hashlib, tfdivcolor as tdc\n"
        "result = tdc.load(sys.argv[1]).colorize(sys.argv[2], 3, seed=5)\n"
        "print(hashlib.sha256(result.images.tobytes()).hexdigest())\n")
    first, second = (subprocess.run(
        [sys.executable, "-c", program, tmp_path / "weights",
         tmp_path / "photo.png"],
        capture_output=True, text=True, check=True).stdout
        for _ in range(2))
    assert first == second


# --- Files -----------------------------------------------------------------


def test_save_and_load_give_the_same_results(strong, batch, tmp_path):
    strong.save(tmp_path / "weights", seed=3)
    again = tdc.load(tmp_path / "weights")
    assert again.shares_grey
    np.testing.assert_allclose(
        strong.sample(batch["luminance"], 3)["ab"],
        again.sample(batch["luminance"], 3)["ab"], atol=1e-4)
    about = storage.describe(tmp_path / "weights")
    assert about["about"] == {"seed": 3}
    assert about["versions"]["tensorflow"] == tf.__version__
    assert sorted(p.name for p in tmp_path.iterdir()) == ["weights"]


def test_nothing_is_overwritten_unasked(strong, tmp_path):
    strong.save(tmp_path / "weights")
    with pytest.raises(ValueError, match="must be a new path"):
        strong.save(tmp_path / "weights")
    strong.save(tmp_path / "weights", overwrite=True)


def test_only_a_saved_colorizer_is_replaced(strong, tmp_path):
    (tmp_path / "photo.jpg").write_text("precious")
    with pytest.raises(ValueError, match="saved Colorizer to be replaced"):
        strong.save(tmp_path, overwrite=True)
    assert (tmp_path / "photo.jpg").read_text() == "precious"


def test_a_failed_overwrite_leaves_the_old_one(strong, tmp_path, monkeypatch):
    strong.save(tmp_path / "weights", seed=1)

    def fail(*_):
        raise OSError("disk full")
    monkeypatch.setattr(storage, "checksum", fail)
    with pytest.raises(OSError, match="disk full"):
        strong.save(tmp_path / "weights", overwrite=True, seed=2)
    assert storage.describe(tmp_path / "weights")["about"] == {"seed": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["weights"]


def test_a_failed_save_leaves_nothing(strong, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        strong.save(tmp_path / "weights")
    assert list(tmp_path.iterdir()) == []


def test_loading_is_strict(strong, make_tiny, tmp_path):
    folder = tmp_path / "weights"
    strong.save(folder)
    weights = folder / storage.WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1000])
    with pytest.raises(ValueError, match="checksum must be"):
        tdc.load(folder)
    weights.unlink()
    with pytest.raises(ValueError, match="must hold model.weights.h5"):
        tdc.load(folder)
    # A weight that does not fit, under a right checksum.
    weights.write_bytes(whole)
    about = json.loads((folder / storage.ABOUT).read_text())
    decoder = about["config"]["config"]["vae"]["config"]["decoder"]["config"]
    decoder["hidden"] = 5
    (folder / storage.ABOUT).write_text(json.dumps(about))
    with pytest.raises(ValueError):
        tdc.load(folder)


def test_begin_from_a_shallower_network(make_tiny, batch):
    shallow = presets.build("regions", **{**TINY_REGIONS, "depth": 0})
    deep = make_tiny()
    storage.begin_from(deep, shallow)
    want, got = (model(batch)["ab_hat"] for model in (shallow, deep))
    np.testing.assert_allclose(got, want, atol=1e-3)
    np.testing.assert_allclose(
        deep.sample(batch["luminance"])["ab"],
        shallow.sample(batch["luminance"])["ab"], atol=1e-2)


def test_begin_from_something_that_does_not_fit(make_tiny):
    other = presets.build("regions", **{**TINY_REGIONS, "num_components": 3})
    with pytest.raises(ValueError, match=r"no place for mixture_head/logits"):
        storage.begin_from(make_tiny(), other)


@pytest.mark.parametrize("text, message", [
    ("{", "must be JSON"), ('{"format": 99}', "format must be 1")])
def test_a_foreign_description_is_refused(tmp_path, text, message):
    (tmp_path / storage.ABOUT).write_text(text)
    with pytest.raises(ValueError, match=message):
        tdc.load(tmp_path)


@pytest.mark.parametrize("name", [
    "x.h5", "x.weights.h5", "x.H5", "x.pt", "x.json", "x.KERAS", "x.zip"])
def test_a_folder_is_not_named_like_a_file(strong, tmp_path, name):
    with pytest.raises(ValueError, match=rf"{name}: must be a folder, or a "
                       r"file that ends in .keras \(received a name"):
        strong.save(tmp_path / name, overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_s_name_may_have_dots(strong, tmp_path):
    strong.save(tmp_path / "run.v1.2")
    assert (tmp_path / "run.v1.2" / storage.ABOUT).is_file()


def test_a_keras_file_is_replaced_only_when_asked_for(strong, tmp_path):
    path = tmp_path / "new" / "model.keras"
    strong.save(path)
    before = path.read_bytes()
    # Keras would ask on standard input.
    with pytest.raises(ValueError, match="model.keras: must be a new path"):
        strong.save(str(path))
    for more in ({"half": True}, {"seed": 3}):
        with pytest.raises(ValueError, match="must be a folder for the "
                           f"arguments {', '.join(more)}"):
            strong.save(path, overwrite=True, **more)
    assert path.read_bytes() == before
    strong.save(path, overwrite=True)
    assert [one.name for one in path.parent.iterdir()] == ["model.keras"]
    assert keras.models.load_model(path).canvas == strong.canvas


def test_a_failed_keras_file_leaves_the_old_one(strong, tmp_path, monkeypatch):
    path = tmp_path / "model.keras"
    path.write_text("old")

    def fail(model, part, **_):
        with open(part, "w") as file:
            file.write("half")
        raise OSError("disk full")
    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        strong.save(path, overwrite=True)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize("weights, received", [
    ("nowhere", "'nowhere'"), ("", "''"), (None, "None"), (3, "3"),
    (["photos"], r"\['photos'\]"), (b"photos", "b'photos'"),
    ("x" * 5000, "'xxx")])
def test_unknown_weights(weights, received):
    with pytest.raises(ValueError, match="weights must be one of flowers, lfw,"
                       rf" photos, or a folder .*\(received {received}"):
        tdc.load(weights)


def test_a_file_is_no_weights(tmp_path):
    (tmp_path / "w.h5").write_text("x")
    with pytest.raises(ValueError, match=r"received '.*w.h5', a file\)"):
        tdc.load(tmp_path / "w.h5")
    (tmp_path / "w.keras").write_text("x")
    with pytest.raises(ValueError, match="a file; keras.models.load_model"):
        tdc.load(tmp_path / "w.keras")


@pytest.mark.parametrize("name", ["best", None, ["photos"]])
def test_unknown_presets(name):
    with pytest.raises(ValueError, match="regions, paper, paper_skip"):
        tdc.Colorizer.from_preset(name)


@pytest.mark.slow
def test_one_that_is_gone_leaves_no_graph_behind(make_tiny, batch):
    def graphs():
        gc.collect()
        return sum(isinstance(one, FuncGraph) for one in gc.get_objects())

    def use():
        colorizer = make_tiny()
        colorizer.sample(batch["luminance"], 2)
        colorizer.freeze().sample(batch["luminance"], 2)

    use()
    before = graphs()
    use()
    assert graphs() <= before


def test_page_of_a_file_and_what_is_said_of_it(tiny):
    file = io.BytesIO()
    pages = [Image.fromarray(np.full([40, 50], level, np.uint8))
             for level in (60, 200)]
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
    with pytest.warns(UserWarning, match="image: page 1 of 2 is used"):
        first = tiny.colorize(file.getvalue(), num_samples=1)
    second = tiny.colorize(file.getvalue(), num_samples=1, page=2)
    assert second.luminance.mean() > first.luminance.mean() + 30
    assert second.photo.page == 2 and not second.photo.notes
