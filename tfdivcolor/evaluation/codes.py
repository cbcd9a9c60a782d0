"""The CVAE baseline's posterior and decoder: z is a learned code.

`grey` is the dict of `regions.GreyNetwork`.
"""

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.models.blocks import PACKAGE, conv_block, float32, silu
from tfdivcolor.models.regions import PALETTE_SCALE, RegionDecoder


@keras.saving.register_keras_serializable(PACKAGE)
class CodePosterior(layers.Layer):
    """q(z | C, G): four strided convolutions on colours and grey features.

    Args:
        canvas: int. Side of the field in pixels, a multiple of 16.
        feature_channels: int. Channels of grey["features"].
        latent_dim: int D.
        widths: ints. Channels of the stages.
    """

    def __init__(self, canvas, feature_channels, latent_dim,
                 widths=(32, 64, 96, 128), **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.feature_channels = feature_channels
        self.latent_dim = latent_dim
        self.widths = tuple(widths)
        x = seen = keras.Input((canvas, canvas, 2 + feature_channels))
        for i, width in enumerate(self.widths):
            x = conv_block(x, width, 5 if i == 0 else 3, 2, name=f"down_{i}")
        x = layers.Flatten(name="flatten")(x)
        self.network = keras.Model(seen, [
            layers.Dense(latent_dim, name="loc")(x),
            layers.Dense(
                latent_dim, name="log_variance",
                bias_initializer=keras.initializers.Constant(-4.0))(x)])

    def call(self, ab_norm, grey, training=False):
        """Encodes colour fields; as `RegionPosterior.call`."""
        # Scaled to about unit variance, as the features are.
        loc, log_variance = float32(self.network(
            tf.concat([PALETTE_SCALE * ab_norm, grey["features"]], axis=-1),
            training=training))
        # Bounds keep the density finite while the network is still moving.
        log_variance = tf.clip_by_value(log_variance, -10.0, 1.0)
        return loc, tf.exp(0.5 * log_variance)

    def get_config(self):
        return {**super().get_config(), "canvas": self.canvas,
                "feature_channels": self.feature_channels,
                "latent_dim": self.latent_dim, "widths": self.widths}


@keras.saving.register_keras_serializable(PACKAGE)
class CodeDecoder(layers.Layer):
    """p(C | z, G): z and the whole picture -> palette -> `RegionDecoder`.

    Args:
        canvas: int. Side of the field in pixels, a multiple of 16.
        num_regions: int M.
        feature_channels: int. Channels of grey["features"].
        bottleneck_channels: int. Channels of grey["bottleneck"].
        latent_dim: int D.
        width: int. Hidden units.
    """

    def __init__(self, canvas, num_regions, feature_channels,
                 bottleneck_channels, latent_dim, width=128, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.num_regions = num_regions
        self.feature_channels = feature_channels
        self.bottleneck_channels = bottleneck_channels
        self.latent_dim = latent_dim
        self.width = width
        seen = ((canvas // 16) ** 2 * bottleneck_channels
                + num_regions * (feature_channels + 4))
        # The first layer in its two halves: the picture's half is the same
        # for every sample.
        self.from_picture = layers.Dense(width, name="from_picture")
        self.from_picture.build((None, seen))
        self.from_latent = layers.Dense(
            width, use_bias=False, name="from_latent")
        self.from_latent.build((None, None, latent_dim))
        self.hidden = layers.Dense(width, activation=silu, name="hidden")
        self.hidden.build((None, None, width))
        self.palette = layers.Dense(2 * num_regions, name="palette")
        self.palette.build((None, None, width))
        self.painter = RegionDecoder(
            canvas, num_regions, feature_channels, name="painter")

    def call(self, z, grey, training=False):
        """Decodes latents; as `RegionDecoder.call`."""
        picture = tf.concat(
            [layers.Flatten()(grey[name]) for name in ("bottleneck", "tokens")],
            axis=-1)
        x = self.from_latent(z) + self.from_picture(picture)[:, None]
        x = self.hidden(silu(x))
        return self.painter(float32(self.palette(x)), grey, training=training)

    def get_config(self):
        return {**super().get_config(), "canvas": self.canvas,
                "num_regions": self.num_regions,
                "feature_channels": self.feature_channels,
                "bottleneck_channels": self.bottleneck_channels,
                "latent_dim": self.latent_dim, "width": self.width}
