"""Decodes with Pillow: most formats of 8 bits, and open PIL images."""

import io
import struct
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image

from tfdivcolor.images import exif, formats, profiles
from tfdivcolor.images.decoding.stored import (
    Kind,
    SizeCheck,
    Stored,
    check_page,
    split,
)
from tfdivcolor.utils.errors import ImageError

MODES_WITH_PALETTE = ("1", "P", "PA")
# Formats whose frames or pictures count as pages.
WITH_FRAMES = ("GIF", "WEBP", "PNG", "AVIF", "HEIF")

# The mode to which each Pillow mode is converted.
_MODES = {
    "1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB",
    "RGBA": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "CMYK": "CMYK", "LAB": "LAB",
}
_KINDS: dict[str, Kind] = {
    "L": "grey", "RGB": "rgb", "CMYK": "cmyk", "LAB": "lab"}
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_MODES_OF_16_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def decode(file: BinaryIO, name: str, check_size: SizeCheck,
           page: int | None = None, lenient: bool = False) -> Stored:
    """Decodes a file of any format that Pillow opens; see
    `decoding.decode`."""
    image, image_format = formats.open_image(file, name)
    check_size(*image.size)
    count = count_frames(image) if image_format in WITH_FRAMES else 1
    check_page(name, page, count)
    used = image.tell() + 1 if page is None else page
    if used != image.tell() + 1:
        image.seek(used - 1)
    try:
        stored = _deep(image, file, image_format, used) or of_image(image, name)
    except Exception as error:
        if lenient:
            raise ImageError(
                f"{name}: must be a JPEG, PNG, TIFF or WebP file to be read in "
                f"part (received a damaged {image_format} file)") from error
        raise
    if image_format == "BMP":
        _check_bmp(file, stored)
    stored.page, stored.num_pages = used, count
    if count > 1 and page is None:
        stored.notes.append(f"picture {used} of {count} is used")
    return stored


def _check_bmp(file, stored):
    """Notes missing bytes, which displace the rows after them."""
    file.seek(0)
    length, = struct.unpack_from("<I", file.read(6), 2)
    missing = length - file.seek(0, io.SEEK_END)
    if missing > 0:
        stored.notes.append(f"{missing} of its {length} bytes are missing: "
                            "pixels may be displaced")


def count_frames(image: Image.Image) -> int:
    """Counts the frames or pictures of an open file."""
    return getattr(image, "n_frames", 1)


def of_image(image: Image.Image, name: str) -> Stored:
    """Reads the pixels of an open image, or of one made by a program.

    Args:
        image: PIL image.
        name: str. The name for messages.

    Returns:
        `Stored`.

    Raises:
        ImageError: if the mode is not supported.
        Exception: almost any kind, for a damaged file.
    """
    image.load()
    if image.mode in _MODES_OF_16_BITS:
        stored = _of_16_bits(image, name)
    else:
        stored = _of_8_bits(image, name)
    stored.has_palette = image.mode in MODES_WITH_PALETTE
    describe(stored, image)
    return stored


def _of_8_bits(image, name):
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.mode not in _MODES:
        raise ImageError(
            f"{name}: a PIL image must be grey, RGB, CMYK, Lab or palette of "
            f"at most 16 bits per channel (received mode {image.mode})")
    alpha = None
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    if image.mode == "P":
        image = image.convert("RGBA")  # handles every kind of transparency
    mode = _MODES[image.mode]
    values = np.asarray(image.convert(mode))
    if mode == "L":
        values = values[..., np.newaxis]
    return Stored(values, _KINDS[mode], alpha)


def _of_16_bits(image, name):
    values = np.asarray(image)[..., np.newaxis]
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(
            f"{name}: must have at most 16 bits per channel "
            f"(received values {values.min()}..{values.max()})")
    return Stored(values.astype(np.uint16), "grey")


def describe(stored: Stored, image: Image.Image) -> None:
    """Adds Pillow's metadata of a loaded image to `stored`."""
    stored.exif = exif.of_image(image)
    # Only after loading: Pillow turns some formats and then resets their tag.
    stored.orientation = exif.orientation(image)
    stored.profile = image.info.get("icc_profile") or None
    take_adobe_rgb(stored)
    stored.dpi = _resolution(image, stored.exif)


def take_adobe_rgb(stored: Stored) -> None:
    """Sets the Adobe RGB profile if EXIF says so and there is no profile."""
    if (not stored.profile and stored.kind in ("grey", "rgb")
            and stored.exif and exif.is_adobe_rgb(stored.exif[1])):
        stored.profile = profiles.ADOBE_RGB
        stored.notes.append(
            "it has no colour profile; its EXIF says that its colours are "
            "Adobe RGB")


def _resolution(image, found):
    # Pillow returns fractions, and a file may state nonsense.  In a JPEG
    # without JFIF density, Pillow uses one number of EXIF for both sides.
    if "dpi" in image.info and not (
            image.format in ("JPEG", "MPO")
            and "jfif_density" not in image.info):
        try:
            across, down = (float(number) for number in image.info["dpi"])
            return exif.sound_resolution(across, down)
        except (TypeError, ValueError, ZeroDivisionError):
            return None
    return exif.resolution(found) if found else None


def _deep(image, file, image_format, page):
    """Decodes AVIF and HEIF of 10 or 12 bits; returns None for others."""
    if image_format == "AVIF" and page == 1:
        bits = _avif_bits(file)
        if bits == 8:
            return None
        image.load()  # raises for damaged files
        file.seek(0)
        stored = split(imagecodecs.avif_decode(file.read()), bits)
    elif image_format == "HEIF":
        file.seek(0)
        found = formats.heif("HEIF").open_heif(
            file, convert_hdr_to_8bit=False)[page - 1]
        bits = found.info.get("bit_depth", 8)
        if bits == 8:
            return None
        # The values stand in the upper bits of 16.
        stored = split(np.asarray(found) >> (16 - bits), bits)
    else:
        return None
    describe(stored, image)
    return stored


def _avif_bits(file):
    """Reads the bits per channel of an AVIF file from its av1C box."""
    file.seek(0)
    head = file.read(1 << 16)
    place = head.find(b"av1C") + 6
    flags = head[place] if 6 <= place < len(head) else 0
    # The bits of the byte: tier, high bit depth, twelve bits, ...
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
