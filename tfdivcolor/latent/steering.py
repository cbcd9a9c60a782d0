"""Steering: changes of the mixture P(z | G) before latents are drawn from it.

    toward   colours of single points, as hints give them
    warmer   a warmer or cooler picture
    around   variations of one latent
    spread   more or less variety
    apply    all of them, in the order in which they work together

Each takes a mixture and gives another, which `sampling.latents` draws from in
every mode; what comes out is still rated by the one before (`log_prob`).  As
in `distributions`, a mixture is a dict of tensors; most steered ones are
`SteeredMixture`s, with roots in place of scales.
All is linear algebra on K Gaussians, without random numbers: with the same
seed a hint changes the results no more than it must.

What is asked of a field is asked of weighted means of its pixels: of the four
around a hint, of all for warmth.
"""

from typing import Any, cast

import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.latent import hints, plain_tensorflow
from tfdivcolor.latent.decoder import Decoder, LinearDecoder
from tfdivcolor.latent.distributions import MixtureParameters, SteeredMixture
from tfdivcolor.utils.types import Tensor

Mixture = MixtureParameters | SteeredMixture

# Standard deviation of a hint in each of a and b, in CIE units: about what
# one can see.  Contradictory hints share their difference.
HINT_NOISE = 2.5
# How many of its standard deviations the mixture follows a hint; see
# `toward`.  Chosen by eye and measured (python -m benchmarks.quality.hints).
CREDIBLE = 2.0
# Standard deviation, in z, of what a hint changes beyond that.
LOCAL_SCALE = 3.0
# Tangents taken, for what is not linear in the decoder, and how much of the
# way along each is tried.
STEPS = 3
FRACTIONS = (1.0, 0.5, 0.25)
# Direction of warmth in the (a, b) plane, of length 1: from daylight (D65)
# to light bulbs (illuminant A).
WARM = (0.369, 0.929)


def apply(decoder: Decoder, grey: Any, params: MixtureParameters,
          weights: Tensor | None = None, targets: Tensor | None = None,
          warmth: float | None = None, kept: Tensor | None = None,
          strength: float = 1.0) -> tuple[Mixture, Tensor | None]:
    """Steers a mixture by everything that is given.

    Args:
        decoder: a VAE's decoder.
        grey: dict. What the VAE's grey encoder found in B pictures.
        params: MixtureParameters.
        weights, targets: of `hints.observations`, N at least 1, or None.
        warmth: float scalar, or None. As in `warmer`.
        kept: float32 [B, D], or None. A latent to vary.
        strength: float scalar, 0 or more. How various the variations of
            `kept` are: 0 are copies, 1 are as various as ordinary results.

    Returns:
        steered: MixtureParameters.
        first: float32 [B, D], the latent that is to be the first result, or
            None if none was kept: `kept`, moved by the hints and the warmth.
    """
    steered = params if kept is None else around(params, kept)
    if weights is not None:
        steered = toward(decoder, grey, steered, weights, targets)
    if warmth is not None:
        # After the hints, so that it moves their points least.
        steered = warmer(decoder, grey, steered, warmth)
    if kept is None:
        return steered, None
    # Last: what little variety there is must not keep hints from being met.
    return spread(steered, strength), steered["locs"][:, 0]


def condition(params: Mixture, jacobian: Tensor, target: Tensor,
              noise: float) -> SteeredMixture:
    """A mixture given N linear observations of z.

        target = jacobian @ z + noise * (standard normal)

    Every component is conditioned by itself, and its weight multiplied with
    the density that it had given to the observations.  The covariance's roots
    are mapped by a square-root filter (Andrews, 1968): with P the covariance
    and S = J P J^T + noise^2 I = C C^T, C triangular,

        root' = (I - P J^T C^-T (C + noise I)^-1 J) root,

    which is exact, without a difference that could lose its sign, and maps
    each draw to one nearby.

    Args:
        params: MixtureParameters or SteeredMixture.
        jacobian: float32 [B, K, N, D], or [B, 1, N, D] for all components.
        target: float32 [B, K, N] or [B, 1, N].
        noise: float, above 0. In the unit of the target.

    Returns:
        SteeredMixture.
    """
    roots = _roots(params)
    seen = {name: tf.matmul(jacobian, root) for name, root in roots.items()}
    identity = tf.eye(tf.shape(jacobian)[-2])
    triangle = tf.linalg.cholesky(noise**2 * identity + sum(
        tf.matmul(part, part, transpose_b=True) for part in seen.values()))
    cross = sum(tf.matmul(seen[name], root, transpose_b=True)
                for name, root in roots.items())  # J P, [B, K, N, D]
    cross = tf.linalg.triangular_solve(triangle, cross)
    surprise = target - tf.linalg.matvec(jacobian, params["locs"])
    surprise = tf.linalg.triangular_solve(triangle, surprise[..., None])
    evidence = -0.5 * tf.reduce_sum(tf.square(surprise), axis=[-2, -1])
    evidence -= tf.reduce_sum(
        tf.math.log(tf.linalg.diag_part(triangle)), axis=-1)
    gain = tf.linalg.triangular_solve(
        triangle + noise * identity, cross, adjoint=True)  # transposed
    return cast(SteeredMixture, {
        "mixture_logits": tf.nn.log_softmax(
            params["mixture_logits"]) + evidence,
        "locs": params["locs"] + _vector(cross, surprise),
        **{name: root - tf.matmul(gain, seen[name], transpose_a=True)
           for name, root in roots.items()}})


def toward(decoder: Decoder, grey: Any, params: Mixture, weights: Tensor,
           targets: Tensor, noise: float = HINT_NOISE) -> SteeredMixture:
    """A mixture whose decoded fields agree with hints.

    `_follow` on the decoder's tangent at each component's mean, repeated at
    the means that result (Gauss-Newton), or on the way there where that is
    nearer to the hints.  With regions, where all but the refinement is linear,
    the first step is all but exact.

    Args:
        decoder: a VAE's decoder.
        grey: dict. What the VAE's grey encoder found in B pictures.
        params: MixtureParameters or SteeredMixture.
        weights: float32 [N, canvas * canvas], N at least 1.
        targets: float32 [N, 2]. ab in CIE units.
        noise: float, above 0. Standard deviation of a hint in CIE units.

    Returns:
        SteeredMixture.
    """
    steered = params
    for _ in range(STEPS):
        locs = steered["locs"]
        values, jacobian = _tangent(decoder, grey, locs, weights)
        rest = values - tf.linalg.matvec(jacobian, locs)
        steered = _follow(
            params, jacobian, tf.reshape(targets, [-1]) - rest, noise)
        way = steered["locs"] - locs
        tried = tf.concat(
            [locs + fraction * way for fraction in FRACTIONS], axis=1)
        distance = tf.reduce_sum(tf.square(
            _decoded(decoder, grey, tried, weights) - targets), axis=[2, 3])
        best = tf.argmin(tf.reshape(
            distance, [-1, len(FRACTIONS), locs.shape[1]]), axis=1)  # [B, K]
        steered["locs"] = locs + way * tf.gather(
            tf.constant(FRACTIONS), best)[..., None]
    return cast(SteeredMixture, steered)


def _decoded(decoder, grey, z, weights):
    """Weighted means of decoded fields: [B, S, N, 2], ab in CIE units."""
    return color.denormalize_ab(
        hints.means(decoder(z, grey, training=False), weights))


def _follow(params, jacobian, target, noise):
    """`condition`, but bounded in what it believes.

    A hint far outside of what a component expects (red on a suit that is
    grey in every training picture) would drag everything along that ever
    varied with that point, far beyond what was ever seen.  The component
    follows for `CREDIBLE` standard deviations; what is beyond that is put
    there by a small change of z (ridge regression), with regions one of the
    colours of the point's own regions.
    """
    expected = tf.linalg.matvec(jacobian, params["locs"])
    reach = CREDIBLE * tf.sqrt(sum(
        tf.reduce_sum(tf.square(tf.matmul(jacobian, root)), axis=-1)
        for root in _roots(params).values()))
    credible = expected + tf.clip_by_value(target - expected, -reach, reach)
    steered = condition(params, jacobian, credible, noise)
    gram = tf.matmul(jacobian, jacobian, transpose_b=True)
    gram += (noise / LOCAL_SCALE)**2 * tf.eye(tf.shape(gram)[-1])
    missing = tf.linalg.cholesky_solve(
        tf.linalg.cholesky(gram), (target - credible)[..., None])
    return {**steered, "locs": steered["locs"] + _vector(jacobian, missing)}


def _tangent(decoder, grey, z, weights):
    """Weighted means of decoded fields, and their derivatives.

    Args:
        decoder, grey, weights: as in `toward`.
        z: float32 [B, S, D].

    Returns:
        values: float32 [B, S, 2N]. ab in CIE units, a and b by turns.
        jacobian: float32 [B, S, 2N, D], or [B, 1, 2N, D] where it is the
            same for all latents.
    """
    batch, samples = tf.unstack(tf.shape(z)[:2])
    count, latent_dim = 2 * tf.shape(weights)[0], z.shape[-1]
    if isinstance(decoder, LinearDecoder):
        slope = color.denormalize_ab(decoder.slope(grey, weights))
        values = _decoded(decoder, grey, z, weights)
        return (tf.reshape(values, [batch, samples, count]),
                tf.reshape(slope, [batch, 1, count, latent_dim]))
    # One pass back for both numbers of a point, by two copies of the latents.
    twice = tf.repeat(z, 2, axis=1)
    channel = tf.one_hot(tf.range(2 * samples) % 2, 2)  # [2S, 2]

    def one(row):
        with tf.GradientTape() as tape:
            tape.watch(twice)
            ab = _decoded(decoder, grey, twice, row[None])[:, :, 0]
            total = tf.reduce_sum(ab * channel)
        return ab[:, ::2], tf.reshape(
            tape.gradient(total, twice), [batch, samples, 2, latent_dim])

    values, slope = tf.map_fn(one, weights, fn_output_signature=(
        tf.float32, tf.float32))  # [N, B, S, 2], [N, B, S, 2, D]
    return (tf.reshape(tf.transpose(values, [1, 2, 0, 3]),
                       [batch, samples, count]),
            tf.reshape(tf.transpose(slope, [1, 2, 0, 3, 4]),
                       [batch, samples, count, latent_dim]))


def warmer(decoder: Decoder, grey: Any, params: Mixture,
           amount: float) -> Mixture:
    """A mixture whose fields are warmer on average over the picture.

    Every component moves along P h, with P its covariance and h the gradient
    of the picture's mean warmth: the most probable way of being so much
    warmer.  What the mixture is sure of keeps its colour, where a tint over
    everything makes skin orange and whites yellow.

    Args:
        decoder: a VAE's decoder.
        grey: dict. What the VAE's grey encoder found in B pictures.
        params: MixtureParameters or SteeredMixture.
        amount: float scalar, negative for cooler. How far the mean of the
            field moves along `WARM`, in CIE units.

    Returns:
        MixtureParameters, the components' means moved.
    """
    start = locs = params["locs"]
    pixels = decoder.canvas**2
    everywhere = tf.fill([1, pixels], 1.0 / pixels)

    def warmth(locs):
        values, jacobian = _tangent(decoder, grey, locs, everywhere)
        return (tf.linalg.matvec(values, WARM),
                tf.tensordot(jacobian, tf.constant(WARM), [[2], [0]]))

    wanted = warmth(start)[0] + amount
    for _ in range(STEPS):
        found, slope = warmth(locs)  # [B, K], [B, K or 1, D]
        way = sum(tf.linalg.matvec(root, tf.linalg.matvec(
            root, slope, transpose_a=True)) for root in _roots(params).values())
        missing = wanted - found + tf.reduce_sum(
            slope * (locs - start), axis=-1)
        # A mixture without variance does not move.
        step = missing / tf.maximum(tf.reduce_sum(slope * way, axis=-1), 1e-6)
        locs = start + way * step[..., None]
    return cast(Mixture, {**params, "locs": locs})


def around(params: MixtureParameters, z: Tensor) -> MixtureParameters:
    """One Gaussian around a latent, as wide as the mixture is there.

    Args:
        params: MixtureParameters.
        z: float32 [B, D].

    Returns:
        MixtureParameters of one component: its mean z, its covariance that
        of the component most responsible for z.
    """
    component = tf.argmax(
        plain_tensorflow.component_log_prob(params, z[:, None])[:, 0], axis=-1)
    kept = {name: tf.gather(value, component, batch_dims=1)[:, None]
            for name, value in params.items() if name in ("scales", "factors")}
    return cast(MixtureParameters, {
        "mixture_logits": tf.zeros_like(z[:, :1]), "locs": z[:, None], **kept})


def spread(params: Mixture, strength: float) -> Mixture:
    """A mixture with `strength` times the standard deviations.

    Args:
        params: MixtureParameters or SteeredMixture.
        strength: float scalar, 0 or more.

    Returns:
        MixtureParameters.
    """
    values: dict[str, Tensor] = dict(params)
    return cast(Mixture, {
        name: value * strength
        if name in ("scales", "roots", "factors") else value
        for name, value in values.items()})


def _roots(params):
    """dict of matrices R [B, K, D, *]; the covariance is the sum of R R^T."""
    full = (params["roots"] if "roots" in params
            else tf.linalg.diag(params["scales"]))
    return {"roots": full, **{name: params[name] for name in ("factors",)
                              if name in params}}


def _vector(rows, column):
    """rows^T @ column: [B, K, N, D], [B, K, N, 1] -> [B, K, D]."""
    return tf.squeeze(tf.matmul(rows, column, transpose_a=True), -1)
