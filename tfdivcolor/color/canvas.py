"""Squashes photographs to the canvas, and brings colours back to full size.

Python, the command line and the exported model share this code.  Pictures are
converted in strips, so that float temporaries stay small at any picture size.
"""

import numpy as np
import tensorflow as tf

from tfdivcolor.color import lab, upsampling

Values = tf.Tensor | np.ndarray

STRIP_PIXELS = 1 << 18
# Pixels per row; wider pictures are transposed first, because memory for the
# models of chrominance grows with the width.
WIDEST = 1 << 16


def luminance_of(pixels: Values) -> tf.Tensor:
    """Computes the luminance of a photograph.

    Args:
        pixels: uint8 or uint16 [H, W, 3], sRGB.

    Returns:
        float32 [H, W, 1], 0..100.

    Raises:
        ValueError: if `pixels` has another type.
    """
    pixels = tf.convert_to_tensor(pixels)
    # `lab.split` refuses other types.
    return LUMINANCE_OF.get(pixels.dtype.name, _luminance_of)(pixels)


def _luminance_of(pixels):
    flat = tf.reshape(pixels, [-1, 3])
    luminance = _in_strips(
        lambda start, end: lab.split(flat[start:end])[0],
        tf.shape(flat)[0], STRIP_PIXELS, tf.TensorSpec([None, 1]))
    return tf.reshape(luminance, tf.concat([tf.shape(pixels)[:2], [1]], 0))


# By the name of the type: one trace each, for all shapes.
LUMINANCE_OF = {
    dtype.name: tf.function(_luminance_of, autograph=False, input_signature=[
        tf.TensorSpec([None, None, 3], dtype)])
    for dtype in lab.PIXEL_DTYPES}


def on_canvas(luminance: Values, size: int) -> tf.Tensor:
    """Squashes a photograph's luminance to the size that the networks see.

    The whole picture is squashed to a square, which uses all of the canvas. On
    150 crops of portraits (`benchmarks.quality.shapes`), mirroring to a square
    was no better at 3:2, 1 to 2 % better (best of 8) at 2:1 and 8 % better at
    3:1; blending overlapping squares was 7 to 20 % worse.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        size: int. The model's `luminance_size`.

    Returns:
        float32 [size, size, 1], 0..100, antialiased.
    """
    return _shrunk(luminance, [size, size])


def ab_on_canvas(pixels: Values, canvas: int) -> tf.Tensor:
    """Squashes a photograph's own colours to the size of the fields.

    Args:
        pixels: uint8 or uint16 [H, W, 3], sRGB.
        canvas: int.

    Returns:
        float32 [canvas, canvas, 2], CIE units, antialiased.
    """
    flat = tf.reshape(pixels, [-1, 3])
    ab = _in_strips(
        lambda start, end: lab.split(flat[start:end])[1],
        tf.shape(flat)[0], STRIP_PIXELS, tf.TensorSpec([None, 2]))
    ab = tf.reshape(ab, tf.concat([tf.shape(pixels)[:2], [2]], 0))
    return tf.image.resize(ab, [canvas, canvas], antialias=True)


_PICTURE = (tf.TensorSpec([None, None, 1], tf.float32),
            tf.TensorSpec([None, None, 2], tf.float32))


@tf.function(input_signature=_PICTURE, autograph=False)
def join(luminance: Values, ab: Values) -> tf.Tensor:
    """Joins a full-size luminance and a small colour field.

    The chrominance is enlarged with the photograph's luminance as guide (see
    `upsampling`) and joined with it. Colours outside sRGB lose chroma, never
    luminance.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        ab: float32 [h, w, 2], CIE units.

    Returns:
        uint8 [H, W, 3], sRGB.
    """
    return _joined(luminance, ab, tf.uint8)


@tf.function(input_signature=_PICTURE, autograph=False)
def join_16(luminance: Values, ab: Values) -> tf.Tensor:
    """Like `join`, in 16 bits: uint16 [H, W, 3], sRGB 0..65535."""
    return _joined(luminance, ab, tf.uint16)


_SCALAR = tf.TensorSpec([], tf.int32)


@tf.function(input_signature=(*_PICTURE, _PICTURE[0], *[_SCALAR] * 4),
             autograph=False)
def join_part(luminance: Values, ab: Values, small: Values, left: int,
              top: int, width: int, height: int) -> tf.Tensor:
    """Computes a part of the picture of `join`, at any scale, for a screen.

    A reduced photograph has the colours of its full size, because the models
    of chrominance are fitted to the luminance of the whole.

    Args:
        luminance: float32 [h, w, 1], 0..100. The part, cut from the photograph
            resized to `width` x `height` pixels.
        ab: float32 [c, c, 2], CIE units.
        small: float32 [c, c, 1], 0..100. Luminance of the whole photograph on
            the canvas of `ab` (`on_canvas`).
        left, top: ints. Corner of the part.
        width, height: ints. Size of the whole.

    Returns:
        uint8 [h, w, 3], sRGB. At full size it is within one level of the same
        part of the picture of `join`.
    """
    return _joined_part(luminance, ab, small, left, top, width, height)


def _shrunk(luminance, size):
    small = tf.image.resize(luminance, size, "bilinear", antialias=True)
    # Rounding in the antialiasing filter may overshoot by 1e-5.
    return tf.clip_by_value(small, 0.0, 100.0)


@tf.function(input_signature=(*_PICTURE, _SCALAR), autograph=False)
def models(small: Values, ab: Values, width: int) -> upsampling.Models:
    """Fits the models of chrominance of a photograph; see `join`.

    Args:
        small: float32 [h, w, 1], 0..100. Luminance of the photograph on the
            canvas of `ab`.
        ab: float32 [h, w, 2], CIE units.
        width: int. Width of the photograph in pixels.

    Returns:
        `upsampling.Models` of [h, width] cells.
    """
    return upsampling.widen(upsampling.fit(
        tf.convert_to_tensor(small), tf.convert_to_tensor(ab)), width)


def _joined(luminance, ab, dtype):
    fitted = upsampling.fit(_shrunk(luminance, tf.shape(ab)[:2]), ab)
    lying = tf.shape(luminance)[1] > WIDEST

    def turned(tensor, order):
        return tf.cond(
            lying, lambda: tf.transpose(tensor, order), lambda: tensor)

    fitted = fitted._replace(planes=turned(fitted.planes, [0, 2, 1]))
    pixels = _joined_rows(turned(luminance[..., 0], [1, 0]), fitted, dtype)
    return turned(pixels, [1, 0, 2])


def _joined_part(luminance, ab, small, left, top, width, height):
    size = tf.shape(luminance)[:2]
    models = upsampling.columns(
        upsampling.fit(small, ab), left, size[1], width)
    plane = luminance[..., 0]
    planes = plane, *upsampling.rows(models, plane, top, height)
    pixels = lab.join_planes(
        *(tf.reshape(plane, [-1]) for plane in planes), dtype=tf.uint8)
    return tf.reshape(pixels, [size[0], size[1], 3])


def _joined_rows(luminance, models, dtype):
    height, width = tf.unstack(tf.shape(luminance))
    models = upsampling.widen(models, width)

    def strip(start, end):
        part = luminance[start:end]
        planes = part, *upsampling.rows(models, part, start, height)
        return lab.join_planes(
            *(tf.reshape(plane, [-1]) for plane in planes), dtype=dtype)

    pixels = _in_strips(
        strip, height, tf.maximum(STRIP_PIXELS // width, 1),
        tf.TensorSpec([None, 3], dtype))
    return tf.reshape(pixels, [height, width, 3])


def _in_strips(function, length, step, spec):
    """Concatenates function(start, end) over `length` in steps.

    Args:
        function: takes int32 scalars start, end; returns a tensor of `spec`.
        length, step: int32 scalars.
        spec: `tf.TensorSpec`. Its first dimension is None.

    Returns:
        tensor of `spec`.
    """
    count = -(-length // step)
    done = tf.TensorArray(
        spec.dtype, count, element_shape=spec.shape, infer_shape=False)
    _, done = tf.while_loop(
        lambda i, _: i < count,
        lambda i, done: (i + 1, done.write(i, function(
            i * step, tf.minimum((i + 1) * step, length)))),
        (0, done), parallel_iterations=1)
    return done.concat()
