"""The base of the baselines: sizes, and sampling without state."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfdivcolor import presets
from tfdivcolor.color import denormalize_ab, normalize_ab, normalize_luminance
from tfdivcolor.models.base import LossTermsModel, check_canvas, picture_seeds
from tfdivcolor.models.unet import unet
from tfdivcolor.settings import CANVAS, DEFAULTS, Sampling
from tfdivcolor.utils.types import Tensor

REGIONS = presets.Regions()  # source of sizes and loss weights


class Baseline(LossTermsModel):
    """The base of the baselines: sizes, and sampling without state.

    Args:
        canvas: int. Side of the colour field in pixels, a multiple of 16.
            Defaults to `settings.CANVAS`.
        widths: four ints. Channels of the U-Net's strided stages.
        feature_channels: int. Channels of the U-Net at full resolution.
        depth: int. Residual blocks after each of the two coarsest stages.
            The three default to the sizes of `presets.Regions`.

    Raises:
        ValueError: if `canvas` is not a multiple of 16.
    """

    def __init__(self, canvas: int = CANVAS,
                 widths: Sequence[int] = REGIONS.widths,
                 feature_channels: int = REGIONS.feature_channels,
                 depth: int = REGIONS.depth, **kwargs):
        super().__init__(**kwargs)
        if canvas % 16:
            raise ValueError(
                f"canvas must be a multiple of 16 (received {canvas})")
        self.canvas = canvas
        self.widths = tuple(widths)
        self.feature_channels = feature_channels
        self.depth = depth
        # Not a decorator, for the same reason as in `Colorizer`.
        self.sample_fields = tf.function(
            self.sample_fields, reduce_retracing=True, autograph=False)

    def sample(self, luminance: Tensor,
               num_samples: int = DEFAULTS.num_samples,
               seed: int | Sequence[int] | np.ndarray = DEFAULTS.seed
               ) -> dict[str, Tensor]:
        """Samples colour fields from each picture and its seed alone.

        Args:
            luminance: float32 [B, canvas, canvas, 1], 0..100.
            num_samples: int S, 1 to `settings.MAX_SAMPLES`. Defaults to
                `settings.DEFAULTS.num_samples`.
            seed: int for all pictures, or int64 [B]. Defaults to
                `settings.DEFAULTS.seed`.

        Returns:
            dict of ab: float32 [B, S, canvas, canvas, 2], CIE units.

        Raises:
            ValueError: if an argument is outside its range or shape.
        """
        luminance = tf.convert_to_tensor(luminance, tf.float32)
        check_canvas("luminance", luminance, self.canvas, 1)
        Sampling(num_samples)
        return {"ab": self.sample_fields(
            luminance, picture_seeds(seed, luminance.shape[0]),
            tf.constant(num_samples, tf.int32))}

    def sample_fields(self, luminance: Tensor, seed: Tensor,
                      num_samples: Tensor) -> Tensor:
        """`sample` in TensorFlow: seed int64 [B], num_samples int32 scalar."""
        return denormalize_ab(self._fields(
            normalize_luminance(luminance), seed, num_samples))

    def _fields(self, luminance_norm, seed, num_samples):
        """Returns float32 [B, S, canvas, canvas, 2], ab / 128."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "widths": self.widths,
                "feature_channels": self.feature_channels,
                "depth": self.depth}


def mean_absolute_error(ab: Tensor, ab_hat: Tensor) -> Tensor:
    """float32 [B]: |ab - ab_hat| / 128, mean over pixels and channels."""
    return tf.reduce_mean(
        tf.abs(normalize_ab(ab) - normalize_ab(ab_hat)), axis=[1, 2, 3])


def field_unet(canvas: int, widths: Sequence[int], feature_channels: int,
               depth: int, noise_dim: int = 0) -> keras.Model:
    """Makes a network from luminance_norm (and noise) to ab / 128."""
    net = unet(canvas, widths, feature_channels, depth, noise_dim)
    return keras.Model(net.inputs, layers.Conv2D(
        2, 3, padding="same", name="ab", dtype="float32")(net.features))
