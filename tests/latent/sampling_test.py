"""The three modes of choosing latents."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings, strategies as st

from tfdivcolor.latent import clustering, plain_tensorflow, sampling
from tfdivcolor.settings import MODES


def mixture(seed=0, batch=2, k=4, d=6, spread=1.0):
    rng = np.random.default_rng(seed)
    return {"mixture_logits": tf.constant(rng.normal(size=(batch, k)),
                                          tf.float32),
            "locs": tf.constant(spread * rng.normal(size=(batch, k, d)),
                                tf.float32),
            "scales": tf.fill([batch, k, d], 0.5)}


def choose(params, num_samples, mode, temperature=0.5, seed=0,
           sensitivity=None):
    batch, _, d = params["locs"].shape
    if sensitivity is None:
        sensitivity = tf.ones([1, d])
    return sampling.latents(
        params, sensitivity, tf.fill([batch], tf.constant(seed, tf.int64)),
        tf.constant(num_samples), tf.constant(temperature), mode)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 12),
       st.sampled_from(["diverse", "samples"]),
       st.sampled_from([0.0, 0.5, 1.0, 3.0]))
def test_sorted_finite_and_complete(seed, num_samples, mode, temperature):
    found = choose(mixture(seed), num_samples, mode, temperature, seed)
    assert found["z"].shape == (2, num_samples, 6)
    assert np.all(np.isfinite(found["z"]))
    if mode == "samples":
        assert np.all(np.diff(found["log_prob"], axis=1) <= 0)
    np.testing.assert_allclose(
        tf.reduce_sum(found["share"], 1), 1.0, rtol=1e-5)
    weights = tf.nn.softmax(mixture(seed)["mixture_logits"])
    np.testing.assert_array_equal(
        found["weight"],
        tf.gather(weights, found["component"], batch_dims=1))


def test_components_are_the_means_heaviest_first():
    params = mixture()
    found = choose(params, 4, "components")
    assert np.all(np.diff(found["weight"], axis=1) <= 0)
    for b in range(2):
        order = np.argsort(-params["mixture_logits"][b].numpy())
        np.testing.assert_array_equal(found["component"][b], order)
        np.testing.assert_array_equal(
            found["z"][b], params["locs"].numpy()[b, order])


def test_temperature_zero_gives_means_and_then_repeats():
    params = mixture(spread=3.0)
    for mode in ("diverse", "samples"):
        z = choose(params, 12, mode, 0.0)["z"]
        distance = np.abs(z[:, :, None] - params["locs"][:, None]).max(-1)
        assert distance.min(-1).max() < 1e-4
    # Twelve results, four means: "diverse" finds every one.
    z = choose(params, 12, "diverse", 0.0)["z"].numpy()
    assert len(np.unique(z[0].round(2), axis=0)) == 4


def test_diverse_keeps_the_mean_of_probable_draws():
    # One broad component: nothing is as probable as its middle.
    params = mixture(batch=1, k=1, d=6)
    found = choose(params, 5, "diverse", 1.0)
    distance = np.abs(found["z"][0] - params["locs"][0]).max(-1)
    assert np.sort(distance)[0] < 0.2 < np.sort(distance)[1]


def test_diverse_does_not_keep_a_mean_between_far_components():
    params = mixture(batch=1, k=2, d=6, spread=10.0)
    params["mixture_logits"] = tf.zeros([1, 2])
    found = choose(params, 2, "diverse", 1.0)
    distance = np.abs(found["z"][0][:, None] - params["locs"][0]).max(-1)
    assert sorted(distance.argmin(1)) == [0, 1]


def test_diverse_finds_the_groups_of_a_mixture_of_far_components():
    params = mixture(k=5, spread=10.0)
    found = choose(params, 5, "diverse")
    for b in range(2):
        distance = np.linalg.norm(
            found["z"][b].numpy()[:, None] - params["locs"][b].numpy()[None],
            axis=-1)
        assert sorted(distance.argmin(1)) == [0, 1, 2, 3, 4]
        assert distance.min(1).max() < 1.0


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 40), st.integers(0, 30),
       st.booleans())
def test_each_choice_lowers_the_sum_of_distances_the_most(
        seed, num_chosen, others, doubled):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(2, num_chosen + others, 5)).astype(np.float32)
    if doubled:
        points[:, ::2] = points[:, :1]
    found = clustering.spread_out(tf.constant(points),
                                 tf.constant(num_chosen)).numpy()
    for own, chosen in zip(points.astype(float), found):
        distance = np.linalg.norm(own[:, None] - own, axis=-1)
        nearest = np.full(len(own), np.inf)
        for point in chosen:
            to_chosen = np.linalg.norm(own - point, axis=-1)
            assert to_chosen.min() == 0  # it is one of the points
            # Near ties may fall either way.
            sums = np.minimum(nearest, distance).sum(axis=1)
            nearest = np.minimum(nearest, to_chosen)
            # In float32 equal points are some 1e-3 apart.
            np.testing.assert_allclose(
                nearest.sum(), sums.min(), rtol=1e-3,
                atol=5e-3 * len(own) if doubled else 1e-4)


def test_diverse_covers_better_than_draws():
    # What it is for: the expected distance to the nearest result is lower.
    params = mixture(batch=1, k=3, d=4)
    truth = choose(params, 100, "samples", 1.0, seed=99)["z"][0].numpy()

    def coverage(mode, temperature, seed):
        z = choose(params, 8, mode, temperature, seed)["z"][0].numpy()
        return np.linalg.norm(
            truth[:, None] - z[None], axis=-1).min(1).mean()

    diverse = np.mean([coverage("diverse", 1.0, s) for s in range(8)])
    for temperature in (0.5, 1.0):
        draws = np.mean(
            [coverage("samples", temperature, s) for s in range(8)])
        assert diverse < 0.95 * draws


def test_diverse_measures_difference_by_what_the_decoder_shows():
    # A dimension that the picture does not show must not set results apart.
    params = mixture(batch=1, k=1, d=2)
    found = choose(params, 6, "diverse", 1.0,
                   sensitivity=tf.constant([[1.0, 1e-3]]))
    spread = found["z"].numpy()[0].std(axis=0)
    # Some twenty draws' mean still differs by chance in the other one.
    assert spread[0] > 3 * spread[1]


@pytest.mark.parametrize("mode", MODES)
def test_same_seed_same_latents_and_other_seed_other(mode):
    params = mixture()
    first, again = (choose(params, 4, mode, 1.0, 7)["z"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    if mode != "components":
        other = choose(params, 4, mode, 1.0, 8)["z"]
        assert np.abs(first - other).max() > 0.01


def test_a_dimension_that_moves_nothing_does_no_harm():
    # A region that covers no pixel: its sensitivity underflows to zero.
    found = choose(mixture(), 8, "diverse", 1.0,
                   sensitivity=tf.constant([[1.0, 0, 1, 1, 0, 1]]))
    assert np.all(np.isfinite(found["z"]))


def test_a_hundred_from_one_picture():
    found = choose(mixture(batch=1), 100, "diverse", 1.0)
    assert len(np.unique(found["z"].numpy()[0], axis=0)) == 100


@pytest.mark.parametrize("mode", MODES)
def test_draws_come_from_the_steered_mixture_rated_by_the_other(mode):
    params, steered = mixture(0), mixture(1)
    steered["locs"] += 30.0
    found = sampling.latents(
        params, tf.ones([1, 6]), tf.zeros([2], tf.int64), tf.constant(4),
        tf.constant(0.5), mode, steered=steered)
    alone = choose(steered, 4, "components")["z"].numpy()
    distance = np.abs(
        found["z"].numpy()[:, :, None] - alone[:, None]).max(-1)
    assert distance.min(-1).max() < 3
    np.testing.assert_allclose(
        found["log_prob"], plain_tensorflow.log_prob(params, found["z"]))
    weights = tf.nn.softmax(params["mixture_logits"])
    np.testing.assert_array_equal(
        found["weight"],
        tf.gather(weights, found["component"], batch_dims=1))


@pytest.mark.parametrize("mode", ["diverse", "samples"])
@pytest.mark.parametrize("num_samples", [1, 5])
def test_the_first_is_first_however_improbable(mode, num_samples):
    params, first = mixture(), tf.fill([2, 6], 4.0)
    found = sampling.latents(
        params, tf.ones([1, 6]), tf.zeros([2], tf.int64),
        tf.constant(num_samples), tf.constant(0.5), mode, first=first)
    np.testing.assert_array_equal(found["z"][:, 0], first)
    rest = found["log_prob"][:, 1:].numpy()
    if mode == "samples":
        assert np.all(np.diff(rest, axis=1) <= 0)
    assert np.all(rest > found["log_prob"][:, :1])


def test_diverse_begins_with_what_most_draws_are_near_to():
    # Three far groups: their weights are their shares, and their order.
    params = mixture(batch=1, k=3, d=6, spread=10.0)
    params["mixture_logits"] = tf.math.log([[0.2, 0.7, 0.1]])
    found = choose(params, 3, "diverse", 1.0)
    nearest = np.linalg.norm(
        found["z"].numpy()[0][:, None] - params["locs"].numpy()[0],
        axis=-1).argmin(1)
    np.testing.assert_array_equal(nearest, [1, 0, 2])
    # 256 draws: a standard deviation of 3 in a hundred.
    np.testing.assert_allclose(found["share"][0], [0.7, 0.2, 0.1], atol=0.1)


def test_shares_are_those_of_full_temperature_whatever_the_results():
    params = mixture(batch=1, k=2, d=6, spread=3.0)
    for temperature in (0.0, 0.5, 2.0):
        found = choose(params, 4, "diverse", temperature)
        draws = plain_tensorflow.draw(
            params, tf.constant([77], tf.int64), 4000, 1.0).numpy()[0]
        distance = np.linalg.norm(
            draws[:, None] - found["z"].numpy()[0], axis=-1)
        expected = np.bincount(distance.argmin(1), minlength=4) / 4000
        if temperature:  # at 0 equal results share at random
            np.testing.assert_allclose(found["share"][0], expected, atol=0.1)


@pytest.mark.parametrize("red, scale, largest", [
    # The components are far apart: the result is the mean of a cluster.
    (4.0, 0.05, sampling.CLUSTER_FACTOR),
    # They overlap: the result is the mixture's mean.
    (1.2, 0.4, sampling.MEAN_FACTOR),
])
def test_results_of_palettes_keep_their_members_chroma(red, scale, largest):
    # Two regions: the first is red or green, the second always blue.
    locs = tf.constant([[[red, 0.3, 0, -3], [-red, 0.3, 0, -3]]])
    params = {"mixture_logits": tf.zeros([1, 2]), "locs": locs,
              "scales": tf.tile([[[scale, scale, 0.05, 0.05]]], [1, 2, 1])}

    def chosen(palette):
        return sampling.latents(
            params, tf.ones([1, 4]), tf.zeros([1], tf.int64), tf.constant(1),
            tf.constant(0.5), "diverse", palette)["z"].numpy()[0, 0]

    plain, restored = chosen(False), chosen(True)
    np.testing.assert_allclose(plain, [0, 0.3, 0, -3], atol=0.6)
    # The hue stays, the chroma grows by the largest factor.
    np.testing.assert_allclose(restored[:2], largest * plain[:2], rtol=0.01)
    np.testing.assert_allclose(restored[2:], plain[2:], rtol=0.01)
