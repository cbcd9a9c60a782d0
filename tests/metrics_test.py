"""Measures against loops and closed forms."""

import numpy as np
import pytest

from tfdivcolor import metrics

RNG = np.random.default_rng(0)
SAMPLES = RNG.normal(size=(2, 4, 3, 3, 2))
TRUTH = RNG.normal(size=(2, 3, 3, 2))


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


def test_k_outside_the_samples():
    with pytest.raises(ValueError, match=r"k must be 1 to 4.*received 5"):
        metrics.error_of_best(SAMPLES, TRUTH, 5)


def test_variance_of_two_opposite_fields_is_their_square():
    field = TRUTH[:, None]
    np.testing.assert_allclose(
        metrics.variance(np.concatenate([field, -field], axis=1)),
        np.square(TRUTH).mean(axis=(1, 2, 3)))


def test_chroma_of_a_three_four_five_field():
    field = np.tile([0.3, -0.4], (2, 5, 7, 1))
    np.testing.assert_allclose(metrics.chroma(field), [0.5, 0.5])
