"""Decodes WebP files, also truncated ones."""

import io
import struct
from typing import BinaryIO

import numpy as np
from PIL import Image

from tfdivcolor.images.decoding import pillow
from tfdivcolor.images.decoding.stored import (
    CONTINUED,
    SizeCheck,
    Stored,
    check_page,
)

_PICTURES = (b"VP8 ", b"VP8L")
_HEADER = 12  # bytes: "RIFF", the length of the rest, "WEBP"


def decode(file: BinaryIO, name: str, check_size: SizeCheck,
           page: int | None = None, lenient: bool = False) -> Stored:
    """Decodes a WebP file; see `decoding.decode`."""
    file.seek(0)
    data = file.read()
    length, = struct.unpack_from("<I", data, 4)
    if len(data) >= length + 8:
        return pillow.decode(file, name, check_size, page, lenient)
    if not lenient:
        raise ValueError(f"the file is truncated: {length + 8 - len(data)} of "
                         f"its {length + 8} bytes are missing")
    check_page(name, page, 1)
    return _in_part(data, name, check_size)


def _in_part(data, name, check_size):
    """Decodes a still picture as far as its data go; the rest is grey.

    The data are continued in two ways: rows that differ are missing.
    """
    stored, other = (
        _continued(data, more, name, check_size) for more in CONTINUED)
    changed = (stored.values != other.values).any(axis=(1, 2))
    missing = np.maximum.accumulate(changed)
    if missing.all():
        raise ValueError("the file is truncated before its first row ends")
    stored.lacks(missing, "rows")
    return stored


def _continued(data, more, name, check_size):
    place = _HEADER
    while data[place:place + 4] not in _PICTURES:
        if place + 8 > len(data):
            raise ValueError("the file is truncated before its pixels")
        length, = struct.unpack_from("<I", data, place + 4)
        place += 8 + length + length % 2
    body = data[place + 8:] + len(data) * 4 // len(more) * more
    body += b"\0" * (len(body) % 2)
    chunk = data[place:place + 4] + struct.pack("<I", len(body)) + body
    content = b"WEBP" + data[_HEADER:place] + chunk
    with Image.open(io.BytesIO(
            b"RIFF" + struct.pack("<I", len(content)) + content),
            formats=["WEBP"]) as image:
        check_size(*image.size)
        return pillow.of_image(image, name)
