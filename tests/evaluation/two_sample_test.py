"""Measures of realism on toys whose answer is known."""

import random

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tfdivcolor.evaluation import two_sample


def _pictures(count, seed=0):
    """Grey pictures with two independent colourings of the same kind."""
    rng = np.random.default_rng(seed)
    luminance = rng.uniform(20, 80, size=(count, 16, 16, 1))
    truth, results = rng.normal(0, 0.1, size=(2, count, 16, 16, 2))
    return luminance, truth, results


@pytest.mark.slow
def test_auc_of_colours_from_one_distribution():
    # One standard error of 64 pictures is about 0.05.
    assert two_sample.two_sample_auc(*_pictures(64)) == pytest.approx(
        0.5, abs=0.2)


@pytest.mark.slow
def test_auc_of_tinted_results():
    luminance, truth, results = _pictures(24)
    assert two_sample.two_sample_auc(
        luminance, truth, results + [0.1, 0.0]) > 0.95


@pytest.mark.slow
def test_auc_of_colours_that_ignore_the_grey_picture():
    luminance, _, _ = _pictures(32)
    # As many red and green fields in both; only the truth follows the grey.
    luminance += np.where(np.arange(32) % 2, 15, -15)[:, None, None, None]
    red = np.where(np.arange(32) % 2, 0.2, -0.2)[:, None, None, None]
    truth = np.broadcast_to(red, [32, 16, 16, 2])
    assert two_sample.two_sample_auc(luminance, truth, -truth) > 0.95


@pytest.fixture
def few_steps(monkeypatch):
    """For what holds after any training."""
    monkeypatch.setattr(two_sample, "_STEPS", 5)


def test_auc_of_the_truth_itself(few_steps):
    luminance, truth, _ = _pictures(5)
    assert two_sample.two_sample_auc(luminance, truth, truth) == 0.5


@pytest.mark.slow
def test_auc_repeats_and_leaves_random_states_alone(few_steps):
    pictures = _pictures(12)
    keras.utils.set_random_seed(3)
    first = two_sample.two_sample_auc(*pictures, seed=1)
    numbers = random.random(), np.random.rand(), keras.random.uniform([])
    keras.utils.set_random_seed(3)
    assert numbers == (
        random.random(), np.random.rand(), keras.random.uniform([]))
    assert two_sample.two_sample_auc(*pictures, seed=1) == first


@settings(deadline=None, max_examples=30)
@given(low=st.lists(st.integers(0, 4), min_size=1, max_size=9),
       high=st.lists(st.integers(0, 4), min_size=1, max_size=9))
def test_area_by_loop_with_ties(low, high):
    expected = np.mean([(b > a) + 0.5 * (b == a) for a in low for b in high])
    assert two_sample._area(np.array(low), np.array(high)) == pytest.approx(
        expected)


def test_too_few_pictures_or_shapes_that_differ():
    luminance, truth, results = _pictures(4)
    with pytest.raises(ValueError, match=r"N of 4 or more.*received \[3, 16"):
        two_sample.two_sample_auc(luminance[:3], truth[:3], results[:3])
    with pytest.raises(ValueError, match=r"results must be \[4, 16, 16, 2\]"):
        two_sample.two_sample_auc(luminance, truth, results[:, None])


def test_histograms_that_are_equal():
    rng = np.random.default_rng(0)
    truth = rng.uniform(-0.8, 0.7, size=(3, 4, 4, 2))
    # Neither order nor number of fields matters.
    results = np.stack([truth[::-1], truth, truth[:, ::-1]])
    assert two_sample.histogram_distance(truth, results) == pytest.approx(0)


@settings(deadline=None, max_examples=30)
@given(moved=st.integers(0, 20), a=st.floats(-0.8, 0.7), b=st.floats(-0.8, 0.7))
def test_distance_is_the_share_of_pixels_that_moved(moved, a, b):
    truth = np.tile([a, b], [20, 1])
    results = truth.copy()
    results[:moved] += 4 / 128  # one bin further in both directions
    assert two_sample.histogram_distance(truth, results) == pytest.approx(
        moved / 20)


def test_grey_is_in_the_middle_of_a_bin():
    near = np.random.default_rng(0).uniform(-1.9, 1.9, size=(50, 2)) / 128
    assert two_sample.histogram_distance(np.zeros([10, 2]), near) == 0


def test_colours_beyond_the_last_bin_count_in_it():
    assert two_sample.histogram_distance(
        np.array([[1.5, -1.5]]), np.array([[0.99, -0.99]])) == 0
