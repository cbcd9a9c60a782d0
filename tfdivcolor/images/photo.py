"""Files, bytes, images and arrays -> pixels.

Pixels are sRGB [H, W, 3], upright: uint8, and uint16 where the source has more
than 8 bits a channel.  Whatever is wrong with a picture is an `ImageError` of
one line: `NAME: rule (received ...)`.

No TensorFlow here, so that the command line can check its inputs at once.
"""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from tfdivcolor.images import decoding, exif, sources, srgb
from tfdivcolor.images.decoding import pillow, stored as pixels_of
from tfdivcolor.images.decoding.stored import Stored
from tfdivcolor.images.sources import Picture
from tfdivcolor.settings import MAX_PIXELS
from tfdivcolor.utils.errors import ImageError, reason

# Largest difference between the channels of a grey pixel, in 8-bit levels;
# lossy formats that store a grey picture in colour come this far from grey.
_GREY_TOLERANCE = 4

# EXIF orientations that change width for height.
_LYING = (5, 6, 7, 8)


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as it is shown.

    Attributes:
        pixels: uint8 [H, W, 3]. sRGB, 0..255, upright.
        name: str. The path as given, or "image" where there is none.
        is_grey: bool. Whether the channels of every pixel are equal, up to
            the rounding of lossy formats.
        pixels_16: uint16 [H, W, 3], or None. The same with 16 bits a channel,
            sRGB, 0..65535, where the source has more than 8.
        alpha: uint8 [H, W], or uint16 where there is `pixels_16`. Opacity,
            upright; None where the source has no transparency at all. An alpha
            channel that is opaque throughout is kept: results get the channels
            of their source.
        image_format: str, a key of `FORMATS`. None for arrays and for PIL
            images that were not read from a file.
        has_palette: bool. Whether the source is a palette or 1-bit picture.
        exif: bytes, or None. EXIF block for a result: without thumbnail,
            orientation 1. None where there is none, or a damaged one.
        dpi: pair of floats, pixels an inch across and down, or None where the
            file does not say.
        page, num_pages: int. Which picture of the file it is, from 1, and of
            how many; thumbnails and masks do not count.
        notes: tuple of str. What the user must know of how it was read, such
            as "page 1 of 2 is used"; empty for most.
        missing: bool [H, W]. Pixels that a truncated file lacks, which are mid
            grey; None where it has all.
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
        """`pixels_16` where there are any, else `pixels`."""
        return self.pixels if self.pixels_16 is None else self.pixels_16


def read(source: Picture, max_pixels: int = MAX_PIXELS,
         page: int | None = None, lenient: bool = False) -> Photo:
    """Reads one picture.

    Image files may be JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000 or HEIC
    (with the extra `[heic]`), whatever their name.  Grey, RGB, CMYK, Lab,
    palette and 1-bit pictures are brought to sRGB: by their ICC profile, unless
    it does what sRGB does; the colour space that PNG chunks or a camera's EXIF
    name; CMYK without a profile as browsers do.  The EXIF orientation is
    applied.  `Photo.pixels` has 8 bits and no alpha: the colours stored for
    transparent pixels show.  Depths of 9 to 16 bits, 32-bit integers and floats
    from 0 to 1 are stretched over 16 bits, and 8 bits come from them by scaling
    and rounding.

    A PIL image that still is what its file holds is read from the file, as
    Pillow keeps only 8 bits of many kinds; else by its own pixels.

    Args:
        source: str or os.PathLike (path); bytes, bytearray, memoryview or
            binary file of an image file; PIL image; or an array [H, W], or
            [H, W, 1, 2, 3 or 4] of grey, grey and alpha, sRGB, sRGB and alpha:
            uint8, uint16, bool, or float from 0 to 1.
        max_pixels: int. Larger pictures are refused; a file by its header,
            before it is decoded.
        page: int from 1. Which page of a TIFF file, thumbnails and masks
            aside, or frame of another. None: the largest page, or the first.
        lenient: bool. Whether JPEG, PNG, TIFF and WebP files that are truncated
            are read as far as they go, the missing part mid grey.

    Returns:
        `Photo`.

    Raises:
        ImageError: if there is no such file or page, if it is empty, damaged,
            no image or too large, or if an array or PIL image has a type that
            is not listed here.
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
    """The value of pixels that a truncated file lacks: 128, or of 16 bits."""
    return round(np.iinfo(dtype).max * 128 / 255)


def count_pages(source: Picture) -> int:
    """How many pictures a file holds; thumbnails and masks do not count.

    Args:
        source: as of `read`.

    Returns:
        int: pages of TIFF, frames of GIF, WebP, PNG and AVIF; 1 for all else.

    Raises:
        ImageError: if it is no image that can be opened.
    """
    picture = sources.open_picture(source)
    with picture.file or contextlib.nullcontext() as file:
        if file is None:
            return 1
        with _reported(picture.name):
            return decoding.count_pages(file, picture.name)


@contextlib.contextmanager
def _reported(name: str) -> Iterator[None]:
    """Makes one `ImageError` of all that decoders raise on a bad file."""
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
