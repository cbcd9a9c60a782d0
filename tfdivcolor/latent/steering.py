"""Steering: changes of the mixture P(z | G) before latents are drawn.

    toward   colours at single points, from hints
    warmer   a warmer or cooler picture
    around   variations of one latent
    spread   more or less variety
    apply    all of them, in the right order

Each function takes a mixture and returns another. `sampling.latents` draws from
it in every mode, but rates the draws by the original mixture (`log_prob`).  As
in `distributions`, a mixture is a dict of tensors; most steered ones are
`SteeredMixture`s, with roots instead of scales.
Steering is linear algebra on K Gaussians, without random numbers: with the
same seed a hint changes the results only as much as necessary.

Steering observes weighted means of a field's pixels: of the four pixels around
a hint, or of all pixels for warmth.
"""

from typing import Any, cast

import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.latent import hints, plain_tensorflow
from tfdivcolor.latent.decoder import Decoder, LinearDecoder
from tfdivcolor.latent.distributions import MixtureParameters, SteeredMixture
from tfdivcolor.utils.types import Tensor

Mixture = MixtureParameters | SteeredMixture

# Standard deviation of a hint in each of a and b, in CIE units: about the
# visible difference.  Contradictory hints compromise.
HINT_NOISE = 2.5
# The mixture follows a hint by at most this number of its standard deviations;
# see `_follow`.  Chosen by eye and measured (python -m
# benchmarks.quality.hints).
CREDIBLE = 2.0
# Standard deviation, in z, of the change that a hint makes beyond that.
LOCAL_SCALE = 3.0
# Number of tangents, because the decoder is not quite linear, and the fractions
# of each step to try.
STEPS = 3
FRACTIONS = (1.0, 0.5, 0.25)
# Direction of warmth in the (a, b) plane, of length 1: from daylight (D65)
# to light bulbs (illuminant A).
WARM = (0.369, 0.929)


def apply(decoder: Decoder, grey: Any, params: MixtureParameters,
          weights: Tensor | None = None, targets: Tensor | None = None,
          warmth: float | None = None, kept: Tensor | None = None,
          strength: float = 1.0) -> tuple[Mixture, Tensor | None]:
    """Steers a mixture by all given arguments.

    Args:
        decoder: a VAE's decoder.
        grey: dict. Output of the VAE's grey encoder for B pictures.
        params: MixtureParameters.
        weights, targets: from `hints.observations`, N at least 1, or None.
            Default to None.
        warmth: float scalar, or None. As in `warmer`. Defaults to None.
        kept: float32 [B, D], or None. A latent to vary. Defaults to None.
        strength: float scalar, 0 or more. Variety of the variations of `kept`:
            0 gives copies, 1 the variety of ordinary results. Defaults to 1.

    Returns:
        steered: MixtureParameters or SteeredMixture.
        first: float32 [B, D], the latent for the first result: `kept`, moved
            by the hints and the warmth. None without `kept`.
    """
    steered = params if kept is None else around(params, kept)
    if weights is not None:
        steered = toward(decoder, grey, steered, weights, targets)
    if warmth is not None:
        # After the hints, so that warmth changes their points least.
        steered = warmer(decoder, grey, steered, warmth)
    if kept is None:
        return steered, None
    # Last, because a small variety must not prevent hints.
    return spread(steered, strength), steered["locs"][:, 0]


def condition(params: Mixture, jacobian: Tensor, target: Tensor,
              noise: float) -> SteeredMixture:
    """Conditions a mixture on N linear observations of z.

        target = jacobian @ z + noise * (standard normal)

    Each component is conditioned separately, and its weight is multiplied by
    the density that it gave to the observations.  A square-root filter
    (Andrews, 1968) maps the roots of the covariance: with P the covariance
    and S = J P J^T + noise^2 I = C C^T, C triangular,

        root' = (I - P J^T C^-T (C + noise I)^-1 J) root.

    This is exact, has no difference that could lose its sign, and maps each
    draw to one nearby.

    Args:
        params: MixtureParameters or SteeredMixture.
        jacobian: float32 [B, K, N, D], or [B, 1, N, D] for all components.
        target: float32 [B, K, N] or [B, 1, N].
        noise: float, above 0, in the unit of the target.

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
    """Moves a mixture so that its decoded fields agree with hints.

    The function applies `_follow` to the decoder's tangent at the mean of each
    component, and repeats this at the resulting means (Gauss-Newton), or at a
    point on the way there that is nearer to the hints.  Decoders of regions
    are linear except for the refinement, so the first step is almost exact.

    Args:
        decoder: a VAE's decoder.
        grey: dict. Output of the VAE's grey encoder for B pictures.
        params: MixtureParameters or SteeredMixture.
        weights: float32 [N, canvas * canvas], N at least 1.
        targets: float32 [N, 2]. ab in CIE units.
        noise: float, above 0. Standard deviation of a hint in CIE units.
            Defaults to 2.5.

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
    """`condition`, with a limit on its belief in the hints.

    A hint far outside a component's expectation (red on a suit that is grey in
    every training picture) would drag along everything correlated with that
    point, far beyond the training data.  The component follows for `CREDIBLE`
    standard deviations. A small change of z supplies the rest (ridge
    regression); with regions it changes the colours of the point's regions.
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
        values: float32 [B, S, 2N]. ab in CIE units, a and b alternating.
        jacobian: float32 [B, S, 2N, D], or [B, 1, 2N, D] if it is the same
            for all latents.
    """
    batch, samples = tf.unstack(tf.shape(z)[:2])
    count, latent_dim = 2 * tf.shape(weights)[0], z.shape[-1]
    if isinstance(decoder, LinearDecoder):
        slope = color.denormalize_ab(decoder.slope(grey, weights))
        values = _decoded(decoder, grey, z, weights)
        return (tf.reshape(values, [batch, samples, count]),
                tf.reshape(slope, [batch, 1, count, latent_dim]))
    # Two copies of the latents: one backward pass for both numbers of a point.
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
    """Makes the fields of a mixture warmer on average over the picture.

    Each component moves along P h, with its covariance P and the gradient h of
    the picture's mean warmth: the most probable way to reach that warmth.
    Confident colours keep their hue, whereas a tint over everything makes skin
    orange and whites yellow.

    Args:
        decoder: a VAE's decoder.
        grey: dict. Output of the VAE's grey encoder for B pictures.
        params: MixtureParameters or SteeredMixture.
        amount: float scalar, negative for cooler. Movement of the mean of the
            field along `WARM`, in CIE units.

    Returns:
        a mixture of the same kind, with moved means.
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
    """Makes one Gaussian around a latent, as wide as the mixture there.

    Args:
        params: MixtureParameters.
        z: float32 [B, D].

    Returns:
        MixtureParameters of one component with the mean z and the covariance
        of the component most responsible for z.
    """
    component = tf.argmax(
        plain_tensorflow.component_log_prob(params, z[:, None])[:, 0], axis=-1)
    kept = {name: tf.gather(value, component, batch_dims=1)[:, None]
            for name, value in params.items() if name in ("scales", "factors")}
    return cast(MixtureParameters, {
        "mixture_logits": tf.zeros_like(z[:, :1]), "locs": z[:, None], **kept})


def spread(params: Mixture, strength: float) -> Mixture:
    """Multiplies a mixture's standard deviations by `strength`.

    Args:
        params: MixtureParameters or SteeredMixture.
        strength: float scalar, 0 or more.

    Returns:
        a mixture of the same kind.
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
