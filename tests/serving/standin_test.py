"""The stand-in server end to end, on a toy model, over loopback."""

import base64
import concurrent.futures
import contextlib
import gc
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import grpc
import numpy as np
import pytest
import tensorflow as tf
import toy_model
import urllib3
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    prediction_service_pb2_grpc,
)

from serving import client, standin
from serving.standin.prediction import ServingError
from tfdivcolor.export.saved_model import Servable

LIMIT = 60  # seconds for whatever must not hang


# --- Helpers ---------------------------------------------------------------


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    """Folder with versions 1 to 3 of the toy; not to be changed."""
    base = tmp_path_factory.mktemp("toys")
    for version in (1, 2, 3):
        toy_model.save(base, version)
    return base


@pytest.fixture(scope="module")
def server(toys, tmp_path_factory):
    """A server of version 1, for tests that leave it as it is."""
    base = tmp_path_factory.mktemp("model")
    publish(toys, base, 1)
    with serve(base) as result:
        yield result


@pytest.fixture(scope="module")
def http():
    with urllib3.PoolManager(maxsize=200, retries=False,
                             timeout=LIMIT) as result:
        yield result


def serve(base, **options):
    return standin.start(base, model_name="toy", poll_seconds=0.05, **options)


def publish(toys, base, version):
    """Puts a version in place as the exporter does: by a rename."""
    shutil.copytree(toys / str(version), base / f"tmp-{version}")
    (base / f"tmp-{version}").rename(base / str(version))


def url(server, rest=":predict", name="toy"):
    return f"{server.rest_address}/v1/models/{name}{rest}"


def post(http, server, document, rest=":predict", **options):
    """Status and parsed body; `document` may be bytes."""
    body = (document if isinstance(document, bytes)
            else json.dumps(document).encode())
    answer = http.request("POST", url(server, rest), body=body, **options)
    return answer.status, json.loads(answer.data)


def get(http, server, rest="", name="toy"):
    answer = http.request("GET", url(server, rest, name))
    return answer.status, json.loads(answer.data)


@contextlib.contextmanager
def connected(server):
    """A stub of PredictionService."""
    with grpc.insecure_channel(server.grpc_address) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def predict(server, *arguments, **options):
    with connected(server) as stub:
        return stub.Predict(toy_model.request(*arguments, **options),
                            timeout=LIMIT)


def refused(call):
    """Code's name and text of a call's error."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def wait_until(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def version_of(prediction):
    """The toy's first log_prob, at temperature 0, is its version."""
    return int(prediction["log_prob"][0])


PICTURE = {"instances": ["IMG"]}
COLORIZE = {"image_bytes": [b"IMG\xff\x00", b"IMGb"],
            "seed": np.int64([7, -8]), "temperature": np.float32([0.5, 1])}


# --- Predictions -----------------------------------------------------------


def test_rows(server, http):
    picture = base64.b64encode(b"IMG\xff").decode()
    status, answer = post(http, server, {
        "signature_name": "colorize",
        "instances": [{"image_bytes": {"b64": picture}, "seed": 7,
                       "temperature": 0.5},
                      {"image_bytes": {"b64": picture}, "seed": 8,
                       "temperature": 2}]})
    assert status == 200
    assert [row["log_prob"] for row in answer["predictions"]] == [
        [1.5, 0.5], [3.0, 2.0]]
    assert [base64.b64decode(item["b64"])
            for item in answer["predictions"][1]["colorized_bytes"]] == [
        b"IMG\xff|8|0", b"IMG\xff|8|1"]


def test_columns(server, http):
    status, answer = post(http, server, {
        "signature_name": "colorize_n",
        "inputs": {"image_bytes": ["IMG"], "num_samples": 3, "seed": 7,
                   "temperature": 0.25}})
    assert status == 200
    assert answer["outputs"]["log_prob"] == [[1.25, 0.25, -0.75]]
    assert len(answer["outputs"]["colorized_bytes"][0]) == 3


def test_floats_by_rest_and_grpc_are_those_of_the_session(
        server, toys, http):
    rng = np.random.default_rng(0)
    inputs = {"luminance": rng.normal(size=[2, 4, 4, 1]).astype(np.float32),
              "z": rng.normal(size=[2, 3, 2]).astype(np.float32)}
    with Servable(toys / "1") as model:
        expected = model.run("decode", inputs)["ab"]
    status, answer = post(http, server, {
        "signature_name": "decode",
        "inputs": {name: value.tolist() for name, value in inputs.items()}})
    assert status == 200
    np.testing.assert_array_equal(
        np.array(answer["outputs"], np.float32), expected)
    response = predict(server, "decode", inputs=inputs)
    np.testing.assert_array_equal(
        tf.make_ndarray(response.outputs["ab"]), expected)


def test_grpc(server):
    response = predict(server, "colorize", inputs=COLORIZE)
    assert response.model_spec.name == "toy"
    assert response.model_spec.version.value == 1
    assert tf.make_ndarray(response.outputs["colorized_bytes"]).tolist() == [
        [b"IMG\xff\x00|7|0", b"IMG\xff\x00|7|1"], [b"IMGb|-8|0", b"IMGb|-8|1"]]
    np.testing.assert_array_equal(
        tf.make_ndarray(response.outputs["log_prob"]), [[1.5, 0.5], [2, 1]])
    assert predict(server, "", inputs={"image_bytes": [b"IMG"]}
                   ).outputs["colorized_bytes"].string_val[1] == b"IMG|0|1"


def test_large_messages(server):
    """Beyond gRPC's 4 MiB, both ways."""
    picture = b"IMG" + bytes(6 << 20)
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(server.grpc_address, options) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(toy_model.request(
            inputs={"image_bytes": [picture]}), timeout=LIMIT)
    assert response.outputs["colorized_bytes"].string_val[1] == (
        picture + b"|0|1")


# --- Bad requests ----------------------------------------------------------


@pytest.mark.parametrize("document, message", [
    (b"{", "the body must be JSON"),
    ({"instances": ["nothing"]}, "image_bytes[0]: must be a whole picture"),
    ({"instances": ["IMG", ""]}, "image_bytes[1]: must be a whole"),
    ({"instances": ["IMG"], "signature_name": "nope"},
     "the signature must be one of colorize, colorize_n, decode, "
     "serving_default, spin (received nope)"),
    ({"instances": [{"image_bytes": "IMG", "seed": 1}],
      "signature_name": "colorize"},
     "the inputs must be image_bytes, seed, temperature (received "
     "image_bytes, seed)"),
    ({"inputs": {"image_bytes": ["IMG"], "seed": [1.5], "temperature": [1]},
      "signature_name": "colorize"}, "seed: must be int64"),
])
def test_rest_refuses(server, http, document, message):
    status, answer = post(http, server, document)
    assert status == 400
    assert list(answer) == ["error"]
    assert message in answer["error"]


@pytest.mark.parametrize("inputs, message", [
    ({"image_bytes": [b"IMG", b"x"]},
     "assertion failed: [image_bytes[1]: must be a whole picture (received "
     "another)]"),
    ({}, "the inputs must be image_bytes (received none)"),
    ({"image_bytes": [b"IMG"], "seed": [1]},
     "the inputs must be image_bytes (received image_bytes, seed)"),
    ({"image_bytes": [1.0]},
     "image_bytes: must be string (received float32)"),
])
def test_grpc_refuses(server, inputs, message):
    code, text = refused(lambda: predict(server, inputs=inputs))
    assert code == "INVALID_ARGUMENT"
    assert message in text


def test_grpc_does_not_cast(server):
    """What a session fed from Python would do."""
    assert refused(lambda: predict(server, "colorize", inputs={
        **COLORIZE, "seed": np.int32([7, 8])})) == (
        "INVALID_ARGUMENT", "seed: must be int64 (received int32)")


def test_malformed_tensors(server):
    def send(change):
        request = toy_model.request(inputs={"image_bytes": [b"IMG"]})
        change(request.inputs["image_bytes"])
        with connected(server) as stub:
            return refused(lambda: stub.Predict(request, timeout=LIMIT))

    def short(tensor):
        tensor.tensor_shape.dim[0].size = 0

    def unknown(tensor):
        tensor.dtype = 999

    for change in (short, unknown):
        code, text = send(change)
        assert code == "INVALID_ARGUMENT"
        assert text.startswith("image_bytes: must be a whole tensor")


def test_unknown_models_versions_labels_signatures(server, http):
    unknown = {
        "": (404, "the model must be toy (received nope)", "nope"),
        "/versions/7": (404, "(received 7 of toy)", "toy"),
        "/labels/nope": (400, "one of none (received nope)", "toy")}
    for choice, (status, message, name) in unknown.items():
        for method, rest in (("GET", ""), ("GET", "/metadata"),
                             ("POST", ":predict")):
            answer = http.request(method, url(server, choice + rest, name),
                                  body=json.dumps(PICTURE).encode())
            assert answer.status == status
            assert message in json.loads(answer.data)["error"]
    inputs = {"image_bytes": [b"IMG"]}
    for options, code in [
            ({"name": "nope"}, "NOT_FOUND"), ({"name": ""}, "NOT_FOUND"),
            ({"version": {"value": 7}}, "NOT_FOUND"),
            ({"version_label": "nope"}, "INVALID_ARGUMENT"),
            ({"signature": "nope"}, "FAILED_PRECONDITION")]:
        assert refused(lambda: predict(
            server, inputs=inputs, **options))[0] == code


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/v1/models", 404), ("GET", "/v1/models/toy:predict", 405),
    ("PUT", "/v1/models/toy:predict", 405), ("GET", "/", 404),
    ("GET", "/v1/models/toy/versions/one", 404),
    ("GET", "/v1/models/t%6Fy", 200)])
def test_paths(server, http, method, path, status):
    assert http.request(
        method, server.rest_address + path, body=b"{}").status == status


def test_what_is_no_part_of_it_is_said(server):
    request = toy_model.request(inputs={"image_bytes": [b"IMG"]})
    request.output_filter.append("log_prob")
    with connected(server) as stub:
        assert refused(lambda: stub.Predict(request))[0] == "UNIMPLEMENTED"


# --- Bodies ----------------------------------------------------------------


def test_a_large_body_is_refused(server, http):
    # One that does not say its size.
    status, answer = post(
        http, server, PICTURE, headers={"Transfer-Encoding": "chunked"})
    assert status == 200

    def chunks():
        for _ in range(110):
            yield bytes(1 << 20)

    with contextlib.suppress(urllib3.exceptions.ProtocolError):
        # The server may hang up while the client still sends.
        answer = http.request("POST", url(server), body=chunks())
        assert answer.status == 413
    assert post(http, server, PICTURE)[0] == 200


def test_body_limit_by_grpc(server):
    code, _ = refused(lambda: predict(
        server, inputs={"image_bytes": [b"IMG" + bytes(101 << 20)]}))
    assert code == "RESOURCE_EXHAUSTED"
    predict(server, inputs={"image_bytes": [b"IMG"]})


def test_clients_that_vanish(server, http):
    address = server.rest_address.removeprefix("http://").split(":")
    document = json.dumps({"signature_name": "spin", "inputs": 0.3}).encode()
    head = (b"POST /v1/models/toy:predict HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: %d\r\n\r\n" % len(document))
    for sent in (head[:10], head, head + document[:5], head + document):
        for _ in range(10):
            with socket.create_connection(address) as link:
                link.sendall(sent)
    with connected(server) as stub:
        calls = [stub.Predict.future(toy_model.request(
            "spin", inputs={"seconds": np.float32(0.3)})) for _ in range(10)]
        for call in calls:
            call.cancel()
    # Those that waited went with their clients: 20 runs would take 3 s.
    start = time.monotonic()
    assert post(http, server, PICTURE)[0] == 200
    assert time.monotonic() - start < 2


# --- Looking ---------------------------------------------------------------


def test_status(server, http):
    expected = {"model_version_status": [{
        "version": "1", "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""}}]}
    assert get(http, server) == (200, expected)
    assert get(http, server, "/versions/1") == (200, expected)


def test_metadata_is_the_signature_def(server, toys, http):
    with Servable(toys / "1") as model:
        expected = dict(model.signatures)
    request = get_model_metadata_pb2.GetModelMetadataRequest(
        metadata_field=["signature_def"])
    request.model_spec.name = "toy"
    with connected(server) as stub:
        response = stub.GetModelMetadata(request)
    assert response.model_spec.version.value == 1
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert signatures.signature_def == expected

    status, answer = get(http, server, "/versions/1/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "toy", "version": "1"}
    shown = answer["metadata"]["signature_def"]["signature_def"]
    assert set(shown) == set(expected)
    assert shown["decode"]["inputs"]["luminance"] == {
        "dtype": "DT_FLOAT", "name": "decode_luminance:0",
        "tensor_shape": {"unknown_rank": False, "dim": [
            {"size": size, "name": ""} for size in ("-1", "4", "4", "1")]}}


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_clients_learn_the_shapes_of_inputs_and_outputs(server, protocol):
    transport = client.transport_to(client.Endpoint(
        getattr(server, f"{protocol}_address"), "toy"))
    try:
        signatures = transport.signatures()
    finally:
        transport.close()
    assert signatures["decode"] == {
        "luminance": [-1, 4, 4, 1], "z": [-1, -1, 2],
        "ab": [-1, -1, 4, 4, 2]}
    assert signatures["colorize_n"]["seed"] == []


def test_metrics(toys, http):
    with serve(toys) as server:
        for body in (json.dumps(PICTURE).encode(), b"{"):
            post(http, server, body)
        predict(server, inputs={"image_bytes": [b"IMG"]})
        page = http.request("GET", server.rest_address +
                            "/monitoring/prometheus/metrics").data.decode()
    # Read by hand: the library's parser adds _total to names.
    samples = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            name, labels, value = re.fullmatch(
                r"([a-z_:]+){(.*)} (\S+)", line).groups()
            samples[name, *sorted(re.findall('"([^"]*)"', labels))] = (
                float(value))
    count = ":tensorflow:serving:request_count"
    assert samples[count, "OK", "toy"] == 2
    assert samples[count, "INVALID_ARGUMENT", "toy"] == 1
    latency = ":tensorflow:serving:request_latency"
    for entrypoint in ("REST", "GRPC"):
        labels = sorted(["Predict", entrypoint, "toy"])
        # Only successes are timed; in microseconds.
        assert samples[latency + "_count", *labels] == 1
        assert 100 < samples[latency + "_sum", *labels] < LIMIT * 1e6
    assert {name for name, *_ in samples} == {
        count, *(latency + end for end in (
            "_count", "_sum", "_bucket", "_created"))}


# --- Limits ----------------------------------------------------------------


def test_a_full_queue_is_said_at_once(toys, http):
    with serve(toys, max_concurrency=1, max_queue=1) as server:
        spin = {"signature_name": "spin", "inputs": 1}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            started = time.monotonic()
            busy = [pool.submit(post, http, server, spin) for _ in range(2)]
            time.sleep(0.3)
            status, answer = post(http, server, PICTURE)
            assert status == 503
            assert answer["error"].startswith("the server is full: 2 requests")
            assert refused(lambda: predict(
                server, inputs={"image_bytes": [b"IMG"]}))[0] == "UNAVAILABLE"
            # Whoever only looks is answered.
            assert get(http, server)[0] == 200
            assert time.monotonic() - started < 1
            assert [job.result()[0] for job in busy] == [200, 200]
        assert post(http, server, PICTURE)[0] == 200


def test_a_hundred_clients(server, http):
    def call(index):
        if index % 2:
            text = predict(server, inputs={
                "image_bytes": [f"IMG{index}".encode()]}).outputs[
                    "colorized_bytes"].string_val[0].decode()
        else:
            status, answer = post(http, server,
                                  {"instances": [f"IMG{index}"]})
            assert status == 200
            text = base64.b64decode(answer["predictions"][0][
                "colorized_bytes"][0]["b64"]).decode()
        return text == f"IMG{index}|0|0"

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert all(pool.map(call, range(300)))


# --- Versions --------------------------------------------------------------


def test_a_version_rolls_in_under_traffic(toys, tmp_path, http):
    publish(toys, tmp_path, 1)
    done = threading.Event()
    answers = [[], [], [], []]  # versions, in the order of a client's answers

    def by_rest(server, seen):
        while not done.is_set():
            status, answer = post(http, server, PICTURE)
            assert status == 200, answer
            seen.append(version_of(answer["predictions"][0]))

    def by_grpc(server, seen):
        with connected(server) as stub:
            request = toy_model.request(inputs={"image_bytes": [b"IMG"]})
            while not done.is_set():
                response = stub.Predict(request, timeout=LIMIT)
                log_prob = tf.make_ndarray(response.outputs["log_prob"])
                seen.append(response.model_spec.version.value)
                assert log_prob[0, 0] == seen[-1]

    def wait_for(version):
        wait_until(lambda: any(job.done() for job in jobs) or all(
            version in seen for seen in answers))

    with (serve(tmp_path) as server,
          concurrent.futures.ThreadPoolExecutor() as pool):
        jobs = [pool.submit(client, server, seen) for client, seen in zip(
            (by_rest, by_rest, by_grpc, by_grpc), answers)]
        wait_for(1)
        for version in (2, 3):
            publish(toys, tmp_path, version)
            wait_for(version)
        done.set()
        for job in jobs:
            job.result()
        wait_until(lambda: [
            (item["version"], item["state"])
            for item in get(http, server)[1]["model_version_status"]] == [
            ("3", "AVAILABLE"), ("2", "END"), ("1", "END")])
    for seen in answers:
        assert set(seen) == {1, 2, 3}
        assert seen == sorted(seen)


# On its own, as slow tests are: behind other files of the suite the spinning
# call can hold the one thread that the next version needs to load.
@pytest.mark.slow
def test_an_old_version_finishes_what_it_began(toys, tmp_path, http):
    publish(toys, tmp_path, 1)
    with (serve(tmp_path) as server,
          concurrent.futures.ThreadPoolExecutor() as pool):
        # Long enough for the next version to load on a busy machine.
        job = pool.submit(post, http, server,
                          {"signature_name": "spin", "inputs": 6})
        time.sleep(0.2)
        publish(toys, tmp_path, 2)
        wait_until(lambda: server.versions() == [2])
        assert not job.done()
        states = get(http, server, "/versions/1")[1]["model_version_status"]
        assert states[0]["state"] == "UNLOADING"
        assert job.result()[0] == 200
        wait_until(lambda: get(http, server, "/versions/1")[1][
            "model_version_status"][0]["state"] == "END")


def test_old_versions_are_freed(toys, tmp_path):
    def models():
        return sum(isinstance(item, Servable) for item in gc.get_objects())

    before = models()
    publish(toys, tmp_path, 1)
    with serve(tmp_path) as server:
        for version in (2, 3):
            publish(toys, tmp_path, version)
            wait_until(lambda: server.versions() == [version])
        wait_until(lambda: models() == before + 1)
    assert models() == before


def test_rolling_back_by_removing_the_newest(toys, tmp_path, http):
    publish(toys, tmp_path, 1)
    publish(toys, tmp_path, 2)
    with serve(tmp_path) as server:
        assert server.versions() == [2]
        shutil.rmtree(tmp_path / "2")
        wait_until(lambda: server.versions() == [1])
        assert version_of(post(http, server, PICTURE)[1]["predictions"][0]
                          ) == 1
        # Nothing left to serve: what is loaded goes on.
        shutil.rmtree(tmp_path / "1")
        time.sleep(0.2)
        assert post(http, server, PICTURE)[0] == 200


def test_a_broken_version_is_refused(toys, tmp_path, http, caplog):
    publish(toys, tmp_path, 1)
    (tmp_path / "not-a-version").mkdir()
    with serve(tmp_path) as server:
        for version in ("2", "3"):
            (tmp_path / version).mkdir()
        (tmp_path / "3" / "saved_model.pb").write_bytes(b"nothing")
        wait_until(lambda: "version 3 of toy is refused" in caplog.text)
        assert post(http, server, PICTURE)[0] == 200
        state, = get(http, server, "/versions/3")[1]["model_version_status"]
        assert state["state"] == "END"
        assert state["status"]["error_code"] != "OK"
        assert state["status"]["error_message"]
        time.sleep(0.3)
        assert caplog.text.count("version 3 of toy is refused") == 1
        # Mended, it is taken up.
        shutil.rmtree(tmp_path / "3")
        publish(toys, tmp_path, 3)
        wait_until(lambda: server.versions() == [3])


def test_labels(toys, tmp_path, http):
    publish(toys, tmp_path, 1)
    publish(toys, tmp_path, 2)
    labels = {"stable": 1, "canary": 2}
    with serve(tmp_path, labels=labels) as server:
        assert server.versions() == [2, 1]
        publish(toys, tmp_path, 3)
        wait_until(lambda: server.versions() == [3, 2, 1])
        for rest, version in [("", 3), ("/versions/1", 1),
                              ("/labels/stable", 1), ("/labels/canary", 2)]:
            answer = post(http, server, PICTURE, f"{rest}:predict")[1]
            assert version_of(answer["predictions"][0]) == version
        assert get(http, server, "/labels/canary/metadata")[1][
            "model_spec"]["version"] == "2"
        response = predict(server, inputs={"image_bytes": [b"IMG"]},
                           version_label="stable")
        assert response.model_spec.version.value == 1
    with pytest.raises(ValueError, match="label next: must be a version"):
        serve(tmp_path, labels={"next": 9})


def test_warm_up(tmp_path, http):
    good = toy_model.request(inputs={"image_bytes": [b"IMG"]})
    bad = toy_model.request(inputs={"image_bytes": [b"nothing"]})
    toy_model.save(tmp_path, 1, warm_up=[good, good])
    with serve(tmp_path) as server:
        toy_model.save(tmp_path, 2, warm_up=[good, bad])

        def newest():
            return get(http, server)[1]["model_version_status"][0]

        wait_until(lambda: (newest()["version"], newest()["state"])
                   == ("2", "END"))
        assert "record 1 must be a request that the model answers" in (
            newest()["status"]["error_message"])
        assert server.versions() == [1]
    with pytest.raises(ServingError, match="record 1 must be a request"):
        serve(tmp_path)
    shutil.rmtree(tmp_path / "2")
    (tmp_path / "1/assets.extra/tf_serving_warmup_requests").write_bytes(
        bytes(100))
    with pytest.raises(ServingError, match="record 0 must be a request"):
        serve(tmp_path)


def test_folders_without_versions(tmp_path):
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ValueError, match="must hold a version"):
            serve(folder)


# --- Start and stop --------------------------------------------------------


def test_stop_answers_what_it_has(toys, http):
    server = serve(toys)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(post, http, server,
                        {"signature_name": "spin", "inputs": 0.8}),
            pool.submit(predict, server, "spin",
                        inputs={"seconds": np.float32(0.8)})]
        time.sleep(0.4)
        assert server.stop()
        assert jobs[0].result()[0] == 200
        assert "spun" in jobs[1].result().outputs
    with pytest.raises(urllib3.exceptions.HTTPError):
        post(http, server, PICTURE)
    assert refused(lambda: predict(
        server, inputs={"image_bytes": [b"IMG"]}))[0] == "UNAVAILABLE"
    assert server.stop()  # once more does no harm


def test_ports_that_are_taken(toys, server):
    for option, address in (("port", server.grpc_address),
                            ("rest_api_port", server.rest_address)):
        for number in (int(address.rpartition(":")[2]), 70_000):
            with pytest.raises(OSError, match=f"{option}: must be a free"):
                serve(toys, **{option: number})


def test_command(toys, http):
    environment = dict(os.environ)
    # conftest sets it; by default the command keeps TensorFlow quiet itself.
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    command = [sys.executable, "-m", "serving.standin", "--model-base-path",
               toys, "--model-name", "toy", "--port", "0", "--rest-api-port",
               "0", "--label", "old=1"]
    running = subprocess.Popen(command, env=environment, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        match = re.fullmatch(
            r"ready: gRPC (127\.0\.0\.1:\d+), REST (http://127\.0\.0\.1:\d+) "
            r"\(stand-in for development and tests, not TensorFlow "
            r"Serving\)\n", running.stdout.readline())
        answer = http.request(
            "POST", match[2] + "/v1/models/toy/labels/old:predict",
            body=json.dumps(PICTURE).encode())
        assert answer.status == 200
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=LIMIT)
    finally:
        running.kill()
    assert (running.returncode, out) == (0, "")
    assert sorted(err.splitlines()) == [
        f"standin: version {version} of toy is {what}"
        for version, what in ((1, "closed"), (1, "served"), (3, "closed"),
                              (3, "served"))]


def test_command_refuses(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert standin.main(["--model-base-path", str(tmp_path)]) == 1
    assert caplog.messages == [
        f"{tmp_path}: must hold a version in a folder named by its number "
        "(received none)"]
    for arguments in (["--port", "x"], ["--label", "x"],
                      ["--max-concurrency", "0"], ["--threads", "0"]):
        with pytest.raises(SystemExit) as caught:
            standin.main(["--model-base-path", str(tmp_path), *arguments])
        assert caught.value.code == 2


def test_help_is_quick():
    code = ("import sys; from serving import standin\n"
            "try: standin.main(['--help'])\n"
            "finally: assert 'tensorflow' not in sys.modules")
    done = subprocess.run([sys.executable, "-c", code], text=True,
                          capture_output=True, timeout=LIMIT)
    assert done.returncode == 0, done.stderr
    assert "not TensorFlow Serving" in " ".join(done.stdout.split())


# --- Fuzzing ---------------------------------------------------------------

BODIES = [json.dumps(document).encode() for document in [
    PICTURE,
    {"instances": [{"image_bytes": {"b64": "SU1HYQ=="}}, {
        "image_bytes": "IMG"}]},
    {"signature_name": "colorize", "instances": [
        {"image_bytes": {"b64": "SU1HYQ=="}, "seed": 7, "temperature": 0.5}]},
    {"signature_name": "colorize_n", "inputs": {
        "image_bytes": ["IMG"], "num_samples": 2, "seed": 1,
        "temperature": 1.5e0}},
    {"signature_name": "decode", "inputs": {
        "luminance": np.ones([1, 4, 4, 1]).tolist(),
        "z": [[[1, -2.5]]]}}]]
TOKENS = [b"{", b"}", b"[", b"]", b'"', b",", b":", b"null", b"NaN", b"1e999",
          b"-", b"0.5", b"99999999999999999999", b"true", b"\\u0000", b"\xff",
          b'{"b64": "!"}', b'{"b64": ""}', b"[[[]]]", b'"IMG"', b"2147483648"]


def mutate(rng):
    body = bytearray(rng.choice(BODIES))
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(body) + 1)
        end = min(len(body), start + rng.choice([0, 0, 1, 3, 10]))
        piece = rng.choice([b"", rng.choice(TOKENS), body[start:start + 20]])
        body[start:end] = piece
    return bytes(body)


def fuzz(server, http, cases, seed):
    rng = random.Random(seed)
    statuses = {200: 0, 400: 0}
    for _ in range(cases):
        body = mutate(rng)
        answer = http.request("POST", url(server), body=body, timeout=LIMIT)
        assert answer.status in statuses, (body, answer.data)
        statuses[answer.status] += 1
    return statuses


def test_fuzz(server, http):
    statuses = fuzz(server, http, 200, seed=0)
    assert min(statuses.values()) > 5  # neither all good nor all bad


@pytest.mark.slow
def test_fuzz_long(server, http):
    fuzz(server, http, 2000, seed=1)
    before = memory()
    fuzz(server, http, 10_000, seed=2)
    assert memory() < before + 50e6


def memory():
    """Resident bytes of this process, the server within."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
