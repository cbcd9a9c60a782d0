"""Previews of photographs and results for pages."""

import base64
import io
import os

import numpy as np
from PIL import Image, ImageOps

from tfdivcolor import images
from tfdivcolor.images import formats
from tfdivcolor.utils.errors import reason

# JPEG options; previews keep the full chrominance, because it matters most.
PREVIEW = {"quality": 88, "subsampling": 0}
THUMBNAIL = {"quality": 80}

_SURROUND = (43, 43, 43)  # background of the page, behind transparent pixels

# Linear sRGB -> luminance: IEC 61966-2-1, as in color/lab.py.
_LUMINANCE = np.array([0.212671, 0.715160, 0.072169])


def read(path: str | os.PathLike, size: int
         ) -> tuple[Image.Image, tuple[int, int]]:
    """Reads a picture at a small size, with little memory and time.

    Args:
        path: str or os.PathLike.
        size: int. Limit for the longer side, in pixels.

    Returns:
        image: PIL image, RGB, upright.
        size: (int, int). Width and height of the full picture, upright.

    Raises:
        images.ImageError: the picture cannot be read.
    """
    limits = (size, size)
    try:
        with open(path, "rb") as file:
            image, _ = formats.open_image(file, str(path))
            width, height = image.size
            image.draft("RGB", limits)  # decodes a JPEG at a smaller size
            if image.mode in ("P", "PA", "LA", "La", "RGBa"):
                image = image.convert("RGBA")
            image.thumbnail(limits, reducing_gap=2.0)
            upright = ImageOps.exif_transpose(image)
            if upright.size != image.size:
                width, height = height, width
            if upright.mode == "RGBA":
                surround = Image.new("RGBA", upright.size, _SURROUND)
                upright = Image.alpha_composite(surround, upright)
            return upright.convert("RGB"), (width, height)
    except images.ImageError:
        raise
    except Exception as error:  # decoders raise almost anything
        raise images.ImageError(
            f"{path}: must be a picture that can be read "
            f"(received {reason(error)})") from error


def grey(image: Image.Image) -> Image.Image:
    """The grey picture with the same luminance.

    Args:
        image: PIL image, RGB, in sRGB.

    Returns:
        PIL image, L, with the sRGB curve, exact to half a level.
    """
    srgb = np.arange(256) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92,
                      ((srgb + 0.055) / 1.055) ** 2.4)
    luminance = (linear[:, np.newaxis] * _LUMINANCE).astype(np.float32)
    pixels = np.asarray(image)
    luminance = sum(luminance[:, channel][pixels[..., channel]]
                    for channel in range(3))
    # The border between two levels is their middle in sRGB.
    middles = (np.arange(255) + 0.5) / 255
    borders = np.where(middles <= 0.04045, middles / 12.92,
                       ((middles + 0.055) / 1.055) ** 2.4)
    return Image.fromarray(np.searchsorted(
        borders.astype(np.float32), luminance).astype(np.uint8))


def jpeg(image: Image.Image, **options: int) -> bytes:
    """Encodes a picture as JPEG.

    Args:
        image: PIL image, L or RGB.
        **options: Pillow's options, such as `quality`.

    Returns:
        bytes of a JPEG file.
    """
    image = image.copy()
    image.info.pop("comment", None)  # Pillow would copy the source's comment
    file = io.BytesIO()
    image.save(file, "JPEG", optimize=True, **options)
    return file.getvalue()


def data_uri(image: Image.Image, **options: int) -> bytes:
    """Encodes a picture as the data URI of a JPEG file.

    Args:
        image, **options: as in `jpeg`.

    Returns:
        bytes, ASCII.
    """
    return b"data:image/jpeg;base64," + base64.b64encode(jpeg(image, **options))
