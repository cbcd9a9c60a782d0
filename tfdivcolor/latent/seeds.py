"""Stateless random numbers, with one independent stream for every picture.

A *stream key* is the pair ``(purpose, seed)``: the purpose states the use of
the numbers, the seed (int64) belongs to one picture.  The key has no row index,
batch size or call counter, so the numbers of a picture do not depend on the
other pictures of the batch, and the same seed always gives the same numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import tensorflow as tf

from tfdivcolor.utils.types import Tensor

# One constant for every use of randomness.  A new use takes a new number, so
# that no two uses share a stream.
COMPONENT = 1
LATENT = 2
FACTOR = 3
POSTERIOR = 4
AUGMENT = 5
SHUFFLE = 6
COMPONENT_DRAWS = 7
FILM = 8
GRAIN = 9
SHARE_COMPONENT = 10
SHARE_LATENT = 11
SHARE_FACTOR = 12

# Streams for `plain_tensorflow.draw`: of results, and of the draws that count
# shares.
RESULTS = (COMPONENT, LATENT, FACTOR)
SHARES = (SHARE_COMPONENT, SHARE_LATENT, SHARE_FACTOR)


@dataclass(frozen=True)
class Given:
    """Random numbers from the caller. They take the place of a seed.

    Attributes:
        numbers: dict from a purpose to float32 [B, *shape], the numbers of
            all B pictures in the shape that the draw for the purpose has.
    """

    numbers: Mapping[int, Tensor]


def normal(purpose: int, seed: Tensor | Given, shape: Sequence) -> Tensor:
    """Standard normal numbers, with one stream per picture.

    Args:
        purpose: int. One of the constants of this module.
        seed: int64 tensor [B], the seeds of the pictures; or `Given`, which
            has the numbers already.
        shape: sequence of ints or int32 scalars. Shape of one picture's draw.

    Returns:
        float32 tensor [B, *shape].
    """
    return _draw(tf.random.stateless_normal, purpose, seed, shape)


def uniform(purpose: int, seed: Tensor | Given, shape: Sequence) -> Tensor:
    """Uniform numbers in [0, 1), one stream per picture; see `normal`."""
    return _draw(tf.random.stateless_uniform, purpose, seed, shape)


def _draw(function, purpose, seed, shape):
    if isinstance(seed, Given):
        return seed.numbers[purpose]
    seed = tf.cast(seed, tf.int64)
    # Pictures with the same seed, as by default, share one draw.
    different, place = tf.unique(seed)
    keys = tf.stack([tf.fill(tf.shape(different),
                             tf.constant(purpose, tf.int64)),
                     different], axis=-1)  # [B or less, 2]
    drawn = tf.map_fn(
        lambda key: function(shape, key), keys,
        # None stands for any shape, which TensorFlow's stubs do not know.
        fn_output_signature=tf.TensorSpec(
            None, tf.float32))  # pyright: ignore[reportArgumentType]
    # The loop does not know the inner sizes, especially for an empty batch.
    return tf.gather(
        tf.reshape(drawn, [tf.shape(different)[0], *shape]), place)
