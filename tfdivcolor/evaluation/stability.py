"""Measures how far the first result moves when the photograph changes a little.

The colours of a photograph should be the same in a smaller copy, in a part of
it, and under grain.  Each version is colourised normally, at its own size, and
compared on the canvas with the original photograph.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from tfdivcolor import images
from tfdivcolor.color import canvas
from tfdivcolor.data import sources
from tfdivcolor.evaluation import pictures
from tfdivcolor.settings import Sampling

SIZES = (256, 512, 1024)  # pixels of the long side
CROPS = {"3:2": 3 / 2, "1:3": 1 / 3}  # width to height
GRAIN = 4.0  # standard deviation, units of L

# Top, left, bottom, right, as fractions of the photograph.
Part = tuple[float, float, float, float]
WHOLE: Part = (0.0, 0.0, 1.0, 1.0)


def measure(colorizer: Any, path: str, names: Collection[str],
            sampling: Sampling, progress: bool = True
            ) -> dict[str, np.ndarray]:
    """Mean absolute change of ab under each condition.

    Args:
        colorizer: `Colorizer`.
        path: str. Location of the photographs, as in `data.load`.
        names: names of photographs to use, from `PhotoSet.names`.
        sampling: `settings.Sampling`; only the first result is used.
        progress: bool. Whether to show a progress bar. Defaults to True.

    Returns:
        dict from a condition, "256", "512", "1024", "3:2", "1:3" and
        "grain", to float64 [n], CIE units.

    Raises:
        ValueError: if `path` is a prepared folder, without photographs.
    """
    check(path)
    names, values = set(names), defaultdict(list)
    with tqdm(total=len(names), unit="picture", desc="stability",
              disable=not progress, leave=False) as bar:
        # Unreadable files were reported when the names were listed.
        for name, _, read in sources.source_of(path)(path, lambda _: None):
            if name in names:
                rng = np.random.default_rng([sampling.seed % 2**64, bar.n])
                for condition, change in changes(
                        colorizer, read(), sampling, rng).items():
                    values[condition].append(change)
                bar.update()
    return {condition: np.array(row) for condition, row in values.items()}


def check(path: str) -> None:
    """Refuses a path without photographs.

    Raises:
        ValueError: if `path` is a prepared folder.
    """
    if pictures.is_prepared(path):
        raise ValueError(
            f"{path}: must hold photographs, because the stability needs "
            "their own sizes (received a prepared folder)")


def changes(colorizer: Any, source: images.Picture, sampling: Sampling,
            rng: np.random.Generator) -> dict[str, float]:
    """Computes `measure` for one photograph.

    Args:
        colorizer: `Colorizer`.
        source: as in `Colorizer.colorize`.
        sampling: `settings.Sampling`.
        rng: `numpy.random.Generator`, for the grain.

    Returns:
        dict from a condition to its mean absolute change, CIE units.
    """
    def first(source):
        return colorizer.colorize(source, **vars(sampling)).ab[0]

    before = first(source)
    return {condition: change(before, first(pixels), part)
            for condition, pixels, part in conditions(
                images.read(source).pixels, rng)}


def conditions(pixels: np.ndarray, rng: np.random.Generator
               ) -> Iterator[tuple[str, np.ndarray, Part]]:
    """Yields versions of a photograph with small changes.

    Args:
        pixels: uint8 [H, W, 3], sRGB.
        rng: `numpy.random.Generator`, for the grain.

    Yields:
        (condition, uint8 [H', W', 3], the part of the photograph that it
        shows).
    """
    height, width, _ = pixels.shape
    for size in SIZES:
        factor = size / max(height, width)
        yield str(size), np.asarray(Image.fromarray(pixels).resize(
            (max(round(width * factor), 1), max(round(height * factor), 1)),
            Image.Resampling.LANCZOS)), WHOLE
    for condition, ratio in CROPS.items():
        rows = min(height, max(round(width / ratio), 1))
        columns = min(width, max(round(height * ratio), 1))
        top, left = (height - rows) // 2, (width - columns) // 2
        yield condition, pixels[top:top + rows, left:left + columns], (
            top / height, left / width,
            (top + rows) / height, (left + columns) / width)
    luminance = canvas.luminance_of(pixels).numpy()
    luminance += GRAIN * rng.standard_normal(luminance.shape, np.float32)
    yield "grain", canvas.join(
        luminance.clip(0, 100), np.zeros([1, 1, 2], np.float32)).numpy(), WHOLE


def change(before: np.ndarray, after: np.ndarray, part: Part) -> float:
    """Mean absolute difference of two colour fields where they overlap.

    The field of the part is averaged over the pixels of the whole. Each pixel
    of the whole counts by the area of it that lies in the part.

    Args:
        before: float [c, c, 2]. Field of the whole photograph.
        after: float [c, c, 2]. Field of a part.
        part: top, left, bottom and right of the part, as fractions of the
            whole.

    Returns:
        float, in the unit of the fields.
    """
    side = len(before)
    down, across = (_overlaps(side, part[i], part[i + 2]) for i in (0, 1))
    covered = down.sum(axis=1)[:, None] * across.sum(axis=1)  # [c, c]
    sums = np.einsum(
        "ik,jl,klc->ijc", down, across, np.asarray(after, np.float64),
        optimize=True)
    difference = np.abs(sums - covered[..., None] * before)
    return float(difference.mean(axis=-1).sum() / covered.sum())


def _overlaps(side, start, end):
    """How much the pixels of a part cover each pixel of the whole, [c, c].

    This is along one axis, where pixel i of the whole covers i to i + 1.
    """
    borders = side * np.linspace(start, end, side + 1)
    whole = np.arange(side)[:, None]
    return np.clip(np.minimum(whole + 1, borders[1:])
                   - np.maximum(whole, borders[:-1]), 0, None)
