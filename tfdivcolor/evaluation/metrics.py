"""Measures of one call's S results against the true colours.

Fields are normalised: ab / 128, on the canvas.  Every function gives one
number a picture, float64 [B], unless it says otherwise, and takes

    samples: float array [B, S, H, W, 2], in the order of the results
    truth:   float array [B, H, W, 2]

Published errors of this kind leave open how many samples entered, and whether
the best was taken by picture or by pixel; so both are here, for any number.
"""

import itertools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

# Weights of the first three of five scales, from experiments with observers
# (Wang et al. 2003), scaled to a sum of 1.
_SCALE_WEIGHTS = np.array([0.0448, 0.2856, 0.3001])
_SCALE_WEIGHTS /= _SCALE_WEIGHTS.sum()
_SSIM_FILTER = 7  # pixels

# Borders between the bins of promised shares.
SHARE_EDGES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.6, 1.0)


def errors_by_result(samples: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """Mean absolute error of every result.

    Args:
        samples, truth: see the module.

    Returns:
        float64 [B, S], in the order of the results.
    """
    return _errors(samples, truth).mean(axis=(2, 3, 4))


def error_of_best(samples: np.ndarray, truth: ArrayLike,
                  k: int) -> np.ndarray:
    """Mean absolute error of the best of the first k results.

    Args:
        samples, truth: see the module.
        k: int, 1 to S. With k = 1, the error of the most probable result.

    Returns:
        float64 [B]: the best is chosen by the whole picture's error.

    Raises:
        ValueError: if `k` is not 1 to S.
    """
    return errors_by_result(_first(samples, k), truth).min(axis=1)


def error_of_best_pixel(samples: np.ndarray, truth: ArrayLike,
                        k: int) -> np.ndarray:
    """As `error_of_best`, the best chosen at every pixel and channel.

    A bound that rewards noise: read it beside the picture-level error.
    """
    return _errors(_first(samples, k), truth).min(axis=1).mean(axis=(1, 2, 3))


def weighted_error(fields: ArrayLike, truth: ArrayLike,
                   pixel_weights: ArrayLike) -> np.ndarray:
    """Mean absolute error in which rare colours count for more.

    The mean over pixels and channels of weight * |error|.  The weights are
    not normalised within a picture: theirs is a mean of 1 over the data, so
    that this has the scale of the plain error, and a picture full of rare
    colours counts for more than a grey one.

    Differs from reference: the weighted absolute errors of Deshpande et al.
    (2017) are on another scale, about 7 where their plain error is 0.03; only
    ratios between methods compare.

    Args:
        fields, truth: float array [B, H, W, 2], ab / 128.
        pixel_weights: float array [B, H, W], by the truth's colours:
            `ColorStatistics.pixel_weights` gives them.

    Returns:
        float64 [B].

    Raises:
        ValueError: if `pixel_weights` has another shape.
    """
    errors = np.abs(np.asarray(fields, np.float64) - np.asarray(truth))
    weights = np.asarray(pixel_weights, np.float64)
    if weights.shape != errors.shape[:-1]:
        raise ValueError(
            "pixel_weights must have one number a pixel, "
            f"{list(errors.shape[:-1])} (received {list(weights.shape)})")
    return (weights[..., None] * errors).mean(axis=(1, 2, 3))


def rgb_error_best_pixel(rgb_samples: np.ndarray, rgb_truth: ArrayLike,
                         k: int) -> np.ndarray:
    """RMSE of RGB in per cent, the best of k at every pixel and channel.

    100 times the root of a picture's mean squared error on RGB in 0..1.  As
    `error_of_best_pixel`, it rewards noise.  The mean over pictures of this
    root is below the root of the mean over all their pixels.

    Args:
        rgb_samples: uint8 or float array [B, S, H, W, 3], 0..255.
        rgb_truth: uint8 or float array [B, H, W, 3], 0..255.
        k: int, 1 to S. Results that take part.

    Returns:
        float64 [B].

    Raises:
        ValueError: if `k` is not 1 to S.

    References:
        Ardizzone et al. (2019), Guided Image Generation with Conditional
        Invertible Neural Networks; there k = 8.
    """
    errors = _errors(_first(rgb_samples, k), rgb_truth).min(axis=1) / 255.0
    return 100.0 * np.sqrt(np.square(errors).mean(axis=(1, 2, 3)))


def variance(samples: ArrayLike) -> np.ndarray:
    """Population variance over the S results, mean over pixels and channels.

    Returns:
        float64 [B]. Rewards noise too; read it beside the error of the best.
    """
    return np.asarray(samples, np.float64).var(axis=1).mean(axis=(1, 2, 3))


def ms_ssim(samples: ArrayLike) -> np.ndarray:
    """Multi-scale structural similarity between a picture's results.

    The mean over all pairs of results; lower is more diverse.  Three scales,
    Gaussian windows of 7 pixels, each of a and b on its own, then their mean.
    SSIM is made for values from 0 up, so ab + 128 of 0..256 enters: similarity
    is about where a field's colours change, and two results that differ by a
    tint alone count as similar.  Where one gets redder as the other gets
    greener the structure term is negative; it enters as 0, since a fractional
    power of it would not be a number.

    Args:
        samples: see the module; S, at least 2, and H and W, at least 25.

    Returns:
        float64 [B], 0..1; 1 for equal results.

    Raises:
        ValueError: if there is one result only, or the fields are too small.

    References:
        Wang et al. (2003), Multiscale structural similarity for image quality
        assessment.
    """
    samples = np.asarray(samples, np.float32)
    count, *size = samples.shape[1:4]
    if count < 2:
        raise ValueError(
            "samples must have 2 or more results to compare with each other "
            f"(received {count})")
    # The window must fit in the fields after they were halved twice, rounding
    # up.
    smallest = 4 * (_SSIM_FILTER - 1) + 1
    if min(size) < smallest:
        raise ValueError(
            f"samples must be at least {smallest} pixels high and wide "
            f"(received {size[0]} x {size[1]})")
    similarities = [
        tf.image.ssim_multiscale(
            samples[:, i] + 1.0, samples[:, j] + 1.0, max_val=2.0,
            power_factors=_SCALE_WEIGHTS.tolist(), filter_size=_SSIM_FILTER)
        for i, j in itertools.combinations(range(count), 2)]
    return np.asarray(similarities).mean(axis=0, dtype=np.float64)


def chroma(fields: ArrayLike) -> np.ndarray:
    """Mean chroma sqrt(a^2 + b^2) / 128 of fields.

    Args:
        fields: float array [B, ..., 2], ab / 128.

    Returns:
        float64 [B].
    """
    lengths = np.sqrt(np.square(np.asarray(fields, np.float64)).sum(axis=-1))
    return lengths.mean(axis=tuple(range(1, lengths.ndim)))


def colourfulness(rgb: ArrayLike) -> np.ndarray:
    """Perceived colourfulness, M3 of Hasler and Suesstrunk.

    sqrt(var(rg) + var(yb)) + 0.3 * sqrt(mean(rg)^2 + mean(yb)^2) with
    rg = R - G and yb = (R + G) / 2 - B, over a picture's pixels.  Observers
    called 0 "not", 33 "moderately", 59 "quite", 109 "extremely" colourful.

    Args:
        rgb: uint8 or float array [B, ..., H, W, 3], 0..255. Every picture is
            measured on its own.

    Returns:
        float64 [B], 0 or more: the mean over the axes between B and H.

    References:
        Hasler and Suesstrunk (2003), Measuring colourfulness in natural
        images.
    """
    red, green, blue = np.moveaxis(np.asarray(rgb, np.float64), -1, 0)
    opponents = np.stack([red - green, 0.5 * (red + green) - blue])
    spread = np.sqrt(opponents.var(axis=(-2, -1)).sum(axis=0))
    offset = np.sqrt(np.square(opponents.mean(axis=(-2, -1))).sum(axis=0))
    values = spread + 0.3 * offset  # [B, ...]
    return values.reshape([len(values), -1]).mean(axis=1)


def nearest(samples: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """Which result comes nearest to the truth.

    Near is the Euclidean distance between fields, which shares are counted
    by (`sampling.shares`).

    Args:
        samples, truth: see the module.

    Returns:
        int [B], 0 to S - 1; of equally near ones the first.
    """
    difference = np.asarray(samples, np.float64) - np.asarray(truth)[:, None]
    return np.square(difference).sum(axis=(2, 3, 4)).argmin(axis=1)


def share_calibration(
        share: np.ndarray, nearest: np.ndarray,
        edges: Sequence[float] = SHARE_EDGES) -> dict[str, list[dict]]:
    """Whether results come nearest as often as their shares promise.

    Args:
        share: float [N, S]. Promised share of every result.
        nearest: int [N]. Which result came nearest, of `nearest`.
        edges: floats, from 0 to 1. Borders of the bins; a share on a border
            belongs to the bin above.

    Returns:
        dict of
        ranks: list of S dicts: rank from 1, results: int, promised: mean
            share, kept: part of the pictures in which that result came
            nearest.
        bins: list of dicts: low and high border, results: int, promised and
            kept likewise, of the results with such a share, whatever their
            rank; None where there are no results.
    """
    share = np.asarray(share, np.float64)
    kept = np.arange(share.shape[1]) == np.asarray(nearest)[:, None]

    def row(chosen):
        count = int(chosen.sum())
        return {"results": count,
                "promised": float(share[chosen].mean()) if count else None,
                "kept": float(kept[chosen].mean()) if count else None}

    ranks = [{"rank": i + 1, **row(np.indices(share.shape)[1] == i)}
             for i in range(share.shape[1])]
    # Bins by their borders; 1 itself belongs to the last one.
    bins = np.clip(
        np.digitize(share, edges), 1, len(edges) - 1)
    return {"ranks": ranks, "bins": [
        {"low": low, "high": high, **row(bins == i)}
        for i, (low, high) in enumerate(zip(edges, edges[1:]), 1)]}


def _first(samples, k):
    """The first k results."""
    if not 1 <= k <= samples.shape[1]:
        raise ValueError(
            f"k must be 1 to {samples.shape[1]}, the number of results "
            f"(received {k})")
    return samples[:, :k]


def _errors(samples, truth):
    """Absolute errors of all results: float64 [B, S, H, W, C]."""
    return np.abs(np.asarray(samples, np.float64)
                  - np.asarray(truth)[:, None])
