"""TensorFlow Serving's JSON mapping, against values written by hand."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as npst
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.standin import rest_json
from serving.standin.prediction import ServingError

DTYPES = {
    "string": types_pb2.DT_STRING, "int64": types_pb2.DT_INT64,
    "int32": types_pb2.DT_INT32, "float32": types_pb2.DT_FLOAT,
}


def read(text, **dtypes):
    """Arrays of a request's text, and whether it was in rows."""
    document, _ = rest_json.parse(text.encode())
    definition = meta_graph_pb2.SignatureDef()
    for name, dtype in dtypes.items():
        definition.inputs[name].dtype = DTYPES[dtype]
    return rest_json.inputs(document, definition)


def write(in_rows, outputs):
    """Results as a client sees them."""
    return json.loads(rest_json.dump(outputs, in_rows))


COLORIZE = {"image_bytes": "string", "seed": "int64", "temperature": "float32"}


# --- Requests --------------------------------------------------------------


def test_rows_of_one_input():
    arrays, in_rows = read(
        '{"instances": [{"b64": "/+8="}, "plain", {"b64": ""}]}',
        image_bytes="string")
    assert in_rows
    assert arrays["image_bytes"].tolist() == [b"\xff\xef", b"plain", b""]
    # An object with the input's name does as well.
    arrays, _ = read('{"instances": [{"image_bytes": {"b64": "/+8="}}]}',
                     image_bytes="string")
    assert arrays["image_bytes"].tolist() == [b"\xff\xef"]


def test_rows_of_several_inputs():
    arrays, in_rows = read(
        '{"instances": ['
        '{"image_bytes": {"b64": "QQ=="}, "seed": 7, "temperature": 1.0},'
        '{"temperature": 2, "seed": -8, "image_bytes": "B"}]}', **COLORIZE)
    assert in_rows
    assert arrays["image_bytes"].tolist() == [b"A", b"B"]
    assert arrays["seed"].tolist() == [7, -8]
    assert arrays["seed"].dtype == np.int64
    assert arrays["temperature"].tolist() == [1, 2]
    assert arrays["temperature"].dtype == np.float32


def test_rows_stack_lists():
    arrays, _ = read('{"instances": [[[1, 2.5]], [[3, 4]], [[5, 6]]]}',
                     luminance="float32")
    np.testing.assert_array_equal(
        arrays["luminance"], [[[1, 2.5]], [[3, 4]], [[5, 6]]])
    arrays, _ = read('{"instances": [[], []]}', luminance="float32")
    assert arrays["luminance"].shape == (2, 0)


def test_columns():
    arrays, in_rows = read(
        '{"inputs": {"image_bytes": ["A", {"b64": "Qg=="}], "num_samples": 8,'
        ' "seed": 7, "temperature": 1.0}}', num_samples="int32", **COLORIZE)
    assert not in_rows
    assert arrays["image_bytes"].tolist() == [b"A", b"B"]
    assert arrays["num_samples"].shape == ()
    assert arrays["num_samples"].dtype == np.int32
    assert arrays["num_samples"] == 8


@pytest.mark.parametrize("value, expected", [
    ('{"b64": "QQ=="}', b"A"), ('["A", "B"]', [b"A", b"B"]),
    ('{"image_bytes": "A"}', b"A"), ('"A"', b"A"), ("[]", [])])
def test_columns_of_one_input(value, expected):
    arrays, in_rows = read(f'{{"inputs": {value}}}', image_bytes="string")
    assert not in_rows
    assert arrays["image_bytes"].tolist() == expected


def test_signature_name():
    assert rest_json.parse(b'{"signature_name": "prior"}')[1] == "prior"
    assert rest_json.parse(b"{}")[1] == "serving_default"
    assert rest_json.parse(b'{"signature_name": ""}')[1] == "serving_default"


@pytest.mark.parametrize("text, expected", [
    ("NaN", np.nan), ("Infinity", np.inf), ("-Infinity", -np.inf),
    ("16777215", 16777215), ("1e38", 1e38), ("0.1", np.float32(0.1))])
def test_floats(text, expected):
    arrays, _ = read(f'{{"inputs": [{text}, 0.5]}}', x="float32")
    np.testing.assert_array_equal(arrays["x"], np.float32([expected, 0.5]))


@pytest.mark.parametrize("text, inputs, message", [
    ("", {"x": "float32"}, "the body must be JSON"),
    ('{"inputs": [1,]}', {"x": "float32"}, "the body must be JSON"),
    ("[1]", {"x": "float32"}, "the body must be an object (received [1])"),
    ('{"b64": "QQ=="}', {"x": "float32"}, "the body must be an object"),
    ('{"signature_name": 1, "inputs": 1}', {"x": "float32"},
     "signature_name must be a string"),
    ("{}", {"x": "float32"}, "must have either instances or inputs"),
    ('{"inputs": 1, "instances": [1]}', {"x": "float32"},
     "must have either instances or inputs"),
    ('{"instances": 1}', {"x": "float32"}, "instances must be a list"),
    ('{"instances": []}', {"x": "float32"}, "instances must be a list"),
    ('{"instances": ["A"]}', COLORIZE,
     "instances[0] must be an object with image_bytes, seed, temperature "
     "(received 'A')"),
    ('{"instances": [1, {"y": 2}]}', {"x": "float32"},
     "the inputs must be x (received y)"),
    ('{"inputs": [1]}', COLORIZE, "inputs must be an object with image_bytes"),
    ('{"inputs": {"image_bytes": ["A"], "seed": [1]}}', COLORIZE,
     "must be image_bytes, seed, temperature (received image_bytes, seed)"),
    ('{"inputs": {"x": 1, "y": 2}}', {"x": "float32"},
     "the inputs must be x (received x, y)"),
    ('{"instances": [[1, 2], [1]]}', {"x": "float32"},
     "x: must be float32, in lists of equal lengths (received [[1, 2], [1]])"),
    ('{"inputs": [1, [2]]}', {"x": "float32"}, "in lists of equal lengths"),
    ('{"inputs": [["A", "B"], ["C"]]}', {"x": "string"},
     "x: must be string, in lists of equal lengths"),
    ('{"inputs": [1.0]}', {"x": "int64"}, "x: must be int64"),
    ('{"inputs": [2147483648]}', {"x": "int32"}, "x: must be int32"),
    ('{"inputs": [9223372036854775808]}', {"x": "int64"}, "x: must be int64"),
    ('{"inputs": [true]}', {"x": "int64"}, "x: must be int64"),
    ('{"inputs": [null]}', {"x": "float32"}, "x: must be float32"),
    ('{"inputs": ["1"]}', {"x": "float32"}, "x: must be float32"),
    ('{"inputs": [1]}', {"x": "string"}, "x: must be string"),
    ('{"inputs": [{"a": 1}]}', {"x": "float32"}, "x: must be float32"),
    ('{"inputs": [-1e39, 0.5]}', {"x": "float32"}, "x: must be float32"),
    ('{"inputs": [{"b64": "Q"}]}', {"x": "string"}, "b64 must be base64"),
    # That of URLs is another alphabet.
    ('{"inputs": [{"b64": "_-8="}]}', {"x": "string"}, "b64 must be base64"),
    ('{"inputs": [{"b64": "\\u00e9Q=="}]}', {"x": "string"},
     "b64 must be base64"),
    ('{"inputs": [{"b64": 1}]}', {"x": "string"}, "b64 must be base64"),
    ('{"inputs": [{"b64": "QQ==", "c": 1}]}', {"x": "string"},
     "x: must be string"),
    ('{"inputs": ["\\ud800"]}', {"x": "string"}, "x: must be string"),
    (f'{{"inputs": {"[" * 90}{"]" * 90}}}', {"x": "float32"},
     "x: must be float32"),
    (f'{{"inputs": {"[" * 90000}{"]" * 90000}}}', {"x": "float32"},
     "the body must be JSON"),
    (f'{{"inputs": {"9" * 5000}}}', {"x": "float32"}, "the body must be JSON"),
    (f'{{"inputs": {"9" * 4000}}}', {"x": "float32"}, "x: must be float32"),
])
def test_refused(text, inputs, message):
    with pytest.raises(ServingError) as caught:
        read(text, **inputs)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert message in caught.value.message
    assert len(caught.value.message) < 1000


def test_bytes_that_are_not_utf8():
    with pytest.raises(ServingError, match="must be JSON"):
        rest_json.parse(b'{"inputs": "\xff"}')


# --- Results ---------------------------------------------------------------


def test_row_results():
    png = np.array([[b"\x89P", b""], [b"A", b"B"]], object)
    log_prob = np.float32([[0.1, -2], [3, np.nan]])
    assert write(True, {"colorized_bytes": png[:1]}) == {
        "predictions": [[{"b64": "iVA="}, {"b64": ""}]]}
    result = write(True, {"colorized_bytes": png, "log_prob": log_prob})
    assert result["predictions"][0] == {
        "colorized_bytes": [{"b64": "iVA="}, {"b64": ""}],
        "log_prob": [np.float32(0.1), -2]}
    assert np.isnan(result["predictions"][1]["log_prob"][1])


def test_column_results():
    assert write(False, {"ab": np.float32(1.5)}) == {"outputs": 1.5}
    assert write(False, {"ab": np.int64([[1]]), "x": np.float32([0.5])}) == {
        "outputs": {"ab": [[1]], "x": [0.5]}}
    assert write(False, {"ab": np.zeros([2, 0], np.float32)}) == {
        "outputs": [[], []]}


# --- Round trips -----------------------------------------------------------

ROUND_TRIP = settings(max_examples=100, deadline=None)


@ROUND_TRIP
@given(npst.arrays(np.float32, npst.array_shapes(max_dims=4, min_side=0)))
def test_floats_survive(array):
    # The client writes float32 as Python does; the server reads it back.
    arrays, _ = read(json.dumps({"inputs": array.tolist()}), x="float32")
    # An empty list tells nothing of the sizes within.
    if array.size:
        np.testing.assert_array_equal(arrays["x"], array)
    back = write(False, {"x": array})["outputs"]
    np.testing.assert_array_equal(
        np.array(back, np.float32).reshape(array.shape), array)


@ROUND_TRIP
@given(npst.arrays(
    np.int64, npst.array_shapes(max_dims=3),
    elements=st.integers(-2**63, 2**63 - 1)))
def test_integers_survive(array):
    arrays, _ = read(json.dumps({"inputs": array.tolist()}), x="int64")
    np.testing.assert_array_equal(arrays["x"], array)
    assert write(False, {"x": array})["outputs"] == array.tolist()


@ROUND_TRIP
@given(st.lists(st.binary(), min_size=1))
def test_bytes_survive(values):
    instances = [{"b64": base64.b64encode(value).decode()}
                 for value in values]
    arrays, _ = read(json.dumps({"instances": instances}), x="string")
    assert arrays["x"].tolist() == values
    back = write(True, {"y_bytes": arrays["x"]})
    assert [base64.b64decode(item["b64"], validate=True)
            for item in back["predictions"]] == values


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["instances", "inputs", "signature_name", "b64",
                         "image_bytes", "seed", "temperature", "x"]),
        inner, max_size=4),
    max_leaves=20)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(
    st.sampled_from(["instances", "inputs", "signature_name"]), ANY_JSON))
def test_any_json_is_read_or_refused(document):
    for inputs in (COLORIZE, {"x": "float32"}, {"x": "string"}):
        try:
            arrays, _ = read(json.dumps(document), **inputs)
        except ServingError as error:
            assert error.code == "INVALID_ARGUMENT"
        else:
            assert set(arrays) <= set(inputs)
