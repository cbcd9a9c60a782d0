"""LatentMDN: a mixture density network for P(z | grey)."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.latent import distributions
from tfdivcolor.latent.distributions import MixtureParameters
from tfdivcolor.models import losses
from tfdivcolor.models.base import (
    LossTermsModel,
    check_canvas,
    deserialize,
    serialize,
)
from tfdivcolor.models.blocks import PACKAGE
from tfdivcolor.utils.types import Distribution

LOSSES = ("nll", "nearest")


@keras.saving.register_keras_serializable(PACKAGE)
class LatentMDN(LossTermsModel):
    """P(z | G), trained on the posteriors of a frozen `ColorVAE`.

    Deshpande et al. (2017), section 3.2 (after Bishop 1994).

    Args:
        features: layer, luminance_norm [B, c, c, 1] -> grey features. In the
            default preset this is the VAE's grey network.
        head: layer, grey features -> MixtureParameters (`distributions`).
        canvas: int. Side of the luminance in pixels. Defaults to 64.
        loss: "nll" (the default), the exact negative log-likelihood, or
            "nearest", the paper's closest-component bound with variance 0.1.

    Call arguments:
        luminance: float32 [B, s, s, 1], 0..100, or a batch dict with it.
        training: bool.

    Returns (call):
        MixtureParameters.

    Raises:
        ValueError: if `loss` is neither of these.

    Example:
        mdn = colorizer.mdn
        mdn.compile(optimizer="adam")
        mdn.fit(photos.epochs(32).map(colorizer.posteriors),
                steps_per_epoch=100)
        mdn.distribution(mdn(luminance)).sample(8)
    """

    def __init__(self, features: Any, head: Any, canvas: int = 64,
                 loss: str = "nll", **kwargs):
        super().__init__(**kwargs)
        if loss not in LOSSES:
            raise ValueError(
                f"loss must be one of {', '.join(LOSSES)} (received {loss!r})")
        self.features = features
        self.head = head
        self.canvas = canvas
        self.mdn_loss = loss
        self.built = True  # the parts already have their weights

    def call(self, luminance, training=False):
        if isinstance(luminance, dict):
            luminance = luminance["luminance"]
        check_canvas("luminance", luminance, self.canvas, 1)
        grey = self.features(
            color.normalize_luminance(luminance), training=training)
        return self.head(grey, training=training)

    def predict(self, x, *args, **options):
        # The luminance may come without a dict, and needs no posterior.
        if isinstance(x, np.ndarray | tf.Tensor):
            check_canvas("predict: luminance", x, self.canvas, 1)
        with self.scope():
            return keras.Model.predict(self, x, *args, **options)

    def distribution(self, params: MixtureParameters) -> Distribution:
        """Makes a `tfd.MixtureSameFamily` over z of MixtureParameters."""
        return distributions.mixture(params)

    @property
    def batch_shapes(self):
        return {"luminance": (self.canvas, self.canvas, 1),
                "loc": (None,), "scale": (None,)}

    @property
    def term_names(self):
        return ("mdn_nll" if self.mdn_loss == "nll" else "mdn_nearest_loss",)

    def loss_terms(self, batch, outputs):
        """Computes the loss at a draw of the frozen posterior.

        Args:
            batch: dict of luminance, and loc, scale: float32 [B, D], the
                posterior's parameters (`Colorizer.posteriors`); optionally
                seed: int64 [B], which keys the draw.
            outputs: MixtureParameters.

        Returns:
            dict of mdn_nll or mdn_nearest_loss, and loss: float32 [B].
        """
        loc, scale = batch["loc"], batch["scale"]
        z = loc + scale * self._noise(batch, [loc.shape[-1]])
        if self.mdn_loss == "nll":
            loss = losses.mdn_nll(self.distribution(outputs), z)
        else:
            loss = losses.mdn_nearest_loss(outputs, z)
        return {**dict.fromkeys(self.term_names, loss), "loss": loss}

    def get_config(self):
        return {**super().get_config(),
                "features": serialize(self.features),
                "head": serialize(self.head), "canvas": self.canvas,
                "loss": self.mdn_loss}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        parts = {name: deserialize(config.pop(name))
                 for name in ("features", "head")}
        return cls(**parts, **config)
