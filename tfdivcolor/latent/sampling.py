"""Chooses the S latents of a call from the mixture P(z | G), in three modes.

"diverse" summarises many draws in a few results.  It does not pick the draws
that are farthest apart, because those are improbable.  Nor does it begin with
the component mean of highest density: in 64 dimensions a component that is a
tenth narrower has e^6 times the density, however light it is.  Instead it takes
the mixture's mean and cluster centres, in the order of their shares of draws.
These have a lower error at every rank, with more variance and truer chroma
(see docs/experiments.md).
"samples" is ordered by density, "components" by weight.
"""

from typing import Any, TypedDict

import tensorflow as tf

from tfdivcolor.latent import clustering, palettes, plain_tensorflow, seeds
from tfdivcolor.latent.distributions import MixtureParameters, SteeredMixture
from tfdivcolor.utils.types import Tensor

# Draws that "diverse" summarises: the number per result, and the least number.
POOL_PER_SAMPLE = 4
SMALLEST_POOL = 256
# Share of the draws that counts as probable.  The rest are the far tails of
# broad components; each would become a garish result.
PROBABLE = 0.95
# A result is the mean of its cluster and of this many draws at the middle.
# Without them, a cluster of few draws would be one loud tint.
MIDDLE_DRAWS = 4.0
# Largest factors on the chroma of a region's colour, for the mixture's mean,
# which is the greyest, and for the means of clusters.  Larger ones give more
# error and more tints.
MEAN_FACTOR = 2.0
CLUSTER_FACTOR = 1.5
# Components farther apart than this number of standard deviations form
# separate groups without a middle.
FAR = 3.0
# Number of draws for counting shares.
SHARE_DRAWS = 256


class Latents(TypedDict):
    """S latents of each picture, and their ratings by the mixture.

    Attributes:
        z: float32 [B, S, D].
        log_prob: float32 [B, S]. log p(z | G) of the untempered mixture, in
            nats.
        component: int32 [B, S]. The mixture component most responsible for z.
        weight: float32 [B, S]. That component's weight.
        share: float32 [B, S]. Share of the mixture's draws that are nearer to
            this result than to the others; shares sum to 1.
    """

    z: Tensor
    log_prob: Tensor
    component: Tensor
    weight: Tensor
    share: Tensor


def latents(
        params: MixtureParameters, sensitivity: Tensor,
        seed: Tensor | seeds.Given, num_samples: Tensor, temperature: Tensor,
        mode: str, palette: bool = False,
        steered: MixtureParameters | SteeredMixture | None = None,
        first: Tensor | None = None) -> Latents:
    """Chooses S latents for each picture.

    Args:
        params: MixtureParameters. P(z | G), which determines log_prob,
            component and weight.
        sensitivity: float32 [B, D] or [1, D]. Movement of the colour field for
            a unit step in each latent dimension (decoder.sensitivity): the
            measure of difference in "diverse".
        seed: int64 [B], or `seeds.Given` with the numbers of `num_draws`
            draws for `seeds.RESULTS` and `SHARE_DRAWS` for `seeds.SHARES`.
        num_samples: int32 scalar S.
        temperature: float32 scalar or [B], 0 or more.
        mode: str, one of `settings.MODES`.
        palette: bool. Whether z is a palette (decoder.latent_is_palette);
            results of "diverse" then keep the chroma of their draws. Defaults
            to False.
        steered: a mixture of the same D, or None. The mixture to draw from
            instead of `params` (`steering`). Defaults to None.
        first: float32 [B, D] or None. A latent that becomes the first result
            unchanged, whatever its log_prob; not with "components". Defaults
            to None.

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


def num_draws(mode: str, num_samples: int | Tensor) -> Any:
    """Counts the draws that a mode makes for S results of a picture.

    Args:
        mode: str, one of `settings.MODES`.
        num_samples: int or int32 scalar S.

    Returns:
        int or int32 scalar, without the `SHARE_DRAWS` draws for shares.
    """
    if mode == "components":
        return 0
    if mode == "samples":
        return num_samples
    return tf.maximum(POOL_PER_SAMPLE * num_samples, SMALLEST_POOL)


def rated(params: MixtureParameters,
          source: MixtureParameters | SteeredMixture, sensitivity: Tensor,
          seed: Tensor | seeds.Given, z: Tensor,
          component: Tensor | None = None) -> Latents:
    """Rates latents by the mixture.

    Args:
        params: MixtureParameters. Determines log_prob, component and weight.
        source: the mixture for the shares: `params`, or a steered one.
        sensitivity, seed: as in `latents`.
        z: float32 [B, S, D].
        component: int32 [B, S]. Components of the latents, or None for the
            most responsible ones. Defaults to None.

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
           seed: Tensor | seeds.Given, z: Tensor) -> Tensor:
    """Counts the share of a mixture that each of S latents represents.

    The function draws `SHARE_DRAWS` latents at temperature 1, whatever the
    temperature of the results, and counts each for the nearest result. If
    P(z | G) is right, a result of share .3 is nearest to the truth in 3 of 10
    pictures.

    Args:
        source: MixtureParameters or SteeredMixture.
        sensitivity, seed: as in `latents`.
        z: float32 [B, S, D].

    Returns:
        float32 [B, S], with rows of sum 1.
    """
    draws = plain_tensorflow.draw(
        source, seed, SHARE_DRAWS, 1.0, seeds.SHARES)
    scale = sensitivity[:, None]
    nearest = tf.argmin(
        clustering.distances(draws * scale, z * scale), axis=-1)
    return tf.reduce_mean(tf.one_hot(nearest, tf.shape(z)[1]), axis=1)


def _by_density(params, z, first):
    """Sorts draws by density, after a given first latent."""
    order = plain_tensorflow.log_prob(params, z)
    if first is not None:
        z = tf.concat([first[:, None], z[:, 1:]], axis=1)
        order = tf.concat([tf.fill(tf.shape(order[:, :1]), order.dtype.max),
                           order[:, 1:]], axis=1)
    return _ranked(z, order)


def _ranked(z, order):
    # A stable sort keeps the order of equal ones on every machine.
    rank = tf.argsort(order, axis=-1, direction="DESCENDING", stable=True)
    return tf.gather(z, rank, batch_dims=1)


def _diverse(params, source, sensitivity, seed, num_samples, temperature,
             palette, first):
    """Chooses a few latents that represent many draws, the safest first.

    The latents are the centres of a cluster analysis of the probable draws:
    centres keep what draws have in common, and differ where draws disagree.
    Centres differ less than draws do, hence the square root of the
    temperature.

    The mixture's mean is the first result, unless the components are far
    apart: of all single results tried it has the lowest error, whatever the
    share of draws around it.  A given latent replaces it.  The other results
    are pulled a little towards it, those of few draws most.

    "Probable" refers to `params`, not to the steered mixture, whose components
    may be flat and have no density: if all draws agree with the hints, the
    draws that are likely without them are better.
    """
    pool_size = num_draws("diverse", num_samples)
    draws = plain_tensorflow.draw(
        source, seed, pool_size, tf.sqrt(temperature))
    count = tf.cast(PROBABLE * tf.cast(pool_size, tf.float32), tf.int32)
    _, probable = tf.math.top_k(
        plain_tensorflow.log_prob(params, draws), count)
    draws = tf.gather(draws, probable, batch_dims=1)
    # Scaled, so that distances are those of colour fields.
    # 1e-6: a region without pixels has no effect, and would otherwise divide
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
    # Components far apart have no common middle.
    pull = tf.expand_dims(
        tf.where(anchored, size / (size + MIDDLE_DRAWS), 1.0), -1)
    z = pull * centres / scale + middle
    if palette:
        is_mean = anchored & (tf.range(num_samples) == 0)
        largest = tf.where(is_mean, MEAN_FACTOR, CLUSTER_FACTOR)
        z = palettes.restore_chroma(
            z, draws, own, pull, tf.expand_dims(largest, -1))
    if first is not None:
        z = tf.concat([middle, z[:, 1:]], axis=1)
    size = tf.concat([tf.where(anchored, size.dtype.max, size[:, :1]),
                      size[:, 1:]], axis=1)
    return _ranked(z, size)


def _is_one_group(source, middle, scale, temperature):
    """Whether a mixture's components lie around its mean: bool [B, 1].

    The function compares the variance between components with that within, in
    the measure of colour fields.  Temperature 0 leaves no variance within, so
    the answer is then False.
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
