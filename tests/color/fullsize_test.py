"""The compiled loops for large pictures against TensorFlow and skimage."""

import concurrent.futures

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from skimage import color as skcolor, data

from tfdivcolor.color import canvas, fullsize

# The error of L that rounding may cost; and the share of values that may differ
# from TensorFlow's.
JOINS = {"uint8": (fullsize.join, canvas.join, 0.5, 2e-4),
         "uint16": (fullsize.join_16, canvas.join_16, 0.01, 2e-2)}
# The search for the gamut's border may end one step earlier or later.
STEP = 0.04  # units of chroma


@pytest.fixture(autouse=True)
def every_picture_is_large(monkeypatch):
    monkeypatch.setattr(fullsize, "LARGE", 1)


def _picture(seed, height, width, cells=8, reach=60):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 100, [height, width, 1])
    return (coarse.astype(np.float32),
            rng.normal(0, reach, [cells, cells, 2]).astype(np.float32))


@pytest.mark.parametrize("kind", JOINS)
@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(
    height=st.integers(1, 90), width=st.integers(1, 90),
    cells=st.integers(1, 64), reach=st.sampled_from([0, 5, 30, 1000]),
    seed=st.integers(0, 2**32 - 1))
def test_join_is_that_of_tensorflow(kind, height, width, cells, reach, seed):
    join, plain, error, _ = JOINS[kind]
    luminance, ab = _picture(seed, height, width, cells, reach)
    found, expected = join(luminance, ab), plain(luminance, ab).numpy()
    assert found.dtype == kind and found.shape == expected.shape
    lab, wanted = (skcolor.rgb2lab(pixels / np.float64(np.iinfo(kind).max))
                   for pixels in (found, expected))
    assert np.abs(lab[..., :1] - luminance).max() <= error + 1e-3
    if kind == "uint8":
        assert np.abs(found.astype(int) - expected).max() <= 1
    else:
        assert np.linalg.norm(lab - wanted, axis=-1).max() < STEP + 0.03


@pytest.mark.parametrize("kind", JOINS)
def test_join_over_a_large_photograph(kind):
    join, plain, _, share = JOINS[kind]
    pixels = np.tile(data.astronaut(), [2, 3, 1])[:, :1301]
    luminance = canvas.luminance_of(pixels).numpy()
    for reach in (10, 80):
        _, ab = _picture(0, 1, 1, 64, reach)
        found, expected = join(luminance, ab), plain(luminance, ab).numpy()
        assert (found != expected).mean() < share


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_luminance_is_that_of_skimage(dtype):
    most = np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, most + 1, [300, 200, 3]).astype(dtype)
    pixels[:100] //= 50  # dark ones, where the curves bend
    pixels[0, :2] = [[0] * 3, [most] * 3]
    found = fullsize.luminance_of(pixels)
    assert found.dtype == np.float32 and found.shape == (300, 200, 1)
    expected = skcolor.rgb2lab(pixels / np.float64(most))[..., :1]
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert 0 <= found[0, 0, 0] < 1e-5 and 99.9999 < found[0, 1, 0] <= 100


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_largest_error_of_luminance(dtype, monkeypatch):
    pixels = np.random.default_rng(1).integers(
        0, np.iinfo(dtype).max, [40, 50, 3]).astype(dtype)
    luminance = skcolor.rgb2lab(pixels / np.float64(np.iinfo(dtype).max))[
        ..., :1].astype(np.float32)
    assert fullsize.luminance_error(pixels, luminance) < 1e-3
    luminance[31, 7] -= 2.5
    found = fullsize.luminance_error(pixels, luminance)
    assert found == pytest.approx(2.5, abs=1e-3)
    monkeypatch.setattr(fullsize, "LARGE", 10_000)
    assert fullsize.luminance_error(pixels, luminance) == pytest.approx(
        found, abs=1e-3)


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(height=st.integers(1, 300), width=st.integers(1, 300),
                  size=st.integers(1, 130), seed=st.integers(0, 99))
@hypothesis.example(height=1, width=150, size=127, seed=0)
def test_on_the_canvas_as_tensorflow(height, width, size, seed):
    luminance = np.random.default_rng(seed).uniform(
        0, 100, [height, width, 1]).astype(np.float32)
    found = fullsize.on_canvas(luminance, size)
    assert found.dtype == np.float32 and found.shape == (size, size, 1)
    # TensorFlow computes places in float32. A place beside the true one counts
    # 100 times between a black and a white pixel.
    place = np.spacing(np.float32(max(height, width)))
    np.testing.assert_allclose(
        found, canvas.on_canvas(luminance, size), atol=1e-3 + 100 * place)


def test_a_grey_picture_stays_grey():
    luminance, _ = _picture(3, 50, 70)
    pixels = fullsize.join(luminance, np.zeros([1, 1, 2], np.float32))
    assert (pixels == pixels[..., :1]).all()


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        fullsize.luminance_of(np.zeros([4, 4, 3], np.int32))


def test_threads_do_not_disturb_each_other():
    luminance, ab = _picture(1, 400, 500, reach=80)
    alone = fullsize.join(luminance, ab)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for pixels in threads.map(
                lambda _: fullsize.join(luminance, ab), range(12)):
            np.testing.assert_array_equal(pixels, alone)


def test_small_pictures_are_those_of_graphs(monkeypatch):
    monkeypatch.setattr(fullsize, "LARGE", 10_000)
    luminance, ab = _picture(2, 99, 101)
    np.testing.assert_array_equal(
        fullsize.join(luminance, ab), canvas.join(luminance, ab))
