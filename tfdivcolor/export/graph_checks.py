"""Checks that run in a graph, with messages of one line.

A server checks the names and types of inputs, but not their shapes or values.
Each check here names the input, the rule and the received value, and raises
InvalidArgumentError when the graph runs.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def check(condition: tf.Tensor, *message: str | tf.Tensor) -> tf.Operation:
    """Makes an operation that fails unless a condition holds.

    Args:
        condition: bool scalar.
        *message: str or string scalars, joined on failure.

    Returns:
        tf.Operation, for `after`.
    """
    return tf.debugging.Assert(condition, [tf.strings.join(message)])


def after(operation: tf.Operation, value: tf.Tensor) -> tf.Tensor:
    """Returns a tensor with this value, once an operation has succeeded."""
    with tf.control_dependencies([operation]):
        return tf.identity(value)


def shape(name: str, value: tf.Tensor,
          expected: Sequence[int | str | tf.Tensor],
          meaning: str) -> tf.Tensor:
    """Returns a tensor, and refuses it if its shape is wrong.

    Args:
        name: str. Name of the input.
        value: tensor, declared with this shape.
        expected: list of ints, int32 scalars, and names of variable sizes,
            such as "B".
        meaning: str. Content of the tensor.

    Returns:
        tensor, as declared.
    """
    # Hide the declared shape. A server does not enforce it, and TensorFlow
    # would remove the check as redundant.
    received = tf.shape(_as_fed(value))
    # -1 stands for any size.
    wanted = tf.convert_to_tensor(
        [-1 if isinstance(size, str) else size for size in expected], tf.int32)

    def sizes_agree():
        return tf.reduce_all((received == wanted) | (wanted < 0))

    # Vectors of different lengths cannot be compared.
    agrees = tf.cond(
        tf.size(received) == len(expected), sizes_agree, lambda: False)
    rule = tf.strings.join(
        [size if isinstance(size, str) else text(size) for size in expected],
        separator=", ")
    return after(check(
        agrees, name, ": must be ", meaning, ", shape [", rule,
        "] (received ", text(received), ")"), value)


def number(name: str, value: tf.Tensor, lowest: float, highest: float,
           rule: str) -> tf.Tensor:
    """Returns one number, and refuses NaN and numbers out of range.

    Args:
        name: str. Name of the input.
        value: scalar, declared as such.
        lowest, highest: numbers. Ends of the range, inclusive.
        rule: str. Description of the range.

    Returns:
        scalar, as declared.
    """
    value = shape(name, value, [], "one number")
    return after(check(
        (value >= lowest) & (value <= highest), name, f": must be {rule} "
        "(received ", text(value), ")"), value)


def values(name: str, tensor: tf.Tensor, lowest: float, highest: float,
           rule: str) -> tf.Tensor:
    """Returns numbers, and refuses NaN and numbers out of range.

    The message names the first wrong row.

    Args:
        name: str. Name of the input.
        tensor: float32 [B, ...] with other dimensions known.
        lowest, highest: float. Ends of the range, inclusive.
        rule: str. Description of the range.
    Returns:
        float32 [B, ...].
    """
    good = (tensor >= lowest) & (tensor <= highest)
    by_row = tf.reshape(
        good, [tf.shape(tensor)[0], tensor.shape[1:].num_elements()])
    good_rows = tf.reduce_all(by_row, axis=1)
    # Without rows, or without bad values, the appended zero is the element.
    row = tf.argmin(tf.concat([tf.cast(good_rows, tf.int32), [0]], axis=0))
    bad_values = tf.boolean_mask(tensor, tf.logical_not(good))
    received = tf.concat([bad_values, [0.0]], axis=0)[0]
    return after(check(
        tf.reduce_all(good_rows), name, "[", text(row),
        f"]: must be {rule} (received ", text(received), ")"), tensor)


def text(value: Any) -> tf.Tensor:
    """Formats a number, or a vector in brackets, for messages."""
    value = tf.convert_to_tensor(value)
    words = tf.strings.as_string(value, shortest=value.dtype.is_floating)
    if words.shape.rank == 0:
        return words
    return tf.strings.join(
        ["[", tf.strings.reduce_join(words, separator=", "), "]"])


def _as_fed(value):
    """Hides the declared shape of a value, even from the graph's optimiser."""
    array = tf.TensorArray(
        value.dtype, size=1, infer_shape=False, element_shape=None)
    return array.write(0, value).read(0)
