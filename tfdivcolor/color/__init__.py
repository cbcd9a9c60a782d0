"""Colour science in TensorFlow: sRGB, CIE Lab, the networks' canvas.

This package does not read files.  `lab` converts colours, `canvas` and
`upsampling` go from a photograph to the canvas and back, and `statistics`
describes the colours of a data set.  The package also exports the names of
`lab`. `srgb_to_lab` and `lab_to_srgb` serve other programs; tfdivcolor does not
call them.
"""

from tfdivcolor.color.lab import (
    denormalize_ab,
    join,
    lab_to_srgb,
    map_to_gamut,
    normalize_ab,
    normalize_luminance,
    split,
    srgb_to_lab,
)

__all__ = [
    "denormalize_ab", "join", "lab_to_srgb", "map_to_gamut", "normalize_ab",
    "normalize_luminance", "split", "srgb_to_lab",
]
