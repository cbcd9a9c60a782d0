"""Enlarges chrominance from the canvas to full size, guided by the luminance.

    guided(luminance, small, ab)              a picture at once
    rows(widen(fit(small, ab), width), ...)   a strip of its rows

A photograph's luminance is known at full size, but its chrominance only on the
canvas, where a cell may be sixty pixels wide.  Where colour changes with
luminance, the full-size luminance shows where in the cells it changes.  So
every cell gets a local linear model, fitted to the cells around it,

    ab = slope * L + offset

and the models are enlarged bilinearly, not the colours (as in the fast guided
filter, He & Sun, 2015, https://arxiv.org/abs/1505.00996).  The method differs
from that filter in three ways (`benchmarks.quality.upsampling` compares both):

    - The slope is multiplied by the share R^2 of the chrominance's variance
      that L explains nearby. The luminance of hair, cloth and grain varies
      without colour, and leaves no texture in the colours.
    - The offset comes from the cell's own colours, not from smoothed ones, so
      that small things do not fade. The colours are even sharpened a little,
      against the blur of cells that average over an edge.
    - L is clipped to the range on the canvas nearby, because a model is not
      valid for luminances that it was not fitted to.

No result lies beyond the field's own range. A constant field stays exactly
constant.
"""

from typing import NamedTuple

import tensorflow as tf

# Variances to ignore, of L and of a and b together, in squared CIE units: flat
# regions get no slope.
_LUMINANCE_VARIANCE = 20.0
_AB_VARIANCE = 20.0
_SHARPENING = 0.8


class Models(NamedTuple):
    """Local linear models of chrominance, one per cell.

    Attributes:
        planes: float32 [6, h, w]. Slopes of a and b, offsets of a and b, and
            the lowest and highest luminance for which the model is valid.
        lowest, highest: float32 [2]. Range of a and b in the field.
    """

    planes: tf.Tensor
    lowest: tf.Tensor
    highest: tf.Tensor


def guided(luminance: tf.Tensor, small: tf.Tensor,
           ab: tf.Tensor) -> tf.Tensor:
    """Enlarges a colour field at once; `canvas.join` works in strips.

    Only benchmarks call this function.

    Args:
        luminance: float32 [H, W, 1], 0..100. Luminance of the photograph.
        small: float32 [h, w, 1], 0..100. The same on the canvas, antialiased.
        ab: float32 [h, w, 2]. CIE units.

    Returns:
        float32 [H, W, 2], CIE units.
    """
    height, width = tf.unstack(tf.shape(luminance)[:2])
    models = widen(fit(small, ab), width)
    return tf.stack(rows(models, luminance[:, :, 0], 0, height), axis=-1)


def fit(small: tf.Tensor, ab: tf.Tensor) -> Models:
    """Fits the models of all cells.

    Args:
        small: float32 [h, w, 1], 0..100. Luminance on the canvas.
        ab: float32 [h, w, 2]. CIE units.

    Returns:
        `Models` of [h, w] cells.
    """
    mean_luminance, mean_ab = _blur(small), _blur(ab)
    variance = _LUMINANCE_VARIANCE + tf.nn.relu(
        _blur(small**2) - mean_luminance**2)
    covariance = _blur(small * ab) - mean_luminance * mean_ab
    explained = tf.reduce_sum(covariance**2, -1, keepdims=True) / variance
    present = _AB_VARIANCE + tf.nn.relu(
        tf.reduce_sum(_blur(ab**2) - mean_ab**2, -1, keepdims=True))
    # Blurred, because neighbouring models meet between the cells.
    slope = _blur(covariance / variance * (explained / present))
    # Limited to the range nearby, so that sharpening makes no halos.
    sharp = tf.clip_by_value(
        ab + _SHARPENING * (ab - mean_ab), *_range_nearby(ab))
    planes = tf.concat(
        [slope, sharp - slope * small, *_range_nearby(small)], axis=-1)
    return Models(tf.transpose(planes, [2, 0, 1]),
                  tf.reduce_min(ab, [0, 1]), tf.reduce_max(ab, [0, 1]))


def widen(models: Models, width: tf.Tensor | int) -> Models:
    """Interpolates models of [h, w] cells along their rows.

    Args:
        models: `Models`.
        width: int32 scalar.

    Returns:
        `Models` of [h, width] cells.
    """
    planes = tf.image.resize(
        models.planes[:, :, :, tf.newaxis], [tf.shape(models.planes)[1], width])
    return models._replace(planes=planes[..., 0])


def columns(models: Models, first: tf.Tensor | int, count: tf.Tensor | int,
            width: tf.Tensor | int) -> Models:
    """Like `widen`, for some columns only.

    Args:
        models: `Models` of [h, w] cells.
        first, count: int32 scalars. First column, and number of columns.
        width: int32 scalar. Number of columns of the whole photograph.

    Returns:
        `Models` of [h, count] cells.
    """
    return models._replace(planes=_between(models.planes, 2, first, count,
                                           width))


def rows(models: Models, luminance: tf.Tensor, first: tf.Tensor | int,
         height: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the chrominance of some rows of a photograph.

    Args:
        models: `Models` of [h, W] cells.
        luminance: float32 [R, W], 0..100. The rows.
        first: int32 scalar. Number of the first row.
        height: int32 scalar. Number of rows of the whole photograph.

    Returns:
        a, b: float32 [R, W]. CIE units.
    """
    slope_a, slope_b, offset_a, offset_b, lowest, highest = tf.unstack(
        _between(models.planes, 1, first, tf.shape(luminance)[0], height),
        num=6)
    luminance = tf.clip_by_value(luminance, lowest, highest)
    a, b = (
        tf.clip_by_value(slope * luminance + offset,
                         models.lowest[i], models.highest[i])
        for i, (slope, offset) in enumerate(
            ((slope_a, offset_a), (slope_b, offset_b))))
    return a, b


def _between(planes, axis, first, count, size):
    """Interpolates cells along an axis, for some of its `size` pixels."""
    # Half-pixel centres, and constant values beyond the centres of the
    # outermost cells, like tf.image.resize.
    cells = tf.shape(planes)[axis]
    numbers = tf.cast(first + tf.range(count), tf.float32)
    scale = tf.cast(cells, tf.float32) / tf.cast(size, tf.float32)
    position = tf.clip_by_value(
        (numbers + 0.5) * scale - 0.5, 0.0, tf.cast(cells - 1, tf.float32))
    # A gather instead of a product with a matrix of weights: oneDNN would
    # compile one for every photograph size and keep a thousand of them.
    above = tf.cast(position, tf.int32)
    below = tf.minimum(above + 1, cells - 1)
    share = position - tf.cast(above, tf.float32)
    share = share[:, tf.newaxis] if axis == 1 else share
    upper, lower = (tf.gather(planes, row, axis=axis) for row in (above, below))
    return upper + share * (lower - upper)


def _blur(field):
    """Applies a binomial filter of 3x3 cells to [h, w, C]."""
    padded = tf.pad(field, [[1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    field = 0.25 * (padded[:-2] + padded[2:]) + 0.5 * padded[1:-1]
    return 0.25 * (field[:, :-2] + field[:, 2:]) + 0.5 * field[:, 1:-1]


def _range_nearby(field):
    """Returns lowest and highest of the 3x3 cells around each cell."""
    def highest(field):
        return tf.nn.max_pool2d(field[tf.newaxis], 3, 1, "SAME")[0]
    return -highest(-field), highest(field)
