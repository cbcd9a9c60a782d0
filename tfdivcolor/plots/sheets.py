"""Pictures for looking at results, and what all figures share.

Figures are matplotlib's Agg ones, without pyplot and its global state.
"""

import io
import itertools
import math

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfdivcolor.utils import files

TILE_PIXELS = 480  # longer side of a picture on a contact sheet
CELL_PIXELS = 128  # about the side of a picture in a table

# Pixels an inch of sheets; a power of two, so that sizes in whole pixels
# survive the way through inches.
_DPI = 128
_FONT_SIZE = 7  # points: letters of 12 pixels
_LINE = 20  # pixels of a line of text

# Words that give a method its colour and marker in every figure.
METHODS = ("samples", "components", "cvae", "cgan", "regression",
           "neighbours")
# Okabe and Ito (2008): they differ for colour-blind eyes too. Without the
# yellow, which white paper swallows.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
          "#000000")
_MARKERS = "os^DvPX"
QUIET = {"color": "#767676", "linestyle": "--", "linewidth": 1}


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


def contact_sheet(coloring, path, original=None, tiles=None):
    """Writes a sheet of a photograph and its colourings.

    The grey photograph comes first, then the results, most probable first,
    each with its rank and log-probability.

    Args:
        coloring: `Coloring`.
        path: str or path of the PNG file, written whole or not at all.
        original: uint8 [H, W, 3], the photograph in colour, to stand beside
            the grey one; or None.
        tiles: list of uint8 [h, w, 3], what `reduced` gave for each result;
            or None to make them here.

    Raises:
        images.ImageError: if the file cannot be written.
    """
    shown = [("grey", reduced(coloring.grey))]
    if original is not None:
        shown.append(("original", reduced(original)))
    if tiles is None:
        tiles = (reduced(coloring.image(i)) for i in range(len(coloring)))
    shown += [(f"{i:02d}   log p = {log_prob:.1f}", tile)
              for i, (log_prob, tile) in enumerate(
                  zip(coloring.log_prob, tiles))]
    titles, tiles = zip(*shown)
    height, width, _ = tiles[0].shape
    columns = _columns(len(tiles), width / height)
    rows = math.ceil(len(tiles) / columns)
    title_pixels = 26
    figure = _blank(
        columns * (width + 8), rows * (height + title_pixels + 4))
    for i, (tile, title) in enumerate(zip(tiles, titles)):
        row, column = divmod(i, columns)
        axes = _place(figure, tile, column * (width + 8) + 4,
                      row * (height + title_pixels + 4) + title_pixels)
        axes.set_title(title, fontsize=_FONT_SIZE, pad=3)
    save(figure, path)


def reduced(pixels):
    """A picture as a sheet shows it: at most TILE_PIXELS a side."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((TILE_PIXELS, TILE_PIXELS), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def table(rows, columns, headings, captions=None):
    """A figure of small pictures in rows and columns.

    Args:
        rows: uint8 [R, C, H, W, 3]. Small ones are enlarged, by a whole
            number, to about `CELL_PIXELS`.
        columns: C strs. Titles above the columns.
        headings: R strs. Above the rows, from the left.
        captions: R sequences of C strs, below the pictures; or None.

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


def panels(rows, columns, width=4.4, height=3.6):
    """A figure of charts.

    Args:
        rows, columns: int. Number of charts.
        width, height: float. Inches of one.

    Returns:
        `matplotlib.figure.Figure` for `save`, and its axes, an array
            [rows, columns].
    """
    figure = Figure(figsize=(columns * width, rows * height), dpi=150,
                    layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.06)
    FigureCanvasAgg(figure)
    charts = figure.subplots(rows, columns, squeeze=False)
    for axes in charts.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e4e4e4", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=8)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set_size(9)
    return figure, charts


def styles(labels):
    """Colours and markers of methods, the same ones in every figure.

    Args:
        labels: iterable of str. A label with a word of `METHODS` in it, such
            as "lfw, samples", has that word's style, the first one that it
            is in; of the others the first one has the first colour, and the
            rest dashed lines in their order.

    Returns:
        dict from label to keyword arguments of `Axes.plot`.
    """
    index, others = {}, itertools.chain(
        [0], itertools.count(len(METHODS) + 1))
    for label in labels:
        known = (i for i, word in enumerate(METHODS, 1)
                 if word in label.lower() and i not in index.values())
        index[label] = next(known, None) or next(others)
    return {label: _style(i) for label, i in index.items()}


def _style(index):
    around, color = divmod(index, len(COLORS))
    return {"color": COLORS[color],
            "marker": _MARKERS[(color + around) % len(_MARKERS)],
            "linestyle": ("-", "--", ":")[around % 3],
            "linewidth": 1.5, "markersize": 4.5}


def legend(figure, *charts):
    """Names the lines of some axes above all of them, each name once."""
    named = {}
    for axes in charts:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            named.setdefault(label, handle)
    figure.legend(named.values(), named, fontsize=8, frameon=False,
                  ncols=int(figure.get_figwidth() / 1.5),
                  loc="outside upper left")


def save(figure, path):
    """Writes a figure as a PNG file: the same figure, the same bytes.

    Args:
        figure: `matplotlib.figure.Figure`.
        path: str or path. Written whole or not at all.

    Raises:
        images.ImageError: if the file cannot be written.
    """
    buffer = io.BytesIO()
    # No software or date in the file.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    files.write_atomically(path, buffer.getvalue())


def _enlarged(pixels, factor):
    """A picture `factor` times as large a side."""
    from PIL import Image

    height, width, _ = pixels.shape
    return np.asarray(Image.fromarray(pixels).resize(
        (factor * width, factor * height), Image.Resampling.BICUBIC))


def _columns(count, aspect):
    """Columns of a sheet that is about 3:2 and has few empty places."""
    ideal = math.sqrt(count * 1.5 / aspect)
    # Of equally good ones the wider: screens are.
    return min(range(count, 0, -1),
               key=lambda columns: abs(columns - ideal) + -count % columns)


def _blank(width, height):
    """An empty figure of so many pixels."""
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    FigureCanvasAgg(figure)
    return figure


def _place(figure, tile, left, top):
    """Shows a tile at pixels from the top left; returns its axes."""
    height, width, _ = tile.shape
    total_width, total_height = figure.get_size_inches() * figure.dpi
    # Exact pixel boxes: matplotlib's own layouts would resample.
    axes = figure.add_axes([
        left / total_width, 1 - (top + height) / total_height,
        width / total_width, height / total_height])
    axes.imshow(tile, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    return axes


def _write(figure, text, x, top, side, **style):
    """Writes a line of text, `_LINE` pixels from `top` downwards."""
    total_width, total_height = figure.get_size_inches() * figure.dpi
    figure.text(x / total_width, 1 - (top + _LINE / 2) / total_height, text,
                ha=side, va="center_baseline", fontsize=_FONT_SIZE, **style)
