"""Replaying a version's warm-up file before it is served.

The first call of every signature is slow; TensorFlow Serving makes it before
a version gets requests, and refuses a version whose recorded requests fail.
"""

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.standin import prediction
from serving.standin.prediction import ServingError
from tfdivcolor.export.warmup import FILE

MOST_RECORDS = 1000


def replay(model):
    """Makes the requests of the version's file, if there is one.

    Args:
        model: `Servable`.

    Raises:
        ServingError: a request fails, or the file is not as it must be.
    """
    path = model.path / FILE
    if not path.exists():
        return
    for index, record in enumerate(_records(path)):
        if index == MOST_RECORDS:
            raise _refusal(path, f"must hold {MOST_RECORDS} records at most "
                           "(received more)")
        try:
            log = prediction_log_pb2.PredictionLog.FromString(record)
        except DecodeError as error:
            raise _refusal(path, f"record {index} must be a PredictionLog "
                           f"(received {error})") from error
        if log.WhichOneof("log_type") != "predict_log":
            raise _refusal(path, f"record {index} must be a predict_log "
                           f"(received {log.WhichOneof('log_type')})")
        try:
            prediction.predict(model, log.predict_log.request)
        except ServingError as error:
            raise _refusal(path, f"record {index} must be answered "
                           f"(received {error.message})") from error


def _records(path):
    try:
        yield from tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    except tf.errors.DataLossError as error:
        raise _refusal(path, "must be a TFRecord file (received a broken "
                       "record)") from error


def _refusal(path, message):
    return ServingError("INVALID_ARGUMENT", f"{path}: {message}")
