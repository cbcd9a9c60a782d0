"""Loads sets of pictures for measurement.

Whole photographs are squashed to a square, as `colorize` does, at the largest
luminance size of the models.  Models with a smaller luminance get it averaged
down.
"""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdivcolor import data
from tfdivcolor.data import PhotoSet, photo_cache
from tfdivcolor.data.sources import VALIDATION_FRACTION
from tfdivcolor.utils.types import Tensor

_CHUNK = 256  # pictures; limits the memory


def load(path: str | os.PathLike, canvas: int, luminance_size: int,
         subset: str | None = None, margin: int = 0, squash: bool = True,
         validation_fraction: float | None = None, limit: int | None = None,
         on_demand: bool = False,
         cache: str | os.PathLike | None = None) -> PhotoSet:
    """Loads photographs with `data.load`, or reads a prepared folder.

    Args:
        path: as in `data.load`. In a folder that an earlier call filled as its
            `cache`, the nearest set is used: with this subset and canvas, and
            with the smallest luminance that is large enough.
        canvas, subset, margin: as in `data.load`; a prepared folder may have
            another margin.
        luminance_size: int. Smallest side of the luminance in pixels.
        squash: bool. As in `data.load`, but True by default; a prepared folder
            may hold the other kind of pictures.
        validation_fraction: float or None. As in `data.load`. Defaults to
            None: the fraction of a prepared folder, or 0.08.
        limit: int or None. As in `data.load`.
        on_demand, cache: as in `data.load`; a prepared folder is mapped into
            memory without decoding.

    Returns:
        `PhotoSet`.

    Raises:
        ValueError: as in `data.load`.
    """
    if is_prepared(path):
        about = _held(
            Path(path), canvas, luminance_size, subset, margin, squash)
        return data.from_cache(
            path, canvas, margin=about["margin"], subset=subset, limit=limit,
            luminance_size=about.get("luminance_size"),
            squash=about.get("squash", False),
            validation_fraction=about["validation_fraction"]
            if validation_fraction is None else validation_fraction)
    return data.load(
        path, canvas, margin, subset, VALIDATION_FRACTION
        if validation_fraction is None else validation_fraction, cache, limit,
        luminance_size=luminance_size, squash=squash, on_demand=on_demand)


def is_prepared(path: str | os.PathLike) -> bool:
    """Whether a folder holds decoded fields instead of photographs."""
    return os.path.isdir(path) and bool(photo_cache.sets_in(path))


def _held(folder, canvas, luminance_size, subset, margin, squash):
    """Returns the description of the nearest set in a prepared folder."""
    found = []
    for name in photo_cache.sets_in(folder):
        about = json.loads((folder / f"{name}.json").read_text())
        size = about.get("luminance_size", about["canvas"])
        if (about["subset"] == subset and about["canvas"] == canvas
                and about["limit"] is None and size >= luminance_size):
            distance = (size, about.get("squash", False) != squash,
                        abs(about["margin"] - margin))
            found.append((distance, name, about))
    if not found:
        raise ValueError(
            f"{folder}: must hold fields of {subset or 'all'} pictures, "
            f"canvas {canvas}, with a luminance of {luminance_size} pixels or "
            f"more (received {', '.join(photo_cache.sets_in(folder))})")
    return min(found)[-1]


def shrunk(luminance: Tensor, size: int) -> Tensor:
    """Shrinks a luminance by averaging.

    Args:
        luminance: float32 [B, s, s, 1].
        size: int, a divisor of s.

    Returns:
        float32 [B, size, size, 1].

    Raises:
        ValueError: if `size` is not a divisor of s.
    """
    factor, rest = divmod(luminance.shape[1], size)
    if rest or not factor:
        raise ValueError(
            f"size must be a divisor of {luminance.shape[1]}, the size of the "
            f"luminance (received {size})")
    if factor == 1:
        return tf.convert_to_tensor(luminance)
    return tf.nn.avg_pool2d(luminance, factor, factor, "VALID")


def shrunk_batch(batch: dict, size: int) -> dict:
    """Shrinks the luminance of a `PhotoSet` batch; see `shrunk`."""
    return {**batch, "luminance": shrunk(batch["luminance"], size)}


def rows_of(photos: PhotoSet, rows: np.ndarray) -> PhotoSet:
    """Copies some pictures of a set into memory.

    Args:
        photos: `PhotoSet`.
        rows: int [n].

    Returns:
        `PhotoSet`.
    """
    return replace(photos, lab=photos.lab[rows],
                   names=[photos.names[i] for i in rows])


def at_canvas(photos: PhotoSet, most: int) -> PhotoSet:
    """Copies some whole pictures at the size of the canvas into memory.

    Args:
        photos: `PhotoSet`, of any size, margin and luminance size.
        most: int. Number of evenly spaced pictures to copy, at most all.

    Returns:
        `PhotoSet` with margin 0, and the luminance at the size of the canvas.
    """
    rows = np.unique(np.linspace(
        0, len(photos) - 1, min(most, len(photos))).astype(int))
    canvas = photos.canvas
    lab = np.empty([len(rows), canvas, canvas, 3], np.float16)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start:start + _CHUNK]
        batch, = rows_of(photos, part).batches(len(part), shuffle=False)
        lab[start:start + len(part)] = tf.concat(
            [shrunk(batch["luminance"], canvas), batch["ab"]], axis=-1)
    return PhotoSet(lab, [photos.names[i] for i in rows], [], canvas)
