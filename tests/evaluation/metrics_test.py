"""Measures against loops and closed forms."""

import itertools

import numpy as np
import pytest
from scipy import signal

from tfdivcolor.evaluation import metrics

RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(2, 4, 3, 3, 2))
TRUTH = RNG.normal(size=(2, 3, 3, 2))
RGB_SAMPLES = RNG.integers(0, 256, size=(2, 4, 3, 3, 3), dtype=np.uint8)
RGB_TRUTH = RNG.integers(0, 256, size=(2, 3, 3, 3), dtype=np.uint8)


def test_errors_by_result_by_loop():
    expected = [[np.mean(np.abs(SAMPLES[b, s] - TRUTH[b]))
                 for s in range(4)] for b in range(2)]
    np.testing.assert_allclose(
        metrics.errors_by_result(SAMPLES, TRUTH), expected)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_error_of_best_by_loop(k):
    expected = [min(np.mean(np.abs(SAMPLES[b, s] - TRUTH[b]))
                    for s in range(k)) for b in range(2)]
    np.testing.assert_allclose(
        metrics.error_of_best(SAMPLES, TRUTH, k), expected)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_pixel_oracle_by_loop(k):
    expected = [np.mean([min(abs(SAMPLES[b, s, y, x, c] - TRUTH[b, y, x, c])
                             for s in range(k))
                         for y in range(3) for x in range(3)
                         for c in range(2)]) for b in range(2)]
    np.testing.assert_allclose(
        metrics.error_of_best_pixel(SAMPLES, TRUTH, k), expected)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_rgb_error_by_loop(k):
    expected = []
    for b in range(2):
        squares = [min((float(RGB_SAMPLES[b, s, y, x, c])
                        - float(RGB_TRUTH[b, y, x, c])) ** 2
                       for s in range(k)) / 255 ** 2
                   for y in range(3) for x in range(3) for c in range(3)]
        expected.append(100 * np.sqrt(np.mean(squares)))
    np.testing.assert_allclose(
        metrics.rgb_error_best_pixel(RGB_SAMPLES, RGB_TRUTH, k), expected)


def test_rgb_error_of_white_for_black_is_a_hundred():
    black = np.zeros([1, 2, 2, 3], np.uint8)
    white = np.full([1, 1, 2, 2, 3], 255, np.uint8)
    assert metrics.rgb_error_best_pixel(white, black, 1) == [100.0]


@pytest.mark.parametrize("k", [0, 5])
@pytest.mark.parametrize("measure, samples, truth", [
    (metrics.error_of_best, SAMPLES, TRUTH),
    (metrics.error_of_best_pixel, SAMPLES, TRUTH),
    (metrics.rgb_error_best_pixel, RGB_SAMPLES, RGB_TRUTH),
])
def test_k_outside_the_samples(measure, samples, truth, k):
    with pytest.raises(ValueError, match=rf"k must be 1 to 4.*received {k}"):
        measure(samples, truth, k)


def test_weighted_error_counts_a_pixel_by_its_weight():
    truth = np.zeros([1, 1, 2, 2])
    fields = np.array([[[[0.1, 0.3], [0.0, 0.4]]]])
    weights = np.array([[[0.5, 2.0]]])
    np.testing.assert_allclose(
        metrics.weighted_error(fields, truth, weights),
        [(0.5 * (0.1 + 0.3) + 2.0 * 0.4) / 4])
    np.testing.assert_allclose(
        metrics.weighted_error(fields, truth, np.ones([1, 1, 2])),
        metrics.error_of_best(fields[:, None], truth, 1))


def test_weights_of_another_shape():
    with pytest.raises(ValueError, match=r"pixel_weights.*received \[2, 3\]"):
        metrics.weighted_error(TRUTH, TRUTH, np.ones([2, 3]))


def test_variance_of_two_opposite_fields_is_their_square():
    field = TRUTH[:, None]
    np.testing.assert_allclose(
        metrics.variance(np.concatenate([field, -field], axis=1)),
        np.square(TRUTH).mean(axis=(1, 2, 3)))


def test_chroma_of_a_three_four_five_field():
    field = np.tile([0.3, -0.4], (2, 5, 7, 1))
    np.testing.assert_allclose(metrics.chroma(field), [0.5, 0.5])


def test_colourfulness_of_half_red_half_blue():
    rgb = np.zeros([1, 2, 4, 3], np.uint8)
    rgb[0, :, :2, 0] = 255
    rgb[0, :, 2:, 2] = 255
    # rg is 255 or 0, yb 127.5 or -255.
    spread = np.hypot(255 / 2, (127.5 + 255) / 2)
    offset = np.hypot(255 / 2, (127.5 - 255) / 2)
    np.testing.assert_allclose(
        metrics.colourfulness(rgb), [spread + 0.3 * offset])


def test_colourfulness_of_greys_is_zero():
    grey = np.repeat(RGB_TRUTH[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(metrics.colourfulness(grey), [0, 0])


def test_colourfulness_takes_every_result_on_its_own():
    expected = [np.mean([metrics.colourfulness(RGB_SAMPLES[b, s][None])
                         for s in range(4)]) for b in range(2)]
    np.testing.assert_allclose(metrics.colourfulness(RGB_SAMPLES), expected)


def _ms_ssim(x, y):
    """MS-SSIM of two [H, W] images in 0..2, from the published equations."""
    offsets = np.arange(7) - 3
    window = np.exp(-(offsets[:, None] ** 2 + offsets ** 2) / (2 * 1.5 ** 2))
    window /= window.sum()

    def local(image):
        return signal.correlate2d(image, window, mode="valid")

    powers = np.array([0.0448, 0.2856, 0.3001]) / 0.6305
    value = 1.0
    for scale, power in enumerate(powers):
        if scale:
            x, y = (image.reshape(
                len(image) // 2, 2, -1, 2).mean(axis=(1, 3))
                for image in (x, y))
        mean_x, mean_y = local(x), local(y)
        term = ((2 * (local(x * y) - mean_x * mean_y) + 0.06 ** 2)
                / (local(x * x) - mean_x ** 2 + local(y * y) - mean_y ** 2
                   + 0.06 ** 2))
        if scale == len(powers) - 1:
            term = term * ((2 * mean_x * mean_y + 0.02 ** 2)
                           / (mean_x ** 2 + mean_y ** 2 + 0.02 ** 2))
        value *= max(term.mean(), 0.0) ** power
    return value


def test_ms_ssim_by_its_equations():
    rng = np.random.default_rng(1)
    coarse = rng.uniform(-0.5, 0.5, size=(2, 3, 4, 4, 2))
    samples = np.kron(coarse, np.ones([8, 8, 1])) + rng.normal(
        0, 0.05, size=(2, 3, 32, 32, 2))
    expected = [np.mean([
        _ms_ssim(samples[b, i, ..., c] + 1, samples[b, j, ..., c] + 1)
        for i, j in itertools.combinations(range(3), 2) for c in range(2)])
        for b in range(2)]
    np.testing.assert_allclose(
        metrics.ms_ssim(samples), expected, atol=1e-5)


def test_ms_ssim_of_equal_and_of_opposite_results():
    field = np.random.default_rng(2).uniform(-0.8, 0.8, size=(1, 1, 25, 25, 2))
    np.testing.assert_allclose(
        metrics.ms_ssim(np.concatenate([field, field, field], axis=1)), [1],
        atol=1e-6)
    # Their structure terms are negative.
    opposite = metrics.ms_ssim(np.concatenate([field, -field], axis=1))
    np.testing.assert_array_equal(opposite, [0])


def test_ms_ssim_of_what_cannot_be_compared():
    with pytest.raises(ValueError, match="2 or more results.*received 1"):
        metrics.ms_ssim(np.zeros([1, 1, 32, 32, 2]))
    with pytest.raises(ValueError, match="25 pixels.*received 32 x 24"):
        metrics.ms_ssim(np.zeros([1, 2, 32, 24, 2]))


def test_nearest_by_loop():
    expected = []
    for b in range(2):
        distances = [np.sqrt(sum(
            (SAMPLES[b, s, y, x, c] - TRUTH[b, y, x, c]) ** 2
            for y in range(3) for x in range(3) for c in range(2)))
            for s in range(4)]
        expected.append(distances.index(min(distances)))
    np.testing.assert_array_equal(metrics.nearest(SAMPLES, TRUTH), expected)
    same = np.repeat(TRUTH[:, None], 3, axis=1)
    np.testing.assert_array_equal(metrics.nearest(same, TRUTH), [0, 0])


def test_share_calibration_by_loop():
    share = RNG.dirichlet([1, 2, 3], size=50)
    share[0] = [0.2, 0.0, 0.8]  # on borders
    share[1] = [1.0, 0.0, 0.0]
    nearest = RNG.integers(0, 3, size=50)
    edges = (0.0, 0.2, 0.5, 1.0)
    found = metrics.share_calibration(share, nearest, edges)
    assert [row["rank"] for row in found["ranks"]] == [1, 2, 3]
    for i, row in enumerate(found["ranks"]):
        assert row["results"] == 50
        assert row["promised"] == pytest.approx(share[:, i].mean())
        assert row["kept"] == pytest.approx(np.mean(nearest == i))
    for row, low, high in zip(
            found["bins"], edges[:-1], edges[1:], strict=True):
        promised, kept = [], []
        for n in range(50):
            for i in range(3):
                value = share[n, i]
                if low <= value < high or value == high == 1:
                    promised.append(value)
                    kept.append(nearest[n] == i)
        assert (row["low"], row["high"]) == (low, high)
        assert row["results"] == len(promised)
        assert row["promised"] == pytest.approx(np.mean(promised))
        assert row["kept"] == pytest.approx(np.mean(kept))
    assert sum(row["results"] for row in found["bins"]) == 150


def test_a_bin_without_results_says_nothing():
    found = metrics.share_calibration(
        np.array([[0.9, 0.1]]), np.array([0]), (0.0, 0.5, 0.8, 1.0))
    assert found["bins"][1] == {"low": 0.5, "high": 0.8, "results": 0,
                                "promised": None, "kept": None}
    assert found["bins"][2]["kept"] == 1
