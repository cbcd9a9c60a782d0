"""The pretrained encoder, against a forward pass in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.lib.stride_tricks import sliding_window_view
from skimage import data

from tfdivcolor.models import encoder as encoders
from tfdivcolor.models.encoder import Encoder
from tfdivcolor.models.regions import PretrainedGreyNetwork

# EfficientNet-Lite0's sixteen blocks: kernel, stride, channels out.
BLOCKS = ([(3, 1, 16)] + [(3, 2, 24), (3, 1, 24)] + [(5, 2, 40), (5, 1, 40)]
          + [(3, 2, 80)] + 2 * [(3, 1, 80)] + 3 * [(5, 1, 112)]
          + [(5, 2, 192)] + 3 * [(5, 1, 192)] + [(3, 1, 320)])
TAPS = (0, 2, 4, 10, 15)  # the last block of each size
# What comes after the second tap.
TRAINED = {f"block_{number}" for number in range(3, 16)}


@pytest.fixture(scope="module")
def picture():
    """A photograph's luminance, L / 50 - 1, float32 [1, 64, 64, 1]."""
    camera = data.camera().reshape(64, 8, 64, 8).mean((1, 3)) / 255
    return (2 * camera - 1).astype(np.float32)[None, ..., None]


@pytest.fixture(scope="module")
def pretrained():
    return Encoder(64, weights="imagenet")


def trained_parts(encoder):
    """Blocks whose weights a step of training would change."""
    return {weight.path.rpartition("/")[0].replace("_norm", "")
            .rpartition("_")[0] for weight in encoder.trainable_weights}


# --- The forward pass in NumPy ----------------------------------------------


def windows(x, size, stride):
    """[H, W, C] -> [H / stride, W / stride, C, size, size], padded as
    TensorFlow's SAME: the odd pixel comes after."""
    pads = [(0, 0)] * 3
    for axis in (0, 1):
        length = x.shape[axis]
        missing = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads[axis] = (missing // 2, missing - missing // 2)
    return sliding_window_view(
        np.pad(x, pads), (size, size), (0, 1))[::stride, ::stride]


class InNumpy:
    """EfficientNet-Lite0 in float64, from the arrays of the package's file."""

    def __init__(self):
        path = encoders.ENCODERS / "efficientnet_lite0.npz"
        with np.load(path) as file:
            self.arrays = {
                name: file[name].astype(float) for name in file.files}

    def norm(self, x, name):
        mean, variance, gamma, beta = (
            self.arrays[f"{name}_norm/{weight}"] for weight in (
                "moving_mean", "moving_variance", "gamma", "beta"))
        return (x - mean) / np.sqrt(variance + 1e-3) * gamma + beta

    def convolve(self, x, name, stride=1):
        kernel = self.arrays[f"{name}/kernel"]
        x = np.einsum("hwcij,ijco->hwo",
                      windows(x, len(kernel), stride), kernel, optimize=True)
        return self.norm(x, name)

    def depthwise(self, x, name, size, stride):
        kernel = self.arrays[f"{name}/kernel"]
        assert kernel.shape[:2] == (size, size)
        x = np.einsum("hwcij,ijc->hwc", windows(x, size, stride),
                      kernel[..., 0])
        return self.norm(x, name)

    def taps(self, x):
        found = []
        x = np.clip(self.convolve(x, "stem_conv", 2), 0, 6)
        for number, (size, stride, filters) in enumerate(BLOCKS):
            before, name = x, f"block_{number}"
            if number:
                x = np.clip(self.convolve(x, f"{name}_expand"), 0, 6)
            x = np.clip(
                self.depthwise(x, f"{name}_depthwise", size, stride), 0, 6)
            x = self.convolve(x, f"{name}_project")
            if stride == 1 and before.shape[-1] == filters:
                x = x + before
            if number in TAPS:
                found.append(x)
        return found


def test_all_features_are_those_of_the_published_network(pretrained, picture):
    expected = InNumpy().taps(picture[0].astype(float))
    found = pretrained(picture)
    assert [tap.shape[1:] for tap in found] == [
        (32, 32, 16), (16, 16, 24), (8, 8, 40), (4, 4, 112), (2, 2, 320)]
    assert pretrained.channels == [16, 24, 40, 112, 320]
    for tap, one in zip(found, expected):
        np.testing.assert_allclose(
            tap[0], one, rtol=1e-3, atol=1e-3 * np.abs(one).max())
        assert one.std() > 0.1


# --- What is frozen ---------------------------------------------------------


def test_the_first_layers_are_frozen_from_the_start():
    assert trained_parts(Encoder(32)) == TRAINED
    assert "stem" in trained_parts(Encoder(32, frozen_taps=0))
    assert not Encoder(32, frozen_taps=5).trainable_weights


def test_frozen_layers_stay_frozen_when_a_parent_is_set_free():
    parent = PretrainedGreyNetwork(32, 8, (24, 16, 12, 8), 8)
    count = len(parent.trainable_weights)
    for value in (True, False, True):
        parent.trainable = value
        assert bool(parent.trainable_weights) == value
    assert len(parent.trainable_weights) == count
    assert trained_parts(parent.encoder) == TRAINED


def test_an_encoder_that_is_not_trained_is_restored_so():
    encoder = Encoder(32, frozen_taps=1)
    encoder.trainable = False
    again = Encoder.from_config(encoder.get_config())
    assert not again.trainable and not again.trainable_weights
    again.trainable = True
    assert not {"stem", "block_0"} & trained_parts(again)
    assert "block_1" in trained_parts(again)


def test_batch_norm_keeps_its_statistics_in_training(picture):
    network = PretrainedGreyNetwork(32, 8, (24, 16, 12, 8), 8)

    def statistics(layer):
        return [weight.numpy() for weight in layer.weights
                if "moving" in weight.path]

    encoder, decoder = (
        statistics(layer) for layer in (network.encoder, network.network))
    features = network.encoder(picture)
    network(picture, training=True)
    for before, after in zip(encoder, statistics(network.encoder)):
        np.testing.assert_array_equal(before, after)
    for before, after in zip(decoder, statistics(network.network)):
        assert np.any(before != after)
    # Nor does what it sees depend on its batch mates.
    mates = network.encoder(np.concatenate([picture, -picture]))
    for alone, together in zip(features, mates):
        np.testing.assert_allclose(alone[0], together[0], atol=1e-3)


def test_gradients_reach_what_is_not_frozen(pretrained, picture):
    weights = pretrained.trainable_weights
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(pretrained(picture)[-1]))
    for weight, gradient in zip(weights, tape.gradient(
            loss, [weight.value for weight in weights])):
        assert gradient is not None and np.any(gradient != 0), weight.path


# --- Other networks ---------------------------------------------------------


def test_a_network_of_keras_applications_takes_its_place(picture):
    encoder = Encoder(64, "MobileNetV2", frozen_taps=1)
    found = encoder(picture)
    assert [tap.shape[1:] for tap in found] == [
        (64 // stride, 64 // stride, channels) for stride, channels in zip(
            (2, 4, 8, 16, 32), encoder.channels)]
    # The published network, on a picture as its own module wants it.
    whole = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(64, 64, 3))
    whole.set_weights(encoder.network.get_weights())
    pixels = np.repeat(127.5 * (picture + 1), 3, axis=-1)
    np.testing.assert_allclose(
        found[-1], whole(
            keras.applications.mobilenet_v2.preprocess_input(pixels)),
        atol=1e-5)
    assert whole.get_layer("Conv1").name not in {
        weight.path.partition("/")[0] for weight in encoder.trainable_weights}
    assert len(encoder.trainable_weights) < len(whole.trainable_weights)


@pytest.mark.parametrize("options, rule", [
    ({"size": 48}, r"size must be a multiple of 32 \(received 48\)"),
    ({"frozen_taps": 6}, r"frozen_taps must be 0 to 5 \(received 6\)"),
    ({"frozen_taps": -1}, r"frozen_taps must be 0 to 5 \(received -1\)"),
    ({"backbone": "EfficientNetLite9"},
     r"keras.applications \(received 'EfficientNetLite9'\)"),
    # A module, not a model.
    ({"backbone": "mobilenet"}, r"keras.applications \(received 'mobilenet'"),
    ({"backbone": "ConvNeXtTiny"}, r"strides .*convnext_tiny lacks \[2\]"),
])
def test_what_there_is_not_is_refused(options, rule):
    with pytest.raises(ValueError, match=rule):
        Encoder(**{"size": 64, **options})


# --- Files ------------------------------------------------------------------


def test_a_keras_file_has_the_weights(pretrained, picture, tmp_path):
    inputs = keras.Input((64, 64, 1))
    keras.Model(inputs, pretrained(inputs)).save(tmp_path / "encoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    for tap, again in zip(pretrained(picture), loaded(picture)):
        np.testing.assert_array_equal(tap, again)
    again = loaded.layers[-1]
    assert again.get_config() == pretrained.get_config()
    assert again.get_config()["weights"] is None
    assert trained_parts(again) == trained_parts(pretrained)


def damaged(path, kind):
    """Writes another file than an encoder's weights."""
    shipped = encoders.ENCODERS / "efficientnet_lite0.npz"
    if kind == "cut off":
        path.write_bytes(shipped.read_bytes()[:-1000])
    elif kind == "a byte changed":
        content = bytearray(shipped.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(content)
    elif kind == "one array":
        with open(path, "wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind != "missing":
        with np.load(shipped) as file:
            arrays = dict(file)
        if kind == "another shape":
            arrays["stem_conv/kernel"] = np.zeros([3, 3, 3, 32])
        else:
            del arrays["stem_conv/kernel"]
        np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("kind, rule", [
    ("missing", "received No such file or directory"),
    ("empty", "must be an encoder's weights"),
    ("one array", "must be an encoder's weights"),
    ("cut off", "must be an encoder's weights"),
    ("a byte changed", "must be an encoder's weights"),
    ("a weight missing", "received others: stem_conv/kernel"),
    ("another shape", r"shape \[3, 3, 1, 32\] \(received \[3, 3, 3, 32\]\)"),
])
def test_other_weights_are_refused_in_one_line(kind, rule, tmp_path):
    path = damaged(tmp_path / "weights.npz", kind)
    with pytest.raises(ValueError, match=rule) as raised:
        Encoder(32, weights=str(path))
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
