"""ICC profiles: reading, comparing, applying and making them.

The code judges a profile by its effect on colours, never by its name: a
profile with a linear tone curve may still be called "sRGB".
"""

import functools
import io
import struct
from typing import Any, Literal

import imagecodecs
import numpy as np
from PIL import ImageCms

# A profile counts as sRGB if pixels differ by at most this share of the range:
# one level of 8 bits, the rounding of profile makers.
_TOLERANCE = 1.0 / 255
_PROBES = 9  # levels per channel

_SPACES: dict[str, "Space"] = {
    "GRAY": "grey", "RGB": "rgb", "CMYK": "cmyk", "Lab": "lab"}
# The names in imagecodecs of the kinds of `decoding.stored`.
_CMS_NAMES = {"grey": "gray", "rgb": "rgb", "cmyk": "cmyk", "lab": "lab"}

Intent = imagecodecs.CMS.INTENT
Flags = imagecodecs.CMS.FLAGS
Space = Literal["grey", "rgb", "cmyk", "lab"]

# CIE xy of the white D65, and of the primaries red, green, blue.
D65 = (0.3127, 0.3290)
SRGB_PRIMARIES = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))


def _srgb():
    profile = bytearray(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Replace the current time by 1 January 2000: equal bytes in every process.
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


SRGB = _srgb()
ADOBE_RGB = imagecodecs.cms_profile("adobergb")
LAB = imagecodecs.cms_profile("lab4")


class ProfileError(ValueError):
    """A profile is damaged or cannot be applied; the message says which."""


@functools.lru_cache(maxsize=64)
def space(profile: bytes) -> Space | None:
    """Returns the kind of channels that a profile is for.

    Args:
        profile: bytes of an ICC profile.

    Returns:
        "grey", "rgb", "cmyk" or "lab"; None for other kinds.

    Raises:
        ProfileError: if the profile is damaged.
    """
    try:
        found: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    except (OSError, ImageCms.PyCMSError, ValueError) as error:
        raise ProfileError("it is damaged") from error
    return _SPACES.get(found.xcolor_space.strip())


@functools.lru_cache(maxsize=64)
def is_srgb(profile: bytes | None) -> bool:
    """Whether pixels with this profile are sRGB without a conversion.

    The function converts colours from the whole range. None may change by more
    than one level of 8 bits.

    Args:
        profile: bytes of a grey or RGB ICC profile. None and b"" mean no
            profile, and therefore sRGB.

    Returns:
        bool. False for profiles of other channels.

    Raises:
        ProfileError: if the profile is damaged.
    """
    if not profile:
        return True
    kind = space(profile)
    if kind not in ("grey", "rgb"):
        return False
    levels = np.linspace(0, 65535, _PROBES).round().astype(np.uint16)
    if kind == "grey":
        probes = levels[np.newaxis, :, np.newaxis]
    else:
        probes = np.stack(np.meshgrid(levels, levels, levels),
                          axis=-1).reshape(1, -1, 3)
    change = to_srgb(probes, kind, profile).astype(int) - probes
    return bool(np.abs(change).max() <= _TOLERANCE * 65535)


def to_srgb(values: np.ndarray, kind: Space, profile: bytes) -> np.ndarray:
    """Applies a profile.

    Args:
        values: uint8 or uint16 [H, W, channels].
        kind: kind of the channels, as `space` names it.
        profile: bytes of an ICC profile for such channels.

    Returns:
        [H, W, 3] of the same type, sRGB.

    Raises:
        ProfileError: if the profile is damaged.
    """
    # The optimised conversion suits only 8 bits of grey and RGB: its error is
    # up to 8 % of the range with 16 bits, and two levels with Lab.
    fast = values.dtype == np.uint8 and kind in ("grey", "rgb")
    try:
        return imagecodecs.cms_transform(
            np.ascontiguousarray(values[..., 0] if kind == "grey" else values),
            profile, SRGB, colorspace=_CMS_NAMES[kind], outcolorspace="rgb",
            intent=Intent.PERCEPTUAL, flags=None if fast else Flags.NOOPTIMIZE)
    except (imagecodecs.CmsError, ValueError) as error:
        raise ProfileError("it is damaged") from error


@functools.lru_cache(maxsize=64)
def rgb(primaries: tuple[tuple[float, float], ...], white: tuple[float, float],
        gamma: float | None = None,
        curve: tuple[float, ...] | None = None) -> bytes:
    """Makes the profile of an RGB space.

    Args:
        primaries: CIE xy of red, green and blue.
        white: CIE xy.
        gamma: float. Light is the stored value to this power. Defaults to
            None.
        curve: floats 0..1. Light at evenly spaced stored values from 0 to 1;
            replaces `gamma`. Defaults to None.

    Returns:
        bytes.

    Raises:
        ProfileError: if no colour space has these primaries.
    """
    tone: dict[str, Any] = ({"gamma": gamma} if curve is None else
            {"transferfunction": np.asarray(curve, np.float32)})
    try:
        return imagecodecs.cms_profile(
            "rgb", whitepoint=(*white, 1.0),
            primaries=[number for xy in primaries for number in (*xy, 1.0)],
            **tone)
    except (imagecodecs.CmsError, ValueError) as error:
        raise ProfileError("no colour space has its primaries") from error
