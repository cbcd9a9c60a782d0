"""Colorizer: samples colourings of photographs; trains, saves and loads."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np

from tfdivcolor import images
from tfdivcolor.coloring import coloring
from tfdivcolor.coloring.coloring import Coloring
from tfdivcolor.models import storage
from tfdivcolor.models.blocks import PACKAGE
from tfdivcolor.models.joint import JointModel
from tfdivcolor.settings import DEFAULTS, MAX_PIXELS, Sampling, Steering

# Name -> configuration, whose `colorizer()` builds one; `presets` fills it.
PRESETS = {}


@keras.saving.register_keras_serializable(PACKAGE)
class Colorizer(JointModel):
    """Samples colourings of grey photographs; trains, saves and loads.

    Training, and sampling on the canvas, are `JointModel`'s; this class adds
    photographs at their own size, presets and files.

    Args:
        vae, mdn, stages: as in `JointModel`.

    Example:
        colorizer = tdc.Colorizer.from_preset("photos")
        colorizer.fit(tdc.data.from_directory("photos/"), epochs=30)
        colorizer.save("my_weights")
    """

    @classmethod
    def from_preset(cls, name: str = "photos") -> Colorizer:
        """A new, untrained Colorizer; see `presets`.

        Raises:
            ValueError: if there is no such preset.
        """
        return preset(name).colorizer()

    # --- Photographs -------------------------------------------------------

    def colorize(self, source: Any, num_samples: int = DEFAULTS.num_samples,
                 seed: int = DEFAULTS.seed,
                 temperature: float = DEFAULTS.temperature,
                 mode: str = DEFAULTS.mode, max_pixels: int = MAX_PIXELS,
                 latents: np.ndarray | None = None,
                 **steering: Any) -> Coloring:
        """Colourises one photograph at its own size.

        Args:
            source: path, bytes of an image file, PIL image, or uint8 array
                [H, W] or [H, W, 3]. Of a colour picture the luminance counts.
            num_samples, seed, temperature, mode: as in `sample`.
            max_pixels: int. Larger pictures are refused before decoding.
            latents: float32 [S, D], to decode instead of sampling: those of
                another frame of the same film. Or None.
            **steering: fields of `settings.Steering`: hints, keep, strength,
                warmth, saturation.

        Returns:
            `Coloring`.

        Raises:
            images.ImageError: a ValueError; the source is not a picture that
                can be read, or a hint lies outside of it.
            ValueError: if another argument is outside its range.

        Example:
            hint = tdc.Hint(120, 80, (178, 34, 34))  # a red jacket
            result = colorizer.colorize("photo.jpg", hints=[hint])
            again = colorizer.colorize("photo.jpg", hints=[hint], keep=2)
        """
        options = Sampling(num_samples, seed, temperature, mode)
        steered = Steering(**steering)
        photo = images.read(source, max_pixels=max_pixels)
        return coloring.colorize(self, photo, options, steered, latents)

    def interpolate(self, first: Coloring, last: Coloring,
                    steps: int) -> Coloring:
        """Colourings on the way from one to another, both included.

        Args:
            first, last: `Coloring` of one result each, of one photograph,
                such as result[0] and result[3].
            steps: int, 2 to `settings.MAX_SAMPLES`.

        Returns:
            `Coloring` of `steps` results at even distances in z, from first
            to last.

        Raises:
            ValueError: if an argument is not so.
        """
        return coloring.interpolate(self, first, last, steps)

    def reconstruct(self, source: Any,
                    max_pixels: int = MAX_PIXELS) -> Coloring:
        """A photograph's own colours, through the latent and back.

        As near as any result can come to them.

        Args:
            source: as in `colorize`, in colour.
            max_pixels: int. Larger pictures are refused before decoding.

        Returns:
            `Coloring` of one result, the mean of the VAE's posterior.

        Raises:
            images.ImageError: a ValueError; the source is not a picture that
                can be read.
            ValueError: the picture has no colours.
        """
        return coloring.reconstruct(
            self, images.read(source, max_pixels=max_pixels))

    # --- Saving ------------------------------------------------------------

    def save(self, path: str | os.PathLike, overwrite: bool = False,
             half: bool = False, **about: Any) -> None:
        """Saves everything that `tdc.load` needs.

        Args:
            path: str or path. A folder; or a file ending in .keras, for
                `keras.models.load_model` in a program that has imported
                tfdivcolor and touched `tdc.Colorizer`.
            overwrite: bool. Whether to replace what is there.
            half: bool. Store a folder's weights as float16; see
                `storage.save`.
            **about: JSON values to keep with the weights of a folder (seed,
                data, training settings).

        Raises:
            ValueError: if there is something at `path` and not `overwrite`, or
                something else than a saved Colorizer.
        """
        if str(path).endswith(".keras"):
            super().save(path, overwrite=overwrite)
        else:
            storage.save(
                self, path, overwrite=overwrite, about=about, half=half)

    @staticmethod
    def load(weights: str | os.PathLike) -> Colorizer:
        """Loads shipped weights by name, or a folder that `save` wrote.

        Args:
            weights: str or path.

        Returns:
            `Colorizer`.

        Raises:
            ValueError: if there are no such weights, or they do not load
                completely.
        """
        return storage.load(storage.find(weights))


def preset(name: str) -> Any:
    """The configuration of that name; see `presets`.

    Raises:
        ValueError: if there is no such preset.
    """
    if name not in PRESETS:
        raise ValueError(
            f"preset must be one of {', '.join(PRESETS)} (received {name!r})")
    return PRESETS[name]
