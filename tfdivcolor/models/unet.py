"""The U-Net of the grey network of `regions` and of the baselines."""

from collections.abc import Sequence
from typing import NamedTuple

import keras
from keras import layers

from tfdivcolor.models.blocks import conv_block, residual_block, upsample
from tfdivcolor.utils.types import Tensor


class UNet(NamedTuple):
    """The tensors of a U-Net, for a functional `keras.Model`.

    Attributes:
        inputs: [B, canvas, canvas, 1], the luminance; with noise, a list of
            luminance and noise, [B, noise_dim].
        features: [B, canvas, canvas, feature_channels].
        bottleneck: [B, canvas / 16, canvas / 16, widths[-1]].
    """

    inputs: Tensor | list[Tensor]
    features: Tensor
    bottleneck: Tensor


def unet(canvas: int, widths: Sequence[int], feature_channels: int,
         depth: int, noise_dim: int = 0) -> UNet:
    """Builds a small U-Net: luminance -> features at full resolution.

    Args:
        canvas: int. Side of the picture in pixels, a multiple of 16.
        widths: four ints. Channels of the four strided stages.
        feature_channels: int. Channels at full resolution.
        depth: int. Residual blocks after each of the two coarsest stages,
            where they cost little and see the whole picture.
        noise_dim: int. Length of a vector that joins at the bottleneck.
            Defaults to 0, no vector.

    Returns:
        `UNet`.
    """
    # Saved weights depend on the order and names of layers: keep both.
    x = luminance = keras.Input((canvas, canvas, 1))
    inputs, skips = luminance, []
    for i, width in enumerate(widths):
        x = conv_block(x, width, 5 if i == 0 else 3, 2, name=f"down_{i}")
        for block in range(depth if i >= 2 else 0):
            x = residual_block(x, f"down_{i}_residual_{block}")
        skips.append(x)
    if noise_dim:
        noise = keras.Input((noise_dim,))
        inputs = [luminance, noise]
        x = layers.Concatenate(name="join_noise")(
            [x, _noise_map(noise, canvas // 16)])
    x = bottleneck = conv_block(x, widths[-1], 3, name="bottleneck")
    for i in reversed(range(3)):
        x = layers.Concatenate(name=f"skip_{i}")(
            [upsample(x, f"upsample_{i}"), skips[i]])
        x = conv_block(x, widths[i], 3, name=f"up_{i}")
    x = layers.Concatenate(name="skip_luminance")(
        [upsample(x, "upsample_luminance"), luminance])
    features = conv_block(x, feature_channels, 3, name="features")
    return UNet(inputs, features, bottleneck)


def _noise_map(noise, side):
    """[B, D] -> [B, side, side, 32]."""
    return layers.Reshape((side, side, -1), name="noise_map")(
        layers.Dense(side * side * 32, name="noise")(noise))
