"""sRGB <-> CIE Lab in TensorFlow operations, and back into the sRGB gamut.

Everything works in float32 on tensors of any leading dimensions, in eager
mode, in a `tf.function` and in a SavedModel.  One conversion serves training,
Python, the command line and the exported model.

Ranges: uint8 rgb 0..255; float sRGB 0..1; luminance L 0..100; ab in CIE units,
where the sRGB gamut spans a -86.2..98.3 and b -107.9..94.5.  The names ending
in `_norm` elsewhere mean the output of `normalize_luminance` (-1..1) and
`normalize_ab` (about -0.85..0.77).

The illuminant is D65.  Its white point is that of the conversion matrix, so
that a grey has ab = 0; scikit-image's white point is not exactly neutral, which
makes differences of up to 5e-3 in b.
"""

import numpy as np
import tensorflow as tf

_LUMINANCE_HALF = 50.0
_AB_SCALE = 128.0

# Linear sRGB -> XYZ / white: IEC 61966-2-1, each row divided by its sum.
_XYZ_FROM_RGB = np.array([[0.412453, 0.357580, 0.180423],
                          [0.212671, 0.715160, 0.072169],
                          [0.019334, 0.119193, 0.950227]])
_XYZ_FROM_RGB /= _XYZ_FROM_RGB.sum(axis=1, keepdims=True)
_RGB_FROM_XYZ = np.linalg.inv(_XYZ_FROM_RGB)

_DELTA = 6 / 29  # where the cube root of CIE Lab goes over into its tangent
_LARGEST_CHROMA = 134.0  # of the sRGB gamut: its blue
_BISECTIONS = 12  # leaves 134 / 2**12 = 0.03 units of chroma
# In linear light: above float32 rounding (2e-6), below what 8 bits can show.
_GAMUT_TOLERANCE = 1e-5


def normalize_luminance(luminance):
    """Maps luminance 0..100 to -1..1: `L / 50 - 1`."""
    return luminance / _LUMINANCE_HALF - 1.0


def denormalize_luminance(luminance_norm):
    """Maps -1..1 to luminance 0..100; inverse of `normalize_luminance`."""
    return (luminance_norm + 1.0) * _LUMINANCE_HALF


def normalize_ab(ab):
    """Maps ab in CIE units to about -1..1: `ab / 128`."""
    return ab / _AB_SCALE


def denormalize_ab(ab_norm):
    """Maps about -1..1 to ab in CIE units; inverse of `normalize_ab`."""
    return ab_norm * _AB_SCALE


def srgb_to_lab(rgb):
    """Converts sRGB to CIE Lab (D65).

    Args:
        rgb: float tensor [..., 3]. sRGB, 0..1.

    Returns:
        lab: float32 tensor [..., 3]. L 0..100, a -86.2..98.3, b -107.9..94.5.
            Its gradient is finite everywhere, black included.
    """
    linear = _linear_from_srgb(tf.cast(rgb, tf.float32))
    fx, fy, fz = [_root(value) for value in _mix(
        _XYZ_FROM_RGB, tf.unstack(linear, num=3, axis=-1))]
    return tf.stack(
        [116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)], axis=-1)


def lab_to_srgb(lab):
    """Converts CIE Lab (D65) to sRGB, without clipping.

    Args:
        lab: float tensor [..., 3]. L 0..100, ab in CIE units.

    Returns:
        rgb: float32 tensor [..., 3]. sRGB; 0..1 inside the gamut and beyond it
            outside (negative linear light continues the straight part of the
            sRGB curve). Its gradient is finite everywhere.
    """
    luminance, a, b = tf.unstack(tf.cast(lab, tf.float32), num=3, axis=-1)
    linear = tf.stack(_linear_rgb(luminance, a, b), axis=-1)
    return _srgb_from_linear(linear)


def split(rgb):
    """Splits 8-bit pixels into luminance and chrominance.

    Args:
        rgb: uint8 tensor [..., 3]. sRGB, 0..255.

    Returns:
        luminance: float32 tensor [..., 1]. L, 0..100.
        ab: float32 tensor [..., 2]. CIE units, a -86.2..98.3, b -107.9..94.5.

    Raises:
        ValueError: if `rgb` is not uint8.
    """
    rgb = tf.convert_to_tensor(rgb)
    if rgb.dtype != tf.uint8:
        raise ValueError(
            f"rgb: must be uint8 in 0..255 (received {rgb.dtype.name})")
    lab = srgb_to_lab(tf.cast(rgb, tf.float32) / 255.0)
    # Rounding can leave white a hair above 100.
    return tf.clip_by_value(lab[..., :1], 0.0, 100.0), lab[..., 1:]


def join(luminance, ab):
    """Joins luminance and chrominance into 8-bit pixels of that luminance.

    The chrominance is first mapped into the gamut, so that clipping cannot
    change L: whatever `ab`, the L of the result is within 0.5 of `luminance`.

    Args:
        luminance: float tensor [..., 1]. L, 0..100. Dimensions of size 1 are
            broadcast against `ab`.
        ab: float tensor [..., 2]. Any finite values, in CIE units.

    Returns:
        rgb: uint8 tensor [..., 3]. sRGB, 0..255.
    """
    luminance, ab = _broadcast(luminance, ab)
    lab = tf.concat([luminance, map_to_gamut(luminance, ab)], axis=-1)
    return tf.saturate_cast(tf.round(lab_to_srgb(lab) * 255.0), tf.uint8)


def map_to_gamut(luminance, ab):
    """Scales ab towards grey until every pixel is inside the sRGB gamut.

    Each pixel keeps its L and its hue angle in the ab plane. A pixel that is
    already inside is returned as it is. Another is multiplied by a factor in
    [0, 1] that puts it on the border of the gamut, found by bisection to within
    0.03 units of chroma. Where a ray from grey crosses the border more than
    once (only bright yellows, L 94..97), it is one of the crossings.
    Meant for output, not for training: the factor has no useful gradient.

    Args:
        luminance: float tensor [..., 1]. L, 0..100. Dimensions of size 1 are
            broadcast against `ab`.
        ab: float tensor [..., 2]. Any finite values, in CIE units.

    Returns:
        ab: float32 tensor [..., 2], of the shape of the argument. CIE units,
            a -86.2..98.3, b -107.9..94.5.
    """
    luminance, ab = _broadcast(luminance, ab)
    flat_luminance = tf.reshape(luminance, [-1])
    flat_ab = tf.reshape(ab, [-1, 2])
    inside = _in_gamut(flat_luminance, flat_ab[:, 0], flat_ab[:, 1])
    # Few pixels of a photograph are outside; only they pay for the search.
    outside = tf.where(~inside)  # [N, 1]
    ab_outside = tf.gather_nd(flat_ab, outside)  # [N, 2]
    factor = _largest_factor(
        tf.gather_nd(flat_luminance, outside), ab_outside)  # [N, 1]
    mapped = tf.tensor_scatter_nd_update(flat_ab, outside, factor * ab_outside)
    return tf.ensure_shape(tf.reshape(mapped, tf.shape(ab)), ab.shape)


def _broadcast(luminance, ab):
    luminance = tf.cast(luminance, tf.float32)
    ab = tf.cast(ab, tf.float32)
    return luminance + tf.zeros_like(ab[..., :1]), ab


def _largest_factor(luminance, ab):
    """Largest factor [N, 1] that keeps luminance [N], ab [N, 2] in gamut."""
    a, b = tf.unstack(ab, num=2, axis=-1)
    # Starting at the gamut's radius keeps the precision for huge chroma.
    step = tf.minimum(1.0, _LARGEST_CHROMA / tf.norm(ab, axis=-1))

    def bisect(i, step, factor):
        step = step / 2.0
        trial = factor + step
        inside = _in_gamut(luminance, trial * a, trial * b)
        return i + 1, step, tf.where(inside, trial, factor)

    # A loop, not a thousand operations: the exported graph holds it too.
    _, _, factor = tf.while_loop(
        lambda i, *_: i < _BISECTIONS, bisect, (0, step, tf.zeros_like(step)))
    return factor[:, tf.newaxis]


def _in_gamut(luminance, a, b):
    red, green, blue = _linear_rgb(luminance, a, b)
    darkest = tf.minimum(tf.minimum(red, green), blue)
    brightest = tf.maximum(tf.maximum(red, green), blue)
    return (darkest >= -_GAMUT_TOLERANCE) & (
        brightest <= 1.0 + _GAMUT_TOLERANCE)


def _linear_rgb(luminance, a, b):
    """Lab -> the three linear sRGB channels, all tensors of one shape."""
    fy = (luminance + 16.0) / 116.0
    return _mix(_RGB_FROM_XYZ,
                [_cube(fy + a / 500.0), _cube(fy), _cube(fy - b / 200.0)])


def _mix(matrix, channels):
    # Written out: a matrix product may run in TF32 on a GPU, which keeps only
    # ten bits.
    first, second, third = channels
    return [row[0] * first + row[1] * second + row[2] * third
            for row in matrix.tolist()]


def _with_toe(x, knee, curve, slope):
    """`curve` above the knee, continued below by a line of that slope.

    Neither part is ever evaluated outside its own range, so there is no
    infinite or NaN gradient, as `tf.where` would give where the unused branch
    has one.
    """
    return curve(tf.maximum(x, knee)) + slope * (tf.minimum(x, knee) - knee)


def _linear_from_srgb(x):
    return _with_toe(
        x, 0.04045, lambda t: ((t + 0.055) / 1.055) ** 2.4, 1 / 12.92)


def _srgb_from_linear(x):
    return _with_toe(
        x, 0.0031308, lambda t: 1.055 * t ** (1 / 2.4) - 0.055, 12.92)


def _root(x):
    return _with_toe(x, _DELTA**3, lambda t: t ** (1 / 3), 1 / (3 * _DELTA**2))


def _cube(x):
    return _with_toe(x, _DELTA, lambda t: t * t * t, 3 * _DELTA**2)
