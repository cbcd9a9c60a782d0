"""Exports a Colorizer as a SavedModel, or for other runtimes.

    BASE/VERSION/saved_model.pb, variables/   the model; see `signatures`
    BASE/VERSION/assets.extra/                warm-up requests
    BASE/VERSION/contract.json                tensor names, types, shapes
    BASE/VERSION/batching_params.pbtxt        only if batchable
    BASE/VERSION/model.onnx, model.tflite     instead of the model, in other
                                              formats; see `onnx_file` and
                                              `portable`

A version appears completely or not at all, and never replaces another. Before
it appears, the exporter runs every signature as a server does, and compares two
pictures, without hints and with one, with those of the Colorizer.
"""

import functools
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfdivcolor import images
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.export import portable, saved_model, signatures, warmup
from tfdivcolor.export.onnx import onnx_file
from tfdivcolor.models import storage
from tfdivcolor.settings import DEFAULTS, EXPORT_FORMATS, ExportOptions, Hint
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import reason

CONTRACT = "contract.json"
BATCHING = "batching_params.pbtxt"
CONTRACT_FORMAT = 1

# Operations that some loaders of SavedModels lack or forbid.
_FORBIDDEN_OPERATIONS = frozenset({
    "EagerPyFunc", "PrintV2", "PyFunc", "PyFuncStateless", "ReadFile",
    "WriteFile"})
# Largest difference in levels, and the share of values that must keep to it.
_TOLERANCES = {"png": 1, "jpeg": 24}
_WITHIN_TOLERANCE = 0.999
# Relative and absolute tolerance.
_RATING_TOLERANCES = {
    # Nats; sums of many float32 numbers.
    "log_prob": (1e-3, 0.05),
    # Rounding may move a draw from one of two results to the other.
    "share": (0.0, 0.02),
}
# `verify` compares these signatures with the Colorizer.
_COMPARED = ("colorize", "colorize_hinted")

# For two cores; serving/README.md describes how a server uses it.
_BATCHING_PARAMETERS = """\
max_batch_size { value: 8 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 64 }
num_batch_threads { value: 2 }
allowed_batch_sizes: 1
allowed_batch_sizes: 2
allowed_batch_sizes: 4
allowed_batch_sizes: 8
"""


def save(base: str | os.PathLike, colorizer: Colorizer,
         version: int | None = None, options: ExportOptions = ExportOptions(),
         format: str = "serving", quiet: bool = True, **about: Any) -> Path:
    """Exports a Colorizer as a version of a servable.

    Args:
        base: str or path. Folder of the servable, which holds its versions.
        colorizer: `Colorizer`.
        version: int of 0 or more, or None for one more than the last. Defaults
            to None.
        options: `settings.ExportOptions`. Defaults to `ExportOptions()`.
        format: one of `settings.EXPORT_FORMATS`. Defaults to "serving".
        quiet: bool. Show no progress. Defaults to True.
        **about: JSON values to keep in the contract (name and checksum of the
            weights).

    Returns:
        pathlib.Path of the version's folder.

    Raises:
        ValueError: if the version exists or is below 0, if the format is
            unknown or has no such mode, or if the folder holds versions of
            another format.
        OSError: if the folder cannot be written.
        ImportError: if a package that the format needs is not installed.
        RuntimeError: if the results of the export differ from the
            Colorizer's.

    Example:
        tdc.export.save("models/tfdivcolor", tdc.load())
    """
    if format not in EXPORT_FORMATS:
        raise ValueError(
            f"format must be one of {', '.join(EXPORT_FORMATS)} "
            f"(received {format!r})")
    if options.mode != DEFAULTS.mode and format != "onnx":
        raise ValueError(
            f"mode must be {DEFAULTS.mode}, unless the format is onnx "
            f"(received {options.mode})")
    path = version_path(base, version)
    _check_neighbours(path.parent, format)
    write, check = {
        "serving": (_write_serving, verify),
        "decode": (portable.write_decode, portable.verify_decode),
        "tflite": (portable.write_tflite, portable.verify_tflite),
        "onnx": (functools.partial(onnx_file.write, about=about),
                 onnx_file.verify)}[format]
    with (files.whole_folder(path) as folder,
          tqdm(total=2, unit="step", disable=quiet) as bar):
        bar.set_description("writing")
        try:
            write(folder, colorizer, options)
        except tf.errors.OpError as error:
            raise OSError(f"{path}: must be a folder that can be written "
                          f"(received {reason(error)})") from error
        description = contract(folder, colorizer, options, format, about)
        (folder / CONTRACT).write_text(
            json.dumps(description, indent=1) + "\n")
        bar.update()
        bar.set_description("verifying")
        try:
            check(folder, colorizer, options)
        except tf.errors.OpError as error:
            raise RuntimeError("the export must answer its own requests "
                               f"(received {reason(error)})") from error
        bar.update()
    return path


def _check_neighbours(base, format):
    """Refuses a version of another format than the existing ones."""
    for path in sorted(base.glob(f"*/{CONTRACT}")):
        found = json.loads(path.read_text()).get("export_format")
        if found != format:
            raise ValueError(
                f"{base}: must hold versions of one format, because a server "
                "takes them all for the same model (received "
                f"{format}, but {path.parent.name} is {found})")


def version_path(base: str | os.PathLike, version: int | None = None) -> Path:
    """Chooses the folder of an export.

    Args:
        base: str or path.
        version: int, or None for one more than the last. Defaults to None.

    Returns:
        pathlib.Path, which does not exist yet.

    Raises:
        ValueError: if the version exists or is below 0.
    """
    base = Path(base)
    if version is None:
        version = 1 + max((int(entry.name) for entry in base.glob("*")
                           if entry.name.isdecimal()), default=0)
    if version < 0:
        raise ValueError(
            f"version must be an integer of 0 or more (received {version})")
    path = base / str(version)
    if path.exists():
        raise ValueError(
            f"{path}: must be a new version, because versions are never "
            "replaced; leave out the version for the next one (received an "
            "existing version)")
    return path


def _write_serving(folder, colorizer, options):
    warmup.protocol()  # fails now instead of after minutes of work
    saved_model.write(folder, signatures.Signatures(colorizer, options).trace())
    if options.batchable:
        (folder / BATCHING).write_text(_BATCHING_PARAMETERS)
    (folder / warmup.FILE).parent.mkdir(exist_ok=True)
    warmup.write(folder / warmup.FILE, warmup.requests(
        signatures.names(options), options.num_samples,
        colorizer.luminance_size, colorizer.latent_dim))


def contract(folder: str | os.PathLike, colorizer: Colorizer,
             options: ExportOptions, format: str,
             about: dict[str, Any]) -> dict[str, Any]:
    """Makes the description of an export for its callers, in any language.

    Args:
        folder: str or path of the version.
        colorizer: `Colorizer`.
        options: `settings.ExportOptions`.
        format: one of `settings.EXPORT_FORMATS`.
        about: dict of JSON values.

    Returns:
        dict of JSON values; `signatures` gives tensor, dtype and shape (null
        for any size) of every input and output of a SavedModel.
    """
    def described(tensors):
        return {name: {
            "tensor": info.name,
            "dtype": tf.dtypes.as_dtype(info.dtype).name,
            "shape": [None if size.size < 0 else size.size
                      for size in info.tensor_shape.dim],
        } for name, info in sorted(tensors.items())}

    found = {}
    if tf.saved_model.contains_saved_model(str(folder)):
        found = saved_model.signatures(saved_model.meta_graph(folder))
    return {
        "format": CONTRACT_FORMAT,
        "export_format": format,
        "about": about,
        "files_sha256": {
            path.relative_to(folder).as_posix(): files.checksum(path)
            for path in sorted(Path(folder).rglob("*")) if path.is_file()},
        "versions": storage.versions(),
        "canvas": colorizer.canvas,
        "luminance_size": colorizer.luminance_size,
        "latent_dim": colorizer.latent_dim,
        **asdict(options),
        "seed": DEFAULTS.seed,
        "temperature": DEFAULTS.temperature,
        "signatures": {
            name: {"inputs": described(signature.inputs),
                   "outputs": described(signature.outputs)}
            for name, signature in sorted(found.items())},
    }


# --- Verification ------------------------------------------------------------


def verify(folder: str | os.PathLike, colorizer: Colorizer,
           options: ExportOptions) -> None:
    """Checks an export against the needs of servers and the Colorizer.

    Args:
        folder: str or path of the version.
        colorizer: `Colorizer` that was exported.
        options: `settings.ExportOptions` of the export.

    Raises:
        RuntimeError: with the failed rule.
        tf.errors.OpError: if the session loader or a warm-up request fails.
    """
    _verify_graph(folder)
    recorded = warmup.read(Path(folder) / warmup.FILE)
    with saved_model.Servable(folder) as model:
        results = {signature: model.run(signature, inputs)
                   for signature, inputs in recorded}
    for signature, inputs in recorded:
        if signature in _COMPARED:
            _verify_results(inputs, results[signature], colorizer, options)


def _verify_results(inputs, outputs, colorizer, options):
    count = len(inputs["image_bytes"])
    # Scalars hold for all rows.
    by_row = {name: inputs[name] if np.ndim(inputs[name]) else
              [inputs[name]] * count for name in inputs}
    for row, data in enumerate(inputs["image_bytes"]):
        expected = colorizer.colorize(
            data, num_samples=options.num_samples,
            seed=int(by_row["seed"][row]),
            temperature=float(by_row["temperature"][row]),
            **_steering_of({name: value[row]
                            for name, value in by_row.items()}))
        _require_same_pictures(
            outputs["colorized_bytes"][row], expected.images,
            _TOLERANCES[options.image_format])
        for name, (relative, absolute) in _RATING_TOLERANCES.items():
            wanted, received = getattr(expected, name), outputs[name][row]
            if not np.allclose(received, wanted, relative, absolute):
                raise RuntimeError(
                    f"{name} of the export must equal the Colorizer's, "
                    f"{wanted} (received {received})")


def _steering_of(inputs):
    """The arguments of `Colorizer.colorize` that steer, of a row's inputs."""
    if "hints" not in inputs:
        return {}
    hints = inputs["hints"]
    hints = hints[~np.isnan(hints[:, 0])].astype(int).tolist()
    return {"hints": [Hint(x, y, (red, green, blue))
                      for x, y, red, green, blue in hints],
            **{name: float(inputs[name]) for name in ("saturation", "warmth")}}


def _verify_graph(folder):
    meta = saved_model.meta_graph(folder)
    functions = meta.graph_def.library.function
    nodes = [*meta.graph_def.node,
             *(node for function in functions for node in function.node_def)]
    forbidden = _FORBIDDEN_OPERATIONS & {node.op for node in nodes}
    if forbidden:
        raise RuntimeError("the graph must have no operations that servers "
                           f"lack (received {', '.join(sorted(forbidden))})")
    if any("_XlaMustCompile" in part.attr for part in (*functions, *nodes)):
        raise RuntimeError(
            "no function may ask for XLA, which servers turn off")
    devices = {node.device for node in nodes if "GPU" in node.device}
    if devices:
        raise RuntimeError("no operation may need a GPU (received "
                           f"{', '.join(sorted(devices))})")


def _require_same_pictures(encoded, expected, tolerance):
    for rank, (data, pixels) in enumerate(zip(encoded, expected, strict=True)):
        received = images.read(data).pixels
        far = np.abs(received.astype(int) - pixels) > tolerance
        if far.mean() > 1 - _WITHIN_TOLERANCE:
            raise RuntimeError(
                f"result {rank} of the export must equal the Colorizer's "
                f"within {tolerance} levels (received {far.mean():.2%} of the "
                "values farther away)")
