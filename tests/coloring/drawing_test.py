"""Drawing: what traced steering gives, and that it is traced once."""

import gc
import threading
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import data
from tiny import TINY_REGIONS

from tfdivcolor import color, presets
from tfdivcolor.color import canvas
from tfdivcolor.coloring import drawing
from tfdivcolor.latent import hints as hint_points, sampling, steering as steer
from tfdivcolor.settings import MODES, Hint, Sampling, Steering

HINTS = (Hint(30, 20, (200, 40, 40)), Hint(5, 44, (30, 90, 160)),
         Hint(55, 3, (90, 90, 90)))
SIZE = 60, 50


def make(seed=3):
    """A tiny one with colours of its own, as training would give."""
    keras.utils.set_random_seed(seed)
    model = presets.build("regions", **TINY_REGIONS)
    for variable in model.mdn.head.trainable_variables:
        if variable.path.endswith("packed/bias"):
            bias = np.random.default_rng(0).normal(0, 1, variable.shape)
            variable.assign(bias)
    return model


@pytest.fixture(scope="module")
def colorizer():
    return make()


@pytest.fixture(scope="module")
def luminance():
    return canvas.luminance_of(data.astronaut()[40:140:2, 160:280:2]).numpy()


def draw(colorizer, luminance, steering, **options):
    lightness = [luminance[hint.y, hint.x] for hint in steering.hints]
    return drawing.draw(
        colorizer, drawing.seen(colorizer, luminance), SIZE,
        np.reshape(lightness, [-1, 1]), Sampling(**options), steering)


def bytes_of(found):
    return {name: value.tobytes() for name, value in found.items()}


def step_by_step(colorizer, luminance, steering, options):
    """The same without a graph, and without what changes nothing."""
    small = drawing.seen(colorizer, luminance)[None]
    grey, params = colorizer.look(small)
    decoder = colorizer.vae.decoder
    weights = targets = None
    if steering.hints:
        weights, targets = hint_points.observations(
            steering.hints, *SIZE, colorizer.canvas)
    given = {} if weights is None else {
        "weights": weights, "targets": targets / steering.saturation}

    def latents(mixture, mode, first=None):
        return sampling.latents(
            params, decoder.sensitivity(grey),
            tf.constant([options.seed], tf.int64), options.num_samples,
            tf.constant(options.temperature), mode,
            decoder.latent_is_palette, steered=mixture, first=first)

    drawn = latents(steer.apply(
        decoder, grey, params, **given,
        warmth=steering.warmth or None)[0], options.mode)
    if steering.keep is not None:
        kept = drawn["z"][:, steering.keep]
        mixture, _ = steer.apply(decoder, grey, params, **given, kept=kept,
                                 strength=steering.strength)
        mode = "samples" if options.mode == "samples" else "diverse"
        drawn = latents(mixture, mode, kept)
    field = steering.saturation * color.denormalize_ab(
        decoder(drawn["z"], grey))
    found = {"ab": field[0], **{name: drawn[name][0] for name in drawn}}
    if not steering.hints:
        return found

    def distance(fields):
        lightness = tf.stack([luminance[hint.y, hint.x]
                              for hint in steering.hints])
        shown = color.map_to_gamut(
            lightness, hint_points.means(fields, weights))
        return tf.norm(shown - targets, axis=-1)

    before = latents(params, options.mode)["z"][:, :1]
    return {**found, "hints_after": distance(field)[0],
            "hints_before": distance(steering.saturation * (
                color.denormalize_ab(decoder(before, grey))))[0, 0]}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("steering", [
    {"hints": HINTS[:1]}, {"hints": HINTS, "saturation": 0.6},
    {"hints": HINTS[1:], "warmth": -4.0}, {"warmth": 6.0}, {"keep": 2},
    {"hints": HINTS[:2], "keep": 1, "warmth": 3.0, "strength": 0.5}])
def test_the_graph_gives_what_its_steps_give(
        colorizer, luminance, steering, mode):
    steering, options = Steering(**steering), Sampling(4, 5, 0.5, mode)
    found = draw(colorizer, luminance, steering, **vars(options))
    expected = step_by_step(colorizer, luminance, steering, options)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # A draw halfway between two results may count for the other one.
        tolerance = 2.5 / sampling.SHARE_DRAWS if name == "share" else 2e-3
        np.testing.assert_allclose(
            found[name], value, rtol=1e-4, atol=tolerance, err_msg=name)


def test_traced_once_for_any_number_of_hints_and_results(
        colorizer, luminance):
    def traces():
        return {key: graph.experimental_get_tracing_count()
                for key, graph in colorizer.graphs._traced.items()}

    for hints in ((), HINTS[:1]):
        draw(colorizer, luminance, Steering(hints, keep=1, warmth=1.0))
    before = traces()
    for count, hints in ((2, HINTS), (9, HINTS * 3), (5, HINTS[:2])):
        found = draw(
            colorizer, luminance, Steering(hints, saturation=0.1 * count),
            num_samples=count, seed=count, temperature=0.1 * count)
        assert found["hints_after"].shape == (count, len(hints))
        draw(colorizer, luminance, Steering(hints, kept=found["z"][1]))
        draw(colorizer, luminance, Steering(warmth=2.0), num_samples=count)
        draw(colorizer, luminance, Steering(keep=1), num_samples=count)
    assert traces() == before and max(before.values()) == 1


@pytest.mark.parametrize("hints", [(), HINTS])
def test_no_warmth_is_exactly_none(colorizer, luminance, hints):
    grey, params = colorizer.look(drawing.seen(colorizer, luminance)[None])
    decoder = colorizer.vae.decoder
    given = dict(zip(("weights", "targets"), hint_points.observations(
        hints, *SIZE, colorizer.canvas))) if hints else {}

    @tf.function(autograph=False)
    def locs(warmth):
        steered, _ = steer.apply(
            decoder, grey, params, **given, warmth=warmth)
        return steered["locs"]

    without = tf.function(lambda: steer.apply(
        decoder, grey, params, **given)[0]["locs"], autograph=False)()
    np.testing.assert_array_equal(locs(tf.constant(0.0)), without)
    assert np.abs(locs(tf.constant(1.0)) - without).max() > 1e-3


@pytest.mark.slow
def test_the_same_bytes_whatever_came_before(colorizer, luminance):
    steering = Steering(HINTS[:2], warmth=2.0)
    expected = bytes_of(draw(make(), luminance, steering, seed=4))
    for count in (1, 3):
        draw(colorizer, luminance,
             Steering(HINTS[:count], keep=0, strength=1.0), num_samples=count)
        draw(colorizer, luminance[::-1], Steering(HINTS[:count]))
        draw(colorizer, luminance, Steering())
    found = []
    workers = [threading.Thread(target=lambda: found.append(bytes_of(
        draw(colorizer, luminance, steering, seed=4)))) for _ in range(3)]
    for worker in workers:
        worker.start()
        worker.join()
    assert found == 3 * [expected]


def test_a_frozen_one_steers_by_constants(luminance):
    colorizer, steering = make(), Steering(warmth=3.0)
    before = draw(colorizer, luminance, steering)
    colorizer.freeze()
    after = draw(colorizer, luminance, steering)
    for name in before:
        np.testing.assert_allclose(after[name], before[name], atol=1e-2)
    for variable in colorizer.variables:
        variable.assign(tf.zeros_like(variable))
    again = draw(colorizer, luminance, steering)
    assert bytes_of(again) == bytes_of(after)


def test_graphs_go_with_their_colorizer(luminance):
    colorizer = make()
    draw(colorizer, luminance, Steering(warmth=3.0))
    gone = [weakref.ref(one) for one in (
        colorizer, *colorizer.graphs._traced.values())]
    del colorizer
    gc.collect()
    assert len(gone) == 4 and not any(one() for one in gone)


@pytest.mark.slow
def test_the_pool_is_plain_draws_at_the_results_temperature(tiny_photos):
    """`pool` draws as mode "samples" does, which orders by density."""
    small = np.full([tiny_photos.luminance_size] * 2 + [1], 40, np.float32)
    hint = Hint(3, 4, (200, 60, 40))
    for steering in (Steering(saturation=1.5), Steering(hints=(hint,)),
                     Steering(warmth=4.0)):
        found = [small, (64, 48), np.full([len(steering.hints), 1], 40.0)]
        pool = drawing.pool(
            tiny_photos, *found, Sampling(temperature=0.25), steering, 16)
        samples = drawing.draw(
            tiny_photos, *found, Sampling(16, 0, 0.5, "samples"),
            steering)["ab"]
        np.testing.assert_allclose(
            sorted(field.sum() for field in pool),
            sorted(field.sum() for field in samples), rtol=1e-3, atol=0.5)
