"""Grey features for the mixture density network.

The default preset uses its own (`regions.GreyNetwork`).  The paper's networks
use a small CNN trained with the mixture, or a backbone of
`keras.applications` up to a named layer, as the paper uses a classification
network up to 28x28x512.
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
        canvas: int. Side of the picture in pixels, a multiple of 4. Defaults
            to 64.
        widths: four ints. Channels of the convolutions; the first and third
            have stride 2. Defaults to (64, 128, 256, 512).
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
            training: bool. Defaults to False.

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

    The luminance is enlarged to the backbone's input size, repeated over three
    channels and preprocessed as the backbone expects.

    Args:
        backbone: str. Name of a model in `keras.applications`. Defaults to
            "VGG16".
        weights: "imagenet" (downloaded by Keras), the path of a weights file,
            or None for random weights. Saved models hold the weights, so the
            configuration stores None. Defaults to None.
        layer: str. Name of the last layer to use. Defaults to "block4_conv3",
            which in VGG16 gives the paper's 28x28x512.
        size: int. Side of the backbone's input in pixels. Defaults to 224.

    Raises:
        ValueError: if the backbone or the layer does not exist.

    Example:
        features = tdc.features.BackboneFeatures("VGG16", weights="imagenet")
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
                f"layer must be a layer of {backbone}: {', '.join(names)} "
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
