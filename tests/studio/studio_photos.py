"""Small photographs, all different, so that tests share no history."""

import itertools

import numpy as np
import skimage.data
import tifffile
from PIL import Image

_count = itertools.count(1)


def pixels(number, width=96, height=64):
    """A part of the astronaut picture by number: uint8 [H, W, 3]."""
    top, left = np.random.default_rng(number).integers(0, 400, 2)
    return skimage.data.astronaut()[top:top + height, left:left + width]


def write(folder, name=None, size=(96, 64), **options):
    """Writes a new grey photograph; returns its path."""
    number = next(_count)
    path = folder / (name or f"photo {number}.png")
    image = Image.fromarray(pixels(number, *size)).convert("L")
    # At the edge of the picture, the part is smaller than `size`.
    image.resize(size).save(path, **options)
    return path


def turned():
    """EXIF data of a photograph from an upright camera."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def write_16_bits(path):
    """Writes a grey photograph with 16 bits; returns its path."""
    grey = pixels(next(_count))[..., 1].astype(np.uint16) * 257
    tifffile.imwrite(path, grey, photometric="minisblack")
    return path
