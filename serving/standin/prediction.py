"""One run of a model, the same for REST and gRPC: checks, errors, limits.

A refusal is a `ServingError` with a code's name and a text, both those of
TensorFlow Serving; `rest` makes an HTTP status of the code, `grpc_service` a
gRPC status.
"""

import math

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import (
    tensor_pb2,
    tensor_shape_pb2,
    types_pb2,
)
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

DEFAULT_SIGNATURE = "serving_default"

# TensorFlow's codes are gRPC's, number by number and name by name.
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}

# Where a TensorProto keeps the values of a dtype.
_FIELDS = {
    types_pb2.DT_FLOAT: "float_val", types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT8: "int_val", types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT32: "int_val", types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_INT64: "int64_val", types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_STRING: "string_val",
}

# gRPC clients take 8 KiB of headers, and the text of an error is one.
_LONGEST_MESSAGE = 2000

# A TensorProto may give one value for all elements: so many of them at most,
# or a few bytes would ask for gigabytes.
_MOST_REPEATED = 1 << 20


class ServingError(Exception):
    """A request that is refused.

    Args:
        code: str. Name of a canonical status code: "INVALID_ARGUMENT" ...
        message: str. Cut off after 2,000 characters.
    """

    def __init__(self, code, message):
        super().__init__(message[:_LONGEST_MESSAGE])
        self.code = code

    @property
    def message(self):
        return self.args[0]


def refusal(error):
    """A `ServingError` for whatever was raised."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(_CODES[error.error_code], error.message)
    return ServingError("UNKNOWN", str(error))


def dtype_name(dtype):
    """What TensorFlow Serving calls a dtype: 3 is "int32", 1 is "float"."""
    if dtype not in types_pb2.DataType.values():
        return f"unknown dtype enum ({dtype})"
    return types_pb2.DataType.Name(dtype).removeprefix("DT_").lower()


def predict(model, request):
    """Answers a gRPC request.

    Args:
        model: `Servable`.
        request: `PredictRequest`. The model's name and version are not
            looked at.

    Returns:
        `PredictResponse`, without the version.

    Raises:
        ServingError: the request does not fit the model, or the model
            refused the inputs.
    """
    signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
    if signature not in model.signatures:
        raise ServingError("FAILED_PRECONDITION", "Serving signature key "
                           f'"{signature}" not found.')
    definition = model.signatures[signature]
    results = run(model, signature, _arrays(request.inputs, definition),
                  request.output_filter)
    response = predict_pb2.PredictResponse(outputs={
        name: _tensor(array, definition.outputs[name].dtype)
        for name, array in results.items()})
    response.model_spec.name = request.model_spec.name
    response.model_spec.signature_name = signature
    return response


def signature_map(model):
    """`SignatureDefMap` of a `Servable`, as clients may see it."""
    result = get_model_metadata_pb2.SignatureDefMap(
        signature_def=model.signatures)
    for definition in result.signature_def.values():
        definition.ClearField("defaults")
    return result


def check_names(names, definition):
    """Refuses missing and surplus inputs.

    Args:
        names: iterable of str, the inputs of a request.
        definition: `SignatureDef`.

    Raises:
        ServingError: they are not exactly those of the signature.
    """
    given, known = set(names), set(definition.inputs)
    if given != known:
        def join(group):
            return "{" + ",".join(sorted(group)) + "}"

        raise ServingError(
            "INVALID_ARGUMENT",
            f"input size does not match signature: {len(given)}!="
            f"{len(known)} len({join(given)}) != len({join(known)}). Sent "
            f"extra: {join(given - known)}. Missing but required: "
            f"{join(known - given)}.")


def _arrays(tensors, definition):
    """dict from an input's name to an array, of one to a `TensorProto`."""
    check_names(tensors, definition)
    result = {}
    for index, name in enumerate(sorted(tensors)):
        tensor, wanted = tensors[name], definition.inputs[name].dtype
        # Checked here, since a session fed from Python would cast.
        if tensor.dtype != wanted:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"Expects arg[{index}] to be {dtype_name(wanted)} but "
                f"{dtype_name(tensor.dtype)} is provided")
        result[name] = _array(name, tensor)
    return result


def _array(name, tensor):
    sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
    largest = max(_MOST_REPEATED, tensor.ByteSize())
    if (tensor.tensor_shape.unknown_rank or min(sizes, default=0) < 0
            or math.prod(sizes) > largest):
        raise ServingError(
            "INVALID_ARGUMENT", f"tensor parsing error: {name}")
    try:
        return tf.make_ndarray(tensor)
    except (ValueError, TypeError, OverflowError) as error:
        raise ServingError(
            "INVALID_ARGUMENT", f"tensor parsing error: {name}") from error


def _tensor(array, dtype):
    """Packs an output as TensorFlow Serving does: value by value."""
    if dtype not in _FIELDS:
        return tf.make_tensor_proto(array, dtype)
    shape = tensor_shape_pb2.TensorShapeProto(dim=[
        tensor_shape_pb2.TensorShapeProto.Dim(size=size)
        for size in array.shape])
    return tensor_pb2.TensorProto(
        dtype=dtype, tensor_shape=shape,
        **{_FIELDS[dtype]: array.ravel().tolist()})


def run(model, signature, inputs, outputs=()):
    """Runs a signature.

    Args:
        model: `Servable`.
        signature: str, one of its signatures.
        inputs: dict from an input's name to an array of the right dtype.
        outputs: names of the outputs wanted. Defaults to all.

    Returns:
        dict from an output's name to an array.

    Raises:
        ServingError: a name is wrong, or the model refused the inputs.
    """
    definition = model.signatures[signature]
    check_names(inputs, definition)
    _check_outputs(outputs, definition)
    try:
        results = model.run(signature, inputs, outputs or None)
    except tf.errors.OpError as error:
        raise refusal(error) from error
    return {name: np.asarray(value, object if isinstance(value, bytes)
                             else None)
            for name, value in results.items()}


def _check_outputs(outputs, definition):
    seen = set()
    for name in outputs:
        if name not in definition.outputs:
            raise ServingError(
                "INVALID_ARGUMENT",
                f"output tensor alias not found in signature: {name} Outputs "
                "expected to be in the set {"
                f"{','.join(sorted(definition.outputs))}}}.")
        if name in seen:
            raise ServingError(
                "INVALID_ARGUMENT", f"duplicate output tensor alias: {name}")
        seen.add(name)
