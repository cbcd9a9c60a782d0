"""Distributions of the latent as TensorFlow Probability objects.

`posterior` makes q(z | C, G) and `mixture` makes P(z | G). Training, the KL to
the mixture and the evaluation use their densities.  Colourising and exported
models use `plain_tensorflow` instead.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

import tensorflow as tf

from tfdivcolor.utils.types import Distribution, Tensor

# Smallest learned standard deviation.  It is below the posteriors' spread, so
# it only stops components from collapsing onto one training picture.
MIN_SCALE = 0.02


class MixtureParameters(TypedDict):
    """A Gaussian mixture over z as tensors, one mixture per picture.

    Attributes:
        mixture_logits: float32 [B, K]. Unnormalised log weights.
        locs: float32 [B, K, D]. Means of the components.
        scales: float32 [B, K, D]. Standard deviations of the diagonal part.
        factors: float32 [B, K, D, R]. Present if the covariance has a low-rank
            part: that of component k is then
            diag(scales[k])^2 + factors[k] @ factors[k]^T.
    """

    mixture_logits: Tensor
    locs: Tensor
    scales: Tensor
    factors: NotRequired[Tensor]


class SteeredMixture(TypedDict):
    """A mixture changed by `steering`, for draws but not for densities.

    Attributes:
        mixture_logits, locs, factors: as in `MixtureParameters`.
        roots: float32 [B, K, D, D]. A full matrix instead of scales: the
            covariance is roots[k] @ roots[k]^T + factors[k] @ factors[k]^T.
    """

    mixture_logits: Tensor
    locs: Tensor
    roots: Tensor
    factors: NotRequired[Tensor]


def posterior(loc: Tensor, scale: Tensor) -> Distribution:
    """Makes independent normals over the latent's dimensions.

    Args:
        loc: float32 [B, D]. Means.
        scale: float32 [B, D]. Standard deviations, > 0.

    Returns:
        `tfd.Independent(tfd.Normal)` with batch shape [B], event shape [D].
    """
    from tensorflow_probability import distributions as tfd

    return tfd.Independent(
        tfd.Normal(loc, scale), reinterpreted_batch_ndims=1)


def standard_normal(latent_dim: int) -> Distribution:
    """Makes the VAE's prior without a mixture: N(0, I), event shape [D]."""
    return posterior(tf.zeros([latent_dim]), tf.ones([latent_dim]))


def mixture(params: MixtureParameters) -> Distribution:
    """Makes P(z | G) as a TensorFlow Probability distribution.

    Args:
        params: MixtureParameters.

    Returns:
        `tfd.MixtureSameFamily` with batch shape [B] and event shape [D]. Its
        components are `MultivariateNormalDiag`, or with factors
        `MultivariateNormalDiagPlusLowRankCovariance`.
    """
    from tensorflow_probability import distributions as tfd

    if "factors" in params:
        components = tfd.MultivariateNormalDiagPlusLowRankCovariance(
            loc=params["locs"],
            cov_diag_factor=tf.square(params["scales"]),
            cov_perturb_factor=params["factors"])
    else:
        components = tfd.MultivariateNormalDiag(
            loc=params["locs"], scale_diag=params["scales"])
    return tfd.MixtureSameFamily(
        tfd.Categorical(logits=params["mixture_logits"]), components)


def unpack(packed: Tensor, num_components: int, latent_dim: int,
           scale: float | None = None) -> MixtureParameters:
    """Splits a dense layer's output into MixtureParameters.

    The packing order is [logits K | locs K * D | raw scales K * D]. The last
    part is present only if scales are learned.

    Differs from reference: the public code packs locs before logits.

    Args:
        packed: float32 [B, K * (1 + D)], or [B, K * (1 + 2 D)].
        num_components: int K.
        latent_dim: int D.
        scale: float or None. A fixed standard deviation, or None for learned
            ones, softplus(raw) + 0.02. Defaults to None.

    Returns:
        MixtureParameters without factors.
    """
    k, size = num_components, num_components * latent_dim
    locs = tf.reshape(packed[:, k:k + size], [-1, k, latent_dim])
    if scale is None:
        scales = positive_scale(
            tf.reshape(packed[:, k + size:], [-1, k, latent_dim]))
    else:
        scales = tf.fill(tf.shape(locs), scale)
    return {"mixture_logits": packed[:, :k], "locs": locs, "scales": scales}


def positive_scale(raw: Tensor) -> Tensor:
    """Converts raw outputs of a network to standard deviations."""
    return MIN_SCALE + tf.nn.softplus(raw)


def component_draws(params: MixtureParameters, noise: Tensor) -> Tensor:
    """Draws from every component, for losses; differentiable in `params`.

    Args:
        params: MixtureParameters.
        noise: float32 [B, N, K, D + R], standard normal; R = 0 without
            factors.

    Returns:
        float32 [B, N, K, D].
    """
    locs, scales = params["locs"], params["scales"]
    latent_dim = locs.shape[-1]
    draws = locs[:, None] + scales[:, None] * noise[..., :latent_dim]
    if "factors" in params:
        draws += tf.squeeze(tf.matmul(
            params["factors"][:, None], noise[..., latent_dim:, None]), -1)
    return draws
