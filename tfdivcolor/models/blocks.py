"""Small building blocks of the networks."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.utils.types import Tensor

PACKAGE = "tfdivcolor"


@keras.saving.register_keras_serializable(PACKAGE)
def silu(x: Tensor) -> Tensor:
    """x sigmoid(x), the networks' activation.

    TensorFlow's own function registers a gradient for ever with every trace:
    a process that loads models again and again would keep all their graphs in
    memory.
    """
    return x * tf.sigmoid(x)


def float32(outputs: Any) -> Any:
    """Casts outputs of layers to float32, under any precision policy.

    Convolutions and dense layers compute in the precision of the policy
    (`keras.mixed_precision`).  Palettes, densities and losses need all digits.
    Layers that compute them therefore do not cast their inputs
    (`autocast=False`) and return float32.

    Args:
        outputs: tensor, or a structure of tensors.

    Returns:
        The same structure in float32.
    """
    return tf.nest.map_structure(lambda x: tf.cast(x, tf.float32), outputs)


def conv_block(x: Tensor, filters: int, size: int, strides: int = 1,
               activation: Callable | str = silu, *, name: str) -> Tensor:
    """Convolution, batch norm, activation: a block for the functional API.

    Args:
        x: float32 [B, H, W, C].
        filters: int. Output channels.
        size: int. Kernel side in pixels.
        strides: int. Defaults to 1.
        activation: function, or the name of a Keras activation. Defaults to
            `silu`.
        name: str. Name of the convolution and prefix of the other names.

    Returns:
        float32 [B, ceil(H / strides), ceil(W / strides), filters].
    """
    x = layers.Conv2D(
        filters, size, strides=strides, padding="same", use_bias=False,
        name=name)(x)
    # 0.95: the moving statistics must keep up in runs of a few epochs.
    x = layers.BatchNormalization(
        momentum=0.95, synchronized=True, name=f"{name}_norm")(x)
    activation = keras.activations.get(activation)
    return layers.Activation(
        activation, name=f"{name}_{activation.__name__}")(x)


def residual_block(x: Tensor, name: str) -> Tensor:
    """x plus two convolutions of x: a block for the functional API.

    The block begins as the identity, so that it can be added to a trained
    network.

    Args:
        x: float32 [B, H, W, C].
        name: str.

    Returns:
        float32 [B, H, W, C].
    """
    channels = x.shape[-1]
    y = conv_block(x, channels, 3, name=f"{name}_1")
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False,
                      name=f"{name}_2")(y)
    y = layers.BatchNormalization(
        momentum=0.95, synchronized=True, gamma_initializer="zeros",
        name=f"{name}_2_norm")(y)
    return layers.Add(name=f"{name}_add")([x, y])


def upsample(x: Tensor, name: str) -> Tensor:
    """Doubles height and width, bilinearly (functional API)."""
    return layers.UpSampling2D(2, interpolation="bilinear", name=name)(x)


def log_variance_layer(units: int) -> layers.Dense:
    """Dense layer for a posterior's log variances, which start near -4."""
    bias = keras.initializers.Constant(-4.0)
    # The type that pyright derives from Keras' default, a str, is too narrow.
    return layers.Dense(units, name="log_variance",
                        bias_initializer=bias)  # pyright: ignore[reportArgumentType]


@keras.saving.register_keras_serializable(PACKAGE)
class JoinedConv2D(layers.Layer):
    """A convolution over [x, shared] that computes the shared part once.

    A convolution is linear in its input channels, so a convolution over the
    concatenation of x and shared is the sum of two.  If the S samples of a
    picture differ only in x, the shared half is computed once per picture
    instead of once per sample.

    Args:
        filters: int. Output channels.
        kernel_size: int. Kernel side in pixels; stride 1, "same" padding.
    """

    def __init__(self, filters: int, kernel_size: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size

    def build(self, x_shape: Sequence, shared_shape: Sequence) -> None:
        channels = x_shape[-1] + shared_shape[-1]
        self.kernel = self.add_weight(
            name="kernel", initializer="glorot_uniform",
            shape=(self.kernel_size, self.kernel_size, channels,
                   self.filters))

    def call(self, x: Tensor, shared: Tensor) -> Tensor:
        """Applies the layer.

        Args:
            x: float32 [B * S, H, W, Cx], with the S samples of a picture in
                sequence.
            shared: float32 [B, H, W, Cs].

        Returns:
            float32 [B * S, H, W, filters].
        """
        split = x.shape[-1]
        own = tf.nn.conv2d(x, self.kernel[:, :, :split], 1, "SAME")
        common = tf.nn.conv2d(shared, self.kernel[:, :, split:], 1, "SAME")
        return add_per_picture(own, common)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters,
                "kernel_size": self.kernel_size}


def add_per_picture(x: Tensor, shared: Tensor) -> Tensor:
    """Adds the shared part of a picture to each of its S samples.

    Args:
        x: float32 [B * S, ...].
        shared: float32 [B, ...].

    Returns:
        float32 [B * S, ...].
    """
    batch = tf.shape(shared)[0]
    shape = tf.shape(x)
    # max: an empty batch must not divide by zero.
    samples = shape[0] // tf.maximum(batch, 1)
    grouped = tf.reshape(
        x, tf.concat([[batch, samples], shape[1:]], axis=0))
    return tf.reshape(grouped + shared[:, None], shape)
