"""Graphs on disk: later programs neither trace nor optimise them again.

To trace the networks and let TensorFlow optimise their graphs takes seconds, to
run them milliseconds.  The first program on a machine stores the optimised
graph in the user's cache folder; later ones read it in a quarter of a second.
All run the stored graph, also the first one, so that all give the same bytes.

A file's name is a checksum of everything that the graph depends on: the
versions, the sources of this package, the devices, and what the caller names
(the weights, say).  Files that are missing, damaged or cannot be written only
cost time.  The folder holds at most `MAX_BYTES`; the least recently used
files are removed.  The variable TFDIVCOLOR_CACHE names another folder; "off"
stores nothing.
"""

import contextlib
import functools
import hashlib
import json
import os
import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
import tensorflow as tf

import tfdivcolor
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import ImageError

MAX_BYTES = 500_000_000
SUFFIX = ".graph"
VARIABLE = "TFDIVCOLOR_CACHE"
# Rooms whose sources the graphs come from.
_ROOMS = ("color", "coloring", "graphs", "latent", "models")


class StoredFunction:
    """A function of tensors that runs an optimised graph.

    Nothing is read before the first call.

    Args:
        name: str. What the graph depends on, besides the versions, the sources
            of this package and the devices.
        make: function that returns the `ConcreteFunction` to store. It must
            have no variables, and return nested dicts and sequences of
            tensors.
    """

    def __init__(self, name: str, make: Callable[[], Any]):
        self._name, self._make = name, make
        self._lock = threading.Lock()
        self._run: Callable | None = None
        self._structure: Any = None

    def __call__(self, *tensors: Any) -> Any:
        """Runs the graph.

        Args:
            *tensors: the function's arguments, nested, as arrays or tensors.

        Returns:
            nested dicts and lists of NumPy arrays.
        """
        run = self.prepare()
        return tf.nest.pack_sequence_as(
            self._structure, run(tf.nest.flatten(tensors)))

    def prepare(self) -> Callable:
        """Reads the graph, or makes it, once; returns what runs it."""
        with self._lock:
            if self._run is None:
                described, graph = _read_or_make(self._name, self._make)
                self._structure = described["outputs"]
                self._run = _runner(graph, described["inputs"],
                                    tf.nest.flatten(described["outputs"]))
            return self._run


def folder() -> Path | None:
    """The folder of the stored graphs, or None if nothing is stored."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return None if chosen.lower() == "off" else Path(chosen)
    return platformdirs.user_cache_path(
        "tfdivcolor", appauthor=False) / "graphs"


# --- Running ---------------------------------------------------------------


def _runner(graph_def, inputs, outputs):
    """Makes a function of arrays that runs a graph as it is.

    A session can leave an optimised graph alone. A `tf.function` would optimise
    it again, which takes half a second.
    """
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    config = tf.compat.v1.ConfigProto(
        allow_soft_placement=True,
        intra_op_parallelism_threads=(
            tf.config.threading.get_intra_op_parallelism_threads()),
        inter_op_parallelism_threads=(
            tf.config.threading.get_inter_op_parallelism_threads()))
    config.gpu_options.allow_growth = True
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    session = tf.compat.v1.Session(graph=graph, config=config)
    feeds = [graph.get_tensor_by_name(name) for name in inputs]
    run = session.make_callable(
        [graph.get_tensor_by_name(name) for name in outputs], feeds)
    dtypes = [feed.dtype.as_numpy_dtype for feed in feeds]
    return lambda values: run(*map(np.asarray, values, dtypes))


# --- Making ----------------------------------------------------------------


def facts(name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Reads facts that take long to find, or finds and stores them.

    Args:
        name: str, as in `StoredFunction`.
        make: function that returns a dict of JSON values.

    Returns:
        dict.
    """
    path = _path(name)
    found = path and _read(path) or _made(path, make(), b"")
    return found[0]


def _read_or_make(name, make):
    """Returns the description and the `GraphDef` of a function."""
    path = _path(name)
    found = path and _read(path)
    if not found:
        function = make()
        described = {
            "name": name,
            "inputs": [tensor.name for tensor in function.inputs],
            "outputs": tf.nest.map_structure(
                lambda tensor: tensor.name, function.structured_outputs)}
        found = _made(path, described, _optimised(function, described))
    described, body = found
    return described, tf.compat.v1.GraphDef.FromString(body)


def _optimised(function, described):
    """The graph of a function after TensorFlow's optimisations, as bytes.

    TensorFlow has no public function for it; `setup.py` names the versions
    that are tested.
    """
    from tensorflow.python.grappler import tf_optimizer

    graph = function.graph
    whole = tf.compat.v1.train.export_meta_graph(
        graph_def=graph.as_graph_def(), graph=graph)
    if not tf.config.list_logical_devices("GPU"):
        # oneDNN's fused operations are for nodes with a device only.
        for node in _nodes(whole.graph_def):
            node.device = "/job:localhost/replica:0/task:0/device:CPU:0"
    kept = whole.signature_def["run"]
    for names, infos in (
            (described["inputs"], kept.inputs),
            (tf.nest.flatten(described["outputs"]), kept.outputs)):
        for name in names:
            tensor = graph.get_tensor_by_name(name)
            infos[name].name = name
            infos[name].dtype = tensor.dtype.as_datatype_enum
            infos[name].tensor_shape.CopyFrom(tensor.shape.as_proto())
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.min_graph_nodes = -1
    optimised: Any = tf_optimizer.OptimizeGraph(config, whole)
    return optimised.SerializeToString(deterministic=True)


def _nodes(graph_def):
    yield from graph_def.node
    for function in graph_def.library.function:
        yield from function.node_def


# --- Files -----------------------------------------------------------------
#
# A line with the checksum of the rest, a line of JSON, the graph.


def _read(path):
    """Reads a file: (dict, bytes), or None without one or from damage."""
    try:
        checksum, _, rest = path.read_bytes().partition(b"\n")
        if checksum.decode() != hashlib.sha256(rest).hexdigest():
            return None
    except (OSError, UnicodeDecodeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # it is used
    described, _, body = rest.partition(b"\n")
    return json.loads(described), body


def _made(path, described, body):
    """Writes a file if possible; returns what `_read` would."""
    described = json.dumps(described)
    rest = described.encode() + b"\n" + body
    checksum = hashlib.sha256(rest).hexdigest()
    with contextlib.suppress(OSError, ImageError):
        if path:
            path.parent.mkdir(0o700, parents=True, exist_ok=True)
            files.write_atomically(path, checksum.encode() + b"\n" + rest)
            _remove_old(path.parent)
    # Tuples have become lists, as in a file that was read.
    return json.loads(described), body


def _remove_old(place):
    """Keeps the files used last, up to `MAX_BYTES`, and the newest anyway."""
    found = [(path, path.stat()) for path in place.glob(f"*{SUFFIX}")]
    total = 0
    for path, status in sorted(
            found, key=lambda one: one[1].st_mtime, reverse=True):
        if total and total + status.st_size > MAX_BYTES:
            path.unlink(missing_ok=True)
        total += status.st_size


def _path(name):
    """Place of a file whose contents depend on `name` and the environment."""
    place = folder()
    if place is None:
        return None
    depends = [
        name, tfdivcolor.__version__, tf.__version__, np.__version__,
        platform.machine(), os.environ.get("TF_ENABLE_ONEDNN_OPTS"),
        [device.name for device in tf.config.list_logical_devices()],
        _sources()]
    digest = hashlib.sha256(json.dumps(depends).encode()).hexdigest()
    return place / f"{digest[:32]}{SUFFIX}"


@functools.cache
def _sources():
    """Checksum of the sources that graphs come from."""
    package = Path(tfdivcolor.__file__).parent
    found = hashlib.sha256()
    for path in sorted([package / "settings.py", *(
            path for room in _ROOMS
            for path in (package / room).rglob("*.py"))]):
        found.update(path.read_bytes())
    return found.hexdigest()
