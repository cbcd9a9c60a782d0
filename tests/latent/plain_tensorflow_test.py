"""The plain density equals TFP's at the shipped size, on shipped weights."""

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

import tfdivcolor as tdc
from tfdivcolor.color import canvas
from tfdivcolor.latent import distributions, plain_tensorflow


@pytest.fixture(scope="module", params=["lfw", "flowers"])
def shipped(request):
    """Mixtures that shipped weights predict, and latents: near and far."""
    colorizer = tdc.load(request.param)
    luminance = tf.stack([
        canvas.on_canvas(canvas.luminance_of(pixels), colorizer.canvas)
        for pixels in (skimage.data.astronaut(), skimage.data.chelsea(),
                       skimage.data.coffee())])
    params = colorizer.mdn(luminance)
    assert params["factors"].shape[1:] == (8, 64, 6)
    seed = tf.constant([1, 2, 3], tf.int64)
    draws = [plain_tensorflow.draw(params, seed, 4, tf.constant(temperature))
             for temperature in (0.0, 0.5, 1.0, 2.0)]
    return params, tf.concat(draws, axis=1)  # [3, 16, 64]


def _tfp(params, z):
    return tf.transpose(distributions.mixture(params).log_prob(
        tf.transpose(z, [1, 0, 2])))


def test_values_are_equal(shipped):
    params, z = shipped
    np.testing.assert_allclose(
        plain_tensorflow.log_prob(params, z), _tfp(params, z), rtol=1e-5,
        atol=1e-3)


def test_gradients_are_equal(shipped):
    params, z = shipped

    def gradients(function):
        with tf.GradientTape() as tape:
            sources = {**params, "z": z}
            tape.watch(sources)
            total = tf.reduce_sum(function(
                {name: sources[name] for name in params}, sources["z"]))
        return tape.gradient(total, sources)

    plain, tfp = gradients(plain_tensorflow.log_prob), gradients(_tfp)
    for name, expected in tfp.items():
        largest = np.abs(expected).max()
        assert largest > 0
        np.testing.assert_allclose(
            plain[name], expected, atol=1e-4 * largest, err_msg=name)
