"""Pictures for the screen, results, and colours and notes of points."""

import base64
import io

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image
from skimage import color as skcolor, data

from tfdivcolor import images
from tfdivcolor.coloring import coloring
from tfdivcolor.studio import easel as easels, points, states
from tfdivcolor.studio.easel import Easel, Gone


@pytest.fixture(scope="module")
def easel():
    return Easel(images.read(data.astronaut()[:300, :400]), "checksum")


def _pixels(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))


def _state(**values):
    state = states.parse(values)
    return state, state.key("photo", "weights")


def _drawn(easel, colorizer, **values):
    state, key = _state(**values)
    return state, key, easel.results(colorizer, state, key)


def test_results_are_those_of_colorize(easel, tiny_photos):
    hints = [{"x": 100, "y": 80, "rgb": "#aa4422"}]
    for values in ({}, {"hints": hints}, {"warmth": 4.0, "num_samples": 3}):
        state, _, found = _drawn(easel, tiny_photos, **values)
        expected = coloring.colorize(
            tiny_photos, easel.photo, state.sampling, state.steering)
        np.testing.assert_array_equal(found["ab"], expected.ab)
        np.testing.assert_array_equal(found["z"], expected.latents)
        np.testing.assert_array_equal(found["share"], expected.share)


def test_pictures_are_the_full_size_ones(easel, tiny_photos):
    state, key, _ = _drawn(easel, tiny_photos)
    expected = coloring.colorize(
        tiny_photos, easel.photo, state.sampling, state.steering).image(2)
    shown = _pixels(easel.result(key, 2, easel.whole(2048)))
    assert np.abs(shown.astype(int) - expected).mean() < 2  # JPEG
    part = _pixels(easel.result(key, 2, easel.part(40, 60, 200, 100, 1)))
    assert np.abs(part.astype(int) - expected[60:160, 40:240]).mean() < 2
    small = _pixels(easel.result(key, 2, easel.part(40, 60, 200, 100, 2)))
    assert small.shape == (50, 100, 3)
    reduced = expected[60:160, 40:240].reshape(50, 2, 100, 2, 3).mean((1, 3))
    assert np.abs(small - reduced).mean() < 4


def test_grey_has_the_luminance_and_no_colour(easel):
    grey = _pixels(easel.grey(easel.whole(2048)))
    assert (np.ptp(grey, axis=-1) == 0).all()
    difference = (skcolor.rgb2lab(grey)[..., 0]
                  - skcolor.rgb2lab(easel.photo.pixels)[..., 0])
    assert np.abs(difference).mean() < 0.6


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 2, 4, 8]),
       st.data())
def test_every_part_inside_is_shown(width, height, reduction, data):
    pixels = np.zeros([height, width, 3], np.uint8)
    easel = Easel(images.read(pixels), "checksum")
    left, top = (data.draw(st.integers(0, side - 1))
                 for side in (width, height))
    part = easel.part(left, top, data.draw(st.integers(1, width - left)),
                      data.draw(st.integers(1, height - top)), reduction)
    shown = _pixels(easel.original(part))
    assert shown.shape[:2] == (part.bottom - part.top, part.right - part.left)


@pytest.mark.parametrize("box, reduction", [
    ((0, 0, 401, 10), 1), ((0, 0, 0, 10), 1), ((400, 0, 1, 1), 1),
    ((0, 0, 10, 10), 3)])
def test_parts_outside_are_refused(easel, box, reduction):
    with pytest.raises(ValueError, match="must"):
        easel.part(*box, reduction)


def test_results_that_are_not_there_are_gone(easel, tiny_photos):
    _, key, found = _drawn(easel, tiny_photos)
    for asked, rank in (("0" * 24, 0), (None, 0), (key, 8)):
        with pytest.raises(Gone):
            easel.result(asked, rank, easel.whole(128))


def test_what_is_kept_in_memory_is_bounded(easel, tiny_photos):
    for seed in range(easels._RESULTS + 5):
        _drawn(easel, tiny_photos, seed=str(seed), num_samples=1)
    assert len(easel._results) == easels._RESULTS


def test_the_colours_at_a_point_are_those_of_the_draws(easel, tiny_photos):
    state, key, _ = _drawn(easel, tiny_photos)
    found = points.colors(easel, tiny_photos, state, key, 120, 90)
    shares = [color["share"] for color in found["colors"]]
    assert 1 <= len(shares) <= points.NUM_COLORS
    assert shares == sorted(shares, reverse=True)
    assert 0.8 < sum(shares) <= 1 + 1e-5
    pixel = easel.photo.pixels[90:91, 120:121]
    assert abs(found["lightness"] - skcolor.rgb2lab(pixel)[0, 0, 0]) < 0.01
    for rgb in [found["grey"], *found["results"],
                *(color["rgb"] for color in found["colors"])]:
        shown = np.frombuffer(bytes.fromhex(rgb[1:]), np.uint8)
        assert abs(skcolor.rgb2lab(shown)[0] - found["lightness"]) < 0.6
    # Interpolate each draw's colour at the point with NumPy.
    draws = easel.pool(tiny_photos, state, key)
    x, y = 120.5 / 400 * 32 - 0.5, 90.5 / 300 * 32 - 0.5
    i, j, u, v = int(y), int(x), y % 1, x % 1
    there = ((1 - u) * ((1 - v) * draws[:, i, j] + v * draws[:, i, j + 1])
             + u * ((1 - v) * draws[:, i + 1, j] + v * draws[:, i + 1, j + 1]))
    np.testing.assert_allclose(
        points._at(draws, easel, tiny_photos, 120, 90), there, atol=1e-3)


def test_two_groups_of_draws_are_two_colours():
    rng = np.random.default_rng(0)
    ab = np.concatenate([rng.normal([30, 10], 1, [60, 2]),
                         rng.normal([-20, 40], 1, [36, 2])]).astype(np.float32)
    (first, large), (second, small) = points._groups(ab)
    np.testing.assert_allclose(first, [30, 10], atol=1)
    np.testing.assert_allclose(second, [-20, 40], atol=1)
    assert large == pytest.approx(60 / 96) and small == pytest.approx(36 / 96)


def test_the_gamut_is_that_of_skimage():
    for lightness in (0, 12, 55, 97, 100):
        found = points.gamut(lightness)
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(
            found["picture"].partition(",")[2]))))
        size = len(picture)
        middle = size // 2
        assert picture.shape == (size, size, 4) and size % 2
        # The middle is grey; a increases to the right, b upwards.
        assert np.ptp(picture[middle, middle, :3].astype(int)) <= 1
        shown = picture[..., 3] > 0
        lab = skcolor.rgb2lab(picture[..., :3])
        steps = np.linspace(-found["radius"], found["radius"], size)
        b, a = np.meshgrid(steps[::-1], steps, indexing="ij")
        if lightness in (12, 55, 97):
            for channel, expected in ((1, a), (2, b)):
                assert np.abs(lab[..., channel] - expected)[shown].max() < 4
            assert np.abs(lab[..., 0] - lightness)[shown].max() < 1


def test_hints_that_contradict_each_other_are_told(easel, tiny_photos):
    hints = [{"x": 200, "y": 150, "rgb": "#2040d0"},
             {"x": 203, "y": 152, "rgb": "#d03020"},
             {"x": 200, "y": 150, "rgb": "#20d030", "muted": True}]
    state, key, found = _drawn(easel, tiny_photos, hints=hints)
    one, other, muted = points.of_hints(easel, tiny_photos, state, found)
    assert muted is None
    assert one["note"] == "contradicted" and one["against"] == 1
    assert other["note"] == "contradicted" and other["against"] == 0
    alone, key, found = _drawn(easel, tiny_photos, hints=hints[:1])
    only, = points.of_hints(easel, tiny_photos, alone, found)
    assert only["against"] is None and only["note"] != "contradicted"


def test_a_strong_colour_on_black_is_told(tiny_photos):
    black = Easel(images.read(np.zeros([40, 40, 3], np.uint8)), "black")
    state, key, found = _drawn(
        black, tiny_photos, hints=[{"x": 5, "y": 5, "rgb": "#e01010"}])
    hint, = points.of_hints(black, tiny_photos, state, found)
    assert hint["note"] in ("lightness", "missed")


def test_regions_are_the_soft_assignment(easel, tiny_photos):
    found = points.regions(easel, tiny_photos)
    levels = np.frombuffer(base64.b64decode(found["assignment"]), np.uint8)
    levels = levels.reshape(found["size"] ** 2, found["regions"])
    assert np.abs(levels.sum(axis=1).astype(int) - 255).max() <= 8
