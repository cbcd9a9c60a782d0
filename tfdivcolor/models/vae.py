"""ColorVAE: an autoencoder with a low-dimensional latent of colour fields."""

from dataclasses import asdict
from typing import Any

import keras

from tfdivcolor import color
from tfdivcolor.color.statistics import ColorStatistics
from tfdivcolor.data import Batch
from tfdivcolor.latent import distributions
from tfdivcolor.latent.decoder import Decoder
from tfdivcolor.models import losses
from tfdivcolor.models.base import (
    LossTermsModel,
    check_canvas,
    deserialize,
    serialize,
)
from tfdivcolor.models.blocks import PACKAGE
from tfdivcolor.models.losses import LossWeights
from tfdivcolor.utils.types import Distribution, Tensor


@keras.saving.register_keras_serializable(PACKAGE)
class ColorVAE(LossTermsModel):
    """Variational autoencoder of colour fields C given the grey picture G.

    Deshpande et al. (2017), https://arxiv.org/abs/1612.01958, section 3:

        maximise E_{z ~ q(z | C, G)}[log P(C | z, G)] - KL(q || N(0, I))

    with a Gaussian posterior and decoder losses for specificity,
    colourfulness and gradients (`losses`).  Three layers form the
    architecture, so that presets differ only in these layers:

    Args:
        grey_encoder: layer, luminance_norm [B, s, s, 1] -> `grey`, which the
            other two layers use.  It runs once per picture for all samples.
            s is its `luminance_size`, or else the size c of the canvas.
        posterior: layer, (ab_norm [B, c, c, 2], grey) -> loc, scale [B, D].
        decoder: layer, (z [B, S, D], grey) -> ab_norm [B, S, c, c, 2].
        loss_weights: `LossWeights` or a dict of its fields. Defaults to
            `LossWeights.paper()`.

    Call arguments:
        batch: dict of luminance: float32 [B, s, s, 1], 0..100; ab: float32
            [B, c, c, 2], CIE units; and optionally seed: int64 [B], which
            keys the noise.
        training: bool. True decodes ab_hat from the draw z, False from the
            posterior's mean. Defaults to False.

    Returns (call):
        dict of ab_hat: float32 [B, c, c, 2], CIE units; z, loc, scale:
        float32 [B, D], with z a draw of the posterior.

    Example:
        vae = tdc.presets.build_vae("regions")
        vae.compile(optimizer="adam")
        vae.fit(photos.epochs(32), steps_per_epoch=100)
    """

    def __init__(self, grey_encoder: Any, posterior: Any, decoder: Decoder,
                 loss_weights: LossWeights | dict = LossWeights.paper(),
                 **kwargs):
        super().__init__(**kwargs)
        self.grey_encoder = grey_encoder
        self.posterior = posterior
        self.decoder = decoder
        if isinstance(loss_weights, dict):
            loss_weights = LossWeights(**loss_weights)
        self.loss_weights = loss_weights
        self.canvas = decoder.canvas
        self.luminance_size = getattr(
            grey_encoder, "luminance_size", decoder.canvas)
        self.latent_dim = decoder.latent_dim
        self._statistics = None
        self.built = True  # the parts already have their weights

    @property
    def statistics(self) -> ColorStatistics | None:
        """`ColorStatistics` of the training data, or None.

        The histogram and Mahalanobis losses need it. It is saved with the
        weights.
        """
        return self._statistics

    @statistics.setter
    def statistics(self, statistics):
        expected = self.canvas ** 2 * 2
        if statistics is not None and statistics.mean.shape != (expected,):
            raise ValueError(
                f"statistics must be of fields of {self.canvas} x "
                f"{self.canvas} pixels, {expected} numbers "
                f"(received {statistics.mean.shape[0]})")
        self._statistics = statistics

    # Statistics are not variables. Keras saves them through these two hooks.
    def save_own_variables(self, store):
        super().save_own_variables(store)
        if self._statistics is not None:
            for name, array in vars(self._statistics).items():
                store[f"statistics_{name}"] = array

    def load_own_variables(self, store):
        prefix = "statistics_"
        arrays = {name.removeprefix(prefix): store[name][()]
                  for name in store.keys() if name.startswith(prefix)}
        if arrays:
            self.statistics = ColorStatistics(**arrays)

    def encode(self, luminance: Tensor, ab: Tensor) -> Distribution:
        """Computes q(z | C, G).

        Args:
            luminance: float32 [B, s, s, 1], 0..100.
            ab: float32 [B, c, c, 2], CIE units.

        Returns:
            `tfd.Independent(tfd.Normal)`, batch shape [B], event shape [D].

        Raises:
            ValueError: if a shape does not fit the canvas.
        """
        check_canvas("luminance", luminance, self.luminance_size, 1)
        check_canvas("ab", ab, self.canvas, 2)
        grey = self.grey_encoder(color.normalize_luminance(luminance))
        loc, scale = self.posterior(color.normalize_ab(ab), grey)
        return distributions.posterior(loc, scale)

    def decode(self, z: Tensor, luminance: Tensor) -> Tensor:
        """Decodes latents to colour fields.

        Args:
            z: float32 [B, S, D]. S latents per picture.
            luminance: float32 [B, s, s, 1], 0..100.

        Returns:
            float32 [B, S, c, c, 2], ab in CIE units.

        Raises:
            ValueError: if a shape does not fit.
        """
        check_canvas("luminance", luminance, self.luminance_size, 1)
        if not z.shape.is_compatible_with([None, None, self.latent_dim]):
            raise ValueError(
                f"z must have shape [B, S, {self.latent_dim}] "
                f"(received {z.shape})")
        grey = self.grey_encoder(color.normalize_luminance(luminance))
        return color.denormalize_ab(self.decoder(z, grey))

    def call(self, batch, training=False):
        return self.autoencode(batch, training)[0]

    def autoencode(self, batch: Batch, training: bool
                   ) -> tuple[dict[str, Tensor], Any]:
        """Runs `call`, and also returns `grey`."""
        grey = self.grey_encoder(
            color.normalize_luminance(batch["luminance"]), training=training)
        loc, scale = self.posterior(
            color.normalize_ab(batch["ab"]), grey, training=training)
        z = loc + scale * self._noise(batch, [self.latent_dim])
        decoded = z if training else loc
        field = self.decoder(decoded[:, None], grey, training=training)[:, 0]
        outputs = {"ab_hat": color.denormalize_ab(field), "z": z,
                   "loc": loc, "scale": scale}
        return outputs, grey

    @property
    def term_names(self):
        return (*self.loss_weights.decoder_terms, "kl")

    def loss_terms(self, batch, outputs):
        terms = self.decoder_terms(batch["ab"], outputs["ab_hat"])
        terms["kl"] = losses.kl(
            self.posterior_distribution(outputs),
            distributions.standard_normal(self.latent_dim))
        return {**terms, "loss": self.loss_weights.total(terms)}

    def posterior_distribution(self, outputs: dict[str, Tensor]
                               ) -> Distribution:
        """Makes q(z | C, G) of the outputs of `call`, a TFP distribution."""
        return distributions.posterior(outputs["loc"], outputs["scale"])

    def decoder_terms(self, ab: Tensor, ab_hat: Tensor) -> dict[str, Tensor]:
        """Computes the decoder's loss terms with weights other than 0.

        Args:
            ab, ab_hat: float32 [B, c, c, 2], CIE units.

        Returns:
            dict from a term's name to float32 [B].

        Raises:
            ValueError: if a term needs `statistics` and they are not set.
        """
        def histogram(true, predicted):
            return losses.histogram(
                true, predicted, self._known_statistics().pixel_weights(ab))

        def mahalanobis(true, predicted):
            known = self._known_statistics()
            return losses.mahalanobis(
                true, predicted, known.components, known.stddev)

        functions = {"l2": losses.l2, "l1": losses.l1, "histogram": histogram,
                     "mahalanobis": mahalanobis, "gradient": losses.gradient}
        true, predicted = color.normalize_ab(ab), color.normalize_ab(ab_hat)
        return {name: functions[name](true, predicted)
                for name in self.loss_weights.decoder_terms}

    def _known_statistics(self):
        if self.statistics is None:
            raise ValueError(
                "the histogram and mahalanobis losses need the data's "
                "statistics: set vae.statistics = statistics.compute(data) "
                "(received None)")
        return self.statistics

    def get_config(self):
        return {**super().get_config(),
                "grey_encoder": serialize(self.grey_encoder),
                "posterior": serialize(self.posterior),
                "decoder": serialize(self.decoder),
                "loss_weights": asdict(self.loss_weights)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {name: deserialize(config.pop(name))
                 for name in ("grey_encoder", "posterior", "decoder")}
        return cls(**parts, **config)
