"""Pipelines without tf.data's autotuner."""

import time

import pytest
import tensorflow as tf

from tfdivcolor.data import no_autotune


def test_all_that_is_made_of_it_goes_without():
    dataset = no_autotune.untuned(tf.data.Dataset.range(3)).map(lambda x: 2 * x)
    assert dataset.batch(2).options().autotune.enabled is False
    assert list(dataset.as_numpy_iterator()) == [0, 2, 4]


@pytest.mark.slow
def test_the_end_of_an_iterator_does_not_wait():
    iterators = [iter(no_autotune.untuned(
        tf.data.Dataset.range(10**9).map(tf.square, no_autotune.PARALLEL)
        .prefetch(no_autotune.AHEAD))) for _ in range(16)]
    start = time.monotonic()
    # The autotuner sleeps ever longer, up to half of this.
    while time.monotonic() < start + 12:
        for iterator in iterators:
            next(iterator)
    while iterators:
        start = time.monotonic()
        iterators.pop()
        assert time.monotonic() - start < 1
