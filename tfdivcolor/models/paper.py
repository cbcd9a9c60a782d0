"""The published networks: presets `paper` and `paper_skip`.

Deshpande et al. (2017), https://arxiv.org/abs/1612.01958, section 4 and
supplement; sizes read k x k, stride, channels, B = batch norm.

    encoder         5,2,128 B  5,2,256 B  5,2,512 B  4,2,1024 B  F(2d)
    decoder         4,1,1024 B (on z at 4x4)  then up to 8, 16, 32, 64 with
                    5,1,512 B  5,1,256 B  5,1,128 B  5,1,2 tanh
    grey encoder    5,2,128 B  5,2,256 B  5,2,512 B  4,2,d     (`paper_skip`)
    mixture         5,1,384 B  5,1,320 B  5,1,288 B  5,2,256 B  5,1,128 B
                    F4096  F(K * d + K), on grey features

In `paper_skip`, z is multiplied by the grey encoder's 4x4 output. The other
outputs are concatenated to the decoder's inputs at their resolution.

Differs from reference: the public TF1 code reads its planar ab vectors as
interleaved, so that its grey skips are misaligned. This module does not
reproduce that.  This reading of the layer list has 46 M parameters in the skip
VAE; the public code counts 51.7 M.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor.latent.distributions import MixtureParameters, unpack
from tfdivcolor.models.blocks import PACKAGE, JoinedConv2D, conv_block, float32
from tfdivcolor.models.losses import MDN_VARIANCE
from tfdivcolor.utils.types import Tensor

ENCODER_WIDTHS = (128, 256, 512, 1024)
DECODER_WIDTHS = (1024, 512, 256, 128)
MIXTURE_WIDTHS = (384, 320, 288, 256, 128)


@keras.saving.register_keras_serializable(PACKAGE)
class NoGrey(layers.Layer):
    """The grey encoder of a VAE that does not see the picture (`paper`)."""

    def call(self, luminance_norm: Tensor, training: bool = False) -> dict:
        """Returns an empty dict `grey`."""
        return {}


@keras.saving.register_keras_serializable(PACKAGE)
class PaperGreyEncoder(layers.Layer):
    """The grey encoder of the skip variant.

    Args:
        canvas: int. Side of the picture in pixels, a multiple of 16. Defaults
            to 64.
        latent_dim: int d. Defaults to 64.
        widths: ints. Channels of the strided stages before the last. Defaults
            to (128, 256, 512).
    """

    def __init__(self, canvas: int = 64, latent_dim: int = 64,
                 widths: Sequence[int] = ENCODER_WIDTHS[:3], **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.latent_dim = latent_dim
        self.widths = tuple(widths)
        x = luminance = keras.Input((canvas, canvas, 1))
        outputs = {}
        for i, width in enumerate(self.widths):
            x = conv_block(x, width, 5, 2, "relu", name=f"grey_{i}")
            outputs[f"skip_{i}"] = x
        outputs["code"] = layers.Conv2D(
            latent_dim, 4, strides=2, padding="same", name="code")(x)
        self.network = keras.Model(luminance, outputs)

    def call(self, luminance_norm: Tensor,
             training: bool = False) -> dict[str, Tensor]:
        """Encodes grey pictures.

        Args:
            luminance_norm: float32 [B, canvas, canvas, 1], L / 50 - 1.
            training: bool. Defaults to False.

        Returns:
            dict `grey` of skip_0, skip_1, ... at 1/2, 1/4, ... of the canvas
            and code: float32 [B, canvas / 16, canvas / 16, d].
        """
        return float32(self.network(luminance_norm, training=training))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "latent_dim": self.latent_dim, "widths": self.widths}


@keras.saving.register_keras_serializable(PACKAGE)
class PaperPosterior(layers.Layer):
    """q(z | C): four strided convolutions and a dense layer.

    Args:
        canvas: int. Side of the field in pixels, a multiple of 16. Defaults to
            64.
        latent_dim: int d. Defaults to 64.
        widths: four ints. Channels of the convolutions. Defaults to (128, 256,
            512, 1024).
    """

    def __init__(self, canvas: int = 64, latent_dim: int = 64,
                 widths: Sequence[int] = ENCODER_WIDTHS, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.latent_dim = latent_dim
        self.widths = tuple(widths)
        x = ab = keras.Input((canvas, canvas, 2))
        for i, width in enumerate(self.widths):
            size = 4 if i == len(self.widths) - 1 else 5
            x = conv_block(x, width, size, 2, "relu", name=f"encoder_{i}")
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(2 * latent_dim, name="loc_and_log_variance")(x)
        self.network = keras.Model(ab, x)

    def call(self, ab_norm: Tensor, grey: dict[str, Tensor],
             training: bool = False) -> tuple[Tensor, Tensor]:
        """Encodes colour fields.

        Args:
            ab_norm: float32 [B, canvas, canvas, 2], ab / 128.
            grey: dict, unused: the paper's encoder sees only colours.
            training: bool. Defaults to False.

        Returns:
            loc, scale: float32 [B, d].
        """
        loc, log_variance = tf.split(
            float32(self.network(ab_norm, training=training)), 2, axis=-1)
        return loc, tf.exp(0.5 * tf.clip_by_value(log_variance, -20.0, 10.0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "latent_dim": self.latent_dim, "widths": self.widths}


@keras.saving.register_keras_serializable(PACKAGE)
class PaperDecoder(layers.Layer):
    """p(C | z), or p(C | z, G) with skips.

    Args:
        canvas: int. Side of the field in pixels, a multiple of 16. Defaults to
            64.
        latent_dim: int d. Defaults to 64.
        widths: four ints. Channels at 1/16, 1/8, 1/4 and 1/2 of the canvas.
            Defaults to (1024, 512, 256, 128).
        skip: bool. Whether to use the grey encoder's outputs. Defaults to
            False.
    """

    latent_is_palette = False

    def __init__(self, canvas: int = 64, latent_dim: int = 64,
                 widths: Sequence[int] = DECODER_WIDTHS, skip: bool = False,
                 **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.canvas = canvas
        self.latent_dim = latent_dim
        self.widths = tuple(widths)
        self.skip = skip
        stages = len(self.widths)
        self.convolutions: list[Any] = [
            layers.Conv2D(self.widths[0], 4, padding="same", use_bias=False,
                          name="decoder_0")]
        for i, width in enumerate(self.widths[1:], 1):
            make = JoinedConv2D if skip else _plain_convolution
            self.convolutions.append(make(width, 5, name=f"decoder_{i}"))
        self.norms = [
            layers.BatchNormalization(
                momentum=0.95, synchronized=True, name=f"decoder_{i}_norm")
            for i in range(stages)]
        self.output_convolution = layers.Conv2D(
            2, 5, padding="same", activation="tanh", name="output")
        self._build_sublayers()

    def _build_sublayers(self):
        side, channels = self.canvas // 16, self.latent_dim
        for i, (convolution, norm) in enumerate(
                zip(self.convolutions, self.norms)):
            shape = (None, side, side, channels)
            if i and self.skip:
                # The channels of the grey encoder mirror the decoder's.
                convolution.build(shape, (*shape[:3], self.widths[i]))
            else:
                convolution.build(shape)
            channels = self.widths[i]
            norm.build((None, side, side, channels))
            side *= 2
        self.output_convolution.build((None, side, side, channels))

    def call(self, z: Tensor, grey: dict[str, Tensor],
             training: bool = False) -> Tensor:
        """Decodes latents.

        Args:
            z: float32 [B, S, d].
            grey: dict of `PaperGreyEncoder` with skips, else unused.
            training: bool. Defaults to False.

        Returns:
            float32 [B, S, canvas, canvas, 2], ab / 128, in -1..1.
        """
        batch, samples = tf.shape(z)[0], tf.shape(z)[1]
        side = self.canvas // 16
        if self.skip:
            # z at every place of the 4x4 grid, multiplied by the grey code.
            x = z[:, :, None, None, :] * grey["code"][:, None]
        else:
            x = tf.tile(z[:, :, None, None, :], [1, 1, side, side, 1])
        x = tf.reshape(x, [-1, side, side, self.latent_dim])
        skips = len(self.widths) - 1
        for i, (convolution, norm) in enumerate(
                zip(self.convolutions, self.norms)):
            if i:
                x = _double(x)
            if i and self.skip:
                x = convolution(x, grey[f"skip_{skips - i}"])
            else:
                x = convolution(x)
            x = tf.nn.relu(norm(x, training=training))
        field = float32(self.output_convolution(_double(x)))
        return tf.reshape(
            field, [batch, samples, self.canvas, self.canvas, 2])

    def sensitivity(self, grey: dict[str, Tensor]) -> Tensor:
        """Returns equal sensitivities for all latent dimensions.

        Returns:
            float32 [1, d] of ones.
        """
        return tf.ones([1, self.latent_dim])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "canvas": self.canvas,
                "latent_dim": self.latent_dim, "widths": self.widths,
                "skip": self.skip}


def _plain_convolution(filters, kernel_size, name):
    return layers.Conv2D(
        filters, kernel_size, padding="same", use_bias=False, name=name)


def _double(x):
    return tf.image.resize(x, 2 * tf.shape(x)[1:3], "bilinear")


@keras.saving.register_keras_serializable(PACKAGE)
class PaperMixtureHead(layers.Layer):
    """P(z | G) from grey features, as published.

    Args:
        feature_shape: three ints. Shape of the grey features.
        num_components: int K. Defaults to 8.
        latent_dim: int d. Defaults to 64.
        scale: float or None. Fixed standard deviation of all components, or
            None to learn one per component and dimension. Defaults to the
            paper's, the square root of variance 0.1.
        widths: five ints. Channels of the convolutions; the fourth has stride
            2. Defaults to (384, 320, 288, 256, 128).
        hidden: int. Units of the dense layer before the last. Defaults to
            4096.
    """

    def __init__(self, feature_shape: Sequence[int], num_components: int = 8,
                 latent_dim: int = 64,
                 scale: float | None = MDN_VARIANCE ** 0.5,
                 widths: Sequence[int] = MIXTURE_WIDTHS, hidden: int = 4096,
                 **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.feature_shape = tuple(feature_shape)
        self.num_components = num_components
        self.latent_dim = latent_dim
        self.scale = scale
        self.widths = tuple(widths)
        self.hidden = hidden
        x = features = keras.Input(self.feature_shape)
        for i, width in enumerate(self.widths):
            x = conv_block(x, width, 5, 2 if i == 3 else 1, "relu",
                           name=f"mixture_{i}")
        x = layers.Flatten(name="flatten")(x)
        x = layers.Dense(hidden, activation="relu", name="hidden")(x)
        parts = 1 if scale is not None else 2
        x = layers.Dense(
            num_components * (1 + parts * latent_dim), name="packed")(x)
        self.network = keras.Model(features, x)

    def call(self, grey: Tensor,
             training: bool = False) -> MixtureParameters:
        """Predicts the mixture.

        Args:
            grey: float32 [B, *feature_shape], from `GreyFeatures`.
            training: bool. Defaults to False.

        Returns:
            `MixtureParameters`.
        """
        packed = float32(self.network(grey, training=training))
        return unpack(
            packed, self.num_components, self.latent_dim, self.scale)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "feature_shape": self.feature_shape,
                "num_components": self.num_components,
                "latent_dim": self.latent_dim, "scale": self.scale,
                "widths": self.widths, "hidden": self.hidden}
