"""The part of TensorFlow Serving's gRPC that the clients here call.

It has Predict and GetModelMetadata of PredictionService. Other calls are
UNIMPLEMENTED.
"""

import concurrent.futures

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2 as messages,
    predict_pb2,
)

from serving.standin import prediction
from serving.standin.prediction import ServingError

# Threads for calls that do not run the model, mostly refusals, while all other
# threads are busy.
_SPARE_THREADS = 8


class Server:
    """Answers gRPC calls.

    Args:
        versions: `Versions`.
        work: `Work`.
        metrics: `Metrics`.
        host: str.
        port: int. 0 for a free one.

    Attributes:
        address: str. "HOST:PORT".

    Raises:
        RuntimeError: if the port is taken.
    """

    def __init__(self, versions, work, metrics, host, port):
        self._versions = versions
        self._work = work
        self._metrics = metrics
        self._server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(
                work.capacity + _SPARE_THREADS, "grpc"),
            handlers=[grpc.method_handlers_generic_handler(
                "tensorflow.serving.PredictionService", {
                    "Predict": _handler(
                        self._predict, predict_pb2.PredictRequest),
                    "GetModelMetadata": _handler(
                        self._metadata,
                        messages.GetModelMetadataRequest)})],
            options=[("grpc.max_receive_message_length", prediction.MAX_BODY),
                     ("grpc.max_send_message_length", -1),
                     # Otherwise two servers could share a port by mistake.
                     ("grpc.so_reuseport", 0)])
        port = self._server.add_insecure_port(f"{host}:{port}")
        self._server.start()
        self.address = f"{host}:{port}"

    def stop(self):
        """Refuses new calls and finishes the others, within the grace time.

        Returns:
            `threading.Event`, set when all calls are finished.
        """
        return self._server.stop(prediction.GRACE_SECONDS)

    def _predict(self, request, context):
        with self._metrics.recording("GRPC"):
            future = self._work.submit(self._run, request)
            # Cancel a waiting request when its client disconnects.
            if not context.add_callback(future.cancel):
                future.cancel()
            return future.result()

    def _run(self, request):
        with self._versions.lease(request.model_spec) as (number, model):
            response = prediction.predict(model, request)
        response.model_spec.name = self._versions.name
        response.model_spec.version.value = number
        return response

    def _metadata(self, request, context):
        response = messages.GetModelMetadataResponse()
        with self._versions.lease(request.model_spec) as (number, model):
            response.model_spec.name = self._versions.name
            response.model_spec.version.value = number
            response.metadata["signature_def"].Pack(
                messages.SignatureDefMap(signature_def=model.signatures))
        return response


def _handler(function, request_class):
    """Makes a gRPC handler that turns a function's refusals into errors."""
    def answer(request, context):
        try:
            return function(request, context)
        except ServingError as error:
            context.abort(grpc.StatusCode[error.code], error.message)
        except concurrent.futures.CancelledError:
            context.abort(grpc.StatusCode.CANCELLED, "the call was cancelled")

    return grpc.unary_unary_rpc_method_handler(
        answer, request_class.FromString,
        lambda response: response.SerializeToString())
