"""What the trainable models share: loss terms, noise, seeds, graphs."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdivcolor.data import batches
from tfdivcolor.latent import seeds
from tfdivcolor.settings import Sampling
from tfdivcolor.utils.types import Tensor


class LossTermsModel(keras.Model):
    """A Keras model whose loss is a dict of named terms, one number a picture.

    Subclasses implement `call(batch, training)`, `loss_terms(batch, outputs)`,
    `term_names`, and have a `canvas`.  `fit` and `evaluate` then need no loss
    argument in `compile`, report every term under its name, and use the very
    functions that the explicit loops in `training/` use.

    A model that is made, or loaded, within the scope of a
    `tf.distribute.Strategy` is trained by that strategy, wherever `fit` is
    called.  The loss is the mean over a batch, however the devices share it.
    """

    canvas: int

    def __init__(self, **kwargs):
        # The parts compute in the precision that the policy says.
        super().__init__(autocast=False, **kwargs)
        self.noise_generator = keras.random.SeedGenerator(0, name="noise")
        self._strategy = tf.distribute.get_strategy()
        self._term_metrics = {}

    def loss_terms(self, batch: Any, outputs: Any) -> dict[str, Tensor]:
        """Loss terms of one batch.

        Args:
            batch: dict of tensors, what `call` took.
            outputs: what `call` returned.

        Returns:
            dict from a term's name to float32 [B]; "loss" is their weighted
            sum, the number to minimise.
        """
        raise NotImplementedError

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of what `loss_terms` returns beside "loss", in its order."""
        raise NotImplementedError

    @property
    def batch_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Of each tensor of a batch but the seed: shape of one picture's."""
        side = getattr(self, "luminance_size", self.canvas)
        return {"luminance": (side, side, 1),
                "ab": (self.canvas, self.canvas, 2)}

    # --- Keras -------------------------------------------------------------

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """The scope of the strategy that the model was made in.

        Raises:
            ValueError: within the scope of another strategy.
        """
        if (tf.distribute.has_strategy()
                and tf.distribute.get_strategy() is not self._strategy):
            raise ValueError(
                f"{self.name}: must be made or loaded within the scope of the "
                "strategy that trains it; `python -m training.train --strategy "
                "mirrored` does so (received one made outside of this scope)")
        with self._strategy.scope():
            yield

    def fit(self, x: Any = None, *args: Any, validation_data: Any = None,
            **options: Any) -> keras.callbacks.History:
        with self.scope():
            x = self._divided("fit: data", x, options.get("steps_per_epoch"))
            if validation_data is not None:
                validation_data = self._divided(
                    "fit: validation_data", validation_data,
                    options.get("validation_steps"))
            self._make_metrics()
            self._build_optimizer()
            return super().fit(
                x, *args, validation_data=validation_data, **options)

    def evaluate(self, x: Any = None, *args: Any, **options: Any) -> Any:
        with self.scope():
            x = self._divided("evaluate: data", x, options.get("steps"))
            self._make_metrics()
            return super().evaluate(x, *args, **options)

    def predict(self, x: Any, *args: Any, **options: Any) -> Any:
        batches.check("predict: data", x, self.batch_shapes)
        with self.scope():
            return super().predict(x, *args, **options)

    def _divided(self, what, data, steps):
        """The data, checked, such that every device gets a row of a batch."""
        batches.check(what, data, self.batch_shapes)
        if not isinstance(data, tf.data.Dataset):
            return data
        batches.check_number(what, data, steps)
        devices = self._strategy.num_replicas_in_sync
        return batches.divisible(data, devices) if devices > 1 else data

    # TensorFlow cannot make variables later on, while it traces a step of
    # several devices.

    def _make_metrics(self):
        self._term_metrics = self._term_metrics or {
            name: keras.metrics.Mean(name=name)
            for name in ("loss", *self.term_names)}

    def _build_optimizer(self):
        if self.optimizer is None or self.optimizer.built:
            return
        try:
            self.optimizer.build(self.trainable_variables)
        except RuntimeError as error:
            raise ValueError(
                f"{self.name}: the optimizer must be made within the scope of "
                "the strategy that the model was made in (received one of "
                "another)") from error

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Keras' hook, which makes what a model lacks from its first batch.

        This model lacks nothing; and of a batch that the devices share
        unequally, Keras takes the mean.
        """

    def compute_loss(self, x: Any = None, y=None, y_pred=None,
                     sample_weight=None, training=True):
        """Keras' hook: mean of the terms' weighted sum.

        On several devices it is this one's share of the mean over the whole
        batch: TensorFlow adds the shares' gradients.
        """
        self._make_metrics()  # for `train_on_batch` and its like
        terms = self.loss_terms(x, y_pred)
        weight = x.get(batches.WEIGHT, tf.ones_like(terms["loss"]))
        for name, metric in self._term_metrics.items():
            metric.update_state(terms[name], weight)
        total = tf.reduce_sum(weight)
        if self._strategy.num_replicas_in_sync > 1:
            total = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, total)
        return tf.reduce_sum(weight * terms["loss"]) / total

    @property
    def metrics(self):
        # Keras' own mean of the loss takes the devices' rows for as many.
        return [metric for metric in super().metrics
                if metric is not self._loss_tracker]

    # --- Noise -------------------------------------------------------------

    def _noise(self, batch, shape, purpose=seeds.POSTERIOR):
        """Standard normal noise [B, *shape] for a batch.

        Keyed by the pictures' seeds where the batch brings them (so that
        noise depends neither on batch mates nor on what ran before), else
        drawn from the model's own generator.
        """
        if "seed" in batch:
            return seeds.normal(purpose, batch["seed"], shape)
        shape = [tf.shape(batch["luminance"])[0], *shape]
        return keras.random.normal(shape, seed=self.noise_generator)


class Graphs:
    """A model's functions as TensorFlow graphs, each of which is traced once.

    They belong to the model.  Functions under a decorator outlive a Keras
    model: programs that load models again and again would grow.

    Args:
        model: Keras model.
        frozen: bool. Whether the weights are constants, as they are now.
            TensorFlow then folds batch norm into the convolutions, and brings
            kernels into the processor's order once instead of in every call.
    """

    def __init__(self, model: keras.Model, frozen: bool = False):
        self._model = model
        self._constants = [(weight, weight.numpy())
                           for weight in model.variables] if frozen else []
        self._traced = {}

    def trace(self, function: Callable, signature: Sequence | None = None,
              *fixed: Any) -> Any:
        """A function's graph, the one of an earlier call if it is the same.

        Args:
            function: its arguments are the model, `fixed`, and tensors.
            signature: sequence of (nested) `tf.TensorSpec`, of the tensors; or
                None for any, with a new trace where they have other types.
            *fixed: what the graph is made for, other than tensors.

        Returns:
            `tf.function` of the tensors.
        """
        key = function, *fixed, *tf.nest.flatten(signature)
        if key not in self._traced:
            # Not a closure: TensorFlow would take all of them for one
            # function that is traced again and again, and warn of it.
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


def check_canvas(name: str, tensor: Tensor, canvas: int,
                 channels: int) -> None:
    """Refuses a tensor that is not [B, canvas, canvas, channels].

    Raises:
        ValueError: naming the argument, the rule and the shape received.
    """
    shape = tf.TensorShape(tensor.shape)
    if not shape.is_compatible_with([None, canvas, canvas, channels]):
        raise ValueError(
            f"{name} must have shape [B, {canvas}, {canvas}, {channels}] "
            f"(received {shape})")


def picture_seeds(seed: int | Sequence[int] | np.ndarray,
                  batch: int) -> Tensor:
    """One seed for each picture.

    Args:
        seed: int, used as it is for every picture, or int [B].
        batch: int B.

    Returns:
        int64 tensor [B].

    Raises:
        ValueError: if a seed is not an integer of 64 bits, or there is
            another number of them.
    """
    for one in np.ravel(seed).tolist():
        Sampling(seed=one)
    seed = np.asarray(seed, np.int64)
    if seed.shape not in ((), (batch,)):
        raise ValueError(
            f"seed must be one number or one a picture, [{batch}] "
            f"(received {list(seed.shape)})")
    return tf.constant(np.broadcast_to(seed, [batch]))


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Makes layers in float32, whatever the policy for new ones is."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def serialize(layer: Any) -> Any:
    """A layer's class and configuration, for another's `get_config`."""
    return keras.saving.serialize_keras_object(layer)


def deserialize(layer: Any) -> Any:
    """Inverse of `serialize`; a layer passes unchanged."""
    if isinstance(layer, dict):
        return keras.saving.deserialize_keras_object(layer)
    return layer
