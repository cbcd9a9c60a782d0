"""What the three trainable models share: loss terms, noise, seeds."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdivcolor.latent import seeds
from tfdivcolor.settings import Sampling
from tfdivcolor.utils.types import Tensor


class LossTermsModel(keras.Model):
    """A Keras model whose loss is a dict of named terms, one number a picture.

    Subclasses implement `call(batch, training)` and `loss_terms(batch,
    outputs)`.  `fit` and `evaluate` then need no loss argument in `compile`,
    report every term under its name, and use the very functions that the
    explicit loops in `training/` use.
    """

    def __init__(self, **kwargs):
        # The parts compute in the precision that the policy says.
        super().__init__(autocast=False, **kwargs)
        self.noise_generator = keras.random.SeedGenerator(0, name="noise")
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

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None,
                     training=True):
        """Keras' hook: mean of the terms' weighted sum."""
        terms = self.loss_terms(x, y_pred)
        for name, values in terms.items():
            if name != "loss":  # Keras tracks the loss itself
                self._term_metric(name).update_state(values)
        return tf.reduce_mean(terms["loss"])

    def _term_metric(self, name):
        if name not in self._term_metrics:
            self._term_metrics[name] = keras.metrics.Mean(name=name)
        return self._term_metrics[name]

    @property
    def metrics(self):
        return [*super().metrics, *self._term_metrics.values()]

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
