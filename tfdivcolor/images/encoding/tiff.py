"""Writes TIFF files of 8 and 16 bits per channel.

Pillow does not write 16 bits for more than one channel. libdeflate compresses
faster than zlib, and smaller at the same level.
"""

import struct
from collections.abc import Mapping

import imagecodecs
import numpy as np

from tfdivcolor.images import exif as directories, xmp as words
from tfdivcolor.images.profiles import SRGB

_STRIP_BYTES = 1 << 20  # before compression


def encode(values: np.ndarray, exif: bytes | None = None,
           metadata: Mapping[str, str] | None = None,
           dpi: tuple[float, float] | None = None) -> bytes:
    """Makes a TIFF file with an sRGB profile.

    Args:
        values: uint8 or uint16 [H, W, 3 or 4]. sRGB, and alpha.
        exif, metadata, dpi: as in `encoding.encode`, with clean metadata.
            Default to None.

    Returns:
        bytes.
    """
    order, entries = directories.read(exif) if exif else ("<", {})
    height, width, channels = values.shape
    rows = max(1, _STRIP_BYTES // values[0].nbytes)
    strips = []
    for row in range(0, height, rows):
        strip = values[row:row + rows]
        # Predictor 2: the difference to the pixel on the left.
        strip = np.concatenate(
            [strip[:, :1], strip[:, 1:] - strip[:, :-1]], axis=1)
        strips.append(imagecodecs.deflate_encode(
            strip.astype(strip.dtype.newbyteorder(order)).tobytes(), level=1))
    lengths = [len(strip) for strip in strips]
    starts = np.cumsum([8, *lengths])  # after the header; last, the directory
    padding = int(starts[-1]) % 2

    def integers(code, *numbers):
        kind = {"H": 3, "I": 4}[code]
        return kind, struct.pack(f"{order}{len(numbers)}{code}", *numbers)

    entries |= {
        256: integers("I", width), 257: integers("I", height),
        258: integers("H", *[8 * values.itemsize] * channels),  # bits
        259: integers("H", 8),  # compression: deflate
        262: integers("H", 2),  # colours: RGB
        273: integers("I", *starts[:-1]), 279: integers("I", *lengths),
        277: integers("H", channels), 278: integers("I", rows),
        284: integers("H", 1),  # interleaved channels
        317: integers("H", 2), 34675: (7, SRGB)}
    if dpi:
        entries |= {code: (5, struct.pack(
            f"{order}II", round(1000 * number), 1000))
            for code, number in zip((282, 283), dpi)}
        entries[296] = integers("H", 2)  # inches
    if channels == 4:
        entries[338] = integers("H", 2)  # alpha, not premultiplied
    if metadata:
        entries[700] = (1, words.xmp(metadata))
    start = int(starts[-1]) + padding
    return b"".join([
        directories.header(order, start), *strips, b"\0" * padding,
        directories.write(entries, order, start)])
