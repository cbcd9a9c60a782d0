"""Decodes PNG: every depth, the colour spaces of its chunks, truncated files.

libpng decodes and verifies the checksum of every chunk. Pillow reads the
metadata of the chunks.
"""

import logging
import struct
import zlib
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image

from tfdivcolor.images import formats, profiles
from tfdivcolor.images.decoding import pillow
from tfdivcolor.images.decoding.stored import (
    SizeCheck,
    Stored,
    check_page,
    split,
)

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Channels of each colour type.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}

# ITU-T H.273, for cICP: primaries of red, green and blue, and the white point.
_PRIMARIES = {
    1: (profiles.SRGB_PRIMARIES, profiles.D65),
    4: (((0.67, 0.33), (0.21, 0.71), (0.14, 0.08)), (0.310, 0.316)),
    5: (((0.64, 0.33), (0.29, 0.60), (0.15, 0.06)), profiles.D65),
    6: (((0.63, 0.34), (0.31, 0.595), (0.155, 0.07)), profiles.D65),
    7: (((0.63, 0.34), (0.31, 0.595), (0.155, 0.07)), profiles.D65),
    9: (((0.708, 0.292), (0.17, 0.797), (0.131, 0.046)), profiles.D65),
    11: (((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), (0.314, 0.351)),
    12: (((0.68, 0.32), (0.265, 0.69), (0.15, 0.06)), profiles.D65),
}
_STEPS = 1024  # samples of a tone curve


def _srgb_curve(value):
    return np.where(value <= 0.04045, value / 12.92,
                    ((value + 0.055) / 1.055) ** 2.4)


def _video_curve(value):
    # The inverse of the camera's curve of BT.709, 601 and 2020.
    return np.where(value < 0.081, value / 4.5,
                    ((value + 0.099) / 1.099) ** (1 / 0.45))


# Transfer functions of cICP: a gamma or a curve.  16 (PQ) and 18 (HLG) are
# absent because their dynamic range exceeds that of sRGB.
_TRANSFERS = {1: _video_curve, 4: 2.2, 5: 2.8, 6: _video_curve, 8: 1.0,
              13: _srgb_curve, 14: _video_curve, 15: _video_curve}

# libpng warns of common harmless faults, such as an sRGB profile that is not
# quite sRGB. Without this handler the warnings go to standard error.
logging.getLogger("imagecodecs").addHandler(logging.NullHandler())


def decode(file: BinaryIO, name: str, check_size: SizeCheck,
           page: int | None = None, lenient: bool = False) -> Stored:
    """Decodes the picture, or the first frame, of a PNG file.

    See `decoding.decode`.
    """
    image, _ = formats.open_image(file, name)
    check_size(*image.size)
    count = pillow.count_frames(image)
    check_page(name, page, count)
    file.seek(0)
    data = file.read()
    there = None
    try:
        values = imagecodecs.png_decode(data)
    except imagecodecs.PngError as error:
        if not lenient:
            if _is_whole(data):
                raise
            raise ValueError("the file is truncated") from error
        data, there = _completed(data)
        values = imagecodecs.png_decode(data)
    stored = split(values, 8 * values.itemsize)
    if there is not None:
        stored.lacks(np.arange(len(values)) >= there, "rows")
    elif not _is_whole(data):
        stored.notes.append(
            "its end chunk is missing, but all its pixels are present")
    add_exif(image, data)
    pillow.describe(stored, image)
    said = color_space(data, stored.notes)
    if said or not stored.profile:
        stored.profile = said
    stored.has_palette = image.mode in pillow.MODES_WITH_PALETTE
    stored.num_pages = count
    if count > 1 and page is None:
        stored.notes.append(f"frame 1 of {count} is used")
    return stored


def add_exif(image: Image.Image, data: bytes) -> None:
    """Adds an EXIF chunk that follows the pixels to an unloaded image."""
    for kind, content in _chunks(data):
        if kind == b"eXIf":
            image.info.setdefault("exif", b"Exif\0\0" + content)


def color_space(data: bytes, notes: list[str]) -> bytes | None:
    """Reads the profile that a PNG file names, in the standard's order.

    The order is cICP, iCCP, sRGB, then gAMA with cHRM (PNG 3, section 13.13).

    Args:
        data: bytes of the file.
        notes: list. The function appends a note for what it ignores.

    Returns:
        bytes of an ICC profile, or None for sRGB.
    """
    chunks = {}
    for kind, content in _chunks(data):
        if kind == b"IDAT":
            break
        chunks.setdefault(kind, content)
    grey = not data[25] & 2
    try:
        if len(chunks.get(b"cICP", b"")) == 4:
            found = _of_cicp(*chunks[b"cICP"][:2])
            if found is not None:
                return found
            notes.append("its cICP colour space is ignored: it is unknown or "
                         "has a high dynamic range")
        if b"iCCP" in chunks:
            return zlib.decompress(
                chunks[b"iCCP"].split(b"\0", 1)[1][1:])
        if b"sRGB" in chunks or b"gAMA" not in chunks:
            return None
        gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100_000
        if not 0.01 <= gamma <= 100:
            raise profiles.ProfileError(
                f"its gamma is not 0.01 to 100, but {gamma:g}")
        primaries, white = profiles.SRGB_PRIMARIES, profiles.D65
        if b"cHRM" in chunks and not grey:
            xy = np.array(struct.unpack(">8I", chunks[b"cHRM"])) / 100_000
            white, *primaries = map(tuple, xy.reshape(4, 2).tolist())
        return profiles.rgb(tuple(primaries), white, gamma=1 / gamma)
    except (zlib.error, struct.error, IndexError,
            profiles.ProfileError) as error:
        notes.append(f"its colour space is ignored: {error}")
        return None


def _of_cicp(primaries, transfer):
    if primaries not in _PRIMARIES or transfer not in _TRANSFERS:
        return None
    tone = _TRANSFERS[transfer]
    if isinstance(tone, float):
        return profiles.rgb(*_PRIMARIES[primaries], gamma=tone)
    return profiles.rgb(*_PRIMARIES[primaries], curve=tuple(
        tone(np.linspace(0, 1, _STEPS)).tolist()))


def _chunks(data):
    """Yields (kind, content) of every chunk; the last may be incomplete."""
    place = len(_SIGNATURE)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8:place + 8 + length]
        place += 12 + length


def _is_whole(data):
    return any(kind == b"IEND" for kind, _ in _chunks(data))


def _completed(data):
    """Makes a complete file from a truncated one.

    Returns:
        bytes, and int, the number of rows present; all rows after them are 0.

    Raises:
        ValueError: if no row is present, or if the file is interlaced.
    """
    chunks = list(_chunks(data))
    width, height, bits, kind, _, _, interlaced = struct.unpack(
        ">IIBBBBB", chunks[0][1])
    if interlaced:
        raise ValueError("an interlaced PNG file cannot be read in part")
    row = 1 + (width * _CHANNELS[kind] * bits + 7) // 8
    packed = b"".join(content for name, content in chunks if name == b"IDAT")
    rows = _decompressed(packed, row * height)
    there = len(rows) // row
    if not there:
        raise ValueError("the file is truncated before its first row ends")
    rows = rows[:there * row].ljust(row * height, b"\0")
    names = [name for name, _ in chunks]
    before = chunks[:names.index(b"IDAT")]
    whole = [*before, (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + name + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in whole), there


def _decompressed(packed, limit):
    """Inflates as many bytes as possible, in steps: a fault costs one step."""
    decoder, found = zlib.decompressobj(), bytearray()
    for start in range(0, len(packed), 1024):
        try:
            found += decoder.decompress(packed[start:start + 1024])
        except zlib.error:
            break
        if len(found) >= limit:
            break
    return bytes(found[:limit])
