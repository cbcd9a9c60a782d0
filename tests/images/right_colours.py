"""Colours by the formulas of sRGB, CIE and ICC, in NumPy.

`PROFILES` and `PNG_CHUNKS` say what a file can state about its colours, as
bytes and as what they do; `shown` computes the sRGB values of a picture.
Nothing of tfdivcolor is used.
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import hand_written as by_hand
import numpy as np
from PIL import ImageCms

# --- Colours -----------------------------------------------------------------


def linear(coded):
    """sRGB's curve: coded values 0..1 -> light 0..1."""
    coded = np.clip(coded, 0, 1)
    return np.where(coded <= .04045, coded / 12.92,
                    ((coded + .055) / 1.055) ** 2.4)


def coded(light):
    light = np.clip(light, 0, 1)
    return np.where(light <= .0031308, light * 12.92,
                    1.055 * light ** (1 / 2.4) - .055)


def lstar(rgb):
    """L* of sRGB-coded colours [..., 3]."""
    light = linear(rgb) @ (.2126729, .7151522, .0721750)
    return np.where(light > 216 / 24389, 116 * np.cbrt(light) - 16,
                    light * 24389 / 27)


WHITE_D50 = np.array([.9642, 1, .8249])
D65, D50 = (.3127, .3290), (.3457, .3585)
PRIMARIES = {  # white, red, green, blue
    "sRGB": (D65, (.64, .33), (.30, .60), (.15, .06)),
    "Adobe RGB": (D65, (.64, .33), (.21, .71), (.15, .06)),
    "P3": (D65, (.680, .320), (.265, .690), (.150, .060)),
    "ProPhoto": (D50, (.7347, .2653), (.1596, .8404), (.0366, .0001)),
}


@functools.cache
def to_xyz(primaries):
    """Linear RGB -> XYZ [3, 3], white adapted to D50 (Bradford), as in ICC."""
    white, *corners = (
        np.array([x / y, 1, (1 - x - y) / y])
        for x, y in PRIMARIES[primaries])
    corners = np.stack(corners, axis=1)
    matrix = corners * np.linalg.solve(corners, white)
    cones = np.array([[.8951, .2664, -.1614], [-.7502, 1.7135, .0367],
                      [.0389, -.0685, 1.0296]])
    scale = np.diag(cones @ WHITE_D50 / (cones @ white))
    return np.linalg.inv(cones) @ scale @ cones @ matrix


def srgb_of_xyz(values):
    return coded(values @ np.linalg.inv(to_xyz("sRGB")).T)


def lab_of_xyz(values):
    ratio = values / WHITE_D50
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio),
                 (ratio * 24389 / 27 + 16) / 116)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def xyz_of_lab(values):
    lightness, a, b = np.moveaxis(values, -1, 0)
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], -1)
    return WHITE_D50 * np.where(
        f > 6 / 29, f ** 3, (116 * f - 16) * 27 / 24389)


# XYZ, as shares of white, that each ink takes away; linear, so that every way
# of interpolating a table agrees.
INKS = np.array([[.25, .2, .15], [.25, .35, .2], [.15, .1, .3],
                 [.35, .35, .35]])

# --- Profiles ----------------------------------------------------------------


@dataclass(frozen=True)
class Profile:
    """An ICC profile, and what it does."""

    space: str = "rgb"  # of its channels: rgb, grey, lab, cmyk; or damaged
    curve: Callable = linear  # stored values 0..1 -> light
    primaries: str = "sRGB"
    data: bytes = b""


def _matrix_profile(curve, curve_tag, primaries, name, version=2):
    columns = to_xyz(primaries).T
    tags = {key: by_hand.xyz(column)
            for key, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns)}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve_tag)
    return Profile("rgb", curve, primaries,
                   by_hand.icc(b"RGB ", tags, name, version))


def power(gamma):
    gamma = round(gamma * 256) / 256  # as `by_hand.power_curve` rounds it
    return lambda values: np.clip(values, 0, 1) ** gamma


def _gamma_profile(gamma, primaries, name):
    return _matrix_profile(
        power(gamma), by_hand.power_curve(gamma), primaries, name)


def _grey_profile(gamma):
    return Profile("grey", power(gamma), data=by_hand.icc(
        b"GRAY", {b"kTRC": by_hand.power_curve(gamma)}, f"Gray {gamma}"))


def _ink_profile():
    corners = np.array(list(itertools.product((0, 1), repeat=4)))
    return Profile("cmyk", data=by_hand.icc(
        b"CMYK", {b"A2B0": by_hand.ink_table(
            WHITE_D50 * (1 - corners @ INKS))}, "Inks", device=b"prtr"))


_SRGB_TABLE = by_hand.table_curve(linear(np.linspace(0, 1, 4096)))
PROFILES = {
    "none": None,
    "sRGB": _matrix_profile(
        linear, _SRGB_TABLE, "sRGB", "sRGB IEC61966-2.1"),
    "sRGB 4": _matrix_profile(
        linear, by_hand.formula_curve(
            2.4, 1 / 1.055, .055 / 1.055, 1 / 12.92, .04045),
        "sRGB", "Nothing in its name", version=4),
    "linear": _gamma_profile(1, "sRGB", "GIMP built-in Linear sRGB"),
    "gamma 1.8": _gamma_profile(1.8, "ProPhoto", "ROMM, not sRGB"),
    "Adobe RGB": _gamma_profile(563 / 256, "Adobe RGB", "Adobe RGB (1998)"),
    "grey 2.2": _grey_profile(2.2),
    "grey 1.8": _grey_profile(1.8),
    "Lab": Profile("lab", data=ImageCms.ImageCmsProfile(
        ImageCms.createProfile("LAB")).tobytes()),
    "CMYK": _ink_profile(),
    "damaged": Profile("damaged", data=b"\0\0\x10\0lcms" + b"\x81" * 300),
}

_WHITE, *_ADOBE = PRIMARIES["Adobe RGB"]
# Colour in chunks of PNG, first what counts: (chunks, what they mean).
PNG_CHUNKS = {
    "sRGB chunk": ([(b"sRGB", b"\0")], PROFILES["sRGB"]),
    "gAMA 1": ([by_hand.gama(1)], PROFILES["linear"]),
    "gAMA .45455": ([by_hand.gama(.45455)], Profile(
        curve=lambda values: values ** (1 / .45455))),
    "gAMA, cHRM": ([by_hand.chrm(_WHITE, _ADOBE), by_hand.gama(.5)], Profile(
        curve=lambda values: values ** 2, primaries="Adobe RGB")),
    "cICP P3": ([(b"cICP", bytes([12, 13, 0, 1]))], Profile(primaries="P3")),
    "cICP linear": ([(b"cICP", bytes([1, 8, 0, 1]))], PROFILES["linear"]),
    "cICP gamma 2.2": ([(b"cICP", bytes([1, 4, 0, 1]))], Profile(
        curve=lambda values: values ** 2.2)),
    "cICP before iCCP": ([
        (b"cICP", bytes([1, 13, 0, 1])),
        by_hand.iccp(PROFILES["linear"].data), by_hand.gama(.5)],
        PROFILES["sRGB"]),
    "iCCP before gAMA": ([
        by_hand.iccp(PROFILES["gamma 1.8"].data), by_hand.gama(1)],
        PROFILES["gamma 1.8"]),
    "sRGB before gAMA": ([
        by_hand.gama(1), by_hand.chrm(_WHITE, _ADOBE), (b"sRGB", b"\0")],
        PROFILES["sRGB"]),
}


def shown(values, space, profile):
    """sRGB-coded [H, W, 3] that values [H, W, C], 0..1, mean.

    A profile that does not fit its channels counts as none, except grey and
    RGB for each other: of RGB, grey has the neutral axis; by a grey profile
    each channel of RGB has its curve.
    """
    fits = profile and (space == profile.space or {space, profile.space} == {
        "grey", "rgb"})
    if space == "lab":
        return srgb_of_xyz(xyz_of_lab(values))
    if space == "cmyk":
        if fits:
            return srgb_of_xyz(WHITE_D50 * (1 - values @ INKS))
        return (1 - values[..., :3]) * (1 - values[..., 3:])
    values = np.broadcast_to(np.clip(values, 0, 1), (*values.shape[:2], 3))
    if not fits:
        return values
    light = profile.curve(values)
    if space == "rgb":
        light = light @ (np.linalg.inv(to_xyz("sRGB"))
                         @ to_xyz(profile.primaries)).T
    return coded(light)
