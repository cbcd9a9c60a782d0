"""TensorFlow's operations of the core that tf2onnx does not convert.

Each function replaces a node of tf2onnx's graph by nodes of ONNX. A function
takes the graph, the node, and two arguments that tf2onnx passes to all of them
and that have no use here.

    UpperBound             component of a uniform number (tf.searchsorted)
    Cholesky               log-density of a low-rank covariance
    MatrixTriangularSolve  the same
    UnsortedSegmentSum     costs of `clustering.spread_out`; tf2onnx's own
                           version fails when there is nothing to add

ONNX has no linear algebra. The rank of a covariance is small and fixed, so
that the two matrix operations become a few products for each row.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def handlers() -> dict[str, tuple[Callable, list]]:
    """Lists the functions, as tf2onnx takes them.

    Returns:
        dict from the name of an operation to a function and its arguments.
    """
    return {"UpperBound": (upper_bound, []),
            "Cholesky": (cholesky, []),
            "MatrixTriangularSolve": (matrix_triangular_solve, []),
            "UnsortedSegmentSum": (unsorted_segment_sum, [])}


def upper_bound(graph: Any, node: Any, *_: Any) -> None:
    """Counts the sorted values, [B, K], that are at most each of [B, S]."""
    from onnx import TensorProto

    cells = _Cells(graph)
    ordered, values = node.input
    before = cells.add(
        "LessOrEqual", cells.add("Unsqueeze", ordered, cells.ints(1)),
        cells.add("Unsqueeze", values, cells.ints(2)))
    cells.replace(node, "ReduceSum", [
        cells.add("Cast", before, to=TensorProto.INT32), cells.ints(2)],
        keepdims=0)


def cholesky(graph: Any, node: Any, *_: Any) -> None:
    """Makes the lower factor of matrices, [..., R, R], column by column."""
    cells = _Cells(graph)
    [rest] = node.input
    *outer, size, _ = graph.get_shape(rest)
    swapped = [*range(len(outer)), len(outer) + 1, len(outer)]
    columns = []
    for i in range(size):
        below = (np.arange(size) >= i).astype(np.float32)[:, None]
        column = cells.add(
            "Mul", cells.part(rest, i, -1), cells.constant(below))
        column = cells.add(
            "Div", column, cells.add("Sqrt", cells.part(column, i, -2)))
        columns.append(column)
        rest = cells.add("Sub", rest, cells.add(
            "Mul", column, cells.add("Transpose", column, perm=swapped)))
    cells.replace(node, "Concat", columns, axis=-1)


def matrix_triangular_solve(graph: Any, node: Any, *_: Any) -> None:
    """Solves L x = b for lower L, [..., R, R], row by row."""
    if not node.get_attr_value("lower") or node.get_attr_value("adjoint"):
        raise ValueError("MatrixTriangularSolve must have a lower matrix that "
                         "is not adjoint (received another)")
    cells = _Cells(graph)
    lower, rest = node.input
    rows = []
    for i in range(graph.get_shape(lower)[-1]):
        column = cells.part(lower, i, -1)
        row = cells.add("Div", cells.part(rest, i, -2),
                        cells.part(column, i, -2))
        rows.append(row)
        rest = cells.add("Sub", rest, cells.add("Mul", column, row))
    cells.replace(node, "Concat", rows, axis=-2)


def unsorted_segment_sum(graph: Any, node: Any, *_: Any) -> None:
    """Adds rows, [N, ...], to the rows of zeros that N numbers name."""
    from onnx import TensorProto, helper

    cells = _Cells(graph)
    rows, places, count = node.input

    def whole(value, axis):
        return cells.add("Unsqueeze", cells.add(
            "Cast", value, to=TensorProto.INT64), cells.ints(axis))

    inner = cells.add("Slice", cells.add("Shape", rows), cells.ints(1),
                      cells.ints(np.iinfo(np.int64).max))
    zeros = cells.add(
        "ConstantOfShape",
        cells.add("Concat", whole(count, 0), inner, axis=0),
        value=helper.make_tensor("zero", graph.get_dtype(rows), [1], [0]))
    cells.replace(node, "ScatterND", [zeros, whole(places, 1), rows],
                  reduction="add")


class _Cells:
    """Adds nodes to a graph of tf2onnx.

    Args:
        graph: `tf2onnx.graph.Graph`.
    """

    def __init__(self, graph):
        self._graph = graph

    def add(self, kind, *inputs, **attributes):
        """Adds a node; returns the name of its output."""
        return self._graph.make_node(
            kind, list(inputs), attr=attributes).output[0]

    def constant(self, value):
        from tf2onnx import utils

        return self._graph.make_const(
            utils.make_name("constant"), value).output[0]

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    def part(self, value, index, axis):
        """Takes one slice of a tensor, and keeps the axis."""
        return self.add("Gather", value, self.ints(index), axis=axis)

    def replace(self, node, kind, inputs, **attributes):
        """Puts a node in the place of another."""
        shape = self._graph.get_shape(node.output[0])
        dtype = self._graph.get_dtype(node.output[0])
        self._graph.remove_node(node.name)
        self._graph.make_node(
            kind, inputs, attr=attributes, name=node.name, outputs=node.output,
            shapes=[shape], dtypes=[dtype])
