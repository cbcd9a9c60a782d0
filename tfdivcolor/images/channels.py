"""Stored channels of any kind -> sRGB and alpha.

Pillow reads all but one kind: of 16-bit pictures with more than one channel it
keeps 8 bits, or refuses them. PNG and TIFF of 16 bits are decoded by
imagecodecs; Pillow reads their headers.
"""

import contextlib
import io
import logging

import imagecodecs
import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

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

# libpng warns of common faults that do not matter, such as an sRGB profile
# that is not quite sRGB; without this they go to the standard error.
logging.getLogger("imagecodecs").addHandler(logging.NullHandler())


class DeepTiff:
    """Header of a TIFF file of 16 bits a channel, in place of a PIL image.

    It has what `read` and `exif` ask of one. Pillow does not open grey
    with alpha, among others.
    """

    format, mode = "TIFF", None

    def __init__(self, tags, exif):
        self.tags, self.exif = tags, exif
        self.size = (tags[TiffImagePlugin.IMAGEWIDTH],
                     tags[TiffImagePlugin.IMAGELENGTH])
        if not all(isinstance(side, int) for side in self.size):
            raise ValueError("the sides are not whole numbers")
        self.info = {"icc_profile": tags.get(TiffImagePlugin.ICCPROFILE)}

    def getexif(self):
        return self.exif


def open_deep_tiff(file):
    """Opens a TIFF file of 16 bits a channel, grey or RGB.

    Args:
        file: binary file.

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


def read(image, name, file=None):
    """Reads the pixels of an opened image, as they are stored (not turned).

    Args:
        image: PIL image, or `DeepTiff`.
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
    if isinstance(image, DeepTiff):
        values, alpha = _of_tiff(image, file)
    elif file and image.format == "PNG" and _png_depth(file) == 16:
        values, alpha = _of_png(image, file)
    elif image.mode in _MODES_OF_16_BITS:
        values, alpha = _of_grey(image, name), None
    else:
        return _read_8_bits(image, name, profile)
    return _to_srgb_16(values, profile), alpha


def upright(values, orientation):
    """Turns a picture [H, W, ...] as its EXIF orientation, 1..8, says."""
    turn = _UPRIGHT.get(orientation)
    return np.ascontiguousarray(turn(values)) if turn else values


def to_8_bits(values):
    """round(value / 257) of uint16 values, as uint8: 65535 becomes 255."""
    reduced = np.empty(values.shape, np.uint8)
    for row, wide in zip(reduced, values):  # by rows, to save memory
        row[...] = (wide.astype(np.uint32) + 128) // 257
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


def _png_depth(file):
    file.seek(24)  # of the header, which comes first
    return file.read(1)[0]


def _of_png(image, file):
    file.seek(0)
    # A colour that stands for transparent becomes alpha, too.
    return _split(imagecodecs.png_decode(file.read()), image.size)


def _is_deep(tags):
    return (
        set(tags.get(TiffImagePlugin.BITSPERSAMPLE, ())) == {16}
        and set(tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))) == {1}  # unsigned
        # 0: grey, 0 is white; 1: grey; 2: RGB.
        and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) in (0, 1, 2))


def _of_tiff(image, file):
    file.seek(0)
    values = imagecodecs.tiff_decode(file.read())
    tags = image.tags
    if values.ndim == 3 and tags.get(TiffImagePlugin.PLANAR_CONFIGURATION) == 2:
        values = np.moveaxis(values, 0, -1)
    kind = tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION]
    extra = tags.get(TiffImagePlugin.EXTRASAMPLES, (2,))[0]
    values, alpha = _split(values, image.size, 3 if kind == 2 else 1)
    if extra not in (1, 2):  # 1: premultiplied alpha; 2: alpha
        alpha = None
    if extra == 1 and alpha is not None:
        values = _divided(values, alpha)
    return _OPAQUE - values if kind == 0 else values, alpha


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
