"""Cluster analysis of draws: a few points that represent many."""

import tensorflow as tf

from tfdivcolor.utils.types import Tensor

CLUSTER_STEPS = 6  # steps of Lloyd's algorithm


def spread_out(points: Tensor, num_chosen: Tensor) -> Tensor:
    """Chooses points so that every point has a chosen one near it.

    Greedy facility location: each choice lowers the sum of the distances from
    all points to their nearest chosen point as much as possible.  The first
    choice is the medoid.

    Args:
        points: float32 [B, P, D].
        num_chosen: int32 scalar S, at most P.

    Returns:
        float32 [B, S, D].
    """
    distance = distances(points, points)  # [B, P, P]
    first = tf.argmin(tf.reduce_sum(distance, axis=-1), axis=-1,
                      output_type=tf.int32)
    nearest = tf.gather(distance, first, batch_dims=1)  # [B, P]
    # The sum for each point if it is chosen next.  float64: repeated
    # subtraction, in any order on a GPU, would make float32 results vary.
    cost = tf.cast(tf.reduce_sum(
        tf.minimum(nearest[:, None], distance), axis=-1), tf.float64)

    def choose(i, best, nearest, cost, chosen):
        new = tf.gather(distance, best, batch_dims=1)
        # Subtract what the points that have come nearer no longer add.  They
        # are fewer with each choice; a new sum would cost P^2 each time.
        nearer = tf.where(new < nearest)  # [N, 2]
        less = tf.nn.relu(
            tf.minimum(tf.gather_nd(nearest, nearer)[:, None],
                       tf.gather_nd(distance, nearer))
            - tf.gather_nd(new, nearer)[:, None])  # [N, P]
        cost -= tf.math.unsorted_segment_sum(
            tf.cast(less, cost.dtype), nearer[:, 0], tf.shape(points)[0])
        cost.set_shape(points.shape[:2])
        following = tf.argmin(cost, axis=-1, output_type=tf.int32)
        return (i + 1, following, tf.minimum(nearest, new), cost,
                chosen.write(i, best))

    # The loop also writes the first choice, although it is known and changes
    # nothing: ONNX has loops that stack results, and no arrays to write to.
    chosen = tf.TensorArray(tf.int32, size=num_chosen, element_shape=[None])
    *_, chosen = tf.while_loop(
        lambda i, *_: i < num_chosen, choose,
        (0, first, nearest, cost, chosen))
    return tf.gather(points, tf.transpose(chosen.stack()), batch_dims=1)


def centres(points: Tensor, centres: Tensor,
            anchored: Tensor) -> tuple[Tensor, Tensor]:
    """Moves centres to the means of the points nearest to them (Lloyd).

    Args:
        points: float32 [B, P, D].
        centres: float32 [B, S, D].
        anchored: bool [B, 1, 1]. Whether the first centre stays at 0.

    Returns:
        centres: float32 [B, S, D].
        own: float32 [B, P, S]. 1 for the nearest centre of a point, else 0.
    """
    def anchor(centres):
        first = tf.where(anchored, 0.0, centres[:, :1])
        return tf.concat([first, centres[:, 1:]], axis=1)

    def nearest(centres):
        return tf.one_hot(tf.argmin(distances(points, centres), axis=-1),
                          tf.shape(centres)[1])

    centres = anchor(centres)
    for _ in range(CLUSTER_STEPS):
        own = nearest(centres)
        count = tf.expand_dims(tf.reduce_sum(own, axis=1), -1)  # [B, S, 1]
        total = tf.matmul(own, points, transpose_a=True)
        # A centre without points stays in place.
        centres = anchor(tf.where(
            count > 0, total / tf.maximum(count, 1.0), centres))
    return centres, nearest(centres)


def distances(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean distances: [B, P, D], [B, Q, D] -> [B, P, Q]."""
    squared = (tf.reduce_sum(tf.square(x), axis=-1)[:, :, None]
               + tf.reduce_sum(tf.square(y), axis=-1)[:, None]
               - 2.0 * tf.matmul(x, y, transpose_b=True))
    return tf.sqrt(tf.maximum(squared, 0.0))
