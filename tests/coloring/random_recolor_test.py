"""Random recolouring of training pictures."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from skimage import color as skcolor
from tiny import random_batch

from tfdivcolor import color
from tfdivcolor.color import canvas
from tfdivcolor.coloring.random_recolor import RandomRecolor
from training.examples import recolor as recolor_example


@pytest.fixture(scope="module")
def colorizer(tiny):
    """A Colorizer whose colours are strong, though untrained."""
    keras.utils.set_random_seed(1)
    strong = type(tiny).from_config(tiny.get_config())
    bias, = [v for v in strong.mdn.head.trainable_variables
             if v.path.endswith("packed/bias")]
    bias.assign(3.0 * tf.random.stateless_normal(bias.shape, [1, 2]))
    return strong


@pytest.fixture(scope="module")
def images():
    """uint8 [40, 24, 32, 3]."""
    batch = random_batch(40, 32)
    return color.join(batch["luminance"], batch["ab"]).numpy()[:, :24]


@pytest.fixture(scope="module")
def half(colorizer):
    """A layer whose generator tests may advance."""
    return RandomRecolor(colorizer, 0.5, seed=3)


@pytest.fixture(scope="module")
def always(colorizer):
    return RandomRecolor(colorizer, 1.0, temperature=0.8, seed=3)


@pytest.fixture(scope="module")
def signed(colorizer):
    return RandomRecolor(colorizer, 0.5, seed=3, value_range=(-1, 1))


@pytest.fixture(scope="module")
def never(colorizer, tmp_path_factory):
    """A layer of probability 0, its colorizer from a folder."""
    folder = tmp_path_factory.mktemp("recolor") / "weights"
    colorizer.save(folder)
    return RandomRecolor(folder, 0, temperature=0.8)


def restart(layer):
    """Puts a layer's generator back to its first call."""
    layer.generator.state.assign([layer.seed, 0])


def changed(before, after):
    """Which pictures differ: bool [B]."""
    return np.any(np.asarray(before) != np.asarray(after), axis=(1, 2, 3))


# --- What it does to a picture -----------------------------------------------


def test_probability_zero_changes_no_byte(never, images):
    np.testing.assert_array_equal(never(images, training=True), images)


def test_probability_one_changes_every_picture_but_no_luminance(
        always, images):
    recolored = always(images, training=True).numpy()
    assert recolored.dtype == np.uint8
    assert changed(images, recolored).all()
    before, after = skcolor.rgb2lab(images), skcolor.rgb2lab(recolored)
    assert np.abs(before[..., 0] - after[..., 0]).max() <= 0.5
    # Colours, not a little noise.
    assert np.abs(before[..., 1:] - after[..., 1:]).mean() > 5


def test_probability_is_the_share_of_changed_pictures(half, images):
    restart(half)
    counts = np.array([changed(images, half(images)).sum() for _ in range(4)])
    # 160 trials of 1/2: a standard deviation of 6.3.
    assert abs(counts.sum() - 80) < 25
    assert len(set(counts.tolist())) > 1


def test_recolor_is_a_draw_joined_with_the_own_luminance(
        always, colorizer, images):
    seed = [5, -2**62, 5]
    recolored = always.recolor(images[:3], seed).numpy()
    for pixels, one, own_seed in zip(images, recolored, seed):
        luminance = canvas.luminance_of(pixels)
        drawn = colorizer.sample(
            canvas.on_canvas(luminance, 32)[None], 1, own_seed, 0.8,
            "samples")
        expected = canvas.join(luminance, drawn["ab"][0, 0]).numpy()
        # A batch of another size may round differently.
        assert np.abs(one.astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_a_colorizer_that_sees_more_than_its_canvas(tiny_photos, images):
    layer = RandomRecolor(tiny_photos, 1.0, seed=3)
    images, seed = images[:2], [5, 7]
    recolored = layer.recolor(images, seed).numpy()
    for pixels, one, own_seed in zip(images, recolored, seed):
        luminance = canvas.luminance_of(pixels)
        drawn = tiny_photos.sample(
            canvas.on_canvas(luminance, 64)[None], 1, own_seed, 1.0,
            "samples")
        expected = canvas.join(luminance, drawn["ab"][0, 0]).numpy()
        assert np.abs(one.astype(int) - expected).max() <= 1
    assert changed(images, recolored).all()
    before, after = skcolor.rgb2lab(images), skcolor.rgb2lab(recolored)
    assert np.abs(before[..., 0] - after[..., 0]).max() <= 0.5


def test_every_picture_gets_its_own_colours(always, images):
    same = np.repeat(images[:1], 4, axis=0)
    recolored = always(same).numpy()
    assert len({one.tobytes() for one in recolored}) == 4


@pytest.mark.parametrize("name, black, dtype", [
    ("half", 0, "float32"), ("half", 0, "float16"), ("signed", -1, "float32"),
    ("signed", -1, "float64"), ("signed", -1, "bfloat16")])
def test_dtype_and_range_stay(request, half, images, name, black, dtype):
    layer = request.getfixturevalue(name)
    white = 255 if black == 0 else 1
    images = images[:12]
    restart(half)
    expected = half(images).numpy()
    scaled = tf.cast(black + (white - black) * (images / 255.0), dtype)
    restart(layer)
    result = layer(scaled)
    assert result.dtype == dtype
    touched = changed(images, expected)
    assert 0 < touched.sum() < 12
    np.testing.assert_array_equal(result[~touched], scaled[~touched])
    pixels = 255 * (np.asarray(result, float) - black) / (white - black)
    # bfloat16 has 8 digits, and rounds the luminance before it is looked at.
    mean = np.abs(pixels - expected)[touched].mean()
    assert mean < (2.0 if dtype == "bfloat16" else 0.1)


def test_one_picture_is_a_batch_of_one(half, images):
    restart(half)
    one = [half(picture).numpy() for picture in images[:8]]
    assert one[0].shape == images[0].shape
    restart(half)
    batches = [half(picture[None]).numpy()[0] for picture in images[:8]]
    np.testing.assert_array_equal(one, batches)
    assert 0 < sum(np.any(a != b) for a, b in zip(one, images)) < 8


def test_a_batch_may_be_empty(half):
    assert half(np.zeros([0, 8, 8, 3], np.uint8)).shape == (0, 8, 8, 3)


# --- Random numbers ----------------------------------------------------------


def test_same_seed_same_bytes_and_every_call_differs(half, images):
    images = images[:12]
    restart(half)
    first, second = half(images).numpy(), half(images).numpy()
    assert np.any(first != second)
    restart(half)
    np.testing.assert_array_equal(half(images), first)
    half.generator.state.assign([half.seed + 1, 0])
    assert np.any(half(images) != first)


def test_in_tf_data_the_seed_decides(half, images):
    images = images[:8]
    dataset = tf.data.Dataset.from_tensor_slices(images).map(half)
    restart(half)
    single = np.stack(list(dataset.as_numpy_iterator()))
    restart(half)
    again = np.stack(list(dataset.as_numpy_iterator()))
    np.testing.assert_array_equal(single, again)
    assert 0 < changed(images, single).sum() < 8
    # The next epoch goes on where this one ended.
    assert np.any(np.stack(list(dataset.as_numpy_iterator())) != again)


def test_in_tf_data_batches_are_those_of_eager_calls(half, images):
    images = images[:16]
    restart(half)
    eager = [half(images[i:i + 8]).numpy() for i in (0, 8)]
    restart(half)
    dataset = tf.data.Dataset.from_tensor_slices(
        (images, np.arange(16))).batch(8).map(
            lambda pictures, labels: (half(pictures, training=True), labels))
    for (pictures, labels), expected in zip(dataset, eager):
        np.testing.assert_array_equal(pictures, expected)
    assert labels.shape == (8,)


def test_recolor_in_parallel_is_repeatable(always, images):
    def dataset():
        return tf.data.Dataset.from_tensor_slices(images[:6]).enumerate().map(
            lambda index, picture: always.recolor(picture[None], [index])[0],
            num_parallel_calls=2)

    first, second = (np.stack(list(dataset().as_numpy_iterator()))
                     for _ in range(2))
    np.testing.assert_array_equal(first, second)


# --- Inside a model ----------------------------------------------------------


def make_model(recolor):
    inputs = keras.Input([24, 32, 3])
    x = recolor(inputs)
    x = keras.layers.Rescaling(1 / 255, name="pictures")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def test_a_model_recolours_in_training_only(always, images):
    images = images[:12]
    model = make_model(always)
    pictures = keras.Model(
        model.input, model.get_layer("pictures").output)
    floats = images.astype(np.float32)
    np.testing.assert_allclose(
        pictures.predict(floats, verbose=0), floats / 255, atol=1e-6)
    restart(always)
    trained_on = pictures(floats, training=True).numpy()
    restart(always)
    np.testing.assert_allclose(
        255 * trained_on, always(images).numpy(), atol=1e-3)


def test_only_the_rest_of_the_model_is_trained(always, images):
    images = images[:12]
    model = make_model(always)
    names = [v.path for v in model.trainable_variables]
    model.trainable = True
    assert [v.path for v in model.trainable_variables] == names
    assert len(names) == 2  # the dense layer's
    before = always.colorizer.get_weights()
    model.compile("sgd", "mse")
    model.fit(images.astype(np.float32), np.ones([12, 2]), verbose=0)
    for old, new in zip(before, always.colorizer.get_weights()):
        np.testing.assert_array_equal(old, new)


def test_the_colorizer_given_stays_as_it_was(colorizer, always):
    assert len(colorizer.trainable_variables) > 50
    assert not always.trainable_variables
    assert always.colorizer is not colorizer


def test_layers_behind_it_still_train(always, images):
    """A subclassed model hands `training` from layer to layer."""
    class Classifier(keras.Model):
        def __init__(self):
            super().__init__()
            self.recolor = always
            self.normalize = keras.layers.BatchNormalization()

        def call(self, x):
            return self.normalize(self.recolor(x))

    model = Classifier()
    model(images.astype(np.float32), training=True)
    assert np.all(model.normalize.moving_mean.numpy() != 0)


def test_mixed_precision_leaves_pictures_and_colorizer_alone(
        colorizer, always, images):
    images = images[:12]
    restart(always)
    expected = always(images.astype(np.float32)).numpy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = RandomRecolor(colorizer, 1.0, temperature=0.8, seed=3)
        model = make_model(mixed)
        floats = images.astype(np.float32)
        restart(mixed)
        result = mixed(floats)
        model.compile("sgd", "mse")
        model.fit(floats, np.ones([12, 2]), verbose=0)
    finally:
        keras.config.set_dtype_policy("float32")
    assert result.dtype == "float32"
    np.testing.assert_array_equal(result, expected)


def test_a_saved_model_keeps_the_colorizer(always, images, tmp_path):
    images = images[:12]
    model = make_model(always)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    floats = images.astype(np.float32)
    np.testing.assert_array_equal(model(floats, training=False),
                                  loaded(floats, training=False))
    again, = [layer for layer in loaded.layers
              if isinstance(layer, RandomRecolor)]
    assert again.get_config()["temperature"] == 0.8
    assert not again.trainable_variables
    # Keras saves no generator's state: a loaded one begins anew.
    restart(always)
    for _ in range(2):
        np.testing.assert_array_equal(again(images), always(images))


def test_weights_may_be_a_folder(never, always, images):
    seed = np.arange(3)
    np.testing.assert_array_equal(
        never.recolor(images[:3], seed), always.recolor(images[:3], seed))


# --- Errors ------------------------------------------------------------------


@pytest.mark.parametrize("options, message", [
    ({"probability": 1.5}, r"^probability must be .* \(received 1.5\)$"),
    ({"probability": float("nan")}, r"^probability must be .*nan\)$"),
    ({"probability": "half"}, r"^probability must be .*'half'\)$"),
    ({"temperature": -1}, r"^temperature must be .* \(received -1\)$"),
    ({"temperature": "hot"}, r"^temperature must be .*'hot'\)$"),
    ({"value_range": (1, 0)}, r"^value_range must be .*\(1, 0\)\)$"),
    ({"value_range": 255}, r"^value_range must be .*255\)$"),
    ({"colorizer": 7}, r"^colorizer must be .* \(received 7\)$"),
    ({"colorizer": "petals"}, r"^weights must be .*'petals'\)$"),
])
def test_bad_options(colorizer, options, message):
    with pytest.raises(ValueError, match=message):
        RandomRecolor(**{"colorizer": colorizer, **options})


@pytest.mark.parametrize("shape, dtype, message", [
    ((8, 3), "uint8", r"^images must have shape .*\(8, 3\)\)$"),
    ((2, 8, 8, 1), "uint8", r"^images must have shape .*\(2, 8, 8, 1\)\)$"),
    ((8, 8, 3), "int32", r"^images must be uint8 or floating .*int32\)$"),
])
def test_bad_pictures(half, shape, dtype, message):
    with pytest.raises(ValueError, match=message):
        half(tf.zeros(shape, dtype))
    if len(shape) == 4:
        with pytest.raises(ValueError, match=message):
            half(keras.Input(shape[1:], shape[0], dtype))


def test_bytes_have_one_range(signed, images):
    with pytest.raises(
            ValueError, match=r"^images must be floating .*\(-1, 1\)\)$"):
        signed(images)


# --- The example -------------------------------------------------------------


def test_test_pictures_change_colour_alone(images):
    versions = recolor_example.shifted(images)
    before = skcolor.rgb2lab(images)
    grey, = versions["grey"]
    assert np.all(grey == grey[..., :1])
    for pixels in [grey, *versions["hue"]]:
        after = skcolor.rgb2lab(pixels)
        assert np.abs(after[..., 0] - before[..., 0]).max() <= 0.5
    left, right = (skcolor.rgb2lab(pixels)[..., 1:]
                   for pixels in versions["hue"])
    # A quarter turn, and the same length where the gamut allows it.
    luminance, a, b = np.moveaxis(before, -1, 0)
    inside = (np.hypot(a, b) < 15) & (np.abs(luminance - 55) < 20)
    assert inside.mean() > 0.05
    turned = np.stack([-b, a], axis=-1)
    np.testing.assert_allclose(left[inside], turned[inside], atol=1.5)
    np.testing.assert_allclose(right[inside], -turned[inside], atol=1.5)


def test_table_and_gains():
    results = {"none": {"grey": [0.5, 0.7]}, "jitter": {"grey": [0.6, 0.7]}}
    gains = recolor_example.gains(results)
    np.testing.assert_allclose(gains["jitter"]["grey"], [0.1, 0.0], atol=1e-9)
    assert recolor_example.table("t", results).splitlines()[1].split() == [
        "none", "60.0", "+-", "14.1"]


def test_few_takes_as_many_of_each_kind():
    labels = np.array([0, 1, 1, 0, 2, 2, 0, 1, 2])
    chosen = recolor_example.few(labels, 2, seed=0)
    assert len(set(chosen.tolist())) == 6
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [2, 2, 2])
    with pytest.raises(ValueError, match="at most 3.*received 4"):
        recolor_example.few(labels, 4, seed=0)


def test_what_is_wrong_with_the_command_is_said_in_a_line(capsys, tmp_path):
    assert recolor_example.main(["--data", str(tmp_path / "no")]) == 1
    assert recolor_example.main(["--data", ".", "--seeds", "1"]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2 and "no such folder" in errors[0]


@pytest.mark.slow
def test_the_whole_example(colorizer, capsys, images, tmp_path):
    for number, picture in enumerate(np.concatenate([images, images])):
        folder = tmp_path / "pictures" / f"kind{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number}.png")
    colorizer.save(tmp_path / "weights")
    assert recolor_example.main([
        "--data", str(tmp_path / "pictures"), "--per-kind", "4",
        "--steps", "2", "--seeds", "2", "--weights",
        str(tmp_path / "weights"), "--json", str(tmp_path / "all.json")]) == 0
    assert capsys.readouterr().out.count("+-") == 4 * (4 + 3)
    results = json.loads((tmp_path / "all.json").read_text())
    assert {len(values) for by_test in results.values()
            for values in by_test.values()} == {2}
