"""The published networks."""

import numpy as np
import pytest
import tensorflow as tf
from tiny import random_batch

from tfdivcolor import presets
from tfdivcolor.models.grey_features import BackboneFeatures, GreyFeatures
from tfdivcolor.models.losses import LossWeights
from tfdivcolor.models.paper import (
    PaperDecoder,
    PaperGreyEncoder,
    PaperMixtureHead,
    PaperPosterior,
)
from tfdivcolor.models.vae import ColorVAE
from tfdivcolor.settings import Hint

SMALL = {"canvas": 32, "latent_dim": 6}


def small_skip_vae():
    return ColorVAE(
        PaperGreyEncoder(**SMALL, widths=(8, 12, 16)),
        PaperPosterior(**SMALL, widths=(8, 12, 16, 20)),
        PaperDecoder(**SMALL, widths=(20, 16, 12, 8), skip=True),
        LossWeights(l2=1.0, kl=0.1))


def count(variables):
    return sum(int(np.prod(v.shape)) for v in variables)


def test_published_layers_and_parameter_counts():
    vae = presets.build_vae("paper_skip")
    conv, norm = (lambda k, i, o: k * k * i * o), (lambda c: 2 * c)
    encoder = (conv(5, 2, 128) + conv(5, 128, 256) + conv(5, 256, 512)
               + conv(4, 512, 1024) + norm(128 + 256 + 512 + 1024)
               + 4 * 4 * 1024 * 128 + 128)
    grey = (conv(5, 1, 128) + conv(5, 128, 256) + conv(5, 256, 512)
            + norm(128 + 256 + 512) + conv(4, 512, 64) + 64)
    decoder = (conv(4, 64, 1024) + conv(5, 1024 + 512, 512)
               + conv(5, 512 + 256, 256) + conv(5, 256 + 128, 128)
               + norm(1024 + 512 + 256 + 128) + conv(5, 128, 2) + 2)
    assert count(vae.posterior.trainable_variables) == encoder
    assert count(vae.grey_encoder.trainable_variables) == grey
    assert count(vae.decoder.trainable_variables) == decoder
    assert count(vae.trainable_variables) == 46_081_090


def test_the_skip_decoder_shares_the_grey_part():
    vae = small_skip_vae()
    batch = random_batch(2, 32)
    z = tf.random.stateless_normal([2, 5, 6], [1, 2])
    together = vae.decode(z, batch["luminance"])
    assert together.shape == (2, 5, 32, 32, 2)
    for s in range(5):
        # One at a time, every sample has its own grey computation.
        np.testing.assert_allclose(
            together[:, s], vae.decode(z[:, s:s + 1], batch["luminance"])[:, 0],
            atol=1e-3)


def test_without_skips_the_picture_does_not_matter():
    vae = presets.build_vae("paper", canvas=16, latent_dim=4)
    z = tf.random.stateless_normal([2, 1, 4], [1, 2])
    batch = random_batch(2, 16)
    np.testing.assert_array_equal(
        vae.decode(z, batch["luminance"]),
        vae.decode(z, 100 - batch["luminance"]))


def test_tanh_keeps_fields_within_range():
    vae = small_skip_vae()
    z = 1e3 * tf.random.stateless_normal([2, 1, 6], [1, 2])
    field = vae.decode(z, random_batch(2, 32)["luminance"])
    assert np.abs(field).max() <= 128


def test_mixture_head_with_fixed_and_learned_scales():
    features = tf.random.stateless_normal([3, 8, 8, 5], [1, 2])
    for scale in (0.1 ** 0.5, None):
        head = PaperMixtureHead((8, 8, 5), num_components=3, latent_dim=6,
                                scale=scale, widths=(4,) * 5, hidden=16)
        params = head(features)
        assert params["locs"].shape == params["scales"].shape == (3, 3, 6)
        varies = np.ptp(params["scales"]) > 0
        assert varies == (scale is None)
        if scale:
            np.testing.assert_allclose(params["scales"] ** 2, 0.1, rtol=1e-5)


def test_own_features_and_a_backbone():
    luminance = tf.random.stateless_uniform([2, 32, 32, 1], [1, 2]) * 2 - 1
    own = GreyFeatures(canvas=32, widths=(4, 6, 8, 10))
    assert own(luminance).shape == (2, 8, 8, 10) == (2, *own.feature_shape)
    backbone = BackboneFeatures("VGG16", weights=None, layer="block2_conv1",
                                size=32)
    assert backbone(luminance).shape == (2, 16, 16, 128)
    assert not backbone.trainable_variables
    again = BackboneFeatures.from_config(backbone.get_config())
    assert again.feature_shape == backbone.feature_shape


def test_vgg16_is_cut_where_the_paper_cut():
    assert BackboneFeatures("VGG16").feature_shape == (28, 28, 512)


def test_backbone_sees_grey_as_its_own_preprocessing_expects():
    seen = []

    class Spy(BackboneFeatures):
        def _spy(self, x):
            seen.append(x)
            return x

    backbone = Spy("VGG16", layer="block1_conv1", size=32)
    preprocess = backbone._preprocess
    backbone._preprocess = lambda x: backbone._spy(preprocess(x))
    backbone(tf.ones([1, 32, 32, 1]))  # white
    # VGG16's: BGR minus ImageNet's means.
    np.testing.assert_allclose(
        seen[0][0, 0, 0], [255 - 103.939, 255 - 116.779, 255 - 123.68],
        rtol=1e-5)


@pytest.mark.parametrize("name, steering", [
    ("paper", {}), pytest.param(
        "paper_skip", {"hints": [Hint(3, 4, (200, 60, 40))]},
        marks=pytest.mark.slow)])
def test_published_presets_colour_a_photograph(name, steering):
    """From 0.6 to 0.8 they did not: the decoder lacked an attribute."""
    colorizer = presets.build(name, canvas=16, latent_dim=4)
    pixels = np.random.default_rng(0).integers(
        0, 255, [40, 50, 3]).astype(np.uint8)
    result = colorizer.colorize(pixels, num_samples=3, **steering)
    assert result.images.shape == (3, 40, 50, 3)
    assert np.ptp(result.ab) > 0


def test_preset_with_a_backbone_and_learned_scales():
    colorizer = presets.build(
        "paper", canvas=16, latent_dim=4, backbone="VGG16",
        backbone_layer="block5_pool", scale=None, mdn_loss="nll")
    params = colorizer.mdn(random_batch(2, 16)["luminance"])
    assert params["scales"].shape == (2, 8, 4)
    assert np.ptp(params["scales"]) > 0
    again = type(colorizer).from_config(colorizer.get_config())
    assert again.mdn.mdn_loss == "nll"


@pytest.mark.parametrize("arguments, message", [
    ({"backbone": "VGG17"}, "received 'VGG17'"),
    ({"backbone": "VGG16", "layer": "nowhere"}, "received 'nowhere'"),
])
def test_unknown_backbone_or_layer(arguments, message):
    with pytest.raises(ValueError, match=message):
        BackboneFeatures(**arguments)
