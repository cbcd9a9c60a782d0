"""TensorFlow Serving's JSON: requests to arrays, results to JSON.

Row format: {"instances": [...]} gives {"predictions": [...]}. An instance is
an object with all inputs, or the bare value of a single input. Every value
becomes a row of its input.

Column format: {"inputs": ...} gives {"outputs": ...}. "inputs" is an object
with all inputs, or the bare value of a single input.

"signature_name" is optional in both formats. Bytes are {"b64": "..."}, and
strings are UTF-8. Numbers may be NaN, Infinity and -Infinity.

The JSON differs from TensorFlow Serving's in ways that do not matter to our
clients: the stand-in rounds integers that float32 cannot hold, writes floats
with all their digits and all strings as base64, and has its own messages.
"""

import base64
import json
import reprlib

import numpy as np
import tensorflow as tf

from serving.standin.prediction import (
    DEFAULT_SIGNATURE,
    ServingError,
    check_names,
)

# Kind of an input's NumPy dtype -> kinds that JSON's numbers may have.
_FITTING = {"f": "iuf", "i": "iu", "u": "iu"}


def parse(body):
    """Reads the body of a request.

    Args:
        body: bytes.

    Returns:
        dict, the document, with bytes instead of base64; str, the signature's
        name.

    Raises:
        ServingError: if the body is not JSON, or not an object.
    """
    try:
        document = json.loads(body, object_hook=_decoded)
    except (ValueError, RecursionError) as error:
        raise _refusal("the body must be JSON", error) from error
    if not isinstance(document, dict):
        raise _refusal("the body must be an object", document)
    signature = document.get("signature_name") or DEFAULT_SIGNATURE
    if not isinstance(signature, str):
        raise _refusal("signature_name must be a string", signature)
    return document, signature


def inputs(document, definition):
    """Converts a request's values to arrays.

    Args:
        document: dict from `parse`.
        definition: `SignatureDef`.

    Returns:
        dict from an input's name to an array; bool, whether the request uses
        the row format.

    Raises:
        ServingError: if the values do not fit the signature.
    """
    in_rows = "instances" in document
    if in_rows == ("inputs" in document):
        raise _refusal("the body must have either instances or inputs",
                       sorted(document))
    if in_rows:
        columns = _columns_of(document["instances"], definition)
    else:
        columns = _named(document["inputs"], definition, "inputs")
    return {name: _array(name, value, definition.inputs[name].dtype)
            for name, value in columns.items()}, in_rows


def dump(outputs, in_rows):
    """Writes results as JSON.

    Args:
        outputs: dict from an output's name to an array.
        in_rows: bool. True for the row format, False for the column format.

    Returns:
        bytes, the body of the response.
    """
    values = {name: array.tolist() for name, array in outputs.items()}
    if len(values) == 1:
        result, = values.values()
    elif in_rows:
        result = [dict(zip(values, row))
                  for row in zip(*values.values(), strict=True)]
    else:
        result = values
    return json.dumps({"predictions" if in_rows else "outputs": result},
                      default=_encoded).encode()


def _named(value, definition, where):
    """The value as an object with all inputs; wraps a bare value."""
    if not isinstance(value, dict):
        if len(definition.inputs) > 1:
            raise _refusal(f"{where} must be an object with "
                           f"{', '.join(sorted(definition.inputs))}", value)
        value = {name: value for name in definition.inputs}
    check_names(value, definition)
    return value


def _columns_of(instances, definition):
    if not isinstance(instances, list) or not instances:
        raise _refusal("instances must be a list of one row or more",
                       instances)
    rows = [_named(row, definition, f"instances[{number}]")
            for number, row in enumerate(instances)]
    return {name: [row[name] for row in rows] for name in definition.inputs}


def _array(name, value, dtype):
    """Makes an array of JSON values, nested in lists or not."""
    dtype = tf.dtypes.as_dtype(dtype)
    try:
        if dtype == tf.string:
            return _strings(value)
        return _numbers(value, np.dtype(dtype.as_numpy_dtype))
    # OverflowError and NumPy's FloatingPointError are ArithmeticErrors.
    except (ValueError, ArithmeticError) as error:
        raise _refusal(f"{name}: must be {dtype.name}, in lists of equal "
                       "lengths", value) from error


def _strings(value):
    array = np.array(value, object)
    items = [item.encode() if isinstance(item, str) else item
             for item in array.ravel().tolist()]
    if not all(isinstance(item, bytes) for item in items):
        raise ValueError("not strings alone")
    return np.array(items, object).reshape(array.shape)


def _numbers(value, dtype):
    array = np.array(value)
    if array.size and array.dtype.kind not in _FITTING.get(dtype.kind, ""):
        raise ValueError("not numbers of this kind")
    with np.errstate(over="raise"):
        result = array.astype(dtype)
    if dtype.kind != "f" and not np.array_equal(result, array):
        raise ValueError("integers beyond the dtype's range")
    return result


def _decoded(found):
    """Undoes `_encoded`, for `json.loads`."""
    if set(found) != {"b64"}:
        return found
    try:
        return base64.b64decode(found["b64"], validate=True)
    except (ValueError, TypeError) as error:
        raise _refusal("b64 must be base64", found["b64"]) from error


def _encoded(value):
    return {"b64": base64.b64encode(value).decode()}


def _refusal(message, received):
    # Shortened, because values may be whole pictures.
    text = (str(received) if isinstance(received, Exception)
            else reprlib.repr(received))
    return ServingError("INVALID_ARGUMENT", f"{message} (received {text})")
