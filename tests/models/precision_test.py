"""Keras' mixed precision: who trains on a card sets it for the whole program.

Convolutions and dense layers compute in it; palettes, densities and losses
stay in float32, and so does what is loaded.
"""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from paper_test import small_skip_vae
from tiny import TINY_REGIONS, random_batch
from tiny_baselines import NAMES, build

import tfdivcolor as tdc
from tfdivcolor import Colorizer, LatentMDN, presets
from tfdivcolor.models.grey_features import BackboneFeatures
from tfdivcolor.models.paper import PaperMixtureHead


def paper_skip():
    vae = small_skip_vae()
    features = BackboneFeatures("VGG16", layer="block2_pool", size=32)
    head = PaperMixtureHead(
        features.feature_shape, latent_dim=vae.latent_dim, widths=(4,) * 5,
        hidden=16)
    return Colorizer(vae, LatentMDN(features, head, vae.canvas),
                     stages=("vae", "mdn"))


MODELS = {"regions": lambda: presets.build("regions", **TINY_REGIONS),
          "paper_skip": paper_skip,
          **{name: functools.partial(build, name) for name in NAMES}}


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request):
    """The policy's name, set for the test."""
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def made(name, policy):
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(0)
    return MODELS[name]()


def convolutions(model):
    return [layer for layer in model._flatten_layers()
            if isinstance(layer, keras.layers.Conv2D)]


def dtypes(outputs):
    return {value.dtype.name for value in keras.tree.flatten(outputs)}


@pytest.mark.parametrize("name", MODELS)
def test_networks_compute_in_it_and_all_else_in_float32(name, policy, batch):
    exact, mixed = made(name, "float32"), made(name, policy)
    assert policy.removeprefix("mixed_") in {
        layer.compute_dtype for layer in convolutions(mixed)}
    assert {v.dtype for v in mixed.trainable_variables} == {"float32"}
    parts = [model.vae if isinstance(model, Colorizer) else model
             for model in (exact, mixed)]
    found = []
    for part in parts:
        outputs = part(batch, training=True)
        assert dtypes(outputs) == {"float32"}
        terms = part.loss_terms(batch, outputs)
        assert dtypes(terms) == {"float32"}
        found.append(tf.reduce_mean(terms["loss"]).numpy())
    # Not the same bytes, or it would not compute in it; but the same number.
    assert found[0] != found[1]
    np.testing.assert_allclose(found[1], found[0], rtol=0.05)


@pytest.mark.slow  # half a minute each, for the tracing
@pytest.mark.parametrize("name", ["regions", "paper_skip"])
def test_a_colorizer_trains_and_samples_in_it_and_loads_in_float32(
        name, policy, tmp_path):
    colorizer = made(name, policy)
    # Two pictures again and again: what training must at least learn.
    pictures = random_batch(2, 32)
    luminance = pictures["luminance"]
    data = tf.data.Dataset.from_tensors(pictures).repeat(20)
    for stage in colorizer.stages:
        with colorizer.training_stage(stage) as (model, adapt):
            model.compile(keras.optimizers.Adam(3e-3))
            history = model.fit(
                adapt(data).repeat(), epochs=3, steps_per_epoch=20, verbose=0)
        losses = history.history["loss"]
        assert np.all(np.isfinite(losses)) and losses[-1] < 0.9 * losses[0]
    fields = colorizer.sample(luminance, 3, seed=1)
    assert dtypes(dict(fields)) <= {"float32", "int32"}
    colorizer.save(tmp_path / "weights")
    loaded = tdc.load(tmp_path / "weights")
    assert {layer.compute_dtype for layer in convolutions(loaded)} == {
        "float32"}
    keras.config.set_dtype_policy("float32")
    expected = made(name, "float32")
    expected.load_weights(tmp_path / "weights" / "model.weights.h5")
    np.testing.assert_array_equal(
        loaded.sample(luminance, 3, seed=1)["ab"],
        expected.sample(luminance, 3, seed=1)["ab"])
