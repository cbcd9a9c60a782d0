"""Limits, refusals and model runs, which REST and gRPC share."""

import concurrent.futures
import threading

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tfdivcolor.export.warmup import FILE

DEFAULT_SIGNATURE = "serving_default"

MAX_BODY = 100 << 20  # bytes of a request
GRACE_SECONDS = 30  # to finish requests when a server stops

# TensorFlow and gRPC use the same numbers and names of codes.
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}

# gRPC sends an error's text in a header, and clients accept 8 KiB of headers.
_LONGEST_MESSAGE = 2000


class ServingError(Exception):
    """The refusal of a request.

    Args:
        code: str. Name of a gRPC status, such as "INVALID_ARGUMENT". `rest`
            translates it to an HTTP status.
        message: str. Truncated to 2,000 characters.
    """

    def __init__(self, code, message):
        super().__init__(message[:_LONGEST_MESSAGE])
        self.code = code

    @property
    def message(self):
        return self.args[0]


def refusal(error):
    """Turns any exception into a `ServingError`."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(_CODES[error.error_code], error.message)
    return ServingError("UNKNOWN", str(error))


def definition_of(model, signature):
    """The `SignatureDef` of a `Servable`'s signature.

    Raises:
        ServingError: if the model lacks the signature.
    """
    if signature not in model.signatures:
        raise ServingError(
            "FAILED_PRECONDITION", "the signature must be one of "
            f"{', '.join(sorted(model.signatures))} (received {signature})")
    return model.signatures[signature]


def check_names(names, definition):
    """Refuses missing and extra inputs.

    Args:
        names: iterable of str, the inputs of a request.
        definition: `SignatureDef`.

    Raises:
        ServingError: if the names differ from the signature's inputs.
    """
    if set(names) != set(definition.inputs):
        raise ServingError(
            "INVALID_ARGUMENT",
            f"the inputs must be {', '.join(sorted(definition.inputs))} "
            f"(received {', '.join(sorted(names)) or 'none'})")


def run(model, signature, inputs):
    """Runs a signature.

    Args:
        model: `Servable`.
        signature: str, one of its signatures.
        inputs: dict from every input's name to an array of the right dtype.

    Returns:
        dict from an output's name to an array.

    Raises:
        ServingError: if the model refuses the inputs.
    """
    try:
        return model.run(signature, inputs)
    except tf.errors.OpError as error:
        raise refusal(error) from error


def predict(model, request):
    """Answers a gRPC request.

    Args:
        model: `Servable`.
        request: `PredictRequest`. The function ignores the model's name and
            version in it.

    Returns:
        `PredictResponse`, without the model's name and version.

    Raises:
        ServingError: if the request does not fit the model, or if the model
            refuses the inputs.
    """
    if request.output_filter:
        raise ServingError(
            "UNIMPLEMENTED", "this stand-in does not support output_filter")
    signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
    definition = definition_of(model, signature)
    check_names(request.inputs, definition)
    results = run(model, signature, {
        name: _array(name, tensor, definition.inputs[name].dtype)
        for name, tensor in request.inputs.items()})
    return predict_pb2.PredictResponse(outputs={
        name: tf.make_tensor_proto(array) for name, array in results.items()})


def _array(name, tensor, dtype):
    wanted = tf.dtypes.as_dtype(dtype)
    try:
        received = tf.dtypes.as_dtype(tensor.dtype)
        array = tf.make_ndarray(tensor)
    except (ValueError, TypeError) as error:
        raise ServingError("INVALID_ARGUMENT", f"{name}: must be a whole "
                           f"tensor (received {error})") from error
    # Checked here because a session in Python would cast the values.
    if received != wanted:
        raise ServingError("INVALID_ARGUMENT", f"{name}: must be "
                           f"{wanted.name} (received {received.name})")
    return array


def warm_up(model):
    """Replays the requests of the version's warm-up file, if it has one.

    The first call of each signature is slow. Like TensorFlow Serving, the
    stand-in makes it before a version gets requests, and refuses a version
    whose recorded requests fail.

    Args:
        model: `Servable`.

    Raises:
        ServingError: if a request fails or the file is damaged.
    """
    path = model.path / FILE
    if not path.exists():
        return
    number = 0
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            log = prediction_log_pb2.PredictionLog.FromString(record)
            predict(model, log.predict_log.request)
            number += 1
    except (tf.errors.DataLossError, DecodeError, ServingError) as error:
        raise ServingError(
            "INVALID_ARGUMENT", f"{path}: record {number} must be a request "
            f"that the model answers (received {error})") from error


class Work:
    """Threads that answer requests, and a waiting queue of limited length.

    Args:
        max_concurrency: int, 1 or more. Requests to answer at a time.
        max_queue: int, 0 or more. Requests that may wait for a thread.
    """

    def __init__(self, max_concurrency, max_queue):
        self.capacity = max_concurrency + max_queue
        self._places = threading.Semaphore(self.capacity)
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max_concurrency, "model")

    def submit(self, function, *arguments):
        """Starts a call in a thread, or puts it into the queue.

        Returns:
            `concurrent.futures.Future`.

        Raises:
            ServingError: UNAVAILABLE, at once, if the queue is full.
        """
        if not self._places.acquire(blocking=False):
            raise ServingError(
                "UNAVAILABLE", f"the server is full: {self.capacity} requests "
                "run or wait; try again later")
        future = self._pool.submit(function, *arguments)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self):
        """Refuses new calls and drops waiting calls."""
        self._pool.shutdown(wait=False, cancel_futures=True)
