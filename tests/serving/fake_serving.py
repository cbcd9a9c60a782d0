"""Small servers that answer as TensorFlow Serving's documentation says.

They share no code with the client or the stand-in.
"""

import base64
import concurrent.futures
import contextlib
import io
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

SIZE = (5, 7)  # height and width of the answers' pictures


def png(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def answer(row, rank, seed):
    """A picture that tells which row, rank and seed it is for."""
    return np.full((*SIZE, 3), [row, rank, seed % 256], np.uint8)


class FakeModel:
    """A model on a server; both protocols ask it.

    Attributes:
        signatures: dict from name to fixed number of colourings, -1 for none.
        has_shares: bool. Exports of tfdivcolor 0.5 have none.
        failures: list of (HTTP status, gRPC status, message) that the next
            calls of predict get.
        calls: list of (signature, inputs) of all calls of predict.
        padding: int. Bytes to add to every picture.
        seconds: float. How long a call takes.
    """

    def __init__(self):
        self.signatures = {
            "colorize": 8, "colorize_n": -1, "colorize_hinted": -1}
        self.has_shares = True
        self.failures, self.calls, self.metadata_calls = [], [], 0
        self.padding, self.seconds = 0, 0.0

    def metadata(self):
        self.metadata_calls += 1
        return self.signatures

    def predict(self, signature, inputs):
        self.calls.append((signature, inputs))
        time.sleep(self.seconds)
        if self.failures:
            raise _Failure(*self.failures.pop(0))
        rows = len(inputs["image_bytes"])
        count = int(inputs.get("num_samples", 8))
        seeds = np.broadcast_to(inputs["seed"], [rows])
        pictures = [[png(answer(row, rank, int(seeds[row])))
                     + b"\0" * self.padding for rank in range(count)]
                    for row in range(rows)]
        ratings = {"log_prob": [[-float(rank) - row for rank in range(count)]
                                for row in range(rows)]}
        if self.has_shares:
            ratings["share"] = [[(1 - row / 8) / (1 + rank)
                                 for rank in range(count)]
                                for row in range(rows)]
        if "hints" in inputs:
            # x + 100 * rank, so that a test can tell which is which.
            x = np.asarray(inputs["hints"], np.float32)[..., 0]
            ratings["hint_distance_before"] = (x + 0.5).tolist()
            ratings["hint_distance"] = (
                x[:, None] + 100 * np.arange(count)[:, None]).tolist()
        return pictures, ratings


class _Failure(Exception):
    pass


class RestHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        assert self.path == f"/v1/models/{self.server.route}/metadata"
        self._send(200, {
            "model_spec": {"name": "tfdivcolor", "version": "1"},
            "metadata": {"signature_def": {"signature_def": {
                name: {"outputs": {"log_prob": {
                    "dtype": "DT_FLOAT", "name": "x:0", "tensor_shape": {
                        "dim": [{"size": str(size), "name": ""}
                                for size in (-1, count)],
                        "unknown_rank": False}}}}
                for name, count in self.server.model.metadata().items()}}}})

    def do_POST(self):
        assert self.path == f"/v1/models/{self.server.route}:predict"
        length = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(length))
        inputs = {name: np.asarray(value)
                  for name, value in request["inputs"].items()}
        inputs["image_bytes"] = [
            base64.b64decode(item["b64"], validate=True)
            for item in request["inputs"]["image_bytes"]]
        try:
            pictures, ratings = self.server.model.predict(
                request["signature_name"], inputs)
        except _Failure as failure:
            status, _, message = failure.args
            self._send(status, {"error": message})
        else:
            self._send(200, {"outputs": {
                **ratings, "colorized_bytes": [
                    [{"b64": base64.b64encode(data).decode()}
                     for data in row] for row in pictures]}})

    def _send(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # a client that gave up
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class _GrpcServicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self.model = model

    def GetModelMetadata(self, request, context):
        assert request.model_spec.name == "tfdivcolor"
        found = get_model_metadata_pb2.SignatureDefMap()
        for name, count in self.model.metadata().items():
            shape = found.signature_def[name].outputs["log_prob"].tensor_shape
            for size in (-1, count):
                shape.dim.add(size=size)
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        answer.metadata["signature_def"].Pack(found)
        return answer

    def Predict(self, request, context):
        inputs = {name: tf.make_ndarray(value)
                  for name, value in request.inputs.items()}
        assert inputs["image_bytes"].ndim == 1
        try:
            pictures, ratings = self.model.predict(
                request.model_spec.signature_name, inputs)
        except _Failure as failure:
            _, status, message = failure.args
            context.abort(getattr(grpc.StatusCode, status), message)
        return predict_pb2.PredictResponse(outputs={
            "colorized_bytes": tf.make_tensor_proto(
                np.array(pictures, object)),
            **{name: tf.make_tensor_proto(np.float32(values))
               for name, values in ratings.items()}})


@contextlib.contextmanager
def rest_server(model, route="tfdivcolor", handler=RestHandler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.model, server.route = model, route
    threading.Thread(target=server.serve_forever, args=[0.02],
                     daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def grpc_server(model):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, options=[
            ("grpc.max_receive_message_length", -1)])
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            _GrpcServicer(model), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


def nowhere():
    """Addresses, for REST and gRPC, where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"


def make_photo(seed=0, height=40, width=60, channels=3):
    """Smooth random colours: uint8 [height, width, channels]."""
    coarse = np.random.default_rng(seed).integers(
        0, 256, [4, 6, channels]).astype(np.float32)
    fine = tf.image.resize(coarse, [height, width], "bicubic")
    return np.uint8(np.clip(fine, 0, 255))
