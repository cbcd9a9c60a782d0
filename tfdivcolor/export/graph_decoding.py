"""Decodes pictures in the graph of the exported model.

This module is the counterpart of `images.read`: it decodes JPEG, PNG, BMP and
WebP. It refuses other data, damaged pictures and pictures that are too large.
It reads the size from the header, before it takes memory for pixels.
TensorFlow's operations would end the whole call with their own messages; here
every refusal is an INVALID_ARGUMENT that names the row.

Both give the same pixels for the same file, but TensorFlow's decoders do less.
They ignore EXIF orientation and ICC profiles.  They do not read TIFF, GIF,
animated or transparent WebP, or BMP with other than 24 or 32 bits.  Clients
decode such files themselves, like `serving.client`.
"""

import numpy as np
import tensorflow as tf

from tfdivcolor.export import graph_checks

FORMATS = "JPEG, PNG, BMP or WebP"
# Numbers of the formats in the graph.
_JPEG, _PNG, _BMP, _WEBP = range(4)

_HEAD = 64  # bytes, enough for every header except that of JPEG
# Longest side of JPEG; the PNG encoder has a similar limit.
_LONGEST_SIDE = 65_500


def decode(data: tf.Tensor, row: tf.Tensor | int,
           max_pixels: int) -> tf.Tensor:
    """Decodes one picture.

    Args:
        data: string scalar. The bytes of an image file.
        row: int32 scalar. Number of the picture in the request, for messages.
        max_pixels: int. Larger pictures are refused.

    Returns:
        uint8 [H, W, 3], sRGB. 16 bits per channel are scaled and rounded to 8;
        alpha is dropped.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs, if the data are
            not such a picture, are incomplete, or have too many pixels.
    """
    name = tf.strings.join(["image_bytes[", graph_checks.text(row), "]"])
    head = _head(data)
    kind = _kind(head)
    length = graph_checks.text(tf.strings.length(data))
    kind = graph_checks.after(graph_checks.check(
        kind >= 0, name, ": must be a ", FORMATS, " picture (received ",
        length, " bytes of another format)"), kind)
    size = tf.switch_case(kind, {
        _JPEG: lambda: _jpeg_size(data), _PNG: lambda: _png_size(head),
        _BMP: lambda: _bmp_size(head), _WEBP: lambda: _webp_size(head)})
    data = graph_checks.after(graph_checks.check(
        tf.reduce_prod(size) <= max_pixels, name,
        f": must have at most {max_pixels} pixels (received ",
        graph_checks.text(size[0]), " x ", graph_checks.text(size[1]), ")"),
        data)
    data = graph_checks.after(graph_checks.check(
        tf.reduce_max(size) <= _LONGEST_SIDE, name,
        f": must have sides of at most {_LONGEST_SIDE} pixels (received ",
        graph_checks.text(size[0]), " x ", graph_checks.text(size[1]), ")"),
        data)
    # For a BMP with a palette TensorFlow would return the indices.
    bits = _number(head, 28, 2)
    data = graph_checks.after(graph_checks.check(
        (kind != _BMP) | (bits == 24) | (bits == 32), name,
        ": must have 24 or 32 bits per pixel if it is a BMP (received ",
        graph_checks.text(bits), " bits)"), data)
    pixels = _attempt(
        _pixels, (data, kind, head), tf.zeros([0, 0, 3], tf.uint8))
    return graph_checks.after(graph_checks.check(
        tf.size(pixels) > 0, name, ": must be a whole, undamaged picture, and "
        "no animated or transparent WebP (received ", length,
        " bytes that do not decode)"), pixels)


def _pixels(data, kind, head):
    def jpeg():
        # The accurate transform, as in Pillow.
        return tf.io.decode_jpeg(
            data, channels=3, dct_method="INTEGER_ACCURATE")

    def deep_png():
        # As in `images`: 65535 becomes 255.  With 8 bits requested, TensorFlow
        # would drop the lower bits.
        values = tf.io.decode_png(data, channels=3, dtype=tf.uint16)
        return tf.cast((tf.cast(values, tf.int32) + 128) // 257, tf.uint8)

    def other():
        return tf.ensure_shape(tf.io.decode_image(
            data, channels=3, expand_animations=False), [None, None, 3])

    case = tf.case([
        (kind == _JPEG, jpeg),
        ((kind == _PNG) & (head[24] == 16), deep_png),
    ], default=other)
    return tf.ensure_shape(case, [None, None, 3])


def _attempt(function, inputs, otherwise):
    """Returns a function's value in the graph, or `otherwise` if it fails.

    Operations cannot catch errors, but `tf.data` can skip elements that raise
    one.
    """
    dataset = tf.data.Dataset.from_tensors(inputs).map(function)
    dataset = dataset.ignore_errors().concatenate(
        tf.data.Dataset.from_tensors(otherwise))
    return dataset.take(1).get_single_element()


# --- Headers -----------------------------------------------------------------


def _head(data):
    """Returns the first bytes, padded with zeros: int32 [_HEAD]."""
    padded = tf.strings.substr(
        tf.strings.join([data, b"\0" * _HEAD]), 0, _HEAD)
    head = tf.cast(tf.io.decode_raw(padded, tf.uint8), tf.int32)
    return tf.ensure_shape(head, [_HEAD])


def _kind(head):
    """Identifies the format: int32 scalar, -1 for an unknown one."""
    return tf.case([
        (_begins(head, b"\xff\xd8\xff"), lambda: _JPEG),
        (_begins(head, b"\x89PNG\r\n\x1a\n"), lambda: _PNG),
        (_begins(head, b"BM"), lambda: _BMP),
        (_begins(head, b"RIFF") & _begins(head, b"WEBP", 8), lambda: _WEBP),
    ], default=lambda: -1)


def _begins(head, magic, at=0):
    return tf.reduce_all(head[at:at + len(magic)] == list(magic))


def _number(values, at, count, little_endian=True):
    """Reads a number of `count` bytes: int64 scalar."""
    places = np.arange(count) if little_endian else np.arange(count)[::-1]
    return tf.reduce_sum(
        tf.cast(values[at:at + count], tf.int64) * 256 ** places)


def _size(width, height):
    return tf.stack([width, height])


def _jpeg_size(data):
    shape = _attempt(
        lambda data: tf.image.extract_jpeg_shape(data, tf.int64), data,
        tf.zeros([3], tf.int64))
    return _size(shape[1], shape[0])


def _png_size(head):
    return _size(*(_number(head, at, 4, little_endian=False)
                   for at in (16, 20)))


def _bmp_size(head):
    width, height = (_number(head, at, 4) for at in (18, 22))
    # Both are signed. A negative height means that the top row comes first.
    size = _size(width, height)
    return tf.where(size < 2**31, size, 2**32 - size)


def _webp_size(head):
    """Reads the size of lossy, lossless and extended WebP."""
    def lossy():
        return _size(_number(head, 26, 2) & 0x3fff,
                     _number(head, 28, 2) & 0x3fff)

    def lossless():
        bits = _number(head, 21, 4)
        return _size((bits & 0x3fff) + 1, (bits // 0x4000 & 0x3fff) + 1)

    def extended():
        return _size(_number(head, 24, 3) + 1, _number(head, 27, 3) + 1)

    return tf.cond(
        _begins(head, b"VP8 ", 12), lossy,
        lambda: tf.cond(_begins(head, b"VP8L", 12), lossless, extended))
