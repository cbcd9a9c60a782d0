"""Streams of random numbers."""

import numpy as np
import tensorflow as tf
from scipy import stats

from tfdivcolor.latent import seeds


def test_a_row_does_not_depend_on_its_batch_mates():
    together = seeds.normal(seeds.LATENT, tf.constant([5, -7, 2**62]), [4, 3])
    alone = seeds.normal(seeds.LATENT, tf.constant([-7], tf.int64), [4, 3])
    assert together.shape == (3, 4, 3)
    np.testing.assert_array_equal(together[1:2], alone)


def test_pictures_of_one_seed_have_the_same_numbers_as_alone():
    together = seeds.normal(seeds.LATENT, tf.constant([5, 9, 5, 5]), [4, 3])
    for row, seed in enumerate([5, 9, 5, 5]):
        alone = seeds.normal(
            seeds.LATENT, tf.constant([seed], tf.int64), [4, 3])
        np.testing.assert_array_equal(together[row], alone[0])


def test_purposes_and_seeds_give_different_numbers():
    one = tf.constant([1], tf.int64)
    values = [float(seeds.uniform(purpose, seed, [1])[0, 0])
              for purpose in (seeds.COMPONENT, seeds.LATENT, seeds.FACTOR)
              for seed in (one, one + 1, one + 2**33)]
    assert len(set(values)) == len(values)


def test_distributions():
    many = tf.range(2000, dtype=tf.int64)
    normal = seeds.normal(seeds.LATENT, many, [2]).numpy().ravel()
    uniform = seeds.uniform(seeds.LATENT, many, [2]).numpy().ravel()
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3


def test_shape_may_be_a_tensor_and_the_batch_empty():
    drawn = seeds.normal(seeds.LATENT, tf.zeros([0], tf.int64),
                         [tf.constant(4), 2])
    assert drawn.shape == (0, 4, 2)


def test_given_numbers_take_the_place_of_drawn_ones():
    numbers = tf.constant([[0.5, 0.25]])
    given = seeds.Given({seeds.LATENT: numbers})
    assert seeds.normal(seeds.LATENT, given, [2]) is numbers
