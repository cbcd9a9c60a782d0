"""The latent's distributions: posterior q(z | C, G) and mixture P(z | G).

A mixture travels as a dict of tensors, `MixtureParameters` in docstrings:

    mixture_logits: float32 [B, K], unnormalised log weights
    locs:           float32 [B, K, D], component means
    scales:         float32 [B, K, D], standard deviations of the diagonal part
    factors:        float32 [B, K, D, R], optional; the covariance of component
                    k is diag(scales[k])^2 + factors[k] @ factors[k]^T
    roots:          float32 [B, K, D, D], only in steered mixtures (see
                    `steering`) and in place of scales: diag(scales) becomes
                    a full matrix, the covariance
                    roots[k] @ roots[k]^T + factors[k] @ factors[k]^T.
                    Only `draw` takes these: they are drawn from, their
                    density is not asked for.

`mixture` makes the TensorFlow Probability object of it.  `log_prob` and `draw`
are the same density and sampler in TensorFlow's own operations: colourising
then does not import TFP (1.6 s), a SavedModel holds a dozen operations instead
of hundreds, and every picture draws from its own stream.  Tests hold the two
equal.
"""

import math

import tensorflow as tf

from tfdivcolor.latent import seeds

# Smallest learned standard deviation: below the posteriors' own spread, so it
# binds only where a component would collapse onto one training picture.
MIN_SCALE = 0.02
_LOG_2PI = math.log(2.0 * math.pi)


def posterior(loc, scale):
    """Independent normals over the latent's dimensions.

    Args:
        loc: float32 [B, D]. Means.
        scale: float32 [B, D]. Standard deviations, > 0.

    Returns:
        `tfd.Independent(tfd.Normal)` with batch shape [B], event shape [D].
    """
    from tensorflow_probability import distributions as tfd

    return tfd.Independent(
        tfd.Normal(loc, scale), reinterpreted_batch_ndims=1)


def standard_normal(latent_dim):
    """The VAE's prior without a mixture: N(0, I) with event shape [D]."""
    return posterior(tf.zeros([latent_dim]), tf.ones([latent_dim]))


def mixture(params):
    """P(z | G) as a TensorFlow Probability distribution.

    Args:
        params: MixtureParameters.

    Returns:
        `tfd.MixtureSameFamily` with batch shape [B] and event shape [D], its
        components `MultivariateNormalDiag`, or
        `MultivariateNormalDiagPlusLowRankCovariance` where there are factors.
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


def unpack(packed, num_components, latent_dim, scale=None):
    """Splits a dense layer's output into MixtureParameters.

    The packing order is [logits K | locs K * D | raw scales K * D], the
    last part only where scales are learned.

    Differs from reference: the public code packs locs before logits.

    Args:
        packed: float32 [B, K * (1 + D)], or [B, K * (1 + 2 D)].
        num_components: int K.
        latent_dim: int D.
        scale: float or None. A fixed standard deviation, or None for learned
            ones, softplus(raw) + 0.02.

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


def positive_scale(raw):
    """Standard deviations of a network's raw outputs."""
    return MIN_SCALE + tf.nn.softplus(raw)


def log_prob(params, z):
    """log p(z | G) of the mixture.

    Args:
        params: MixtureParameters.
        z: float32 [B, S, D].

    Returns:
        float32 [B, S], in nats.
    """
    return tf.reduce_logsumexp(component_log_prob(params, z), axis=-1)


def component_log_prob(params, z):
    """log(w_k N(z; loc_k, covariance)) of every component.

    The low-rank part costs one R x R Cholesky factor a component (matrix
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
    # Components before samples, so that every product is a batched matrix
    # product: [B, K, S, D].
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


def draw(params, seed, num_samples, temperature):
    """Draws from the mixture, one random stream a picture.

    The temperature multiplies the diagonal and the low-rank part alike; the
    mixture's weights are not tempered.  Draws are prefix-stable: the first
    five of eight are the five.

    Args:
        params: MixtureParameters.
        seed: int64 [B].
        num_samples: int or int32 scalar S.
        temperature: float32 scalar or [B], 0 or more.

    Returns:
        float32 [B, S, D].
    """
    locs = params["locs"]
    num_components, latent_dim = locs.shape[1:]
    # Inverse of the cumulative weights, so that one uniform number decides.
    cumulative = tf.cumsum(tf.nn.softmax(params["mixture_logits"]), axis=-1)
    u = seeds.uniform(seeds.COMPONENT, seed, [num_samples])  # [B, S]
    component = tf.searchsorted(cumulative, u, side="right")
    # Rounding can leave the last cumulative weight a hair below 1.
    component = tf.minimum(component, num_components - 1)
    noise = seeds.normal(seeds.LATENT, seed, [num_samples, latent_dim])
    if "roots" in params:
        step = _full_step(params["roots"], noise, component)
    else:
        step = tf.gather(params["scales"], component, batch_dims=1) * noise
    if "factors" in params:
        factors = params["factors"]  # [B, K, D, R]
        noise = seeds.normal(
            seeds.FACTOR, seed, [num_samples, factors.shape[-1]])
        step += _full_step(factors, noise, component)
    temperature = tf.reshape(temperature, [-1, 1, 1])
    return tf.gather(locs, component, batch_dims=1) + temperature * step


def _full_step(matrices, noise, component):
    """Every sample's noise through its component's matrix.

    Args:
        matrices: float32 [B, K, D, R].
        noise: float32 [B, S, R].
        component: int32 [B, S].

    Returns:
        float32 [B, S, D].
    """
    # All components' steps at once cost less than a copy of the matrix for
    # every sample: [B, K, S, D].
    steps = tf.matmul(noise[:, None], matrices, transpose_b=True)
    return tf.gather(
        tf.transpose(steps, [0, 2, 1, 3]), component, batch_dims=2)


def component_draws(params, noise):
    """Draws from every component, for losses; differentiable in all params.

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
