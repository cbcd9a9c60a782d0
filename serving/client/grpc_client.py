"""TensorFlow Serving's gRPC interface.

The messages come from tensorflow-serving-api, which imports TensorFlow.  REST
needs no TensorFlow.
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

# Bytes of a message. A client's default limit in gRPC is 4 MiB, too little for
# eight pictures.
MAX_MESSAGE = 1 << 30
_METADATA = "signature_def"


class GrpcClient:
    """Calls a model by gRPC.  Threads may share one client.

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
        """Asks for the model's signatures; see `RestClient.signatures`."""
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
            dict from an output's name to an array. Strings are bytes in an
            array of objects.
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
    """Makes a channel to an endpoint, with TLS for "grpcs://" addresses.

    TLS trusts the system's certificates, or those in the file named by the
    environment variable GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.

    Args:
        package: `grpc` or `grpc.aio`.
        endpoint: `Endpoint`.
        options: list of (name, value).

    Returns:
        `Channel` of the package.
    """
    if endpoint.is_grpc_by_tls:
        return package.secure_channel(
            endpoint.grpc_address, grpc.ssl_channel_credentials(), options)
    return package.insecure_channel(endpoint.grpc_address, options)


def channel_options():
    """Channel options for messages with pictures."""
    return [
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
    ]


def predict_request(endpoint, signature, inputs):
    """Makes the message of a call; arguments as in `RestClient.predict`.

    Returns:
        `PredictRequest`.
    """
    request = predict_pb2.PredictRequest(
        inputs={name: _tensor(value) for name, value in inputs.items()})
    _set_model(request.model_spec, endpoint)
    request.model_spec.signature_name = signature
    return request


def _retries(endpoint):
    """Channel options for further attempts while the server is down."""
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
        # gRPC sends larger messages only once; its default of 256 KiB is too
        # little for a photograph.
        ("grpc.per_rpc_retry_buffer_size", MAX_MESSAGE),
        # Otherwise all attempts are over before the channel reconnects.
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
        # Without NumPy, which strips zeros from the end of bytes.
        shape = tensor_shape_pb2.TensorShapeProto(
            dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=len(value))])
        return tensor_pb2.TensorProto(
            dtype=tf.string.as_datatype_enum, tensor_shape=shape,
            string_val=value)
    return tf.make_tensor_proto(np.asarray(value))
