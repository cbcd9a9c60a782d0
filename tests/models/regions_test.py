"""The `regions` networks."""

import numpy as np
import pytest
import tensorflow as tf
from tiny import TINY_LATENT

from tfdivcolor import color
from tfdivcolor.models.regions import (
    PALETTE_SCALE,
    GreyNetwork,
    RegionMixtureHead,
)


@pytest.fixture(scope="module")
def grey(tiny, batch):
    return tiny.vae.grey_encoder(color.normalize_luminance(
        batch["luminance"]))


def test_grey_shapes_and_assignment(grey):
    assert grey["assignment"].shape == (5, 32 * 32, 8)
    assert grey["tokens"].shape == (5, 8, 8 + 4)
    assert grey["bottleneck"].shape == (5, 2, 2, 24)
    np.testing.assert_allclose(
        tf.reduce_sum(grey["assignment"], -1), 1.0, rtol=1e-5)


def test_tokens_are_region_averages(grey, batch):
    a = grey["assignment"].numpy()[0]  # [1024, 8]
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    area = a.sum(0)
    for column, plane in ((-4, batch["luminance"][0, ..., 0] / 50 - 1),
                          (-3, x), (-2, y)):
        expected = plane.reshape(-1) @ a / (area + 1)
        np.testing.assert_allclose(
            grey["tokens"][0, :, column], expected, rtol=1e-3, atol=1e-4)


def test_posterior_is_the_ridge_least_squares_palette(tiny, grey, batch):
    field = color.normalize_ab(batch["ab"])
    loc, scale = tiny.vae.posterior(field, grey)
    a = grey["assignment"].numpy()[2].astype(np.float64)
    c = np.reshape(field[2], [-1, 2])
    palette = np.linalg.lstsq(
        np.vstack([a, np.eye(8)]), np.vstack([c, np.zeros((8, 2))]),
        rcond=None)[0]
    np.testing.assert_allclose(
        loc[2], PALETTE_SCALE * palette.ravel(), rtol=1e-3, atol=1e-3)
    assert scale.shape == (5, TINY_LATENT) and np.all(scale > 0)


def test_decoder_paints_each_region_with_its_colour(tiny, grey):
    # Untrained, the refinement is zero and the field is A @ palette.
    z = tf.random.stateless_normal([5, 3, TINY_LATENT], [1, 2])
    field = tiny.vae.decoder(z, grey).numpy()
    a = grey["assignment"].numpy()
    for b, s in ((0, 0), (4, 2)):
        palette = z[b, s].numpy().reshape(8, 2) / PALETTE_SCALE
        np.testing.assert_allclose(
            field[b, s].reshape(-1, 2), a[b] @ palette, atol=1e-5)


def test_slope_is_what_a_step_in_z_does(tiny, grey):
    # Untrained, the refinement is zero and the field is linear.
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(32 * 32), 3).astype(np.float32)
    z = tf.zeros([5, 1, TINY_LATENT])
    steps = tf.eye(TINY_LATENT, batch_shape=[5])
    moved = tiny.vae.decoder(steps, grey) - tiny.vae.decoder(z, grey)
    expected = np.einsum("np,bdpc->bncd", weights, np.reshape(
        moved, [5, TINY_LATENT, -1, 2]))
    np.testing.assert_allclose(
        tiny.vae.decoder.slope(grey, weights), expected, atol=1e-6)


def test_many_samples_equal_one_at_a_time(make_tiny, batch):
    colorizer = make_tiny()
    decoder = colorizer.vae.decoder
    for variable in decoder.correction.trainable_variables:
        variable.assign(tf.random.stateless_normal(variable.shape, [3, 4]))
    grey = colorizer.vae.grey_encoder(
        color.normalize_luminance(batch["luminance"]))
    z = tf.random.stateless_normal([5, 4, TINY_LATENT], [1, 2])
    together = decoder(z, grey)
    for s in range(4):
        np.testing.assert_allclose(
            together[:, s], decoder(z[:, s:s + 1], grey)[:, 0], atol=1e-5)


def test_refinement_equals_one_convolution_over_both(make_tiny, batch):
    decoder = make_tiny().vae.decoder
    grey = {"assignment": tf.nn.softmax(tf.random.stateless_normal(
        [2, 1024, 8], [0, 1])),
        "features": tf.random.stateless_normal([2, 32, 32, 8], [0, 2])}
    for variable in decoder.correction.trainable_variables:
        variable.assign(tf.random.stateless_normal(variable.shape, [3, 4]))
    z = tf.random.stateless_normal([2, 1, TINY_LATENT], [1, 2])
    painted = tf.reshape(tf.matmul(
        grey["assignment"],
        tf.reshape(z, [2, 8, 2]) / PALETTE_SCALE), [2, 32, 32, 2])
    kernel = tf.concat([decoder.from_field.kernel,
                        decoder.from_features.kernel], axis=2)
    hidden = tf.nn.silu(tf.nn.conv2d(
        tf.concat([painted, grey["features"]], -1), kernel, 1, "SAME")
        + decoder.from_field.bias)
    expected = painted + decoder.correction(hidden)
    np.testing.assert_allclose(
        decoder(z, grey)[:, 0], expected, atol=1e-4)


def test_sensitivity_is_the_field_s_change(tiny, grey):
    decoder = tiny.vae.decoder
    base = decoder(tf.zeros([5, 1, TINY_LATENT]), grey)
    for d in (0, 7):
        step = decoder(tf.one_hot([[d]] * 5, TINY_LATENT), grey)
        # Of both channels' mean square one is zero: hence the 2.
        change = np.sqrt(2 * np.mean(
            np.square(step - base), axis=(1, 2, 3, 4)))
        np.testing.assert_allclose(
            decoder.sensitivity(grey)[:, d], change, rtol=1e-3)


def test_no_factors_at_rank_zero(grey):
    head = RegionMixtureHead(8, 12, (2, 2, 24), num_components=3, rank=0)
    params = head(grey)
    assert "factors" not in params
    assert params["locs"].shape == (5, 3, TINY_LATENT)


def test_canvas_must_fit_the_strides():
    with pytest.raises(ValueError, match="multiple of 16.*received 40"):
        GreyNetwork(canvas=40)


def test_coordinates_have_the_distances_of_paintings(tiny, grey, batch):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5, 3, TINY_LATENT)).astype(np.float32)
    field = color.normalize_ab(batch["ab"])
    draws, truth, distance = tiny.vae.decoder.coordinates(z, field, grey)
    a = grey["assignment"].numpy()
    painted = np.einsum("bpm,bsmc->bspc", a, z.reshape(5, 3, 8, 2)
                        ) / PALETTE_SCALE
    np.testing.assert_allclose(
        np.linalg.norm(draws[:, 0] - draws[:, 1], axis=-1),
        np.linalg.norm(painted[:, 0] - painted[:, 1], axis=(1, 2)),
        rtol=1e-2)
    # The truth lies beside what can be painted, at `distance` squared.
    flat = np.reshape(field, [5, 1, -1, 2])
    np.testing.assert_allclose(
        np.sum(np.square(draws - truth[:, None]), -1) + distance[:, None],
        np.sum(np.square(painted - flat), axis=(2, 3)), rtol=2e-2)


def test_depth_adds_blocks_that_change_nothing_at_first(batch):
    luminance = color.normalize_luminance(batch["luminance"])
    shallow, deep = (GreyNetwork(32, 8, (8, 12, 16, 24), 8, depth=depth)
                     for depth in (0, 1))
    places = {weight.path: weight for weight in deep.weights}
    for weight in shallow.weights:
        places[weight.path].assign(weight)
    np.testing.assert_allclose(
        deep(luminance)["features"], shallow(luminance)["features"],
        atol=1e-6)
    assert len(deep.weights) > len(shallow.weights)
