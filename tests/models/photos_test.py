"""The preset `photos`: a pretrained encoder, cells among the tokens."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy.special import log_softmax, softmax
from skimage.transform import resize
from tiny import TINY_PHOTOS, random_batch

import tfdivcolor as tdc
from tfdivcolor import color, data, presets
from tfdivcolor.models.regions import RegionMixtureHead
from tfdivcolor.settings import MODES


@pytest.fixture(scope="module")
def pictures():
    """Five pictures: luminance of 64 x 64 pixels, colours of 32 x 32."""
    batch = random_batch(5, 64)
    ab = batch["ab"].reshape(5, 32, 2, 32, 2, 2).mean((2, 4))
    return {**batch, "ab": ab}


@pytest.fixture(scope="module")
def grey(tiny_photos, pictures):
    return tiny_photos.vae.grey_encoder(
        color.normalize_luminance(pictures["luminance"]))


def make():
    keras.utils.set_random_seed(0)
    return presets.build("photos", **TINY_PHOTOS)


def photographs(count=16):
    """`PhotoSet` of smooth pictures: red where light, and blue where dark."""
    luminance = random_batch(count, 64)["luminance"]
    lab = np.concatenate([luminance, luminance - 50, luminance - 50], -1)
    return data.PhotoSet(
        lab.astype(np.float16), [f"a/{i}.png" for i in range(count)], [],
        canvas=32, luminance_size=64)


def compile_quickly(model):
    """For a few steps, which take less than to trace a function of them."""
    model.compile(optimizer=keras.optimizers.Adam(5e-3), run_eagerly=True)


def encoder_values(colorizer):
    """The encoder's weights, by name."""
    return {weight.path: weight.numpy() for weight in
            colorizer.vae.grey_encoder.encoder.network.weights}


# --- The networks -----------------------------------------------------------


def test_what_is_found_has_the_canvas_s_size(tiny_photos, grey):
    assert tiny_photos.canvas == tiny_photos.vae.canvas == 32
    assert tiny_photos.luminance_size == tiny_photos.mdn.canvas == 64
    assert grey["assignment"].shape == (5, 32 * 32, 8)
    assert grey["features"].shape == (5, 32, 32, 8)
    assert grey["bottleneck"].shape == (5, 2, 2, 24)
    assert grey["tokens"].shape == (5, 8, 8 + 4)
    assert grey["log_area"].shape == (5, 8)
    np.testing.assert_allclose(
        tf.reduce_sum(grey["assignment"], -1), 1.0, rtol=1e-5)


def test_the_encoder_sees_the_picture_enlarged(pictures, tmp_path):
    """Against scikit-image's bilinear interpolation."""
    def resized(x, side):
        return np.stack([resize(
            np.asarray(one), (side, side), order=1, mode="edge",
            anti_aliasing=False) for one in x]).astype(np.float32)

    colorizer = presets.build("photos", **TINY_PHOTOS, encoder_size=96)
    network = colorizer.vae.grey_encoder
    luminance = pictures["luminance"] / 50 - 1
    assert network.luminance_size == 64 and network.encoder.size == 96
    taps = network.encoder(resized(luminance, 96))
    small = luminance.reshape(5, 32, 2, 32, 2, 1).mean((2, 4))
    expected, *_ = network.network(
        [*(resized(tap, 32 >> i) for i, tap in enumerate(taps)), small])
    found = network(luminance)["assignment"]
    np.testing.assert_allclose(
        found, tf.reshape(expected, found.shape), atol=1e-4)
    colorizer.save(tmp_path / "model")
    loaded = tdc.load(tmp_path / "model").vae.grey_encoder
    assert loaded.encoder.size == 96
    np.testing.assert_array_equal(loaded(luminance)["assignment"], found)


def test_the_encoder_s_size_must_fit_its_strides():
    with pytest.raises(ValueError, match=r"multiple of 32 \(received 80\)"):
        presets.build("photos", **TINY_PHOTOS, encoder_size=80)


def test_tokens_see_the_luminance_of_the_canvas(grey, pictures):
    assignment = grey["assignment"].numpy()
    small = pictures["luminance"].reshape(5, 32, 2, 32, 2).mean((2, 4))
    expected = np.einsum(
        "bpm,bp->bm", assignment, small.reshape(5, -1) / 50 - 1)
    np.testing.assert_allclose(
        grey["tokens"][..., -4], expected / (assignment.sum(1) + 1),
        rtol=1e-3, atol=1e-4)


def test_the_canvas_must_fit_the_encoder():
    with pytest.raises(ValueError, match=r"multiple of 16 \(received 40\)"):
        presets.build("photos", **{**TINY_PHOTOS, "canvas": 40})


def test_another_backbone_takes_the_encoder_s_place(pictures):
    colorizer = presets.build("photos", **{
        **TINY_PHOTOS, "backbone": "MobileNetV2", "backbone_weights": None})
    drawn = colorizer.sample(pictures["luminance"][:1], 2)
    assert drawn["ab"].shape == (1, 2, 32, 32, 2)
    assert np.all(np.isfinite(drawn["ab"]))


# --- The mixture's head, in NumPy -------------------------------------------


def silu(x):
    return x / (1 + np.exp(-x))


class HeadInNumpy:
    """`RegionMixtureHead` with cells among its tokens, for one picture."""

    def __init__(self, network, heads=4):
        self.weights = {
            layer.name: [weight.numpy().astype(float)
                         for weight in layer.weights]
            for layer in network.layers}
        self.heads = heads

    def dense(self, x, name):
        kernel, bias = self.weights[name]
        return x @ kernel + bias

    def norm(self, x, name):
        gamma, beta = self.weights[name]
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt(
            np.mean(x**2, -1, keepdims=True) + 1e-5) * gamma + beta

    def attend(self, x, name):
        query, query_bias, key, key_bias, value, value_bias, out, bias = (
            self.weights[name])
        result = np.zeros_like(x) + bias
        for head in range(self.heads):
            q, k, v = (x @ kernel[:, head] + shift[head] for kernel, shift in (
                (query, query_bias), (key, key_bias), (value, value_bias)))
            score = softmax(q @ k.T / np.sqrt(q.shape[-1]), axis=-1)
            result += score @ v @ out[head]
        return result

    def __call__(self, tokens, bottleneck):
        """tokens [M, C], bottleneck [h, w, D] -> logits [K], numbers
        [M, K, 4 + 2R]."""
        whole = silu(self.dense(bottleneck.mean((0, 1)), "whole"))
        x = self.dense(tokens, "token") + self.weights["embedding"][0]
        x = x + self.dense(whole, "whole_to_token")
        cells = self.dense(bottleneck.reshape(-1, bottleneck.shape[-1]),
                           "cell_token") + self.weights["cell_embedding"][0]
        x = np.concatenate([x, cells])
        for i in (0, 1):
            x = x + self.attend(
                self.norm(x, f"block_{i}_norm_1"), f"block_{i}_attention")
            y = self.dense(
                self.norm(x, f"block_{i}_norm_2"), f"block_{i}_expand")
            x = x + self.dense(silu(y), f"block_{i}_contract")
        x = self.norm(x, "norm")[:len(tokens)]
        logits = self.dense(
            np.concatenate([whole, x.mean(0)]), "logits")
        return logits, self.dense(x, "packed").reshape(
            len(tokens), len(logits), -1)


def test_the_mixture_is_that_of_regions_and_cells(tiny_photos, grey):
    head = tiny_photos.mdn.head
    assert head.cell_tokens
    params = head(grey)
    in_numpy = HeadInNumpy(head.network)
    for b in range(5):
        logits, numbers = in_numpy(
            grey["tokens"][b].numpy().astype(float),
            grey["bottleneck"][b].numpy().astype(float))
        np.testing.assert_allclose(
            log_softmax(params["mixture_logits"][b]), log_softmax(logits),
            atol=1e-3)
        for k in range(4):
            np.testing.assert_allclose(
                params["locs"][b, k], numbers[:, k, :2].ravel(), atol=1e-3)
            np.testing.assert_allclose(
                params["factors"][b, k],
                0.3 * numbers[:, k, 4:].reshape(16, 2), atol=1e-3)
    assert params["scales"].shape == (5, 4, 16)
    assert np.all(params["scales"] > 0)


def test_the_preset_has_ten_components_of_rank_six():
    preset = presets.get("photos")
    assert (preset.num_components, preset.rank, preset.canvas) == (10, 6, 64)
    assert preset.luminance_size == 128
    # Its head: 64 numbers for the 32 regions, 16 cells of 160 channels.
    head = RegionMixtureHead(
        32, 36, (4, 4, 160), preset.num_components, preset.rank, preset.width,
        cell_tokens=True)
    params = head({"tokens": tf.zeros([2, 32, 36]),
                   "bottleneck": tf.zeros([2, 4, 4, 160])})
    assert params["mixture_logits"].shape == (2, 10)
    assert params["locs"].shape == params["scales"].shape == (2, 10, 64)
    assert params["factors"].shape == (2, 10, 64, 6)


# --- Training ---------------------------------------------------------------


def test_gradients_reach_every_weight_that_is_trained(pictures):
    colorizer = make()
    # What begins at zero hides what lies before it.
    for weight in (*colorizer.vae.decoder.correction.weights,
                   *colorizer.vae.grey_encoder.network.weights):
        if weight.path.endswith(("correction/kernel", "_2_norm/gamma")):
            weight.assign(0.1 * tf.ones_like(weight))
    weights = colorizer.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(colorizer.loss_terms(
            pictures, colorizer(pictures, training=True))["loss"])
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    for weight, gradient in zip(weights, gradients):
        assert gradient is not None, weight.path
        assert np.all(np.isfinite(gradient)), weight.path
        assert np.any(gradient != 0), weight.path
    trained = {weight.path for weight in weights}
    assert "block_3_expand/kernel" in trained
    assert not trained & {"stem_conv/kernel", "block_2_project/kernel"}


def test_fit_lowers_the_loss_and_leaves_what_is_frozen():
    colorizer = make()
    before = encoder_values(colorizer)
    compile_quickly(colorizer)
    history = colorizer.fit(
        photographs(), epochs=4, batch_size=8, verbose=0).history
    assert history["loss"][-1] < 0.7 * history["loss"][0]
    after = encoder_values(colorizer)
    changed = {name for name in before
               if np.any(before[name] != after[name])}
    assert not {name for name in changed if "moving" in name}
    blocks = {"_".join(name.split("_")[:2]) for name in changed}
    assert blocks == {f"block_{number}" for number in range(3, 16)}


@pytest.mark.slow
def test_the_mixture_s_stage_thaws_no_more_than_it_froze():
    colorizer = make()
    trained = {id(weight) for weight in colorizer.trainable_variables}
    before = encoder_values(colorizer)
    with colorizer.training_stage("mdn") as (model, _):
        inside = {id(weight) for weight in model.trainable_variables}
    assert inside == {
        id(weight) for weight in colorizer.mdn.head.trainable_variables}
    assert {id(weight) for weight in colorizer.trainable_variables} == trained
    head = colorizer.mdn.head.network.get_layer("packed").kernel.numpy()
    compile_quickly(colorizer.mdn)
    history = colorizer.fit(photographs(), stage="mdn", epochs=3,
                            batch_size=8, verbose=0).history
    assert history["mdn_nll"][-1] < history["mdn_nll"][0]
    assert np.any(
        colorizer.mdn.head.network.get_layer("packed").kernel.numpy() != head)
    for name, array in encoder_values(colorizer).items():
        np.testing.assert_array_equal(array, before[name])
    assert {id(weight) for weight in colorizer.trainable_variables} == trained


# --- Sampling and files -----------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_samples_are_fields_of_the_canvas(tiny_photos, pictures, mode):
    drawn = tiny_photos.sample(pictures["luminance"], 3, seed=5, mode=mode)
    assert drawn["ab"].shape == (5, 3, 32, 32, 2)
    assert drawn["z"].shape == (5, 3, 16)
    np.testing.assert_allclose(
        drawn["ab"], tiny_photos.vae.decode(drawn["z"], pictures["luminance"]),
        atol=1e-2)
    alone = tiny_photos.sample(
        pictures["luminance"][3:4], 3, seed=5, mode=mode)
    np.testing.assert_allclose(drawn["ab"][3], alone["ab"][0], atol=1e-3)


def test_luminance_of_the_canvas_s_size_is_refused(tiny_photos, pictures):
    with pytest.raises(ValueError, match=r"\[B, 64, 64, 1\]"):
        tiny_photos.sample(pictures["luminance"][:, ::2, ::2], 3)


def test_photographs_keep_their_size_and_luminance(tiny_photos):
    rng = np.random.default_rng(0)
    photo = np.asarray(Image.fromarray(
        rng.integers(0, 256, [4, 5], np.uint8)).resize(
            [70, 50], Image.Resampling.BICUBIC))
    result = tiny_photos.colorize(photo, num_samples=3)
    assert result.images.shape == (3, 50, 70, 3)
    given = color.split(np.repeat(photo[..., None], 3, -1))[0]
    for image in result.images:
        np.testing.assert_allclose(color.split(image)[0], given, atol=0.5)


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("name", ["weights", "weights.keras"])
def test_what_is_saved_gives_the_same_and_trains_the_same(
        tiny_photos, pictures, tmp_path, name):
    tiny_photos.save(tmp_path / name)
    loaded = (keras.models.load_model(tmp_path / name)
              if name.endswith(".keras") else tdc.load(tmp_path / name))
    for part in (lambda c: c.vae.grey_encoder, lambda c: c.mdn.head):
        assert part(loaded).get_config() == part(tiny_photos).get_config()
    assert loaded.luminance_size == 64
    for key, value in tiny_photos.sample(pictures["luminance"], 3).items():
        np.testing.assert_allclose(
            loaded.sample(pictures["luminance"], 3)[key], value, rtol=1e-4,
            atol=1e-4)
    assert ([weight.path for weight in loaded.trainable_variables]
            == [weight.path for weight in tiny_photos.trainable_variables])
