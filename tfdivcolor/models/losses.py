"""Losses: pure functions that return one number per picture.

Colour fields here are normalised: float32 [B, H, W, 2], ab / 128.  Sums run
over pixels and channels; the caller takes the mean over the batch.  Equations
are those of Deshpande et al. (2017), https://arxiv.org/abs/1612.01958,
section 3.

Differs from reference: the public code averages reconstruction over the batch
but sums KL over it, so that the weight of KL depends on the batch size. It also
takes the square root of the reconstruction and gradient terms.  Here every
term is squared, as in the paper, and per example.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import tensorflow as tf

from tfdivcolor.latent.distributions import MixtureParameters
from tfdivcolor.utils.types import Distribution, Tensor

# The paper's fixed variance (not standard deviation) of mixture components.
MDN_VARIANCE = 0.1


@dataclass(frozen=True)
class LossWeights:
    """Weights of the VAE's loss terms.

    Attributes:
        l2, l1, histogram, mahalanobis, gradient: float. Weights of the
            decoder's terms, each a sum over pixels and channels.
        kl: float. Weight of KL(q(z | C, G) || prior), in nats.
        energy: float. Weight of the mixture's energy score, only for stage
            joint.

    All default to 0. `paper()` returns the published weights.  The public code
    multiplies a KL summed over a batch of 32 by 1e-2, but averages
    reconstruction; per example the weight of KL is 32e-2.
    """

    l2: float = 0.0
    l1: float = 0.0
    histogram: float = 0.0
    mahalanobis: float = 0.0
    gradient: float = 0.0
    kl: float = 0.0
    energy: float = 0.0

    @classmethod
    def paper(cls) -> LossWeights:
        return cls(
            histogram=1.0, mahalanobis=0.1, gradient=1e-3, kl=1e-2 * 32)

    @property
    def decoder_terms(self) -> tuple[str, ...]:
        """Names of the decoder's terms with weights other than 0."""
        return tuple(
            name for name, weight in asdict(self).items()
            if weight and name not in ("kl", "energy"))

    @property
    def needs_statistics(self) -> bool:
        """Whether a term needs the `ColorStatistics` of the data."""
        return self.histogram > 0 or self.mahalanobis > 0

    def total(self, terms: dict[str, Tensor]) -> Tensor:
        """Computes the weighted sum of loss terms.

        Args:
            terms: dict from a term's name to its values, float32 [B].

        Returns:
            float32 [B].
        """
        weights = asdict(self)
        return tf.add_n([weights[name] * terms[name] for name in terms])


def l2(ab: Tensor, ab_hat: Tensor) -> Tensor:
    """Squared error, summed over pixels and channels.

    Args:
        ab: float32 [B, H, W, 2], ab / 128. True field.
        ab_hat: float32 [B, H, W, 2], ab / 128. Predicted field.

    Returns:
        float32 [B].
    """
    return tf.reduce_sum(tf.square(ab - ab_hat), axis=[1, 2, 3])


def l1(ab: Tensor, ab_hat: Tensor) -> Tensor:
    """Absolute error, summed over pixels and channels.

    Args and Returns: as in `l2`.
    """
    return tf.reduce_sum(tf.abs(ab - ab_hat), axis=[1, 2, 3])


def gradient(ab: Tensor, ab_hat: Tensor) -> Tensor:
    """L_grad: squared error of horizontal and vertical differences.

    Args and Returns: as in `l2`.
    """
    error = ab - ab_hat
    vertical = error[:, 1:] - error[:, :-1]
    horizontal = error[:, :, 1:] - error[:, :, :-1]
    return (tf.reduce_sum(tf.square(vertical), axis=[1, 2, 3])
            + tf.reduce_sum(tf.square(horizontal), axis=[1, 2, 3]))


def histogram(ab: Tensor, ab_hat: Tensor,
              pixel_weights: Tensor) -> Tensor:
    """L_hist (colourfulness): squared error weighted by 1 / H_p.

    H_p is the frequency of the *true* colour of pixel p in the training data.

    Args:
        ab, ab_hat: as in `l2`.
        pixel_weights: float32 [B, H, W], 1 on average over the training data
            (`ColorStatistics.pixel_weights`).

    Returns:
        float32 [B].
    """
    error = tf.reduce_sum(tf.square(ab - ab_hat), axis=-1)
    return tf.reduce_sum(pixel_weights * error, axis=[1, 2])


def mahalanobis(ab: Tensor, ab_hat: Tensor, components: np.ndarray,
                stddev: np.ndarray) -> Tensor:
    """L_mah (specificity): the error in units of the data's spread.

        L_mah = sum_k ((C - f)^T P_k)^2 / s_k^2 + |residual|^2 / s_P^2

    where P_k are the top principal components of training fields with
    standard deviations s_k, and the residual is the rest of C - f.  The
    components are orthonormal, so |residual|^2 = |C - f|^2 - sum_k
    ((C - f)^T P_k)^2, and the code makes no residual field.

    Args:
        ab, ab_hat: as in `l2`, with H * W * 2 = F.
        components: float32 [P, F], orthonormal rows.
        stddev: float32 [P], > 0, largest first.

    Returns:
        float32 [B].
    """
    error = tf.reshape(ab - ab_hat, [-1, components.shape[1]])
    squared = tf.square(tf.matmul(error, components, transpose_b=True))
    explained = tf.reduce_sum(squared / tf.square(stddev), axis=-1)
    residual = (tf.reduce_sum(tf.square(error), axis=-1)
                - tf.reduce_sum(squared, axis=-1))
    # A difference of nearly equal sums can round to just below zero.
    return explained + tf.maximum(residual, 0.0) / tf.square(stddev[-1])


def kl(posterior: Distribution, prior: Distribution) -> Tensor:
    """KL(posterior || prior) in nats, in closed form with TFP.

    Args:
        posterior: TFP distribution with batch shape [B].
        prior: TFP distribution of the same event shape.

    Returns:
        float32 [B].
    """
    from tensorflow_probability import distributions as tfd

    return tfd.kl_divergence(posterior, prior)


def kl_to_mixture(posterior: Distribution, mixture: Distribution,
                  z: Tensor) -> Tensor:
    """One-sample estimate of KL(posterior || mixture) in nats.

    The estimate is log q(z | C, G) - log p(z | G) at a draw z of the posterior.
    A mixture has no closed form.

    Args:
        posterior: TFP distribution with batch shape [B], event shape [D].
        mixture: `tfd.MixtureSameFamily` of the prior, with the same batch and
            event shape (`LatentMDN.distribution`).
        z: float32 [B, D], a reparameterised draw of the posterior.

    Returns:
        float32 [B].
    """
    return posterior.log_prob(z) + mdn_nll(mixture, z)


def mdn_nll(mixture: Distribution, z: Tensor) -> Tensor:
    """Exact negative log-likelihood -log P(z | G) of the mixture, in nats.

    Args:
        mixture: `tfd.MixtureSameFamily` with batch shape [B] and event shape
            [D] (`LatentMDN.distribution`).
        z: float32 [B, D].

    Returns:
        float32 [B].
    """
    return -mixture.log_prob(z)


def mdn_nearest_loss(params: MixtureParameters, z: Tensor) -> Tensor:
    """The paper's closest-component bound of the mixture's loss.

        -log w_m + |z - loc_m|^2 / (2 * 0.1),  m = argmin_k |z - loc_k|

    with mixture weights w and the fixed variance 0.1.  The bound avoids the
    log-sum-exp. Constants are omitted, as in the paper.

    Differs from reference: the PyTorch code takes the square root of ten
    times the second term. The TF1 code pairs z with the components of another
    picture unless the batch size is 1.

    Args:
        params: MixtureParameters; only logits and locs are used.
        z: float32 [B, D].

    Returns:
        float32 [B].
    """
    distance = tf.reduce_sum(
        tf.square(z[:, None] - params["locs"]), axis=-1)  # [B, K]
    nearest = tf.argmin(distance, axis=-1)
    log_weights = tf.nn.log_softmax(params["mixture_logits"])
    return (-tf.gather(log_weights, nearest, batch_dims=1)
            + tf.reduce_min(distance, axis=-1) / (2.0 * MDN_VARIANCE))


def energy_score(draws: Tensor, weights: Tensor, truth: Tensor,
                 distance: Tensor | float = 0.0) -> Tensor:
    """Energy score of a mixture: how well its draws surround the truth.

        E|X - y| - E|X - X'| / 2,    X, X' independent draws

    This score is strictly proper (Gneiting and Raftery, 2007, section 4.2):
    only the true distribution minimises its mean.  Unlike the density it has
    the units of the fields: a region counts by its area, and errors in regions
    without pixels cost little.  The weights of the components enter exactly,
    without draws of components.

    Args:
        draws: float32 [B, 2, K, D]. Two draws of every component, in
            coordinates with the Euclidean distances of fields.
        weights: float32 [B, K]. Weights of the components, with sum 1.
        truth: float32 [B, D]. The point nearest to the true field.
        distance: float32 [B]. Squared distance from that point to the field.
            Defaults to 0.

    Returns:
        float32 [B], >= 0 on average.
    """
    def length(squared):
        # 1e-4, because the slope of the root is infinite at 0.
        return tf.sqrt(tf.maximum(squared, 0.0) + 1e-4)

    to_truth = tf.reduce_sum(
        tf.square(draws - truth[:, None, None]), axis=-1)  # [B, 2, K]
    to_truth = length(to_truth + tf.reshape(distance, [-1, 1, 1]))
    first, second = draws[:, 0], draws[:, 1]
    apart = (tf.reduce_sum(tf.square(first), axis=-1)[:, :, None]
             + tf.reduce_sum(tf.square(second), axis=-1)[:, None]
             - 2.0 * tf.matmul(first, second, transpose_b=True))  # [B, K, K]
    pairs = weights[:, :, None] * weights[:, None]
    return (tf.reduce_sum(weights * tf.reduce_mean(to_truth, 1), axis=-1)
            - 0.5 * tf.reduce_sum(pairs * length(apart), axis=[1, 2]))
