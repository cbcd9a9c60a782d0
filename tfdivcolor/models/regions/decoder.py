"""p(C | z, G): paints the regions with the palette."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.models.blocks import PACKAGE, add_per_picture, float32, silu
from tfdivcolor.models.regions.grey_network import RegionGrey
from tfdivcolor.models.regions.posterior import PALETTE_SCALE
from tfdivcolor.utils.types import Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class RegionDecoder(layers.Layer):
    """p(C | z, G): paints the regions, then refines the painting.

        f = A palette + refine([A palette, features])

    Args:
        canvas: int. Side of the field in pixels. Defaults to 64.
        num_regions: int M. Defaults to 32.
        feature_channels: int. Channels of grey["features"]. Defaults to 32.
        hidden: int. Channels between the two refining convolutions. Defaults
            to 16.
    """

    latent_is_palette = True

    def __init__(self, canvas: int = 64, num_regions: int = 32,
                 feature_channels: int = 32, hidden: int = 16, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.num_regions = num_regions
        self.latent_dim = 2 * num_regions
        self.feature_channels = feature_channels
        self.hidden = hidden
        # The convolution over [painting, features] is split: the half of the
        # features is the same for every sample of a picture.
        size = (canvas, canvas)
        self.from_field = layers.Conv2D(
            hidden, 3, padding="same", name="from_field")
        self.from_field.build((None, *size, 2))
        self.from_features = layers.Conv2D(
            hidden, 3, padding="same", use_bias=False, name="from_features")
        self.from_features.build((None, *size, feature_channels))
        # Initialised with zero, so that training begins without refinement.
        self.correction = layers.Conv2D(
            2, 3, padding="same", kernel_initializer="zeros",
            name="correction")
        self.correction.build((None, *size, hidden))

    def call(self, z: Tensor, grey: RegionGrey,
             training: bool = False) -> Tensor:
        """Decodes latents.

        Args:
            z: float32 [B, S, D].
            grey: `RegionGrey` for the B pictures.
            training: bool, unused.

        Returns:
            float32 [B, S, canvas, canvas, 2], ab / 128.
        """
        shape = tf.shape(z)
        batch, samples = shape[0], shape[1]
        size = self.canvas
        # One product for all samples: [B, HW, M] @ [B, M, 2S].
        palette = tf.reshape(z, [-1, samples, self.num_regions, 2])
        palette = tf.reshape(
            tf.transpose(palette, [0, 2, 1, 3]) / PALETTE_SCALE,
            [-1, self.num_regions, 2 * samples])
        painted = tf.matmul(grey["assignment"], palette)
        painted = tf.reshape(painted, [batch, size, size, samples, 2])
        painted = tf.reshape(
            tf.transpose(painted, [0, 3, 1, 2, 4]), [-1, size, size, 2])
        hidden = silu(add_per_picture(
            self.from_field(painted), self.from_features(grey["features"])))
        field = painted + float32(self.correction(hidden))
        return tf.reshape(field, [batch, samples, size, size, 2])

    def sensitivity(self, grey: RegionGrey) -> Tensor:
        """How far a unit step in each latent dimension moves the field.

        Args:
            grey: `RegionGrey`.

        Returns:
            float32 [B, D]: root mean square change of the field (ab / 128),
            without the refinement.
        """
        share = tf.reduce_mean(tf.square(grey["assignment"]), axis=1)
        return tf.repeat(tf.sqrt(share) / PALETTE_SCALE, 2, axis=-1)

    def slope(self, grey: RegionGrey, weights: Tensor) -> Tensor:
        """Derivatives of weighted means of the field by the latents.

        Args:
            grey: `RegionGrey`.
            weights: float32 [N, H * W]. Weights of the pixels of the canvas.

        Returns:
            float32 [B, N, 2, D]: change of the means (ab / 128) for a unit
            step in z, without the refinement.
        """
        share = tf.matmul(weights, grey["assignment"]) / PALETTE_SCALE
        # a moves with the even latents, b with the odd latents.
        slope = share[:, :, None, :, None] * tf.eye(2)[:, None]
        return tf.reshape(
            slope, [-1, tf.shape(weights)[0], 2, self.latent_dim])

    def coordinates(self, z: Tensor, ab_norm: Tensor, grey: RegionGrey
                    ) -> tuple[Tensor, Tensor, Tensor]:
        """Maps latents and a true field to coordinates of painted fields.

        Euclidean distances of coordinates equal those of the fields (without
        the refinement), but need no painting: with the Cholesky factor
        L L^T = A^T A of the assignment, |A p| = |L^T p|.

        Args:
            z: float32 [B, S, D].
            ab_norm: float32 [B, H, W, 2], ab / 128.
            grey: `RegionGrey`.

        Returns:
            draws: float32 [B, S, D]. Coordinates of the latents.
            truth: float32 [B, D]. Those of the painting nearest to the field.
            distance: float32 [B]. Squared distance of that painting to the
                field.
        """
        assignment = grey["assignment"]
        field = tf.reshape(ab_norm, [-1, assignment.shape[1], 2])
        gram = tf.matmul(assignment, assignment, transpose_a=True)
        # 1e-2 of a pixel keeps the matrix regular for empty regions.
        cholesky = tf.linalg.cholesky(gram + 1e-2 * tf.eye(self.num_regions))
        moments = tf.matmul(assignment, field, transpose_a=True)
        truth = tf.linalg.triangular_solve(cholesky, moments)  # [B, M, 2]
        samples = tf.shape(z)[1]
        palette = tf.transpose(tf.reshape(
            z / PALETTE_SCALE, [-1, samples, self.num_regions, 2]),
            [0, 2, 1, 3])
        draws = tf.matmul(cholesky, tf.reshape(
            palette, [-1, self.num_regions, 2 * samples]), transpose_a=True)
        draws = tf.transpose(tf.reshape(
            draws, [-1, self.num_regions, samples, 2]), [0, 2, 1, 3])
        truth = tf.reshape(truth, [-1, self.latent_dim])
        distance = (tf.reduce_sum(tf.square(field), axis=[1, 2])
                    - tf.reduce_sum(tf.square(truth), axis=-1))
        return (tf.reshape(draws, [-1, samples, self.latent_dim]), truth,
                tf.maximum(distance, 0.0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "num_regions": self.num_regions,
                "feature_channels": self.feature_channels,
                "hidden": self.hidden}
