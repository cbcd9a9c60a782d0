"""One run of a model, the same for REST and gRPC: limits and refusals."""

import concurrent.futures
import threading

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from tfdivcolor.export.warmup import FILE

DEFAULT_SIGNATURE = "serving_default"

MAX_BODY = 100 << 20  # bytes of a request
GRACE_SECONDS = 30  # for requests to be answered when a server stops

# TensorFlow's codes are gRPC's, number by number and name by name.
_CODES = {code.value[0]: code.name for code in grpc.StatusCode}

# gRPC clients take 8 KiB of headers, and the text of an error is one.
_LONGEST_MESSAGE = 2000


class ServingError(Exception):
    """A request that is refused.

    Args:
        code: str. Name of a gRPC status: "INVALID_ARGUMENT" ... `rest` makes
            an HTTP status of it.
        message: str. Cut off after 2,000 characters.
    """

    def __init__(self, code, message):
        super().__init__(message[:_LONGEST_MESSAGE])
        self.code = code

    @property
    def message(self):
        return self.args[0]


def refusal(error):
    """A `ServingError` for whatever was raised."""
    if isinstance(error, ServingError):
        return error
    if isinstance(error, tf.errors.OpError):
        return ServingError(_CODES[error.error_code], error.message)
    return ServingError("UNKNOWN", str(error))


def definition_of(model, signature):
    """The `SignatureDef` of a `Servable`'s signature.

    Raises:
        ServingError: the model has no such signature.
    """
    if signature not in model.signatures:
        raise ServingError(
            "FAILED_PRECONDITION", "the signature must be one of "
            f"{', '.join(sorted(model.signatures))} (received {signature})")
    return model.signatures[signature]


def check_names(names, definition):
    """Refuses missing and surplus inputs.

    Args:
        names: iterable of str, the inputs of a request.
        definition: `SignatureDef`.

    Raises:
        ServingError: they are not exactly those of the signature.
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
        ServingError: the model refused the inputs.
    """
    try:
        return model.run(signature, inputs)
    except tf.errors.OpError as error:
        raise refusal(error) from error


def predict(model, request):
    """Answers a gRPC request.

    Args:
        model: `Servable`.
        request: `PredictRequest`. The model's name and version are not
            looked at.

    Returns:
        `PredictResponse`, without the model's name and version.

    Raises:
        ServingError: the request does not fit the model, or the model
            refused the inputs.
    """
    if request.output_filter:
        raise ServingError(
            "UNIMPLEMENTED", "output_filter is not part of this stand-in")
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
    # Checked here, since a session fed from Python would cast.
    if received != wanted:
        raise ServingError("INVALID_ARGUMENT", f"{name}: must be "
                           f"{wanted.name} (received {received.name})")
    return array


def warm_up(model):
    """Makes the requests of the version's warm-up file, if there is one.

    The first call of every signature is slow; TensorFlow Serving makes it
    before a version gets requests, and refuses a version whose recorded
    requests fail.

    Args:
        model: `Servable`.

    Raises:
        ServingError: a request fails, or the file is not as it must be.
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
            f"that is answered (received {error})") from error


class Work:
    """Threads that answer requests, and a waiting queue of limited length.

    Args:
        max_concurrency: int, 1 or more. Requests answered at a time.
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
            ServingError: UNAVAILABLE, at once: the queue is full.
        """
        if not self._places.acquire(blocking=False):
            raise ServingError(
                "UNAVAILABLE", f"the server is full: {self.capacity} requests "
                "run or wait; try again later")
        future = self._pool.submit(function, *arguments)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self):
        """Takes no more calls; drops those that have not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
