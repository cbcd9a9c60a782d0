"""Training and evaluation take the mixture's density from TFP."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from tfdivcolor import evaluation
from tfdivcolor.data import PhotoSet
from tfdivcolor.latent import plain_tensorflow


@pytest.fixture
def altered(monkeypatch):
    """TFP's mixture says 100 nats more; the plain density cannot be called."""
    log_prob = tfd.MixtureSameFamily.log_prob

    def more(self, value, *args, **kwargs):
        return log_prob(self, value, *args, **kwargs) + 100.0

    def forbidden(*_):
        raise AssertionError("training must not use the plain density")

    def alter():
        monkeypatch.setattr(tfd.MixtureSameFamily, "log_prob", more)
        for name in ("log_prob", "component_log_prob"):
            monkeypatch.setattr(plain_tensorflow, name, forbidden)

    return alter


def _terms(model, batch):
    return {name: np.asarray(value) for name, value in model.loss_terms(
        batch, model(batch, training=False)).items()}


def test_the_mixture_s_own_loss(tiny, batch, altered):
    posteriors = tiny.posteriors(batch)
    before = _terms(tiny.mdn, posteriors)
    altered()
    after = _terms(tiny.mdn, posteriors)
    np.testing.assert_allclose(
        after["mdn_nll"], before["mdn_nll"] - 100, rtol=1e-5)


def test_the_kl_of_the_joint_stage(tiny, batch, altered):
    before = _terms(tiny, batch)
    altered()
    after = _terms(tiny, batch)
    np.testing.assert_allclose(after["kl"], before["kl"] - 100, rtol=1e-4)


@pytest.mark.slow
def test_fit(make_tiny, batch, altered):
    def loss(model):
        data = tf.data.Dataset.from_tensors(batch)
        history = model.fit(data, stage="joint", epochs=1, verbose=0)
        return history.history["kl"][0]

    before = loss(make_tiny())
    altered()
    assert loss(make_tiny()) == pytest.approx(before - 100, rel=1e-4)


def test_the_nll_of_the_evaluation(tiny, batch, altered):
    lab = np.concatenate([batch["luminance"], batch["ab"]], axis=-1)
    photos = PhotoSet(lab.astype(np.float16), list("abcde"), [], 32)
    before = evaluation.measure_autoencoder(tiny, photos, subset=2)["nll"]
    altered()
    after = evaluation.measure_autoencoder(tiny, photos, subset=2)["nll"]
    np.testing.assert_allclose(
        after * tiny.latent_dim, before * tiny.latent_dim - 100, rtol=1e-4)
