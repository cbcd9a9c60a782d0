"""Hints as weighted means of a field's pixels, and their target values."""

from collections.abc import Sequence

import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.settings import Hint
from tfdivcolor.utils.types import Tensor


def observations(hints: Sequence[Hint], width: int, height: int, canvas: int
                 ) -> tuple[Tensor, Tensor]:
    """Converts hints to weighted means of the canvas, and their targets.

    Args:
        hints: sequence of N `settings.Hint`, for one photograph.
        width, height: ints. Size of the photograph in pixels.
        canvas: int. Side of the fields in pixels.

    Returns:
        weights: float32 [N, canvas * canvas].
        targets: float32 [N, 2]. ab in CIE units, as given. They are neither
            darkened nor mapped into the gamut for the luminance of the pixel,
            because the rest of its region has other luminances.

    Raises:
        ValueError: if a hint lies outside the photograph.
    """
    for hint in hints:
        hint.check(width, height)
    positions = tf.constant(
        [canvas_position(hint.x, hint.y, width, height, canvas)
         for hint in hints], tf.float32, [len(hints), 2])
    _, targets = color.split(tf.constant(
        [hint.rgb for hint in hints], tf.uint8, [len(hints), 3]))
    return pixel_weights(positions, canvas), targets


def canvas_position(x: int, y: int, width: int, height: int, canvas: int
                    ) -> tuple[float, float]:
    """Position of a photograph's pixel on the canvas.

    The whole photograph is squashed to the canvas. The pixel gets the colour
    of the field there, except for what `upsampling` changes along edges.

    Args:
        x, y: ints. The pixel.
        width, height: ints. Size of the photograph.
        canvas: int. Side of the canvas in pixels.

    Returns:
        column, row: floats, 0 to canvas - 1.
    """
    def place(value, size):
        return min(max((value + 0.5) / size * canvas - 0.5, 0.0), canvas - 1.0)

    return place(x, width), place(y, height)


def pixel_weights(positions: Tensor, canvas: int) -> Tensor:
    """Bilinear weights of the pixels around points.

    Args:
        positions: float32 [N, 2]. Column and row, 0 to canvas - 1.
        canvas: int.

    Returns:
        float32 [N, canvas * canvas], with rows of sum 1.
    """
    pixels = tf.range(canvas, dtype=tf.float32)
    near = tf.maximum(1.0 - tf.abs(positions[..., None] - pixels), 0.0)
    return tf.reshape(near[:, 1, :, None] * near[:, 0, None, :],
                      [-1, canvas * canvas])


def means(fields: Tensor, weights: Tensor) -> Tensor:
    """Weighted means of fields; with `observations`, the colours at hints.

    Args:
        fields: float32 [B, S, canvas, canvas, 2].
        weights: float32 [N, canvas * canvas].

    Returns:
        float32 [B, S, N, 2].
    """
    shape = tf.shape(fields)
    return tf.matmul(weights, tf.reshape(
        fields, [shape[0], shape[1], shape[2] * shape[3], 2]))
