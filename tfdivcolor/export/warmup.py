"""Requests that a server runs before a version takes traffic.

The first call of a signature takes seconds. TensorFlow Serving therefore first
replays the file `assets.extra/tf_serving_warmup_requests`; a failed request
fails the whole version.  The protocol's messages come from
tensorflow-serving-api (`pip install 'tfdivcolor[serving]'`).
"""

import os
from collections.abc import Iterable, Mapping
from types import ModuleType

import numpy as np
import tensorflow as tf

from tfdivcolor.settings import DEFAULTS, UNSTEERED, WARMUP_PIXELS

# Name of a signature, and its inputs.
Request = tuple[str, Mapping[str, np.ndarray]]

FILE = "assets.extra/tf_serving_warmup_requests"


def requests(signatures: Iterable[str], num_samples: int,
             luminance_size: int, latent_dim: int) -> list[Request]:
    """Makes one request of two rows per signature.

    Args:
        signatures: names of signatures, from `signatures.names`.
        num_samples: int. For the signatures with this input.
        luminance_size: int. Side of the luminance in pixels.
        latent_dim: int D.

    Returns:
        list of (signature, dict from the name of an input to an array).
    """
    ramp = np.linspace(0, 255, WARMUP_PIXELS).reshape(-1, 8, 1)
    pixels = np.repeat(ramp, 3, axis=-1).astype(np.uint8)
    images = np.array([tf.io.encode_png(pixels).numpy(),
                       tf.io.encode_jpeg(pixels).numpy()], object)
    luminance = np.broadcast_to(
        np.linspace(0, 100, luminance_size, dtype=np.float32)[:, None],
        (2, luminance_size, luminance_size, 1))
    hints = np.full((2, 1, 5), np.nan, np.float32)
    hints[0] = 1, 2, 160, 60, 40  # only the first picture has a hint
    rows = {"seed": np.full(2, DEFAULTS.seed, np.int64),
            "temperature": np.full(2, DEFAULTS.temperature, np.float32)}
    scalars = {"num_samples": np.int32(num_samples),
               **{name: value[0] for name, value in rows.items()}}
    inputs = {
        "serving_default": {"image_bytes": images},
        "colorize": {"image_bytes": images, **rows},
        "colorize_n": {"image_bytes": images, **scalars},
        "colorize_hinted": {
            "image_bytes": images, "hints": hints, **scalars,
            "saturation": np.float32(UNSTEERED.saturation),
            "warmth": np.float32(UNSTEERED.warmth)},
        "colorize_pixels": {"pixels": np.stack([pixels] * 2), **scalars},
        "colorize_tensor": {"luminance": luminance, **rows},
        "prior": {"luminance": luminance},
        "decode": {"luminance": luminance,
                   "z": np.zeros((2, 1, latent_dim), np.float32)},
    }
    return [(name, inputs[name]) for name in signatures]


def write(path: str | os.PathLike, recorded: Iterable[Request]) -> None:
    """Writes a warm-up file.

    Args:
        path: str or path.
        recorded: list, as from `requests`.

    Raises:
        ImportError: if tensorflow-serving-api is not installed.
    """
    predict_pb2, log_pb2 = protocol()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in recorded:
            request = predict_pb2.PredictRequest()
            # The server ignores the name.
            request.model_spec.name = "tfdivcolor"
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            writer.write(log_pb2.PredictionLog(
                predict_log=log_pb2.PredictLog(
                    request=request)).SerializeToString())


def read(path: str | os.PathLike) -> list[Request]:
    """Reads the requests of a warm-up file, as from `requests`.

    Args:
        path: str or path.

    Returns:
        list of (signature, inputs).

    Raises:
        ImportError: if tensorflow-serving-api is not installed.
    """
    _, log_pb2 = protocol()
    recorded = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = log_pb2.PredictionLog.FromString(
            record.numpy()).predict_log.request
        recorded.append((
            request.model_spec.signature_name,
            {name: tf.make_ndarray(value)
             for name, value in request.inputs.items()}))
    return recorded


def protocol() -> tuple[ModuleType, ModuleType]:
    """Imports the modules of the protocol's messages.

    Raises:
        ImportError: if tensorflow-serving-api is not installed.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise ImportError(
            "exporting needs tensorflow-serving-api: "
            f"pip install 'tfdivcolor[serving]' (received {error})") from error
    return predict_pb2, prediction_log_pb2
