"""Writes SavedModels for TensorFlow Serving, and runs them in the same way.

TensorFlow Serving loads a SavedModel into a session and runs it by tensor
names. `tf.saved_model.load` works differently, and accepts files that fail in
the server.  The exporter's own check, the stand-in server, the load test and
the tests all run models with `Servable`.
"""

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import (
    config_pb2,
    meta_graph_pb2,
    saved_model_pb2,
)

TAG = "serve"


def write(folder: str | os.PathLike, functions: Mapping[str, Any]) -> None:
    """Writes a SavedModel.

    The saved object must not track Keras models: a session would restore their
    variables under one name and read them under another.  Functions therefore
    hold their models in a closure, and this function tracks only the
    tf.Variables that they read, each once.

    Args:
        folder: str or path.
        functions: dict from the name of a signature to its `ConcreteFunction`.
    """
    root = tf.Module()
    # By identity, because == compares the values of variables.
    read = {id(variable): variable for function in functions.values()
            for variable in function.variables}
    # With setattr, because the class tf.Module does not declare the attribute.
    setattr(root, "raw_variables", list(read.values()))
    tf.saved_model.save(
        root, str(folder), signatures=functions,
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False))


def meta_graph(folder: str | os.PathLike) -> meta_graph_pb2.MetaGraphDef:
    """Reads the graph of a SavedModel without loading it.

    Args:
        folder: str or path.

    Returns:
        `MetaGraphDef`.
    """
    data = (Path(folder) / "saved_model.pb").read_bytes()
    return saved_model_pb2.SavedModel.FromString(data).meta_graphs[0]


def signatures(
        meta: meta_graph_pb2.MetaGraphDef
        ) -> dict[str, meta_graph_pb2.SignatureDef]:
    """Returns the signatures of a `MetaGraphDef`: name -> `SignatureDef`."""
    # Names that begin with __ belong to the loader.
    return {name: signature for name, signature in meta.signature_def.items()
            if not name.startswith("__")}


@contextlib.contextmanager
def without_advice() -> Iterator[None]:
    """Keeps TensorFlow's advice off stderr.

    TensorFlow advises against the session loader, which servers use, and warns
    of missing gradients, which `write` omits on purpose.
    """
    loggers = [tf.get_logger(), logging.getLogger("absl")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before):
            logger.disabled = disabled


class Servable:
    """One version of an exported model, in its own session.

    Several threads may call it.

    Args:
        path: str or path of a version's folder.
        threads: int or None. Limit on the session's processor cores. Defaults
            to None, no limit.

    Attributes:
        path: pathlib.Path of the version's folder.
        signatures: dict from the name of a signature to its `SignatureDef`.

    Raises:
        ValueError: if the folder does not hold a SavedModel.
        tf.errors.OpError: if the session loader refuses the model.

    Example:
        jpeg = pathlib.Path("photo.jpg").read_bytes()
        with tdc.servable.Servable("models/tfdivcolor/1") as model:
            model.run("serving_default", {"image_bytes": [jpeg]})
    """

    def __init__(self, path: str | os.PathLike, threads: int | None = None):
        self.path = Path(path)
        if not tf.saved_model.contains_saved_model(str(path)):
            raise ValueError(
                f"{path}: must be the folder of an exported model's version "
                "(received a path without saved_model.pb)")
        config = tf.compat.v1.ConfigProto(
            intra_op_parallelism_threads=threads or 0,
            inter_op_parallelism_threads=threads or 0)
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default(), without_advice():
                meta = tf.compat.v1.saved_model.load(
                    self._session, [TAG], str(path))
        except BaseException:
            self._session.close()
            raise
        self._callables = {}
        self.signatures = signatures(meta)

    def run(self, signature: str, inputs: Mapping[str, Any],
            outputs: Iterable[str] | None = None) -> dict[str, np.ndarray]:
        """Calls a signature.

        Args:
            signature: str.
            inputs: dict from the name of every input to an array.
            outputs: names of outputs to return, or None for all. Defaults to
                None.

        Returns:
            dict from the name of an output to a NumPy array; strings are bytes
            in an array of objects.

        Raises:
            KeyError: if the signature or an output does not exist, or if the
                names of the inputs differ from those of the signature.
            ValueError: if an input cannot be converted to its type.
            tf.errors.OpError: if the model refuses the inputs.
        """
        definition = self.signatures[signature]
        names = sorted(definition.outputs if outputs is None else outputs)
        if inputs.keys() != definition.inputs.keys():
            raise KeyError(
                f"inputs must be {', '.join(sorted(definition.inputs))} "
                f"(received {', '.join(sorted(inputs))})")
        call = self._callable(signature, tuple(names))
        return dict(zip(names, call(*(
            np.asarray(inputs[name],
                       tf.dtypes.as_dtype(info.dtype).as_numpy_dtype)
            for name, info in sorted(definition.inputs.items())))))

    def _callable(self, signature, names):
        """Makes a function of the inputs in the order of their names.

        `Session.run` would enforce the declared shapes of inputs, which a
        server does not. TensorFlow has no public call without that check.
        """
        key = signature, names
        if key not in self._callables:
            definition = self.signatures[signature]
            options = config_pb2.CallableOptions()
            options.feed.extend(
                info.name for _, info in sorted(definition.inputs.items()))
            options.fetch.extend(
                definition.outputs[name].name for name in names)
            self._callables[key] = (
                self._session._make_callable_from_options(options))
        return self._callables[key]

    def close(self) -> None:
        """Frees the session. Calls after this fail."""
        self._callables.clear()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_):
        self.close()
