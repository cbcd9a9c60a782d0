"""Grey-level features for the mixture density network.

The default preset has its own (`regions.GreyNetwork`).  For the paper's
networks: a small CNN trained with the mixture, or a backbone of
`keras.applications` cut at a named layer, as the paper cut a classification
network at 28x28x512.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.models.blocks import PACKAGE, conv_block, float32
from tfdivcolor.models.encoder import application
from tfdivcolor.utils.types import Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class GreyFeatures(layers.Layer):
    """Our own CNN: luminance -> features at a quarter of the canvas.

    Args:
        canvas: int. Side of the picture in pixels, a multiple of 4.
        widths: four ints. Channels of the convolutions; the first and third
            have stride 2.
    """

    def __init__(self, canvas: int = 64,
                 widths: Sequence[int] = (64, 128, 256, 512), **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.widths = tuple(widths)
        x = luminance = keras.Input((canvas, canvas, 1))
        for i, width in enumerate(self.widths):
            x = conv_block(x, width, 5 if i == 0 else 3, 2 - i % 2, "relu",
                           name=f"features_{i}")
        self.network = keras.Model(luminance, x)
        self.feature_shape = self.network.output_shape[1:]

    def call(self, luminance_norm: Tensor, training: bool = False) -> Tensor:
        """Computes features.

        Args:
            luminance_norm: float32 [B, canvas, canvas, 1], L / 50 - 1.
            training: bool.

        Returns:
            float32 [B, *feature_shape].
        """
        return float32(self.network(luminance_norm, training=training))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "widths": self.widths}


@keras.saving.register_keras_serializable(PACKAGE)
class BackboneFeatures(layers.Layer):
    """Features of a frozen `keras.applications` network.

    The canvas's luminance is enlarged to the backbone's input, repeated over
    three channels and preprocessed as the backbone expects.

    Args:
        backbone: str. A model's name in `keras.applications`, e.g. "VGG16".
        weights: "imagenet" (downloaded by Keras), the path of a weights
            file, or None for random ones. A saved model carries its weights;
            the configuration stores None.
        layer: str. Name of the layer to cut at. "block4_conv3" of VGG16
            gives the paper's 28x28x512.
        size: int. Side of the backbone's input in pixels.

    Raises:
        ValueError: if there is no such backbone or layer.

    Example:
        features = BackboneFeatures("VGG16", weights="imagenet")
    """

    def __init__(self, backbone: str = "VGG16", weights: str | None = None,
                 layer: str = "block4_conv3", size: int = 224, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.backbone = backbone
        self.layer = layer
        self.size = size
        make, self._preprocess = application(backbone)
        whole = make(include_top=False, weights=weights,
                     input_shape=(size, size, 3))
        names = [known.name for known in whole.layers]
        if layer not in names:
            raise ValueError(
                f"layer must be one of {backbone}'s: {', '.join(names)} "
                f"(received {layer!r})")
        self.network = keras.Model(
            whole.inputs, whole.get_layer(layer).output)
        self.network.trainable = False
        self.feature_shape = self.network.output_shape[1:]

    def call(self, luminance_norm: Tensor, training: bool = False) -> Tensor:
        """Computes features; see `GreyFeatures.call`."""
        x = 127.5 * (luminance_norm + 1.0)
        x = tf.image.resize(x, [self.size, self.size], "bilinear")
        x = self._preprocess(tf.repeat(x, 3, axis=-1))
        return float32(self.network(x, training=False))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "backbone": self.backbone,
                "weights": None, "layer": self.layer, "size": self.size}
