"""The CVAE baseline: posterior and decoder of learned codes, z ~ N(0, I)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.data import Batch
from tfdivcolor.evaluation.baselines.base import REGIONS, Baseline
from tfdivcolor.latent import distributions, sampling, seeds
from tfdivcolor.models.base import check_canvas, picture_seeds
from tfdivcolor.models.blocks import (
    PACKAGE,
    conv_block,
    float32,
    log_variance_layer,
    silu,
)
from tfdivcolor.models.losses import LossWeights
from tfdivcolor.models.regions import (
    PALETTE_SCALE,
    GreyNetwork,
    RegionDecoder,
    RegionGrey,
)
from tfdivcolor.models.vae import ColorVAE
from tfdivcolor.settings import CANVAS
from tfdivcolor.utils.types import Distribution, Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class CodePosterior(layers.Layer):
    """q(z | C, G): four strided convolutions over colours and grey features.

    Args:
        canvas: int. Side of the field in pixels, a multiple of 16.
        feature_channels: int. Channels of grey["features"].
        latent_dim: int D.
        widths: ints. Channels of the stages. Defaults to (32, 64, 96, 128).
    """

    def __init__(self, canvas: int, feature_channels: int, latent_dim: int,
                 widths: Sequence[int] = (32, 64, 96, 128), **kwargs):
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
            log_variance_layer(latent_dim)(x)])

    def call(self, ab_norm: Tensor, grey: RegionGrey,
             training: bool = False) -> tuple[Tensor, Tensor]:
        """Encodes colour fields, like `RegionPosterior.call`."""
        # Scaled to about unit variance, like the features.
        loc, log_variance = float32(self.network(
            tf.concat([PALETTE_SCALE * ab_norm, grey["features"]], axis=-1),
            training=training))
        # Bounds keep the density finite early in training.
        log_variance = tf.clip_by_value(log_variance, -10.0, 1.0)
        return loc, tf.exp(0.5 * log_variance)

    def get_config(self) -> dict[str, Any]:
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
        width: int. Hidden units. Defaults to 128.
    """

    def __init__(self, canvas: int, num_regions: int, feature_channels: int,
                 bottleneck_channels: int, latent_dim: int, width: int = 128,
                 **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.num_regions = num_regions
        self.feature_channels = feature_channels
        self.bottleneck_channels = bottleneck_channels
        self.latent_dim = latent_dim
        self.width = width
        seen = ((canvas // 16) ** 2 * bottleneck_channels
                + num_regions * (feature_channels + 4))
        # The first layer is split: the picture's half is the same for every
        # sample.
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

    def call(self, z: Tensor, grey: RegionGrey,
             training: bool = False) -> Tensor:
        """Decodes latents, like `RegionDecoder.call`."""
        picture = tf.concat(
            [layers.Flatten()(grey[name]) for name in ("bottleneck", "tokens")],
            axis=-1)
        x = self.from_latent(z) + self.from_picture(picture)[:, None]
        x = self.hidden(silu(x))
        return self.painter(float32(self.palette(x)), grey, training=training)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "num_regions": self.num_regions,
                "feature_channels": self.feature_channels,
                "bottleneck_channels": self.bottleneck_channels,
                "latent_dim": self.latent_dim, "width": self.width}


@keras.saving.register_keras_serializable(PACKAGE)
class ConditionalVAE(Baseline):
    """The paper's baseline: a VAE given the grey picture, z ~ N(0, I).

    Grey network, painter, losses and loss weights are those of `regions`,
    except for KL: it is taken to N(0, I) and has the paper's weight. With a
    fixed prior, a smaller weight leaves z far from the prior.  The palette
    itself is far from N(0, I), so z is a learned code of the palette:
    `CodePosterior` and `CodeDecoder`.

    Args:
        canvas, widths, feature_channels, depth: as in `Baseline`.
        num_regions: int M. Defaults to that of `presets.Regions`.
        latent_dim: int D. Defaults to 64.

    Attributes:
        vae: `ColorVAE`.

    Call arguments and returns: as in `ColorVAE`.
    """

    def __init__(self, canvas: int = CANVAS,
                 widths: Sequence[int] = REGIONS.widths,
                 feature_channels: int = REGIONS.feature_channels,
                 depth: int = REGIONS.depth,
                 num_regions: int = REGIONS.num_regions, latent_dim: int = 64,
                 **kwargs):
        super().__init__(canvas, widths, feature_channels, depth, **kwargs)
        self.num_regions = num_regions
        self.latent_dim = latent_dim
        self.vae = ColorVAE(
            GreyNetwork(canvas, num_regions, widths, feature_channels,
                        depth, name="grey_network"),
            CodePosterior(canvas, feature_channels, latent_dim,
                          name="posterior"),
            CodeDecoder(canvas, num_regions, feature_channels,
                        self.widths[-1], latent_dim, name="decoder"),
            replace(REGIONS.loss_weights, kl=LossWeights.paper().kl),
            name="vae")
        self.built = True  # the parts already have their weights

    def call(self, batch: Batch,
             training: bool = False) -> dict[str, Tensor]:
        return self.vae(batch, training=training)

    @property
    def term_names(self) -> tuple[str, ...]:
        return self.vae.term_names

    def loss_terms(self, batch: Batch,
                   outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return self.vae.loss_terms(batch, outputs)

    def prior(self, luminance: Tensor) -> Distribution:
        """Returns N(0, I) for every picture.

        Args:
            luminance: float32 [B, canvas, canvas, 1], 0..100.

        Returns:
            `tfd.Independent(tfd.Normal)`, batch shape [B], event shape [D].
        """
        check_canvas("luminance", luminance, self.canvas, 1)
        shape = [tf.shape(luminance)[0], self.latent_dim]
        return distributions.posterior(tf.zeros(shape), tf.ones(shape))

    def _fields(self, luminance_norm, seed, num_samples):
        z = seeds.normal(seeds.LATENT, seed, [num_samples, self.latent_dim])
        return self.vae.decoder(
            z, self.vae.grey_encoder(luminance_norm, training=False))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_regions": self.num_regions,
                "latent_dim": self.latent_dim}


class ClusteredPrior:
    """A `ConditionalVAE` with results chosen like those of a Colorizer.

    Draws of N(0, I) go through `sampling.latents` in mode "diverse". The paper
    clusters 256 draws of its CVAE to 5.

    Args:
        model: `ConditionalVAE`.
    """

    def __init__(self, model: ConditionalVAE):
        self.model = model

    def sample(self, luminance: Tensor, num_samples: int, seed: int,
               temperature: float) -> dict[str, Tensor]:
        """Samples like `Colorizer.sample`."""
        batch, latent_dim = luminance.shape[0], self.model.latent_dim
        shape = [batch, 1, latent_dim]
        chosen = sampling.latents(
            {"mixture_logits": tf.zeros(shape[:2]), "locs": tf.zeros(shape),
             "scales": tf.ones(shape)}, tf.ones([1, latent_dim]),
            picture_seeds(seed, batch), tf.constant(num_samples, tf.int32),
            tf.constant(temperature, tf.float32), "diverse")
        return {"ab": self.model.vae.decode(chosen["z"], luminance)}
