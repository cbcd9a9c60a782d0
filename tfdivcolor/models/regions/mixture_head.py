"""P(z | G): the mixture over palettes."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.latent.distributions import MixtureParameters, positive_scale
from tfdivcolor.models.blocks import PACKAGE, float32, silu
from tfdivcolor.models.regions.grey_network import RegionGrey
from tfdivcolor.utils.types import Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class RegionMixtureHead(layers.Layer):
    """P(z | G): region tokens, self-attention, one Gaussian mixture.

    Each region's token gives the region's part of every component: mean,
    scale and factor rows of its two numbers.  The factors make regions move
    together (both cheeks, the two halves of a wall).

    Args:
        num_regions: int M. Defaults to 32.
        token_channels: int. Channels of grey["tokens"]. Defaults to 36.
        bottleneck_shape: three ints. Shape of grey["bottleneck"]. Defaults to
            (4, 4, 160).
        num_components: int K. Defaults to 8.
        rank: int R of the covariances, 0 for diagonal ones. Defaults to 6.
        width: int. Channels of a token inside the network. Defaults to 96.
        num_blocks: int. Self-attention blocks. Defaults to 2.
        dropout: float. On the global features; half of it in the attention.
            Defaults to 0.2.
        cell_tokens: bool. True adds the bottleneck's cells as tokens and uses
            their mean as global features. False uses all cells together as
            global features. Defaults to False.
    """

    def __init__(self, num_regions: int = 32, token_channels: int = 36,
                 bottleneck_shape: Sequence[int] = (4, 4, 160),
                 num_components: int = 8, rank: int = 6, width: int = 96,
                 num_blocks: int = 2, dropout: float = 0.2,
                 cell_tokens: bool = False, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.num_regions = num_regions
        self.token_channels = token_channels
        self.bottleneck_shape = tuple(bottleneck_shape)
        self.num_components = num_components
        self.rank = rank
        self.width = width
        self.num_blocks = num_blocks
        self.dropout = dropout
        self.cell_tokens = cell_tokens
        self.network = self._build_network()

    def _build_network(self):
        tokens = keras.Input((self.num_regions, self.token_channels))
        bottleneck = keras.Input(self.bottleneck_shape)
        if self.cell_tokens:
            whole = layers.GlobalAveragePooling2D(name="mean")(bottleneck)
        else:
            whole = layers.Flatten(name="flatten")(bottleneck)
        whole = layers.Dropout(self.dropout, name="dropout")(whole)
        whole = layers.Dense(256, activation=silu, name="whole")(whole)
        x = RegionEmbedding(name="embedding")(
            layers.Dense(self.width, name="token")(tokens))
        x = layers.Add(name="add_whole")([x, layers.Reshape(
            (1, self.width), name="whole_token")(
                layers.Dense(self.width, name="whole_to_token")(whole))])
        if self.cell_tokens:
            x = layers.Concatenate(axis=1, name="regions_and_cells")(
                [x, self._cells(bottleneck)])
        for i in range(self.num_blocks):
            x = self._attention_block(x, f"block_{i}")
        x = self._norm("norm")(x)
        if self.cell_tokens:
            x = x[:, :self.num_regions]
        pooled = layers.GlobalAveragePooling1D(name="pool")(x)
        logits = layers.Dense(self.num_components, name="logits")(
            layers.Concatenate(name="whole_and_pooled")([whole, pooled]))
        # Numbers of a region for one component: loc of a, b; scale of a, b;
        # R factor entries for a, then for b.
        packed = layers.Dense(
            self.num_components * (4 + 2 * self.rank), name="packed")(x)
        return keras.Model([tokens, bottleneck], [logits, packed])

    def _norm(self, name):
        # 1e-3 is Keras' default, used to train the weights without cells.
        # Weights with cells began in PyTorch, which uses 1e-5.
        return layers.LayerNormalization(
            epsilon=1e-5 if self.cell_tokens else 1e-3, name=name)

    def _cells(self, bottleneck):
        height, width, channels = self.bottleneck_shape
        cells = layers.Reshape(
            (height * width, channels), name="cells")(bottleneck)
        cells = layers.Dropout(self.dropout, name="cells_dropout")(cells)
        return RegionEmbedding(name="cell_embedding")(
            layers.Dense(self.width, name="cell_token")(cells))

    def _attention_block(self, x, name):
        y = self._norm(f"{name}_norm_1")(x)
        y = layers.MultiHeadAttention(
            4, self.width // 4, dropout=self.dropout / 2,
            name=f"{name}_attention")(y, y)
        x = layers.Add(name=f"{name}_add_1")([x, y])
        y = self._norm(f"{name}_norm_2")(x)
        y = layers.Dense(
            2 * self.width, activation=silu, name=f"{name}_expand")(y)
        y = layers.Dense(self.width, name=f"{name}_contract")(y)
        return layers.Add(name=f"{name}_add_2")([x, y])

    def call(self, grey: RegionGrey,
             training: bool = False) -> MixtureParameters:
        """Predicts the mixture.

        Args:
            grey: `RegionGrey`.
            training: bool. Defaults to False.

        Returns:
            `MixtureParameters`, K components, D = 2M.
        """
        logits, packed = float32(self.network(
            [grey["tokens"], grey["bottleneck"]], training=training))
        m, k = self.num_regions, self.num_components
        packed = tf.reshape(packed, [-1, m, k, 4 + 2 * self.rank])
        numbers: Tensor = tf.transpose(packed, [0, 2, 1, 3])  # [B, K, M, ...]
        params: MixtureParameters = {
            "mixture_logits": logits,
            "locs": tf.reshape(numbers[..., :2], [-1, k, 2 * m]),
            "scales": positive_scale(
                tf.reshape(numbers[..., 2:4], [-1, k, 2 * m])),
        }
        if self.rank:
            # 0.3, so that factors start small compared with the diagonal.
            params["factors"] = 0.3 * tf.reshape(
                numbers[..., 4:], [-1, k, 2 * m, self.rank])
        return params

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_regions": self.num_regions,
                "token_channels": self.token_channels,
                "bottleneck_shape": self.bottleneck_shape,
                "num_components": self.num_components, "rank": self.rank,
                "width": self.width, "num_blocks": self.num_blocks,
                "dropout": self.dropout, "cell_tokens": self.cell_tokens}


@keras.saving.register_keras_serializable(PACKAGE)
class RegionEmbedding(layers.Layer):
    """Adds a learned vector to each token."""

    def build(self, shape: Sequence) -> None:
        self.table = self.add_weight(
            name="table", shape=tuple(shape[1:]), initializer="random_normal")

    def call(self, tokens: Tensor) -> Tensor:
        return tokens + self.table
