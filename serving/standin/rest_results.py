"""Results as TensorFlow Serving's JSON; `rest_json` describes the formats."""

import base64
import json

import numpy as np
from tensorflow.core.framework import types_pb2

from serving.standin.prediction import ServingError, dtype_name
from serving.standin.rest_json import FLOATS, INTEGERS


def dump(outputs, definition, in_rows):
    """Writes results.

    Args:
        outputs: dict from an output's name to an array.
        definition: `SignatureDef`.
        in_rows: bool. Row format; otherwise the column format.

    Returns:
        bytes, the body of the response.

    Raises:
        ServingError: outputs that the format cannot hold.
    """
    if in_rows:
        _check_rows(outputs)
    values = {name: _nested(name, array, definition.outputs[name].dtype)
              for name, array in outputs.items()}
    if len(values) == 1:
        result, = values.values()
    elif in_rows:
        result = [dict(zip(values, row)) for row in zip(*values.values())]
    else:
        result = values
    # Strings that are not _bytes go out as they are, UTF-8 or not.
    return json.dumps({"predictions" if in_rows else "outputs": result},
                      ensure_ascii=False).encode("utf-8", "surrogateescape")


def _check_rows(outputs):
    count = None
    for name, array in outputs.items():
        if not array.ndim:
            raise ServingError("INVALID_ARGUMENT", f"Tensor name: {name} has "
                               "no shape information ")
        if count not in (None, len(array)):
            raise ServingError(
                "INVALID_ARGUMENT", f"Tensor name: {name} has inconsistent "
                f"batch size: {len(array)} expecting: {count}")
        count = len(array)


def _nested(name, array, dtype):
    """An array as nested lists of JSON values."""
    if dtype in INTEGERS or dtype == types_pb2.DT_BOOL:
        return array.tolist()
    if dtype in FLOATS:
        items = _decimals(array, FLOATS[dtype])
    elif dtype != types_pb2.DT_STRING:
        raise ServingError(
            "INVALID_ARGUMENT", "Failed to write JSON value for tensor type: "
            f"{dtype_name(dtype)}")
    elif name.endswith("_bytes"):
        items = [{"b64": base64.b64encode(item).decode()}
                 for item in array.ravel()]
    else:
        items = [item.decode("utf-8", "surrogateescape")
                 for item in array.ravel()]
    grid = np.empty(array.size, object)
    grid[:] = items
    return grid.reshape(array.shape).tolist()


def _decimals(array, kind):
    """Floats of six digits if those tell the value, else of all digits."""
    digits = 9 if kind is np.float32 else 17
    values = array.ravel().tolist()
    short = [float(f"{value:.6g}") for value in values]
    exact = (np.array(short, kind) == array.ravel()).tolist()
    return [number if same else float(f"{value:.{digits}g}")
            for number, same, value in zip(short, exact, values)]
