"""The base of the trainable models: loss terms, noise, seeds."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdivcolor.data import batches
from tfdivcolor.latent import seeds
from tfdivcolor.settings import Sampling
from tfdivcolor.utils.types import Tensor


class LossTermsModel(keras.Model):
    """A Keras model with named loss terms, one number per picture each.

    Subclasses implement `call(batch, training)`, `loss_terms(batch, outputs)`,
    `term_names`, and have a `canvas`.  `fit` and `evaluate` then need no loss
    argument in `compile`, report every term by name, and use the same
    functions as the explicit loops in `training/`.

    A model that is made or loaded within the scope of a
    `tf.distribute.Strategy` is trained by that strategy, wherever `fit` is
    called.  The loss is the mean over a batch, however it is divided among
    devices.
    """

    canvas: int

    def __init__(self, **kwargs):
        # The parts compute in the precision of their own policy.
        super().__init__(autocast=False, **kwargs)
        self.noise_generator = keras.random.SeedGenerator(0, name="noise")
        self._strategy = tf.distribute.get_strategy()
        self._term_metrics = {}

    def loss_terms(self, batch: Any, outputs: Any) -> dict[str, Tensor]:
        """Computes the loss terms of one batch.

        Args:
            batch: dict of tensors, the input of `call`.
            outputs: the result of `call`.

        Returns:
            dict from the name of a term to float32 [B]; "loss" is the weighted
            sum of the terms, the number to minimise.
        """
        raise NotImplementedError

    @property
    def term_names(self) -> tuple[str, ...]:
        """Names of the terms of `loss_terms` except "loss", in order."""
        raise NotImplementedError

    @property
    def batch_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shape of one picture in each tensor of a batch, except the seed."""
        side = getattr(self, "luminance_size", self.canvas)
        return {"luminance": (side, side, 1),
                "ab": (self.canvas, self.canvas, 2)}

    # --- Keras -------------------------------------------------------------

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Enters the scope of the strategy that the model was made in.

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
        """Checks the data, and gives every device a row of each batch."""
        batches.check(what, data, self.batch_shapes)
        if not isinstance(data, tf.data.Dataset):
            return data
        batches.check_number(what, data, steps)
        devices = self._strategy.num_replicas_in_sync
        return batches.divisible(data, devices) if devices > 1 else data

    # TensorFlow cannot make variables later, while it traces a step for
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
                "the strategy that the model was made in (received one from "
                "another scope)") from error

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Keras' hook, which builds missing parts from the first batch.

        This model lacks no part. For a batch that is divided unequally, Keras
        would also take the mean over devices.
        """

    def compute_loss(self, x: Any = None, y=None, y_pred=None,
                     sample_weight=None, training=True):
        """Keras' hook: mean of the weighted sum of terms.

        On several devices this returns the device's share of the mean over the
        whole batch, because TensorFlow adds the gradients of all devices.
        """
        self._make_metrics()  # for `train_on_batch` and similar methods
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
        # Keras' own mean of the loss assumes equal numbers of rows per device.
        return [metric for metric in super().metrics
                if metric is not self._loss_tracker]

    # --- Noise -------------------------------------------------------------

    def _noise(self, batch, shape, purpose=seeds.POSTERIOR):
        """Draws standard normal noise [B, *shape] for a batch.

        The seeds of the batch key the noise, so that it depends neither on
        other pictures nor on earlier calls. Without seeds, the model's own
        generator draws it.
        """
        if "seed" in batch:
            return seeds.normal(purpose, batch["seed"], shape)
        shape = [tf.shape(batch["luminance"])[0], *shape]
        return keras.random.normal(shape, seed=self.noise_generator)


def check_canvas(name: str, tensor: Tensor, canvas: int,
                 channels: int) -> None:
    """Refuses tensors of another shape than [B, canvas, canvas, channels].

    Raises:
        ValueError: with the argument, the rule and the received shape.
    """
    shape = tf.TensorShape(tensor.shape)
    if not shape.is_compatible_with([None, canvas, canvas, channels]):
        raise ValueError(
            f"{name} must have shape [B, {canvas}, {canvas}, {channels}] "
            f"(received {shape})")


def picture_seeds(seed: int | Sequence[int] | np.ndarray,
                  batch: int) -> Tensor:
    """Makes one seed per picture.

    Args:
        seed: int for all pictures, or int [B].
        batch: int B.

    Returns:
        int64 tensor [B].

    Raises:
        ValueError: if a seed is not a 64-bit integer, or if the number of
            seeds is wrong.
    """
    for one in np.ravel(seed).tolist():
        Sampling(seed=one)
    seed = np.asarray(seed, np.int64)
    if seed.shape not in ((), (batch,)):
        raise ValueError(
            f"seed must be one number or one per picture, [{batch}] "
            f"(received {list(seed.shape)})")
    return tf.constant(np.broadcast_to(seed, [batch]))


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Makes layers in float32, whatever the policy for new layers is."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def serialize(layer: Any) -> Any:
    """Serialises a layer's class and configuration, for `get_config`."""
    return keras.saving.serialize_keras_object(layer)


def deserialize(layer: Any) -> Any:
    """Inverse of `serialize`; returns layers unchanged."""
    if isinstance(layer, dict):
        return keras.saving.deserialize_keras_object(layer)
    return layer
