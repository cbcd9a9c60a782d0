"""ICC profiles: the sRGB one that results carry, and which others are sRGB."""

import io
import struct

from PIL import ImageCms


def is_srgb(profile: bytes | None) -> bool:
    """Whether pixels with this profile are sRGB as they are.

    Args:
        profile: bytes of an ICC profile, or None or b"" for none, which means
            sRGB.

    Returns:
        bool.

    Raises:
        OSError, ImageCms.PyCMSError: the profile is damaged.
    """
    if not profile:
        return True
    description = ImageCms.getProfileDescription(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    return "srgb" in description.lower()


def _srgb():
    profile = bytearray(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Date and time of its making, which is now: 1 January 2000 instead.
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


SRGB = _srgb()
