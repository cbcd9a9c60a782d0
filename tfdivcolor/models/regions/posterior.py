"""q(z | C, G): the palette of a colour field."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.models.blocks import (
    PACKAGE,
    float32,
    log_variance_layer,
    silu,
)
from tfdivcolor.models.regions.grey_network import RIDGE, RegionGrey
from tfdivcolor.utils.types import Tensor

# z = PALETTE_SCALE * palette (ab / 128): about unit variance on photographs.
PALETTE_SCALE = 10.0


@keras.saving.register_keras_serializable(PACKAGE)
class RegionPosterior(layers.Layer):
    """q(z | C, G): the least-squares palette, with a learned scale.

        loc = PALETTE_SCALE * (A^T A + RIDGE I)^-1 A^T C

    with the assignment A and the colour field C.  The scale depends only on
    the areas of the regions: the larger a region, the surer its colour.

    Args:
        num_regions: int M. The latent has D = 2M dimensions, region by region,
            with (a, b) for each. Defaults to 32.
    """

    def __init__(self, num_regions: int = 32, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.num_regions = num_regions
        self.latent_dim = 2 * num_regions
        self.scale_network = keras.Sequential([
            keras.Input((num_regions,)),
            layers.Dense(64, activation=silu, name="hidden"),
            log_variance_layer(self.latent_dim),
        ], name="scale_network")

    def call(self, ab_norm: Tensor, grey: RegionGrey,
             training: bool = False) -> tuple[Tensor, Tensor]:
        """Encodes colour fields.

        Args:
            ab_norm: float32 [B, H, W, 2], ab / 128.
            grey: `RegionGrey`.
            training: bool. Defaults to False.

        Returns:
            loc, scale: float32 [B, D].
        """
        assignment = grey["assignment"]
        pixels = assignment.shape[1]
        gram = tf.matmul(assignment, assignment, transpose_a=True)
        gram += RIDGE * tf.eye(self.num_regions)
        moments = tf.matmul(
            assignment, tf.reshape(ab_norm, [-1, pixels, 2]),
            transpose_a=True)
        palette = tf.linalg.solve(gram, moments)  # [B, M, 2]
        loc = PALETTE_SCALE * tf.reshape(palette, [-1, self.latent_dim])
        log_variance = float32(self.scale_network(
            grey["log_area"], training=training))
        # Bounds keep the density finite while the areas still change.
        log_variance = tf.clip_by_value(log_variance, -10.0, 1.0)
        return loc, tf.exp(0.5 * log_variance)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_regions": self.num_regions}
