"""Loops over the rows of a call, in the graph."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

# Type and shape of one row's tensor. Sizes are ints, or int32 scalars that the
# graph computes.
Row = tuple[tf.DType, Sequence[int | tf.Tensor]]


def spec(row: Row) -> tf.TensorSpec:
    """Makes the `TensorSpec` of a row; sizes from the graph become None."""
    dtype, shape = row
    return tf.TensorSpec(
        [size if isinstance(size, int) else None for size in shape], dtype)


def each(count: tf.Tensor, function: Callable[[tf.Tensor], dict[str, Any]],
         rows: Mapping[str, Row]) -> dict[str, tf.Tensor]:
    """Calls a function for one row at a time, and stacks the results.

    Args:
        count: int32 scalar B, 0 or more.
        function: takes the row's number, int32 scalar; returns a dict.
        rows: dict from the name of a result to its type and shape.

    Returns:
        dict from the name of a result to a tensor [B, ...].
    """
    specs = {name: spec(row) for name, row in rows.items()}

    def looped():
        return tf.map_fn(function, tf.range(count), parallel_iterations=1,
                         fn_output_signature=specs)

    known = all(each.shape.is_fully_defined() for each in specs.values())
    found = looped() if known else tf.cond(
        count > 0, looped, lambda: {
            name: tf.zeros([0, *shape], dtype)
            for name, (dtype, shape) in rows.items()})
    return {name: tf.ensure_shape(value, [None, *specs[name].shape])
            for name, value in found.items()}


def at_least_one(function: Callable[..., Mapping[str, tf.Tensor]],
                 *rows: tf.Tensor) -> dict[str, tf.Tensor]:
    """Calls a function of rows, or with a row of zeros if there are none.

    oneDNN's convolutions return outputs of a wrong size for an empty batch.

    Args:
        function: takes and returns tensors with B rows.
        *rows: tensors [B, ...].

    Returns:
        dict from the name of a result to a tensor [B, ...].
    """
    count = tf.shape(rows[0])[0]
    missing = tf.cast(count == 0, tf.int32)
    outputs = function(*(
        tf.pad(value, tf.convert_to_tensor(
            [[0, missing], *[[0, 0]] * (value.shape.rank - 1)]))
        for value in rows))
    return {name: value[:count] for name, value in outputs.items()}
