"""Steering in the graph of an exported model, one photograph at a time.

The counterpart of `coloring.colorize` with hints, warmth and saturation: the
same hints on the same photograph give the same results, because both draw with
`drawing.steered`.

A hint is five numbers: column and row of a pixel, and red, green and blue, as
in `settings.Hint`.  Pictures of a call may have different numbers of hints:
five NaN stand for a missing hint.  The graph turns them into a hint without
weight, which does not move the mixture.  So one graph without branches serves
all rows.
"""

import tensorflow as tf

from tfdivcolor.coloring import drawing
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.export import graph_checks
from tfdivcolor.latent import hints as hint_points
from tfdivcolor.settings import DEFAULTS

# The numbers of a hint, in this order.
NUMBERS = ("x", "y", "red", "green", "blue")
# Hints of a photograph. Memory grows with their number, time with its cube.
MAX_HINTS = 100


def shaped(hints: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Checks the shape and the number of the hints of a call.

    Args:
        hints: float32 [B, H, 5], declared as such.
        count: int32 scalar B. Number of photographs.

    Returns:
        float32 [B, H, 5].
    """
    hints = graph_checks.shape(
        "hints", hints, [count, "H", len(NUMBERS)],
        "x, y, red, green and blue per hint")
    most = tf.shape(hints)[1]
    return graph_checks.after(graph_checks.check(
        most <= MAX_HINTS, f"hints: must be at most {MAX_HINTS} per row "
        "(received ", graph_checks.text(most), ")"), hints)


def checked(hints: tf.Tensor, row: tf.Tensor, luminance: tf.Tensor
            ) -> tf.Tensor:
    """Checks the hints of one photograph.

    Args:
        hints: float32 [N, 5].
        row: int32 scalar. Number of the photograph in the call, for messages.
        luminance: float32 [H, W, 1]. Of the photograph.

    Returns:
        float32 [N, 5], unchanged.

    Raises:
        tf.errors.InvalidArgumentError: when the graph runs, if a hint lies
            outside the photograph, if a number is negative or not whole, or
            if a colour is above 255.
    """
    height, width, _ = tf.unstack(tf.shape(luminance))
    largest = tf.cast([width - 1, height - 1, 255, 255, 255], tf.float32)
    good = ((hints >= 0.0) & (hints <= largest) & (hints == tf.floor(hints))
            | ~_given(hints)[:, None])
    # Without hints, or without bad ones, the appended zeros are the elements.
    flat = tf.concat([tf.reshape(tf.cast(good, tf.int32), [-1]), [0]], axis=0)
    first = tf.argmin(flat, output_type=tf.int32)
    hint, number = first // len(NUMBERS), tf.math.mod(first, len(NUMBERS))
    received = tf.concat([tf.reshape(hints, [-1]), [0.0]], axis=0)[first]
    return graph_checks.after(graph_checks.check(
        tf.reduce_all(good), "hints[", graph_checks.text(row), ", ",
        graph_checks.text(hint), "]: ", tf.constant(NUMBERS)[number],
        " must be a whole number of 0 to ",
        graph_checks.text(largest[number]), " (received ",
        graph_checks.text(received), ")"), hints)


def lightness(luminance: tf.Tensor, hints: tf.Tensor) -> tf.Tensor:
    """Looks up a photograph's own luminance at its hints.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        hints: float32 [N, 5], of `checked`.

    Returns:
        float32 [N, 1]; for five NaN, that of the first pixel.
    """
    points = tf.cast(_numbers(hints)[:, :2], tf.int32)
    return tf.gather_nd(luminance, tf.reverse(points, [1]))


def draw(colorizer: Colorizer, small: tf.Tensor, size: tf.Tensor,
         hints: tf.Tensor, lightness: tf.Tensor,
         numbers: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Draws the results of one photograph in mode "diverse".

    Args:
        colorizer: `Colorizer`.
        small: float32 [s, s, 1], 0..100. Of `drawing.seen`.
        size: int32 [2]. Height and width of the photograph.
        hints: float32 [N, 5], of `checked`.
        lightness: float32 [N, 1], 0..100, of `lightness`.
        numbers: dict of num_samples (S), seed, temperature, saturation and
            warmth, as of `drawing.steered`.

    Returns:
        dict of ab: float32 [S, canvas, canvas, 2], CIE units; share and
        log_prob: float32 [S]; hint_distance: float32 [S, N], ab units, of
        every result, and hint_distance_before: float32 [N], of the first
        result without hints. The distance to a missing hint is NaN.
    """
    # Append a hint without weight, because steering needs at least one hint.
    given, points = _given(hints), tf.pad(_numbers(hints), [[0, 1], [0, 0]])
    weights, targets = hint_points.observed(
        points[:, :2], points[:, 2:], size[1], size[0], colorizer.canvas)
    weights *= tf.cast(tf.pad(given, [[0, 1]]), tf.float32)[:, None]
    targets = tf.where(tf.pad(given, [[0, 1]])[:, None], targets, 0.0)
    grey, params = drawing.look(colorizer, small)
    found, _ = drawing.steered(
        colorizer, DEFAULTS.mode, grey, params, numbers, {
            "weights": weights, "targets": targets,
            "lightness": tf.pad(lightness, [[0, 1], [0, 0]])})

    def distance(name):
        return tf.where(given, found[name][0, ..., :-1], float("nan"))

    return {**{name: found[name][0] for name in ("ab", "share", "log_prob")},
            "hint_distance": distance("hints_after"),
            "hint_distance_before": distance("hints_before")}


def _given(hints):
    """bool [N]: True for hints, False for five NaN."""
    return ~tf.reduce_all(tf.math.is_nan(hints), axis=1)


def _numbers(hints):
    """float32 [N, 5]: zeros instead of five NaN."""
    return tf.where(_given(hints)[:, None], hints, 0.0)
