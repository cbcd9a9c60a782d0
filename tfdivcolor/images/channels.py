"""Stored channels of any kind -> sRGB and alpha.

Pillow reads all but one kind: of 16-bit pictures with more than one channel it
keeps 8 bits, or refuses them.  `png` and `tiff` decode those.
"""

import contextlib
import io
from typing import BinaryIO

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

from tfdivcolor.images import png, tiff
from tfdivcolor.images.profiles import is_srgb
from tfdivcolor.utils.errors import ImageError

MODES_WITH_PALETTE = ("1", "P", "PA")

# What each Pillow mode is read as; modes of 16 bits are a case of their own.
_MODES = {
    "1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB",
    "RGBA": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "CMYK": "CMYK",
}
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_MODES_OF_16_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")

# How a picture is turned, by EXIF orientation.
_UPRIGHT = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.swapaxes(stored[::-1, ::-1], 0, 1),
    8: lambda stored: np.rot90(stored),
}

_OPAQUE = 65535

def read(image: Image.Image | tiff.DeepTiff, name: str,
         file: BinaryIO | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """Reads the pixels of an opened image, as they are stored (not turned).

    Args:
        image: PIL image, or `tiff.DeepTiff`.
        name: str. What messages call it.
        file: binary file that `image` was opened from, or None.

    Returns:
        values: [H, W, 3]. sRGB: uint16 where the image has 16 bits a channel,
            else uint8.
        alpha: [H, W], of the same type; or None if the image has none.

    Raises:
        ImageError: if it has a Pillow mode that is not read here.
        Exception: of almost any kind, if the file is damaged.
    """
    profile = image.info.get("icc_profile")
    if isinstance(image, tiff.DeepTiff):
        values, alpha = _of_tiff(image, file)
    elif file and image.format == "PNG" and png.depth(file) == 16:
        values, alpha = _split(png.decode(file), image.size)
    elif image.mode in _MODES_OF_16_BITS:
        values, alpha = _of_grey(image, name), None
    else:
        return _read_8_bits(image, name, profile)
    return _to_srgb_16(values, profile), alpha


def upright(values: np.ndarray, orientation: int | None) -> np.ndarray:
    """Turns a picture [H, W, ...] as its EXIF orientation, 1..8, says."""
    turn = _UPRIGHT.get(orientation or 1)
    return np.ascontiguousarray(turn(values)) if turn else values


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """round(value / 257) of uint16 values, as uint8: 65535 becomes 255."""
    reduced = np.empty(values.shape, np.uint8)
    for row, wide in enumerate(values):  # by rows, to save memory
        reduced[row] = (wide.astype(np.uint32) + 128) // 257
    return reduced


# --- 8 bits ---


def _read_8_bits(image, name, profile):
    image.load()
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.mode not in _MODES:
        raise ImageError(
            f"{name}: must be grey, RGB, CMYK or palette of at most 16 bits a "
            f"channel (received Pillow mode {image.mode})")
    alpha = None
    if image.has_transparency_data:
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    if image.mode == "P":
        image = image.convert("RGBA")  # knows every kind of transparency
    return np.asarray(_to_srgb(
        image.convert(_MODES[image.mode]), profile)), alpha


def _to_srgb(image, profile):
    # A damaged profile, or one for other channels, must not cost the picture:
    # it is then read as viewers without colour management show it.
    if _is_other_than_srgb(profile):
        with contextlib.suppress(OSError, ImageCms.PyCMSError):
            return ImageCms.profileToProfile(
                image, ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"), outputMode="RGB")
    return image.convert("RGB")


def _is_other_than_srgb(profile):
    try:
        return not is_srgb(profile)  # to sRGB it would only round
    except (OSError, ImageCms.PyCMSError):
        return False


# --- 16 bits ---


def _of_tiff(image, file):
    values, alpha = _split(
        tiff.decode(image, file), image.size, image.colors)
    if not image.has_alpha:
        alpha = None
    if image.is_premultiplied and alpha is not None:
        values = _divided(values, alpha)
    return _OPAQUE - values if image.zero_is_white else values, alpha


def _split(values, size, colors=None):
    """Splits decoded values: ([H, W, 1 or 3], alpha [H, W] or None)."""
    if values.dtype != np.uint16 or values.shape[1::-1] != size:
        raise ValueError("the pixels do not match the header")
    if values.ndim == 2:
        values = values[..., np.newaxis]
    channels = values.shape[2]
    colors = colors or (1 if channels < 3 else 3)
    alpha = np.ascontiguousarray(
        values[..., colors]) if channels > colors else None
    return np.ascontiguousarray(values[..., :colors]), alpha


def _divided(values, alpha):
    divided = np.empty_like(values)
    for row, color, opacity in zip(divided, values, alpha):
        opacity = np.maximum(opacity, 1).astype(np.float64)[:, np.newaxis]
        row[...] = np.minimum(np.rint(color * (_OPAQUE / opacity)), _OPAQUE)
    return divided


def _of_grey(image, name):
    values = np.asarray(image)[..., np.newaxis]
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(
            f"{name}: must have at most 16 bits a channel "
            f"(received values {values.min()}..{values.max()})")
    return values.astype(np.uint16)


def _to_srgb_16(values, profile):
    """As `_to_srgb`: uint16 [H, W, 1 or 3] -> uint16 [H, W, 3]."""
    grey = values.shape[2] == 1
    if _is_other_than_srgb(profile):
        with contextlib.suppress(imagecodecs.CmsError):
            srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
            return imagecodecs.cms_transform(
                values[..., 0] if grey else values, profile, srgb.tobytes(),
                colorspace="gray" if grey else "rgb", outcolorspace="rgb",
                # Its optimised way errs by up to 8 % of the range.
                flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE)
    return np.ascontiguousarray(
        np.broadcast_to(values, (*values.shape[:2], 3)))
