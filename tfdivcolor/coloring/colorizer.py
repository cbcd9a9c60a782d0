"""Colorizer: colours photographs; trains, saves and loads."""

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

# From name to configuration; `presets` fills the dict.
PRESETS = {}


@keras.saving.register_keras_serializable(PACKAGE)
class Colorizer(JointModel):
    """Samples colourings of grey photographs; trains, saves and loads.

    `JointModel` trains, and samples on the canvas. This class adds photographs
    at full size, presets and files.

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
        """Makes an untrained Colorizer.

        Args:
            name: str, a key of `presets.PRESETS`. Defaults to "photos".

        Returns:
            `Colorizer` with random weights.

        Raises:
            ValueError: if no preset has this name.
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
        """Colours one photograph at full size.

        Args:
            source: a path, bytes, open file, PIL image or array, as in
                `images.read`. Of colour pictures the method uses the
                luminance.
            num_samples, seed, temperature, mode: as in `sample`.
            max_pixels: int. Larger pictures are refused before decoding.
                Defaults to `settings.MAX_PIXELS`.
            page, lenient: as in `images.read`. Notes about the reading
                (`result.photo.notes`) become warnings.
            latents: float32 [S, D]. Latents to decode instead of sampling,
                such as those of another frame of the same film. Defaults to
                None.
            **steering: fields of `settings.Steering`: hints, keep or kept,
                strength, warmth, saturation.

        Returns:
            `Coloring` with S = `num_samples` results.

        Raises:
            images.ImageError: a ValueError, if the picture is unreadable or a
                hint lies outside it.
            ValueError: if another argument is outside its range.
            TypeError: if `Steering` has no field of an argument's name.

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
            raise TypeError(f"colorize has no argument {unknown[0]!r}; the "
                            f"steering arguments are {', '.join(known)}")
        steered = Steering(**steering)
        check_whole("max_pixels", max_pixels, 1)
        photo = images.read(source, max_pixels, page, lenient)
        for note in photo.notes:
            warnings.warn(f"{photo.name}: {note}", stacklevel=2)
        return coloring.colorize(self, photo, options, steered, latents)

    def interpolate(self, first: Coloring, last: Coloring,
                    steps: int) -> Coloring:
        """Makes colourings between two results.

        Args:
            first, last: `Coloring` of one result each, of the same photograph
                and with the same saturation, such as result[0] and result[3].
            steps: int, 2 to `settings.MAX_SAMPLES`.

        Returns:
            `Coloring` of `steps` results at equal distances in z, from `first`
            to `last`, both included.

        Raises:
            ValueError: if an argument breaks one of these rules.
        """
        return coloring.interpolate(self, first, last, steps)

    def reconstruct(self, source: Any,
                    max_pixels: int = MAX_PIXELS) -> Coloring:
        """Encodes a photograph's own colours and decodes them.

        No result of the model can come nearer to these colours.

        Args:
            source: a colour photograph, as in `colorize`.
            max_pixels: int. Larger pictures are refused before decoding.
                Defaults to `settings.MAX_PIXELS`.

        Returns:
            `Coloring` of one result, the mean of the VAE's posterior.

        Raises:
            images.ImageError: a ValueError, if the picture is unreadable.
            ValueError: if the picture is grey.
        """
        check_whole("max_pixels", max_pixels, 1)
        return coloring.reconstruct(
            self, images.read(source, max_pixels=max_pixels))

    # --- Saving ------------------------------------------------------------

    def save(self, path: str | os.PathLike, overwrite: bool = False,
             half: bool = False, **about: Any) -> None:
        """Saves everything that `tdc.load` needs.

        Args:
            path: str or path. A folder, which `tdc.load` reads; or a file that
                ends in .keras, for `keras.models.load_model` in programs that
                have imported tfdivcolor and accessed `tdc.Colorizer`.
            overwrite: bool. Whether to replace an existing path. Defaults to
                False.
            half: bool. Whether to store weights as float16, in a folder only;
                see `storage.save`. Defaults to False.
            **about: JSON values to store beside the weights, in a folder only:
                seed, data, training settings.

        Raises:
            ValueError: if `path` exists and `overwrite` is False, if it is not
                a saved Colorizer, or if its ending is that of another format
                (.h5, ...); also for `half` or `about` with a .keras file.
        """
        if not str(path).endswith(".keras"):
            storage.save(
                self, path, overwrite=overwrite, about=about, half=half)
            return
        if half or about:
            kept = ", ".join(["half"] * half + list(about))
            raise ValueError(f"{path}: must be a folder for the arguments "
                             f"{kept} (received the name of a file)")
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
            ValueError: if no such weights exist, or if they do not load
                completely. `keras.models.load_model` loads .keras files.
        """
        return storage.load(storage.find(weights))


def preset(name: str) -> Any:
    """Returns the configuration with this name; see `presets`.

    Args:
        name: str, a key of `PRESETS`.

    Raises:
        ValueError: if no preset has this name.
    """
    if name not in list(PRESETS):  # not every name can be hashed
        raise ValueError(
            f"preset must be one of {', '.join(PRESETS)} (received {name!r})")
    return PRESETS[name]
