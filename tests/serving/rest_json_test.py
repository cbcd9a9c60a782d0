"""TensorFlow Serving's JSON mapping, against values written by hand."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as npst
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.standin import rest_json, rest_results
from serving.standin.prediction import ServingError

DTYPES = {
    "string": types_pb2.DT_STRING, "int64": types_pb2.DT_INT64,
    "int32": types_pb2.DT_INT32, "uint8": types_pb2.DT_UINT8,
    "float": types_pb2.DT_FLOAT, "double": types_pb2.DT_DOUBLE,
    "bool": types_pb2.DT_BOOL, "half": types_pb2.DT_HALF,
}


def signature(inputs=None, outputs=None):
    """A SignatureDef; both dicts map a name to a dtype's name."""
    result = meta_graph_pb2.SignatureDef()
    for name, dtype in (inputs or {}).items():
        result.inputs[name].dtype = DTYPES[dtype]
    for name, dtype in (outputs or {}).items():
        result.outputs[name].dtype = DTYPES[dtype]
    return result


def read(text, **inputs):
    """Arrays of a request's text, and whether it was in rows."""
    document, _ = rest_json.parse(text.encode())
    return rest_json.inputs(document, signature(inputs))


def write(in_rows, outputs, **dtypes):
    """Results as a client sees them."""
    return json.loads(rest_results.dump(
        outputs, signature(outputs=dtypes), in_rows))


COLORIZE = {"image_bytes": "string", "seed": "int64", "temperature": "float"}


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
                     luminance="float")
    np.testing.assert_array_equal(
        arrays["luminance"], [[[1, 2.5]], [[3, 4]], [[5, 6]]])
    arrays, _ = read('{"instances": [[], []]}', luminance="float")
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
    ("16777215", 16777215), ("1e38", 1e38), ("0.1", np.float32(0.1)),
    # Beyond 64 bits an integer counts as a float.
    ("18446744073709551616", 2.0**64)])
def test_floats(text, expected):
    arrays, _ = read(f'{{"inputs": [{text}, 0.5]}}', x="float")
    np.testing.assert_array_equal(arrays["x"], np.float32([expected, 0.5]))


@pytest.mark.parametrize("text", ["QUI=", "QUI", " QU\\nI = "])
def test_base64_may_lack_padding_and_have_blanks(text):
    arrays, _ = read(f'{{"inputs": [{{"b64": "{text}"}}]}}', x="string")
    assert arrays["x"].tolist() == [b"AB"]


REFUSED = [
    ("", {"x": "float"}, "JSON Parse error: The document is empty"),
    ('{"inputs": [1,]}', {"x": "float"}, "JSON Parse error: "),
    ("{'inputs': 1}", {"x": "float"}, "JSON Parse error: "),
    ("[1]", {"x": "float"}, "JSON Value: [1] Is not object"),
    ('{"signature_name": 1, "inputs": 1}', {"x": "float"},
     "'signature_name' key must be a string value."),
    ("{}", {"x": "float"}, "Missing 'inputs' or 'instances' key"),
    ('{"inputs": 1, "instances": [1]}', {"x": "float"},
     "only one of 'inputs' or 'instances' keys"),
    ('{"instances": 1}', {"x": "float"}, "'instances' to be an list/array"),
    ('{"instances": []}', {"x": "float"}, "No values in 'instances' array"),
    ('{"instances": ["A"]}', COLORIZE,
     "instances is a plain list, but expecting list of objects"),
    ('{"instances": [{"x": 1}, 2]}', {"x": "float"},
     "Expecting object but got list at item 1 of input list"),
    ('{"instances": [1, {"x": 2}]}', {"x": "float"},
     "Expecting value/list but got object at item 1 of input list"),
    ('{"instances": [{"image_bytes": "A", "seed": 1}]}', COLORIZE,
     "keys must be equal to: image_bytes,seed,temperature"),
    ('{"instances": [{"x": 1, "y": 1}]}', {"x": "float"},
     "Failed to process element: 0 key: y of 'instances' list. Error: "
     "INVALID_ARGUMENT: JSON object: does not have named input: y"),
    ('{"instances": [[1, 2], [1]]}', {"x": "float"},
     "Expecting tensor size: 2 but got: 1"),
    ('{"instances": [[[1, 2]], [[1], [2]]]}', {"x": "float"},
     "Expecting shape [1,2] but got: [2,1]"),
    ('{"inputs": [[1, 2], [3]]}', {"x": "float"},
     "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ('{"inputs": [1, [2]]}', {"x": "float"},
     "Encountered list at unexpected level: 1 expected < 1"),
    ('{"inputs": [[1], 2]}', {"x": "float"},
     "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at "
     "level: 2"),
    ('{"inputs": [1]}', COLORIZE, "inputs is a plain value/list"),
    ('{"inputs": {"image_bytes": ["A"], "seed": [1]}}', COLORIZE,
     "Missing named input: temperature in 'inputs' object."),
    ('{"inputs": {"x": 1, "y": 2}}', {"x": "float"},
     "input size does not match signature: 2!=1 len({x,y}) != len({x}). Sent "
     "extra: {y}. Missing but required: {}."),
    ('{"inputs": [1.0]}', {"x": "int64"},
     "JSON Value: 1.0 Type: Number is not of expected type: int64"),
    ('{"inputs": [2147483648]}', {"x": "int32"},
     "is not of expected type: int32"),
    ('{"inputs": [9223372036854775808]}', {"x": "int64"},
     "is not of expected type: int64"),
    ('{"inputs": [true]}', {"x": "int64"},
     "JSON Value: true Type: True is not of expected type: int64"),
    ('{"inputs": [false]}', {"x": "float"}, "Type: False"),
    ('{"inputs": [null]}', {"x": "float"}, "Type: Null"),
    ('{"inputs": ["1"]}', {"x": "float"},
     'JSON Value: "1" Type: String is not of expected type: float'),
    ('{"inputs": [1]}', {"x": "string"},
     "Type: Number is not of expected type: string"),
    ('{"inputs": [1]}', {"x": "bool"}, "is not of expected type: bool"),
    ('{"inputs": [{"a": 1}]}', {"x": "float"},
     "Type: Object is not of expected type: float"),
    ('{"inputs": [16777216]}', {"x": "float"},
     "Cannot convert JSON value: 16777216 to float without loss of "
     "precision."),
    ('{"inputs": [1e39]}', {"x": "float"}, "to float without loss"),
    ('{"inputs": [-1e39, 0.5]}', {"x": "float"}, "to float without loss"),
    ('{"inputs": [9007199254740992]}', {"x": "double"},
     "to double without loss"),
    ('{"inputs": [{"b64": "Q"}]}', {"x": "string"},
     "Unable to base64 decode"),
    # That of URLs is another alphabet.
    ('{"inputs": [{"b64": "_-8="}]}', {"x": "string"},
     "Unable to base64 decode"),
    ('{"inputs": [{"b64": "\\u00e9Q=="}]}', {"x": "string"},
     "Unable to base64 decode"),
    ('{"inputs": [{"b64": "QQ==", "c": 1}]}', {"x": "string"},
     "not formatted correctly for base64 data"),
    ('{"inputs": ["\\ud800"]}', {"x": "string"}, "surrogate pair"),
    (f'{{"inputs": {"[" * 40}{"]" * 40}}}', {"x": "float"},
     "nested too deeply"),
    (f'{{"inputs": {"[" * 90000}{"]" * 90000}}}', {"x": "float"},
     "JSON Parse error: "),
    (f'{{"inputs": [{"1," * 1_000_000}1]}}', {"x": "float"},
     "must hold 1000000 values at most (received 1000001)"),
    (f'{{"inputs": {"9" * 5000}}}', {"x": "float"}, "JSON Parse error: "),
    (f'{{"inputs": {"9" * 4000}}}', {"x": "float"}, "without loss"),
]


@pytest.mark.parametrize("text, inputs, message", REFUSED)
def test_refused(text, inputs, message):
    with pytest.raises(ServingError) as caught:
        read(text, **inputs)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert message in caught.value.message
    assert len(caught.value.message) < 1000


def test_bytes_that_are_not_utf8():
    with pytest.raises(ServingError, match="JSON Parse error"):
        rest_json.parse(b'{"inputs": "\xff"}')


def test_dtype_that_json_cannot_say():
    with pytest.raises(ServingError) as caught:
        read('{"inputs": [1]}', x="half")
    assert caught.value.code == "UNIMPLEMENTED"


# --- Results ---------------------------------------------------------------


def test_row_results():
    png = np.array([[b"\x89P", b""], [b"A", b"B"]], object)
    log_prob = np.float32([[0.1, -2], [3, np.nan]])
    assert write(True, {"colorized_bytes": png[:1]},
                 colorized_bytes="string") == {
        "predictions": [[{"b64": "iVA="}, {"b64": ""}]]}
    result = write(True, {"colorized_bytes": png, "log_prob": log_prob},
                   colorized_bytes="string", log_prob="float")
    assert result["predictions"][0] == {
        "colorized_bytes": [{"b64": "iVA="}, {"b64": ""}],
        "log_prob": [0.1, -2]}
    assert np.isnan(result["predictions"][1]["log_prob"][1])


def test_column_results():
    assert write(False, {"ab": np.float32(1.5)}, ab="float") == {
        "outputs": 1.5}
    assert write(False, {"ab": np.int64([[1]]), "ok": np.array([True])},
                 ab="int64", ok="bool") == {
        "outputs": {"ab": [[1]], "ok": [True]}}
    assert write(False, {"ab": np.zeros([2, 0], np.float32)}, ab="float") == {
        "outputs": [[], []]}


@pytest.mark.parametrize("value, text", [
    (0.2, "0.2"), (1, "1.0"), (1 / 3, "0.333333343"), (np.inf, "Infinity"),
    (-np.inf, "-Infinity"), (np.nan, "NaN"), (16777217, "16777216.0"),
    (1e-7, "1e-07")])
def test_floats_have_no_more_digits_than_they_need(value, text):
    body = rest_results.dump({"x": np.float32(value)},
                             signature(outputs={"x": "float"}), False)
    assert body == f'{{"outputs": {text}}}'.encode()


def test_strings_that_are_no_bytes_go_out_as_they_are():
    body = rest_results.dump({"x": np.array(["é".encode(), b"\xff"], object)},
                             signature(outputs={"x": "string"}), False)
    assert body == '{"outputs": ["é", "'.encode() + b'\xff"]}'


@pytest.mark.parametrize("outputs, message", [
    ({"x": np.float32(1)}, "Tensor name: x has no shape information"),
    ({"x": np.zeros(2, np.float32), "y": np.zeros(3, np.float32)},
     "Tensor name: y has inconsistent batch size: 3 expecting: 2")])
def test_results_that_are_no_rows(outputs, message):
    with pytest.raises(ServingError, match=message):
        write(True, outputs, x="float", y="float")


def test_results_of_other_dtypes():
    with pytest.raises(ServingError, match="tensor type: half"):
        write(False, {"x": np.zeros(2, np.float16)}, x="half")


# --- Round trips -----------------------------------------------------------

ROUND_TRIP = settings(max_examples=100, deadline=None)


@ROUND_TRIP
@given(npst.arrays(np.float32, npst.array_shapes(max_dims=4, min_side=0)))
def test_floats_survive(array):
    # The client writes float32 as Python does; the server reads it back.
    arrays, _ = read(json.dumps({"inputs": array.tolist()}), x="float")
    # An empty list tells nothing of the sizes within.
    if array.size:
        np.testing.assert_array_equal(arrays["x"], array)
    back = write(False, {"x": array}, x="float")["outputs"]
    np.testing.assert_array_equal(
        np.array(back, np.float32).reshape(array.shape), array)


@ROUND_TRIP
@given(npst.arrays(
    np.int64, npst.array_shapes(max_dims=3),
    elements=st.integers(-2**63, 2**63 - 1)))
def test_integers_survive(array):
    arrays, _ = read(json.dumps({"inputs": array.tolist()}), x="int64")
    np.testing.assert_array_equal(arrays["x"], array)
    assert write(False, {"x": array}, x="int64")["outputs"] == array.tolist()


@ROUND_TRIP
@given(st.lists(st.binary(), min_size=1))
def test_bytes_survive(values):
    instances = [{"b64": base64.b64encode(value).decode()}
                 for value in values]
    arrays, _ = read(json.dumps({"instances": instances}), x="string")
    assert arrays["x"].tolist() == values
    back = write(True, {"y_bytes": arrays["x"]}, y_bytes="string")
    assert [base64.b64decode(item["b64"], validate=True)
            for item in back["predictions"]] == values


@ROUND_TRIP
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])),
                min_size=1))
def test_text_survives(values):
    arrays, _ = read(json.dumps({"instances": values}), x="string")
    assert [value.decode() for value in arrays["x"]] == values
    assert write(True, {"y": arrays["x"]}, y="string") == {
        "predictions": values}


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
    for inputs in (COLORIZE, {"x": "float"}, {"x": "string"}):
        try:
            arrays, _ = read(json.dumps(document), **inputs)
        except ServingError as error:
            assert error.code == "INVALID_ARGUMENT"
        else:
            assert set(arrays) <= set(inputs)
