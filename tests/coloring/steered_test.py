"""Steering through the Colorizer: what a user asks for, and gets."""

import keras
import numpy as np
import pytest
from skimage import color as skcolor, data
from tiny import TINY_REGIONS

from tfdivcolor import presets
from tfdivcolor.color import canvas
from tfdivcolor.images import ImageError
from tfdivcolor.latent.steering import WARM
from tfdivcolor.settings import MODES, Hint, Steering

RED = Hint(30, 20, (200, 40, 40))


@pytest.fixture(scope="module")
def colorizer():
    """A tiny one with colours of its own, as training would give."""
    keras.utils.set_random_seed(3)
    model = presets.build("regions", **TINY_REGIONS)
    for variable in model.mdn.head.trainable_variables:
        if variable.path.endswith("packed/bias"):
            bias = np.random.default_rng(0).normal(0, 1, variable.shape)
            variable.assign(bias)
    return model


@pytest.fixture(scope="module")
def photo():
    return data.astronaut()[40:140:2, 160:280:2]


def mean_ab(result):
    """Mean ab of every result: [S, 2]."""
    return result.ab.mean(axis=(1, 2))


def test_some_of_the_results(colorizer, photo):
    result = colorizer.colorize(photo, 4)
    for part, rows in ((result[1], [1]), (result[-1], [3]),
                       (result[1:3], [1, 2])):
        assert len(part) == len(rows)
        np.testing.assert_array_equal(part.ab, result.ab[rows])
        np.testing.assert_array_equal(part.log_prob, result.log_prob[rows])
    np.testing.assert_array_equal(result[2].image(0), result.image(2))
    for index in (4, -5):
        with pytest.raises(IndexError, match="rank must be below 4"):
            result[index]
    assert len(list(result)) == 4  # iterable, by the sequence protocol


def test_a_pixel_too_dark_for_a_hint(colorizer):
    photo = np.full([24, 32, 3], 119, np.uint8)  # L 50
    photo[:4] = 0
    hints = [Hint(9, 1, (200, 40, 40)), Hint(9, 9, (140, 110, 110))]
    result = colorizer.colorize(photo, 1, hints=hints)
    wanted = skcolor.rgb2lab([hint.rgb for hint in hints] / np.float64(255))
    chroma = np.hypot(*wanted[0, 1:])  # black has none
    np.testing.assert_allclose(
        result.hints_beyond_gamut(), [chroma, 0], atol=0.1)
    assert colorizer.colorize(photo, 1).hints_beyond_gamut().shape == (0,)


@pytest.mark.parametrize("options", [{}, {"hints": [RED]}])
def test_results_picked_by_rank(colorizer, photo, options):
    result = colorizer.colorize(photo, 5, **options)
    assert result.rank.tolist() == [0, 1, 2, 3, 4]
    picked = result.pick([3, 0, 4])
    assert picked.rank.tolist() == [3, 0, 4] and len(picked) == 3
    for name in ("ab", "share", "latents", "component", "hints_after"):
        np.testing.assert_array_equal(
            getattr(picked, name), getattr(result, name)[[3, 0, 4]])
    # Ranks stay those of the call.
    assert picked[1:].rank.tolist() == [0, 4]
    assert picked.pick([4]).rank.tolist() == [4] == result[4].rank.tolist()
    np.testing.assert_array_equal(
        result[2:].pick(np.array([3])).ab, result.ab[3:4])
    for ranks in ([5], [-1], [0, 2]):
        with pytest.raises(ValueError, match="ranks must be among 3, 0, 4"):
            picked.pick(ranks)


def test_hints_are_met_and_reported(colorizer, photo):
    plain = colorizer.colorize(photo, 4, seed=2)
    result = colorizer.colorize(photo, 4, seed=2, hints=[RED])
    wanted = skcolor.rgb2lab(np.uint8([[RED.rgb]]))[0, 0, 1:]
    # The very pixel's field: the canvas has 32 pixels, the picture 60 x 50.
    at = [result.ab[:, round(20.5 / 50 * 32 - .5), round(30.5 / 60 * 32 - .5)]]
    near = np.linalg.norm(at[0] - wanted, axis=-1)
    assert result.hints_after.shape == (4, 1) and plain.hints_after.size == 0
    assert result.hints_after.max() < 12 < result.hints_before[0]
    assert np.abs(near - result.hints_after[:, 0]).max() < 8
    assert len({image.tobytes() for image in result.images}) == 4


@pytest.mark.parametrize("saturation", [0.5, 2.0])
def test_hints_are_met_whatever_the_saturation(colorizer, photo, saturation):
    result = colorizer.colorize(
        photo, 2, hints=[RED], saturation=saturation)
    wanted = skcolor.rgb2lab(np.uint8([[RED.rgb]]))[0, 0, 1:]
    near = result.ab[:, round(20.5 / 50 * 32 - .5),
                     round(30.5 / 60 * 32 - .5)]
    assert result.hints_after.max() < 14
    assert np.linalg.norm(near - wanted, axis=-1).max() < 24


def test_a_hint_outside_is_refused(colorizer, photo):
    with pytest.raises(ImageError, match="image: hint: must lie inside"):
        colorizer.colorize(photo, hints=[Hint(60, 0, (1, 2, 3))])


def test_kept_result_comes_first_and_others_stay_near(colorizer, photo):
    result = colorizer.colorize(photo, 4, seed=2)
    varied = colorizer.colorize(photo, 4, seed=2, keep=2, strength=0.2)
    np.testing.assert_allclose(varied.ab[0], result.ab[2], atol=1e-3)
    away = np.abs(varied.ab[1:] - varied.ab[0]).mean(axis=(1, 2, 3))
    others = np.abs(result.ab - result.ab[2]).mean(axis=(1, 2, 3))
    assert 0 < away.max() < np.delete(others, 2).mean()
    still = colorizer.colorize(photo, 3, seed=2, keep=2, strength=0)
    np.testing.assert_allclose(
        still.ab, np.repeat(still.ab[:1], 3, 0), atol=1e-3)
    with pytest.raises(ValueError, match="0 to 3 .received 4."):
        colorizer.colorize(photo, 4, keep=4)


def test_kept_and_hinted(colorizer, photo):
    result = colorizer.colorize(
        photo, 3, hints=[RED], keep=1, strength=0.5)
    np.testing.assert_allclose(
        result.ab[0], colorizer.colorize(photo, 3, hints=[RED]).ab[1],
        atol=1e-3)
    assert result.hints_after.max() < 12


@pytest.mark.parametrize("mode", MODES)
def test_a_latent_of_another_call_is_kept_and_varied(colorizer, photo, mode):
    other = colorizer.colorize(photo, 4, seed=7)
    varied = colorizer.colorize(
        photo, 3, seed=2, mode=mode, kept=other.latents[3], strength=0.2)
    np.testing.assert_allclose(varied.ab[0], other.ab[3], atol=1e-3)
    np.testing.assert_array_equal(varied.latents[0], other.latents[3])
    away = np.abs(varied.ab[1:] - varied.ab[0]).mean(axis=(1, 2, 3))
    others = np.abs(other.ab[:3] - other.ab[3]).mean(axis=(1, 2, 3))
    assert 0 < away.max() < others.mean()
    still = colorizer.colorize(photo, 2, kept=other.latents[3], strength=0)
    np.testing.assert_allclose(
        still.ab, np.repeat(other.ab[3:], 2, 0), atol=1e-3)
    # Another seed gives other variations of the same.
    seed = colorizer.colorize(
        photo, 3, seed=3, mode=mode, kept=other.latents[3], strength=0.2)
    np.testing.assert_array_equal(seed.ab[0], varied.ab[0])
    assert np.abs(seed.ab[1:] - varied.ab[1:]).max() > 0.1


def test_a_kept_latent_follows_hints_and_warmth(colorizer, photo):
    other = colorizer.colorize(photo, 4, seed=7)
    kept = {"kept": other.latents[3], "strength": 0.2}
    hinted = colorizer.colorize(photo, 3, hints=[RED], **kept)
    assert hinted.hints_after.max() < 12 < hinted.hints_before[0]
    plain = colorizer.colorize(photo, 3, **kept)
    assert hinted.hints_before[0] == colorizer.colorize(
        photo, 3, hints=[RED]).hints_before[0]
    warm = colorizer.colorize(photo, 3, warmth=8.0, **kept)
    moved = (mean_ab(warm) - mean_ab(plain)) @ WARM
    np.testing.assert_allclose(moved, 8.0, atol=1.5)


def test_kept_latents_are_those_of_the_model(colorizer, photo):
    with pytest.raises(ValueError, match="kept must be the 16 latents of a "
                                         r"result \(received 3\)"):
        colorizer.colorize(photo, kept=(0.0, 1.0, 2.0))
    with pytest.raises(ValueError, match="latents must come without"):
        colorizer.colorize(photo, kept=np.zeros(16), latents=np.zeros((1, 16)))


def test_components_can_be_kept(colorizer, photo):
    result = colorizer.colorize(photo, 3, mode="components", keep=1)
    expected = colorizer.colorize(photo, 3, mode="components")
    np.testing.assert_allclose(result.ab[0], expected.ab[1], atol=1e-3)


def test_warmth_and_saturation(colorizer, photo):
    plain = mean_ab(colorizer.colorize(photo, 4))
    warm = mean_ab(colorizer.colorize(photo, 4, warmth=10.0))
    cool = mean_ab(colorizer.colorize(photo, 4, warmth=-10.0))
    assert (warm.mean(0) - plain.mean(0))[1] > 5
    assert (cool.mean(0) - plain.mean(0))[1] < -5
    strong = colorizer.colorize(photo, 4, saturation=1.5)
    np.testing.assert_allclose(
        strong.ab, 1.5 * colorizer.colorize(photo, 4).ab, rtol=1e-5)
    assert not colorizer.colorize(photo, 2, saturation=0).ab.any()


def test_steering_is_repeatable(colorizer, photo):
    options = {"hints": [RED], "warmth": 3.0, "keep": 0, "seed": 9}
    first, second = (colorizer.colorize(photo, 3, **options)
                     for _ in range(2))
    assert first.images.tobytes() == second.images.tobytes()


def test_one_z_for_two_frames(colorizer, photo):
    result = colorizer.colorize(photo, 3)
    again = colorizer.colorize(photo, latents=result.latents)
    np.testing.assert_allclose(again.ab, result.ab, atol=1e-3)
    np.testing.assert_allclose(again.log_prob, result.log_prob, atol=1e-2)
    assert len(colorizer.colorize(photo[5:], latents=result.latents)) == 3
    with pytest.raises(ValueError, match="latents must come without hints"):
        colorizer.colorize(photo, latents=result.latents, hints=[RED])
    with pytest.raises(ValueError, match=r"latents must have shape \[S, 16"):
        colorizer.colorize(photo, latents=result.latents[0])


def test_interpolation_goes_from_one_to_the_other(colorizer, photo):
    result = colorizer.colorize(photo, 3)
    way = colorizer.interpolate(result[0], result[2], 5)
    assert len(way) == 5
    np.testing.assert_allclose(way.ab[0], result.ab[0], atol=1e-3)
    np.testing.assert_allclose(way.ab[-1], result.ab[2], atol=1e-3)
    np.testing.assert_allclose(
        way.latents[2], (result.latents[0] + result.latents[2]) / 2,
        atol=1e-5)
    other = colorizer.colorize(photo[::-1], 1)
    vivid = colorizer.colorize(photo, 1, saturation=2.0)
    for arguments, message in (
            ((result, result[0], 3), "first must be one result"),
            ((result[0], other, 3), "of the same photograph"),
            ((result[0], result[1], 1), "steps must be 2 to 100"),
            ((result[0], result[1], "3"), "steps must be a whole number"),
            ((result[0], None, 3), r"last must be a Coloring \(received None"),
            ((result[0], vivid, 3), "must have the same saturation")):
        with pytest.raises(ValueError, match=message):
            colorizer.interpolate(*arguments)


def test_reconstruction_is_the_nearest_result(colorizer, photo):
    result = colorizer.reconstruct(photo)
    assert len(result) == 1
    truth = skcolor.rgb2lab(result.image(0))[..., 1:]
    ab = skcolor.rgb2lab(photo)[..., 1:]
    drawn = skcolor.rgb2lab(colorizer.colorize(photo, 1).image(0))[..., 1:]
    assert np.abs(truth - ab).mean() < 0.6 * np.abs(drawn - ab).mean()
    with pytest.raises(ValueError, match="must be in colour"):
        colorizer.reconstruct(np.repeat(photo[..., :1], 3, -1))


def test_luminance_error_is_skimages(colorizer, photo):
    result = colorizer.colorize(photo, 1)
    off = np.clip(result.image(0).astype(int) + 9, 0, 255).astype(np.uint8)
    expected = np.abs(skcolor.rgb2lab(off)[..., 0]
                      - skcolor.rgb2lab(photo)[..., 0]).max()
    assert result.luminance_error(off) == pytest.approx(expected, abs=0.02)
    assert result.luminance_error(result.image(0)) < 0.5
    np.testing.assert_allclose(
        canvas.luminance_of(photo), result.luminance)


@pytest.mark.parametrize("options, message", [
    ({"keep": -1}, "keep must be the rank"),
    ({"keep": 1.5}, "keep must be the rank"),
    ({"hints": [(1, 2, "red")]}, "hints must be of class Hint"),
    ({"strength": -0.1}, "strength must be a number of 0 to 10"),
    ({"saturation": float("inf")}, "saturation must be"),
    ({"warmth": float("nan")}, "warmth must be a number of -30 to 30"),
    ({"kept": 3}, "kept must be a list of numbers"),
    ({"kept": "12"}, "kept must be a list of numbers"),
    ({"kept": (0.0, float("nan"))}, "kept: latents must be a number of -1000"),
    ({"kept": (0.0, 1e30)}, "kept: latents must be a number of -1000"),
    ({"kept": (0.0,), "keep": 1}, "kept must come without keep"),
])
def test_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        Steering(**options)
