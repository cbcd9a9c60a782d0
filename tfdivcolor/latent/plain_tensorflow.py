"""The mixture's density and draws without TFP, for colourising and export.

Training and evaluation use `distributions.mixture`, a TFP object.  This module
repeats its density and sampler in TensorFlow's own operations for three
reasons: colourising then does not import TFP (1.6 s); a SavedModel holds a
dozen operations instead of hundreds, and they run 6.7 times as fast; every
picture draws from its own random stream.  Tests compare both, in values and
gradients.
"""

import math

import tensorflow as tf

from tfdivcolor.latent import seeds
from tfdivcolor.latent.distributions import MixtureParameters, SteeredMixture
from tfdivcolor.utils.types import Tensor

_LOG_2PI = math.log(2.0 * math.pi)


def log_prob(params: MixtureParameters, z: Tensor) -> Tensor:
    """log p(z | G) of the mixture.

    Args:
        params: MixtureParameters.
        z: float32 [B, S, D].

    Returns:
        float32 [B, S], in nats.
    """
    return tf.reduce_logsumexp(component_log_prob(params, z), axis=-1)


def component_log_prob(params: MixtureParameters, z: Tensor) -> Tensor:
    """log(w_k N(z; loc_k, covariance)) of every component.

    The low-rank part costs one R x R Cholesky factor per component (matrix
    determinant and inversion lemmas), with W = factors / scales:
        log det = 2 sum log scales + log det(I + W^T W)
        quadratic form = |d|^2 - |chol(I + W^T W)^-1 W^T d|^2,
        d = (z - loc) / scales

    Args:
        params: MixtureParameters.
        z: float32 [B, S, D].

    Returns:
        float32 [B, S, K], in nats.
    """
    scales = params["scales"]
    # Components come before samples, so that every product is a batched
    # matrix product: [B, K, S, D].
    d = (z[:, None] - params["locs"][:, :, None]) / scales[:, :, None]
    quadratic = tf.reduce_sum(tf.square(d), axis=-1)  # [B, K, S]
    log_det = tf.reduce_sum(tf.math.log(scales), axis=-1)  # [B, K], halved
    if "factors" in params:
        w = params["factors"] / scales[..., None]  # [B, K, D, R]
        capacitance = tf.matmul(w, w, transpose_a=True)
        capacitance += tf.eye(w.shape[-1])
        cholesky = tf.linalg.cholesky(capacitance)  # [B, K, R, R]
        projected = tf.matmul(w, d, transpose_a=True, transpose_b=True)
        solved = tf.linalg.triangular_solve(cholesky, projected)
        quadratic -= tf.reduce_sum(tf.square(solved), axis=-2)
        log_det += tf.reduce_sum(
            tf.math.log(tf.linalg.diag_part(cholesky)), axis=-1)
    constant = 0.5 * z.shape[-1] * _LOG_2PI
    log_weights = tf.nn.log_softmax(params["mixture_logits"])
    by_component = (log_weights - log_det - constant)[..., None]
    return tf.transpose(by_component - 0.5 * quadratic, [0, 2, 1])


def draw(params: MixtureParameters | SteeredMixture,
         seed: Tensor | seeds.Given, num_samples: int | Tensor,
         temperature: Tensor | float,
         purposes: tuple[int, int, int] = seeds.RESULTS) -> Tensor:
    """Draws from the mixture, with one random stream per picture.

    The temperature multiplies the diagonal and the low-rank part, but not the
    mixture's weights.  Draws are prefix-stable: the first five of eight draws
    are the same as five draws.

    Args:
        params: MixtureParameters or SteeredMixture.
        seed: int64 [B], or `seeds.Given`.
        num_samples: int or int32 scalar S.
        temperature: float32 scalar or [B], 0 or more.
        purposes: three constants of `seeds`: the streams for components,
            diagonal and low-rank part. Defaults to `seeds.RESULTS`.

    Returns:
        float32 [B, S, D].
    """
    of_component, of_latent, of_factor = purposes
    locs = params["locs"]
    num_components, latent_dim = locs.shape[1:]
    # The inverse of the cumulative weights turns one uniform number into one
    # component.
    cumulative = tf.cumsum(tf.nn.softmax(params["mixture_logits"]), axis=-1)
    u = seeds.uniform(of_component, seed, [num_samples])  # [B, S]
    component = tf.searchsorted(cumulative, u, side="right")
    # Rounding can leave the last cumulative weight slightly below 1.
    component = tf.minimum(component, num_components - 1)
    noise = seeds.normal(of_latent, seed, [num_samples, latent_dim])
    if "roots" in params:
        step = _full_step(params["roots"], noise, component)
    else:
        step = tf.gather(params["scales"], component, batch_dims=1) * noise
    if "factors" in params:
        factors = params["factors"]  # [B, K, D, R]
        noise = seeds.normal(
            of_factor, seed, [num_samples, factors.shape[-1]])
        step += _full_step(factors, noise, component)
    temperature = tf.reshape(temperature, [-1, 1, 1])
    return tf.gather(locs, component, batch_dims=1) + temperature * step


def _full_step(matrices, noise, component):
    """Multiplies the noise of every sample by its component's matrix.

    Args:
        matrices: float32 [B, K, D, R].
        noise: float32 [B, S, R].
        component: int32 [B, S].

    Returns:
        float32 [B, S, D].
    """
    # Steps of all components at once cost less than a copy of the matrix for
    # every sample: [B, K, S, D].
    steps = tf.matmul(noise[:, None], matrices, transpose_b=True)
    return tf.gather(
        tf.transpose(steps, [0, 2, 1, 3]), component, batch_dims=2)
