"""TensorFlow Serving's gRPC services.

PredictionService: Predict, GetModelMetadata. ModelService: GetModelStatus.
grpc.health.v1.Health. All other calls are UNIMPLEMENTED.
"""

import concurrent.futures
import time

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from serving.standin import prediction
from serving.standin.prediction import ServingError

_PREDICTION = "tensorflow.serving.PredictionService"
_MODEL = "tensorflow.serving.ModelService"

# Threads that answer what needs no model run, refusals above all, while all
# places are taken.
_SPARE_THREADS = 8


class Service:
    """Answers gRPC calls.

    Args:
        versions: `Versions`.
        work: `Work`.
        metrics: `Metrics`.
    """

    def __init__(self, versions, work, metrics):
        self._versions = versions
        self._work = work
        self._metrics = metrics

    def handlers(self):
        """The two services' handlers, for `grpc.Server`."""
        def handler(function, request, response):
            return grpc.unary_unary_rpc_method_handler(
                function, request.FromString, response.SerializeToString)

        return [
            grpc.method_handlers_generic_handler(_PREDICTION, {
                "Predict": handler(
                    self._predict, predict_pb2.PredictRequest,
                    predict_pb2.PredictResponse),
                "GetModelMetadata": handler(
                    _refusing(self._metadata),
                    get_model_metadata_pb2.GetModelMetadataRequest,
                    get_model_metadata_pb2.GetModelMetadataResponse)}),
            grpc.method_handlers_generic_handler(_MODEL, {
                "GetModelStatus": handler(
                    _refusing(self._status),
                    get_model_status_pb2.GetModelStatusRequest,
                    get_model_status_pb2.GetModelStatusResponse)})]

    def _predict(self, request, context):
        start = time.perf_counter()
        code = "UNKNOWN"
        try:
            _check_spec(request)
            with self._work.place():
                future = self._work.submit(self._run, request)
                # A client that goes away takes its waiting request along.
                if not context.add_callback(future.cancel):
                    future.cancel()
                response = future.result()
            code = "OK"
            return response
        except ServingError as error:
            code = error.code
            context.abort(grpc.StatusCode[code], error.message)
        except concurrent.futures.CancelledError:
            code = "CANCELLED"
            context.abort(grpc.StatusCode.CANCELLED, "the call was cancelled")
        finally:
            if request.model_spec.name == self._versions.name:
                self._metrics.record(
                    "GRPC", code, time.perf_counter() - start)

    def _run(self, request):
        with self._versions.lease(request.model_spec) as (number, model):
            response = prediction.predict(model, request)
        response.model_spec.version.value = number
        return response

    def _metadata(self, request):
        _check_spec(request)
        if not request.metadata_field:
            raise ServingError(
                "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at "
                "least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                raise ServingError(
                    "INVALID_ARGUMENT",
                    f"Metadata field {field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._versions.lease(request.model_spec) as (number, model):
            response.model_spec.name = self._versions.name
            response.model_spec.version.value = number
            response.metadata["signature_def"].Pack(
                prediction.signature_map(model))
        return response

    def _status(self, request):
        _check_spec(request)
        return self._versions.status(request.model_spec)


def _check_spec(request):
    if not request.HasField("model_spec"):
        raise ServingError("INVALID_ARGUMENT", "Missing ModelSpec")


def _refusing(function):
    """Makes gRPC's errors of a method's refusals."""
    def answer(request, context):
        try:
            return function(request)
        except ServingError as error:
            context.abort(grpc.StatusCode[error.code], error.message)

    return answer


class Server:
    """Serves a `Service`, and the health service.

    Args:
        service: `Service`.
        host: str.
        port: int. 0 for a free one.
        capacity: int. Predictions that may run or wait.
        max_body_bytes: int. Larger messages get RESOURCE_EXHAUSTED.

    Attributes:
        address: str. "HOST:PORT".

    Raises:
        OSError: if the port is taken.
    """

    def __init__(self, service, host, port, capacity, max_body_bytes):
        self._health = health.HealthServicer()
        for name in (health.OVERALL_HEALTH, _PREDICTION, _MODEL):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(
                capacity + _SPARE_THREADS, "grpc"),
            handlers=service.handlers(),
            options=[("grpc.max_receive_message_length", max_body_bytes),
                     ("grpc.max_send_message_length", -1),
                     # Or two servers could share a port unawares.
                     ("grpc.so_reuseport", 0)])
        health_pb2_grpc.add_HealthServicer_to_server(
            self._health, self._server)
        try:
            port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise OSError(f"port: must be free on {host} "
                          f"(received {port})") from error
        self._server.start()
        self.address = f"{host}:{port}"

    def stop(self, seconds):
        """Takes no more calls, and answers those it has in its grace.

        Args:
            seconds: float.

        Returns:
            `threading.Event`, set when all is done.
        """
        self._health.enter_graceful_shutdown()
        return self._server.stop(seconds)
