"""The cGAN baseline: pix2pix on the canvas."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.color import denormalize_ab, normalize_ab, normalize_luminance
from tfdivcolor.data import Batch
from tfdivcolor.evaluation.baselines.base import (
    REGIONS,
    Baseline,
    field_unet,
    mean_absolute_error,
)
from tfdivcolor.latent import seeds
from tfdivcolor.models.blocks import PACKAGE
from tfdivcolor.models.regions import PALETTE_SCALE
from tfdivcolor.settings import CANVAS
from tfdivcolor.utils.types import Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class ConditionalGAN(Baseline):
    """pix2pix on the canvas: a U-Net with noise against a patch critic.

        generator      100 mean |ab - ab_hat| + softplus(-d(G, ab_hat))
        discriminator  softplus(-d(G, ab)) + softplus(d(G, ab_hat))

    d: the discriminator's logits, one for each patch of 22 pixels; losses are
    averaged over the patches.  `loss` is the sum of both losses. Each reaches
    only its own network, so that one optimizer trains both at once.

    Differs from reference: the noise is a normal vector at the bottleneck
    instead of dropout, so that a seed can key it. The discriminator has no
    batch norm, so that a picture's loss does not depend on other pictures.

    Args:
        canvas, widths, feature_channels, depth: as in `Baseline`.
        noise_dim: int D. Defaults to 64.
        patch_widths: ints. Channels of the discriminator's strided stages.
            Defaults to (32, 64, 128).
        l1_weight: float. Weight of the mean absolute error. Defaults to 100.
    Call arguments:
        batch: dict of luminance: float32 [B, c, c, 1], 0..100; ab: float32
            [B, c, c, 2], CIE units; and optionally seed: int64 [B], which
            keys the noise.
        training: bool.

    Returns (call):
        dict of ab_hat: float32 [B, c, c, 2], CIE units; real_logits and
        fake_logits: float32 [B, h, w, 1], which train the discriminator;
        judged_logits: equal to fake_logits, but they train the generator.

    References:
        Isola et al. (2017), https://arxiv.org/abs/1611.07004
    """

    def __init__(self, canvas: int = CANVAS,
                 widths: Sequence[int] = REGIONS.widths,
                 feature_channels: int = REGIONS.feature_channels,
                 depth: int = REGIONS.depth, noise_dim: int = 64,
                 patch_widths: Sequence[int] = (32, 64, 128),
                 l1_weight: float = 100.0, **kwargs):
        super().__init__(canvas, widths, feature_channels, depth, **kwargs)
        self.noise_dim = noise_dim
        self.patch_widths = tuple(patch_widths)
        self.l1_weight = l1_weight
        self.generator = field_unet(
            canvas, self.widths, feature_channels, depth, noise_dim)
        self.discriminator = keras.Sequential([
            keras.Input((canvas, canvas, 3)),
            *[layers.Conv2D(width, 4, strides=2, padding="same",
                            activation="leaky_relu",
                            kernel_initializer="he_normal", name=f"patch_{i}")
              for i, width in enumerate(self.patch_widths)],
            layers.Conv2D(1, 1, name="logits", dtype="float32"),
        ], name="discriminator")
        self.built = True  # the parts already have their weights

    def call(self, batch: Batch,
             training: bool = False) -> dict[str, Tensor]:
        luminance_norm = normalize_luminance(batch["luminance"])
        ab_hat_norm = self.generator(
            [luminance_norm, self._noise(batch, [self.noise_dim])],
            training=training)
        real = self._pair(luminance_norm, normalize_ab(batch["ab"]))
        fake = self._pair(luminance_norm, ab_hat_norm)
        # The generator learns from the discriminator as a constant.
        constants = [tf.stop_gradient(v.value)
                     for v in self.discriminator.trainable_variables]
        judged, *_ = self.discriminator.stateless_call(constants, [], fake)
        return {"ab_hat": denormalize_ab(ab_hat_norm),
                "real_logits": self.discriminator(real),
                "fake_logits": self.discriminator(tf.stop_gradient(fake)),
                "judged_logits": judged}

    @property
    def term_names(self) -> tuple[str, ...]:
        return ("mae", "adversarial", "discriminator")

    def loss_terms(self, batch: Batch,
                   outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        mae = mean_absolute_error(batch["ab"], outputs["ab_hat"])
        adversarial = _mean_softplus(-outputs["judged_logits"])
        discriminator = (_mean_softplus(-outputs["real_logits"])
                         + _mean_softplus(outputs["fake_logits"]))
        return {"mae": mae, "adversarial": adversarial,
                "discriminator": discriminator,
                "loss": self.l1_weight * mae + adversarial + discriminator}

    def _fields(self, luminance_norm, seed, num_samples):
        noise = seeds.normal(seeds.LATENT, seed, [num_samples, self.noise_dim])
        field = self.generator(
            [tf.repeat(luminance_norm, num_samples, axis=0),
             tf.reshape(noise, [-1, self.noise_dim])], training=False)
        return tf.reshape(
            field, [-1, num_samples, self.canvas, self.canvas, 2])

    @staticmethod
    def _pair(luminance_norm, ab_norm):
        # Equal influence for colours and luminance: both of unit variance.
        return tf.concat([luminance_norm, PALETTE_SCALE * ab_norm], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "noise_dim": self.noise_dim,
                "patch_widths": self.patch_widths,
                "l1_weight": self.l1_weight}


def _mean_softplus(logits):
    """float32 [B]: cross-entropy of logits, mean over the patches."""
    return tf.reduce_mean(tf.nn.softplus(logits), axis=[1, 2, 3])
