"""A small SavedModel with the exported model's kinds of signatures.

Made in a second, it answers in microseconds with values that a test can work
out by hand, and its assertion speaks like the exported model's.
"""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis import (
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
)

NUM_SAMPLES = 2
SIDE = 4


class _Toy(tf.Module):
    """Pictures are text: colouring k of `IMG` with seed 7 is `IMG|7|k`."""

    def __init__(self, version):
        super().__init__("toy")
        self.version = tf.Variable(float(version))

    def _colorize(self, image_bytes, num_samples, seed, temperature):
        whole = tf.strings.regex_full_match(image_bytes, r"IMG\C*")
        bad = tf.where(~whole)[:, 0]
        row = tf.concat([bad, [-1]], axis=0)[0]
        check = tf.debugging.Assert(
            row < 0, [tf.strings.join([
                "image_bytes[", tf.strings.as_string(row),
                "]: must be a whole picture (received another)"])])
        with tf.control_dependencies([check]):
            ranks = tf.strings.as_string(tf.range(num_samples))[None]
            rows = image_bytes + "|" + tf.strings.as_string(seed) + "|"
            log_prob = (temperature + self.version)[:, None] - tf.cast(
                tf.range(num_samples), tf.float32)[None]
            return {"colorized_bytes": rows[:, None] + ranks,
                    "log_prob": log_prob}

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([None], tf.string, name="image_bytes")])
    def serving_default(self, image_bytes):
        zeros = tf.zeros(tf.shape(image_bytes))
        return self._colorize(
            image_bytes, NUM_SAMPLES, tf.cast(zeros, tf.int64), zeros)

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([None], tf.string, name="image_bytes"),
        tf.TensorSpec([None], tf.int64, name="seed"),
        tf.TensorSpec([None], tf.float32, name="temperature")])
    def colorize(self, image_bytes, seed, temperature):
        return self._colorize(image_bytes, NUM_SAMPLES, seed, temperature)

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([None], tf.string, name="image_bytes"),
        tf.TensorSpec([], tf.int32, name="num_samples"),
        tf.TensorSpec([], tf.int64, name="seed"),
        tf.TensorSpec([], tf.float32, name="temperature")])
    def colorize_n(self, image_bytes, num_samples, seed, temperature):
        ones = tf.ones(tf.shape(image_bytes))
        return self._colorize(
            image_bytes, num_samples,
            seed * tf.cast(ones, tf.int64), temperature * ones)

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([None, SIDE, SIDE, 1], tf.float32, name="luminance"),
        tf.TensorSpec([None, None, 2], tf.float32, name="z")])
    def decode(self, luminance, z):
        return {"ab": luminance[:, None] * z[:, :, None, None]}

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([], tf.float32, name="seconds")])
    def spin(self, seconds):
        """Keeps one core busy for so long; [1] times the seconds."""
        start = tf.timestamp()
        end = start + tf.cast(seconds, tf.float64)
        now, = tf.while_loop(lambda now: now < end,
                             lambda _: (tf.timestamp(),), [start])
        return {"spun": tf.cast(now - start, tf.float32)[None]}


def save(base, version, warm_up=None):
    """Writes <base>/<version>/ as the exporter does: at once and whole.

    Args:
        base: path of the model's folder.
        version: int.
        warm_up: list of `PredictRequest` to put into the warm-up file, or
            None for no file.

    Returns:
        Path of the version's folder.
    """
    base = Path(base)
    toy = _Toy(version)
    temporary = base / f"tmp-{version}"
    tf.saved_model.save(toy, temporary, signatures={
        name: getattr(toy, name)
        for name in ("serving_default", "colorize", "colorize_n", "decode",
                     "spin")})
    if warm_up is not None:
        folder = temporary / "assets.extra"
        folder.mkdir()
        with tf.io.TFRecordWriter(
                str(folder / "tf_serving_warmup_requests")) as writer:
            for request in warm_up:
                writer.write(prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(
                        request=request)).SerializeToString())
    return temporary.rename(base / str(version))


def request(signature="serving_default", name="toy", inputs=None, **spec):
    """A PredictRequest; `spec` goes into its model_spec.

    Args:
        signature: str.
        name: str. The model's name.
        inputs: dict from an input's name to an array, or to a pair of an
            array and a dtype.
    """
    message = predict_pb2.PredictRequest(model_spec=model_pb2.ModelSpec(
        name=name, signature_name=signature, **spec))
    for key, value in (inputs or {}).items():
        value = value if isinstance(value, tuple) else (value, None)
        message.inputs[key].CopyFrom(tf.make_tensor_proto(*value))
    return message
