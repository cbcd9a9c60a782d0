"""Metrics of the S results of one call, compared with the true colours.

Fields are normalised: ab / 128, on the canvas.  Unless stated otherwise, every
function returns one number per picture, float64 [B], and takes

    samples: float array [B, S, H, W, 2], in the order of the results
    truth:   float array [B, H, W, 2]

Published errors of this kind do not state the number of samples, nor whether
the best is chosen per picture or per pixel. This module has both, for any
number.
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
        k: int, 1 to S. With k = 1, the error of the first result.

    Returns:
        float64 [B]. The best is chosen by the error of the whole picture.

    Raises:
        ValueError: if `k` is not 1 to S.
    """
    return errors_by_result(_first(samples, k), truth).min(axis=1)


def error_of_best_pixel(samples: np.ndarray, truth: ArrayLike,
                        k: int) -> np.ndarray:
    """Like `error_of_best`, with the best chosen at every pixel and channel.

    This bound rewards noise: read it together with the picture-level error.
    """
    return _errors(_first(samples, k), truth).min(axis=1).mean(axis=(1, 2, 3))


def weighted_error(fields: ArrayLike, truth: ArrayLike,
                   pixel_weights: ArrayLike) -> np.ndarray:
    """Mean absolute error with larger weights for rare colours.

    The mean over pixels and channels of weight * |error|.  The weights are not
    normalised per picture. Their mean over the data is 1, so this metric has
    the scale of the plain error, and a picture full of rare colours counts more
    than a grey one.

    Differs from reference: the weighted absolute errors of Deshpande et al.
    (2017) have another scale, about 7 where their plain error is 0.03. Only
    ratios between methods are comparable.

    Args:
        fields, truth: float array [B, H, W, 2], ab / 128.
        pixel_weights: float array [B, H, W], for the true colours, from
            `ColorStatistics.pixel_weights`.

    Returns:
        float64 [B].

    Raises:
        ValueError: if `pixel_weights` has another shape.
    """
    errors = np.abs(np.asarray(fields, np.float64) - np.asarray(truth))
    weights = np.asarray(pixel_weights, np.float64)
    if weights.shape != errors.shape[:-1]:
        raise ValueError(
            "pixel_weights must have one number per pixel, "
            f"{list(errors.shape[:-1])} (received {list(weights.shape)})")
    return (weights[..., None] * errors).mean(axis=(1, 2, 3))


def rgb_error_best_pixel(rgb_samples: np.ndarray, rgb_truth: ArrayLike,
                         k: int) -> np.ndarray:
    """RMSE of RGB in per cent, with the best of k at every pixel and channel.

    The value is 100 times the root of a picture's mean squared error, on RGB
    in 0..1.  Like `error_of_best_pixel`, it rewards noise.  The mean of this
    root over pictures is below the root of the mean over all their pixels.

    Args:
        rgb_samples: uint8 or float array [B, S, H, W, 3], 0..255.
        rgb_truth: uint8 or float array [B, H, W, 3], 0..255.
        k: int, 1 to S. Number of results to use.

    Returns:
        float64 [B].

    Raises:
        ValueError: if `k` is not 1 to S.

    References:
        Ardizzone et al. (2019), Guided Image Generation with Conditional
        Invertible Neural Networks, with k = 8,
        https://arxiv.org/abs/1907.02392
    """
    errors = _errors(_first(rgb_samples, k), rgb_truth).min(axis=1) / 255.0
    return 100.0 * np.sqrt(np.square(errors).mean(axis=(1, 2, 3)))


def variance(samples: ArrayLike) -> np.ndarray:
    """Population variance over the S results, averaged over the field.

    Returns:
        float64 [B]. Noise raises it too; read it with the error of the best.
    """
    return np.asarray(samples, np.float64).var(axis=1).mean(axis=(1, 2, 3))


def ms_ssim(samples: ArrayLike) -> np.ndarray:
    """Multi-scale structural similarity between the results of a picture.

    The mean over all pairs of results; lower is more diverse.  Three scales,
    Gaussian windows of 7 pixels, a and b separately, then their mean.  SSIM
    needs values from 0 up, so the input is ab + 128 in 0..256. The similarity
    depends on where the colours of a field change; two results that differ
    only by a tint count as similar.  The structure term is negative where one
    result gets redder and the other greener. It is then set to 0, because a
    fractional power of a negative number is undefined.

    Args:
        samples: see the module; S is at least 2, and H and W at least 25.

    Returns:
        float64 [B], 0..1; 1 for equal results.

    Raises:
        ValueError: if there is only one result, or if the fields are too small.

    References:
        Wang et al. (2003), Multiscale structural similarity for image quality
        assessment.
    """
    samples = np.asarray(samples, np.float32)
    count, *size = samples.shape[1:4]
    if count < 2:
        raise ValueError(
            "samples must have 2 or more results to compare "
            f"(received {count})")
    # The window must fit into the fields after two halvings, rounded up.
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
    called 0 "not", 33 "moderately", 59 "quite" and 109 "extremely" colourful.

    Args:
        rgb: uint8 or float array [B, ..., H, W, 3], 0..255. Every picture is
            measured separately.

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
    """Index of the result that is nearest to the truth.

    The measure is the Euclidean distance of fields, as for shares
    (`sampling.shares`).

    Args:
        samples, truth: see the module.

    Returns:
        int [B], 0 to S - 1; the first of several equally near results.
    """
    difference = np.asarray(samples, np.float64) - np.asarray(truth)[:, None]
    return np.square(difference).sum(axis=(2, 3, 4)).argmin(axis=1)


def share_calibration(
        share: np.ndarray, nearest: np.ndarray,
        edges: Sequence[float] = SHARE_EDGES) -> dict[str, list[dict]]:
    """Compares promised shares with how often results come nearest.

    Args:
        share: float [N, S]. Promised share of every result.
        nearest: int [N]. Index of the nearest result, from `nearest`.
        edges: floats, from 0 to 1. Borders of the bins; a share on a border
            belongs to the bin above. Defaults to `SHARE_EDGES`.

    Returns:
        dict of
        ranks: list of S dicts: rank from 1, results: int, promised: mean
            share, kept: part of the pictures in which that result came
            nearest.
        bins: list of dicts: low and high border, results: int, promised and
            kept, for the results with such a share, whatever their rank;
            None for an empty bin.
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
    # A share of 1 belongs to the last bin.
    bins = np.clip(
        np.digitize(share, edges), 1, len(edges) - 1)
    return {"ranks": ranks, "bins": [
        {"low": low, "high": high, **row(bins == i)}
        for i, (low, high) in enumerate(zip(edges, edges[1:]), 1)]}


def _first(samples, k):
    """Returns the first k results."""
    if not 1 <= k <= samples.shape[1]:
        raise ValueError(
            f"k must be 1 to {samples.shape[1]}, the number of results "
            f"(received {k})")
    return samples[:, :k]


def _errors(samples, truth):
    """Absolute errors of all results: float64 [B, S, H, W, C]."""
    return np.abs(np.asarray(samples, np.float64)
                  - np.asarray(truth)[:, None])
