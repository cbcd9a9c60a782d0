"""Generated pictures with learnable colours, for smoke runs and tests.

Every picture is a dark-to-light sky over a darker ground with a bright disc.
The sky is blue: luminance tells its colour.  The ground is green or brown, the
disc red or yellow: luminance does not tell which.
"""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(index: int, size: int = 48) -> np.ndarray:
    """Makes one picture, uint8 [size, size, 3]; only `index` varies it."""
    rng = np.random.default_rng(index)
    y, x = np.mgrid[:size, :size] / size
    pixels = np.empty((size, size, 3))
    sky = np.array([90, 140, 230]) * rng.uniform(0.8, 1.1)
    ground = (np.array([60, 120, 50]) if rng.random() < 0.5
              else np.array([120, 80, 40]))
    disc = (np.array([220, 60, 50]) if rng.random() < 0.5
            else np.array([240, 210, 70]))
    horizon = rng.uniform(0.4, 0.7)
    pixels[:] = sky * (0.5 + 0.5 * y[..., None])
    pixels[y > horizon] = ground * rng.uniform(0.8, 1.2)
    centre, radius = rng.uniform(0.2, 0.8, 2), rng.uniform(0.1, 0.2)
    inside = np.hypot(x - centre[0], y - centre[1]) < radius
    pixels[inside] = disc
    pixels += rng.normal(0, 4, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_folder(folder: str | Path, count: int = 48, size: int = 48) -> Path:
    """Writes `count` pictures of `size` pixels a side as PNG files.

    Returns:
        pathlib.Path. The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.fromarray(picture(index, size)).save(
            folder / f"picture{index:03d}.png")
    return folder
