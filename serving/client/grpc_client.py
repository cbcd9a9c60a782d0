"""TensorFlow Serving's gRPC interface.

The messages are those of tensorflow-serving-api, which imports TensorFlow; to
do without, use REST.
"""

import json

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, tensor_shape_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.client.endpoint import FIRST_PAUSE, LONGEST_PAUSE, PAUSE_FACTOR

# Bytes of a message. gRPC's own limit on what a client receives, 4 MiB, is
# less than eight pictures.
MAX_MESSAGE = 1 << 30
_METADATA = "signature_def"


class GrpcClient:
    """Calls a model by gRPC.  Calls may come from several threads.

    Args:
        endpoint: `Endpoint`.
    """

    def __init__(self, endpoint):
        self.endpoint = endpoint
        self._channel = channel(
            grpc, endpoint, [*channel_options(), *_retries(endpoint)])
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(
            self._channel)

    def signatures(self):
        """Asks what the model offers; see `RestClient.signatures`."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            metadata_field=[_METADATA])
        _set_model(request.model_spec, self.endpoint)
        answer = self._call(self._stub.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        answer.metadata[_METADATA].Unpack(found)
        return {name: {tensor: [dim.size for dim in info.tensor_shape.dim]
                       for side in (signature.inputs, signature.outputs)
                       for tensor, info in side.items()}
                for name, signature in found.signature_def.items()}

    def predict(self, signature, inputs):
        """Calls a signature; see `RestClient.predict`.

        Returns:
            dict from an output's name to an array; strings come as bytes in
            an array of objects.
        """
        answer = self._call(self._stub.Predict, predict_request(
            self.endpoint, signature, inputs))
        return {name: tf.make_ndarray(value)
                for name, value in answer.outputs.items()}

    def close(self):
        """Closes the connections."""
        self._channel.close()

    def _call(self, method, request):
        try:
            return method(request, timeout=self.endpoint.timeout,
                          metadata=tuple(self.endpoint.headers.items()))
        except grpc.RpcError as error:
            raise self.endpoint.error(
                error.code().name, error.details() or "") from error


def channel(package, endpoint, options):
    """A channel to an endpoint, by TLS if its address says so.

    TLS knows the system's certificates, or those of the file that the
    environment's GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names.

    Args:
        package: `grpc` or `grpc.aio`.
        endpoint: `Endpoint`.
        options: list of (name, value).

    Returns:
        the package's `Channel`.
    """
    if endpoint.is_grpc_by_tls:
        return package.secure_channel(
            endpoint.grpc_address, grpc.ssl_channel_credentials(), options)
    return package.insecure_channel(endpoint.grpc_address, options)


def channel_options():
    """Options of a channel for messages with pictures."""
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
    ]


def predict_request(endpoint, signature, inputs):
    """A call as a message; arguments as for `RestClient.predict`.

    Returns:
        `PredictRequest`.
    """
    request = predict_pb2.PredictRequest(
        inputs={name: _tensor(value) for name, value in inputs.items()})
    _set_model(request.model_spec, endpoint)
    request.model_spec.signature_name = signature
    return request


def _retries(endpoint):
    """Channel options for further attempts while the server is not there."""
    if endpoint.max_attempts == 1:
        return [("grpc.enable_retries", 0)]
    policy = {
        "maxAttempts": endpoint.max_attempts,
        "initialBackoff": f"{FIRST_PAUSE}s",
        "backoffMultiplier": PAUSE_FACTOR,
        "maxBackoff": f"{LONGEST_PAUSE}s",
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    service = {"service": "tensorflow.serving.PredictionService"}
    return [
        ("grpc.service_config", json.dumps({"methodConfig": [
            {"name": [service], "retryPolicy": policy}]})),
        # What does not fit is sent once only; 256 KiB are not a photograph.
        ("grpc.per_rpc_retry_buffer_size", MAX_MESSAGE),
        # Otherwise all attempts pass before the channel connects again.
        ("grpc.initial_reconnect_backoff_ms", int(1000 * FIRST_PAUSE)),
    ]


def _set_model(spec, endpoint):
    spec.name = endpoint.model
    if endpoint.version is not None:
        spec.version.value = endpoint.version
    if endpoint.label is not None:
        spec.version_label = endpoint.label


def _tensor(value):
    if isinstance(value, list):
        # By hand: NumPy would take the zeros at the end off bytes.
        shape = tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=len(value))])
        return tensor_pb2.TensorProto(
            dtype=tf.string.as_datatype_enum, tensor_shape=shape,
            string_val=value)
    return tf.make_tensor_proto(np.asarray(value))
