"""Measures of one call's S results against the true colours.

Fields are normalised: ab / 128, on the canvas.  Every function gives one
number a picture, float64 [B], and takes

    samples: float array [B, S, H, W, 2], in the order of the results
    truth:   float array [B, H, W, 2]

Published errors of this kind leave open how many samples entered, and whether
the best was taken by picture or by pixel; so both are here, for any number.
"""

import numpy as np


def error_of_best(samples, truth, k):
    """Mean absolute error of the best of the first k results.

    Args:
        samples, truth: see the module.
        k: int, 1 to S. With k = 1, the error of the most probable result.

    Returns:
        float64 [B]: the best is chosen by the whole picture's error.
    """
    return _errors(samples, truth, k).mean(axis=(2, 3, 4)).min(axis=1)


def error_of_best_pixel(samples, truth, k):
    """As `error_of_best`, the best chosen at every pixel and channel.

    A bound that rewards noise: read it beside the picture-level error.
    """
    return _errors(samples, truth, k).min(axis=1).mean(axis=(1, 2, 3))


def variance(samples):
    """Population variance over the S results, mean over pixels and channels.

    Returns:
        float64 [B]. Rewards noise too; read it beside the error of the best.
    """
    return np.asarray(samples, np.float64).var(axis=1).mean(axis=(1, 2, 3))


def chroma(fields):
    """Mean chroma sqrt(a^2 + b^2) / 128 of fields.

    Args:
        fields: float array [B, ..., 2], ab / 128.

    Returns:
        float64 [B].
    """
    lengths = np.sqrt(np.square(np.asarray(fields, np.float64)).sum(axis=-1))
    return lengths.mean(axis=tuple(range(1, lengths.ndim)))


def _errors(samples, truth, k):
    """Absolute errors of the first k results: float64 [B, k, H, W, 2]."""
    samples = np.asarray(samples, np.float64)
    if not 1 <= k <= samples.shape[1]:
        raise ValueError(
            f"k must be 1 to {samples.shape[1]}, the number of results "
            f"(received {k})")
    return np.abs(samples[:, :k] - np.asarray(truth)[:, None])
