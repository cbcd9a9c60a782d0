"""`tfdivcolor evaluate`: how good a Colorizer's results are, as one table.

All rows come from one run on the same pictures, at the canvas's size, in
ab / 128.  One default call with 8 results gives the rows "one" (its first),
"best of 5" (its first five), "best of 8", variance and chroma; one call with
100 on a stated number of pictures gives "best of 100".
"""

import hashlib
import json
from collections import defaultdict
from dataclasses import asdict

import numpy as np
from tqdm import tqdm

from tfdivcolor import (
    color,
    data,
    images,
    losses,
    metrics,
    presets,
    storage,
)
from tfdivcolor.settings import DEFAULTS

BATCH = 16
HUNDRED_PICTURES = 200  # of them "best of 100" is measured, unless fewer

# The table's rows, in order, and what they mean.
ROWS = {
    "reconstruction": "MAE of the VAE's reconstruction",
    "reconstruction_rmse": "RMSE of the VAE's reconstruction",
    "one": "MAE of the first result",
    "best_of_5": "MAE of the best of 5",
    "best_of_8": "MAE of the best of 8",
    "best_of_100": "MAE of the best of 100",
    "best_pixel_of_8": "MAE, the best of 8 at every pixel",
    "grey": "MAE of no colour at all",
    "variance": "variance over the 8",
    "chroma": "mean chroma of the 8",
    "chroma_first": "mean chroma of the first result",
    "chroma_truth": "mean chroma of the truth",
    "nll": "-log P(z | grey), nats per latent dimension",
}


def evaluate(colorizer, photos, seed=DEFAULTS.seed,
             temperature=DEFAULTS.temperature, mode=DEFAULTS.mode,
             progress=True):
    """Measures a Colorizer on pictures with known colours.

    Args:
        colorizer: `Colorizer`.
        photos: `PhotoSet`, with margin 0.
        seed, temperature, mode: as in `Colorizer.sample`.
        progress: bool. Whether to show a progress bar.

    Returns:
        dict from a name in `ROWS` to float64 [N], one number a picture
        ("best_of_100": of the first `HUNDRED_PICTURES`).
    """
    values = defaultdict(list)
    done = 0
    with tqdm(total=len(photos), unit="picture", disable=not progress,
              desc="evaluating") as bar:
        for batch in photos.batches(BATCH, shuffle=False,
                                    drop_remainder=False):
            rows = _batch_rows(colorizer, batch, seed, temperature, mode)
            # "components" has no hundred.
            if done < HUNDRED_PICTURES and mode != "components":
                rows["best_of_100"] = _best_of_100(
                    colorizer, batch, seed, temperature, mode)
            for name, row in rows.items():
                values[name].append(row)
            done += len(rows["one"])
            bar.update(len(rows["one"]))
    return {name: np.concatenate(values[name])
            for name in ROWS if name in values}


def _batch_rows(colorizer, batch, seed, temperature, mode):
    luminance, ab = batch["luminance"], batch["ab"]
    truth = color.normalize_ab(ab).numpy()
    outputs = colorizer(batch)
    error = color.normalize_ab(outputs["ab_hat"]).numpy() - truth
    drawn = colorizer.sample(luminance, 8, seed, temperature, mode)
    samples = color.normalize_ab(drawn["ab"]).numpy()
    return {
        "reconstruction": np.abs(error).mean(axis=(1, 2, 3)),
        "reconstruction_rmse": np.sqrt(
            np.square(error).mean(axis=(1, 2, 3))),
        "one": metrics.error_of_best(samples, truth, 1),
        "best_of_5": metrics.error_of_best(samples, truth, 5),
        "best_of_8": metrics.error_of_best(samples, truth, 8),
        "best_pixel_of_8": metrics.error_of_best_pixel(samples, truth, 8),
        "variance": metrics.variance(samples),
        "chroma": metrics.chroma(samples),
        "chroma_first": metrics.chroma(samples[:, 0]),
        "chroma_truth": metrics.chroma(truth),
        "grey": np.abs(truth).mean(axis=(1, 2, 3)),
        "nll": (losses.mdn_nll(outputs["params"], outputs["z"]).numpy()
                / colorizer.latent_dim),
    }


def _best_of_100(colorizer, batch, seed, temperature, mode):
    """A few pictures at a time: a hundred fields each are many."""
    errors = []
    for start in range(0, len(batch["luminance"]), 4):
        part = slice(start, start + 4)
        drawn = colorizer.sample(
            batch["luminance"][part], 100, seed, temperature, mode)
        truth = color.normalize_ab(batch["ab"][part]).numpy()
        samples = color.normalize_ab(drawn["ab"]).numpy()
        errors.append(metrics.error_of_best(samples, truth, 100))
    return np.concatenate(errors)


def summarize(values):
    """Means and standard errors of the mean.

    Args:
        values: what `evaluate` returned.

    Returns:
        dict from a row's name to dict of mean, standard_error, pictures.
    """
    return {name: {"mean": float(row.mean()),
                   "standard_error": float(
                       row.std(ddof=1) / np.sqrt(len(row)))
                   if len(row) > 1 else None,
                   "pictures": len(row)}
            for name, row in values.items()}


def table(summary):
    """The summary as lines of text."""
    width = max(len(ROWS[name]) for name in summary)
    lines = [f"{'ab / 128':{width}}    mean     s.e.  pictures"]
    for name, row in summary.items():
        error = row["standard_error"]
        error = "       -" if error is None else f"{error:8.5f}"
        lines.append(f"{ROWS[name]:{width}} {row['mean']:8.5f} {error}"
                     f" {row['pictures']:9,d}")
    return "\n".join(lines)


def run(path, weights="lfw", subset=None, limit=None, sampling=DEFAULTS,
        json_path=None):
    """The `evaluate` command.

    Args:
        path: str. Folder, archive, TFRecord pattern or prepared folder.
        weights: str or path. Shipped name or folder.
        subset: "train", "validation" or None for all pictures.
        limit: int or None. Only so many pictures.
        sampling: `settings.Sampling`; num_samples does not enter.
        json_path: str or None. File for summary, settings and file list.

    Returns:
        str, the table.

    Raises:
        ValueError: if the data, the weights or a setting are wrong.
    """
    folder = presets.find(weights)
    colorizer = presets.load(folder)
    photos = data.load(
        path, canvas=colorizer.canvas, subset=subset, limit=limit)
    summary = summarize(evaluate(
        colorizer, photos, sampling.seed, sampling.temperature,
        sampling.mode))
    if json_path:
        names = "\n".join(photos.names)
        images.write_atomically(json_path, (json.dumps({
            "summary": summary,
            "settings": {**asdict(sampling), "num_samples": [8, 100],
                         "subset": subset, "limit": limit},
            "weights": {"name": folder.resolve().name,
                        "sha256": storage.describe(folder)["sha256"]},
            "versions": storage.versions(),
            "files_sha256": hashlib.sha256(names.encode()).hexdigest(),
            "files": photos.names,
            "skipped": [tuple(item) for item in photos.skipped],
        }, indent=1) + "\n").encode())
    return table(summary)
