"""Places pictures side by side: grids, contact sheets, tables."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from tfdivcolor.plots import charts

TILE_PIXELS = 480  # longer side of a picture on a contact sheet
CELL_PIXELS = 128  # approximate side of a picture in a table

# Pixels per inch of sheets: a power of two, so that whole pixels survive the
# conversion to inches.
_DPI = 128
_FONT_SIZE = 7  # points: letters of 12 pixels
_LINE = 20  # pixels per line of text


def grid(rows: ArrayLike, gap: int = 2) -> np.ndarray:
    """Places pictures of one size side by side.

    Args:
        rows: uint8 [R, C, H, W, 3].
        gap: int. White pixels between pictures. Defaults to 2.

    Returns:
        uint8 [R * (H + gap) - gap, C * (W + gap) - gap, 3].
    """
    rows = np.asarray(rows)
    rows = np.pad(rows, [(0, 0), (0, 0), (0, gap), (0, gap), (0, 0)],
                  constant_values=255)
    r, c, h, w, _ = rows.shape
    return rows.transpose(0, 2, 1, 3, 4).reshape(
        r * h, c * w, 3)[:r * h - gap, :c * w - gap]


def contact_sheet(coloring: Any, path: str | os.PathLike,
                  original: np.ndarray | None = None,
                  tiles: Sequence[np.ndarray] | None = None) -> None:
    """Writes a sheet of a photograph and its colourings.

    The grey photograph comes first. The results follow in order, each with its
    rank and share.

    Args:
        coloring: `Coloring`, or an object with grey, image, share and log_prob.
            If share is None, the sheet shows log_prob instead. An object
            without rank is numbered in order.
        path: str or path of the PNG file, written completely or not at all.
        original: uint8 [H, W, 3], the colour photograph to show beside the
            grey one, or None. Defaults to None.
        tiles: list of uint8 [h, w, 3], the result of `reduced` for each
            result, or None to compute them. Defaults to None.

    Raises:
        images.ImageError: if the file cannot be written.
    """
    titles, shown = ["grey"], [reduced(coloring.grey)]
    if original is not None:
        titles.append("original")
        shown.append(reduced(original))
    if tiles is None:
        tiles = [reduced(coloring.image(i)) for i in range(len(coloring))]
    ranks = getattr(coloring, "rank", range(len(coloring)))
    titles += [f"{rank:02d}   {_rating(coloring, i)}"
               for i, rank in enumerate(ranks)]
    shown += tiles
    height, width, _ = shown[0].shape
    columns = _columns(len(shown), width / height)
    rows = math.ceil(len(shown) / columns)
    title_pixels = 26
    figure = _blank(
        columns * (width + 8), rows * (height + title_pixels + 4))
    for i, (tile, title) in enumerate(zip(shown, titles)):
        row, column = divmod(i, columns)
        axes = _place(figure, tile, column * (width + 8) + 4,
                      row * (height + title_pixels + 4) + title_pixels)
        axes.set_title(title, fontsize=_FONT_SIZE, pad=3)
    charts.save(figure, path)


def _rating(coloring, index):
    if coloring.share is None:
        return f"log p = {coloring.log_prob[index]:.1f}"
    share = coloring.share[index]
    percent = int(100 * share + 0.5)  # rounds halves up, like the gallery
    return f"{percent} %" if percent or not share else "<1 %"


def reduced(pixels: np.ndarray) -> np.ndarray:
    """Reduces a picture to at most TILE_PIXELS on its longer side."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((TILE_PIXELS, TILE_PIXELS), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def table(rows: ArrayLike, columns: Sequence[str], headings: Sequence[str],
          captions: Sequence[Sequence[str]] | None = None) -> Figure:
    """Makes a figure of small pictures in rows and columns.

    Args:
        rows: uint8 [R, C, H, W, 3]. Small pictures are enlarged to about
            `CELL_PIXELS`, by a whole number.
        columns: C strs. Titles above the columns.
        headings: R strs. Titles above the rows, from the left.
        captions: R sequences of C strs for below the pictures, or None.
            Defaults to None.

    Returns:
        `matplotlib.figure.Figure`, for `save`.
    """
    rows = np.asarray(rows)
    factor = max(1, round(CELL_PIXELS / max(rows.shape[2:4])))
    height, width = (factor * size for size in rows.shape[2:4])
    gap, margin = 4, 8
    first = margin + _LINE + gap
    row_pixels = _LINE + height + (_LINE if captions else 0) + margin
    figure = _blank(2 * margin + len(columns) * (width + gap) - gap,
                    first + len(headings) * row_pixels)
    for i, heading in enumerate(headings):
        top = first + i * row_pixels
        _write(figure, heading, margin, top, "left", weight="bold")
        for j, column in enumerate(columns):
            left = margin + j * (width + gap)
            _place(figure, _enlarged(rows[i, j], factor), left, top + _LINE)
            if i == 0:
                _write(figure, column, left + width / 2, margin, "center")
            if captions:
                _write(figure, captions[i][j], left + width / 2,
                       top + _LINE + height, "center")
    return figure


def _enlarged(pixels, factor):
    """Enlarges a picture by `factor` on each side."""
    from PIL import Image

    height, width, _ = pixels.shape
    return np.asarray(Image.fromarray(pixels).resize(
        (factor * width, factor * height), Image.Resampling.BICUBIC))


def _columns(count, aspect):
    """Columns for a sheet of about 3:2 with few empty places."""
    ideal = math.sqrt(count * 1.5 / aspect)
    # Prefer the wider of equally good sheets, because screens are wide.
    return min(range(count, 0, -1),
               key=lambda columns: abs(columns - ideal) + -count % columns)


def _blank(width, height):
    """Makes an empty figure, with its size in pixels."""
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def _place(figure, tile, left, top):
    """Shows a tile at a position in pixels; returns its axes."""
    height, width, _ = tile.shape
    total_width, total_height = figure.get_size_inches() * figure.dpi
    # Exact pixel boxes, because matplotlib's layouts would resample.
    axes = figure.add_axes([
        left / total_width, 1 - (top + height) / total_height,
        width / total_width, height / total_height])
    axes.imshow(tile, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    return axes


def _write(figure, text, x, top, side, **style):
    """Writes a line of text, `_LINE` pixels high, below `top`."""
    total_width, total_height = figure.get_size_inches() * figure.dpi
    figure.text(x / total_width, 1 - (top + _LINE / 2) / total_height, text,
                ha=side, va="center_baseline", fontsize=_FONT_SIZE, **style)
