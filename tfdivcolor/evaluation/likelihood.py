"""Likelihood of the true colours, comparable between models.

Under a model, a colour field C (ab / 128) of a grey picture G has the density

    p(C | G) = integral of N(C; f(z, G), sigma^2 I) p(z | G) over z

with the decoder f, one standard deviation sigma per model, and p(z | G): a
mixture, N(0, I), or another prior.  Its units are those of the picture.
Therefore models with different latents are comparable, which densities of z are
not.  The integral has no closed form. Draws of the posterior bound it (Burda et
al. 2016, Eq. 8), and more draws give a tighter bound:

    log p(C | G) >= log mean_i [N(C; f(z_i, G), sigma^2 I)
                                p(z_i | G) / q(z_i | C, G)],  z_i ~ q

Sigma enters only through squared errors: `field_terms` runs the model once,
`field_nll` fits sigma and computes the bound.  A predictor with one result is
the case of one draw without a latent: `gaussian_nll`, in the same column.

References:
    Burda, Grosse, Salakhutdinov (2016), Importance Weighted Autoencoders,
    https://arxiv.org/abs/1509.00519
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from tfdivcolor import color
from tfdivcolor.latent import seeds
from tfdivcolor.models.base import check_canvas
from tfdivcolor.utils.types import Tensor

DRAWS = 64

_FIELDS = 128  # decoded at once; limits the memory
_TOLERANCE = 1e-9  # relative change of sigma^2
_MAX_STEPS = 1000
_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def field_terms(model: Any, batch: Mapping[str, Tensor],
                draws: int = DRAWS) -> dict[str, np.ndarray]:
    """Computes the terms of the bound that do not depend on sigma.

    Args:
        model: object with `prior(luminance)`, a TFP distribution over z with
            batch shape [B], and `vae` with `encode(luminance, ab)` and
            `decode(z, luminance)` like `ColorVAE`: TensorFlow code, with q
            independent normals. For example a `Colorizer`.
        batch: dict of luminance: float32 [B, s, s, 1], 0..100, at the model's
            luminance size; ab: float32 [B, c, c, 2], CIE units; seed: int64
            [B], which keys a picture's draws, independently of the other
            pictures in the batch.
        draws: int I, 1 or more. Draws of the posterior per picture. Defaults
            to 64.

    Returns:
        dict of
        squared_error: float64 [B, I]. |C - f(z_i, G)|^2, summed over the
            field's values, in (ab / 128)^2.
        log_ratio: float64 [B, I]. log p(z_i | G) - log q(z_i | C, G), nats.

    Raises:
        ValueError: if `draws` is below 1, or if a shape does not fit the
            canvas.
    """
    if draws < 1:
        raise ValueError(f"draws must be 1 or more (received {draws})")
    # Here, because TensorFlow may relax the shapes of traced functions.
    check_canvas("ab", batch["ab"], model.vae.canvas, 2)
    step = max(_FIELDS // draws, 1)
    parts = []
    for start in range(0, len(batch["luminance"]), step):
        luminance, ab, seed = (
            tf.convert_to_tensor(batch[name])[start:start + step]
            for name in ("luminance", "ab", "seed"))
        parts.append(_terms(model, luminance, ab, seed, draws))
    return {name: np.concatenate([part[name] for part in parts],
                                 dtype=np.float64) for name in parts[0]}


@tf.function(reduce_retracing=True, autograph=False)
def _terms(model, luminance, ab, seed, draws):
    """`field_terms` for a few pictures, float32."""
    posterior = model.vae.encode(luminance, ab)
    loc, scale = posterior.mean()[:, None], posterior.stddev()[:, None]
    noise = seeds.normal(seeds.POSTERIOR, seed, [draws, loc.shape[-1]])
    z = loc + scale * noise  # [B, I, D]
    by_draw = tf.transpose(z, [1, 0, 2])  # TFP expects the draws first
    log_ratio = (model.prior(luminance).log_prob(by_draw)
                 - posterior.log_prob(by_draw))  # [I, B]
    error = color.normalize_ab(
        model.vae.decode(z, luminance) - ab[:, None])
    return {"squared_error": tf.reduce_sum(tf.square(error), axis=[2, 3, 4]),
            "log_ratio": tf.transpose(log_ratio)}


def nll(squared_error: np.ndarray, log_ratio: np.ndarray, dimensions: int,
        sigma: float) -> np.ndarray:
    """Upper bound of -log p(C | G) for a given sigma.

    Args:
        squared_error, log_ratio: float [N, I], from `field_terms`.
        dimensions: int. Values of a field, c * c * 2.
        sigma: float, > 0. Standard deviation of a value, in ab / 128.

    Returns:
        float64 [N], nats per value. A density may exceed 1: values may be
        negative.
    """
    joint = log_ratio - squared_error / (2.0 * sigma**2)
    log_mean = np.logaddexp.reduce(joint, axis=1) - math.log(joint.shape[1])
    return math.log(sigma) + _HALF_LOG_2PI - log_mean / dimensions


def fit_sigma(squared_error: np.ndarray, log_ratio: np.ndarray,
              dimensions: int) -> float:
    """Finds the sigma with the smallest mean of `nll`.

    Expectation maximisation, where the hidden variable is the draw that
    explains a picture. Each step sets sigma^2 to the mean squared error, with
    the draws weighted by their shares in the bound, and lowers `nll`. With one
    draw the first step is exact.

    Args:
        squared_error, log_ratio: float [N, I], from `field_terms`.
        dimensions: int. Values of a field, c * c * 2.

    Returns:
        float, > 0, in ab / 128.

    Raises:
        ValueError: if the errors are 0, because then no sigma is best.
    """
    variance = squared_error.mean() / dimensions
    for _ in range(_MAX_STEPS):
        if variance == 0:
            raise ValueError("squared_error must be above 0 to fit sigma "
                             "(received 0 for all pictures)")
        before = variance
        joint = log_ratio - squared_error / (2.0 * variance)
        share = np.exp(
            joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
        variance = (share * squared_error).sum(axis=1).mean() / dimensions
        if abs(variance - before) <= _TOLERANCE * before:
            break
    return math.sqrt(variance)


def field_nll(squared_error: ArrayLike, log_ratio: ArrayLike,
              dimensions: int) -> np.ndarray:
    """Upper bound of -log p(C | G), with sigma fitted on other pictures.

    Pictures at even and at odd positions form two halves. Each half is
    measured with the sigma fitted on the other half.  (The halves alternate
    because data sets are sorted by person or kind.)

    Args:
        squared_error, log_ratio: float [N, I], from `field_terms`; N is 2 or
            more.
        dimensions: int. Values of a field, c * c * 2.

    Returns:
        float64 [N], nats per value of ab / 128.

    Raises:
        ValueError: if the shapes differ, if there are fewer than two pictures,
            or if the errors of a half are 0.

    Example:
        terms = tdc.likelihood.field_terms(colorizer, batch)
        tdc.likelihood.field_nll(
            **terms, dimensions=colorizer.canvas ** 2 * 2).mean()
    """
    squared_error = np.asarray(squared_error, np.float64)
    log_ratio = np.asarray(log_ratio, np.float64)
    if squared_error.ndim != 2 or log_ratio.shape != squared_error.shape:
        raise ValueError(
            "squared_error and log_ratio must have one shape, [N, I] "
            f"(received {squared_error.shape} and {log_ratio.shape})")
    if len(squared_error) < 2:
        raise ValueError(
            "squared_error must have 2 pictures or more: sigma is fitted on "
            "one half and used on the other "
            f"(received {len(squared_error)})")
    halves = slice(0, None, 2), slice(1, None, 2)
    values = np.empty(len(squared_error))
    for measured, fitted in (halves, halves[::-1]):
        sigma = fit_sigma(
            squared_error[fitted], log_ratio[fitted], dimensions)
        values[measured] = nll(
            squared_error[measured], log_ratio[measured], dimensions, sigma)
    return values


def gaussian_nll(squared_errors: ArrayLike, dimensions: int) -> np.ndarray:
    """-log p(C | G) of a predictor with one result, p = N(result, sigma^2 I).

    The value is exact and comparable with `field_nll`, with the same fit of
    sigma.

    Args:
        squared_errors: float [N]. |C - result|^2, summed over the values of
            the field, in (ab / 128)^2.
        dimensions: int. Values of a field, c * c * 2.

    Returns:
        float64 [N], nats per value of ab / 128.

    Raises:
        ValueError: as in `field_nll`.
    """
    squared_error = np.asarray(squared_errors, np.float64)[..., None]
    return field_nll(squared_error, np.zeros_like(squared_error), dimensions)
