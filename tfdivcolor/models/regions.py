"""The `regions` networks: a latent that the grey picture explains.

The grey network assigns every pixel softly to one of M regions; the latent z
is the regions' palette, one ab colour each (D = 2M); the decoder paints the
regions with the palette and refines the result.  Colours therefore follow
objects: a curtain or a jacket changes as a whole.  The grey network runs once
a picture; a sample costs one small matrix product and two thin convolutions.

What the grey network finds in a picture travels as a dict, `grey` below:

    assignment: float32 [B, H * W, M], rows sum to 1
    features:   float32 [B, H, W, C]
    bottleneck: float32 [B, H / 16, W / 16, widths[-1]]
    tokens:     float32 [B, M, C + 4], each region's mean features, luminance,
                centroid (x, y in -1..1) and log area
    log_area:   float32 [B, M]
"""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from tfdivcolor.latent.distributions import positive_scale
from tfdivcolor.models.blocks import (
    PACKAGE,
    add_per_picture,
    conv_block,
    float32,
    residual_block,
    silu,
    upsample,
)

# z = PALETTE_SCALE * palette (ab / 128): about unit variance on photographs.
PALETTE_SCALE = 10.0
# Pixels' worth of ridge in the least-squares palette: a region that covers
# less than about one pixel gets a colour near grey instead of noise.
RIDGE = 1.0


@keras.saving.register_keras_serializable(PACKAGE)
class GreyNetwork(layers.Layer):
    """Small U-Net: luminance -> region assignment, features, tokens.

    Args:
        canvas: int. Side of the picture in pixels, a multiple of 16.
        num_regions: int M.
        widths: four ints. Channels of the four strided stages.
        feature_channels: int C. Channels at full resolution.
        depth: int. Residual blocks after each of the two coarsest stages,
            where they cost little and see the whole picture.
    """

    def __init__(self, canvas=64, num_regions=32, widths=(32, 64, 96, 160),
                 feature_channels=32, depth=0, **kwargs):
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
        luminance = keras.Input((self.canvas, self.canvas, 1))
        x, skips = luminance, []
        for i, width in enumerate(self.widths):
            x = conv_block(x, width, 5 if i == 0 else 3, 2, name=f"down_{i}")
            for block in range(self.depth if i >= 2 else 0):
                x = residual_block(x, f"down_{i}_residual_{block}")
            skips.append(x)
        x = bottleneck = conv_block(x, self.widths[-1], 3, name="bottleneck")
        for i in reversed(range(3)):
            x = layers.Concatenate(name=f"skip_{i}")(
                [upsample(x, f"upsample_{i}"), skips[i]])
            x = conv_block(x, self.widths[i], 3, name=f"up_{i}")
        x = layers.Concatenate(name="skip_luminance")(
            [upsample(x, "upsample_luminance"), luminance])
        features = conv_block(x, self.feature_channels, 3, name="features")
        logits = layers.Conv2D(self.num_regions, 1, name="regions")(features)
        assignment = layers.Softmax(dtype="float32", name="assignment")(logits)
        return keras.Model(luminance, [assignment, features, bottleneck])

    def call(self, luminance_norm, training=False):
        """Looks at grey pictures.

        Args:
            luminance_norm: float32 [B, canvas, canvas, 1], L / 50 - 1.
            training: bool.

        Returns:
            dict `grey`, see the module's docstring.
        """
        assignment, features, bottleneck = float32(self.network(
            luminance_norm, training=training))
        pixels = self.canvas ** 2
        assignment = tf.reshape(assignment, [-1, pixels, self.num_regions])
        area = tf.reduce_sum(assignment, axis=1)  # [B, M], in pixels
        ramp = np.linspace(-1.0, 1.0, self.canvas, dtype=np.float32)
        position = np.stack(np.meshgrid(ramp, ramp), axis=-1)  # x, y
        position = tf.repeat(position[None], tf.shape(features)[0], axis=0)
        seen = tf.reshape(
            tf.concat([features, luminance_norm, position], axis=-1),
            [-1, pixels, self.feature_channels + 3])
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

    def get_config(self):
        return {**super().get_config(), "canvas": self.canvas,
                "num_regions": self.num_regions, "widths": self.widths,
                "feature_channels": self.feature_channels,
                "depth": self.depth}


@keras.saving.register_keras_serializable(PACKAGE)
class RegionPosterior(layers.Layer):
    """q(z | C, G): the least-squares palette, with a learned scale.

        loc = PALETTE_SCALE * (A^T A + RIDGE I)^-1 A^T C

    A: the assignment, C: the colour field.  The scale depends on the
    regions' areas alone: the larger a region, the surer its colour.

    Args:
        num_regions: int M; the latent has D = 2M dimensions, region by
            region, (a, b) within one.
    """

    def __init__(self, num_regions=32, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.num_regions = num_regions
        self.latent_dim = 2 * num_regions
        self.scale_network = keras.Sequential([
            keras.Input((num_regions,)),
            layers.Dense(64, activation=silu, name="hidden"),
            layers.Dense(
                self.latent_dim, name="log_variance",
                bias_initializer=keras.initializers.Constant(-4.0)),
        ], name="scale_network")

    def call(self, ab_norm, grey, training=False):
        """Encodes colour fields.

        Args:
            ab_norm: float32 [B, H, W, 2], ab / 128.
            grey: dict of `GreyNetwork`.
            training: bool.

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
        # Bounds keep the density finite while the areas are still moving.
        log_variance = tf.clip_by_value(log_variance, -10.0, 1.0)
        return loc, tf.exp(0.5 * log_variance)

    def get_config(self):
        return {**super().get_config(), "num_regions": self.num_regions}


@keras.saving.register_keras_serializable(PACKAGE)
class RegionDecoder(layers.Layer):
    """p(C | z, G): paints the regions, then refines the painting.

        f = A palette + refine([A palette, features])

    Args:
        canvas: int. Side of the field in pixels.
        num_regions: int M.
        feature_channels: int. Channels of grey["features"].
        hidden: int. Channels between the two refining convolutions.
    """

    def __init__(self, canvas=64, num_regions=32, feature_channels=32,
                 hidden=16, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.num_regions = num_regions
        self.latent_dim = 2 * num_regions
        self.feature_channels = feature_channels
        self.hidden = hidden
        # The convolution over [painting, features], in its two halves: the
        # features' half is the same for every sample of a picture.
        size = (canvas, canvas)
        self.from_field = layers.Conv2D(
            hidden, 3, padding="same", name="from_field")
        self.from_field.build((None, *size, 2))
        self.from_features = layers.Conv2D(
            hidden, 3, padding="same", use_bias=False, name="from_features")
        self.from_features.build((None, *size, feature_channels))
        # Zero at the start: training begins with the bare painting.
        self.correction = layers.Conv2D(
            2, 3, padding="same", kernel_initializer="zeros",
            name="correction")
        self.correction.build((None, *size, hidden))

    def call(self, z, grey, training=False):
        """Decodes latents.

        Args:
            z: float32 [B, S, D].
            grey: dict of `GreyNetwork` for the B pictures.
            training: bool, not used.

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

    def sensitivity(self, grey):
        """How far each latent dimension moves the field.

        Args:
            grey: dict of `GreyNetwork`.

        Returns:
            float32 [B, D]: root mean square change of the field (ab / 128)
            for a unit step in z, refinement aside.
        """
        share = tf.reduce_mean(tf.square(grey["assignment"]), axis=1)
        return tf.repeat(tf.sqrt(share) / PALETTE_SCALE, 2, axis=-1)

    def slope(self, grey, weights):
        """How weighted means of the field move with the latents.

        Args:
            grey: dict of `GreyNetwork`.
            weights: float32 [N, H * W]. Weights of the canvas's pixels.

        Returns:
            float32 [B, N, 2, D]: change of the means (ab / 128) for a unit
            step in z, refinement aside.
        """
        share = tf.matmul(weights, grey["assignment"]) / PALETTE_SCALE
        # a moves with the even latents, b with the odd ones.
        slope = share[:, :, None, :, None] * tf.eye(2)[:, None]
        return tf.reshape(
            slope, [-1, tf.shape(weights)[0], 2, self.latent_dim])

    def coordinates(self, z, ab_norm, grey):
        """Latents and a true field in coordinates of painted fields.

        Euclidean distances between the coordinates are those between the
        fields (refinement aside), without painting them: with the Cholesky
        factor L L^T = A^T A of the assignment, |A p| = |L^T p|.

        Args:
            z: float32 [B, S, D].
            ab_norm: float32 [B, H, W, 2], ab / 128.
            grey: dict of `GreyNetwork`.

        Returns:
            draws: float32 [B, S, D]. Of the latents.
            truth: float32 [B, D]. Of the painting nearest to the true field.
            distance: float32 [B]. Squared distance of that one to the field.
        """
        assignment = grey["assignment"]
        field = tf.reshape(ab_norm, [-1, assignment.shape[1], 2])
        gram = tf.matmul(assignment, assignment, transpose_a=True)
        # 1e-2 of a pixel: a region without any must not make it singular.
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

    def get_config(self):
        return {**super().get_config(), "canvas": self.canvas,
                "num_regions": self.num_regions,
                "feature_channels": self.feature_channels,
                "hidden": self.hidden}


@keras.saving.register_keras_serializable(PACKAGE)
class RegionMixtureHead(layers.Layer):
    """P(z | G): region tokens, self-attention, one Gaussian mixture.

    Each region's token says its part of every component: mean, scale and
    factor rows of its two colours.  The factors make regions move together
    (both cheeks, the two halves of a wall).

    Args:
        num_regions: int M.
        token_channels: int. Channels of grey["tokens"].
        bottleneck_shape: three ints. Shape of grey["bottleneck"].
        num_components: int K.
        rank: int R of the covariances, 0 for diagonal ones.
        width: int. Channels of a token inside.
        num_blocks: int. Self-attention blocks.
        dropout: float. On the global features; half of it in the attention.
    """

    def __init__(self, num_regions=32, token_channels=36,
                 bottleneck_shape=(4, 4, 160), num_components=8, rank=6,
                 width=96, num_blocks=2, dropout=0.2, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.num_regions = num_regions
        self.token_channels = token_channels
        self.bottleneck_shape = tuple(bottleneck_shape)
        self.num_components = num_components
        self.rank = rank
        self.width = width
        self.num_blocks = num_blocks
        self.dropout = dropout
        self.network = self._build_network()

    def _build_network(self):
        tokens = keras.Input((self.num_regions, self.token_channels))
        bottleneck = keras.Input(self.bottleneck_shape)
        whole = layers.Flatten(name="flatten")(bottleneck)
        whole = layers.Dropout(self.dropout, name="dropout")(whole)
        whole = layers.Dense(256, activation=silu, name="whole")(whole)
        x = RegionEmbedding(name="embedding")(
            layers.Dense(self.width, name="token")(tokens))
        x = layers.Add(name="add_whole")([x, layers.Reshape(
            (1, self.width), name="whole_token")(
                layers.Dense(self.width, name="whole_to_token")(whole))])
        for i in range(self.num_blocks):
            x = self._attention_block(x, f"block_{i}")
        x = layers.LayerNormalization(name="norm")(x)
        pooled = layers.GlobalAveragePooling1D(name="pool")(x)
        logits = layers.Dense(self.num_components, name="logits")(
            layers.Concatenate(name="whole_and_pooled")([whole, pooled]))
        # A region's numbers for one component: loc a, b; scale a, b; R
        # factor entries for a, then for b.
        packed = layers.Dense(
            self.num_components * (4 + 2 * self.rank), name="packed")(x)
        return keras.Model([tokens, bottleneck], [logits, packed])

    def _attention_block(self, x, name):
        y = layers.LayerNormalization(name=f"{name}_norm_1")(x)
        y = layers.MultiHeadAttention(
            4, self.width // 4, dropout=self.dropout / 2,
            name=f"{name}_attention")(y, y)
        x = layers.Add(name=f"{name}_add_1")([x, y])
        y = layers.LayerNormalization(name=f"{name}_norm_2")(x)
        y = layers.Dense(
            2 * self.width, activation=silu, name=f"{name}_expand")(y)
        y = layers.Dense(self.width, name=f"{name}_contract")(y)
        return layers.Add(name=f"{name}_add_2")([x, y])

    def call(self, grey, training=False):
        """Predicts the mixture.

        Args:
            grey: dict of `GreyNetwork`.
            training: bool.

        Returns:
            MixtureParameters (see `distributions`), K components, D = 2M.
        """
        logits, packed = float32(self.network(
            [grey["tokens"], grey["bottleneck"]], training=training))
        m, k = self.num_regions, self.num_components
        packed = tf.reshape(packed, [-1, m, k, 4 + 2 * self.rank])
        packed = tf.transpose(packed, [0, 2, 1, 3])  # [B, K, M, 4 + 2R]
        params = {
            "mixture_logits": logits,
            "locs": tf.reshape(packed[..., :2], [-1, k, 2 * m]),
            "scales": positive_scale(
                tf.reshape(packed[..., 2:4], [-1, k, 2 * m])),
        }
        if self.rank:
            # 0.3: factors start small beside the diagonal.
            params["factors"] = 0.3 * tf.reshape(
                packed[..., 4:], [-1, k, 2 * m, self.rank])
        return params

    def get_config(self):
        return {**super().get_config(), "num_regions": self.num_regions,
                "token_channels": self.token_channels,
                "bottleneck_shape": self.bottleneck_shape,
                "num_components": self.num_components, "rank": self.rank,
                "width": self.width, "num_blocks": self.num_blocks,
                "dropout": self.dropout}


@keras.saving.register_keras_serializable(PACKAGE)
class RegionEmbedding(layers.Layer):
    """Adds a learned vector to each region's token."""

    def build(self, shape):
        self.table = self.add_weight(
            name="table", shape=tuple(shape[1:]), initializer="random_normal")

    def call(self, tokens):
        return tokens + self.table
