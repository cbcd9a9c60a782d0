"""The table that the `evaluate` command prints, and the numbers in it."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from tfdivcolor.evaluation.measurement import METRICS, Measured

# The table is wide; it is printed as blocks of columns that belong together.
BLOCKS = {
    "Error of the results, ab / 128": (
        "one", "best_of_5", "best_of_8", "best_of_100", "pixel_of_5",
        "pixel_of_8", "pixel_of_100", "rgb_of_8"),
    "Diversity, colour, likeness to photographs": (
        "variance", "ms_ssim", "chroma", "chroma_first", "colourfulness",
        "auc", "auc_coarse", "histogram"),
    "Autoencoder and likelihood": (
        "reconstruction", "reconstruction_rmse", "reconstruction_weighted",
        "field_nll", "nll"),
}

PUBLISHED = """\
Published for LFW (Deshpande et al. 2017, table 2):
                     error of best    variance
CVAE                          .031     .00010
cGAN                          .047     .0000084
VAE + MDN                     .030     .0011
VAE + MDN, skip               .031     .00044
The paper does not say how many samples entered, in which norm and unit, or
whether the best was taken by picture or by pixel, and its 1,000 test pictures
are others: these numbers and the table's cannot be compared."""


class Cell(TypedDict):
    """One method's value of one metric.

    Attributes:
        mean: float. Over pictures and seeds.
        standard_error: float. Over pictures; None for one number.
        spread: float. Standard deviation of the means over seeds; None for
            one seed.
        pictures: int. How many there were.
    """

    mean: float
    standard_error: float | None
    spread: float | None
    pictures: int


def summarize(measured: Sequence[Measured]) -> dict[str, Cell]:
    """Means, standard errors and spread over seeds of one row.

    Args:
        measured: list of `Measured`, one a seed.

    Returns:
        dict from a name in `METRICS` to `Cell`.
    """
    summary: dict[str, Cell] = {}
    for name in METRICS:
        rows = [one.values[name] for one in measured if name in one.values]
        if not rows:
            continue
        by_picture = np.mean(rows, axis=0)
        count = len(by_picture)
        means = [row.mean() for row in rows]
        standard_error = spread = None
        if count > 1:
            standard_error = float(by_picture.std(ddof=1) / np.sqrt(count))
        if len(means) > 1:
            spread = float(np.std(means, ddof=1))
        summary[name] = {
            "mean": float(by_picture.mean()),
            "standard_error": standard_error, "spread": spread,
            "pictures": count}
    return summary


def table(summary: dict[str, dict[str, Cell]], *, pictures: int,
          temperature: float, seeds: Sequence[int], subset_size: int,
          has_train: bool, has_rivals: bool) -> str:
    """The summary as text.

    Args:
        summary: dict from a row's label to `summarize`'s dict.
        pictures: int. How many were measured.
        temperature: float. Of the results.
        seeds: ints. Of the results.
        subset_size: int. Pictures for the columns of 100 results and the
            field likelihood.
        has_train: bool. Whether there were training pictures.
        has_rivals: bool. Whether there were baselines.

    Returns:
        str of many lines, the last one without its end.
    """
    lines = [
        f"{pictures:,} pictures; temperature {temperature}; seeds "
        f"{', '.join(map(str, seeds))}",
        f"Columns of 100 results and field NLL: {subset_size:,} "
        "pictures at even distances; these and AUC: the first seed"]
    width = max(map(len, summary))
    for title, names in BLOCKS.items():
        lines += ["", title, ""]
        lines.append(" " * width + "".join(
            f"{METRICS[name][0]:>11}" for name in names))
        for label, row in summary.items():
            if any(name in row for name in names):
                lines.append(f"{label:{width}}" + "".join(
                    _cell(row.get(name)) for name in names))
            if any(row[name]["spread"] for name in names if name in row):
                lines.append(f"{'  +- over seeds':{width}}" + "".join(
                    _spread(row.get(name)) for name in names))
    lines += ["", *(f"{heading:10} {meaning}"
                    for heading, meaning in METRICS.values()), ""]
    if not has_train:
        lines.append("floors from training pictures, weighted errors: not "
                     "run (--train-data PATH)")
    if not has_rivals:
        lines.append("baselines: not run (--baselines DIR)")
    return "\n".join([*lines, PUBLISHED])


def _cell(value):
    if value is None:
        return f"{'-':>11}"
    return f"{value['mean']:11.5f}"


def _spread(value):
    if value is None or value["spread"] is None:
        return f"{'':11}"
    return f"{value['spread']:11.5f}"
