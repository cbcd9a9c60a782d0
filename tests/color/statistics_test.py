"""Streaming statistics against the dense computation of the same figures."""

import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings as hypothesis_settings, strategies as st
from scipy import ndimage

from tfdivcolor import data
from tfdivcolor.color import statistics

CANVAS = 8
D0 = CANVAS * CANVAS * 2


def fields(count, seed=0):
    """ab fields, CIE units, with a few strong directions and noise."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=[6, D0])
    factors = rng.normal(size=[count, 6]) * [20, 14, 10, 7, 5, 3.5]
    rows = 8 + factors @ directions / 3 + rng.normal(size=[count, D0])
    return rows.reshape([count, CANVAS, CANVAS, 2]).astype(np.float32)


def batches(ab, sizes):
    start = 0
    for size in sizes:
        yield {"ab": tf.constant(ab[start:start + size])}
        start += size


@pytest.fixture(scope="module")
def computed():
    ab = fields(1000)
    return ab, statistics.compute(
        batches(ab, [256, 256, 256, 229, 3]), num_components=5)


def test_mean_and_components_are_those_of_the_dense_computation(computed):
    ab, result = computed
    rows = ab.reshape([len(ab), -1]).astype(np.float64) / 128
    np.testing.assert_allclose(result.mean, rows.mean(0), atol=1e-5)
    _, singular, directions = np.linalg.svd(
        rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(
        result.stddev, singular[:5] / np.sqrt(len(ab) - 1), rtol=1e-3)
    np.testing.assert_allclose(
        result.components @ result.components.T, np.eye(5), atol=1e-5)
    cosines = np.linalg.svd(
        result.components @ directions[:5].T, compute_uv=False)
    assert cosines.min() > 0.9995
    along = np.abs(np.sum(result.components * directions[:5], axis=1))
    assert along.min() > 0.999


@pytest.mark.parametrize("sizes", [[1] * 30, [30], [29, 1], [1, 29]])
def test_small_sets_and_odd_batches_are_exact(sizes):
    ab = fields(30)
    rows = ab.reshape([30, -1]).astype(np.float64) / 128
    singular = np.linalg.svd(rows - rows.mean(0), compute_uv=False)
    result = statistics.compute(batches(ab, sizes), num_components=20)
    np.testing.assert_allclose(
        result.stddev, singular[:20] / np.sqrt(29), rtol=1e-3)


def test_weights_are_the_formula_on_numpys_histogram(computed):
    ab, result = computed
    edges = np.arange(-115, 116, 10)
    pixels = np.clip(ab.reshape([-1, 2]), -115, 115)
    counts = np.histogram2d(pixels[:, 0], pixels[:, 1], [edges, edges])[0]
    frequency = counts / counts.sum()
    smooth = ndimage.gaussian_filter(frequency, 0.5, mode="constant")
    occupied = (counts > 0).sum()
    expected = 1 / (0.5 * smooth / smooth.sum() + 0.5 / occupied)
    expected /= (frequency * expected).sum()
    np.testing.assert_allclose(result.ab_weights, expected, rtol=1e-5)


def test_weights_are_one_on_average_and_larger_for_rare_colours(computed):
    ab, result = computed
    weights = result.pixel_weights(tf.constant(ab))
    assert weights.shape == ab.shape[:-1]
    np.testing.assert_allclose(np.mean(weights), 1.0, rtol=1e-5)
    common, rare = result.pixel_weights([[8.0, 8.0], [80.0, -80.0]])
    assert common < 1 < rare


def test_weights_of_a_photo_set_are_one_on_average():
    # Photo sets hold float16, where values on a bin's border are common.
    ab = np.round(fields(40)).astype(np.float16)
    lab = np.concatenate([np.full_like(ab[..., :1], 50), ab], axis=-1)
    photographs = data.PhotoSet(lab, [str(i) for i in range(40)], [], CANVAS)
    result = statistics.compute(photographs, num_components=3)
    assert result.canvas == CANVAS
    weights = result.pixel_weights(ab.astype(np.float32))
    np.testing.assert_allclose(np.mean(weights), 1.0, rtol=1e-5)
    np.testing.assert_allclose(
        result.mean, ab.astype(np.float64).mean(0).ravel() / 128, atol=1e-6)


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-300, 300, width=32), min_size=2, max_size=2))
def test_every_pixel_gets_the_weight_of_the_nearest_bin(ab):
    table = np.arange(23 * 23, dtype=np.float32).reshape([23, 23])
    result = statistics.ColorStatistics(
        np.zeros(8, np.float32), np.zeros([0, 8], np.float32),
        np.zeros(0, np.float32), table)
    a, b = divmod(int(result.pixel_weights(tf.constant(ab))), 23)
    centres = np.arange(-110, 111, 10)
    for value, index in zip(ab, (a, b)):
        assert abs(value - centres[index]) <= (
            np.abs(value - centres).min() + 1e-4)


def test_save_and_load_keep_every_array(computed, tmp_path):
    path = tmp_path / "colours.stats"
    computed[1].save(path)
    loaded = statistics.ColorStatistics.load(path)
    for name in ("mean", "components", "stddev", "ab_weights"):
        np.testing.assert_array_equal(
            getattr(loaded, name), getattr(computed[1], name))
    assert [file.name for file in tmp_path.iterdir()] == ["colours.stats"]


def damaged(path, arrays):
    path.write_bytes(b"PK\x03\x04 no archive")


def missing_array(path, arrays):
    del arrays["stddev"]
    np.savez(path, **arrays)


def wrong_shape(path, arrays):
    np.savez(path, **{**arrays, "stddev": np.zeros(3, np.float32)})


def pickled(path, arrays):
    np.savez(path, **{**arrays, "mean": np.array([None])})


@pytest.mark.parametrize(
    "spoil", [damaged, missing_array, wrong_shape, pickled])
def test_a_bad_file_is_an_error_that_names_it(computed, tmp_path, spoil):
    path = tmp_path / "bad.npz"
    spoil(path, dict(vars(computed[1])))
    with pytest.raises(ValueError, match="bad.npz: not a file of colour"):
        statistics.ColorStatistics.load(path)


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match="none.npz"):
        statistics.ColorStatistics.load(tmp_path / "none.npz")


@pytest.mark.parametrize("count, components", [(5, 5), (200, D0 + 1), (5, 0)])
def test_too_many_or_no_components_are_an_error(count, components):
    with pytest.raises(ValueError, match="num_components"):
        statistics.compute(batches(fields(count), [count]), components)


def test_no_pictures_are_an_error():
    with pytest.raises(ValueError, match="num_components"):
        statistics.compute([], 1)


def test_missing_scikit_learn_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(ImportError, match=r"tfdivcolor\[train\]"):
        statistics.compute(batches(fields(5), [5]), 2)
