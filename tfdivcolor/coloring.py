"""Coloring: the result of colourising one photograph, at its own size."""

from dataclasses import dataclass, field

import numpy as np

from tfdivcolor import canvas
from tfdivcolor.settings import Sampling


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
        return canvas.join(self.luminance, np.zeros_like(self.ab[0])).numpy()

    def image(self, index):
        """One colouring at the photograph's size: uint8 [H, W, 3]."""
        return canvas.join(self.luminance, self.ab[index]).numpy()
