"""The export as an ONNX file, for ONNX Runtime and other programs.

`model.onnx` holds the whole of sampling (`core`): networks, draws, choice of
the results. tf2onnx converts the TensorFlow graph; `operations` adds what
it lacks. The file describes itself: every input and output has a text, and its
metadata name weights, versions and licence. It checks no inputs but the number
of random numbers.

tf2onnx, onnx and onnxruntime come with pip install 'tfdivcolor[onnx]'.
"""

import contextlib
import json
import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import tensorflow as tf

import tfdivcolor
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.export import saved_model
from tfdivcolor.export.onnx import core, operations
from tfdivcolor.latent import sampling
from tfdivcolor.models import storage
from tfdivcolor.settings import DEFAULTS, ExportOptions

MODEL = "model.onnx"
OPSET = 18
LICENCE = ("Code: Apache-2.0. Weights: the licence in their card, for research "
           "if they are shipped with tfdivcolor.")
# ab in CIE units, as with the other runtimes.
_TOLERANCE = 1e-2
# Rows and results of the comparison. Rounding may turn a near tie in the
# choice of the results, so one row may differ.
_ROWS, _SAME_ROWS, _RESULTS = 4, 3, 4


def texts(colorizer: Colorizer, mode: str) -> dict[str, str]:
    """Describes the inputs and outputs of the file.

    Args:
        colorizer: `Colorizer`.
        mode: one of `settings.MODES`.

    Returns:
        dict from the name of an input or output to its text.
    """
    size, latent_dim = colorizer.luminance_size, colorizer.latent_dim
    results = {"diverse": f"max({sampling.POOL_PER_SAMPLE} S, "
               f"{sampling.SMALLEST_POOL})", "samples": "S",
               "components": "0"}[mode]
    return {
        "luminance": f"float32 [B, {size}, {size}, 1], 0 to 100: CIE "
        "L* of the whole photograph, squashed to a square, antialiased",
        "uniform": "float32 [B, N]: random numbers of at least 0 and below 1, "
        f"N = {results} + {sampling.SHARE_DRAWS}",
        "normal": f"float32 [B, N, {latent_dim + core.rank(colorizer)}]: "
        "random numbers of mean 0 and variance 1",
        "num_samples": "int32 []: number S of results of a photograph, 1 to "
        + (f"{colorizer.num_components}" if mode == "components" else "100"),
        "temperature": "float32 []: 0 or more, 0.5 by default",
        "ab": f"float32 [B, S, {colorizer.canvas}, {colorizer.canvas}, 2]: "
        "a* and b* of each result, CIE units",
        "z": f"float32 [B, S, {latent_dim}]: latents of each result",
        "log_prob": "float32 [B, S]: log p(z | grey) in nats",
        "component": "int32 [B, S]: component of the mixture",
        "weight": "float32 [B, S]: weight of this component, 0 to 1",
        "share": "float32 [B, S]: share of the draws that a result stands "
        "for; they sum to 1",
    }


def write(folder: Path, colorizer: Colorizer, options: ExportOptions,
          about: dict[str, Any]) -> None:
    """Writes `model.onnx` into a folder.

    Args:
        folder: pathlib.Path.
        colorizer: `Colorizer`.
        options: `settings.ExportOptions`. Only `mode` has an effect.
        about: dict of JSON values for the metadata: name and checksum of the
            weights.

    Raises:
        ImportError: if a package of the extra is missing.
        RuntimeError: if the graph has an operation that ONNX lacks.
    """
    onnx, _, tf2onnx = libraries()
    function, signature = core.function(colorizer, options.mode)
    with saved_model.without_advice(), _without_notes():
        model = _converted(function.get_concrete_function(*signature))
    _require_onnx(onnx, model)
    _describe(model, texts(colorizer, options.mode))
    model.producer_name = "tfdivcolor"
    model.producer_version = tfdivcolor.__version__
    model.doc_string = (
        "Colours grey photographs: luminance and random numbers to colour "
        "fields. Join a field, enlarged, with the luminance of the full size.")
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", OPSET))
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {
        "mode": options.mode,
        "licence": LICENCE,
        "versions": json.dumps({
            **storage.versions(), "onnx": onnx.__version__,
            "tf2onnx": tf2onnx.__version__}),
        **{name: value if isinstance(value, str) else json.dumps(value)
           for name, value in about.items()}})
    onnx.checker.check_model(model, full_check=True)
    (folder / MODEL).write_bytes(model.SerializeToString())


def verify(folder: Path, colorizer: Colorizer,
           options: ExportOptions) -> None:
    """Compares `model.onnx` in ONNX Runtime with the Colorizer.

    Raises:
        RuntimeError: if they differ.
    """
    _, onnxruntime, _ = libraries()
    session = onnxruntime.InferenceSession(
        str(folder / MODEL), providers=["CPUExecutionProvider"])
    size = colorizer.luminance_size
    coarse = np.random.default_rng(0).uniform(
        0, 100, (_ROWS, 4, 4, 1)).astype(np.float32)
    luminance = tf.image.resize(coarse, [size, size]).numpy()
    count = min(_RESULTS, colorizer.num_components)
    seeds = list(range(_ROWS))
    received = dict(zip(core.OUTPUTS, session.run(core.OUTPUTS, {
        "luminance": luminance,
        **core.noise(colorizer, seeds, count, options.mode),
        "num_samples": np.array(count, np.int32),
        "temperature": np.array(DEFAULTS.temperature, np.float32)})))
    expected = colorizer.sample(
        luminance, count, seeds, DEFAULTS.temperature, options.mode)
    difference = np.abs(received["ab"] - expected["ab"]).max((1, 2, 3, 4))
    if np.sum(difference <= _TOLERANCE) < _SAME_ROWS:
        raise RuntimeError(
            f"ab of the export must equal the Colorizer's within {_TOLERANCE} "
            f"(received differences of {difference.tolist()})")


def libraries() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Imports onnx, onnxruntime and tf2onnx.

    Raises:
        ImportError: if one of them is missing.
    """
    try:
        import onnx
        import onnxruntime
        import tf2onnx
    except ModuleNotFoundError as error:
        raise ImportError(
            "export: format onnx needs its libraries, "
            "pip install 'tfdivcolor[onnx]' "
            f"(received no module {error.name})") from error
    return onnx, onnxruntime, tf2onnx


def _converted(core):
    """Converts a concrete function to a model of ONNX.

    The steps are those of `tf2onnx.convert.from_function`, which would go on
    after an error, and copy the weights for every optimiser.
    """
    from tf2onnx import convert, optimizer, tf_loader, tfonnx

    inputs = [tensor.name for tensor in core.inputs
              if tensor.dtype != tf.resource]
    outputs = [tensor.name for tensor in core.outputs]
    frozen = tf_loader.from_function(core, inputs, outputs)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen, name="")
        converted = tfonnx.process_tf_graph(
            graph, opset=OPSET, input_names=inputs, output_names=outputs,
            custom_op_handlers=operations.handlers(),
            tensors_to_rename=convert.tensor_names_from_structed(
                core, inputs, outputs))
    return optimizer.optimize_graph(
        converted, catch_errors=False).make_model("tfdivcolor")


def _require_onnx(onnx, model):
    """Refuses operations that tf2onnx has left unconverted."""
    graphs, unknown = [model.graph], set()
    while graphs:
        for node in graphs.pop().node:
            if node.domain or not onnx.defs.has(node.op_type):
                unknown.add(node.op_type)
            graphs += [attribute.g for attribute in node.attribute
                       if attribute.HasField("g")]
    if unknown:
        raise RuntimeError("the graph must do with the operations of ONNX "
                           f"(received {', '.join(sorted(unknown))})")


def _describe(model, texts):
    """Adds texts, and names of the sizes, to inputs and outputs."""
    for values, second in ((model.graph.input, "N"), (model.graph.output, "S")):
        for value in values:
            value.doc_string = texts[value.name]
            for name, size in zip(
                    ("B", second), value.type.tensor_type.shape.dim):
                if not size.HasField("dim_value"):
                    size.dim_param = name


@contextlib.contextmanager
def _without_notes():
    """Keeps the log of tf2onnx off stderr."""
    logger = logging.getLogger("tf2onnx")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
