"""Exports for runtimes other than TensorFlow: the networks alone.

    decode  a SavedModel with the decoder as signature `serving_default`:
            luminance and z -> ab; OpenVINO and other converters read it
    tflite  model.tflite with the signatures `decode` and `prior`, for LiteRT:
            a phone samples the mixture itself

Shapes and units are those of `signatures`. These exports check no inputs, and a
batch must not be empty.
"""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.export import saved_model
from tfdivcolor.settings import ExportOptions

TFLITE = "model.tflite"
# ab in CIE units. Other kernels add in another order, and round differently.
_TOLERANCE = 1e-2


def write_decode(folder: Path, colorizer: Colorizer,
                 options: ExportOptions) -> None:
    """Writes the SavedModel into a folder; `options` has no effect."""
    saved_model.write(folder, {"serving_default": _decode(colorizer)})


def verify_decode(folder: Path, colorizer: Colorizer,
                  options: ExportOptions) -> None:
    """Compares the SavedModel with the Colorizer.

    Raises:
        RuntimeError: if they differ.
    """
    inputs = example(colorizer)
    with saved_model.Servable(folder) as model:
        _require_same(
            colorizer, inputs, model.run("serving_default", inputs)["ab"])


def write_tflite(folder: Path, colorizer: Colorizer,
                 options: ExportOptions) -> None:
    """Writes `model.tflite` into a folder; `options` has no effect."""
    functions = {"decode": _decode(colorizer), "prior": _prior(colorizer)}
    # The converter keeps signatures apart only for a SavedModel.
    with (tempfile.TemporaryDirectory(dir=folder) as whole,
          saved_model.without_advice()):
        saved_model.write(whole, functions)
        converted = tf.lite.TFLiteConverter.from_saved_model(
            whole, signature_keys=list(functions)).convert()
    (folder / TFLITE).write_bytes(converted)


def verify_tflite(folder: Path, colorizer: Colorizer,
                  options: ExportOptions) -> None:
    """Compares `model.tflite` with the Colorizer.

    Raises:
        RuntimeError: if they differ.
    """
    inputs = example(colorizer)
    with warnings.catch_warnings():
        # TensorFlow warns that LiteRT's package will replace the interpreter.
        warnings.filterwarnings("ignore", message=".*tf.lite.Interpreter")
        interpreter = tf.lite.Interpreter(
            str(folder / TFLITE),
            experimental_op_resolver_type=tf.lite.experimental
            .OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    _require_same(colorizer, inputs, interpreter.get_signature_runner(
        "decode")(**inputs)["ab"])


def example(colorizer: Colorizer) -> dict[str, np.ndarray]:
    """Makes example inputs of `decode`: two rows of three latents.

    Args:
        colorizer: `Colorizer`.

    Returns:
        dict of luminance: float32 [2, s, s, 1], and z: float32 [2, 3, D].
    """
    random = np.random.default_rng(0)
    size = colorizer.luminance_size
    return {
        "luminance": random.uniform(
            0, 100, (2, size, size, 1)).astype(np.float32),
        "z": random.normal(
            size=(2, 3, colorizer.latent_dim)).astype(np.float32),
    }


def _decode(colorizer):
    return tf.function(
        lambda luminance, z: {"ab": colorizer.vae.decode(z, luminance)},
        autograph=False).get_concrete_function(
            _luminance(colorizer), tf.TensorSpec(
                [None, None, colorizer.latent_dim], tf.float32, "z"))


def _prior(colorizer):
    return tf.function(
        lambda luminance: colorizer.mdn(luminance),
        autograph=False).get_concrete_function(_luminance(colorizer))


def _luminance(colorizer):
    size = colorizer.luminance_size
    return tf.TensorSpec([None, size, size, 1], tf.float32, "luminance")


def _require_same(colorizer, inputs, received):
    expected = colorizer.vae.decode(
        tf.constant(inputs["z"]), tf.constant(inputs["luminance"]))
    difference = np.abs(received - expected).max()
    if not difference <= _TOLERANCE:
        raise RuntimeError(
            f"ab of the export must equal the Colorizer's within {_TOLERANCE} "
            f"(received a difference of {difference})")
