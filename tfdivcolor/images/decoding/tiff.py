"""Decodes TIFF: all pages, depths and kinds of colour, truncated files.

tifffile reads the pages and most pixels. Pillow reads subsampled YCbCr and
old-style JPEG.
"""

import contextlib
import logging
import math
import re
import struct
import zlib
from typing import BinaryIO

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from tfdivcolor.images import exif, formats
from tfdivcolor.images.decoding import pillow
from tfdivcolor.images.decoding.stored import (
    CHANNELS,
    Kind,
    SizeCheck,
    Stored,
    check_page,
    divided,
    scaled,
)
from tfdivcolor.utils.errors import ImageError

# Tags.
_SUBFILE, _RESOLUTION, _UNIT = (255, 254), (282, 283), 296
_ORIENTATION, _PALETTE, _EXTRA, _PROFILE = 274, 320, 338, 34675
_SUBSAMPLING, _KIND, _ROWS = 530, 262, 278
_STRIPS, _TILES = 273, 324  # their offsets
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # SubfileType
_PREMULTIPLIED, _STRAIGHT = 1, 2  # ExtraSamples that are opacity
_OLD_JPEG = 6


def _inflated(data):
    return zlib.decompressobj().decompress(data)


# Codecs that decode the first part of cut data: none, LZW, deflate, PackBits.
_CODECS = {
    1: (bytes, bytes),
    5: (imagecodecs.lzw_decode, imagecodecs.lzw_encode),
    8: (_inflated, zlib.compress), 32946: (_inflated, zlib.compress),
    32773: (imagecodecs.packbits_decode, imagecodecs.packbits_encode)}

_PHOTOMETRIC = tifffile.PHOTOMETRIC
_KINDS: dict[int, Kind] = {
    _PHOTOMETRIC.MINISWHITE: "grey", _PHOTOMETRIC.MINISBLACK: "grey",
    _PHOTOMETRIC.RGB: "rgb", _PHOTOMETRIC.PALETTE: "rgb",
    _PHOTOMETRIC.SEPARATED: "cmyk", _PHOTOMETRIC.YCBCR: "rgb",
    _PHOTOMETRIC.CIELAB: "lab", _PHOTOMETRIC.ICCLAB: "lab"}
_SIGNED_LAB = _PHOTOMETRIC.CIELAB

# tifffile logs oddities; important ones also raise an error.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False


def count_pages(file: BinaryIO) -> int:
    """Counts the pictures of a TIFF file, without thumbnails and masks."""
    with tifffile.TiffFile(file) as tiff:
        return len(_pictures(tiff))


def decode(file: BinaryIO, name: str, check_size: SizeCheck,
           page: int | None = None, lenient: bool = False) -> Stored:
    """Decodes one page of a TIFF file; see `decoding.decode`."""
    file.seek(0)
    with _named(name), tifffile.TiffFile(file) as tiff:
        pages = _pictures(tiff)
        if not pages:
            raise ValueError("the file is truncated before its directory")
        check_page(name, page, len(pages))
        areas = [one.imagewidth * one.imagelength for one in pages]
        used = (areas.index(max(areas)) + 1) if page is None else page
        chosen = pages[used - 1]
        check_size(chosen.imagewidth, chosen.imagelength)
        stored = _decode_page(file, name, tiff, chosen, lenient)
        if _is_cut_off(file, tiff):
            stored.notes.append("it is truncated: further pages are missing")
        if not tiff.is_bigtiff:
            stored.exif = exif.of_tiff(file, chosen.offset)
    pillow.take_adobe_rgb(stored)
    stored.dpi = _resolution(chosen)
    stored.page, stored.num_pages = used, len(pages)
    if len(pages) > 1 and page is None:
        stored.notes.append(f"page {used} of {len(pages)} is used")
    return stored


@contextlib.contextmanager
def _named(name):
    """Reports an unsupported compression as such, not as a damaged file."""
    try:
        yield
    except ValueError as error:
        found = re.search(
            r"(\w+) is not a known COMPRESSION|COMPRESSION\.(\w+).*not supp",
            str(error))
        if not found:
            raise
        raise ImageError(
            f"{name}: must be a TIFF file with a supported compression "
            f"(received {found[1] or found[2]})") from error


def _chain(tiff):
    """Returns the pages of a file, without those of sub-directories."""
    pages, seen = [], set()
    for page in tiff.pages:
        if page.offset in seen:
            break  # the last page points back
        seen.add(page.offset)
        pages.append(page.aspage())
    return pages


def _pictures(tiff):
    """Returns the pages that are pictures, or all pages if none is."""
    pages = []
    for page in _chain(tiff):
        pages.append(page)
        if page.subifds:
            pages += [one.aspage() for one in page.pages]
    pictures = [page for page in pages if not _is_aside(page)]
    return pictures or pages


def _is_aside(page):
    old, new = (_value(page, tag, 0) for tag in _SUBFILE)
    return bool(new & (_REDUCED | _MASK)) or old == _OLD_REDUCED


def _value(page, tag, otherwise=None):
    found = page.tags.get(tag)
    return otherwise if found is None else found.value


def _resolution(page):
    try:
        inches = exif.INCHES[_value(page, _UNIT, 2)]
        across, down = (
            inches * first / second
            for first, second in (page.tags[tag].value for tag in _RESOLUTION))
        return exif.sound_resolution(across, down)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _decode_page(file, name, tiff, page, lenient):
    _check_kind(name, page)
    if page.compression == _OLD_JPEG or (
            page.photometric == _PHOTOMETRIC.YCBCR
            and page.compression != tifffile.COMPRESSION.JPEG
            and tuple(_value(page, _SUBSAMPLING, (2, 2))) != (1, 1)):
        return _by_pillow(file, name, tiff, page)
    values, missing = _pixels(page, lenient)
    stored = _of_page(values, page)
    stored.orientation = _value(page, _ORIENTATION)
    stored.profile = _value(page, _PROFILE)
    if stored.profile is None and _PROFILE in _tags(file, tiff, page):
        stored.notes.append("its colour profile is ignored, because it is cut "
                            "off; its colours are read as sRGB")
    if missing is not None:
        stored.lacks(missing, "pixels")
    return stored


def _is_cut_off(file, tiff):
    """Whether the last page points to a missing page."""
    pages = _chain(tiff)
    number, size, start = _entries(file, tiff, pages[-1])
    file.seek(start + size * number)
    length = 8 if tiff.is_bigtiff else 4
    following = int.from_bytes(
        file.read(length), "little" if tiff.byteorder == "<" else "big")
    return following != 0 and following not in [
        page.offset for page in pages]


def _tags(file, tiff, page):
    """Returns all tag numbers of a page, including those tifffile drops."""
    number, size, start = _entries(file, tiff, page)
    file.seek(start)
    entries = file.read(size * min(number, 4096))
    return [struct.unpack_from(tiff.byteorder + "H", entries, place)[0]
            for place in range(0, len(entries) - 1, size)]


def _entries(file, tiff, page):
    """Returns number, bytes and start of a directory's entries."""
    code, size, head = ("Q", 20, 8) if tiff.is_bigtiff else ("H", 12, 2)
    file.seek(page.offset)
    number, = struct.unpack(tiff.byteorder + code, file.read(head))
    return number, size, page.offset + head


def _check_kind(name, page):
    """Refuses unsupported kinds with a message that names the kind."""
    if _KIND not in page.tags:
        raise ImageError(f"{name}: must be a TIFF file with the kind of its "
                         "channels in tag 262 (received one without it)")
    bits, kind = page.bitspersample, page.sampleformat
    number = {1: "integer", 2: "signed integer", 3: "float",
              4: "undefined", 5: "complex", 6: "complex"}.get(kind, "unknown")
    if isinstance(bits, tuple):
        bits = "/".join(map(str, bits))
    photometric = getattr(page.photometric, "name", page.photometric)
    known = (page.photometric in _KINDS
             and (number == "integer" and bits in (*range(1, 17), 32)
                  and (bits == 8 or page.photometric != _PHOTOMETRIC.YCBCR)
                  or number == "float" and bits in (16, 32)
                  or page.photometric == _SIGNED_LAB and bits in (8, 16)))
    if known and page.photometric == _PHOTOMETRIC.SEPARATED:
        known = _value(page, 332, 1) == 1  # InkSet: CMYK
        photometric = "CMYK" if known else "other inks than CMYK"
    if not known:
        raise ImageError(
            f"{name}: must be a TIFF file of grey, RGB, palette, CMYK, Lab or "
            "YCbCr, of 1 to 16 or 32-bit integers, or 16 or 32-bit floats "
            f"(received a {bits}-bit {number} TIFF, {photometric})")


def _by_pillow(file, name, tiff, page):
    numbers = [one.offset for one in _chain(tiff)]
    file.seek(0)
    image, _ = formats.open_image(file, name)
    if page.offset not in numbers or (
            tiff.is_bigtiff and tiff.byteorder == ">"):
        raise ImageError(
            f"{name}: must not have a subsampled YCbCr picture in a "
            "sub-directory or a big-endian BigTIFF (received one)")
    image.seek(numbers.index(page.offset))
    return pillow.of_image(image, name)


def _pixels(page, lenient):
    """Reads pixels as stored [H, W, channels], and which are missing."""
    handle = page.parent.filehandle
    try:
        # tifffile shows missing data as black without an error.
        if not (len(_value(page, _TILES if page.is_tiled else _STRIPS, ()))
                == len(page.databytecounts) == _number_of_segments(page)
                and all(
                    0 < count <= handle.size - offset for offset, count
                    in zip(page.dataoffsets, page.databytecounts))):
            raise ValueError("the file is truncated, or lacks strips")
        values = page.asarray()
    except Exception:
        if not lenient:
            raise
        return _segments(page, handle)
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        values = np.moveaxis(values, 0, -1)
    return values.reshape(page.imagelength, page.imagewidth, -1), None


def _number_of_segments(page):
    """Returns the number of strips or tiles that the tags imply."""
    if page.is_tiled:
        return math.prod(page.chunked)
    rows = _value(page, _ROWS, page.imagelength) or page.imagelength
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    return planes * -(-page.imagelength // rows)


def _segments(page, handle):
    """Decodes the strips or tiles one by one, as far as possible."""
    shape = page.shaped  # separate samples, depth, height, width, channels
    values = np.zeros(shape, page.dtype)
    there = np.zeros(shape[:4], bool)
    for index, (offset, count) in enumerate(zip(
            page.dataoffsets, page.databytecounts)):
        handle.seek(offset)
        data, rows = _mended(page, handle.read(count), count)
        try:
            decoded, place, size = page.decode(
                data, index, jpegtables=page.jpegtables)
        except Exception:  # damaged data raise almost anything
            continue
        if decoded is None:
            continue
        plane, depth, top, left, _ = place
        target = values[plane, depth, top:top + size[1], left:left + size[2]]
        target[...] = decoded[0, :target.shape[0], :target.shape[1]]
        there[plane, depth, top:top + min(rows, size[1]),
              left:left + size[2]] = True
    missing: np.ndarray = np.logical_not(there.all(axis=(0, 1)))
    if missing.all():
        raise ValueError("the file is truncated before its first pixels")
    if page.planarconfig == 2 and shape[0] > 1:
        values = np.moveaxis(values[..., 0], 0, -1)
    return values.reshape(page.imagelength, page.imagewidth, -1), missing


def _mended(page, data, count):
    """Completes a strip or tile that is cut off, with zeros.

    Returns:
        bytes, and int, the number of rows present.
    """
    height = page.tilelength or page.rowsperstrip
    if len(data) == count or page.compression not in _CODECS:
        return data, height if len(data) == count else 0
    channels = page.samplesperpixel if page.planarconfig == 1 else 1
    width = page.tilewidth or page.imagewidth
    row = (width * channels * page.bitspersample + 7) // 8
    unpack, pack = _CODECS[page.compression]
    try:
        found = unpack(data)[:row * height]
    except Exception:  # damaged data raise almost anything
        return data, 0
    return pack(found.ljust(row * height, b"\0")), len(found) // row


# --- Meaning of the numbers --------------------------------------------------


def _of_page(values, page):
    kind = _KINDS[page.photometric]
    if page.photometric == _PHOTOMETRIC.PALETTE:
        return _of_palette(values, page)
    colors = CHANNELS[kind]
    if values.shape[2] < colors:
        raise ValueError(f"{colors} channels are missing")
    notes = []
    if kind == "lab":
        values = _lab(values, page)
    elif values.dtype.kind == "f":
        values = _of_floats(values, notes)
    else:
        values = scaled(values.astype(f"u{values.itemsize}", copy=False),
                        page.bitspersample)
    extra = (_value(page, _EXTRA) or (_STRAIGHT,))[0]
    alpha = None
    if values.shape[2] > colors and extra in (_PREMULTIPLIED, _STRAIGHT):
        alpha = np.ascontiguousarray(values[..., colors])
    values = np.ascontiguousarray(values[..., :colors])
    if (page.photometric == _PHOTOMETRIC.YCBCR
            and page.compression != tifffile.COMPRESSION.JPEG):
        values = np.asarray(Image.fromarray(values, "YCbCr").convert("RGB"))
    if alpha is not None and extra == _PREMULTIPLIED:
        values = divided(values, alpha)
    if page.photometric == _PHOTOMETRIC.MINISWHITE:
        values = np.iinfo(values.dtype).max - values
    return Stored(values, kind, alpha, notes=notes,
                  has_palette=page.bitspersample == 1)


def _of_palette(values, page):
    palette = np.asarray(_value(page, _PALETTE)).reshape(3, -1)
    # Some programs write 8 bits where the standard requires 16.
    if palette.max() > 255:
        palette = palette >> 8
    colors = palette.T.astype(np.uint8)
    return Stored(colors[values[..., 0].astype(np.uint16)], "rgb",
                  has_palette=True)


def _of_floats(values, notes):
    outside = ~((values >= 0) & (values <= 1))
    if outside.any():
        notes.append(f"{outside.mean():.2%} of its values are not between 0 "
                     "and 1, and are clipped")
    values = np.nan_to_num(values.astype(np.float64), nan=0.0)
    return np.rint(values.clip(0, 1) * 65535).astype(np.uint16)


def _lab(values, page):
    """Converts L*a*b* of 8 or 16 bits to the code of ICC profiles.

    Alpha does not change.
    """
    bits = page.bitspersample
    if bits not in (8, 16) or values.dtype.kind == "f":
        raise ImageError("Lab of a TIFF file must have 8 or 16 bits per "
                         f"channel (received {bits})")
    values = values.view(f"u{values.itemsize}").copy()
    ab = values[..., 1:3]
    if page.photometric == _SIGNED_LAB:
        # Signed numbers, in units of 1 or of 1/256.
        ab ^= np.array(1 << (bits - 1), values.dtype)
    if bits == 16:
        # 128 is 32768 so far; the ICC code has 32896 in 16 bits.
        ab[...] = np.minimum(ab * (257 / 256) + 0.5, 65535)
        if page.photometric == _PHOTOMETRIC.ICCLAB:
            # In version 2, L* = 100 is 65280.
            values[..., 0] = np.minimum(
                values[..., 0] * (65535 / 65280) + 0.5, 65535)
    return values
