"""Multiply-adds of a TensorFlow function, and its time by kind of operation.

The count includes matrix products and convolutions, forwards and backwards; a
multiply-add is two operations.  Everything else (activations, sums, resizing,
random numbers, small factorisations) does not count, although it takes time.
Padding counts like pixels of the picture, by the usual convention.
"""

import collections
import math
import re
import tempfile
from pathlib import Path

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

PRODUCTS = ("MatMul", "BatchMatMulV2")
DEPTHWISE, CONVOLUTIONS = (
    (kind, f"{kind}BackpropInput", f"{kind}BackpropFilter")
    for kind in ("DepthwiseConv2dNative", "Conv2D"))
COUNTED = (*PRODUCTS, *CONVOLUTIONS, *DEPTHWISE)
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# Kind of operation -> attributes that name its functions.
_LOOPS_AND_BRANCHES = {
    **dict.fromkeys(("While", "StatelessWhile"), ("body", "cond")),
    **dict.fromkeys(("If", "StatelessIf"), ("then_branch", "else_branch"))}


def count(function, *arguments):
    """Counts the operations of one call of a function with static shapes.

    Args:
        function: tf.function.
        *arguments: as in a call.

    Returns:
        dict from a kind of operation to float.

    Raises:
        ValueError: if a shape is not static, if the count does not know a kind
            of product or convolution, or if one is in a loop or branch.
    """
    graph = function.get_concrete_function(*arguments).graph
    return _count(graph, _needed(graph), {})


def count_run(function, *arguments):
    """Like `count`, for shapes that depend on values: runs the function.

    Args:
        function: tf.function without side effects.
        *arguments: tensors.

    Returns:
        dict from a kind of operation to float.

    Raises:
        ValueError: as in `count`, except for shapes.
    """
    frozen = convert_variables_to_constants_v2(
        function.get_concrete_function(*arguments), lower_control_flow=False)
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(frozen.graph.as_graph_def(), name="")
        needed = _ancestors([graph.get_operation_by_name(tensor.op.name)
                             for tensor in frozen.outputs])
        unknown = {tensor.name: tf.shape(tensor) for operation in needed
                   if _is_counted(operation.type)
                   for tensor in (*operation.inputs, *operation.outputs)
                   if not tensor.shape.is_fully_defined()}
        with tf.compat.v1.Session() as session:
            shapes = session.run(unknown, {
                tensor.name: value.numpy() for tensor, value in zip(
                    frozen.inputs, arguments, strict=True)})
    return _count(graph, needed, shapes)


def _needed(graph):
    """The operations of a function that run. TensorFlow prunes the others,
    such as unused gradients."""
    return _ancestors([*(tensor.op for tensor in graph.outputs),
                       *graph.control_outputs])


def _ancestors(operations):
    found, waiting = set(), list(operations)
    while waiting:
        operation = waiting.pop()
        if operation not in found:
            found.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
            waiting += operation.control_inputs
    return found


def _count(graph, needed, shapes):
    counts = collections.Counter()
    for operation in needed:
        kind = operation.type
        if _is_counted(kind):
            counts[kind] += 2.0 * _multiply_adds(operation, shapes)
        elif kind in _CALLS:
            called = graph._get_function(operation.get_attr("f").name).graph
            counts.update(_count(called, _needed(called), shapes))
        # The graph does not show how often loops and branches run.
        for name in _LOOPS_AND_BRANCHES.get(kind, ()):
            called = graph._get_function(operation.get_attr(name).name)
            for node in called.cached_definition.node_def:
                if _is_counted(node.op):
                    raise ValueError(
                        f"{node.name}: must be outside of loops and "
                        f"branches to be counted (received {kind})")
    return dict(counts)


def _is_counted(kind):
    if kind in COUNTED:
        return True
    if re.search("MatMul|Conv[123]D|Conv$|DepthwiseConv|Einsum", kind):
        raise ValueError(
            f"operations must be {', '.join(COUNTED)} to be counted "
            f"(received {kind})")
    return False


def _multiply_adds(operation, shapes):
    """Elements of the result, times the terms of each element's sum."""

    def shape(tensor):
        if tensor.name in shapes:
            return [int(size) for size in shapes[tensor.name]]
        if not tensor.shape.is_fully_defined():
            raise ValueError(f"{tensor.name}: must have a static shape to be "
                             f"counted (received {tensor.shape})")
        return tensor.shape.as_list()

    if operation.type in PRODUCTS:
        turned = operation.get_attr(
            "transpose_a" if operation.type == "MatMul" else "adj_x")
        summed = shape(operation.inputs[0])[-2 if turned else -1]
        return math.prod(shape(operation.outputs[0])) * summed
    # Terms for each pixel and channel of the (forward) result: the kernel's
    # sides times the input channels, of which a depthwise one sees its own.
    if operation.type.endswith("BackpropInput"):
        result, kernel = operation.inputs[2], operation.inputs[1]
    elif operation.type.endswith("BackpropFilter"):
        result, kernel = operation.inputs[2], operation.outputs[0]
    else:
        result, kernel = operation.outputs[0], operation.inputs[1]
    seen = 2 if operation.type in DEPTHWISE else 3
    return math.prod(shape(result)) * math.prod(shape(kernel)[:seen])


def profile(function, calls=10):
    """Profiles a function with TensorFlow's profiler.

    Args:
        function: function of no arguments, already warmed up.
        calls: int. Defaults to 10.

    Returns:
        dict from a kind of operation to (share of the total time, 0 to 1;
        operations per call), the largest share first. Operations that run at
        the same time count separately.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(
            host_tracer_level=2, python_tracer_level=0)
        with tf.profiler.experimental.Profile(folder, options):
            for _ in range(calls):
                function()
        found, = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(found.read_bytes())
    times, numbers = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                # Operations are named "path/in/graph:Kind". Other events
                # belong to the runtime, and the time of a call includes the
                # operations that it calls.
                match = re.fullmatch(r"[\w./-]+:(\w+)", name)
                if match and match[1] not in (
                        *_CALLS, *_LOOPS_AND_BRANCHES):
                    times[match[1]] += event.duration_ps
                    numbers[match[1]] += 1
    total = sum(times.values())
    return {kind: (time / total, numbers[kind] / calls)
            for kind, time in times.most_common()}
