"""The grey network of `photos`, on a pretrained encoder."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.models.blocks import (
    PACKAGE,
    conv_block,
    float32,
    residual_block,
    upsample,
)
from tfdivcolor.models.encoder import EFFICIENTNET_LITE0, Encoder
from tfdivcolor.models.regions.grey_network import RegionGrey, region_grey
from tfdivcolor.utils.types import Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class PretrainedGreyNetwork(layers.Layer):
    """Luminance -> region assignment, features, tokens, like `GreyNetwork`.

    The encoder sees the luminance, enlarged to `encoder_size`. Its features,
    at strides 2 to 32, are resized to the canvas, half the canvas and so on. A
    decoder of convolutions combines them.

    Args:
        canvas: int. Side of the colour field in pixels, a multiple of 16.
            Defaults to 64.
        num_regions: int M. Defaults to 32.
        widths: four ints. Channels of the decoder at strides 32, 16, 8, 4.
            Defaults to (160, 128, 96, 64).
        feature_channels: int C. Channels at the size of the canvas. Defaults
            to 32.
        backbone, frozen_taps, weights: as in `Encoder`.
        encoder_size: int or None. Side of the picture that the encoder sees,
            in pixels. A classification network knows objects of the size of
            its training pictures, so an enlarged picture tells it more.
            Defaults to None, 2 * canvas.

    Raises:
        ValueError: if `canvas` is not a multiple of 16, and as in `Encoder`.
    """

    def __init__(self, canvas: int = 64, num_regions: int = 32,
                 widths: Sequence[int] = (160, 128, 96, 64),
                 feature_channels: int = 32,
                 backbone: str = EFFICIENTNET_LITE0, frozen_taps: int = 2,
                 weights: str | None = None, encoder_size: int | None = None,
                 **kwargs):
        super().__init__(autocast=False, **kwargs)
        if canvas % 16:
            raise ValueError(
                f"canvas must be a multiple of 16 (received {canvas})")
        self.canvas = canvas
        self.luminance_size = 2 * canvas
        self.num_regions = num_regions
        self.widths = tuple(widths)
        self.feature_channels = feature_channels
        self.encoder_size = encoder_size or self.luminance_size
        self.encoder = Encoder(
            self.encoder_size, backbone, frozen_taps, weights, name="encoder")
        self.network = self._build_network()

    def _build_network(self):
        sides = [self.canvas >> i for i in range(5)]
        taps = [keras.Input((side, side, channels))
                for side, channels in zip(sides, self.encoder.channels)]
        luminance = keras.Input((self.canvas, self.canvas, 1))
        x = conv_block(taps[4], self.widths[0], 1, name="bottleneck")
        x = bottleneck = residual_block(x, "bottleneck_residual")
        for i, width in zip((3, 2, 1), self.widths[1:]):
            x = layers.Concatenate(name=f"skip_{i}")(
                [upsample(x, f"upsample_{i}"), taps[i]])
            x = conv_block(x, width, 3, name=f"up_{i}")
            if i == 3:
                x = residual_block(x, f"up_{i}_residual")
        x = layers.Concatenate(name="skip_0")(
            [upsample(x, "upsample_0"), taps[0], luminance])
        features = conv_block(x, self.feature_channels, 3, name="features")
        logits = layers.Conv2D(self.num_regions, 1, name="regions")(features)
        assignment = layers.Softmax(dtype="float32", name="assignment")(logits)
        return keras.Model([*taps, luminance],
                           [assignment, features, bottleneck])

    def call(self, luminance_norm: Tensor,
             training: bool = False) -> RegionGrey:
        """Computes regions, features and tokens of grey pictures.

        Args:
            luminance_norm: float32 [B, 2 * canvas, 2 * canvas, 1], L / 50 - 1.
            training: bool. Defaults to False.

        Returns:
            `RegionGrey`, at the size of the canvas.
        """
        small = tf.nn.avg_pool2d(luminance_norm, 2, 2, "VALID")
        assignment, features, bottleneck = float32(self.network(
            [*self._encode(luminance_norm), small], training=training))
        return region_grey(assignment, features, bottleneck, small)

    def _encode(self, luminance_norm):
        """Features at the size of the canvas, and at halves of it."""
        if self.encoder_size == self.luminance_size:
            return self.encoder(luminance_norm)
        taps = self.encoder(tf.image.resize(
            luminance_norm, [self.encoder_size] * 2))
        return [tf.image.resize(tap, [self.canvas >> i] * 2)
                for i, tap in enumerate(taps)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "num_regions": self.num_regions, "widths": self.widths,
                "feature_channels": self.feature_channels,
                "backbone": self.encoder.backbone,
                "frozen_taps": self.encoder.frozen_taps, "weights": None,
                "encoder_size": self.encoder_size}
