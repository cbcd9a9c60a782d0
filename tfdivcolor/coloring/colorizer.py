"""Colorizer: samples colourings of photographs; trains, saves and loads."""

from __future__ import annotations

import os
import warnings
from dataclasses import fields
from pathlib import Path
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
from tfdivcolor.utils import files
from tfdivcolor.utils.arguments import check_whole

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
        photos = tdc.data.from_directory(
            "photos/", luminance_size=128, squash=True)
        colorizer = tdc.Colorizer.from_preset("photos")
        colorizer.fit(photos, epochs=30)
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
                 page: int | None = None, lenient: bool = False,
                 latents: np.ndarray | None = None,
                 **steering: Any) -> Coloring:
        """Colourises one photograph at its own size.

        Args:
            source: what `images.read` takes: path, bytes, open file, PIL image
                or array. Of a colour picture the luminance counts.
            num_samples, seed, temperature, mode: as in `sample`.
            max_pixels: int. Larger pictures are refused before decoding.
            page, lenient: as in `images.read`. What that says of how it read
                the picture (`result.photo.notes`) is given as a warning.
            latents: float32 [S, D], to decode instead of sampling: those of
                another frame of the same film. Or None.
            **steering: fields of `settings.Steering`: hints, keep or kept,
                strength, warmth, saturation.

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
            more = colorizer.colorize("photo.jpg", seed=1, hints=[hint],
                                      kept=again.latents[3])
        """
        options = Sampling(num_samples, seed, temperature, mode)
        known = [field.name for field in fields(Steering)]
        if unknown := [name for name in steering if name not in known]:
            raise TypeError(f"colorize has no argument {unknown[0]!r}; those "
                            f"that steer are {', '.join(known)}")
        steered = Steering(**steering)
        check_whole("max_pixels", max_pixels, 1)
        photo = images.read(source, max_pixels, page, lenient)
        for note in photo.notes:
            warnings.warn(f"{photo.name}: {note}", stacklevel=2)
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
        check_whole("max_pixels", max_pixels, 1)
        return coloring.reconstruct(
            self, images.read(source, max_pixels=max_pixels))

    # --- Saving ------------------------------------------------------------

    def save(self, path: str | os.PathLike, overwrite: bool = False,
             half: bool = False, **about: Any) -> None:
        """Saves everything that `tdc.load` needs.

        Args:
            path: str or path. A folder, which `tdc.load` reads; or a file
                ending in .keras, for `keras.models.load_model` in a program
                that has imported tfdivcolor and touched `tdc.Colorizer`.
            overwrite: bool. Whether to replace what is there.
            half: bool. Store a folder's weights as float16; see
                `storage.save`.
            **about: JSON values to keep with the weights of a folder (seed,
                data, training settings).

        Raises:
            ValueError: if there is something at `path` and not `overwrite`, or
                something else than a saved Colorizer; if `path` is named like
                a file of another format (.h5, ...); or if a .keras file is to
                be `half` or to keep something.
        """
        if not str(path).endswith(".keras"):
            storage.save(
                self, path, overwrite=overwrite, about=about, half=half)
            return
        if half or about:
            kept = ", ".join(["half"] * half + list(about))
            raise ValueError(f"{path}: must be a folder to keep {kept} with "
                             "the weights (received the name of a file)")
        storage.check_free(Path(path), overwrite)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with files.whole_file(path) as part:
            super().save(part)

    @staticmethod
    def load(weights: str | os.PathLike) -> Colorizer:
        """Loads shipped weights by name, or a folder that `save` wrote.

        Args:
            weights: str or path.

        Returns:
            `Colorizer`.

        Raises:
            ValueError: if there are no such weights, or they do not load
                completely. A .keras file is for `keras.models.load_model`.
        """
        return storage.load(storage.find(weights))


def preset(name: str) -> Any:
    """The configuration of that name; see `presets`.

    Raises:
        ValueError: if there is no such preset.
    """
    if name not in list(PRESETS):  # not every name can be hashed
        raise ValueError(
            f"preset must be one of {', '.join(PRESETS)} (received {name!r})")
    return PRESETS[name]
