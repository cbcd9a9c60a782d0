"""Decodes JPEG 2000 files of 1 to 16 bits per channel."""

import struct
from typing import BinaryIO

import imagecodecs

from tfdivcolor.images import formats
from tfdivcolor.images.decoding import pillow
from tfdivcolor.images.decoding.stored import (
    SizeCheck,
    Stored,
    check_page,
    split,
)
from tfdivcolor.utils.errors import ImageError

_STREAM = b"\xff\x4f\xff\x51"  # first bytes of a code stream
_SIZE_MARKER = b"\xff\x51"  # SIZ, which begins every code stream
_PROFILE = 2  # method of the colr box that holds an ICC profile


def decode(file: BinaryIO, name: str, check_size: SizeCheck,
           page: int | None = None, lenient: bool = False) -> Stored:
    """Decodes a JPEG 2000 file; see `decoding.decode`."""
    check_page(name, page, 1)
    image, _ = formats.open_image(file, name)
    check_size(*image.size)
    file.seek(0)
    data = file.read()
    check_size(*_size(data))  # an earlier box may state another size
    bits = _bits(data)
    if len(set(bits)) != 1 or not 1 <= bits[0] <= 16:
        raise ImageError(
            f"{name}: a JPEG 2000 file must have one unsigned depth of at most "
            f"16 bits per channel (received {', '.join(map(str, bits))})")
    # With a whole file, OpenJPEG would apply the profile in its own way.
    values = imagecodecs.jpeg2k_decode(data[data.index(_STREAM):])
    if values.ndim == 3 and values.shape[2] > 4:
        raise ImageError(f"{name}: must be grey or RGB, with or without alpha "
                         f"(received {values.shape[2]} channels)")
    stored = split(values, bits[0])
    pillow.describe(stored, image)
    stored.profile = _icc(data) or stored.profile
    return stored


def _size(data):
    """Returns width and height of the code stream."""
    right, bottom, left, top = struct.unpack_from(
        ">4I", data, data.index(_SIZE_MARKER) + 6)
    return right - left, bottom - top


def _bits(data):
    """Returns the bits of each channel, negative for signed channels."""
    start = data.index(_SIZE_MARKER) + 2
    count, = struct.unpack_from(">H", data, start + 36)
    depths = data[start + 38:start + 38 + 3 * count:3]
    return [-(depth & 127) - 1 if depth & 128 else depth + 1
            for depth in depths]


def _icc(data):
    """Returns the profile of a colr box, or None."""
    place = data.find(b"colr")
    if place < 4 or data[place + 4:place + 5] != bytes([_PROFILE]):
        return None
    length, = struct.unpack_from(">I", data, place - 4)
    return data[place + 7:place - 4 + length]
