"""Chooses and writes the figures of `tfdivcolor evaluate --plots`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.evaluation import figures, measurement, metrics, pictures
from tfdivcolor.plots import training_curves

if TYPE_CHECKING:  # `bench` imports this module
    from tfdivcolor.evaluation.bench import Bench

SHEET_ROWS = 4  # pictures on each sheet: best, median, worst


def draw(folder: Path, colorizer: Colorizer, bench: Bench,
         history: list[dict] | None) -> None:
    """Writes the figures of an evaluation.

    Args:
        folder: pathlib.Path of the folder.
        colorizer: `Colorizer` under evaluation.
        bench: `Bench`, after measuring; its first row is the Colorizer's.
        history: list of dicts as in `training_curves`, or None.
    """
    label = next(iter(bench.rows))
    errors = {name: measured[0].errors
              for name, measured in bench.rows.items()
              if measured[0].errors is not None
              and measured[0].errors.shape[1] == 8}
    figures.error_by_rank(
        {name: row for name, row in errors.items() if "copies" not in name},
        folder / "error_by_rank.png")
    subset = measurement.in_subset(
        0, len(bench.photos), len(bench.photos), bench.subset_size)
    figures.error_against_k(
        {name: measured[0].errors_of_100
         for name, measured in bench.rows.items()
         if measured[0].errors_of_100 is not None},
        {name: measured[0].errors[subset, 0].mean()
         for name, measured in bench.rows.items()
         if measured[0].errors is not None
         and measured[0].errors.shape[1] == 1},
        folder / "error_against_k.png")
    order = np.argsort(errors[label].min(axis=1), kind="stable")
    middle = (len(order) - SHEET_ROWS) // 2
    for name, chosen in (
            ("best", order[:SHEET_ROWS]),
            ("median", order[max(middle, 0):][:SHEET_ROWS]),
            ("worst", order[::-1][:SHEET_ROWS])):
        _sheet(folder / f"sheet_{name}.png", colorizer, bench, chosen)
    weights = [tf.nn.softmax(
        colorizer.mdn(pictures.shrunk(
            batch["luminance"], colorizer.luminance_size)
        )["mixture_logits"]).numpy()
        for batch in bench.photos.batches(
            measurement.BATCH, shuffle=False, drop_remainder=False)]
    figures.mixture_weights(
        np.concatenate(weights), folder / "mixture_weights.png")
    middle, _ = _pictures(bench.photos, order[[len(order) // 2]])
    figures.latent_walk(
        colorizer, pictures.shrunk(middle, colorizer.luminance_size),
        folder / "latent_walk.png")
    if history:
        training_curves.training_curves(history, folder / "training.png")


def _sheet(path, colorizer, bench, chosen):
    """Writes a sheet of pictures with their results."""
    luminance, ab = _pictures(bench.photos, chosen)
    results = colorizer.sample(
        pictures.shrunk(luminance, colorizer.luminance_size), 8,
        bench.seeds[0], bench.temperature)["ab"].numpy()
    errors = metrics.errors_by_result(
        color.normalize_ab(results), color.normalize_ab(ab))
    captions = [[bench.photos.names[i].rpartition("/")[2],
                 *(f"{error:.3f}" for error in row)]
                for i, row in zip(chosen, errors)]
    figures.picture_sheet(
        pictures.shrunk(luminance, colorizer.canvas), ab, results, captions,
        path)


def _pictures(photos, chosen):
    """Luminance [R, s, s, 1] and ab [R, c, c, 2] of some pictures."""
    batch, = pictures.rows_of(photos, chosen).batches(
        len(chosen), shuffle=False)
    return batch["luminance"], batch["ab"]
