"""Hints as weighted means of a field's pixels, and their target values."""

from collections.abc import Sequence
from typing import Any

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
    return observed(
        tf.constant([(hint.x, hint.y) for hint in hints], tf.float64,
                    [len(hints), 2]),
        tf.constant([hint.rgb for hint in hints], tf.float32,
                    [len(hints), 3]), width, height, canvas)


def observed(points: Tensor, colors: Tensor, width: int | Tensor,
             height: int | Tensor, canvas: int) -> tuple[Tensor, Tensor]:
    """`observations` of hints in tensors, for graphs too.

    Args:
        points: float [N, 2]. Columns and rows inside the photograph, whole.
        colors: float32 [N, 3]. sRGB, whole numbers of 0..255.
        width, height, canvas: as in `observations`; the first two may be int32
            scalars.

    Returns:
        weights, targets: as of `observations`.
    """
    # In 64 bits: a pixel's position has more digits than 32 bits hold.
    x, y = tf.unstack(tf.cast(points, tf.float64), axis=1)
    width, height = (tf.cast(size, tf.float64) for size in (width, height))
    positions = tf.cast(tf.stack(
        canvas_position(x, y, width, height, canvas), axis=-1), tf.float32)
    _, targets = color.split(tf.cast(colors, tf.uint8))
    return pixel_weights(positions, canvas), targets


def beyond_gamut(lightness: Tensor, targets: Tensor) -> Tensor:
    """Computes how much of each hint's colour its pixel cannot show.

    Args:
        lightness: float32 [N, 1], 0..100. Luminance of the hints' pixels.
        targets: float32 [N, 2], from `observations`.

    Returns:
        float32 [N], ab units: the chroma that sRGB excludes at this luminance,
        0 if the pixel can have the colour.
    """
    return tf.norm(targets - color.map_to_gamut(lightness, targets), axis=-1)


def canvas_position(x: Any, y: Any, width: Any, height: Any, canvas: int
                    ) -> tuple[Tensor, Tensor]:
    """Position of a photograph's pixel on the canvas.

    The whole photograph is squashed to the canvas. The pixel gets the colour
    of the field there, except for what `upsampling` changes along edges.

    Args:
        x, y: ints, or float64 [N]. The pixel, or pixels.
        width, height: ints, or float64 scalars. Size of the photograph.
        canvas: int. Side of the canvas in pixels.

    Returns:
        column, row: tensors of the shape of x, 0 to canvas - 1.
    """
    def place(value, size):
        return tf.clip_by_value(
            (value + 0.5) / size * canvas - 0.5, 0.0, canvas - 1.0)

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
