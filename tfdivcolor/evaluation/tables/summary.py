"""The metrics in the tables, and their means over pictures."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from tfdivcolor.evaluation.measurement import Measured

# Heading and meaning of each metric.
METRICS = {
    "reconstruction": ("recon", "MAE of the autoencoder's reconstruction"),
    "reconstruction_rmse": ("rmse", "RMSE of the reconstruction"),
    "reconstruction_weighted": (
        "weighted", "MAE of the reconstruction, rare colours weighted more"),
    "one": ("one", "MAE of the first result"),
    "best_of_5": ("best 5", "MAE of the best of the first 5"),
    "best_of_8": ("best 8", "MAE of the best of 8"),
    "best_of_100": ("best 100", "MAE of the best of 100"),
    "pixel_of_5": (
        "pixel 5", "MAE, the best of 5 chosen at every pixel and channel"),
    "pixel_of_8": ("pixel 8", "the same for 8"),
    "pixel_of_100": ("pixel 100", "the same for 100"),
    "rgb_of_8": (
        "RGB 8", "RMSE x 100 of RGB, best of 8 at every pixel and channel"),
    "variance": ("variance", "population variance of the 8"),
    "ms_ssim": (
        "MS-SSIM", "likeness of pairs of results; lower is more diverse"),
    "chroma": ("chroma", "mean chroma of the 8"),
    "chroma_first": ("first", "mean chroma of the first result"),
    "colourfulness": ("M3", "colourfulness (Hasler and Suesstrunk) of the 8"),
    "colourfulness_first": ("M3 first", "the same for the first result"),
    "share": ("share", "promised share of the first result"),
    "share_kept": (
        "nearest", "part of the pictures in which the first is the nearest"),
    "seconds": (
        "seconds",
        "wall time to sample 8 results for one picture, without files"),
    "auc": ("AUC", "two-sample test: how well a network separates results "
            "from truth; .5 is perfect"),
    "auc_coarse": ("AUC 4x4", "the same for means of 4x4 pixels, without the "
                   "grain of photographs"),
    "histogram": ("histogram", "distance between the ab histograms of "
                  "results and truth"),
    "field_nll": ("field NLL", "-log p(colours | grey), nats per ab value; "
                  "an upper bound from 64 draws for models with a latent"),
    "nll": ("z NLL", "-log P(z | grey), nats per latent dimension; compare "
            "it only between versions of one model"),
}


class Cell(TypedDict):
    """One method's value of one metric.

    Attributes:
        mean: float. Mean over pictures and seeds.
        standard_error: float. Standard error over pictures; None for a single
            number.
        spread: float. Standard deviation of the means over seeds; None for
            one seed.
        pictures: int. Number of pictures.
    """

    mean: float
    standard_error: float | None
    spread: float | None
    pictures: int


def summarize(measured: Sequence[Measured]) -> dict[str, Cell]:
    """Means, standard errors and spread over seeds of one row.

    Args:
        measured: list of `Measured`, one per seed.

    Returns:
        dict from a name in `METRICS` to `Cell`.
    """
    summary: dict[str, Cell] = {}
    for name in METRICS:
        rows = [one.values[name] for one in measured if name in one.values]
        if not rows:
            continue
        summary[name] = cell_of(rows)
    return summary


def cell_of(rows: Sequence[np.ndarray]) -> Cell:
    """Mean, standard error and spread of one metric.

    Args:
        rows: list of float [n], one per seed, with one number per picture.

    Returns:
        `Cell`.
    """
    by_picture = np.mean(rows, axis=0)
    count = len(by_picture)
    means = [row.mean() for row in rows]
    standard_error = spread = None
    if count > 1:
        standard_error = float(by_picture.std(ddof=1) / np.sqrt(count))
    if len(means) > 1:
        spread = float(np.std(means, ddof=1))
    return {"mean": float(by_picture.mean()),
            "standard_error": standard_error, "spread": spread,
            "pictures": count}
