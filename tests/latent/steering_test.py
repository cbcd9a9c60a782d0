"""Steered mixtures against closed forms, importance sampling and a face."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings, strategies as st
from skimage import data as pictures

from tfdivcolor import color, presets
from tfdivcolor.color import canvas
from tfdivcolor.latent import (
    hints as hint_points,
    plain_tensorflow,
    sampling,
    steering,
)
from tfdivcolor.settings import Hint


def mixture(seed=0, k=3, d=6, rank=2):
    rng = np.random.default_rng(seed)
    params = {"mixture_logits": rng.normal(size=(1, k)),
              "locs": rng.normal(size=(1, k, d)),
              "scales": rng.uniform(0.1, 1, (1, k, d))}
    if rank:
        params["factors"] = 0.5 * rng.normal(size=(1, k, d, rank))
    return {name: tf.constant(value, tf.float32)
            for name, value in params.items()}


def covariance(params, k):
    """Dense covariance of a component: float64 [D, D]."""
    if "roots" in params:
        root = np.float64(params["roots"][0, k])
    else:
        root = np.diag(np.float64(params["scales"][0, k]))
    total = root @ root.T
    if "factors" in params:
        factors = np.float64(params["factors"][0, k])
        total = total + factors @ factors.T
    return total


def conditioned(params, jacobian, target, noise):
    """The textbook's conditioning in float64: weights, means, covariances."""
    logits, locs, covariances = [], [], []
    for k in range(params["locs"].shape[1]):
        loc, p = np.float64(params["locs"][0, k]), covariance(params, k)
        s = jacobian @ p @ jacobian.T + noise**2 * np.eye(len(target))
        gain = p @ jacobian.T @ np.linalg.inv(s)
        surprise = target - jacobian @ loc
        logits.append(params["mixture_logits"][0, k].numpy() - 0.5 * (
            surprise @ np.linalg.inv(s) @ surprise
            + np.linalg.slogdet(s)[1]))
        locs.append(loc + gain @ surprise)
        covariances.append(p - gain @ jacobian @ p)
    weights = np.exp(np.array(logits) - max(logits))
    return weights / weights.sum(), np.array(locs), np.array(covariances)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 6),
       st.integers(0, 3), st.integers(1, 8), st.sampled_from([0.1, 1.0]))
def test_condition_equals_the_dense_formulas(seed, k, d, rank, n, noise):
    params = mixture(seed, k, d, rank)
    rng = np.random.default_rng(seed + 1)
    jacobian, target = rng.normal(size=(n, d)), rng.normal(size=n)
    found = steering.condition(
        params, tf.constant(jacobian[None, None], tf.float32),
        tf.constant(target[None, None], tf.float32), noise)
    weights, locs, covariances = conditioned(params, jacobian, target, noise)
    np.testing.assert_allclose(
        tf.nn.softmax(found["mixture_logits"])[0], weights, atol=5e-3)
    np.testing.assert_allclose(found["locs"][0], locs, atol=5e-3)
    for i in range(k):
        np.testing.assert_allclose(
            covariance(found, i), covariances[i], atol=2e-3)


def test_condition_equals_weighted_draws():
    params = mixture(1, d=3)
    jacobian = np.array([[1.0, 0.5, -1.0], [0.0, 1.0, 1.0]])
    target, noise = np.array([0.5, -0.5]), 0.7
    seed = tf.constant([5], tf.int64)
    z = plain_tensorflow.draw(
        params, seed, 200_000, tf.constant(1.0))[0].numpy()
    weights = np.exp(
        -0.5 * np.sum(((z @ jacobian.T - target) / noise)**2, axis=-1))
    steered = steering.condition(
        params, tf.constant(jacobian[None, None], tf.float32),
        tf.constant(target[None, None], tf.float32), noise)
    drawn = plain_tensorflow.draw(steered, seed, 50_000, tf.constant(1.0))[0]
    np.testing.assert_allclose(
        np.mean(drawn, axis=0), np.average(z, axis=0, weights=weights),
        atol=0.02)
    np.testing.assert_allclose(
        np.cov(drawn.numpy().T), np.cov(z.T, aweights=weights), atol=0.03)


def test_one_after_the_other_equals_both_at_once():
    params, rng = mixture(2), np.random.default_rng(3)
    jacobian = tf.constant(rng.normal(size=(1, 1, 4, 6)), tf.float32)
    target = tf.constant(rng.normal(size=(1, 1, 4)), tf.float32)
    both = steering.condition(params, jacobian, target, 0.5)
    first = steering.condition(params, jacobian[:, :, :1], target[..., :1], .5)
    then = steering.condition(first, jacobian[:, :, 1:], target[..., 1:], 0.5)
    np.testing.assert_allclose(then["locs"], both["locs"], atol=1e-4)
    np.testing.assert_allclose(
        tf.nn.softmax(then["mixture_logits"]),
        tf.nn.softmax(both["mixture_logits"]), atol=1e-4)
    np.testing.assert_allclose(
        covariance(then, 1), covariance(both, 1), atol=1e-4)


class Painter:
    """A decoder of two by two pixels of their own colours: D = 8.

    With `bend` the colours saturate, as a network's do.
    """

    canvas = 2

    def __init__(self, bend=0.0):
        self.bend = bend

    def __call__(self, z, grey, training=False):
        if self.bend:
            z = tf.tanh(self.bend * z) / self.bend
        return tf.reshape(z / 10.0, [*z.shape[:2], 2, 2, 2])


class LinearPainter(Painter):
    """The same, knowing that it is linear."""

    def slope(self, grey, weights):
        slope = np.einsum("np,cd->ncpd", weights, np.eye(2)) / 10.0
        return tf.constant(slope.reshape(1, -1, 2, 8), tf.float32)


def pixel(*positions):
    return hint_points.pixel_weights(tf.constant(positions, tf.float32), 2)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_pixel_weights_interpolate_as_a_resized_picture(seed):
    rng = np.random.default_rng(seed)
    field = rng.normal(size=(1, 1, 8, 8, 2)).astype(np.float32)
    width, height = rng.integers(1, 60, 2)
    hint = Hint(int(rng.integers(width)), int(rng.integers(height)),
                (200, 30, 90))
    weights, targets = hint_points.observations([hint], width, height, 8)
    full = tf.image.resize(field[0], [height, width], "bilinear")[0]
    np.testing.assert_allclose(
        hint_points.means(field, weights)[0, 0, 0], full[hint.y, hint.x],
        atol=1e-5)
    np.testing.assert_allclose(
        targets[0], color.srgb_to_lab(np.float32(hint.rgb) / 255)[1:],
        atol=1e-3)


def test_observations_refuse_a_hint_outside():
    with pytest.raises(ValueError, match="^hint: must lie inside"):
        hint_points.observations([Hint(8, 0, (0, 0, 0))], 8, 8, 4)


def test_the_tangent_is_the_same_with_and_without_a_slope():
    params = mixture(4, d=8)
    weights, targets = pixel([0, 0], [0.7, 1]), [[5.0, -3], [8, 1]]
    plain, linear = (
        steering.toward(decoder, {}, params, weights, targets)
        for decoder in (Painter(), LinearPainter()))
    for name in plain:
        np.testing.assert_allclose(plain[name], linear[name], atol=1e-3)


@pytest.mark.parametrize("bend", [0.0, 0.3, 0.6])
def test_hints_are_met_by_decoders_that_are_not_linear(bend):
    params = mixture(5, d=8)
    decoder = Painter(bend)
    weights, targets = pixel([0, 0], [1, 1]), np.array([[12.0, -6], [3, 14]])
    steered = steering.toward(
        decoder, {}, params, weights, tf.constant(targets, tf.float32))
    found = hint_points.means(
        color.denormalize_ab(decoder(steered["locs"], {})), weights)[0]
    before = hint_points.means(
        color.denormalize_ab(decoder(params["locs"], {})), weights)[0]
    assert np.linalg.norm(before - targets, axis=-1).mean() > 10
    assert np.linalg.norm(found - targets, axis=-1).mean() < 2


def test_a_hint_far_from_the_mixture_moves_others_by_two_deviations():
    # The four a move together: a bright red corner would drag all.
    params = {"mixture_logits": tf.zeros([1, 1]),
              "locs": tf.zeros([1, 1, 8]),
              "scales": tf.fill([1, 1, 8], 0.05),
              "factors": tf.tile([[[[1.0], [0.0]]]], [1, 1, 4, 1])}
    target = tf.constant([[80.0, 0.0]])
    steered = steering.toward(
        LinearPainter(), {}, params, pixel([0, 0]), target)
    loc = steered["locs"][0, 0].numpy()
    np.testing.assert_allclose(loc[0] * 12.8, 80, atol=2.5)
    assert np.abs(loc[2:]).max() < steering.CREDIBLE


def test_contradictory_hints_stay_finite_and_meet_in_the_middle():
    params = mixture(6, d=8)
    weights = tf.repeat(pixel([0, 0]), 60, axis=0)
    targets = tf.tile([[30.0, 20.0], [-10.0, 0.0]], [30, 1])
    steered = steering.toward(LinearPainter(), {}, params, weights, targets)
    for value in steered.values():
        assert np.all(np.isfinite(value))
    found = 12.8 * steered["locs"][0, :, :2].numpy()
    np.testing.assert_allclose(found, np.tile([10.0, 10], [3, 1]), atol=1.0)


def test_with_one_seed_a_hint_leaves_alone_what_it_says_nothing_of():
    params = mixture(7, k=1, d=8, rank=0)
    steered = steering.toward(
        LinearPainter(), {}, params, pixel([0, 0]), [[20.0, 5.0]])
    seed = tf.constant([3], tf.int64)
    before, after = (plain_tensorflow.draw(p, seed, 6, tf.constant(1.0))
                     for p in (params, steered))
    np.testing.assert_allclose(before[..., 2:], after[..., 2:], atol=1e-5)
    assert np.abs(before - after)[..., :2].max() > 0.3


@pytest.mark.parametrize("amount", [-10.0, 5.0])
@pytest.mark.parametrize("decoder", [LinearPainter(), Painter(0.2)])
def test_warmer_by_the_amount_asked_for(amount, decoder):
    params = mixture(8, d=8)
    warm = steering.warmer(decoder, {}, params, tf.constant(amount))
    before, after = (
        np.mean(color.denormalize_ab(decoder(p["locs"], {})), axis=(2, 3))
        for p in (params, warm))
    np.testing.assert_allclose(
        (after - before) @ steering.WARM, np.full((1, 3), amount), atol=0.3)


def test_warmth_goes_where_the_mixture_is_unsure():
    params = {"mixture_logits": tf.zeros([1, 1]),
              "locs": tf.zeros([1, 1, 8]),
              "scales": tf.constant([[[1.0, 1, 0.1, 0.1, 1, 1, 1, 1]]])}
    moved = steering.warmer(LinearPainter(), {}, params, 5.0)["locs"][0, 0]
    assert abs(moved[3]) < 0.02 * abs(moved[1])


def test_warmth_leaves_hints_met():
    params = mixture(9, d=8)
    weights, targets = pixel([0, 0]), tf.constant([[3.0, -4.0]])
    plain, _ = steering.apply(LinearPainter(), {}, params, weights, targets)
    warm, _ = steering.apply(
        LinearPainter(), {}, params, weights, targets, warmth=6.0)
    moved = 12.8 * (warm["locs"] - plain["locs"])[0].numpy()
    assert np.abs(moved[:, :2]).max() < 0.3 * np.abs(moved).max()


@pytest.mark.parametrize("mode", ["diverse", "samples"])
@pytest.mark.parametrize("temperature", [0.0, 0.5])
def test_the_kept_latent_is_the_first_result_and_0_gives_copies(
        mode, temperature):
    params, z = mixture(10), tf.constant([[0.3, -1, 2, 0.1, 0, 1]])

    def results(strength):
        steered, first = steering.apply(
            LinearPainter(), {}, params, kept=z, strength=strength)
        return sampling.latents(
            params, tf.ones([1, 6]), tf.constant([1], tf.int64),
            tf.constant(5), tf.constant(temperature), mode,
            steered=steered, first=first)

    varied, wide, copies = (results(s)["z"] for s in (0.2, 0.6, 0.0))
    np.testing.assert_array_equal(varied[:, 0], z)
    np.testing.assert_allclose(copies, tf.repeat(z[:, None], 5, 1), atol=1e-6)
    if temperature:
        assert np.abs(varied[:, 1:] - z[:, None]).max(-1).min() > 0.01
    np.testing.assert_allclose(
        3 * np.std(varied[:, 1:], axis=1), np.std(wide[:, 1:], axis=1),
        atol=0.3)


def test_variations_are_as_wide_as_the_component_there():
    params = mixture(11)
    params["locs"] += 20.0 * tf.reshape(tf.range(3.0), [1, 3, 1])
    for k in range(3):
        kept = steering.around(params, params["locs"][:, k] + 0.1)
        half = steering.spread(kept, 0.5)
        np.testing.assert_allclose(
            covariance(half, 0), 0.25 * covariance(params, k), rtol=1e-5)


def test_a_kept_latent_meets_hints_at_any_strength():
    params = mixture(12, d=8)
    weights, targets = pixel([0, 0]), tf.constant([[12.0, -8.0]])
    for strength in (0.0, 0.3):
        _, first = steering.apply(
            LinearPainter(), {}, params, weights, targets,
            kept=params["locs"][:, 0], strength=strength)
        found = 12.8 * first[0, :2]
        assert np.linalg.norm(found - targets[0]) < 2.5


def test_the_same_in_a_graph_whatever_the_number_of_hints(tiny, batch):
    decoder = tiny.vae.decoder
    luminance = color.normalize_luminance(batch["luminance"][:1])

    grey = tiny.vae.grey_encoder(luminance, training=False)
    params = tiny.mdn.head(grey, training=False)

    def steer(weights, targets, warmth):
        return steering.apply(
            decoder, grey, params, weights, targets, warmth)[0]

    graph = tf.function(steer, autograph=False, input_signature=[
        tf.TensorSpec([None, 1024]), tf.TensorSpec([None, 2]),
        tf.TensorSpec([])])
    for count in (1, 5):
        weights = hint_points.pixel_weights(tf.random.stateless_uniform(
            [count, 2], [1, count], maxval=31.0), 32)
        targets = tf.random.stateless_normal([count, 2], [2, count]) * 20
        for one, other in zip(*(
                tf.nest.flatten(call(weights, targets, tf.constant(3.0)))
                for call in (steer, graph))):
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


# --- The shipped weights on a real portrait ---------------------------------

SIZE = 270
SUIT = Hint(130, 255, (192, 48, 32))
WALL = Hint(20, 135, (48, 96, 192))


@pytest.fixture(scope="module")
def portrait():
    """What the shipped model sees in a portrait, and what it draws."""
    colorizer = presets.load("lfw")
    luminance = canvas.on_canvas(canvas.luminance_of(
        pictures.astronaut()[:SIZE, 90:90 + SIZE]), colorizer.canvas)
    grey = colorizer.vae.grey_encoder(
        color.normalize_luminance(luminance)[None], training=False)
    params = colorizer.mdn.head(grey, training=False)
    decoder = colorizer.vae.decoder

    def fields(steered=None, mode="diverse", first=None, num_samples=8):
        chosen = sampling.latents(
            params, decoder.sensitivity(grey), tf.constant([0], tf.int64),
            tf.constant(num_samples), tf.constant(0.5), mode, True, steered,
            first)
        return color.denormalize_ab(decoder(chosen["z"], grey)).numpy()
    return decoder, grey, params, fields


@pytest.mark.parametrize("mode", ["diverse", "samples", "components"])
@pytest.mark.parametrize("hints", [[SUIT], [WALL], [SUIT, WALL]])
def test_hints_on_a_portrait(portrait, hints, mode):
    decoder, grey, params, fields = portrait
    weights, targets = hint_points.observations(hints, SIZE, SIZE, 64)
    steered, _ = steering.apply(decoder, grey, params, weights, targets)
    before, after = fields(mode=mode), fields(steered, mode)
    distance = np.linalg.norm(
        hint_points.means(after, weights) - targets, axis=-1)
    unsteered = np.linalg.norm(
        hint_points.means(before, weights) - targets, axis=-1)
    assert unsteered.mean() > 25
    assert distance.mean() < 4
    assert distance.max() < 8
    # The face, which the hints say nothing of, is no less diverse and stays
    # a face.
    face = np.s_[0, :, 18:28, 24:38]
    assert after[face].std(axis=0).mean() > 0.5 * before[face].std(
        axis=0).mean()
    assert np.abs(after[face].mean((0, 1, 2))
                  - before[face].mean((0, 1, 2))).max() < 12


def test_steering_draws_no_random_numbers(portrait):
    decoder, grey, params, fields = portrait
    weights, targets = hint_points.observations([WALL], SIZE, SIZE, 64)
    first, again = (fields(steering.apply(
        decoder, grey, params, weights, targets, warmth=5.0)[0])
        for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_results_of_a_portrait_are_warmer_and_cooler(portrait):
    decoder, grey, params, fields = portrait
    warmth = [np.mean(fields(steering.apply(
        decoder, grey, params, warmth=amount)[0], "samples", num_samples=64)
        @ np.float32(steering.WARM)) for amount in (-8.0, None, 8.0)]
    np.testing.assert_allclose(np.diff(warmth), 8.0, atol=1.0)
