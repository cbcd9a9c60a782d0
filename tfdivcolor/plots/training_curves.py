"""Training curves: the loss terms of a run against its steps."""

import itertools
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from tfdivcolor.plots import charts

_START = 0.05  # part of a stage whose training terms do not scale the axes
_UNITS = {"l2": "(ab / 128)\N{SUPERSCRIPT TWO}",
          "gradient": "(ab / 128)\N{SUPERSCRIPT TWO}", "mae": "ab / 128",
          "l1": "ab / 128", "energy": "ab / 128",
          "kl": "nats", "mdn_nll": "nats", "mdn_nearest_loss": "nats"}
_KINDS = {
    "train": {"label": "training", "color": charts.COLORS[5], "linewidth": 1},
    "validation": {"label": "validation", "color": charts.COLORS[1],
                   "linewidth": 1.5, "marker": "o", "markersize": 3},
}
_NOT_DRAWN = {"time", "stage", "kind", "step", "gradient_norm",
              "parameter_norm", "pictures_per_second"}


def training_curves(history: Iterable[Mapping[str, Any]],
                    path: str | os.PathLike) -> None:
    """Writes the loss terms of a training run against its steps.

    There is one panel per term, and one for the learning rate. Stages follow
    each other on the axis, separated by lines.  Training terms in the first
    twentieth of a stage are steep and high, and do not scale the panels.  If a
    resumed run logged a value twice, the later one counts.

    Args:
        history: list of dicts, the lines of a run's `log.jsonl`: stage: str,
            kind: "train" or "validation", step: int within the stage, and
            values.
        path: str or path of the PNG file.

    Raises:
        ValueError: if there are no such records or values.
        images.ImageError: if the file cannot be written.
    """
    lengths, series = _series(history)
    ends = dict(zip(lengths, np.cumsum([*lengths.values()])))
    # The minimised sum comes first, the learning rate last.
    names = sorted(series, key=lambda name: (
        name == "learning_rate", name != "loss"))
    columns = min(3, len(names))
    figure, panels = charts.panels(
        -(-len(names) // columns), columns, height=2.6)
    for axes, name in itertools.zip_longest(panels.flat, names):
        if name is None:
            axes.remove()
            continue
        settled = []
        for (stage, kind), values in series[name].items():
            steps = np.array(sorted(values))
            heights = np.array([values[step] for step in sorted(values)])
            axes.plot(ends[stage] - lengths[stage] + steps, heights,
                      **_KINDS[kind])
            start = _START * lengths[stage] if kind == "train" else 0
            settled.extend(heights[steps >= start])
        if settled and name != "learning_rate":
            low, high = min(settled), max(settled)
            margin = 0.05 * (high - low) or 0.05
            axes.set_ylim(low - margin, high + margin)
        _label_steps(axes, name, ends)
    charts.legend(figure, *panels.flat[:len(names)])
    charts.save(figure, path)


def _series(history):
    """Groups records by name, stage and kind.

    Returns:
        lengths: dict from a stage to its largest step.
        series: dict from a name to a dict from (stage, kind) to a dict from
            step to value; later records replace earlier ones.
    """
    lengths, series = {}, {}
    for record in history:
        if (not {"stage", "kind", "step"} <= record.keys()
                or record["kind"] not in _KINDS):
            raise ValueError(
                "history must hold records with stage, kind (train or "
                f"validation) and step (received {record})")
        stage, kind, step = (record[key] for key in ("stage", "kind", "step"))
        lengths[stage] = max(step, lengths.get(stage, 0))
        for name, value in record.items():
            if name not in _NOT_DRAWN:
                series.setdefault(name, {}).setdefault(
                    (stage, kind), {})[step] = value
    if not series:
        raise ValueError("history must hold records of a training run "
                         "(received no values)")
    return lengths, series


def _label_steps(axes, name, ends):
    unit = f", {_UNITS[name]}" if name in _UNITS else ""
    axes.set_title(name.replace("_", " ") + unit, fontsize=9, loc="left")
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_xlim(0, 1.01 * max(ends.values()))
    if len(ends) > 1:
        for stage, end in ends.items():
            axes.axvline(end, zorder=1, **charts.QUIET)
            # At the end of a stage, where losses and learning rates are low.
            axes.annotate(
                stage, (end, 1), (-3, -3), xycoords=("data", "axes fraction"),
                textcoords="offset points", ha="right", va="top", fontsize=8,
                color=charts.QUIET["color"])
