"""From the mixture P(z | G) to the S latents of one call: the three modes.

Every mode returns a dict, `Latents` in docstrings:

    z:         float32 [B, S, D]
    log_prob:  float32 [B, S], log p(z | G) of the untempered mixture, in nats
    component: int32 [B, S], the mixture component most responsible for z
    weight:    float32 [B, S], that component's weight

The most probable comes first, in every mode by `log_prob` except
"components", which goes by weight.

"diverse" neither picks the draws that are farthest apart, which are improbable
ones, nor begins with the component mean of highest density: in 64 dimensions a
component a tenth narrower than another has e^6 times its density, however
light it is.  Measured on LFW (see docs/experiments.md), the mean of the draws
and cluster centres beside it have a lower error at every rank, at more variance
and truer chroma.
"""

import tensorflow as tf

from tfdivcolor.latent import distributions

# Draws that "diverse" sums up: so many a sample, and at least so many.
POOL_PER_SAMPLE = 4
SMALLEST_POOL = 128
CLUSTER_STEPS = 6
# Share of them that counts as probable.  The rest are the far tails of broad
# components, which would get a garish result each.
PROBABLE = 0.95


def latents(params, sensitivity, seed, num_samples, temperature, mode,
            steered=None, first=None):
    """Chooses S latents for each picture.

    Args:
        params: MixtureParameters (`distributions`): P(z | G), which decides
            on log_prob, component and weight.
        sensitivity: float32 [B, D] or [1, D]. How far a unit step in each
            latent dimension moves the colour field (decoder.sensitivity);
            the measure of difference in "diverse".
        seed: int64 [B].
        num_samples: int32 scalar S.
        temperature: float32 scalar or [B], 0 or more.
        mode: str, one of `settings.MODES`.
        steered: MixtureParameters of the same D, or None. The mixture to draw
            from in place of `params` (`steering`).
        first: float32 [B, D] or None. A latent that is to be the first
            result as it is, whatever its log_prob; not with "components".

    Returns:
        Latents.
    """
    source = params if steered is None else steered
    if mode == "components":
        # The components' means, heaviest first: the paper's figures.
        _, order = tf.math.top_k(source["mixture_logits"], num_samples)
        z = tf.gather(source["locs"], order, batch_dims=1)
    elif mode == "samples":
        z = distributions.draw(source, seed, num_samples, temperature)
        if first is not None:
            z = tf.concat([first[:, None], z[:, 1:]], axis=1)
    else:
        z = _diverse(params, source, sensitivity, seed, num_samples,
                     temperature, first)
    if mode == "components":
        return rated(params, z, order)
    chosen = rated(params, z)
    order = chosen["log_prob"]
    if first is not None:
        order = tf.concat([tf.fill(tf.shape(order[:, :1]), order.dtype.max),
                           order[:, 1:]], axis=1)
    # Stable: equal ones keep their order on every machine.
    rank = tf.argsort(order, axis=-1, direction="DESCENDING", stable=True)
    return {name: tf.gather(value, rank, batch_dims=1)
            for name, value in chosen.items()}


def rated(params, z, component=None):
    """What the mixture says of latents.

    Args:
        params: MixtureParameters.
        z: float32 [B, S, D].
        component: int32 [B, S]. The components that they belong to, or None
            for the most responsible ones.

    Returns:
        Latents, in the order of z.
    """
    by_component = distributions.component_log_prob(params, z)  # [B, S, K]
    if component is None:
        component = tf.argmax(by_component, -1, output_type=tf.int32)
    return {
        "z": z,
        "log_prob": tf.reduce_logsumexp(by_component, axis=-1),
        "component": component,
        "weight": tf.gather(tf.nn.softmax(params["mixture_logits"]),
                            component, batch_dims=1),
    }


def _diverse(params, source, sensitivity, seed, num_samples, temperature,
             first):
    """Few latents that stand for many draws.

    The centres of a cluster analysis of the probable draws: what they have in
    common is kept, what they disagree about becomes the difference between
    results.  Centres differ less than draws do, hence the square root of the
    temperature.

    Where the mean of them all is more probable than any one of them, as it is
    unless the mixture's components are far apart, it is the first centre and
    stays: of all single answers tried it has the lowest error.  A latent that
    is given takes that place.

    "Probable" is by `params`, not by the steered mixture, whose components may
    be flat and have no density: where all draws agree with the hints, those
    that are likely in themselves are the better ones.
    """
    pool_size = tf.maximum(POOL_PER_SAMPLE * num_samples, SMALLEST_POOL)
    draws = distributions.draw(
        source, seed, pool_size, tf.sqrt(temperature))
    count = tf.cast(PROBABLE * tf.cast(pool_size, tf.float32), tf.int32)
    log_prob, probable = tf.math.top_k(
        distributions.log_prob(params, draws), count)
    draws = tf.gather(draws, probable, batch_dims=1)
    # Distances are to be those of colour fields.
    # 1e-6: a region that covers no pixel moves nothing; it must not divide
    # by zero on the way back.
    scale = tf.maximum(sensitivity, 1e-6)[:, None]  # [B, 1, D]
    if first is None:
        middle = tf.reduce_mean(draws, axis=1, keepdims=True)
        anchored = distributions.log_prob(params, middle) > log_prob[:, :1]
        # At temperature 0 the results are the components' means themselves.
        anchored &= tf.reshape(temperature, [-1, 1]) > 0
    else:
        middle = first[:, None]
        anchored = tf.fill([tf.shape(first)[0], 1], True)
    points = (draws - middle) * scale
    centres = _centres(
        points, _spread_out(points, num_samples), anchored[..., None])
    return centres / scale + middle


def _spread_out(points, num_chosen):
    """Chooses points so that every point has a chosen one near.

    Greedy facility location: each choice lowers the sum of all points'
    distances to their nearest chosen point the most.  The first is the
    medoid.

    Args:
        points: float32 [B, P, D].
        num_chosen: int32 scalar S, at most P.

    Returns:
        float32 [B, S, D].
    """
    distance = _distances(points, points)  # [B, P, P]
    first = tf.argmin(tf.reduce_sum(distance, axis=-1), axis=-1,
                      output_type=tf.int32)
    nearest = tf.gather(distance, first, batch_dims=1)  # [B, P]
    # Of each point, the sum if it were chosen next.  float64: so much is taken
    # away from it, on a GPU in any order, that float32 would not repeat.
    cost = tf.cast(tf.reduce_sum(
        tf.minimum(nearest[:, None], distance), axis=-1), tf.float64)

    def choose(i, nearest, cost, chosen):
        best = tf.argmin(cost, axis=-1, output_type=tf.int32)
        new = tf.gather(distance, best, batch_dims=1)
        # What the points that have come nearer no longer add to a sum is taken
        # away.  They are fewer with each choice; summing up anew would cost
        # P^2 for each.
        nearer = tf.where(new < nearest)  # [N, 2]
        less = tf.nn.relu(
            tf.minimum(tf.gather_nd(nearest, nearer)[:, None],
                       tf.gather_nd(distance, nearer))
            - tf.gather_nd(new, nearer)[:, None])  # [N, P]
        cost -= tf.math.unsorted_segment_sum(
            tf.cast(less, cost.dtype), nearer[:, 0], tf.shape(points)[0])
        cost.set_shape(points.shape[:2])
        return i + 1, tf.minimum(nearest, new), cost, chosen.write(i, best)

    chosen = tf.TensorArray(tf.int32, size=num_chosen, element_shape=[None])
    *_, chosen = tf.while_loop(
        lambda i, *_: i < num_chosen, choose,
        (1, nearest, cost, chosen.write(0, first)))
    return tf.gather(points, tf.transpose(chosen.stack()), batch_dims=1)


def _centres(points, centres, anchored):
    """Moves centres to the means of the points nearest to them (Lloyd).

    Args:
        points: float32 [B, P, D], of mean 0.
        centres: float32 [B, S, D].
        anchored: bool [B, 1, 1]. Whether the first stays at 0.

    Returns:
        float32 [B, S, D].
    """
    def anchor(centres):
        first = tf.where(anchored, 0.0, centres[:, :1])
        return tf.concat([first, centres[:, 1:]], axis=1)

    centres = anchor(centres)
    for _ in range(CLUSTER_STEPS):
        nearest = tf.argmin(_distances(points, centres), axis=-1)  # [B, P]
        own = tf.one_hot(nearest, tf.shape(centres)[1])  # [B, P, S]
        count = tf.reduce_sum(own, axis=1)[..., None]
        total = tf.matmul(own, points, transpose_a=True)
        # A centre that lost all its points stays where it is.
        centres = anchor(tf.where(
            count > 0, total / tf.maximum(count, 1.0), centres))
    return centres


def _distances(x, y):
    """Euclidean distances: [B, P, D], [B, Q, D] -> [B, P, Q]."""
    squared = (tf.reduce_sum(tf.square(x), axis=-1)[:, :, None]
               + tf.reduce_sum(tf.square(y), axis=-1)[:, None]
               - 2.0 * tf.matmul(x, y, transpose_b=True))
    return tf.sqrt(tf.maximum(squared, 0.0))
