"""The grey network: from luminance to regions, their features and tokens."""

from collections.abc import Sequence
from typing import Any, TypedDict

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfdivcolor.models.blocks import PACKAGE, float32
from tfdivcolor.models.unet import unet
from tfdivcolor.utils.types import Tensor

# Ridge of the least-squares palette, in pixels: a region that covers less than
# about one pixel gets a colour near grey instead of noise.
RIDGE = 1.0


class RegionGrey(TypedDict):
    """The output of the grey network for B pictures of H x W pixels.

    Attributes:
        assignment: float32 [B, H * W, M], with rows of sum 1.
        features: float32 [B, H, W, C].
        bottleneck: float32 [B, H / 16, W / 16, D].
        tokens: float32 [B, M, C + 4], mean features, mean luminance, centroid
            (x, y in -1..1) and log area of each region.
        log_area: float32 [B, M].
    """

    assignment: Tensor
    features: Tensor
    bottleneck: Tensor
    tokens: Tensor
    log_area: Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class GreyNetwork(layers.Layer):
    """Small U-Net: luminance -> region assignment, features, tokens.

    Args:
        canvas: int. Side of the picture in pixels, a multiple of 16. Defaults
            to 64.
        num_regions: int M. Defaults to 32.
        widths: four ints. Channels of the four strided stages. Defaults to
            (32, 64, 96, 160).
        feature_channels: int C. Channels at full resolution. Defaults to 32.
        depth: int. Residual blocks after each of the two coarsest stages,
            where they cost little and see the whole picture. Defaults to 0.

    Raises:
        ValueError: if `canvas` is not a multiple of 16.
    """

    def __init__(self, canvas: int = 64, num_regions: int = 32,
                 widths: Sequence[int] = (32, 64, 96, 160),
                 feature_channels: int = 32, depth: int = 0, **kwargs):
        super().__init__(autocast=False, **kwargs)
        if canvas % 16:
            raise ValueError(
                f"canvas must be a multiple of 16 (received {canvas})")
        self.canvas = canvas
        self.num_regions = num_regions
        self.widths = tuple(widths)
        self.feature_channels = feature_channels
        self.depth = depth
        self.network = self._build_network()

    def _build_network(self):
        luminance, features, bottleneck = unet(
            self.canvas, self.widths, self.feature_channels, self.depth)
        logits = layers.Conv2D(self.num_regions, 1, name="regions")(features)
        assignment = layers.Softmax(dtype="float32", name="assignment")(logits)
        return keras.Model(luminance, [assignment, features, bottleneck])

    def call(self, luminance_norm: Tensor,
             training: bool = False) -> RegionGrey:
        """Computes regions, features and tokens of grey pictures.

        Args:
            luminance_norm: float32 [B, canvas, canvas, 1], L / 50 - 1.
            training: bool. Defaults to False.

        Returns:
            `RegionGrey`.
        """
        assignment, features, bottleneck = float32(self.network(
            luminance_norm, training=training))
        return region_grey(assignment, features, bottleneck, luminance_norm)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "num_regions": self.num_regions, "widths": self.widths,
                "feature_channels": self.feature_channels,
                "depth": self.depth}


def region_grey(assignment: Tensor, features: Tensor, bottleneck: Tensor,
                luminance_norm: Tensor) -> RegionGrey:
    """Summarises the outputs of a network by region.

    Args:
        assignment: float32 [B, H, W, M], with sum 1 over the regions.
        features: float32 [B, H, W, C].
        bottleneck: float32 [B, h, w, D].
        luminance_norm: float32 [B, H, W, 1], L / 50 - 1.

    Returns:
        `RegionGrey`.
    """
    height, width, regions = assignment.shape[1:]
    pixels = height * width
    assignment = tf.reshape(assignment, [-1, pixels, regions])
    area: Tensor = tf.reduce_sum(assignment, axis=1)  # [B, M], in pixels
    position = np.stack(np.meshgrid(*(
        np.linspace(-1.0, 1.0, side, dtype=np.float32)
        for side in (width, height))), axis=-1)  # x, y
    position = tf.repeat(position[None], tf.shape(features)[0], axis=0)
    seen = tf.reshape(
        tf.concat([features, luminance_norm, position], axis=-1),
        [-1, pixels, features.shape[-1] + 3])
    pooled = tf.matmul(assignment, seen, transpose_a=True)
    pooled /= area[..., None] + RIDGE
    log_area = tf.math.log(area + RIDGE) / 4.0
    return {
        "assignment": assignment,
        "features": features,
        "bottleneck": bottleneck,
        "tokens": tf.concat([pooled, log_area[..., None]], axis=-1),
        "log_area": log_area,
    }
