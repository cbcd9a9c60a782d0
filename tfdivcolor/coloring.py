"""Coloring: the result of colourising one photograph, at its own size."""

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.settings import Sampling

# Pixels converted at a time: bounds the float32 temporaries of the Lab
# conversion to some 100 MB whatever the picture's size.
STRIP_PIXELS = 1 << 20


@dataclass(frozen=True, eq=False)
class Coloring:
    """S colourings of one photograph, most probable first.

    Colour fields are kept at the canvas's size; the full-size pictures are
    made when asked for, one at a time with `image(i)`.

    Attributes:
        luminance: float32 [H, W, 1], 0..100. The photograph's own.
        ab: float32 [S, canvas, canvas, 2]. Sampled fields, CIE units.
        log_prob: float32 [S]. log p(z | grey image), nats.
        component: int32 [S]. Mixture component of each.
        weight: float32 [S]. That component's weight.
        latents: float32 [S, D].
        sampling: `settings.Sampling` that made it.
        name: str. The photograph's name.
        is_grey: bool. Whether the photograph came without colour; where
            not, its luminance was used.
    """

    luminance: np.ndarray = field(repr=False)
    ab: np.ndarray = field(repr=False)
    log_prob: np.ndarray
    component: np.ndarray
    weight: np.ndarray
    latents: np.ndarray = field(repr=False)
    sampling: Sampling
    name: str
    is_grey: bool

    def __len__(self):
        return len(self.ab)

    @property
    def images(self):
        """All colourings: uint8 [S, H, W, 3]."""
        return np.stack([self.image(i) for i in range(len(self))])

    @property
    def grey(self):
        """The photograph without colour: uint8 [H, W, 3]."""
        return join(self.luminance, np.zeros_like(self.ab[0]))

    def image(self, index):
        """One colouring at the photograph's size: uint8 [H, W, 3].

        Chrominance is enlarged bilinearly and joined with the photograph's
        own luminance; colours outside sRGB lose chroma, never luminance.
        """
        return join(self.luminance, self.ab[index])


def split(pixels, canvas):
    """Luminance of a photograph, at full size and on the canvas.

    Args:
        pixels: uint8 [H, W, 3], sRGB.
        canvas: int. The whole picture is squashed to canvas x canvas.

    Returns:
        luminance: float32 [H, W, 1], 0..100.
        small: float32 [canvas, canvas, 1], antialiased.
    """
    luminance = np.empty((*pixels.shape[:2], 1), np.float32)
    for rows in _strips(pixels.shape):
        luminance[rows] = color.split(pixels[rows])[0].numpy()
    small = tf.image.resize(
        luminance, [canvas, canvas], "bilinear", antialias=True)
    # The antialiasing filter's rounding may overshoot by 1e-5.
    return luminance, tf.clip_by_value(small, 0.0, 100.0).numpy()


def join(luminance, ab):
    """Full-size picture of a luminance and a small colour field.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        ab: float32 [h, w, 2], CIE units.

    Returns:
        uint8 [H, W, 3], sRGB.
    """
    height, width, _ = luminance.shape
    full = tf.image.resize(ab, [height, width], "bilinear")
    pixels = np.empty((height, width, 3), np.uint8)
    for rows in _strips(luminance.shape):
        pixels[rows] = color.join(luminance[rows], full[rows]).numpy()
    return pixels


def _strips(shape):
    """Slices of whole rows that cover a picture, STRIP_PIXELS each."""
    step = max(1, STRIP_PIXELS // shape[1])
    return [slice(top, top + step) for top in range(0, shape[0], step)]
