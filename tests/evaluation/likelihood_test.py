"""The likelihood of colour fields, against models where it is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings as hypothesis_settings, strategies as st
from scipy import stats
from tensorflow_probability import distributions as tfd

from tfdivcolor.evaluation import likelihood

CANVAS = 4
VALUES = CANVAS * CANVAS * 2
LATENT = 3
SIGMA = 0.05


class LinearGaussian:
    """C = offset(G) + A z + sigma e, z ~ N(m(G), diag(p)^2), ab / 128.

    The columns of A are orthogonal, so that the posterior is independent
    normals, as a ColorVAE's is.

    Args:
        shift, widen: float. How wrong the posterior is: its means are moved
            by `shift` and its scales multiplied by `widen`.
    """

    def __init__(self, shift=0.0, widen=1.0):
        rng = np.random.default_rng(0)
        basis = np.linalg.qr(rng.normal(size=[VALUES, LATENT]))[0]
        self.lengths = np.array([0.7, 0.4, 0.2])
        self.matrix = basis * self.lengths  # [VALUES, LATENT]
        self.offset = 0.1 * rng.normal(size=VALUES)
        self.direction = rng.normal(size=LATENT)
        self.prior_scale = np.array([0.5, 1.0, 1.5])
        self.shift, self.widen = shift, widen
        self.vae = SimpleNamespace(
            canvas=CANVAS, encode=self.encode, decode=self.decode)

    def means(self, luminance):
        """Offset [B, VALUES] and the prior's mean [B, LATENT], of G."""
        brightness = tf.reduce_mean(luminance, axis=[1, 2]) / 100  # [B, 1]
        return brightness * self.offset, brightness * self.direction

    def prior(self, luminance):
        return normal(self.means(luminance)[1], self.prior_scale)

    def encode(self, luminance, ab):
        offset, mean = self.means(luminance)
        precision = self.prior_scale**-2 + (self.lengths / SIGMA)**2
        residual = tf.reshape(ab, [-1, VALUES]) / 128 - offset
        loc = (mean / self.prior_scale**2 + residual @ tf.constant(
            self.matrix / SIGMA**2, tf.float32)) / precision
        scale = precision**-0.5
        return normal(loc + self.shift * scale, scale * self.widen)

    def decode(self, z, luminance):
        offset, _ = self.means(luminance)
        matrix = tf.constant(self.matrix.T, tf.float32)
        field = tf.tensordot(z, matrix, 1) + offset[:, None]
        return tf.reshape(
            128 * field, [-1, z.shape[1], CANVAS, CANVAS, 2])

    def batch(self, count):
        """Pictures drawn from the model itself."""
        rng = np.random.default_rng(1)
        luminance = rng.uniform(0, 100, [count, CANVAS, CANVAS, 1])
        luminance = luminance.astype(np.float32)
        offset, mean = map(np.asarray, self.means(luminance))
        z = mean + self.prior_scale * rng.normal(size=[count, LATENT])
        field = (offset + z @ self.matrix.T
                 + SIGMA * rng.normal(size=[count, VALUES]))
        return {
            "luminance": luminance,
            "ab": (128 * field).reshape(
                [count, CANVAS, CANVAS, 2]).astype(np.float32),
            "seed": np.arange(count, dtype=np.int64)}

    def exact_nll(self, batch):
        """-log p(C | G) per value, in closed form, one picture at a time."""
        offset, mean = map(np.asarray, self.means(batch["luminance"]))
        covariance = (self.matrix * self.prior_scale**2) @ self.matrix.T
        covariance += SIGMA**2 * np.eye(VALUES)
        fields = batch["ab"].reshape([-1, VALUES]).astype(np.float64) / 128
        return np.array([
            -stats.multivariate_normal(
                offset[i] + self.matrix @ mean[i], covariance).logpdf(fields[i])
            for i in range(len(fields))]) / VALUES


def normal(loc, scale):
    return tfd.Independent(
        tfd.Normal(tf.cast(loc, tf.float32), tf.cast(scale, tf.float32)), 1)


def test_exact_with_the_exact_posterior_whatever_the_draws():
    model = LinearGaussian()
    batch = model.batch(40)
    expected = model.exact_nll(batch)
    for draws in (1, 5, 200):  # 200: more than are decoded at a time
        terms = likelihood.field_terms(model, batch, draws)
        assert terms["squared_error"].shape == (40, draws)
        np.testing.assert_allclose(
            likelihood.nll(**terms, dimensions=VALUES, sigma=SIGMA), expected,
            atol=1e-4)


def test_a_bound_that_more_draws_tighten():
    model = LinearGaussian(shift=0.7, widen=1.4)
    batch = model.batch(300)
    one, eight, many = (
        likelihood.nll(**likelihood.field_terms(model, batch, draws),
                       dimensions=VALUES, sigma=SIGMA).mean()
        for draws in (1, 8, 64))
    assert one > eight > many > model.exact_nll(batch).mean()


def test_sigma_is_recovered_and_the_measure_uses_the_other_half():
    model = LinearGaussian()
    batch = model.batch(1000)
    terms = likelihood.field_terms(model, batch, 8)
    sigma = likelihood.fit_sigma(**terms, dimensions=VALUES)
    assert sigma == pytest.approx(SIGMA, rel=0.03)

    values = likelihood.field_nll(**terms, dimensions=VALUES)
    assert values.mean() == pytest.approx(
        model.exact_nll(batch).mean(), abs=2e-3)
    even = {name: rows[::2] for name, rows in terms.items()}
    odd = {name: rows[1::2] for name, rows in terms.items()}
    for measured, fitted, position in ((even, odd, 0), (odd, even, 1)):
        np.testing.assert_allclose(values[position::2], likelihood.nll(
            **measured, dimensions=VALUES,
            sigma=likelihood.fit_sigma(**fitted, dimensions=VALUES)))


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 9),
       st.floats(0, 20), st.integers(1, 500))
def test_no_sigma_near_the_fitted_one_is_better(
        seed, pictures, draws, spread, dimensions):
    rng = np.random.default_rng(seed)
    squared_error = rng.chisquare(3, [pictures, draws]) + 1e-3
    log_ratio = spread * rng.normal(size=[pictures, draws])
    sigma = likelihood.fit_sigma(squared_error, log_ratio, dimensions)

    def mean_nll(sigma):
        return likelihood.nll(
            squared_error, log_ratio, dimensions, sigma).mean()

    first = np.sqrt(squared_error.mean() / dimensions)
    for other in (sigma * 0.999, sigma * 1.001, first):
        assert mean_nll(sigma) <= mean_nll(other) + 1e-9


def test_one_answer_is_scored_by_its_gaussian():
    rng = np.random.default_rng(0)
    errors = 0.07 * rng.normal(size=[9, VALUES])
    values = likelihood.gaussian_nll(np.square(errors).sum(axis=1), VALUES)
    for i, error in enumerate(errors):
        others = errors[(i + 1) % 2::2]
        sigma = np.sqrt(np.mean(others**2))
        assert values[i] == pytest.approx(
            -stats.norm(0, sigma).logpdf(error).mean())


def test_a_latent_that_is_ignored_scores_as_one_answer():
    """With q = p and a decoder deaf to z, the bound is the Gaussian."""
    answer = 12.0  # CIE units, everywhere
    model = LinearGaussian()
    model.vae.encode = lambda luminance, ab: model.prior(luminance)
    model.vae.decode = lambda z, luminance: answer + tf.zeros(
        [CANVAS, CANVAS, 2]) * z[..., :1, None, None]
    batch = model.batch(20)
    terms = likelihood.field_terms(model, batch)
    squared = np.square((batch["ab"] - answer) / 128).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(
        likelihood.field_nll(**terms, dimensions=VALUES),
        likelihood.gaussian_nll(squared, VALUES), rtol=1e-5)


def test_a_colorizers_terms_are_those_of_its_parts(tiny, batch):
    terms = likelihood.field_terms(tiny, batch, draws=6)
    posterior = tiny.vae.encode(batch["luminance"], batch["ab"])
    # Other draws of the same posterior have the same mean.
    z = posterior.sample(400, seed=1)
    fields = tiny.vae.decode(
        tf.transpose(z, [1, 0, 2]), batch["luminance"]).numpy()
    squared = np.square((fields - batch["ab"][:, None]) / 128).sum((2, 3, 4))
    ratio = (tiny.prior(batch["luminance"]).log_prob(z)
             - posterior.log_prob(z)).numpy().T
    for found, many in ((terms["squared_error"], squared),
                        (terms["log_ratio"], ratio)):
        assert found.shape == (5, 6) and found.dtype == np.float64
        error = many.std(axis=1) / np.sqrt(6) + 1e-6 * np.abs(many).mean()
        assert np.all(np.abs(found.mean(1) - many.mean(1)) < 5 * error)
    assert np.ptp(terms["squared_error"], axis=1).min() > 0


def test_batch_mates_do_not_matter(tiny, batch):
    together = likelihood.field_terms(tiny, batch, draws=50)
    for i in (3, 0):
        alone = likelihood.field_terms(
            tiny, {name: rows[i:i + 1] for name, rows in batch.items()},
            draws=50)
        for name in together:
            np.testing.assert_allclose(
                alone[name][0], together[name][i], rtol=1e-3, atol=1e-3)


def test_wrong_input(tiny, batch):
    with pytest.raises(ValueError, match="draws must be 1 .*received 0"):
        likelihood.field_terms(tiny, batch, draws=0)
    with pytest.raises(ValueError, match="ab must have shape"):
        likelihood.field_terms(tiny, {**batch, "ab": batch["luminance"]})
    with pytest.raises(ValueError, match=r"received \(3, 2\) and \(3, 1\)"):
        likelihood.field_nll(np.ones([3, 2]), np.ones([3, 1]), 8)
    with pytest.raises(ValueError, match="2 pictures or more.*received 1"):
        likelihood.gaussian_nll([1.0], 8)
    with pytest.raises(ValueError, match="squared_error must be above 0"):
        likelihood.gaussian_nll(np.zeros(4), 8)
