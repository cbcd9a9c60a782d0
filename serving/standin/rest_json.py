"""TensorFlow Serving's JSON: requests to arrays, results to JSON.

Row format: {"instances": [...]} gives {"predictions": [...]}. An instance is
an object with all inputs, or the bare value of the only one; every value
becomes a row of its input.

Column format: {"inputs": ...} gives {"outputs": ...}. An object with all
inputs whole, or the bare value of the only one.

"signature_name" is optional in both. Bytes are {"b64": "..."} in standard
base64: in any string input, and in outputs whose name ends in _bytes; other
strings are plain. NaN, Infinity and -Infinity are taken and written.
Integers must be written without a point; where floats are wanted, integers
do up to 2^24 - 1 (float32).

Differs from TensorFlow Serving: a surplus key of the column format, which
that one ignores, is refused as over gRPC; Infinity may not be written Inf;
values in messages are cut short; lists may be nested 32 deep and a request
may hold a million values (about 250 pictures of 64x64 numbers).
"""

import base64
import binascii
import json
import math

import numpy as np
from tensorflow.core.framework import types_pb2

from serving.standin.prediction import (
    DEFAULT_SIGNATURE,
    ServingError,
    check_names,
    dtype_name,
)

FLOATS = {types_pb2.DT_FLOAT: np.float32, types_pb2.DT_DOUBLE: np.float64}
INTEGERS = {
    types_pb2.DT_INT8: np.int8, types_pb2.DT_INT16: np.int16,
    types_pb2.DT_INT32: np.int32, types_pb2.DT_INT64: np.int64,
    types_pb2.DT_UINT8: np.uint8, types_pb2.DT_UINT32: np.uint32,
    types_pb2.DT_UINT64: np.uint64,
}
_TYPES = {type(None): "Null", dict: "Object", list: "Array", str: "String",
          int: "Number", float: "Number"}

_DEEPEST = 32
# Python reads JSON without letting other threads run: a quarter of a second
# for so many values.
_MOST_VALUES = 1_000_000
_LONGEST_VALUE = 200  # characters of a value in a message


def parse(body):
    """Reads the body of a request.

    Args:
        body: bytes.

    Returns:
        dict, the document; str, the signature's name.

    Raises:
        ServingError: it is not JSON, or not an object.
    """
    if not body:
        raise _refusal("JSON Parse error: The document is empty")
    # Outside strings, one comma parts two values; base64 has none.
    if (count := body.count(b",") + 1) > _MOST_VALUES:
        raise _refusal(f"JSON Value: must hold {_MOST_VALUES} values at most "
                       f"(received {count}); send large tensors by gRPC")
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise _refusal(f"JSON Parse error: {error.msg} at offset: "
                       f"{error.pos}") from error
    except (ValueError, RecursionError) as error:
        # Not UTF-8; a number of thousands of digits; nested too deeply.
        raise _refusal(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise _refusal(f"JSON Value: {_text(document)} Is not object")
    signature = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(signature, str):
        raise _refusal(
            f"JSON Value: {_text(document)} not formatted correctly. "
            "'signature_name' key must be a string value.")
    return document, signature or DEFAULT_SIGNATURE


def inputs(document, definition):
    """Makes arrays of a request's values.

    Args:
        document: dict from `parse`.
        definition: `SignatureDef`.

    Returns:
        dict from an input's name to an array; bool, whether it was the row
        format.

    Raises:
        ServingError: the values do not fit the signature.
    """
    if "instances" in document and "inputs" in document:
        raise _refusal(
            f"JSON Value: {_text(document)} Not formatted correctly expecting "
            "only one of 'inputs' or 'instances' keys to exist")
    dtypes = {name: info.dtype for name, info in definition.inputs.items()}
    if "instances" in document:
        return _rows(document["instances"], dtypes), True
    if "inputs" in document:
        return _columns(document["inputs"], dtypes, definition), False
    raise _refusal("Missing 'inputs' or 'instances' key")


def _rows(instances, dtypes):
    if not isinstance(instances, list):
        raise _refusal(f"JSON Value: {_text(instances)} Excepting 'instances' "
                       "to be an list/array")
    if not instances:
        raise _refusal("JSON Value: [] No values in 'instances' array")
    if not isinstance(instances[0], dict) and len(dtypes) > 1:
        raise _refusal(
            "instances is a plain list, but expecting list of objects as "
            "multiple input tensors required as per tensorinfo_map")
    named = _is_object(instances[0])
    only = next(iter(dtypes))
    columns = {}  # name: (shape of one row, values of all)
    for index, instance in enumerate(instances):
        if named != _is_object(instance):
            wanted, got = (("object", "list") if named
                           else ("value/list", "object"))
            raise _refusal(f"Expecting {wanted} but got {got} at item "
                           f"{index} of input list")
        for name, value in (instance if named else {only: instance}).items():
            try:
                _add_row(columns, name, value, dtypes)
            except ServingError as error:
                key = f" key: {name}" if named else ""
                raise _refusal(
                    f"Failed to process element: {index}{key} of 'instances' "
                    f"list. Error: {error.code}: {error.message}") from error
        if named and set(instance) != set(dtypes):
            raise _refusal(
                f"Failed to process element: {index} of 'instances' list. "
                f"JSON object: {_text(instance)} keys must be equal to: "
                f"{','.join(sorted(dtypes))}")
    return {name: _array(values, (len(instances), *shape), dtypes[name])
            for name, (shape, values) in columns.items()}


def _add_row(columns, name, value, dtypes):
    if name not in dtypes:
        raise _refusal(f"JSON object: does not have named input: {name}")
    shape = _shape(value)
    first, values = columns.setdefault(name, (shape, []))
    before = len(values)
    _fill(value, shape, 0, dtypes[name], values)
    size = int(np.prod(first, dtype=np.int64))
    if len(values) - before != size:
        raise _refusal(f"Expecting tensor size: {size} but got: "
                       f"{len(values) - before}")
    if shape != first:
        def text(sizes):
            return f"[{','.join(map(str, sizes))}]"

        raise _refusal(
            f"Expecting shape {text(first)} but got: {text(shape)}")


def _columns(value, dtypes, definition):
    if not _is_object(value):
        if len(dtypes) > 1:
            raise _refusal(
                "inputs is a plain value/list, but expecting an object as "
                "multiple input tensors required as per tensorinfo_map")
        value = {next(iter(dtypes)): value}
    for name in sorted(dtypes):
        if name not in value:
            raise _refusal(
                f"Missing named input: {name} in 'inputs' object.")
    check_names(value, definition)
    result = {}
    for name, item in value.items():
        shape, values = _shape(item), []
        _fill(item, shape, 0, dtypes[name], values)
        result[name] = _array(values, shape, dtypes[name])
    return result


def _is_object(value):
    """Whether a value is an object of names, not one of bytes."""
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value):
    return (isinstance(value, dict) and set(value) == {"b64"}
            and isinstance(value["b64"], str))


def _shape(value):
    """Sizes of nested lists, as the first element of each has them."""
    sizes = []
    while isinstance(value, list):
        if len(sizes) == _DEEPEST:
            raise _refusal(
                f"JSON Value: {_text(value)} is nested too deeply: lists of "
                f"{_DEEPEST} levels at most")
        sizes.append(len(value))
        value = value[0] if value else None
    return tuple(sizes)


def _fill(value, shape, level, dtype, values):
    """Adds the elements of nested lists to `values`, in order."""
    if not isinstance(value, list):
        if level != len(shape):
            raise _refusal(
                f"JSON Value: {_text(value)} found at incorrect level: "
                f"{level + 1} in the JSON DOM. Expected at level: "
                f"{len(shape)}")
        values.append(_element(value, dtype))
        return
    if level >= len(shape):
        raise _refusal(f"Encountered list at unexpected level: {level} "
                       f"expected < {len(shape)}")
    if len(value) != shape[level]:
        raise _refusal(f"Encountered list at unexpected size: {len(value)} "
                       f"at level: {level} expected size: {shape[level]}")
    if level == len(shape) - 1 and _are_plain(value, dtype):
        values.extend(value)
        return
    for item in value:
        _fill(item, shape, level + 1, dtype, values)


def _are_plain(items, dtype):
    """Whether all items surely fit: spares pixels a look at each."""
    kinds = set(map(type, items))
    if kinds == {float} and dtype in FLOATS:
        return max(map(abs, items)) <= float(np.finfo(FLOATS[dtype]).max)
    if kinds == {int} and dtype in INTEGERS:
        limits = np.iinfo(INTEGERS[dtype])
        return limits.min <= min(items) and max(items) <= limits.max
    return False


def _element(value, dtype):
    """One JSON value as an element of a tensor."""
    kind = type(value)
    if dtype == types_pb2.DT_STRING and kind is dict:
        return _decode(value)
    if dtype == types_pb2.DT_STRING and kind is str:
        return _encode(value)
    if dtype in FLOATS and kind in (int, float):
        return _float(value, FLOATS[dtype])
    if dtype in INTEGERS and kind is int:
        limits = np.iinfo(INTEGERS[dtype])
        if limits.min <= value <= limits.max:
            return value
    if dtype == types_pb2.DT_BOOL and kind is bool:
        return value
    if dtype not in (*FLOATS, *INTEGERS, types_pb2.DT_STRING,
                     types_pb2.DT_BOOL):
        raise ServingError(
            "UNIMPLEMENTED", f"Conversion of JSON Value: {_text(value)} to "
            f"type: {dtype_name(dtype)}")
    type_name = str(value) if kind is bool else _TYPES[kind]
    raise _refusal(f"JSON Value: {_text(value)} Type: {type_name} is not of "
                   f"expected type: {dtype_name(dtype)}")


def _float(value, kind):
    limits = np.finfo(kind)
    if isinstance(value, int) and -2**63 <= value < 2**64:
        # Integers must be exact.
        fits = abs(value) < 2**(limits.nmant + 1)
    else:
        # Larger ones count as floats; NaN and infinities are fine.
        fits = not float(limits.max) < abs(value) < math.inf
    if not fits:
        name = "float" if kind is np.float32 else "double"
        raise _refusal(f"Cannot convert JSON value: {_text(value)} to {name} "
                       "without loss of precision.")
    return float(value)


def _encode(text):
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _refusal("JSON Parse error: The surrogate pair in string is "
                       "invalid.") from error


def _decode(value):
    if not _is_base64(value):
        raise _refusal(f"JSON Value: {_text(value)} not formatted correctly "
                       "for base64 data")
    text = "".join(value["b64"].split()).rstrip("=")
    try:
        # Blanks may be anywhere and padding left out; nothing else may.
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("Unable to base64 decode") from error


def _array(values, shape, dtype):
    kind = {**FLOATS, **INTEGERS, types_pb2.DT_BOOL: bool}.get(dtype, object)
    return np.array(values, kind).reshape(shape)


def _text(value):
    """A value in a message."""
    text = ""
    for part in json.JSONEncoder().iterencode(value):
        text += part
        if len(text) > _LONGEST_VALUE:
            return f"{text[:_LONGEST_VALUE]}..."
    return text


def _refusal(message):
    return ServingError("INVALID_ARGUMENT", message)
