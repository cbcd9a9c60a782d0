"""From the mixture P(z | G) to the S latents of one call: the three modes.

"diverse" sums many draws up in few results.  It neither picks the draws that
are farthest apart, which are improbable ones, nor begins with the component
mean of highest density: in 64 dimensions a component a tenth narrower than
another has e^6 times its density, however light it is.  The mixture's mean,
and cluster centres beside it in order of the share of draws that each stands
for, have a lower error at every rank, at more variance and truer chroma (see
docs/experiments.md).
"samples" is ordered by density, "components" by weight.
"""

from typing import TypedDict

import tensorflow as tf

from tfdivcolor.latent import clustering, palettes, plain_tensorflow, seeds
from tfdivcolor.latent.distributions import MixtureParameters, SteeredMixture
from tfdivcolor.utils.types import Tensor

# Draws that "diverse" sums up: so many a sample, and at least so many.
POOL_PER_SAMPLE = 4
SMALLEST_POOL = 128
# Share of them that counts as probable.  The rest are the far tails of broad
# components, which would get a garish result each.
PROBABLE = 0.95
# A result counts as the mean of its cluster and of so many draws in the
# middle: what few draws stand for would be one loud tint.
MIDDLE_DRAWS = 2.0
# Components farther apart than so many of their own standard deviations are
# groups of their own, without a middle.
FAR = 3.0
# Draws that shares are counted among.
SHARE_DRAWS = 256


class Latents(TypedDict):
    """S latents of each picture, and what the mixture says of them.

    Attributes:
        z: float32 [B, S, D].
        log_prob: float32 [B, S]. log p(z | G) of the untempered mixture, in
            nats.
        component: int32 [B, S]. The mixture component most responsible for z.
        weight: float32 [B, S]. That component's weight.
        share: float32 [B, S]. Share of the mixture's draws that are nearer to
            this result than to the others; they sum to 1.
    """

    z: Tensor
    log_prob: Tensor
    component: Tensor
    weight: Tensor
    share: Tensor


def latents(
        params: MixtureParameters, sensitivity: Tensor, seed: Tensor,
        num_samples: Tensor, temperature: Tensor, mode: str,
        palette: bool = False,
        steered: MixtureParameters | SteeredMixture | None = None,
        first: Tensor | None = None) -> Latents:
    """Chooses S latents for each picture.

    Args:
        params: MixtureParameters. P(z | G), which decides on log_prob,
            component and weight.
        sensitivity: float32 [B, D] or [1, D]. How far a unit step in each
            latent dimension moves the colour field (decoder.sensitivity);
            the measure of difference in "diverse".
        seed: int64 [B].
        num_samples: int32 scalar S.
        temperature: float32 scalar or [B], 0 or more.
        mode: str, one of `settings.MODES`.
        palette: bool. Whether z is a palette (decoder.latent_is_palette);
            results of "diverse" then keep the chroma of what they sum up.
        steered: a mixture of the same D, or None. The one to draw from in
            place of `params` (`steering`).
        first: float32 [B, D] or None. A latent that is to be the first
            result as it is, whatever its log_prob; not with "components".

    Returns:
        Latents.
    """
    source = params if steered is None else steered
    component = None
    if mode == "components":
        # The components' means, heaviest first: the paper's figures.
        _, component = tf.math.top_k(source["mixture_logits"], num_samples)
        z = tf.gather(source["locs"], component, batch_dims=1)
    elif mode == "samples":
        z = _by_density(params, plain_tensorflow.draw(
            source, seed, num_samples, temperature), first)
    else:
        z = _diverse(params, source, sensitivity, seed, num_samples,
                     temperature, palette, first)
    return rated(params, source, sensitivity, seed, z, component)


def rated(params: MixtureParameters,
          source: MixtureParameters | SteeredMixture, sensitivity: Tensor,
          seed: Tensor, z: Tensor, component: Tensor | None = None) -> Latents:
    """What the mixture says of latents.

    Args:
        params: MixtureParameters. Decides on log_prob, component and weight.
        source: the mixture that shares are counted in: `params`, or a steered
            one.
        sensitivity, seed: as in `latents`.
        z: float32 [B, S, D].
        component: int32 [B, S]. The components that they belong to, or None
            for the most responsible ones.

    Returns:
        Latents, in the order of z.
    """
    by_component = plain_tensorflow.component_log_prob(params, z)  # [B, S, K]
    if component is None:
        component = tf.argmax(by_component, -1, output_type=tf.int32)
    return {
        "z": z,
        "log_prob": tf.reduce_logsumexp(by_component, axis=-1),
        "component": component,
        "weight": tf.gather(tf.nn.softmax(params["mixture_logits"]),
                            component, batch_dims=1),
        "share": shares(source, sensitivity, seed, z),
    }


def shares(source: MixtureParameters | SteeredMixture, sensitivity: Tensor,
           seed: Tensor, z: Tensor) -> Tensor:
    """Share of a mixture that each of S latents stands for.

    Counted among `SHARE_DRAWS` draws at full temperature, whatever the
    results' own, each given to the nearest latent: a result of share .3 comes
    nearest to the truth in 3 of 10 pictures, as far as P(z | G) is right.

    Args:
        source: MixtureParameters or SteeredMixture.
        sensitivity, seed: as in `latents`.
        z: float32 [B, S, D].

    Returns:
        float32 [B, S], sums to 1.
    """
    draws = plain_tensorflow.draw(
        source, seed, SHARE_DRAWS, 1.0, seeds.SHARES)
    scale = sensitivity[:, None]
    nearest = tf.argmin(
        clustering.distances(draws * scale, z * scale), axis=-1)
    return tf.reduce_mean(tf.one_hot(nearest, tf.shape(z)[1]), axis=1)


def _by_density(params, z, first):
    """Draws, the most probable first; a given one before them all."""
    order = plain_tensorflow.log_prob(params, z)
    if first is not None:
        z = tf.concat([first[:, None], z[:, 1:]], axis=1)
        order = tf.concat([tf.fill(tf.shape(order[:, :1]), order.dtype.max),
                           order[:, 1:]], axis=1)
    return _ranked(z, order)


def _ranked(z, order):
    # Stable: equal ones keep their order on every machine.
    rank = tf.argsort(order, axis=-1, direction="DESCENDING", stable=True)
    return tf.gather(z, rank, batch_dims=1)


def _diverse(params, source, sensitivity, seed, num_samples, temperature,
             palette, first):
    """Few latents that stand for many draws, the safest first.

    The centres of a cluster analysis of the probable draws: what they have in
    common is kept, what they disagree about becomes the difference between
    results.  Centres differ less than draws do, hence the square root of the
    temperature.

    Unless the mixture's components are far apart, its mean is the first
    result: of all single answers tried it has the lowest error, whatever the
    share of draws around it.  A latent that is given takes its place.  The
    other results are drawn a little towards it, those of few draws most.

    "Probable" is by `params`, not by the steered mixture, whose components may
    be flat and have no density: where all draws agree with the hints, those
    that are likely in themselves are the better ones.
    """
    pool_size = tf.maximum(POOL_PER_SAMPLE * num_samples, SMALLEST_POOL)
    draws = plain_tensorflow.draw(
        source, seed, pool_size, tf.sqrt(temperature))
    count = tf.cast(PROBABLE * tf.cast(pool_size, tf.float32), tf.int32)
    _, probable = tf.math.top_k(
        plain_tensorflow.log_prob(params, draws), count)
    draws = tf.gather(draws, probable, batch_dims=1)
    # Distances are to be those of colour fields.
    # 1e-6: a region that covers no pixel moves nothing; it must not divide
    # by zero on the way back.
    scale = tf.maximum(sensitivity, 1e-6)[:, None]  # [B, 1, D]
    if first is None:
        weights = tf.nn.softmax(source["mixture_logits"])
        middle = tf.matmul(weights[:, None], source["locs"])  # [B, 1, D]
        anchored = _is_one_group(source, middle, scale, temperature)
    else:
        middle = first[:, None]
        anchored = tf.fill([tf.shape(first)[0], 1], True)
    points = (draws - middle) * scale
    centres, own = clustering.centres(
        points, clustering.spread_out(points, num_samples),
        tf.expand_dims(anchored, -1))
    size = tf.reduce_sum(own, axis=1)  # [B, S]
    # Between far components there is nothing to be drawn to.
    pull = tf.expand_dims(
        tf.where(anchored, size / (size + MIDDLE_DRAWS), 1.0), -1)
    z = pull * centres / scale + middle
    if palette:
        z = palettes.restore_chroma(z, draws, own, pull)
    if first is not None:
        z = tf.concat([middle, z[:, 1:]], axis=1)
    size = tf.concat([tf.where(anchored, size.dtype.max, size[:, :1]),
                      size[:, 1:]], axis=1)
    return _ranked(z, size)


def _is_one_group(source, middle, scale, temperature):
    """Whether a mixture's components lie around its mean: bool [B, 1].

    Compares the variance between the components with that within, as fields
    differ.  At temperature 0, which leaves nothing within, they never do.
    """
    weights = tf.nn.softmax(source["mixture_logits"])
    between = tf.reduce_sum(
        tf.square((source["locs"] - middle) * scale), axis=-1)  # [B, K]
    if "roots" in source:
        variance = tf.reduce_sum(tf.square(source["roots"]), axis=-1)
    else:
        variance = tf.square(source["scales"])
    if "factors" in source:
        variance += tf.reduce_sum(tf.square(source["factors"]), axis=-1)
    within = tf.reduce_sum(variance * tf.square(scale), axis=-1)  # [B, K]
    within *= FAR ** 2 * tf.reshape(temperature, [-1, 1])
    return tf.reduce_sum(
        weights * (within - between), axis=-1, keepdims=True) > 0
