"""Reads files, bytes, images and arrays as pixels.

Pixels are sRGB [H, W, 3], upright: uint8, and also uint16 where the source has
more than 8 bits per channel.  Every fault of a picture raises an `ImageError`
of one line: `NAME: rule (received ...)`.

This module does not import TensorFlow, so that the command line checks its
inputs at once.
"""

import contextlib
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from numpy.typing import DTypeLike

from tfdivcolor.images import decoding, exif, sources, srgb
from tfdivcolor.images.decoding import pillow, stored as pixels_of
from tfdivcolor.images.decoding.stored import Stored
from tfdivcolor.images.sources import Picture
from tfdivcolor.settings import MAX_PIXELS
from tfdivcolor.utils.errors import ImageError, reason

# Largest difference between the channels of a grey pixel, in 8-bit levels.
# Lossy formats that store a grey picture in colour deviate by this much.
_GREY_TOLERANCE = 4

# EXIF orientations that swap width and height.
_LYING = (5, 6, 7, 8)


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as it is shown.

    Attributes:
        pixels: uint8 [H, W, 3]. sRGB, 0..255, upright.
        name: str. The path as given, or "image" for a source without one.
        is_grey: bool. Whether the channels of every pixel are equal, up to
            the rounding of lossy formats.
        pixels_16: uint16 [H, W, 3], or None. The same picture with 16 bits per
            channel, sRGB, 0..65535, if the source has more than 8.
        alpha: uint8 [H, W], or uint16 if there is `pixels_16`. Opacity,
            upright; None if the source has no transparency. A fully opaque
            alpha channel is kept: results have the channels of their source.
        image_format: str, a key of `FORMATS`. None for arrays and for PIL
            images that were not read from a file.
        has_palette: bool. Whether the source is a palette or 1-bit picture.
        exif: bytes, or None. EXIF block for a result: without thumbnail,
            orientation 1. None if the source has none or a damaged one.
        dpi: pair of floats, pixels per inch across and down, or None if the
            file does not state them.
        page, num_pages: int. Number of the picture in the file, from 1, and
            the count of pictures; thumbnails and masks do not count.
        notes: tuple of str. What the user must know about the reading, such
            as "page 1 of 2 is used"; empty for most pictures.
        missing: bool [H, W]. Pixels that are missing in a truncated file, and
            are mid grey; None for a complete file.
    """

    pixels: np.ndarray
    name: str
    is_grey: bool
    pixels_16: np.ndarray | None = None
    alpha: np.ndarray | None = None
    image_format: str | None = None
    has_palette: bool = False
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    page: int = 1
    num_pages: int = 1
    notes: tuple[str, ...] = ()
    missing: np.ndarray | None = None

    @property
    def finest(self) -> np.ndarray:
        """`pixels_16` if there is one, else `pixels`."""
        return self.pixels if self.pixels_16 is None else self.pixels_16


def read(source: Picture, max_pixels: int = MAX_PIXELS,
         page: int | None = None, lenient: bool = False) -> Photo:
    """Reads one picture.

    Image files may be JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000 or HEIC
    (with the extra `[heic]`).  Their names do not matter.  Grey, RGB, CMYK,
    Lab, palette and 1-bit pictures are converted to sRGB: with their ICC
    profile, unless it is equivalent to sRGB; with the colour space named by
    PNG chunks or a camera's EXIF; CMYK without a profile as browsers convert
    it.  The EXIF orientation is applied.  `Photo.pixels` has 8 bits and no
    alpha: it shows the colours stored for transparent pixels.  Depths of 9 to
    16 bits, 32-bit integers and floats from 0 to 1 are stretched over 16 bits;
    scaling and rounding then give 8 bits.

    Pillow keeps only 8 bits of many pictures.  A PIL image that still equals
    its file is therefore read from the file, any other by its own pixels.

    Args:
        source: str or os.PathLike (path); bytes, bytearray, memoryview or
            binary file of an image file; PIL image; or an array [H, W], or
            [H, W, 1, 2, 3 or 4] of grey, grey and alpha, sRGB, sRGB and alpha:
            uint8, uint16, bool, or float from 0 to 1.
        max_pixels: int. Larger pictures are refused; files by their header,
            before decoding. Defaults to `settings.MAX_PIXELS`.
        page: int from 1. The page of a TIFF file, thumbnails and masks aside,
            or the frame of another file. Defaults to None: the largest page
            of TIFF, else the first frame.
        lenient: bool. Whether truncated JPEG, PNG, TIFF and WebP files are
            read as far as possible, with the missing part mid grey. Defaults
            to False.

    Returns:
        `Photo`.

    Raises:
        ImageError: if the file or page does not exist, if the picture is
            empty, damaged, not an image or too large, or if an array or PIL
            image has a type that is not listed here.
    """
    picture = sources.open_picture(source)
    name = picture.name
    check_size = functools.partial(_check_size, name, max_pixels)
    if picture.file is None:
        pixels_of.check_page(name, page, 1)
    if picture.array is not None:
        found, image_format = sources.of_array(picture.array, name), None
        check_size(*found.values.shape[1::-1])
        return _photo(found, name, image_format)
    with picture.file or contextlib.nullcontext() as file:
        with _reported(name):
            if file is None:
                check_size(*picture.image.size)
                found, image_format = pillow.of_image(
                    picture.image, name), picture.known_format
            else:
                found, image_format = decoding.decode(
                    file, name, check_size,
                    picture.page if page is None else page, lenient)
            return _photo(found, name, image_format)


def mid_grey(dtype: DTypeLike) -> int:
    """Value of pixels that a truncated file lacks: 128, or 128 * 257."""
    return round(np.iinfo(dtype).max * 128 / 255)


def read_back(data: bytes, image_format: str) -> np.ndarray:
    """Decodes a file that `encode` made.

    Args:
        data: bytes.
        image_format: str, the key of `FORMATS` that it was encoded with.

    Returns:
        uint8 [H, W, 3], sRGB.
    """
    if image_format == "JPEG":
        # A third of the time of `read`, which looks for profiles and more.
        return imagecodecs.jpeg8_decode(data)
    return read(data, max_pixels=sys.maxsize).pixels


def count_pages(source: Picture) -> int:
    """Counts the pictures of a file, without thumbnails and masks.

    Args:
        source: as in `read`.

    Returns:
        int: pages of TIFF; frames of GIF, WebP, PNG, AVIF and HEIC; 1 for
        other sources.

    Raises:
        ImageError: if the source cannot be opened as an image.
    """
    picture = sources.open_picture(source)
    with picture.file or contextlib.nullcontext() as file:
        if file is None:
            return 1
        with _reported(picture.name):
            return decoding.count_pages(file, picture.name)


@contextlib.contextmanager
def _reported(name: str) -> Iterator[None]:
    """Turns every exception of a decoder into one `ImageError`."""
    try:
        yield
    except ImageError as error:
        if str(error).startswith(f"{name}: "):
            raise
        raise ImageError(f"{name}: {error}") from error
    except Exception as error:  # decoders raise almost anything
        raise ImageError(f"{name}: must be a whole, undamaged image "
                         f"(received: {reason(error)})") from error


def _check_size(name, max_pixels, width, height):
    if not width * height:
        raise ImageError(f"{name}: must have at least one pixel "
                         f"(received {width} x {height})")
    if width * height > max_pixels:
        raise ImageError(f"{name}: must have at most {max_pixels} pixels "
                         f"(received {width} x {height} = {width * height})")


def _photo(found: Stored, name: str, image_format: str | None) -> Photo:
    turn, values, alpha = found.orientation, srgb.convert(found), found.alpha
    values = pixels_of.upright(values, turn)
    height, width, _ = values.shape
    if alpha is not None:
        alpha = pixels_of.upright(alpha, turn)
    missing = found.missing
    if missing is not None:
        if missing.ndim == 1:  # whole rows
            missing = np.repeat(missing[:, np.newaxis],
                                found.values.shape[1], axis=1)
        missing = pixels_of.upright(missing, turn)
        values = _filled(values, missing, mid_grey(values.dtype))
        if alpha is not None:
            alpha = _filled(alpha, missing, np.iinfo(alpha.dtype).max)
    is_deep = values.dtype == np.uint16
    pixels = pixels_of.to_8_bits(values) if is_deep else values
    dpi = found.dpi
    if dpi and turn in _LYING:
        dpi = dpi[1], dpi[0]
    return Photo(
        pixels, name, _is_grey(pixels),
        pixels_16=values if is_deep else None, alpha=alpha,
        image_format=image_format, has_palette=found.has_palette,
        exif=found.exif and exif.kept(found.exif, width, height),
        dpi=dpi, page=found.page, num_pages=found.num_pages,
        notes=tuple(found.notes), missing=missing)


def _filled(values, missing, value):
    values = values.copy()
    values[missing] = value
    return values


def _is_grey(pixels):
    red, green, blue = np.moveaxis(pixels, -1, 0)
    brightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    return bool((brightest - darkest).max() <= _GREY_TOLERANCE)
