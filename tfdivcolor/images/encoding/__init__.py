"""Encodes pixels as image files of all output formats.

`png` and `tiff` write 8 or 16 bits per channel. Pillow writes the other
formats.
"""

import io
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from tfdivcolor.images import xmp as words
from tfdivcolor.images.decoding.stored import to_8_bits
from tfdivcolor.images.encoding import png, tiff
from tfdivcolor.images.formats import (
    DEEP_FORMATS,
    WITH_ALPHA,
    check_sides,
    heif,
)
from tfdivcolor.images.profiles import SRGB
from tfdivcolor.utils.errors import ImageError
from tfdivcolor.utils.files import write_atomically

_JPEG_SEGMENT = 65_533  # bytes that a segment of a JPEG file can hold

# Options of Pillow. `exact` keeps the colours of transparent pixels.
_OPTIONS = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "method": 0, "quality": 0, "exact": True},
    "BMP": {},
}


def encode(pixels: np.ndarray, image_format: str,
           alpha: np.ndarray | None = None, exif: bytes | None = None,
           metadata: Mapping[str, str] | None = None,
           dpi: tuple[float, float] | None = None) -> bytes:
    """Makes an image file of sRGB pixels.

    PNG, TIFF, WebP and BMP are lossless. Lossy WebP would halve the resolution
    of chrominance, which also spoils luminance; lossless WebP is still smaller
    than PNG. JPEG and HEIF have quality 95 and full resolution of chrominance.
    Their |dL*| over the pixels of 44 photographs has mean 0.14 (JPEG) or 0.04
    (HEIF), 0.44 or 0.11 in the worst photograph, 99th percentile 1.2 or 0.4,
    and maximum 4.1 or 1.3 (lossy WebP of quality 95: mean 0.32, maximum 6.1).
    PNG and TIFF use fast compression: PNG takes a thirteenth of the time of
    Pillow's default and gives 4 % more bytes.

    Every file except BMP has an sRGB profile (PNG: the sRGB chunk). The same
    arguments give the same bytes.

    Args:
        pixels: uint8 or uint16 [H, W, 3]. sRGB; all formats except PNG and
            TIFF reduce uint16 to 8 bits.
        image_format: "PNG", "JPEG", "WEBP", "TIFF", "BMP" or "HEIF".
        alpha: uint8 or uint16 [H, W], converted to the type of `pixels`. JPEG
            and BMP drop it. Defaults to None.
        exif: bytes, as in `images.Photo`. BMP drops it, and so does JPEG if it
            is longer than a segment, 64 KiB. Defaults to None.
        metadata: dict of str to str. Text chunks of PNG, attributes of an XMP
            packet elsewhere. BMP drops it. Names have 1 to 79 ASCII letters,
            digits and "_", and do not begin with a digit; characters of texts
            that XML cannot hold become "?". Defaults to None.
        dpi: pair of numbers above 0, pixels per inch across and down, or None.
            WebP and HEIF drop it. Defaults to None.

    Returns:
        bytes.

    Raises:
        ImageError: if the format cannot hold a picture of this size, or if the
            format is HEIF and pillow-heif is not installed.
        ValueError: if a name of `metadata` is wrong.
    """
    metadata = words.clean(metadata or {})
    values = np.asarray(pixels)
    check_sides("pixels", image_format, values.shape[1], values.shape[0])
    if alpha is not None and image_format in WITH_ALPHA:
        alpha = _as_type(np.asarray(alpha), values.dtype)
        values = np.concatenate([values, alpha[..., np.newaxis]], axis=-1)
    if image_format not in DEEP_FORMATS:
        values = _as_type(values, np.uint8)
    values = np.ascontiguousarray(values)
    if image_format == "PNG":
        return png.encode(values, exif, metadata, dpi)
    if image_format == "TIFF":
        return tiff.encode(values, exif, metadata, dpi)
    options: dict[str, Any] = {"icc_profile": SRGB}
    if dpi and image_format in ("JPEG", "BMP"):
        options["dpi"] = dpi
    if exif and not (image_format == "JPEG" and len(exif) > _JPEG_SEGMENT):
        options["exif"] = exif
    if metadata:
        options["xmp"] = words.xmp(metadata)
    file = io.BytesIO()
    try:
        if image_format == "HEIF":
            # The encoder's fastest preset takes a seventh of the time of its
            # default, for 20 % more bytes and less loss.
            heif(image_format).encode(
                "RGB" if values.shape[2] == 3 else "RGBA",
                values.shape[1::-1], values.tobytes(), file, quality=95,
                chroma=444, enc_params={"preset": "ultrafast"}, **options)
        else:
            Image.fromarray(values).save(
                file, image_format, **_OPTIONS[image_format], **options)
    except ImageError:
        raise
    except Exception as error:  # encoders raise almost anything
        height, width = values.shape[:2]
        raise ImageError(
            f"{image_format}: must be a format that holds {width} x {height} "
            f"pixels (received: {error})") from error
    return file.getvalue()


def write_png(path: str | os.PathLike, pixels: np.ndarray,
              metadata: Mapping[str, str] | None = None) -> None:
    """Writes an sRGB picture as a PNG file, completely or not at all.

    Args:
        path: str or os.PathLike. Replaces an existing file.
        pixels: uint8 [H, W, 3]. sRGB, 0..255.
        metadata: dict of str to str. Text chunks of the file, as in
            `encode`. Defaults to None.

    Raises:
        ImageError: if the file cannot be written.
    """
    write_atomically(path, encode(pixels, "PNG", metadata=metadata))


def _as_type(values, dtype):
    if values.dtype == dtype:
        return values
    if dtype == np.uint8:
        return to_8_bits(values)
    return values.astype(np.uint16) * 257  # 255 becomes 65535
