"""Losses against NumPy loops and closed forms."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings, strategies as st
from tensorflow_probability import distributions as tfd

from tfdivcolor.latent import distributions
from tfdivcolor.models import losses
from tfdivcolor.models.losses import LossWeights


def fields(seed=0, count=3, side=6):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(count, side, side, 2)).astype(np.float32)
            for _ in range(2)]


def test_l2_is_the_sum_over_pixels_and_channels():
    ab, ab_hat = fields()
    expected = [sum((ab[b, y, x, c] - ab_hat[b, y, x, c]) ** 2
                    for y in range(6) for x in range(6) for c in range(2))
                for b in range(3)]
    np.testing.assert_allclose(losses.l2(ab, ab_hat), expected, rtol=1e-5)


def test_l1_is_the_sum_over_pixels_and_channels():
    ab, ab_hat = fields()
    expected = [sum(abs(ab[b, y, x, c] - ab_hat[b, y, x, c])
                    for y in range(6) for x in range(6) for c in range(2))
                for b in range(3)]
    np.testing.assert_allclose(losses.l1(ab, ab_hat), expected, rtol=1e-5)


def test_energy_score_by_loop():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(2, 2, 3, 5)).astype(np.float32)
    truth = rng.normal(size=(2, 5)).astype(np.float32)
    weights = rng.dirichlet(np.ones(3), 2).astype(np.float32)
    distance = np.array([0.0, 2.0], np.float32)
    expected = np.zeros(2)
    for b in range(2):
        for k in range(3):
            for i in range(2):
                expected[b] += 0.5 * weights[b, k] * math.sqrt(
                    np.sum((draws[b, i, k] - truth[b]) ** 2) + distance[b])
            for m in range(3):
                expected[b] -= 0.5 * weights[b, k] * weights[b, m] * (
                    np.linalg.norm(draws[b, 0, k] - draws[b, 1, m]))
    np.testing.assert_allclose(
        losses.energy_score(draws, weights, truth, distance), expected,
        rtol=1e-3)


def test_energy_score_prefers_the_true_distribution():
    """Its mean over many truths is smallest for where they come from."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(20_000, 2)).astype(np.float32)
    noise = rng.normal(size=(20_000, 2, 1, 2)).astype(np.float32)
    one = np.ones((20_000, 1), np.float32)
    scores = {
        (loc, scale): float(tf.reduce_mean(losses.energy_score(
            loc + scale * noise, one, truth)))
        for loc in (0.0, 0.5) for scale in (0.4, 1.0, 2.0)}
    assert min(scores, key=scores.get) == (0.0, 1.0)


def test_gradient_compares_neighbours_differences():
    ab, ab_hat = fields()
    expected = np.zeros(3)
    for b in range(3):
        for y in range(6):
            for x in range(6):
                for c in range(2):
                    for dy, dx in ((1, 0), (0, 1)):
                        if y + dy < 6 and x + dx < 6:
                            true = ab[b, y + dy, x + dx, c] - ab[b, y, x, c]
                            got = (ab_hat[b, y + dy, x + dx, c]
                                   - ab_hat[b, y, x, c])
                            expected[b] += (true - got) ** 2
    np.testing.assert_allclose(
        losses.gradient(ab, ab_hat), expected, rtol=1e-5)


def test_gradient_ignores_a_constant_shift():
    ab, _ = fields()
    np.testing.assert_allclose(
        losses.gradient(ab, ab + 0.25), np.zeros(3), atol=1e-9)


def test_histogram_weighs_every_pixel():
    ab, ab_hat = fields()
    weights = np.random.default_rng(1).uniform(
        0.1, 3, (3, 6, 6)).astype(np.float32)
    expected = [sum(weights[b, y, x] * (ab[b, y, x, c] - ab_hat[b, y, x, c])
                    ** 2 for y in range(6) for x in range(6) for c in range(2))
                for b in range(3)]
    np.testing.assert_allclose(
        losses.histogram(ab, ab_hat, weights), expected, rtol=1e-5)


def test_mahalanobis_with_an_explicit_residual():
    ab, ab_hat = fields()
    rng = np.random.default_rng(2)
    components = np.linalg.qr(rng.normal(size=(72, 5)))[0].T.astype("float32")
    stddev = np.array([3, 2, 1.5, 1, 0.5], np.float32)
    expected = []
    for b in range(3):
        error = (ab[b] - ab_hat[b]).ravel()
        along = [float(error @ p) for p in components]
        rest = error - sum(a * p for a, p in zip(along, components))
        expected.append(sum((a / s) ** 2 for a, s in zip(along, stddev))
                        + rest @ rest / stddev[-1] ** 2)
    np.testing.assert_allclose(
        losses.mahalanobis(ab, ab_hat, components, stddev), expected,
        rtol=1e-4)


def test_mahalanobis_is_never_negative_where_components_explain_all():
    components = np.eye(72, dtype=np.float32)
    ab, ab_hat = fields()
    value = losses.mahalanobis(
        ab, ab_hat, components, np.full(72, 2.0, np.float32))
    np.testing.assert_allclose(value, losses.l2(ab, ab_hat) / 4, rtol=1e-5)


def test_kl_of_normals_in_closed_form():
    loc = np.array([[0.5, -1.0], [0.0, 2.0]], np.float32)
    scale = np.array([[0.3, 1.0], [2.0, 0.1]], np.float32)
    expected = [sum(0.5 * (s * s + m * m - 1) - math.log(s)
                    for m, s in zip(loc[b], scale[b])) for b in range(2)]
    value = losses.kl(distributions.posterior(loc, scale),
                      distributions.standard_normal(2))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


def mixture(seed=0, batch=3, k=4, d=5, scale=None):
    rng = np.random.default_rng(seed)
    scales = (np.full((batch, k, d), scale) if scale
              else rng.uniform(0.2, 2, (batch, k, d)))
    return {"mixture_logits": rng.normal(size=(batch, k)).astype("float32"),
            "locs": rng.normal(size=(batch, k, d)).astype("float32"),
            "scales": scales.astype("float32")}


def test_mdn_nll_by_loop():
    params = mixture()
    z = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    expected = []
    for b in range(3):
        logits = params["mixture_logits"][b].astype(float)
        weights = np.exp(logits) / np.exp(logits).sum()
        density = 0.0
        for k in range(4):
            term = weights[k]
            for d in range(5):
                s = params["scales"][b, k, d]
                u = (z[b, d] - params["locs"][b, k, d]) / s
                term *= math.exp(-u * u / 2) / (s * math.sqrt(2 * math.pi))
            density += term
        expected.append(-math.log(density))
    np.testing.assert_allclose(
        losses.mdn_nll(distributions.mixture(params), z), expected,
        rtol=1e-4)


def test_mdn_nearest_by_loop():
    params = mixture()
    z = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    expected = []
    for b in range(3):
        logits = params["mixture_logits"][b].astype(float)
        weights = np.exp(logits) / np.exp(logits).sum()
        squares = [((z[b] - loc) ** 2).sum() for loc in params["locs"][b]]
        m = int(np.argmin(squares))
        expected.append(-math.log(weights[m]) + squares[m] / 0.2)
    np.testing.assert_allclose(
        losses.mdn_nearest_loss(params, z), expected, rtol=1e-4)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_nearest_bounds_the_exact_loss(seed):
    # One of a sum's terms is at most the sum: up to the constants that the
    # paper leaves out, the bound is never below the exact loss.
    params = mixture(seed, scale=losses.MDN_VARIANCE ** 0.5)
    z = np.random.default_rng(seed).normal(size=(3, 5)).astype(np.float32)
    constant = 2.5 * math.log(2 * math.pi * losses.MDN_VARIANCE)
    bound = losses.mdn_nearest_loss(params, z) + constant
    nll = losses.mdn_nll(distributions.mixture(params), z)
    assert np.all(bound >= nll - 1e-3)


def test_a_pair_is_not_mixed_up_with_its_batch_mates():
    params = mixture()
    z = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    def nll(params, z):
        return losses.mdn_nll(distributions.mixture(params), z)

    for function in (nll, losses.mdn_nearest_loss):
        together = function(params, z)
        alone = [function({key: value[b:b + 1]
                           for key, value in params.items()}, z[b:b + 1])[0]
                 for b in range(3)]
        np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_kl_to_a_mixture_of_one_normal_averages_to_the_closed_form():
    params = {"mixture_logits": np.zeros((1, 1), np.float32),
              "locs": np.array([[[0.3, -0.2]]], np.float32),
              "scales": np.array([[[0.8, 1.1]]], np.float32)}
    loc = np.array([[0.0, 0.5]], np.float32)
    scale = np.array([[0.5, 0.4]], np.float32)
    q = distributions.posterior(loc, scale)
    z = q.sample(20_000, seed=(1, 2))[:, 0]  # [20000, 2]
    many = {key: np.repeat(value, len(z), axis=0)
            for key, value in params.items()}
    tiled = distributions.posterior(
        np.repeat(loc, len(z), 0), np.repeat(scale, len(z), 0))
    estimate = float(tf.reduce_mean(losses.kl_to_mixture(
        tiled, distributions.mixture(many), z)))
    exact = float(tfd.kl_divergence(
        tfd.MultivariateNormalDiag(loc[0], scale[0]),
        tfd.MultivariateNormalDiag(params["locs"][0, 0],
                                   params["scales"][0, 0])))
    assert estimate == pytest.approx(exact, rel=0.03)


def test_total_is_the_weighted_sum_and_paper_weights():
    paper = LossWeights.paper()
    assert (paper.l2, paper.histogram, paper.mahalanobis, paper.gradient,
            paper.kl) == (0.0, 1.0, 0.1, 1e-3, 0.32)
    assert paper.needs_statistics
    terms = {"histogram": tf.constant([1.0]), "kl": tf.constant([10.0])}
    np.testing.assert_allclose(paper.total(terms), [4.2], rtol=1e-6)
    assert not LossWeights(l2=1.0, kl=0.02).needs_statistics
