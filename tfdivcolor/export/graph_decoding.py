"""Encoded pictures -> pixels in the graph, for the exported model.

What `images.read` is to Python: it decodes JPEG, PNG, GIF (first frame), BMP
and WebP, and refuses what is none of them, damaged, or too large by its
header, before memory is taken for its pixels.  TensorFlow's operations would
end the whole call with a message of their own; here every refusal is an
INVALID_ARGUMENT that names the row.

The two agree on the same file, except where TensorFlow's decoders do less:
EXIF orientation and ICC profiles are not applied; not read are TIFF, BMP but of
8, 24 or 32 bits, WebP that is animated or transparent, and GIF whose first
frame does not fill it; transparent parts of a GIF are black.  A client that has
such a file decodes it itself.
"""

import numpy as np
import tensorflow as tf

from tfdivcolor.export import graph_checks

FORMATS = "JPEG, PNG, GIF, BMP or WebP"

_HEAD = 64  # bytes, enough for every header but those of JPEG and GIF
# Blocks of a GIF up to the end of its first frame: 5 MB in full ones.  Files of
# more are refused, as each block costs some twenty microseconds.
_GIF_BLOCKS = 20_000
# The longest side that JPEG can have; PNG's encoder has such a limit too.
_LONGEST_SIDE = 65_500


def decode(data, row, max_pixels):
    """Decodes one picture.

    Args:
        data: string scalar. The bytes of an image file.
        row: int32 scalar. Its number in the request, for messages.
        max_pixels: int. Larger pictures are refused.

    Returns:
        uint8 [H, W, 3], sRGB. 16 bits a channel are scaled and rounded to 8;
        alpha is dropped.

    Raises:
        tf.errors.InvalidArgumentError: when it runs; the data are not such a
            picture, not a whole one, or one of too many pixels.
    """
    name = tf.strings.join(["image_bytes[", graph_checks.text(row), "]"])
    head = _head(data)
    kinds = [
        _begins(head, b"\xff\xd8\xff"),
        _begins(head, b"\x89PNG\r\n\x1a\n"),
        _begins(head, b"GIF8"),
        _begins(head, b"BM"),
        _begins(head, b"RIFF") & _begins(head, b"WEBP", 8),
    ]
    kind = tf.argmax(
        tf.cast(tf.stack([*kinds, True]), tf.int32), output_type=tf.int32)
    length = graph_checks.text(tf.strings.length(data))
    kind = graph_checks.after(graph_checks.check(
        kind < len(kinds), name, ": must be a ", FORMATS, " picture (received ",
        length, " bytes without such a beginning)"), kind)
    size, data = tf.switch_case(kind, [
        lambda: (_jpeg_size(data), data), lambda: (_png_size(head), data),
        lambda: _gif_first_frame(data, head), lambda: (_bmp_size(head), data),
        lambda: (_webp_size(head), data),
        lambda: (tf.zeros([2], tf.int64), data)])
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
    pixels = _attempt(
        _pixels, (data, kind, head), tf.zeros([0, 0, 3], tf.uint8))
    return graph_checks.after(graph_checks.check(
        tf.size(pixels) > 0, name, ": must be a whole, undamaged picture, no "
        "BMP but of 8, 24 or 32 bits, no animated or transparent WebP, and no "
        "GIF whose first frame does not fill it (received ", length,
        " bytes that do not decode)"), pixels)


def _pixels(data, kind, head):
    def jpeg():
        # The accurate transform is what Pillow uses.
        return tf.io.decode_jpeg(
            data, channels=3, dct_method="INTEGER_ACCURATE")

    def deep_png():
        # As in `images`: 65535 becomes 255.  Asked for 8 bits, TensorFlow
        # would drop the lower ones.
        values = tf.io.decode_png(data, channels=3, dtype=tf.uint16)
        return tf.cast((tf.cast(values, tf.int32) + 128) // 257, tf.uint8)

    def palette_bmp():
        # TensorFlow leaves out the palette: blue, green, red, 0 for every
        # index, behind a header that tells its size.
        start = 14 + tf.cast(_number(head, 14, 4), tf.int32)
        palette = tf.io.decode_raw(tf.strings.substr(
            tf.strings.join([data, b"\0" * 1024]), start, 1024), tf.uint8)
        index = tf.io.decode_bmp(data)[..., 0]
        return tf.gather(tf.reshape(palette, [256, 4])[:, 2::-1],
                         tf.cast(index, tf.int32))

    def other():
        return tf.ensure_shape(tf.io.decode_image(
            data, channels=3, expand_animations=False), [None, None, 3])

    case = tf.case([
        (kind == 0, jpeg),
        ((kind == 1) & (head[24] == 16), deep_png),
        ((kind == 3) & (head[28] == 8), palette_bmp),
    ], default=other)
    return tf.ensure_shape(case, [None, None, 3])


def _attempt(function, inputs, otherwise):
    """A function's value in the graph, or another where it fails.

    Operations cannot catch errors, but `tf.data` can leave out elements that
    raise one.
    """
    dataset = tf.data.Dataset.from_tensors(inputs).map(function)
    dataset = dataset.ignore_errors().concatenate(
        tf.data.Dataset.from_tensors(otherwise))
    return dataset.take(1).get_single_element()


# --- Headers -----------------------------------------------------------------


def _head(data):
    """The first bytes, zeros where there are fewer: int32 [_HEAD]."""
    padded = tf.strings.substr(
        tf.strings.join([data, b"\0" * _HEAD]), 0, _HEAD)
    head = tf.cast(tf.io.decode_raw(padded, tf.uint8), tf.int32)
    return tf.ensure_shape(head, [_HEAD])


def _begins(head, magic, at=0):
    return tf.reduce_all(head[at:at + len(magic)] == list(magic))


def _number(values, at, count, little_endian=True):
    """A number of `count` bytes: int64 scalar."""
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
    # Both are signed; the height is negative where the first row is the
    # upper one.
    size = _size(width, height)
    return tf.where(size < 2**31, size, 2**32 - size)


def _webp_size(head):
    """Of the three kinds of WebP: lossy, lossless, extended."""
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


def _gif_first_frame(data, head):
    """The larger of a GIF's screen and first frame, and a GIF of that alone.

    TensorFlow decodes all frames to return one, and a megabyte can hold
    gigabytes of them.  The file is walked block by block instead, to the end
    of the first frame, and cut there.
    """
    values = tf.io.decode_raw(data, tf.uint8)
    length = tf.size(values)
    # What the walk is at: the beginning of a block, or the data of one, which
    # come in pieces of up to 255 bytes; an empty piece ends them.
    block, extension, frame, end = range(4)

    def at(position):
        inside = position < length
        return tf.where(inside, tf.cast(
            values[tf.where(inside, position, 0)], tf.int32), 0)

    def color_table(flags):
        sizes = tf.constant([3 * 2 ** (i + 1) for i in range(8)])
        return tf.where(flags & 0x80 > 0, sizes[flags & 7], 0)

    def begin(position, size):
        kind = at(position)
        width, height = (tf.cast(
            at(position + i) + 256 * at(position + i + 1), tf.int64)
            for i in (5, 7))  # behind its left and top
        return tf.case([
            (kind == 0x21, lambda: (position + 2, extension, size)),
            (kind == 0x2c, lambda: (
                position + 11 + color_table(at(position + 9)), frame,
                _size(width, height))),
        ], default=lambda: (position, end, size))

    def go_on(position, state, size):
        piece = at(position)
        after = tf.where(state == frame, end, block)
        return (position + 1 + piece, tf.where(piece == 0, after, state),
                size)

    position, state, frame_size = tf.while_loop(
        lambda position, state, _: (state != end) & (position < length),
        lambda position, state, size: tf.cond(
            state == block, lambda: begin(position, size),
            lambda: go_on(position, state, size)),
        (13 + color_table(head[10]), block, tf.zeros([2], tf.int64)),
        maximum_iterations=_GIF_BLOCKS)
    screen = _size(_number(head, 6, 2), _number(head, 8, 2))
    size = tf.where(tf.reduce_prod(frame_size) > tf.reduce_prod(screen),
                    frame_size, screen)
    cut = tf.strings.join([tf.strings.substr(data, 0, position), b";"])
    # A frame without its end is not whole, though it would be decoded.  Of a
    # frame that does not fill the screen TensorFlow makes something else.
    is_whole = (state == end) & tf.reduce_all(frame_size == screen)
    return size, tf.where(is_whole, cut, b"")
