"""JointModel: a ColorVAE and its LatentMDN, trained and sampled together."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, cast

import keras
import tensorflow as tf

from tfdivcolor.color import (
    denormalize_ab,
    normalize_ab,
    normalize_luminance,
    statistics,
)
from tfdivcolor.data import Augmentation, Batch, PhotoSet, batches
from tfdivcolor.graphs.traced import Graphs
from tfdivcolor.latent import distributions, sampling, seeds
from tfdivcolor.latent.decoder import MeasuringDecoder
from tfdivcolor.latent.distributions import MixtureParameters
from tfdivcolor.models import losses
from tfdivcolor.models.base import (
    LossTermsModel,
    check_canvas,
    deserialize,
    picture_seeds,
    serialize,
)
from tfdivcolor.models.mdn import LatentMDN
from tfdivcolor.models.optimizers import EncoderAdam
from tfdivcolor.models.vae import ColorVAE
from tfdivcolor.settings import DEFAULTS, Sampling
from tfdivcolor.utils.arguments import check_number, check_whole
from tfdivcolor.utils.types import Distribution, Tensor

STAGES = ("joint", "vae", "mdn")


class JointModel(LossTermsModel):
    """The joint stage as a Keras model: the mixture is the VAE's prior.

        loss = decoder terms + w_kl (log q(z | C, G) - log p(z | G))
               + w_energy energy score of p(z | G).

    Pictures here have the size of the canvas; `Colorizer` adds photographs.

    Args:
        vae: `ColorVAE`.
        mdn: `LatentMDN`. If its features are the VAE's grey encoder, the
            encoder runs once for both.
        stages: tuple of str. The stages that `fit` runs by default. Defaults
            to ("joint",).

    Raises:
        ValueError: if the loss has an energy term and the decoder lacks
            `coordinates`.
    """

    def __init__(self, vae: ColorVAE, mdn: LatentMDN,
                 stages: Sequence[str] = ("joint",), **kwargs):
        super().__init__(**kwargs)
        self.vae = vae
        self.mdn = mdn
        self.stages = tuple(stages)
        self.canvas = vae.canvas
        self.luminance_size = vae.luminance_size
        self.latent_dim = vae.latent_dim
        if vae.loss_weights.energy and not isinstance(
                vae.decoder, MeasuringDecoder):
            raise ValueError(
                "the energy loss needs a decoder with coordinates, such as the "
                f"decoder of regions (received {type(vae.decoder).__name__})")
        self.built = True  # the parts already have their weights
        self._make_graphs()

    @property
    def shares_grey(self) -> bool:
        """Whether VAE and MDN share one network for the grey picture."""
        return self.mdn.features is self.vae.grey_encoder

    @property
    def num_components(self) -> int:
        """Number K of components in the mixture."""
        return self.mdn.head.num_components

    @property
    def has_regions(self) -> bool:
        """Whether a latent is the palette of the picture's regions."""
        return self.vae.decoder.latent_is_palette

    # --- The joint stage ---------------------------------------------------

    def call(self, batch, training=False):
        """Autoencodes a batch and predicts its mixture.

        Args:
            batch: dict, as in `ColorVAE`.
            training: bool. Defaults to False.

        Returns:
            the outputs of `ColorVAE`, params: MixtureParameters, and grey: the
            output of the grey encoder.
        """
        outputs, grey = self.vae.autoencode(batch, training)
        if self.shares_grey:
            params = self.mdn.head(grey, training=training)
        else:
            params = self.mdn(batch["luminance"], training=training)
        return {**outputs, "params": params, "grey": grey}

    @property
    def term_names(self):
        energy = ("energy",) if self.vae.loss_weights.energy else ()
        return (*self.vae.term_names, *energy)

    def loss_terms(self, batch, outputs):
        terms = self.vae.decoder_terms(batch["ab"], outputs["ab_hat"])
        posterior = self.vae.posterior_distribution(outputs)
        terms["kl"] = losses.kl_to_mixture(
            posterior, self.mdn.distribution(outputs["params"]), outputs["z"])
        if self.vae.loss_weights.energy:
            terms["energy"] = self._energy(batch, outputs)
        return {**terms, "loss": self.vae.loss_weights.total(terms)}

    def _energy(self, batch, outputs):
        """Energy score of the mixture, in the space of painted fields."""
        params = outputs["params"]
        components, latent_dim = params["locs"].shape[1:]
        rank = params["factors"].shape[-1] if "factors" in params else 0
        draws = distributions.component_draws(params, self._noise(
            batch, [2, components, latent_dim + rank],
            seeds.COMPONENT_DRAWS))
        decoder = cast(MeasuringDecoder, self.vae.decoder)
        draws, truth, distance = decoder.coordinates(
            tf.reshape(draws, [-1, 2 * components, latent_dim]),
            normalize_ab(batch["ab"]), outputs["grey"])
        return losses.energy_score(
            tf.reshape(draws, [-1, 2, components, latent_dim]),
            tf.nn.softmax(params["mixture_logits"]), truth, distance)

    def posteriors(self, batch: Batch) -> dict[str, Tensor]:
        """Converts a batch of pictures to a batch for `LatentMDN.fit`.

        Args:
            batch: dict of luminance, ab and optionally seed.

        Returns:
            dict of luminance, loc, scale, and seed if the batch has it.
        """
        outputs = self.vae(batch, training=False)
        kept = {name: value for name, value in batch.items()
                if name in ("luminance", "seed")}
        return {**kept, "loc": outputs["loc"], "scale": outputs["scale"]}

    def fit(self, data: PhotoSet | tf.data.Dataset, stage: str | None = None,
            epochs: int = 1, batch_size: int = 32, seed: int = 0,
            learning_rate: float = 1e-3,
            validation_data: PhotoSet | tf.data.Dataset | None = None,
            augment: Augmentation = Augmentation(),
            **options) -> keras.callbacks.History:
        """Trains with Keras.

        Args:
            data: `PhotoSet`, which is augmented and shuffled by `seed`; or
                `tf.data.Dataset` of batch dicts (luminance, ab, seed), as
                from `PhotoSet.batches`, which is used unchanged.
            stage: "joint", "vae", "mdn" (on posteriors of the frozen VAE), or
                None (the default) for the stages of the preset in turn.
            epochs: int. Epochs of each stage. Defaults to 1.
            batch_size: int. For a `PhotoSet`. Defaults to 32.
            seed: int. For a `PhotoSet`: order, augmentation, noise. Defaults
                to 0.
            learning_rate: float. For Adam, unless the stage's model (this
                one, `vae` or `mdn`) is already compiled. A pretrained encoder
                gets a quarter of it (`optimizers.EncoderAdam`). Defaults to
                1e-3.
            validation_data: `PhotoSet`, `tf.data.Dataset` or None (default).
            augment: `data.Augmentation`. For a `PhotoSet`.
            **options: passed to Keras' `fit` (callbacks, verbose, ...).

        Returns:
            the `keras.callbacks.History` of the last stage.

        Raises:
            ValueError: if the stage is unknown, if the data have another type,
                or if the call is within a strategy's scope and the model is
                not.
        """
        stages = self.stages if stage is None else (stage,)
        for name in stages:
            if name not in STAGES:
                raise ValueError(
                    f"stage must be one of {', '.join(STAGES)} "
                    f"(received {name!r})")
        check_whole("epochs", epochs, 0)
        if isinstance(learning_rate, float | int):
            check_number("learning_rate", learning_rate, 0)
        options.setdefault("shuffle", False)  # avoids a warning of Keras
        with self.scope():
            if isinstance(data, PhotoSet):
                self.prepare(data)
                options.setdefault(
                    "steps_per_epoch", data.steps_per_epoch(batch_size))
                data = data.epochs(batch_size, seed=seed, augment=augment)
            if isinstance(validation_data, PhotoSet):
                validation_data = validation_data.batches(
                    batch_size, shuffle=False, drop_remainder=False)
            shapes = self.batch_shapes
            batches.check("fit: data", data, shapes, or_photos=True)
            if validation_data is not None:
                batches.check("fit: validation_data", validation_data, shapes,
                              or_photos=True)
            for name in stages:
                with self.training_stage(name) as (model, adapt):
                    if not model.compiled:
                        model.compile(optimizer=EncoderAdam(
                            learning_rate, global_clipnorm=20.0))
                    fit = super().fit if model is self else model.fit
                    history = fit(
                        adapt(data), epochs=epochs,
                        validation_data=adapt(validation_data), **options)
        return history

    def prepare(self, photos: PhotoSet) -> None:
        """Computes the statistics of the data if the losses need them.

        Args:
            photos: `PhotoSet`. The training data.
        """
        if (self.vae.loss_weights.needs_statistics
                and self.vae.statistics is None):
            self.vae.statistics = statistics.compute(photos)

    @contextlib.contextmanager
    def training_stage(self, stage: str
                       ) -> Iterator[tuple[LossTermsModel, Callable]]:
        """Prepares the training of a stage.

        Within the context the weights of other stages are frozen, and their
        batch norm uses its moving statistics.

        Args:
            stage: one of `STAGES`.

        Yields:
            model: `LossTermsModel` that the stage trains.
            adapt: function from a dataset of pictures (or None) to a dataset
                for the model (or None).

        Raises:
            ValueError: if the Colorizer is frozen.
        """
        if not self.trainable:
            raise ValueError("a Colorizer must be trainable to be trained; "
                             "load it again (received a frozen one)")
        if stage == "mdn":
            before = self.vae.trainable
            self.vae.trainable = False
            try:
                yield self.mdn, lambda data: (
                    None if data is None else data.map(self.posteriors))
            finally:
                self.vae.trainable = before
        else:
            yield self if stage == "joint" else self.vae, lambda data: data

    # --- Sampling ----------------------------------------------------------

    def prior(self, luminance: Tensor) -> Distribution:
        """Computes P(z | grey).

        Args:
            luminance: float32 [B, s, s, 1], 0..100.

        Returns:
            `tfd.MixtureSameFamily`, batch shape [B], event shape [D].
        """
        return self.mdn.distribution(self.mdn(luminance))

    def sample(self, luminance: Tensor,
               num_samples: int = DEFAULTS.num_samples,
               seed: int | Sequence[int] = DEFAULTS.seed,
               temperature: float = DEFAULTS.temperature,
               mode: str = DEFAULTS.mode) -> dict[str, Tensor]:
        """Samples colour fields on the canvas.

        The results of a picture depend only on its luminance and seed, not on
        the other pictures of the batch.

        Args:
            luminance: float32 [B, s, s, 1], 0..100.
            num_samples: int S, 1 to `settings.MAX_SAMPLES`; at most the
                number of components with mode "components". Defaults to
                `settings.DEFAULTS.num_samples`.
            seed: int for all pictures, or int64 [B]. This and the next two
                default to those of `settings.DEFAULTS`.
            temperature: float, 0 or more.
            mode: one of `settings.MODES`.

        Returns:
            dict of ab: float32 [B, S, canvas, canvas, 2], CIE units, and the
            Latents of `sampling`: z, log_prob, component, weight, share.

        Raises:
            ValueError: if an argument is outside its range or shape.
        """
        luminance = tf.convert_to_tensor(luminance, tf.float32)
        check_canvas("luminance", luminance, self.luminance_size, 1)
        Sampling(num_samples, temperature=temperature,
                 mode=mode).check(self.num_components)
        return self.sample_fields(
            luminance, picture_seeds(seed, luminance.shape[0]),
            tf.constant(temperature, tf.float32),
            tf.constant(num_samples, tf.int32), mode)

    def sample_fields(self, luminance: Tensor, seed: Tensor | seeds.Given,
                      temperature: Tensor, num_samples: Tensor,
                      mode: str) -> dict[str, Tensor]:
        """Samples in TensorFlow: for Python, command line and exports.

        Args:
            luminance: float32 [B, s, s, 1], 0..100.
            seed: int64 [B], or `seeds.Given` in a graph of the caller's.
            temperature: float32 scalar or [B].
            num_samples: int32 scalar.
            mode: str.

        Returns:
            as in `sample`.
        """
        grey, params = self.look(luminance)
        chosen = sampling.latents(
            params, self.vae.decoder.sensitivity(grey), seed, num_samples,
            temperature, mode, self.has_regions)
        field = self.vae.decoder(chosen["z"], grey, training=False)
        return {"ab": denormalize_ab(field), **chosen}

    def freeze(self) -> Self:
        """Turns the weights into constants, which makes `sample` faster.

        For programs that only colourise; see `Graphs`. Later assignments
        to weights have no effect, and training raises an error.

        Returns:
            this Colorizer: `colorizer = tdc.load().freeze()`.
        """
        self._make_graphs(frozen=True)
        self.trainable = False
        return self

    def _make_graphs(self, frozen=False):
        self.graphs = Graphs(self, frozen)
        self.sample_fields = self.graphs.trace(type(self).sample_fields)

    def look(self, luminance: Tensor) -> tuple[Any, MixtureParameters]:
        """Runs the networks on grey pictures.

        Args:
            luminance: float32 [B, s, s, 1], 0..100.

        Returns:
            grey: output of the grey encoder, for the decoder.
            params: MixtureParameters of P(z | grey).
        """
        luminance_norm = normalize_luminance(luminance)
        grey = self.vae.grey_encoder(luminance_norm, training=False)
        features = grey if self.shares_grey else self.mdn.features(
            luminance_norm, training=False)
        return grey, self.mdn.head(features, training=False)

    def get_config(self):
        mdn = self.mdn
        return {**super().get_config(), "vae": serialize(self.vae),
                "features": None if self.shares_grey else serialize(
                    mdn.features),
                "head": serialize(mdn.head), "mdn_loss": mdn.mdn_loss,
                "stages": self.stages}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        vae = deserialize(config.pop("vae"))
        features = config.pop("features")
        features = deserialize(features) if features else vae.grey_encoder
        mdn = LatentMDN(features, deserialize(config.pop("head")),
                        canvas=vae.luminance_size, loss=config.pop("mdn_loss"))
        return cls(vae, mdn, **config)
