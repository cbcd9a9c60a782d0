"""Pictures for looking at results: grids and contact sheets."""

import io
import math

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfdivcolor import images

TILE_PIXELS = 480  # longer side of a picture on a contact sheet


def grid(rows, gap=2):
    """Puts pictures of one size side by side.

    Args:
        rows: uint8 [R, C, H, W, 3].
        gap: int. White pixels between pictures.

    Returns:
        uint8 [R * (H + gap) - gap, C * (W + gap) - gap, 3].
    """
    rows = np.asarray(rows)
    rows = np.pad(rows, [(0, 0), (0, 0), (0, gap), (0, gap), (0, 0)],
                  constant_values=255)
    r, c, h, w, _ = rows.shape
    return rows.transpose(0, 2, 1, 3, 4).reshape(
        r * h, c * w, 3)[:r * h - gap, :c * w - gap]


def contact_sheet(coloring, path):
    """Writes a sheet of a photograph and its colourings.

    The grey photograph comes first, then the results, most probable first,
    each with its rank and log-probability.

    Args:
        coloring: `Coloring`.
        path: str or path of the PNG file, written whole or not at all.

    Raises:
        images.ImageError: if the file cannot be written.
    """
    tiles = [_reduced(coloring.grey)]
    titles = ["grey"]
    for i in range(len(coloring)):
        tiles.append(_reduced(coloring.image(i)))
        titles.append(f"{i:02d}   log p = {coloring.log_prob[i]:.1f}")
    height, width, _ = tiles[0].shape
    columns = _columns(len(tiles), width / height)
    rows = math.ceil(len(tiles) / columns)
    dpi, title_pixels = 100, 26
    figure = Figure(
        figsize=(columns * (width + 8) / dpi,
                 rows * (height + title_pixels + 4) / dpi), dpi=dpi)
    FigureCanvasAgg(figure)
    for i, (tile, title) in enumerate(zip(tiles, titles)):
        row, column = divmod(i, columns)
        # Exact pixel boxes: matplotlib's own layouts would resample.
        box = _box(figure, column * (width + 8) + 4,
                   row * (height + title_pixels + 4) + title_pixels,
                   width, height)
        axes = figure.add_axes(box)
        axes.imshow(tile, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        axes.set_title(title, fontsize=9, pad=4)
    buffer = io.BytesIO()
    # No software or date in the file: the same call, the same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    images.write_atomically(path, buffer.getvalue())


def _reduced(pixels):
    """A picture at most TILE_PIXELS a side."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((TILE_PIXELS, TILE_PIXELS), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _columns(count, aspect):
    """Columns of a sheet that is about 3:2 and has few empty places."""
    ideal = math.sqrt(count * 1.5 / aspect)
    return min(range(1, count + 1),
               key=lambda columns: abs(columns - ideal) + -count % columns)


def _box(figure, left, top, width, height):
    """Pixels from the top left -> matplotlib's fractions from the bottom."""
    total_width, total_height = figure.get_size_inches() * figure.dpi
    return [left / total_width, 1 - (top + height) / total_height,
            width / total_width, height / total_height]
