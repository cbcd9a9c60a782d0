"""Colour science in TensorFlow: sRGB, CIE Lab, the networks' canvas.

Nothing here knows of files.  `lab` converts, `canvas` and `upsampling` go from
a photograph to the networks' canvas and back, `statistics` describes the
colours of a data set.  The names of `lab` stand here too; `srgb_to_lab` and
`lab_to_srgb` are for other programs, and nothing in tfdivcolor calls them.
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
