"""JPEG: 12 and 16 bits, CMYK without Adobe's marker, files without an end."""

import io
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image

from tfdivcolor.images import formats
from tfdivcolor.images.decoding import pillow
from tfdivcolor.images.decoding.stored import (
    CONTINUED,
    SizeCheck,
    Stored,
    check_page,
    split,
)
from tfdivcolor.utils.errors import ImageError

END = b"\xff\xd9"
# Markers that begin a frame: SOF0 to SOF15, without DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_LS = 0xF7  # frame of another standard
_COMMON = (0xC0, 0xC1, 0xC2)
_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
# Limit for files with restart markers: the most blocks along one side.
_INTERVAL, _MOST_INTERVALS = 32, 8192
_TAIL = 1 << 16  # bytes; programs may append data after the end marker


def decode(file: BinaryIO, name: str, check_size: SizeCheck,
           page: int | None = None, lenient: bool = False) -> Stored:
    """Decodes a JPEG file; see `decoding.decode`.

    In a file of several pictures (MPO) the first is the photograph. The others
    are previews, gain maps or other views of it.
    """
    check_page(name, page, 1)
    place, kind, bits = _frame(file)
    if kind == _JPEG_LS:
        raise ImageError(f"{name}: must be a JPEG file of a supported kind "
                         "(received JPEG-LS)")
    if bits != 8:
        return _decode_deep(file, check_size, lenient, place, kind, bits)
    image, _ = formats.open_image(file, name)
    check_size(*image.size)
    try:
        return _as_browsers_do(pillow.of_image(image, name), image)
    except OSError as error:
        if "truncated" not in str(error):
            raise

    def read(data):
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        return _as_browsers_do(pillow.of_image(image, name), image)

    file.seek(0)
    return _decode_in_part(file.read(), read, lenient, kind)


def is_common(file: BinaryIO) -> bool:
    """Whether every decoder reads this JPEG file.

    Such files have 8 bits, sequential or progressive Huffman coding, and an
    end marker.
    """
    _, kind, bits = _frame(file)
    file.seek(0, io.SEEK_END)
    file.seek(max(0, file.tell() - _TAIL))
    return kind in _COMMON and bits == 8 and END in file.read()


def _frame(file):
    """Reads the frame's header: place, marker and bits per channel."""
    file.seek(2)
    while True:
        byte = file.read(1)
        if not byte:
            return 0, 0, 8  # no frame: Pillow reports it
        marker = file.read(1)[0:1] if byte == b"\xff" else b""
        if not marker or marker in (b"\0", b"\xff"):
            if marker == b"\xff":
                file.seek(-1, io.SEEK_CUR)
            continue
        length = int.from_bytes(file.read(2), "big")
        if marker[0] in _FRAMES or marker[0] == _JPEG_LS:
            return file.tell() - 4, marker[0], (file.read(1) or b"\x08")[0]
        file.seek(max(length - 2, 0), io.SEEK_CUR)


def _decode_deep(file, check_size, lenient, place, kind, bits):
    file.seek(0)
    data = file.read()
    # With a depth that Pillow knows, it reads the other segments.
    shallow = bytearray(data)
    shallow[place + 4] = 8
    image = Image.open(io.BytesIO(shallow), formats=["JPEG"])
    check_size(*image.size)

    def read(data):
        return split(imagecodecs.jpeg_decode(data), bits)

    # The decoder does not report truncated files.
    if data.rfind(END) > place:
        stored = read(data)
    else:
        stored = _decode_in_part(data, read, lenient, kind)
    pillow.describe(stored, image)
    return stored


def _as_browsers_do(stored, image):
    """Inverts the CMYK of a file without Adobe's marker, where 0 is no ink.

    Adobe's programs store the negative and set the marker.  Pillow assumes it
    in every file; browsers and TensorFlow do not.
    """
    if stored.kind == "cmyk" and "adobe" not in image.info:
        stored.values = 255 - stored.values
    return stored


def _decode_in_part(data, read, lenient, kind):
    """Decodes a file that lacks a part of its data, or only its end marker."""
    stored, other = (read(_continued(data, more)) for more in CONTINUED)
    # Pixels that depend on the continuation are missing.
    changed = (stored.values != other.values).any(axis=-1)
    if not changed.any():
        stored.notes.append(
            "its end marker is missing, but all its pixels are present")
        return stored
    missing = _missing(changed, kind)
    share = missing.mean()
    if not lenient:
        raise ValueError(
            f"the file is truncated: {share:.0%} of its pixels are missing or "
            "incomplete")
    if kind in _PROGRESSIVE:
        stored.notes.append(
            f"it is truncated: {share:.0%} of its pixels lack detail")
        return stored
    stored.lacks(missing, "pixels")
    return stored


def _continued(data, more):
    """Continues the data of a truncated file and ends them."""
    intervals = data.rfind(b"\xff\xdd\x00\x04")
    if intervals < 0:
        return data + len(data) * more + END
    # Decoders skip to the next restart marker. Restart markers stand between
    # blocks and are numbered 0 to 7 in turn.
    number = max(range(8), key=lambda n: data.rfind(bytes([0xFF, 0xD0 + n])))
    if data.rfind(bytes([0xFF, 0xD0 + number])) < 0:
        number = -1
    return data + b"".join(
        _INTERVAL * more + bytes([0xFF, 0xD0 + (number + 1 + i) % 8])
        for i in range(_MOST_INTERVALS)) + _INTERVAL * more + END


def _missing(changed, kind):
    """Marks pixels from the first block that depends on missing data.

    Returns:
        bool [H, W].
    """
    if kind in _PROGRESSIVE:
        return changed
    missing = np.zeros_like(changed)
    # Blocks of 8 or 16 pixels follow each other in rows.
    first = int(np.argmax(changed.any(axis=1)))
    top = first - first % 8
    bottom = min(top + 8, len(changed))
    left = int(np.argmax(changed[top:bottom].any(axis=0)))
    missing[top:bottom, left - left % 8:] = True
    missing[bottom:] = True
    return missing
