"""FrozenColorizer: a Colorizer that only colours, and starts at once."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from tfdivcolor.graphs import stored
from tfdivcolor.models import storage
from tfdivcolor.models.joint import JointModel


class FrozenColorizer:
    """What `coloring.drawing` needs of a Colorizer, from stored graphs.

    The command line and the studio use it.  To make the Keras model, trace it
    and optimise its graphs takes four seconds; to read the graphs that an
    earlier program stored (`graphs.stored`) takes half a second.  The Keras
    model loads only to make a graph that is not stored.

    Args:
        path: str or path of a folder written by `Colorizer.save`. The class
            `Colorizer` must be imported, as for `storage.load`.

    Attributes:
        canvas, luminance_size, latent_dim, num_components, has_regions: as of
            `JointModel`.
        graphs: has the method `trace` of `graphs.traced.Graphs`.

    Raises:
        ValueError: if a file is missing or has changed.
    """

    canvas: int
    luminance_size: int
    latent_dim: int
    num_components: int
    has_regions: bool

    def __init__(self, path: str | os.PathLike):
        self.graphs = _StoredGraphs(path)
        for name in ("canvas", "luminance_size", "latent_dim",
                     "num_components", "has_regions"):
            setattr(self, name, self.graphs.facts[name])


AnyColorizer = JointModel | FrozenColorizer


class _StoredGraphs:
    """The graphs of saved weights: `Graphs`, but stored on disk."""

    def __init__(self, path):
        self._path = path
        self._sha256 = storage.check(path)["sha256"]
        self._functions = {}
        self.facts = stored.facts(self._sha256, lambda: {
            name: getattr(self._model, name) for name in (
                "canvas", "luminance_size", "latent_dim", "num_components",
                "has_regions")})

    @functools.cached_property
    def _model(self):
        return storage.load(self._path).freeze()

    def trace(self, function: Callable, signature: Sequence,
              *fixed: Any) -> stored.StoredFunction:
        """Finds or makes a graph; arguments as in `Graphs.trace`."""
        key = function, *fixed, *tf.nest.flatten(signature)
        if key not in self._functions:
            name = " ".join(map(str, (
                self._sha256, function.__module__, function.__qualname__,
                fixed, signature)))
            self._functions[key] = stored.StoredFunction(
                name, lambda: self._model.graphs.trace(
                    function, signature, *fixed).get_concrete_function())
        return self._functions[key]
