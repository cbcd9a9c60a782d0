"""Densities and draws against TensorFlow Probability and closed forms."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings, strategies as st
from scipy import stats

from tfdivcolor.latent import distributions, plain_tensorflow


def mixture(seed, batch, k, d, rank):
    rng = np.random.default_rng(seed)
    params = {"mixture_logits": rng.normal(size=(batch, k)),
              "locs": rng.normal(size=(batch, k, d)),
              "scales": rng.uniform(0.1, 2, (batch, k, d))}
    if rank:
        params["factors"] = rng.normal(size=(batch, k, d, rank))
    return {name: tf.constant(value, tf.float32)
            for name, value in params.items()}


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4),
       st.integers(2, 6), st.integers(0, 3), st.integers(1, 3))
def test_log_prob_equals_tfp(seed, batch, k, d, rank, samples):
    params = mixture(seed, batch, k, d, rank)
    z = tf.constant(np.random.default_rng(seed + 1).normal(
        size=(batch, samples, d)), tf.float32)
    expected = tf.transpose(
        distributions.mixture(params).log_prob(tf.transpose(z, [1, 0, 2])))
    np.testing.assert_allclose(
        plain_tensorflow.log_prob(params, z), expected, rtol=2e-4, atol=2e-4)


def test_log_prob_against_scipy_with_a_dense_covariance():
    params = mixture(0, 1, 2, 4, 2)
    z = np.random.default_rng(1).normal(size=(1, 3, 4)).astype(np.float32)
    logits = params["mixture_logits"].numpy()[0]
    weights = np.exp(logits) / np.exp(logits).sum()
    density = np.zeros(3)
    for k in range(2):
        factors = params["factors"].numpy()[0, k]
        covariance = (np.diag(params["scales"].numpy()[0, k] ** 2)
                      + factors @ factors.T)
        density += weights[k] * stats.multivariate_normal(
            params["locs"].numpy()[0, k], covariance).pdf(z[0])
    np.testing.assert_allclose(
        plain_tensorflow.log_prob(params, z)[0], np.log(density), rtol=1e-4)


def test_mixture_is_tfps_with_shapes():
    for rank in (0, 2):
        made = distributions.mixture(mixture(0, 3, 4, 5, rank))
        assert type(made).__name__ == "MixtureSameFamily"
        assert made.batch_shape == (3,) and made.event_shape == (5,)


def test_draws_have_the_mixture_s_moments():
    params = mixture(3, 1, 3, 2, 1)
    drawn = plain_tensorflow.draw(
        params, tf.constant([11], tf.int64), 40_000, tf.constant(1.0))[0]
    made = distributions.mixture(params)
    np.testing.assert_allclose(
        np.mean(drawn, axis=0), made.mean()[0], atol=0.03)
    np.testing.assert_allclose(
        np.cov(drawn.numpy().T), made.covariance()[0], atol=0.08)


def test_component_frequencies_follow_the_logits():
    params = mixture(0, 1, 3, 2, 0)
    params["locs"] = tf.constant([[[-50.0, 0], [0, 0], [50, 0]]])
    drawn = plain_tensorflow.draw(
        params, tf.constant([3], tf.int64), 20_000, tf.constant(1.0))[0, :, 0]
    found = np.bincount(np.digitize(drawn, [-25, 25]), minlength=3) / 20_000
    np.testing.assert_allclose(
        found, tf.nn.softmax(params["mixture_logits"])[0], atol=0.015)


def test_temperature_scales_both_parts_and_zero_gives_means():
    params = mixture(0, 2, 3, 4, 2)
    seed = tf.constant([1, 2], tf.int64)
    cold, warm, hot = (
        plain_tensorflow.draw(params, seed, 6, tf.constant(t))
        for t in (0.0, 1.0, 2.0))
    np.testing.assert_allclose(hot - cold, 2 * (warm - cold), atol=1e-5)
    distance = np.abs(cold[:, :, None] - params["locs"][:, None]).max(-1)
    assert np.all(distance.min(-1) == 0)


def test_temperature_may_differ_by_picture():
    params = mixture(0, 2, 3, 4, 2)
    seed = tf.constant([1, 2], tf.int64)
    both = plain_tensorflow.draw(params, seed, 6, tf.constant([0.5, 1.0]))
    np.testing.assert_array_equal(
        both[1], plain_tensorflow.draw(params, seed, 6, tf.constant(1.0))[1])


def test_draws_are_prefix_stable_and_alone_in_their_row():
    params = mixture(0, 3, 3, 4, 2)
    seed = tf.constant([1, 2, 1], tf.int64)
    eight = plain_tensorflow.draw(params, seed, 8, tf.constant(1.0))
    five = plain_tensorflow.draw(params, seed, 5, tf.constant(1.0))
    np.testing.assert_allclose(eight[:, :5], five, atol=1e-6)
    alone = plain_tensorflow.draw(
        {name: value[1:2] for name, value in params.items()}, seed[1:2], 8,
        tf.constant(1.0))
    np.testing.assert_allclose(eight[1:2], alone, atol=1e-6)


def test_diagonal_roots_draw_what_scales_draw():
    params = mixture(0, 2, 3, 4, 2)
    seed = tf.constant([1, 2], tf.int64)
    rooted = {**params, "roots": tf.linalg.diag(params["scales"])}
    del rooted["scales"]
    scaled, full = (plain_tensorflow.draw(p, seed, 6, tf.constant(0.7))
                    for p in (params, rooted))
    np.testing.assert_allclose(scaled, full, atol=1e-5)


def test_draws_with_roots_have_their_covariance():
    params = mixture(5, 1, 1, 3, 1)
    root = np.random.default_rng(6).normal(size=(3, 3))
    params["roots"] = tf.constant(root[None, None], tf.float32)
    del params["scales"]
    drawn = plain_tensorflow.draw(
        params, tf.constant([4], tf.int64), 40_000, tf.constant(1.0))[0]
    factors = params["factors"][0, 0].numpy()
    np.testing.assert_allclose(
        np.cov(drawn.numpy().T), root @ root.T + factors @ factors.T,
        atol=0.12)


@pytest.mark.parametrize("scale", [None, 0.3])
def test_unpack_order(scale):
    k, d = 2, 3
    packed = tf.range(k * (1 + 2 * d), dtype=tf.float32)[None]
    if scale:
        packed = packed[:, :k * (1 + d)]
    params = distributions.unpack(packed, k, d, scale)
    np.testing.assert_array_equal(params["mixture_logits"], [[0, 1]])
    np.testing.assert_array_equal(
        params["locs"], [[[2, 3, 4], [5, 6, 7]]])
    expected = scale or 0.02 + np.log1p(np.exp(
        [[[8, 9, 10], [11, 12, 13]]]))
    np.testing.assert_allclose(
        params["scales"], np.broadcast_to(expected, (1, k, d)), rtol=1e-6)


def test_component_draws_have_the_components_moments():
    rng = np.random.default_rng(0)
    params = {"locs": rng.normal(size=(1, 2, 3)).astype(np.float32),
              "scales": rng.uniform(0.5, 1, (1, 2, 3)).astype(np.float32),
              "factors": rng.normal(size=(1, 2, 3, 2)).astype(np.float32)}
    params = {name: tf.constant(value) for name, value in params.items()}
    noise = rng.normal(size=(1, 40_000, 2, 5)).astype(np.float32)
    draws = distributions.component_draws(params, noise).numpy()[0]
    for k in range(2):
        factors = params["factors"][0, k].numpy()
        covariance = (np.diag(params["scales"][0, k].numpy() ** 2)
                      + factors @ factors.T)
        np.testing.assert_allclose(
            draws[:, k].mean(axis=0), params["locs"][0, k], atol=0.05)
        np.testing.assert_allclose(
            np.cov(draws[:, k].T), covariance, atol=0.15)
