"""The regression baseline: one result per picture."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from tfdivcolor.color import denormalize_ab, normalize_luminance
from tfdivcolor.data import Batch
from tfdivcolor.evaluation.baselines.base import (
    REGIONS,
    Baseline,
    field_unet,
    mean_absolute_error,
)
from tfdivcolor.models.blocks import PACKAGE
from tfdivcolor.settings import CANVAS
from tfdivcolor.utils.types import Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class RegressionCNN(Baseline):
    """A U-Net trained on the absolute error, with one result per picture.

    Args:
        canvas, widths, feature_channels, depth: as in `Baseline`.

    Call arguments:
        batch: dict with luminance: float32 [B, c, c, 1], 0..100.
        training: bool.

    Returns (call):
        dict of ab_hat: float32 [B, c, c, 2], CIE units.
    """

    def __init__(self, canvas: int = CANVAS,
                 widths: Sequence[int] = REGIONS.widths,
                 feature_channels: int = REGIONS.feature_channels,
                 depth: int = REGIONS.depth, **kwargs):
        super().__init__(canvas, widths, feature_channels, depth, **kwargs)
        self.network = field_unet(canvas, self.widths, feature_channels, depth)
        self.built = True  # the network already has its weights

    def call(self, batch: Batch,
             training: bool = False) -> dict[str, Tensor]:
        luminance_norm = normalize_luminance(batch["luminance"])
        return {"ab_hat": denormalize_ab(
            self.network(luminance_norm, training=training))}

    @property
    def term_names(self) -> tuple[str, ...]:
        return ("mae",)

    def loss_terms(self, batch: Batch,
                   outputs: dict[str, Tensor]) -> dict[str, Tensor]:
        mae = mean_absolute_error(batch["ab"], outputs["ab_hat"])
        return {"mae": mae, "loss": mae}

    def _fields(self, luminance_norm, seed, num_samples):
        field = self.network(luminance_norm, training=False)
        return tf.repeat(field[:, None], num_samples, axis=1)
