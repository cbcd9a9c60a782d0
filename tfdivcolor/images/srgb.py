"""Converts stored channels of any kind to sRGB."""

import numpy as np

from tfdivcolor.images import profiles
from tfdivcolor.images.decoding.stored import Stored

_NAMES = {"grey": "grey", "rgb": "RGB", "cmyk": "CMYK", "lab": "Lab", None:
          "other"}


def convert(stored: Stored) -> np.ndarray:
    """Converts the colours of a picture to sRGB.

    The profile is applied unless it is equivalent to sRGB.  A grey picture
    with an RGB profile gets the greys of that profile.  An RGB picture with a
    grey profile gets its tone curve in each channel.  A profile that is
    damaged, or made for other channels, is ignored, and `notes` says so.

    Args:
        stored: `Stored`. Messages are appended to its `notes`.

    Returns:
        uint8 or uint16 [H, W, 3], of the type of `stored.values`.
    """
    if stored.kind == "lab":
        return profiles.to_srgb(stored.values, "lab", profiles.LAB)
    try:
        converted = _by_profile(stored)
    except profiles.ProfileError as error:
        stored.notes.append(
            f"its colour profile is ignored, because {error}; its colours are "
            "read as sRGB")
        converted = None
    if converted is None:
        converted = _plain(stored)
    return np.ascontiguousarray(converted)


def _by_profile(stored):
    """Applies the profile; returns None if there is nothing to apply."""
    profile, values = stored.profile, stored.values
    if not profile:
        return None
    space = profiles.space(profile)
    of_others = (stored.kind, space) in (("grey", "rgb"), ("rgb", "grey"))
    if (space == stored.kind or of_others) and profiles.is_srgb(profile):
        return None  # a conversion would only round
    if space is not None and space == stored.kind:
        return profiles.to_srgb(values, space, profile)
    if of_others and space == "rgb":
        return profiles.to_srgb(np.repeat(values, 3, axis=-1), "rgb", profile)
    if of_others:
        stored.notes.append(
            "its colour profile is for grey pictures; the tone curve of the "
            "profile is applied to each channel")
        return np.stack([
            profiles.to_srgb(values[..., [channel]], "grey", profile)[..., 0]
            for channel in range(3)], axis=-1)
    raise profiles.ProfileError(
        f"it is for {_NAMES[space]} pictures, and this one is "
        f"{_NAMES[stored.kind]}")


def _plain(stored):
    """Converts the colours without a profile."""
    values = stored.values
    if stored.kind != "cmyk":
        return np.broadcast_to(values, (*values.shape[:2], 3))
    # Each ink takes its share of the light that the black ink leaves.
    top = np.iinfo(values.dtype).max
    result: np.ndarray = np.empty((*values.shape[:2], 3), values.dtype)
    for target, row in zip(result, values):  # by rows, to save memory
        left = top - row.astype(np.float64)
        target[...] = np.rint(left[..., :3] * left[..., 3:] / top)
    return result
