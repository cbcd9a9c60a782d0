"""Writes PNG files of 8 and 16 bits per channel.

Pillow does not write 16 bits for more than one channel, and its own encoder
takes twelve times as long.
"""

import struct
import zlib
from collections.abc import Mapping

import imagecodecs
import numpy as np
from PIL import PngImagePlugin

_HEADER = 33  # bytes: the signature and the header chunk


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
    info.add(b"sRGB", b"\0")  # perceptual rendering intent
    if dpi:
        # Pixels per metre.
        info.add(b"pHYs", struct.pack(
            ">IIB", *(round(number / 0.0254) for number in dpi), 1))
    if exif:
        info.add(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    for name, text in (metadata or {}).items():
        info.add_text(name, text)
    data = imagecodecs.png_encode(
        values, level=1, strategy=imagecodecs.PNG.STRATEGY.RLE,
        filter=imagecodecs.PNG.FILTER.AVG)
    chunks = b"".join(
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content, *_ in info.chunks)
    return b"".join([data[:_HEADER], chunks, data[_HEADER:]])
