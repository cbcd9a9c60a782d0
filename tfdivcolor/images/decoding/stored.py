"""The result of a decoder: pixels as a file stores them, and their meaning."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tfdivcolor.images.exif import Directory, Order
from tfdivcolor.utils.errors import ImageError

# Colour channels of each kind.
CHANNELS = {"grey": 1, "rgb": 3, "lab": 3, "cmyk": 4}
# "lab": CIE L*a*b* of D50, coded as in ICC profiles: 0..100 and -128..127 are
# 0 to the largest value of the type.  "cmyk": the largest value is full ink.
Kind = Literal["grey", "rgb", "lab", "cmyk"]

# Refuses a picture with too many pixels, given its width and height.
SizeCheck = Callable[[int, int], object]

# Two possible continuations of truncated data.  Pixels that differ between
# them depend on the missing part.
CONTINUED = (b"\x00", b"\x5a\xa7\x33\x91")

# Turns a picture upright, by EXIF orientation.
_UPRIGHT = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.swapaxes(stored[::-1, ::-1], 0, 1),
    8: lambda stored: np.rot90(stored),
}


@dataclass(eq=False)
class Stored:
    """The pixels of one picture of a file, not yet turned upright.

    Attributes:
        values: uint8 or uint16 [H, W, channels], over the whole range of the
            type.
        kind: a key of `CHANNELS`.
        alpha: [H, W] of the same type, or None.
        profile: bytes. ICC profile, or None for sRGB.
        exif: (byte order, directory) of `exif.read`, or None.
        orientation: int. EXIF orientation; 1..8 are sound.
        dpi: pair of floats across and down, as stored, or None.
        has_palette: bool. Whether the file has a palette or 1 bit per pixel.
        page, num_pages: int. Number of this picture, from 1, and the count.
        missing: bool [H] or [H, W]. Rows or pixels that the file lacks; their
            values are meaningless. None for a complete file.
        notes: list of str. What the user must know about the reading.
    """

    values: np.ndarray
    kind: Kind
    alpha: np.ndarray | None = None
    profile: bytes | None = None
    exif: tuple[Order, Directory] | None = None
    orientation: int | None = None
    dpi: tuple[float, float] | None = None
    has_palette: bool = False
    page: int = 1
    num_pages: int = 1
    missing: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    def lacks(self, missing: np.ndarray, what: str) -> None:
        """Sets `missing`, and notes its share of the `what` (a plural)."""
        self.missing = missing
        self.notes.append(f"it is truncated: {missing.mean():.0%} of its "
                          f"{what} are missing and shown in grey")


def upright(values: np.ndarray, orientation: int | None) -> np.ndarray:
    """Turns a picture [H, W, ...] upright by its EXIF orientation, 1..8."""
    turn = _UPRIGHT.get(orientation or 1)
    return np.ascontiguousarray(turn(values)) if turn else values


def scaled(values: np.ndarray, bits: int) -> np.ndarray:
    """Stretches integers of any depth to 8 or 16 bits.

    Args:
        values: unsigned integers [H, ...], 0..2^bits - 1. Higher bits are
            dropped.
        bits: int, 1 to 32.

    Returns:
        uint8 for up to 8 bits, else uint16: round(value / (2^bits - 1) * top).
    """
    dtype = np.uint8 if bits <= 8 else np.uint16
    if bits in (8, 16):
        return values.astype(dtype, copy=False)
    largest, top = 2**bits - 1, np.iinfo(dtype).max
    result = np.empty(values.shape, dtype)
    for target, row in zip(result, values):  # by rows, to save memory
        target[...] = np.rint(
            (row & np.array(largest, row.dtype)) * (top / largest))
    return result


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """round(value / 257) of uint16 values, as uint8: 65535 becomes 255."""
    reduced = np.empty(values.shape, np.uint8)
    for row, wide in enumerate(values):  # by rows, to save memory
        reduced[row] = (wide.astype(np.uint32) + 128) // 257
    return reduced


def split(values: np.ndarray, bits: int) -> Stored:
    """Splits unlabelled channels into grey or RGB, and alpha.

    Args:
        values: unsigned integers [H, W], or [H, W, 1 to 4]: grey, grey and
            alpha, RGB, RGB and alpha.
        bits: int. Their depth.

    Returns:
        `Stored`.
    """
    values = scaled(values, bits)
    if values.ndim == 2:
        values = values[..., np.newaxis]
    channels = values.shape[2]
    colors = 1 if channels < 3 else 3
    return Stored(
        np.ascontiguousarray(values[..., :colors]),
        "grey" if colors == 1 else "rgb",
        np.ascontiguousarray(values[..., colors]) if channels > colors
        else None)


def divided(values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Divides premultiplied colours by their opacity."""
    top = np.iinfo(values.dtype).max
    result = np.empty_like(values)
    for row, color, opacity in zip(result, values, alpha):
        opacity = np.maximum(opacity, 1).astype(np.float64)[:, np.newaxis]
        row[...] = np.minimum(np.rint(color * (top / opacity)), top)
    return result


def check_page(name: str, page: int | None, count: int) -> None:
    """Raises an `ImageError` if the file does not have the page."""
    if page is not None and not 1 <= page <= count:
        raise ImageError(
            f"{name}: page must be 1 to {count} (received {page})")
