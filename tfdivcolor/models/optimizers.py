"""Adam with a lower rate for pretrained weights."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfdivcolor.models.blocks import PACKAGE

Rate = float | keras.optimizers.schedules.LearningRateSchedule

ENCODER_RATE = 0.25


@keras.saving.register_keras_serializable(PACKAGE)
class EncoderAdam(keras.optimizers.Adam):
    """Adam that changes the weights of pretrained encoders more slowly.

    An encoder has learned from a million pictures. The networks behind it
    start at random, and their first gradients are worth less.

    Args:
        learning_rate: float or Keras schedule. Defaults to 1e-3.
        encoder_rate: float. Factor on the learning rate for weights that an
            `Encoder` marks as pretrained. Defaults to 0.25.
        **options: options of `keras.optimizers.Adam`.
    """

    def __init__(self, learning_rate: Rate = 1e-3,
                 encoder_rate: float = ENCODER_RATE, **options):
        super().__init__(
            learning_rate, **options)  # pyright: ignore[reportArgumentType]
        self.encoder_rate = encoder_rate
        self._slow = set()

    def build(self, variables: Sequence[Any]) -> None:
        super().build(variables)
        self._slow = {self._var_key(variable) for variable in variables
                      if getattr(variable, "pretrained", False)}

    def _clip_gradients(self, gradients):
        """Keras' hook: clips the gradient of the whole batch.

        Keras would clip the share of each device before the sum.
        """
        clips = (self.clipnorm, self.clipvalue, self.global_clipnorm)
        context = tf.distribute.get_replica_context()
        if (not any(clips) or context is None
                or context.num_replicas_in_sync == 1):
            return super()._clip_gradients(gradients)
        whole = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        return [gradient / context.num_replicas_in_sync
                for gradient in super()._clip_gradients(whole)]

    def update_step(self, gradient, variable, learning_rate):
        if self._var_key(variable) in self._slow:
            learning_rate *= self.encoder_rate
        super().update_step(gradient, variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "encoder_rate": self.encoder_rate}
