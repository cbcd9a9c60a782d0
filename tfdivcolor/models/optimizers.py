"""Adam with a lower rate for pretrained encoders."""

import keras

from tfdivcolor.models.encoder import Encoder

Rate = float | keras.optimizers.schedules.LearningRateSchedule


class EncoderAdam(keras.optimizers.Adam):
    """Adam that moves the weights of a model's encoders more slowly.

    What an encoder has learned from a million pictures is worth more than
    what the networks behind it, which begin at random, tell it at first.

    Args:
        model: keras.Model. Its `Encoder`s, if it has any, are slowed down.
        learning_rate: float or Keras schedule.
        encoder_rate: float. Factor on the learning rate of their weights.
        **options: of `keras.optimizers.Adam`.
    """

    def __init__(self, model: keras.Model, learning_rate: Rate,
                 encoder_rate: float = 1.0, **options):
        super().__init__(
            learning_rate, **options)  # pyright: ignore[reportArgumentType]
        self._encoder_rate = encoder_rate
        self._slow = {
            self._var_key(weight) for layer in model._flatten_layers()
            if isinstance(layer, Encoder) for weight in layer.weights}

    def update_step(self, gradient, variable, learning_rate):
        if self._var_key(variable) in self._slow:
            learning_rate *= self._encoder_rate
        super().update_step(gradient, variable, learning_rate)
