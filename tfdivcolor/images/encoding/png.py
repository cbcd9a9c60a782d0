"""Writes PNG files of 8 and 16 bits per channel.

Pillow does not write 16 bits for more than one channel. libdeflate compresses
faster than the zlib of Pillow and libpng, and smaller at the same level.
"""

import struct
import zlib
from collections.abc import Mapping

import imagecodecs
import numpy as np
from PIL import PngImagePlugin

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {3: 2, 4: 6}  # by channels: RGB, RGB and alpha
_SUB = 1  # filter: the difference to the pixel on the left
_LEVEL = 1
_CHUNK_BYTES = 1 << 28  # a chunk holds less than 2 GiB


def encode(values: np.ndarray, exif: bytes | None = None,
           metadata: Mapping[str, str] | None = None,
           dpi: tuple[float, float] | None = None) -> bytes:
    """Makes a PNG file that declares sRGB.

    Args:
        values: uint8 or uint16 [H, W, 3 or 4]. sRGB, and alpha.
        exif, metadata, dpi: as in `encoding.encode`, with clean metadata.
            Default to None.

    Returns:
        bytes.
    """
    info = PngImagePlugin.PngInfo()
    height, width, channels = values.shape
    info.add(b"IHDR", struct.pack(
        ">2I5B", width, height, 8 * values.itemsize, _COLOUR_TYPES[channels],
        0, 0, 0))
    info.add(b"sRGB", b"\0")  # perceptual rendering intent
    if dpi:
        # Pixels per metre.
        info.add(b"pHYs", struct.pack(
            ">IIB", *(round(number / 0.0254) for number in dpi), 1))
    if exif:
        info.add(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    for name, text in (metadata or {}).items():
        info.add_text(name, text)
    # Its types name bytes only; arrays need no copy.
    data = imagecodecs.deflate_encode(
        _filtered(values), level=_LEVEL)  # pyright: ignore[reportArgumentType]
    chunks = [
        *((kind, content) for kind, content, *_ in info.chunks),
        *((b"IDAT", data[start:start + _CHUNK_BYTES])
          for start in range(0, len(data), _CHUNK_BYTES)),
        (b"IEND", b"")]
    return b"".join([_SIGNATURE, *(
        part for kind, content in chunks for part in (
            struct.pack(">I4s", len(content), kind), content,
            struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))))])


def _filtered(values):
    """Makes the bytes to compress: each row after the name of its filter."""
    height, _, channels = values.shape
    pixel = channels * values.itemsize  # bytes
    rows = values.astype(values.dtype.newbyteorder(">"), copy=False)
    rows = np.ascontiguousarray(rows).view(np.uint8).reshape(height, -1)
    filtered = np.empty([height, 1 + rows.shape[1]], np.uint8)
    filtered[:, 0] = _SUB
    filtered[:, 1:1 + pixel] = rows[:, :pixel]
    np.subtract(rows[:, pixel:], rows[:, :-pixel],
                out=filtered[:, 1 + pixel:])
    return filtered
