"""How far the first result moves when the photograph changes a little.

The colours of a photograph should be the same in a smaller copy of it, in a
part of it, and under grain.  Each is colourised as anybody would do it, at its
own size, and compared on the canvas with the photograph as it came.
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
        path: str. Where the photographs are, as for `data.load`.
        names: names of some of them, of `PhotoSet`.
        sampling: `settings.Sampling`; the first result is looked at.
        progress: bool. Whether to show a bar.

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
        # What cannot be read was said when the names were found.
        for name, _, read in sources.source_of(path)(path, lambda _: None):
            if name in names:
                rng = np.random.default_rng([sampling.seed % 2**64, bar.n])
                for condition, change in changes(
                        colorizer, read(), sampling, rng).items():
                    values[condition].append(change)
                bar.update()
    return {condition: np.array(row) for condition, row in values.items()}


def check(path: str) -> None:
    """Refuses what has no photographs.

    Raises:
        ValueError: if `path` is a prepared folder.
    """
    if pictures.is_prepared(path):
        raise ValueError(
            f"{path}: must hold photographs, which are colourised at their "
            "own sizes for the stability (received a prepared folder)")


def changes(colorizer: Any, source: images.Picture, sampling: Sampling,
            rng: np.random.Generator) -> dict[str, float]:
    """`measure` of one photograph.

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
    """A photograph, changed a little in several ways.

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
    """Mean absolute difference where two colour fields show the same.

    The field of a part is averaged over the pixels of the whole's, which
    count by how much of them lies in the part.

    Args:
        before: float [c, c, 2]. Field of the whole photograph.
        after: float [c, c, 2]. Field of a part.
        part: top, left, bottom, right of it, as fractions of the whole.

    Returns:
        float, in the fields' unit.
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
    """How much of each pixel of the whole a part's pixels cover, [c, c].

    Along one axis; pixel i of the whole covers i to i + 1.
    """
    borders = side * np.linspace(start, end, side + 1)
    whole = np.arange(side)[:, None]
    return np.clip(np.minimum(whole + 1, borders[1:])
                   - np.maximum(whole, borders[:-1]), 0, None)
