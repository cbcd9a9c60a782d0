"""Latents that are palettes: (a, b) after (a, b), one colour per region."""

import tensorflow as tf

from tfdivcolor.utils.types import Tensor


def chroma(z: Tensor) -> Tensor:
    """Chroma of every colour: [B, S, 2M] -> [B, S, M], in units of z."""
    shape = tf.shape(z)
    return tf.norm(tf.reshape(
        z, [shape[0], shape[1], z.shape[-1] // 2, 2]), axis=-1)


def restore_chroma(centres: Tensor, draws: Tensor, own: Tensor,
                   pull: Tensor, largest: Tensor | float) -> Tensor:
    """Restores the chroma of the members in the means of palettes.

    The mean of a red and a green jacket is grey.  Every colour of a mean keeps
    its hue and gets the mean chroma of the colours it was made of, at most
    `largest` times its own.  If a mean was pulled to the middle of all
    draws, this chroma is pulled equally to the mean chroma of all draws.

    Args:
        centres: float32 [B, S, 2M]. Means of clusters of draws.
        draws: float32 [B, P, 2M].
        own: float32 [B, P, S]. 1 if a draw belongs to the cluster, else 0.
        pull: float32 [B, S, 1]. Position of each mean on the way from the
            middle (0) to the mean of its cluster (1).
        largest: float, or float32 [B, S, 1], 1 or more. Largest factor on the
            chroma of a colour.

    Returns:
        float32 [B, S, 2M].
    """
    count = tf.expand_dims(tf.reduce_sum(own, axis=1), -1)  # [B, S, 1]
    wanted = tf.matmul(own, chroma(draws), transpose_a=True)
    wanted /= tf.maximum(count, 1.0)
    wanted = pull * wanted + (1.0 - pull) * tf.reduce_mean(
        chroma(draws), axis=1, keepdims=True)
    # A mean without hue stays grey: 1e-4 is far below the visible.
    factor = wanted / tf.maximum(chroma(centres), 1e-4)
    factor = tf.clip_by_value(factor, 1.0, largest)
    return centres * tf.repeat(factor, 2, axis=-1)
