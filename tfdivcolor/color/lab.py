"""Converts between sRGB and CIE Lab in TensorFlow, and maps into the gamut.

All functions work in float32 on tensors of any leading dimensions: in eager
mode, in a `tf.function` and in a SavedModel.  Training, Python, the command
line and the exported model share this conversion.

Ranges: uint8 rgb 0..255; float sRGB 0..1; luminance L 0..100; ab in CIE units,
where the sRGB gamut spans a -86.2..98.3 and b -107.9..94.5.  Elsewhere, names
ending in `_norm` are outputs of `normalize_luminance` (-1..1) and
`normalize_ab` (about -0.85..0.77).

The illuminant is D65.  Its white point is that of the conversion matrix, so
that greys have ab = 0. The white point of scikit-image is not exactly neutral,
which makes differences of up to 5e-3 in b.
"""

from typing import TypeVar

import numpy as np
import tensorflow as tf

Array = TypeVar("Array", tf.Tensor, np.ndarray)

PIXEL_DTYPES = (tf.uint8, tf.uint16)

_LUMINANCE_HALF = 50.0
_AB_SCALE = 128.0

# Linear sRGB -> XYZ / white: IEC 61966-2-1, each row divided by its sum.
XYZ_FROM_RGB = np.array([[0.412453, 0.357580, 0.180423],
                          [0.212671, 0.715160, 0.072169],
                          [0.019334, 0.119193, 0.950227]])
XYZ_FROM_RGB /= XYZ_FROM_RGB.sum(axis=1, keepdims=True)
RGB_FROM_XYZ = np.linalg.inv(XYZ_FROM_RGB)

DELTA = 6 / 29  # where the cube root of CIE Lab turns into its tangent
LARGEST_CHROMA = 134.0  # of the sRGB gamut, at its blue
BISECTIONS = 12  # leaves 134 / 2**12 = 0.03 units of chroma
# In linear light: above float32 rounding (2e-6), below one level of 8 bits.
GAMUT_TOLERANCE = 1e-5


def normalize_luminance(luminance: Array) -> Array:
    """Maps luminance 0..100 to -1..1: `L / 50 - 1`."""
    return luminance / _LUMINANCE_HALF - 1.0


def normalize_ab(ab: Array) -> Array:
    """Maps ab in CIE units to about -1..1: `ab / 128`."""
    return ab / _AB_SCALE


def denormalize_ab(ab_norm: Array) -> Array:
    """Maps about -1..1 to ab in CIE units; inverse of `normalize_ab`."""
    return ab_norm * _AB_SCALE


def srgb_to_lab(rgb: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Converts sRGB to CIE Lab (D65).

    Args:
        rgb: float tensor [..., 3]. sRGB, 0..1.

    Returns:
        lab: float32 tensor [..., 3]. L 0..100, a -86.2..98.3, b -107.9..94.5.
            The gradient is finite everywhere, also for black.
    """
    return tf.stack(_lab(tf.cast(rgb, tf.float32)), axis=-1)


def _lab(rgb):
    """sRGB [..., 3] in 0..1 -> L, a and b, each [...]."""
    linear = linear_from_srgb(rgb)
    fx, fy, fz = [_root(value) for value in _mix(
        XYZ_FROM_RGB, tf.unstack(linear, num=3, axis=-1))]
    return _lightness(fy), 500.0 * (fx - fy), 200.0 * (fy - fz)


def lab_to_srgb(lab: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Converts CIE Lab (D65) to sRGB, without clipping.

    Args:
        lab: float tensor [..., 3]. L 0..100, ab in CIE units.

    Returns:
        rgb: float32 tensor [..., 3]. sRGB: 0..1 inside the gamut, beyond that
            range outside (negative linear light continues the straight part of
            the sRGB curve). The gradient is finite everywhere.
    """
    luminance, a, b = tf.unstack(tf.cast(lab, tf.float32), num=3, axis=-1)
    linear = tf.stack(_linear_rgb(luminance, a, b), axis=-1)
    return srgb_from_linear(linear)


def split(
        rgb: tf.Tensor | np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits pixels of 8 or 16 bits into luminance and chrominance.

    Args:
        rgb: uint8 or uint16 tensor [..., 3]. sRGB, 0..255 or 0..65535.

    Returns:
        luminance: float32 tensor [..., 1]. L, 0..100.
        ab: float32 tensor [..., 2]. CIE units, a -86.2..98.3, b -107.9..94.5.

    Raises:
        ValueError: if `rgb` is neither uint8 nor uint16.
    """
    rgb = tf.convert_to_tensor(rgb)
    if rgb.dtype not in PIXEL_DTYPES:
        raise ValueError("rgb: must be uint8 in 0..255 or uint16 in 0..65535 "
                         f"(received {rgb.dtype.name})")
    luminance, a, b = _lab(tf.cast(rgb, tf.float32) / rgb.dtype.max)
    # Rounding can leave white slightly above 100. The clip excludes ab, so
    # that a graph without ab can prune it.
    luminance = tf.clip_by_value(luminance[..., tf.newaxis], 0.0, 100.0)
    return luminance, tf.stack([a, b], axis=-1)


def join(luminance: tf.Tensor | np.ndarray, ab: tf.Tensor | np.ndarray,
         dtype: tf.DType = tf.uint8) -> tf.Tensor:
    """Joins luminance and chrominance into pixels of that luminance.

    The chrominance is first mapped into the gamut, so that clipping cannot
    change L. For any `ab`, the L of the result is within 0.5 of `luminance`
    in 8 bits, and within 0.01 in 16 bits.

    Args:
        luminance: float tensor [..., 1]. L, 0..100. Dimensions of size 1 are
            broadcast against `ab`.
        ab: float tensor [..., 2]. Any finite values, in CIE units.
        dtype: tf.uint8 or tf.uint16. Defaults to tf.uint8.

    Returns:
        rgb: tensor [..., 3] of type `dtype`. sRGB, 0..255 or 0..65535.
    """
    luminance, ab = _broadcast(luminance, ab)
    a, b = tf.unstack(tf.reshape(ab, [-1, 2]), num=2, axis=-1)
    pixels = join_planes(tf.reshape(luminance, [-1]), a, b, dtype)
    shape = tf.concat([tf.shape(ab)[:-1], [3]], axis=0)
    return tf.ensure_shape(
        tf.reshape(pixels, shape), tf.TensorShape(ab.shape[:-1]).concatenate(3))


def join_planes(luminance: tf.Tensor, a: tf.Tensor, b: tf.Tensor,
                dtype: tf.DType = tf.uint8) -> tf.Tensor:
    """Like `join`, for large pictures: faster, without interleaved planes.

    Args:
        luminance, a, b: float32 tensors [N].
        dtype: tf.uint8 or tf.uint16. Defaults to tf.uint8.

    Returns:
        rgb: tensor [N, 3] of type `dtype`.
    """
    planes = luminance, a, b
    linear = _linear_rgb(*planes)
    pixels = _pixels(linear, dtype)
    # Only the few pixels outside the gamut need the search.
    outside = tf.where(~_is_inside(linear))  # [N, 1]
    luminance, a, b = [tf.gather_nd(plane, outside) for plane in planes]
    factor = _largest_factor(luminance, a, b)
    return tf.tensor_scatter_nd_update(pixels, outside, _pixels(
        _linear_rgb(luminance, factor * a, factor * b), dtype))


def _pixels(linear, dtype):
    """Three channels [N] of linear light -> pixels [N, 3]."""
    levels = tf.round(srgb_from_linear(tf.stack(linear)) * dtype.max)
    # Several times faster than stacking along the last axis.
    return tf.transpose(tf.saturate_cast(levels, dtype))


def map_to_gamut(luminance: tf.Tensor | np.ndarray,
                 ab: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Scales ab towards grey until every pixel is inside the sRGB gamut.

    Each pixel keeps its L and its hue angle in the ab plane. Pixels inside the
    gamut do not change. Other pixels are multiplied by a factor in [0, 1] that
    puts them on the border of the gamut, found by bisection to within 0.03
    units of chroma. If a ray from grey crosses the border more than once (only
    for bright yellows, L 94..97), the result is one of the crossings.
    Use it for output, not for training: the factor has no useful gradient.

    Args:
        luminance: float tensor [..., 1]. L, 0..100. Dimensions of size 1 are
            broadcast against `ab`.
        ab: float tensor [..., 2]. Any finite values, in CIE units.

    Returns:
        ab: float32 tensor [..., 2], with the shape of the argument. CIE units,
            a -86.2..98.3, b -107.9..94.5.
    """
    luminance, ab = _broadcast(luminance, ab)
    flat_luminance = tf.reshape(luminance, [-1])
    flat_ab = tf.reshape(ab, [-1, 2])
    a, b = tf.unstack(flat_ab, num=2, axis=-1)
    outside = tf.where(~_is_inside(_linear_rgb(flat_luminance, a, b)))
    luminance, a, b = [
        tf.gather_nd(plane, outside) for plane in (flat_luminance, a, b)]
    factor = _largest_factor(luminance, a, b)
    mapped = tf.tensor_scatter_nd_update(
        flat_ab, outside, tf.stack([factor * a, factor * b], axis=-1))
    return tf.ensure_shape(tf.reshape(mapped, tf.shape(ab)), ab.shape)


def _broadcast(luminance, ab):
    luminance = tf.cast(luminance, tf.float32)
    ab = tf.cast(ab, tf.float32)
    return luminance + tf.zeros_like(ab[..., :1]), ab


def _largest_factor(luminance, a, b):
    """Finds the largest factor that keeps a and b in gamut; tensors [N]."""
    # A start at the gamut's radius keeps the precision for huge chroma.
    step = tf.minimum(1.0, LARGEST_CHROMA / tf.sqrt(a * a + b * b))

    def bisect(i, step, factor):
        step = step / 2.0
        trial = factor + step
        inside = _is_inside(_linear_rgb(luminance, trial * a, trial * b))
        return i + 1, step, tf.where(inside, trial, factor)

    # A loop keeps the exported graph small: not a thousand operations.
    _, _, factor = tf.while_loop(
        lambda i, *_: i < BISECTIONS, bisect, (0, step, tf.zeros_like(step)))
    return factor


def _is_inside(linear):
    """Whether three channels of linear light are inside the gamut."""
    red, green, blue = linear
    darkest = tf.minimum(tf.minimum(red, green), blue)
    brightest = tf.maximum(tf.maximum(red, green), blue)
    return (darkest >= -GAMUT_TOLERANCE) & (
        brightest <= 1.0 + GAMUT_TOLERANCE)


def _linear_rgb(luminance, a, b):
    """Converts Lab to three linear sRGB channels, all of the same shape."""
    fy = (luminance + 16.0) / 116.0
    return _mix(RGB_FROM_XYZ,
                [_cube(fy + a / 500.0), _cube(fy), _cube(fy - b / 200.0)])


def _mix(matrix, channels):
    # Written out, because a GPU may run a matrix product in TF32, which keeps
    # only ten bits.
    first, second, third = channels
    return [row[0] * first + row[1] * second + row[2] * third
            for row in matrix.tolist()]


def _with_toe(x, knee, curve, slope):
    """`curve` above the knee, continued below it by a line of that slope.

    Neither part is evaluated outside its own range. With `tf.where`, an unused
    branch with an infinite gradient would make the result NaN.
    """
    return curve(tf.maximum(x, knee)) + slope * (tf.minimum(x, knee) - knee)


def _power(x, exponent):
    # For positive numbers; TensorFlow's own power takes ten times as long.
    return tf.exp(exponent * tf.math.log(x))


def lightness(light: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Computes L, 0..100, of relative luminance Y, 0..1."""
    return _lightness(_root(tf.convert_to_tensor(light)))


def _lightness(root):
    return 116.0 * root - 16.0


def linear_from_srgb(x):
    """sRGB, 0..1, to linear light, 0..1 (IEC 61966-2-1)."""
    return _with_toe(
        x, 0.04045, lambda t: _power((t + 0.055) / 1.055, 2.4), 1 / 12.92)


def srgb_from_linear(x):
    """Linear light to sRGB; the inverse of `linear_from_srgb`."""
    return _with_toe(
        x, 0.0031308, lambda t: 1.055 * _power(t, 1 / 2.4) - 0.055, 12.92)


def _root(x):
    return _with_toe(
        x, DELTA**3, lambda t: _power(t, 1 / 3), 1 / (3 * DELTA**2))


def _cube(x):
    return _with_toe(x, DELTA, lambda t: t * t * t, 3 * DELTA**2)
