"""A model's functions as TensorFlow graphs."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf


class Graphs:
    """A model's functions as TensorFlow graphs, each traced once.

    The graphs belong to the model.  Decorated functions would outlive it: the
    memory of programs that load models again and again would grow.

    Args:
        model: Keras model.
        frozen: bool. Whether the graphs hold the present weights as constants.
            TensorFlow then folds batch norm into the convolutions, and orders
            kernels for the processor once instead of in every call. Defaults
            to False.
    """

    def __init__(self, model: keras.Model, frozen: bool = False):
        self._model = model
        self._constants = [(weight, weight.numpy())
                           for weight in model.variables] if frozen else []
        self._traced = {}

    def trace(self, function: Callable, signature: Sequence | None = None,
              *fixed: Any) -> Any:
        """Traces a function, or returns the graph of an equal earlier call.

        Args:
            function: function of the model, `fixed`, and tensors.
            signature: sequence of (nested) `tf.TensorSpec` of the tensors. None
                accepts all tensors, with a new trace for each new type.
                Defaults to None.
            *fixed: arguments of the graph other than tensors.

        Returns:
            `tf.function` of the tensors.
        """
        key = function, *fixed, *tf.nest.flatten(signature)
        if key not in self._traced:
            # Not a closure: TensorFlow would take all closures for one function
            # that is traced again and again, and warn.
            self._traced[key] = tf.function(
                functools.partial(self._run, function, fixed),
                input_signature=signature, autograph=False,
                reduce_retracing=signature is None)
        return self._traced[key]

    def _run(self, function, fixed, *tensors):
        with contextlib.ExitStack() as stack:
            if self._constants:
                stack.enter_context(keras.StatelessScope([
                    (weight, tf.constant(value))
                    for weight, value in self._constants]))
            return function(self._model, *fixed, *tensors)
