"""Files and bytes -> pixels.

Pixels are sRGB [H, W, 3], upright: uint8, and uint16 where the source has 16
bits a channel.  A picture comes as a path, the bytes of an image file, a PIL
image, or a uint8 array.  Whatever is wrong with one is an `ImageError` of one
line: `NAME: rule (received ...)`.

No TensorFlow here, so that the command line can check its inputs at once.
"""

import contextlib
import io
import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tfdivcolor.images import channels, exif, formats, tiff
from tfdivcolor.images.formats import FORMATS
from tfdivcolor.settings import MAX_PIXELS
from tfdivcolor.utils.errors import ImageError, reason

# What `read` takes; an array may be of any library with `__array__`.
Picture = str | os.PathLike | bytes | Image.Image | np.ndarray

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
            sRGB, 0..65535, where the source has them.
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

    @property
    def finest(self) -> np.ndarray:
        """`pixels_16` where there are any, else `pixels`."""
        return self.pixels if self.pixels_16 is None else self.pixels_16


def read(source: Picture, max_pixels: int = MAX_PIXELS) -> Photo:
    """Reads one picture.

    Image files may be JPEG, PNG, WebP, TIFF, BMP, GIF or HEIC (with the extra
    `[heic]`), whatever their name; of several frames the first one counts.
    Grey, RGB, CMYK, palette and 1-bit pictures are brought to sRGB: an ICC
    profile is applied unless it is damaged, and the EXIF orientation is.
    `Photo.pixels` has 8 bits and no alpha: the colours stored for transparent
    pixels show. PNG and TIFF files of 16 bits a channel, grey or RGB, are
    decoded at 16 bits, and 8 bits come from them by scaling and rounding (mode
    I counts as 16 bits; of 16-bit CMYK, and where a 16-bit RGB file comes as a
    PIL image, Pillow takes the upper 8 bits). HEIC of 10 or 12 bits is read at
    8.

    Args:
        source: str or os.PathLike (path), bytes (of an image file), PIL image,
            or uint8 array [H, W], [H, W, 1] or [H, W, 3], sRGB 0..255.
        max_pixels: int. Larger pictures are refused; a file by its header,
            before it is decoded.

    Returns:
        `Photo`.

    Raises:
        ImageError: if there is no such file, if it is empty, damaged, no image
            or too large, or if an array or PIL image has a type that is not
            listed here.
    """
    if isinstance(source, (str, os.PathLike)):
        return _read_path(os.fsdecode(source), max_pixels)
    if isinstance(source, bytes):
        return _read_file(io.BytesIO(source), "image", max_pixels)
    if isinstance(source, Image.Image):
        name = getattr(source, "filename", "") or "image"
        known = source.format if source.format in FORMATS else None
        return _photo_of_image(source, os.fsdecode(name), max_pixels, known)
    if hasattr(source, "__array__"):
        return _photo_of_array(np.asarray(source), "image", max_pixels)
    raise ImageError(
        "image: must be a path, bytes, a PIL image or an array "
        f"(received {type(source).__name__})")


def _read_path(name, max_pixels):
    try:
        file = open(name, "rb")
    except FileNotFoundError:
        raise ImageError(f"{name}: must be an image file "
                         "(received a path that does not exist)") from None
    except IsADirectoryError:
        raise ImageError(
            f"{name}: must be an image file (received a folder)") from None
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise ImageError(f"{name}: must be an image file that can be read "
                         f"(received {reason(error)})") from error
    with file:
        return _read_file(file, name, max_pixels)


def _read_file(file, name, max_pixels):
    with _reported(name, max_pixels):
        image, image_format = tiff.open_deep(file), "TIFF"
        if image is None:
            image, image_format = formats.open_image(file, name)
    return _photo_of_image(image, name, max_pixels, image_format, file)


@contextlib.contextmanager
def _reported(name, max_pixels):
    """Makes one `ImageError` of all that Pillow raises on a bad file."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: must have at most {max_pixels} pixels "
                         f"(received: {error})") from error
    except Exception as error:  # decoders raise almost anything
        raise ImageError(f"{name}: must be a whole, undamaged image "
                         f"(received: {reason(error)})") from error


def _check_size(width, height, name, max_pixels):
    if not width * height:
        raise ImageError(f"{name}: must have at least one pixel "
                         f"(received {width} x {height})")
    if width * height > max_pixels:
        raise ImageError(f"{name}: must have at most {max_pixels} pixels "
                         f"(received {width} x {height} = {width * height})")


def _photo_of_array(pixels, name, max_pixels):
    if pixels.dtype != np.uint8:
        raise ImageError(f"{name}: an array must be uint8 in 0..255 "
                         f"(received {pixels.dtype})")
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ImageError(
            f"{name}: an array must be [H, W], [H, W, 1] or [H, W, 3] "
            f"(received {list(pixels.shape)})")
    _check_size(pixels.shape[1], pixels.shape[0], name, max_pixels)
    pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return Photo(np.ascontiguousarray(pixels), name, _is_grey(pixels))


def _photo_of_image(image, name, max_pixels, image_format, file=None):
    width, height = image.size
    _check_size(width, height, name, max_pixels)
    with _reported(name, max_pixels):
        values, alpha = channels.read(image, name, file)
        # After reading: Pillow turns some formats itself, and then says so.
        turn = exif.orientation(image)
        values = channels.upright(values, turn)
        if alpha is not None:
            alpha = channels.upright(alpha, turn)
        height, width, _ = values.shape
        kept = exif.kept(image, width, height, file)
        dpi = _resolution(image, turn)
    is_deep = values.dtype == np.uint16
    pixels = channels.to_8_bits(values) if is_deep else values
    return Photo(
        pixels, name, _is_grey(pixels),
        pixels_16=values if is_deep else None, alpha=alpha,
        image_format=image_format,
        has_palette=image.mode in channels.MODES_WITH_PALETTE, exif=kept,
        dpi=dpi)


def _resolution(image, turn):
    # Pillow gives fractions, and what a file says may be nonsense.
    try:
        across, down = (float(number) for number in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not (1 <= across <= 65535 and 1 <= down <= 65535):
        return None
    return (down, across) if turn in _LYING else (across, down)


def _is_grey(pixels):
    red, green, blue = np.moveaxis(pixels, -1, 0)
    brightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    return bool((brightest - darkest).max() <= _GREY_TOLERANCE)
