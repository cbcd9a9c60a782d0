"""Shared parts of charts: panels, styles, legends and saving.

Figures use matplotlib's Agg canvas, without pyplot and its global state.
"""

import io
import itertools
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tfdivcolor.utils import files

# Words that determine a method's colour and marker in every figure.
METHODS = ("samples", "components", "cvae", "cgan", "regression",
           "neighbours")
# Okabe and Ito (2008): distinct for colour-blind eyes too. Without their
# yellow, which is hard to see on white.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9",
          "#000000")
_MARKERS = "os^DvPX"
QUIET = {"color": "#767676", "linestyle": "--", "linewidth": 1}


def panels(rows: int, columns: int, width: float = 4.4,
           height: float = 3.6) -> tuple[Figure, np.ndarray]:
    """Makes a figure of charts.

    Args:
        rows, columns: int. Number of charts.
        width, height: float. Size of one chart in inches. Default to 4.4 and
            3.6.

    Returns:
        `matplotlib.figure.Figure` for `save`, and its axes, an array
            [rows, columns].
    """
    figure = Figure(figsize=(columns * width, rows * height), dpi=150,
                    layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.06))
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


def styles(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Chooses colours and markers of methods, the same in every figure.

    Args:
        labels: iterable of str. A label that contains a word of `METHODS`,
            such as "lfw, samples", has the style of that word, if it is the
            first such label. Of the others, the first has the first colour,
            and the rest have dashed lines, in order.

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


def legend(figure: Figure, *charts: Axes) -> None:
    """Adds a legend of the lines of some axes, with each name once."""
    named = {}
    for axes in charts:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            named.setdefault(label, handle)
    figure.legend(named.values(), named, fontsize=8, frameon=False,
                  ncols=int(figure.get_figwidth() / 1.5),
                  loc="outside upper left")


def save(figure: Figure, path: str | os.PathLike) -> None:
    """Writes a figure as a PNG file. Equal figures give equal bytes.

    Args:
        figure: `matplotlib.figure.Figure`.
        path: str or path. Written completely or not at all.

    Raises:
        images.ImageError: if the file cannot be written.
    """
    buffer = io.BytesIO()
    # Without software and date, which would change the bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    files.write_atomically(path, buffer.getvalue())
