"""Draws the figures of `tfdivcolor evaluate --plots`.

Every function writes one PNG file, completely or not at all. The same call
gives the same bytes.  `errors` in docstrings are mean absolute errors, ab /
128:

    dict from a method's name to float [N, S], N pictures, S results in order
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from matplotlib import colormaps
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullLocator,
    PercentFormatter,
)
from numpy.typing import ArrayLike

from tfdivcolor import color, plots
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.evaluation import pictures
from tfdivcolor.latent import plain_tensorflow
from tfdivcolor.models.base import check_canvas
from tfdivcolor.utils.types import Tensor

_ERROR_LABEL = "mean absolute error (ab / 128)"
_COUNTS = (1, 2, 5, 10, 20, 50, 100)  # results, on a logarithmic axis
_COUNT_FORMATTER = FuncFormatter(lambda x, _: f"{x:,.0f}")

_DRAWS = 1024  # draws of P(z | grey), for its principal directions
_STEPS = (-2, -1, 0, 1, 2)  # standard deviations


# --- Pictures --------------------------------------------------------------

def picture_sheet(
        luminance: ArrayLike, truth: ArrayLike, results: ArrayLike,
        captions: Sequence[Sequence[str]], path: str | os.PathLike) -> None:
    """Writes rows of pictures: grey, truth, and the results by rank.

    Args:
        luminance: float [R, c, c, 1], 0..100.
        truth: float [R, c, c, 2], CIE units.
        results: float [R, S, c, c, 2], CIE units, in their order.
        captions: R sequences of 1 + S strs: the heading of a row, and the
            texts under its results.
        path: str or path of the PNG file.

    Raises:
        ValueError: if the shapes do not match.
        images.ImageError: if the file cannot be written.
    """
    luminance, truth, results = map(np.asarray, (luminance, truth, results))
    if (results.ndim != 5 or not results.size or results.shape[-1] != 2
            or truth.shape != results[:, 0].shape
            or luminance.shape != truth[..., :1].shape):
        raise ValueError(
            "luminance, truth and results must have shapes [R, c, c, 1], "
            "[R, c, c, 2] and [R, S, c, c, 2] (received "
            f"{luminance.shape}, {truth.shape} and {results.shape})")
    rows, samples = results.shape[:2]
    lengths = [len(caption) for caption in captions]
    if lengths != [1 + samples] * rows:
        raise ValueError(
            f"captions must be {rows} sequences of {1 + samples} texts "
            f"(received sequences of {lengths})")
    fields = np.concatenate(
        [np.zeros_like(truth)[:, None], truth[:, None], results], axis=1)
    pixels = color.join(luminance[:, None], fields).numpy()
    columns = ["grey", "truth", *map(str, range(1, samples + 1))]
    plots.save(plots.table(
        pixels, columns, [caption[0] for caption in captions],
        [["", "", *caption[1:]] for caption in captions]), path)


def latent_walk(
        colorizer: Colorizer, luminance: Tensor, path: str | os.PathLike,
        num_directions: int = 4, seed: int = 0) -> None:
    """Writes a figure of the principal directions of P(z | grey).

    Each row is a direction: a principal component of draws, by how far it
    moves the colour field.  The columns are steps from the mean. A last column
    maps the change from the first to the last step (black: no change).

    Args:
        colorizer: `Colorizer`.
        luminance: float [s, s, 1] or [1, s, s, 1], 0..100, at the luminance
            size of the Colorizer.
        path: str or path of the PNG file.
        num_directions: int, 1 to D. Number of rows. Defaults to 4.
        seed: int. Seed of the draws. Defaults to 0.
    Raises:
        ValueError: if `luminance` or `num_directions` is wrong.
        images.ImageError: if the file cannot be written.
    """
    luminance = tf.convert_to_tensor(luminance, tf.float32)
    if luminance.shape.rank == 3:
        luminance = luminance[None]
    check_canvas("luminance", luminance, colorizer.luminance_size, 1)
    if len(luminance) != 1:
        raise ValueError("luminance must be one picture "
                         f"(received {len(luminance)})")
    if not 1 <= num_directions <= colorizer.latent_dim:
        raise ValueError(
            f"num_directions must be 1 to {colorizer.latent_dim}, the latent "
            f"dimensions (received {num_directions})")
    mean, steps, shares = _principal_directions(colorizer, luminance, seed)
    z = mean + np.multiply.outer(steps[:num_directions], _STEPS).swapaxes(1, 2)
    fields = colorizer.vae.decode(
        tf.constant(z.reshape(1, -1, z.shape[-1]), tf.float32), luminance)
    small = pictures.shrunk(luminance, colorizer.canvas)
    pixels = color.join(small[:, None], fields).numpy()
    pixels = pixels.reshape(*z.shape[:2], *pixels.shape[2:])
    fields = color.normalize_ab(fields).numpy().reshape(
        *z.shape[:2], *fields.shape[2:])
    change = np.linalg.norm(fields[:, -1] - fields[:, 0], axis=-1)
    # All rows share one scale, so that a reader can compare them.
    scaled = change / max(change.max(), 1e-6)
    maps = colormaps["magma"](scaled, bytes=True)[..., :3]
    columns = [f"{step:+d} sd".replace("-", "\N{MINUS SIGN}")
               if step else "mean" for step in _STEPS]
    headings = [
        f"direction {i + 1}: {share:.0%} of the variance, "
        f"change up to {most:.2f} (ab / 128)"
        for i, (share, most) in enumerate(zip(shares, change.max((1, 2))))]
    plots.save(plots.table(
        np.concatenate([pixels, maps[:, None]], axis=1),
        [*columns, "change"], headings), path)


def _principal_directions(colorizer, luminance, seed):
    """Principal components of P(z | grey), by their effect on colour fields.

    Returns:
        mean: [D]. Mean of the draws.
        steps: [D, D]. Row i is one standard deviation along direction i.
        shares: [D]. Parts of the variance, largest first.
    """
    grey = colorizer.vae.grey_encoder(color.normalize_luminance(luminance))
    # 1e-6: a region without pixels has no effect.
    scale = np.maximum(colorizer.vae.decoder.sensitivity(grey)[0], 1e-6)
    draws = plain_tensorflow.draw(
        colorizer.mdn(luminance), tf.constant([seed], tf.int64), _DRAWS,
        tf.constant(1.0))[0].numpy().astype(np.float64)
    mean = draws.mean(axis=0)
    _, sizes, directions = np.linalg.svd(
        (draws - mean) * scale, full_matrices=False)
    # The sign is arbitrary: the largest entry of each direction is positive.
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(np.take_along_axis(directions, largest[:, None], axis=1))
    deviations = sizes[:, None] / np.sqrt(_DRAWS - 1)
    steps = signs * deviations * directions / scale
    return mean, steps, sizes**2 / np.sum(sizes**2)


# --- Charts ----------------------------------------------------------------

def error_by_rank(errors: Mapping[str, ArrayLike],
                  path: str | os.PathLike) -> None:
    """Writes a figure of the error by rank.

    The left panel shows the mean error of each rank with its standard error.
    The right panel shows the share of pictures in which the rank is the best
    (equally good results divide a picture), and that of a random order.

    Args:
        errors: see the module.
        path: str or path of the PNG file.

    Raises:
        ValueError: if `errors` is empty or has another shape.
        images.ImageError: if the file cannot be written.
    """
    errors = _checked_errors(errors)
    figure, ((left, right),) = plots.panels(1, 2)
    styles = plots.styles(errors)
    # Offset, so that no error bar hides another.
    offsets = min(0.1, 0.6 / len(errors)) * (
        np.arange(len(errors)) - (len(errors) - 1) / 2)
    for offset, (label, values) in zip(offsets, errors.items()):
        best = values == values.min(axis=1, keepdims=True)
        best = best / best.sum(axis=1, keepdims=True)
        ranks = np.arange(1, values.shape[1] + 1) + offset
        for axes, rows in ((left, values), (right, best)):
            deviation = rows.std(axis=0, ddof=1 if len(rows) > 1 else 0)
            axes.errorbar(
                ranks, rows.mean(axis=0), deviation / np.sqrt(len(rows)),
                label=label, elinewidth=1, clip_on=False, **styles[label])
    for count in sorted({values.shape[1] for values in errors.values()}):
        right.plot([0.7, count + 0.3], [1 / count] * 2, zorder=1,
                   label="random order", **plots.QUIET)
    left.set_ylabel(_ERROR_LABEL)
    right.set_ylabel("pictures in which it is best")
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("rank of the result")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plots.legend(figure, left, right)
    plots.save(figure, path)


def error_against_k(
        errors: Mapping[str, ArrayLike], floors: Mapping[str, float],
        path: str | os.PathLike) -> None:
    """Writes a figure of the error by the number of results k.

    The error is the mean over pictures of the smallest error among the first k
    results.

    Args:
        errors: see the module.
        floors: dict from the name of a floor to its error, a float. Drawn as
            horizontal lines; may be empty.
        path: str or path of the PNG file.

    Raises:
        ValueError: if `errors` is empty or has another shape, or if a floor is
            not finite.
        images.ImageError: if the file cannot be written.
    """
    errors = _checked_errors(errors)
    for label, value in floors.items():
        if not np.isfinite(value):
            raise ValueError(
                f"floors[{label!r}] must be finite (received {value})")
    figure, ((axes,),) = plots.panels(1, 1, width=6.2, height=4.2)
    styles = plots.styles(errors)
    for label, values in errors.items():
        best = np.minimum.accumulate(values, axis=1).mean(axis=0)
        marked = {*(k - 1 for k in _COUNTS if k < len(best)), len(best) - 1}
        axes.plot(np.arange(1, len(best) + 1), best, label=label,
                  markevery=sorted(marked), **styles[label])
    for value in floors.values():
        axes.axhline(value, zorder=1, **plots.QUIET)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_COUNTS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(_COUNT_FORMATTER)
    largest = max(values.shape[1] for values in errors.values())
    axes.set_xlim(0.94, 1.06 * max(largest, 2))
    axes.set_xlabel("number of results k")
    axes.set_ylabel(f"best of k: {_ERROR_LABEL}")
    _label_floors(axes, floors)
    plots.legend(figure, axes)
    plots.save(figure, path)


def _label_floors(axes, floors):
    """Writes names and values next to the axes without overlaps."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)  # the labels must not change it
    names = sorted(floors, key=floors.get)
    steps = 0.05 * (high - low) * np.arange(len(names))
    below = np.array([floors[name] for name in names]) - steps
    # Labels too close are moved up, and down; the mean keeps them apart too.
    upwards = np.maximum.accumulate(below)
    downwards = np.minimum.accumulate(below[::-1])[::-1]
    for name, place in zip(names, (upwards + downwards) / 2 + steps):
        axes.text(1.015, place, f"{name}  {floors[name]:.3f}", fontsize=8,
                  color=plots.QUIET["color"], va="center",
                  transform=axes.get_yaxis_transform())


def share_calibration(
        together: Mapping[str, list[dict]],
        kinds: Mapping[str, Mapping[str, list[dict]]],
        path: str | os.PathLike) -> None:
    """Writes a figure of shares: how often results really come nearest.

    The left panel shows, by rank, the mean promised share and the part of the
    pictures in which that result came nearest, with its standard error. The
    right panel compares both for results of similar share, by kind.

    Args:
        together: `metrics.share_calibration` of all pictures.
        kinds: dict from the name of a kind to the same of its pictures.
        path: str or path of the PNG file.

    Raises:
        images.ImageError: if the file cannot be written.
    """
    figure, ((left, right),) = plots.panels(1, 2)
    ranks = together["ranks"]
    places = [row["rank"] for row in ranks]
    kept = np.array([row["kept"] for row in ranks])
    errors = np.sqrt(kept * (1 - kept) / [row["results"] for row in ranks])
    left.bar(places, [row["promised"] for row in ranks], color="#d5d5d5",
             label="promised share")
    left.errorbar(places, kept, errors, label="came nearest", elinewidth=1,
                  color=plots.COLORS[0], marker="o", markersize=4.5,
                  linestyle="none", clip_on=False)
    left.set_xlabel("rank of the result")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.set_ylabel("part of the pictures")
    right.plot([0, 1], [0, 1], zorder=1, label="as promised", **plots.QUIET)
    for label, style in plots.styles(kinds).items():
        bins = [row for row in kinds[label]["bins"] if row["results"]]
        right.plot([row["promised"] for row in bins],
                   [row["kept"] for row in bins], label=label, **style)
    right.set_xlabel("promised share")
    right.set_ylabel("part of the results that came nearest")
    for axis in (left.yaxis, right.xaxis, right.yaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))
    left.set_ylim(bottom=0)
    plots.legend(figure, left, right)
    plots.save(figure, path)


def mixture_weights(weights: ArrayLike, path: str | os.PathLike) -> None:
    """Writes a figure of how many components of the mixture are in use.

    The left panel shows the weights from the heaviest to the lightest: mean
    and middle 80 % of the pictures. The right panel shows the pictures by their
    effective number of components, exp(-sum_k w_k log w_k).

    Args:
        weights: float [N, K]. Mixture weights, 0 or more, with rows of sum 1.
        path: str or path of the PNG file.

    Raises:
        ValueError: if `weights` has another shape or wrong values.
        images.ImageError: if the file cannot be written.
    """
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or not weights.size:
        raise ValueError(
            f"weights must have shape [N, K] (received {weights.shape})")
    sums = weights.sum(axis=1)
    if not (weights >= 0).all() or np.abs(sums - 1).max() > 1e-3:
        raise ValueError(
            "weights must be 0 or more, with rows of sum 1 (received "
            f"values from {weights.min():.3g}, sums {sums.min():.3g} to "
            f"{sums.max():.3g})")
    count = weights.shape[1]
    ordered = -np.sort(-weights, axis=1)
    ranks = np.arange(1, count + 1)
    figure, ((left, right),) = plots.panels(1, 2)
    left.fill_between(ranks, *np.quantile(ordered, [0.1, 0.9], axis=0),
                      color=plots.COLORS[0], alpha=0.2, linewidth=0,
                      label="middle 80% of pictures")
    left.plot(ranks, ordered.mean(axis=0), label="mean", color=plots.COLORS[0],
              marker="o", markersize=4.5)
    left.axhline(1 / count, label="equal weights", **plots.QUIET)
    left.set_xlabel("component, heaviest first")
    left.set_ylabel("weight")
    left.set_ylim(bottom=0)
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend(frameon=False, fontsize=8)

    entropy = -np.sum(
        weights * np.log(np.where(weights > 0, weights, 1)), axis=1)
    # Without the clip, rounding could put equal weights beyond the last bin.
    effective = np.clip(np.exp(entropy), 1, count)
    right.hist(effective, bins=np.linspace(1, max(count, 2), 29),
               color=plots.COLORS[0], edgecolor="white", linewidth=0.5)
    right.axvline(effective.mean(), color=plots.COLORS[1], linewidth=1.5,
                  label=f"mean {effective.mean():.1f} of {count}")
    right.set_xlabel("effective number of components, exp(entropy)")
    right.set_ylabel("pictures")
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.legend(frameon=False, fontsize=8)
    plots.save(figure, path)


def _checked_errors(errors):
    checked = {label: np.asarray(values, np.float64)
               for label, values in errors.items()}
    if not checked:
        raise ValueError("errors must hold one method or more (received none)")
    for label, values in checked.items():
        if (values.ndim != 2 or not values.size
                or not np.isfinite(values).all()):
            raise ValueError(
                f"errors[{label!r}] must be finite numbers of shape [N, S] "
                f"(received shape {values.shape}, "
                f"{np.sum(~np.isfinite(values))} not finite)")
    return checked
