"""TIFF files of 16 bits a channel read, and of 8 and 16 bits written.

Pillow does neither in 16 bits for more than one channel.  imagecodecs decodes
the pixels here; Pillow reads the directory that describes them.
"""

import struct
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
from PIL import Image, TiffImagePlugin

from tfdivcolor.images import exif as directories, xmp as words
from tfdivcolor.images.profiles import SRGB

_STRIP_BYTES = 1 << 20  # before compression


class DeepTiff:
    """Header of a TIFF file of 16 bits a channel, in place of a PIL image.

    It has what `channels.read` and `exif` ask of one. Pillow does not open
    grey with alpha, among others.

    Attributes:
        size: (int, int). Width and height.
        colors: int. Channels that are colours: 1 or 3.
        zero_is_white: bool. Whether the values are those of a negative.
        has_alpha: bool. Whether the channel behind the colours is opacity.
        is_premultiplied: bool. Whether the colours are multiplied by it.
        in_planes: bool. Whether the channels are stored one after the other.
    """

    format, mode = "TIFF", None

    def __init__(self, tags: Mapping[int, Any], exif: Image.Exif):
        self.exif = exif
        self.size = (tags[TiffImagePlugin.IMAGEWIDTH],
                     tags[TiffImagePlugin.IMAGELENGTH])
        if not all(isinstance(side, int) for side in self.size):
            raise ValueError("the sides are not whole numbers")
        self.info = {"icc_profile": tags.get(TiffImagePlugin.ICCPROFILE)}
        # 0: grey, 0 is white; 1: grey; 2: RGB.
        kind = tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION]
        self.colors = 3 if kind == 2 else 1
        self.zero_is_white = kind == 0
        # 1: premultiplied alpha; 2: alpha.
        extra = tags.get(TiffImagePlugin.EXTRASAMPLES, (2,))[0]
        self.has_alpha = extra in (1, 2)
        self.is_premultiplied = extra == 1
        self.in_planes = tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2

    def getexif(self) -> Image.Exif:
        return self.exif


def open_deep(file: BinaryIO) -> DeepTiff | None:
    """Opens a TIFF file of 16 bits a channel, grey or RGB.

    Args:
        file: binary file, at its start.

    Returns:
        `DeepTiff`; or None if it is no such file, which is then at its start.

    Raises:
        Exception: of almost any kind, if the file is damaged.
    """
    header = file.read(8)
    if header[:4] == b"II+\0":  # BigTIFF; its rare other order Pillow refuses
        header += file.read(8)
    elif header[:4] not in (b"II*\0", b"MM\0*"):
        header = b""
    if header:
        tags = TiffImagePlugin.ImageFileDirectory_v2(header)
        start = tags.next
        file.seek(start)
        tags.load(file)
        if _is_deep(tags):
            exif = Image.Exif()
            exif.endian = "<" if header[:1] == b"I" else ">"
            exif.bigtiff = len(header) == 16
            exif.load_from_fp(file, start)
            return DeepTiff(tags, exif)
    file.seek(0)
    return None


def _is_deep(tags):
    return (
        set(tags.get(TiffImagePlugin.BITSPERSAMPLE, ())) == {16}
        and set(tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))) == {1}  # unsigned
        and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) in (0, 1, 2))


def decode(image: DeepTiff, file: BinaryIO) -> np.ndarray:
    """Decodes the pixels as they are stored.

    Args:
        image: `DeepTiff`.
        file: binary file that it was read from.

    Returns:
        [H, W] or [H, W, channels], uint16 if the file is not damaged.

    Raises:
        Exception: of almost any kind, if the file is damaged.
    """
    file.seek(0)
    values = imagecodecs.tiff_decode(file.read())
    if values.ndim == 3 and image.in_planes:
        values = np.moveaxis(values, 0, -1)
    return values


def encode(values: np.ndarray, exif: bytes | None = None,
           metadata: Mapping[str, str] | None = None,
           dpi: tuple[float, float] | None = None) -> bytes:
    """Makes a TIFF file with an sRGB profile.

    Args:
        values: uint8 or uint16 [H, W, 3 or 4]. sRGB, and alpha.
        exif, metadata, dpi: as of `encoding.encode`, the metadata clean.

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
        strips.append(zlib.compress(
            strip.astype(strip.dtype.newbyteorder(order)).tobytes(), 1))
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
        284: integers("H", 1),  # the channels of a pixel stand together
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
