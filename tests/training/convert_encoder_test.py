"""The converter, on files in PyTorch's format that are written here."""

import collections
import io
import os
import pickle
import struct
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest

from tfdivcolor.models.encoder import Encoder
from training import convert_encoder

# The three pickles before the state dict, byte for byte as PyTorch 1.5 has
# them: a magic number, the format's version, the system.
BEGINNING = bytes.fromhex(
    "80028a0a6cfc9c46f9206aa850192e" "80024de9032e") + (
    b"\x80\x02}q\x00(X\x10\x00\x00\x00protocol_versionq\x01M\xe9\x03"
    b"X\r\x00\x00\x00little_endianq\x02\x88X\n\x00\x00\x00type_sizesq\x03}"
    b"q\x04(X\x05\x00\x00\x00shortq\x05K\x02X\x03\x00\x00\x00intq\x06K\x04"
    b"X\x04\x00\x00\x00longq\x07K\x04uu.")

# EfficientNet-Lite0, a row a block: kernel, channels in, inside and out.
BLOCKS = (
    [(3, 32, 32, 16)] + [(3, 16, 96, 24), (3, 24, 144, 24)]
    + [(5, 24, 144, 40), (5, 40, 240, 40)] + [(3, 40, 240, 80)]
    + 2 * [(3, 80, 480, 80)] + [(5, 80, 480, 112)]
    + 2 * [(5, 112, 672, 112)] + [(5, 112, 672, 192)]
    + 3 * [(5, 192, 1152, 192)] + [(3, 192, 1152, 320)])


def shapes():
    """What the published state dict holds: name -> shape."""
    found = {}

    def layer(convolution, norm, shape):
        found[f"{convolution}.weight"] = shape
        for weight in ("weight", "bias", "running_mean", "running_var"):
            found[f"{norm}.{weight}"] = (shape[0],)
        found[f"{norm}.num_batches_tracked"] = ()

    layer("_conv_stem", "_bn0", (32, 3, 3, 3))
    for number, (size, before, inside, after) in enumerate(BLOCKS):
        block = f"_blocks.{number}."
        if number:
            layer(f"{block}_expand_conv", f"{block}_bn0",
                  (inside, before, 1, 1))
        layer(f"{block}_depthwise_conv", f"{block}_bn1",
              (inside, 1, size, size))
        layer(f"{block}_project_conv", f"{block}_bn2", (after, inside, 1, 1))
    layer("_conv_head", "_bn1", (8, 320, 1, 1))  # fewer than there are
    return {**found, "_fc.weight": (5, 8), "_fc.bias": (5,)}


@pytest.fixture(scope="module")
def state():
    rng = np.random.default_rng(0)
    found = {}
    for name, shape in shapes().items():
        if name.endswith("num_batches_tracked"):
            found[name] = np.array(7, np.int64)
        else:
            array = rng.normal(size=shape).astype(np.float32)
            # Views in another order than the memory's, as those that came
            # from TensorFlow are.
            found[name] = array.transpose(2, 3, 1, 0).copy().transpose(
                3, 2, 0, 1) if len(shape) == 4 else array
    return found


class Storage:
    """The numbers of an array, in the order that memory has them in."""

    def __init__(self, array):
        self.array = array


def write(path, state, begin=BEGINNING, claim=0):
    """Writes what torch.save(state, path) of PyTorch 1.5 writes.

    Args:
        path: pathlib.Path.
        state: dict of str to array, or to anything that pickles.
        begin: bytes before the state dict.
        claim: int. How many numbers more each tensor claims to have.
    """
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    storages = []

    def rebuild(*_):
        raise AssertionError

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", (
        "_rebuild_tensor_v2")
    utils._rebuild_tensor_v2 = rebuild
    names = {"f4": "FloatStorage", "i8": "LongStorage"}
    kinds = {np.dtype(dtype): type(name, (), {"__module__": "torch"})
             for dtype, name in names.items()}
    for kind in kinds.values():
        setattr(torch, kind.__name__, kind)

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if not isinstance(obj, Storage):
                return None
            storages.append(obj.array)
            return ("storage", kinds[obj.array.dtype], str(len(storages) - 1),
                    "cpu", obj.array.size, None)

        def reducer_override(self, obj):
            if not isinstance(obj, np.ndarray):
                return NotImplemented
            shape = obj.shape[:-1] + tuple(
                side + claim for side in obj.shape[-1:])
            strides = tuple(step // obj.itemsize for step in obj.strides)
            return rebuild, (Storage(obj), 0, shape, strides, False,
                             collections.OrderedDict())

    file = io.BytesIO()
    file.write(begin)
    modules = {"torch": torch, "torch._utils": utils}
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        ordered = collections.OrderedDict(state)
        ordered._metadata = collections.OrderedDict({"": {"version": 1}})
        Pickler(file, 2).dump(ordered)
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module
    pickle.dump([str(number) for number in range(len(storages))], file, 2)
    for array in storages:
        file.write(struct.pack("<q", array.size))
        file.write(array.ravel(order="K").tobytes())  # as memory has them
    path.write_bytes(file.getvalue())
    return path


def run(path, out):
    return convert_encoder.main([str(path), "--out", str(out)])


def test_every_array_finds_its_place(state, tmp_path, capsys):
    out = tmp_path / "lite0.npz"
    assert run(write(tmp_path / "lite0.pth", state), out) == 0
    with np.load(out) as file:
        arrays = dict(file)
    expected = {"stem_conv/kernel": np.einsum(
        "oihw->hwo", state["_conv_stem.weight"])[:, :, None]}

    def norm(layer, name):
        for ours, theirs in (("gamma", "weight"), ("beta", "bias"),
                             ("moving_mean", "running_mean"),
                             ("moving_variance", "running_var")):
            expected[f"{layer}_norm/{ours}"] = state[f"{name}.{theirs}"]

    norm("stem_conv", "_bn0")
    for number in range(16):
        for part, index, order in (("expand", 0, "oihw->hwio"),
                                   ("depthwise", 1, "cihw->hwci"),
                                   ("project", 2, "oihw->hwio")):
            block, layer = f"_blocks.{number}.", f"block_{number}_{part}"
            name = f"{block}_{part}_conv.weight"
            if name in state:
                expected[f"{layer}/kernel"] = np.einsum(order, state[name])
                norm(layer, f"{block}_bn{index}")
    assert set(arrays) == set(expected) and len(arrays) == 240
    for name, array in expected.items():
        assert arrays[name].dtype == np.float16
        np.testing.assert_allclose(
            arrays[name], array, rtol=1e-3, atol=2e-3, err_msg=name)
    numbers = sum(array.size for array in arrays.values())
    assert capsys.readouterr().out == (
        f"wrote 240 arrays, {numbers:,} numbers, from {tmp_path}/lite0.pth "
        f"to {out}, {out.stat().st_size:,} bytes\n")
    # And the network takes them.
    network = Encoder(32, weights=str(out)).network
    kernel = network.get_layer("block_3_project").kernel.numpy()
    np.testing.assert_array_equal(kernel, arrays["block_3_project/kernel"])


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize("change, rule", [
    (lambda s: without(s, "_blocks.3._bn0.bias"),
     "of EfficientNet-Lite0 (received one without _blocks.3._bn0.bias)"),
    # EfficientNet-B0 has this, and all that Lite0 has.
    (lambda s: {**s, "_blocks.0._se_reduce.weight": np.ones(2, np.float32)},
     "(received one with _blocks.0._se_reduce.weight)"),
    (lambda s: {**s, "_conv_stem.weight": np.ones([32, 1, 3, 3], np.float32)},
     "_conv_stem.weight must have shape [32, 3, 3, 3] (received "
     "[32, 1, 3, 3])"),
    # Of Keras' order: as many numbers, but not in their places.
    (lambda s: {**s, "_blocks.1._depthwise_conv.weight": np.ones(
        [3, 3, 96, 1], np.float32)},
     "must have shape [96, 1, 3, 3] (received [3, 3, 96, 1])"),
    (lambda s: {**s, "_bn0.running_var": np.full(32, 1e6, np.float32)},
     "_bn0.running_var must fit into float16 (received up to 1e+06)"),
], ids=["a weight missing", "one more", "another shape", "another order",
        "too large"])
def test_other_networks_are_refused_in_one_line(
        state, change, rule, tmp_path, capsys):
    path = write(tmp_path / "other.pth", change(state))
    refused(path, tmp_path, capsys, rule)


class Forbidden:
    """Makes a folder when it is read by an unpickler that lets it."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("kind, rule", [
    ("missing", "received No such file or directory"),
    ("a folder", "received Is a directory"),
    ("empty", "begins with b''"),
    ("text", "begins with b'Once'"),
    ("a zip file", r"begins with b'PK\x03\x04'"),
    ("only its beginning", "received"),
    ("cut off in the pickle", "received"),
    ("cut off in the numbers", "received"),
    ("a forbidden name", f"received {os.name}.mkdir, which a state dict"),
    ("no tensors", "received"),
    ("larger than its numbers", "received"),
    ("big-endian", "received big-endian numbers"),
])
def test_other_files_are_refused_in_one_line(kind, rule, tmp_path, capsys):
    small = {"_bn0.weight": np.ones(32, np.float32),
             "_bn0.bias": np.ones(32, np.float32)}
    path = tmp_path / "weights.pth"
    whole = write(path, small).read_bytes()
    if kind == "missing":
        path.unlink()
    elif kind == "a folder":
        path.unlink()
        path.mkdir()
    elif kind == "a zip file":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", whole)
    elif kind == "a forbidden name":
        write(path, {"_bn0.weight": Forbidden(str(tmp_path / "made"))})
    elif kind == "no tensors":
        write(path, {"_bn0.weight": "32 numbers"})
    elif kind == "larger than its numbers":
        write(path, small, claim=1)
    elif kind == "big-endian":
        write(path, small, BEGINNING.replace(b"q\x02\x88", b"q\x02\x89"))
    else:
        path.write_bytes({
            "empty": b"", "text": b"Once upon a time",
            "only its beginning": BEGINNING,
            "cut off in the pickle": whole[:len(BEGINNING) + 50],
            "cut off in the numbers": whole[:-1]}[kind])
    refused(path, tmp_path, capsys, rule)
    assert not (tmp_path / "made").exists()


def refused(path, folder, capsys, rule):
    out = folder / "out" / "lite0.npz"
    out.parent.mkdir()
    assert run(path, out) == 1
    printed = capsys.readouterr()
    line, = [line for line in printed.err.splitlines()
             if line.startswith("convert_encoder: ")]
    assert rule in line and f"{path}: " in line and printed.out == ""
    assert "Traceback" not in printed.err
    assert not list(out.parent.iterdir())


def test_a_place_that_cannot_be_written_is_one_line(state, tmp_path, capsys):
    path = write(tmp_path / "lite0.pth", state)
    assert run(path, tmp_path / "nowhere" / "lite0.npz") == 1
    assert ("lite0.npz: must be a file that can be written (received No such "
            "file or directory)") in capsys.readouterr().err


def test_the_package_s_own_file_is_the_default(tmp_path, monkeypatch, capsys):
    arguments = ["--out", str(tmp_path / "lite0.npz")]
    monkeypatch.setattr(convert_encoder, "PACKAGE", "no_such_package")
    assert convert_encoder.main(arguments) == 1
    assert "package no_such_package is installed" in capsys.readouterr().err
    # Installed: a module of this form, which need not be imported.
    models = tmp_path / "some_package" / "models"
    models.mkdir(parents=True)
    (tmp_path / "some_package" / "__init__.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(convert_encoder, "PACKAGE", "some_package")
    (models / "lite0-1234.pth").write_bytes(b"")
    assert convert_encoder.installed() == models / "lite0-1234.pth"
    assert convert_encoder.main(arguments) == 1
    assert f"{models}/lite0-1234.pth: must be" in capsys.readouterr().err


def test_help_and_wrong_files_do_not_wait_for_tensorflow(tmp_path):
    code = ("import sys\n"
            "from training import convert_encoder\n"
            "assert convert_encoder.main(['none.pth', '--out', 'x']) == 1\n"
            "try:\n"
            "    convert_encoder.main(['--help'])\n"
            "except SystemExit:\n"
            "    pass\n"
            "assert 'tensorflow' not in sys.modules\n")
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True,
        text=True)
    assert "--out" in shown.stdout
    assert shown.stderr.count("\n") == 1
