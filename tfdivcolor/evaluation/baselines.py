"""Baselines: the same pictures and sizes, without the mixture.

    cvae        Deshpande et al. (2017): z ~ N(0, I) instead of P(z | G)
    regression  one answer a picture, least absolute error
    cgan        Isola et al. (2017), pix2pix: U-Net with noise, patch critic

They share `regions`' canvas, grey network (or its layout) and training data,
so that a difference in the evaluation's table is one of the method.
`training.baselines` trains them; `load` reads what it wrote.
"""

import zipfile
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

from tfdivcolor import presets
from tfdivcolor.color import denormalize_ab, normalize_ab, normalize_luminance
from tfdivcolor.evaluation.codes import CodeDecoder, CodePosterior
from tfdivcolor.latent import distributions, sampling, seeds
from tfdivcolor.models.base import LossTermsModel, check_canvas, picture_seeds
from tfdivcolor.models.blocks import (
    PACKAGE,
    conv_block,
    residual_block,
    upsample,
)
from tfdivcolor.models.losses import LossWeights
from tfdivcolor.models.regions import PALETTE_SCALE, GreyNetwork
from tfdivcolor.models.vae import ColorVAE
from tfdivcolor.settings import CANVAS, DEFAULTS, Sampling

REGIONS = presets.get("regions")  # whose sizes and loss weights they share


class Baseline(LossTermsModel):
    """What the baselines share: sizes, and sampling without state.

    Args:
        canvas: int. Side of the colour field in pixels, a multiple of 16.
        widths: four ints. Channels of the U-Net's strided stages.
        feature_channels: int. Its channels at full resolution.
        depth: int. Residual blocks after each of its two coarsest stages.

    Raises:
        ValueError: if `canvas` is not a multiple of 16.
    """

    def __init__(self, canvas=CANVAS, widths=REGIONS.widths,
                 feature_channels=REGIONS.feature_channels,
                 depth=REGIONS.depth, **kwargs):
        super().__init__(**kwargs)
        if canvas % 16:
            raise ValueError(
                f"canvas must be a multiple of 16 (received {canvas})")
        self.canvas = canvas
        self.widths = tuple(widths)
        self.feature_channels = feature_channels
        self.depth = depth
        # As in `Colorizer`, and for the same reason not as a decorator.
        self.sample_fields = tf.function(
            self.sample_fields, reduce_retracing=True, autograph=False)

    def sample(self, luminance, num_samples=DEFAULTS.num_samples,
               seed=DEFAULTS.seed):
        """Samples colour fields; a picture's depend on it and its seed alone.

        Args:
            luminance: float32 [B, canvas, canvas, 1], 0..100.
            num_samples: int S, 1 to `settings.MAX_SAMPLES`.
            seed: int, used for every picture, or int64 [B].

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

    def sample_fields(self, luminance, seed, num_samples):
        """`sample` in TensorFlow: seed int64 [B], num_samples int32 scalar."""
        return denormalize_ab(self._fields(
            normalize_luminance(luminance), seed, num_samples))

    def _fields(self, luminance_norm, seed, num_samples):
        """Returns float32 [B, S, canvas, canvas, 2], ab / 128."""
        raise NotImplementedError

    def get_config(self):
        return {**super().get_config(), "canvas": self.canvas,
                "widths": self.widths,
                "feature_channels": self.feature_channels,
                "depth": self.depth}


# --- CVAE ------------------------------------------------------------------


@keras.saving.register_keras_serializable(PACKAGE)
class ConditionalVAE(Baseline):
    """The paper's baseline: a VAE given the grey picture, z ~ N(0, I).

    Grey network, painter, losses and their weights are those of `regions`,
    but for KL, which is taken to N(0, I) and has the paper's weight: with a
    prior that cannot learn, a smaller one leaves z far from it.  The palette
    itself is far from N(0, I), so z is a learned code of it: `CodePosterior`
    and `CodeDecoder`.

    Args:
        canvas, widths, feature_channels, depth: as in `Baseline`.
        num_regions: int M.
        latent_dim: int D.

    Attributes:
        vae: `ColorVAE`.

    Call arguments and returns: those of `ColorVAE`.
    """

    def __init__(self, canvas=CANVAS, widths=REGIONS.widths,
                 feature_channels=REGIONS.feature_channels,
                 depth=REGIONS.depth, num_regions=REGIONS.num_regions,
                 latent_dim=64, **kwargs):
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
        self.built = True  # the parts made their weights when they were made

    def call(self, batch, training=False):
        return self.vae(batch, training=training)

    def loss_terms(self, batch, outputs):
        return self.vae.loss_terms(batch, outputs)

    def prior(self, luminance):
        """N(0, I), whatever the picture.

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

    def get_config(self):
        return {**super().get_config(), "num_regions": self.num_regions,
                "latent_dim": self.latent_dim}


class ClusteredPrior:
    """A `ConditionalVAE` whose results are chosen as a Colorizer's are.

    Its draws of N(0, I) go through `sampling.latents`, mode "diverse"; the
    paper clusters 256 draws of its CVAE to 5.

    Args:
        model: `ConditionalVAE`.
    """

    def __init__(self, model):
        self.model = model

    def sample(self, luminance, num_samples, seed, temperature):
        """As `Colorizer.sample`."""
        batch, latent_dim = luminance.shape[0], self.model.latent_dim
        shape = [batch, 1, latent_dim]
        chosen = sampling.latents(
            {"mixture_logits": tf.zeros(shape[:2]), "locs": tf.zeros(shape),
             "scales": tf.ones(shape)}, tf.ones([1, latent_dim]),
            picture_seeds(seed, batch), tf.constant(num_samples, tf.int32),
            tf.constant(temperature, tf.float32), "diverse")
        return {"ab": self.model.vae.decode(chosen["z"], luminance)}


# --- Regression and cGAN ---------------------------------------------------


@keras.saving.register_keras_serializable(PACKAGE)
class RegressionCNN(Baseline):
    """One answer a picture: a U-Net trained on the absolute error.

    Args:
        canvas, widths, feature_channels, depth: as in `Baseline`.

    Call arguments:
        batch: dict with luminance: float32 [B, c, c, 1], 0..100.
        training: bool.

    Returns (call):
        dict of ab_hat: float32 [B, c, c, 2], CIE units.
    """

    def __init__(self, canvas=CANVAS, widths=REGIONS.widths,
                 feature_channels=REGIONS.feature_channels,
                 depth=REGIONS.depth, **kwargs):
        super().__init__(canvas, widths, feature_channels, depth, **kwargs)
        self.network = _unet(canvas, self.widths, feature_channels, depth)
        self.built = True  # the network made its weights when it was made

    def call(self, batch, training=False):
        luminance_norm = normalize_luminance(batch["luminance"])
        return {"ab_hat": denormalize_ab(
            self.network(luminance_norm, training=training))}

    def loss_terms(self, batch, outputs):
        mae = _mean_absolute_error(batch["ab"], outputs["ab_hat"])
        return {"mae": mae, "loss": mae}

    def _fields(self, luminance_norm, seed, num_samples):
        field = self.network(luminance_norm, training=False)
        return tf.repeat(field[:, None], num_samples, axis=1)


@keras.saving.register_keras_serializable(PACKAGE)
class ConditionalGAN(Baseline):
    """pix2pix at this canvas: a U-Net with noise against a patch critic.

        generator      100 mean |ab - ab_hat| + softplus(-d(G, ab_hat))
        discriminator  softplus(-d(G, ab)) + softplus(d(G, ab_hat))

    d: the discriminator's logits, one for each patch of 22 pixels, their
    losses averaged over the patches.  `loss` is the sum of both, made such
    that each reaches its own network only: one optimizer trains both at once.

    Differs from reference: the noise is a normal vector at the bottleneck,
    not dropout, so that a seed can key it; the discriminator has no batch
    norm, so that pictures do not influence each other's loss.

    Args:
        canvas, widths, feature_channels, depth: as in `Baseline`.
        noise_dim: int D.
        patch_widths: ints. Channels of the discriminator's strided stages.
        l1_weight: float. Weight of the mean absolute error.

    Call arguments:
        batch: dict of luminance: float32 [B, c, c, 1], 0..100; ab: float32
            [B, c, c, 2], CIE units; and optionally seed: int64 [B], which
            keys the noise.
        training: bool.

    Returns (call):
        dict of ab_hat: float32 [B, c, c, 2], CIE units; real_logits and
        fake_logits: float32 [B, h, w, 1], which train the discriminator;
        judged_logits: equal to fake_logits, which train the generator.

    References:
        Isola et al. (2017), https://arxiv.org/abs/1611.07004
    """

    def __init__(self, canvas=CANVAS, widths=REGIONS.widths,
                 feature_channels=REGIONS.feature_channels,
                 depth=REGIONS.depth, noise_dim=64,
                 patch_widths=(32, 64, 128), l1_weight=100.0, **kwargs):
        super().__init__(canvas, widths, feature_channels, depth, **kwargs)
        self.noise_dim = noise_dim
        self.patch_widths = tuple(patch_widths)
        self.l1_weight = l1_weight
        self.generator = _unet(
            canvas, self.widths, feature_channels, depth, noise_dim)
        self.discriminator = keras.Sequential([
            keras.Input((canvas, canvas, 3)),
            *[layers.Conv2D(width, 4, strides=2, padding="same",
                            activation="leaky_relu",
                            kernel_initializer="he_normal", name=f"patch_{i}")
              for i, width in enumerate(self.patch_widths)],
            layers.Conv2D(1, 1, name="logits", dtype="float32"),
        ], name="discriminator")
        self.built = True  # the parts made their weights when they were made

    def call(self, batch, training=False):
        luminance_norm = normalize_luminance(batch["luminance"])
        ab_hat_norm = self.generator(
            [luminance_norm, self._noise(batch, [self.noise_dim])],
            training=training)
        real = self._pair(luminance_norm, normalize_ab(batch["ab"]))
        fake = self._pair(luminance_norm, ab_hat_norm)
        # The discriminator as a constant, for the generator to learn from.
        constants = [tf.stop_gradient(v.value)
                     for v in self.discriminator.trainable_variables]
        judged, _ = self.discriminator.stateless_call(constants, [], fake)
        return {"ab_hat": denormalize_ab(ab_hat_norm),
                "real_logits": self.discriminator(real),
                "fake_logits": self.discriminator(tf.stop_gradient(fake)),
                "judged_logits": judged}

    def loss_terms(self, batch, outputs):
        mae = _mean_absolute_error(batch["ab"], outputs["ab_hat"])
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
        # Colours count as much as luminance: both about unit variance.
        return tf.concat([luminance_norm, PALETTE_SCALE * ab_norm], axis=-1)

    def get_config(self):
        return {**super().get_config(), "noise_dim": self.noise_dim,
                "patch_widths": self.patch_widths,
                "l1_weight": self.l1_weight}


def _unet(canvas, widths, feature_channels, depth, noise_dim=0):
    """`GreyNetwork`'s layout, from luminance_norm (and noise) to ab / 128."""
    x = luminance = keras.Input((canvas, canvas, 1))
    inputs, skips = luminance, []
    for i, width in enumerate(widths):
        x = conv_block(x, width, 5 if i == 0 else 3, 2, name=f"down_{i}")
        for block in range(depth if i >= 2 else 0):
            x = residual_block(x, f"down_{i}_residual_{block}")
        skips.append(x)
    if noise_dim:
        noise = keras.Input((noise_dim,))
        inputs = [luminance, noise]
        side = canvas // 16
        noise = layers.Reshape((side, side, -1), name="noise_map")(
            layers.Dense(side * side * 32, name="noise")(noise))
        x = layers.Concatenate(name="join_noise")([x, noise])
    x = conv_block(x, widths[-1], 3, name="bottleneck")
    for i in reversed(range(3)):
        x = layers.Concatenate(name=f"skip_{i}")(
            [upsample(x, f"upsample_{i}"), skips[i]])
        x = conv_block(x, widths[i], 3, name=f"up_{i}")
    x = layers.Concatenate(name="skip_luminance")(
        [upsample(x, "upsample_luminance"), luminance])
    x = conv_block(x, feature_channels, 3, name="features")
    return keras.Model(inputs, layers.Conv2D(
        2, 3, padding="same", name="ab", dtype="float32")(x))


def _mean_absolute_error(ab, ab_hat):
    """float32 [B]: |ab - ab_hat| / 128, mean over pixels and channels."""
    return tf.reduce_mean(
        tf.abs(normalize_ab(ab) - normalize_ab(ab_hat)), axis=[1, 2, 3])


def _mean_softplus(logits):
    """float32 [B]: cross-entropy of logits, mean over the patches."""
    return tf.reduce_mean(tf.nn.softplus(logits), axis=[1, 2, 3])


# --- Files -----------------------------------------------------------------

MODELS = {"cvae": ConditionalVAE, "regression": RegressionCNN,
          "cgan": ConditionalGAN}


def load(path):
    """Loads a trained baseline.

    Args:
        path: str or path of a .keras file that `training.baselines` wrote.

    Returns:
        `ConditionalVAE`, `RegressionCNN` or `ConditionalGAN`.

    Raises:
        ValueError: if there is no such file, or it is damaged or holds
            another model.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(
            f"{path}: must be a file of training.baselines (received none)")
    try:
        with zipfile.ZipFile(path) as file:
            damaged = file.testzip()  # Keras does not look at checksums
        if damaged:
            raise ValueError(f"{damaged} has a wrong checksum")
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras and HDF5 raise many kinds
        first = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(
            f"{path}: must be a whole .keras file (received: {first})"
        ) from error
    if not isinstance(model, Baseline):
        raise ValueError(
            f"{path}: must hold one of {', '.join(MODELS)} "
            f"(received {type(model).__name__})")
    return model
