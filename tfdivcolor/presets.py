"""Named configurations of networks, and the shipped weights."""

import os
from dataclasses import dataclass, replace
from typing import Any

from tfdivcolor.coloring.colorizer import PRESETS, Colorizer, preset
from tfdivcolor.models.encoder import EFFICIENTNET_LITE0
from tfdivcolor.models.grey_features import BackboneFeatures, GreyFeatures
from tfdivcolor.models.losses import MDN_VARIANCE, LossWeights
from tfdivcolor.models.mdn import LatentMDN
from tfdivcolor.models.paper import (
    NoGrey,
    PaperDecoder,
    PaperGreyEncoder,
    PaperMixtureHead,
    PaperPosterior,
)
from tfdivcolor.models.regions import (
    GreyNetwork,
    PretrainedGreyNetwork,
    RegionDecoder,
    RegionMixtureHead,
    RegionPosterior,
)
from tfdivcolor.models.storage import find, shipped
from tfdivcolor.models.vae import ColorVAE
from tfdivcolor.settings import CANVAS, DEFAULT_WEIGHTS

__all__ = [
    "PRESETS", "Colorizer", "Paper", "Photos", "Regions", "build",
    "build_vae", "find", "get", "load", "shipped",
]

# For both presets with regions.
REGION_LOSSES = LossWeights(
    l2=1.0, l1=0.01, gradient=0.1, kl=0.01, energy=1.0)


@dataclass(frozen=True)
class Regions:
    """A palette of regions, trained jointly with its mixture.

    Attributes:
        canvas: int. Side of the colour field in pixels, a multiple of 16.
            Defaults to `settings.CANVAS`, 64.
        num_regions: int M; the latent has 2M dimensions. Defaults to 32.
        widths: channels of the grey network's strided stages. Defaults to
            (32, 64, 96, 160).
        feature_channels: channels of the grey features at full resolution.
            Defaults to 32.
        depth: int. Residual blocks after each of the two coarsest stages.
            Defaults to 2.
        num_components: int K of the mixture. Defaults to 8.
        rank: int R of each component's low-rank covariance. Defaults to 6.
        dropout: float. Dropout in the mixture's network. Defaults to 0.1.
        loss_weights: `LossWeights`. Defaults to `REGION_LOSSES`.
    """

    canvas: int = CANVAS
    num_regions: int = 32
    widths: tuple = (32, 64, 96, 160)
    feature_channels: int = 32
    depth: int = 2
    num_components: int = 8
    rank: int = 6
    dropout: float = 0.1
    loss_weights: LossWeights = REGION_LOSSES

    @property
    def luminance_size(self) -> int:
        """Side of the luminance that the networks see, in pixels."""
        return self.canvas

    def vae(self) -> ColorVAE:
        return _region_vae(self, GreyNetwork(
            self.canvas, self.num_regions, self.widths,
            self.feature_channels, self.depth, name="grey_network"))

    def colorizer(self) -> Colorizer:
        return _region_colorizer(self, self.widths[-1])


@dataclass(frozen=True)
class Photos:
    """For photographs of every kind: `regions` on a pretrained encoder.

    The networks see the luminance at twice the size of the canvas.

    Attributes:
        canvas: int. Side of the colour field in pixels, a multiple of 16.
            Defaults to `settings.CANVAS`, 64.
        num_regions: int M; the latent has 2M dimensions. Defaults to 32.
        widths: channels of the decoder at strides 32, 16, 8 and 4. Defaults to
            (160, 128, 96, 64).
        feature_channels: channels of the grey features at the size of the
            canvas. Defaults to 32.
        backbone: "efficientnet_lite0" (the default), or a name in
            `keras.applications`.
        backbone_weights: "imagenet" (the default), a weights file, or None.
        frozen_taps: int. Freezes the encoder's layers up to this one of its
            five features. Defaults to 2.
        encoder_size: int or None. Side of the picture that the encoder sees,
            in pixels, a multiple of 32. A larger one tells the encoder more
            and takes longer (docs/experiments.md). Defaults to None, 2 *
            canvas.
        num_components: int K of the mixture. Defaults to 10.
        rank: int R of each component's low-rank covariance. Defaults to 6.
        width: int. Channels of a region's token. Defaults to 128.
        dropout: float. Dropout in the mixture's network. Defaults to 0.1.
        loss_weights: `LossWeights`. Defaults to `REGION_LOSSES`.
    """

    canvas: int = CANVAS
    num_regions: int = 32
    widths: tuple = (160, 128, 96, 64)
    feature_channels: int = 32
    backbone: str = EFFICIENTNET_LITE0
    backbone_weights: str | None = "imagenet"
    frozen_taps: int = 2
    encoder_size: int | None = None
    num_components: int = 10
    rank: int = 6
    width: int = 128
    dropout: float = 0.1
    loss_weights: LossWeights = REGION_LOSSES

    @property
    def luminance_size(self) -> int:
        """Side of the luminance that the networks see, in pixels."""
        return 2 * self.canvas

    def vae(self) -> ColorVAE:
        return _region_vae(self, PretrainedGreyNetwork(
            self.canvas, self.num_regions, self.widths,
            self.feature_channels, self.backbone, self.frozen_taps,
            self.backbone_weights, self.encoder_size, name="grey_network"))

    def colorizer(self) -> Colorizer:
        return _region_colorizer(
            self, self.widths[0], width=self.width, cell_tokens=True)


def _region_vae(config, grey_network):
    return ColorVAE(
        grey_network,
        RegionPosterior(config.num_regions, name="posterior"),
        RegionDecoder(config.canvas, config.num_regions,
                      config.feature_channels, name="decoder"),
        config.loss_weights, name="vae")


def _region_colorizer(config, bottleneck_channels, **head_options):
    vae = config.vae()
    side = config.canvas // 16
    head = RegionMixtureHead(
        config.num_regions, config.feature_channels + 4,
        (side, side, bottleneck_channels), config.num_components,
        config.rank, dropout=config.dropout, name="mixture_head",
        **head_options)
    mdn = LatentMDN(vae.grey_encoder, head, vae.luminance_size, name="mdn")
    return Colorizer(vae, mdn, name="colorizer")


@dataclass(frozen=True)
class Paper:
    """The published networks and losses (Deshpande et al., 2017).

    The mixture sees the grey features of our CNN, or with a backbone those of
    a classification network: "VGG16" at 28x28x512 as in the paper.

    Attributes:
        skip: bool. Whether the decoder sees the grey picture ("Ours+skip").
        canvas: int. Side of the colour field in pixels, a multiple of 16.
            Defaults to `settings.CANVAS`, 64.
        latent_dim: int d. Defaults to 64.
        num_components: int K of the mixture. Defaults to 8.
        backbone: None for our CNN (the default), or a name in
            `keras.applications`. `features.BackboneFeatures` describes this
            and the next two.
        backbone_weights: "imagenet", a weights file, or None (the default).
        backbone_layer: name of the backbone's last layer to use. Defaults to
            "block4_conv3".
        scale: standard deviation of the components, or None to learn it.
            Defaults to sqrt(0.1).
        mdn_loss: "nearest" (the paper's bound, the default) or "nll".
        loss_weights: `LossWeights`. Defaults to `LossWeights.paper()`.

    References:
        Deshpande et al. (2017), https://arxiv.org/abs/1612.01958
    """

    skip: bool
    canvas: int = CANVAS
    latent_dim: int = 64
    num_components: int = 8
    backbone: str | None = None
    backbone_weights: str | None = None
    backbone_layer: str = "block4_conv3"
    scale: float | None = MDN_VARIANCE ** 0.5
    mdn_loss: str = "nearest"
    loss_weights: LossWeights = LossWeights.paper()

    @property
    def luminance_size(self) -> int:
        """Side of the luminance that the networks see, in pixels."""
        return self.canvas

    def vae(self) -> ColorVAE:
        grey_encoder = NoGrey(name="no_grey")
        if self.skip:
            grey_encoder = PaperGreyEncoder(
                self.canvas, self.latent_dim, name="grey_encoder")
        return ColorVAE(
            grey_encoder,
            PaperPosterior(self.canvas, self.latent_dim, name="posterior"),
            PaperDecoder(self.canvas, self.latent_dim, skip=self.skip,
                         name="decoder"),
            self.loss_weights, name="vae")

    def colorizer(self) -> Colorizer:
        if self.backbone:
            features = BackboneFeatures(
                self.backbone, self.backbone_weights, self.backbone_layer,
                name="grey_features")
        else:
            features = GreyFeatures(self.canvas, name="grey_features")
        head = PaperMixtureHead(
            features.feature_shape, self.num_components, self.latent_dim,
            self.scale, name="mixture_head")
        mdn = LatentMDN(
            features, head, self.canvas, loss=self.mdn_loss, name="mdn")
        return Colorizer(
            self.vae(), mdn, stages=("vae", "mdn"), name="colorizer")


PRESETS.update({
    "photos": Photos(),
    "regions": Regions(),
    "paper": Paper(skip=False),
    "paper_skip": Paper(skip=True),
})


def get(name: str, **changes: Any) -> Photos | Regions | Paper:
    """Returns a preset's configuration, with some fields changed.

    Args:
        name: str, one of `PRESETS`.
        **changes: fields of the preset's dataclass.

    Returns:
        `Photos`, `Regions` or `Paper`; its `vae()` and `colorizer()` build new
        models.

    Raises:
        ValueError: if the preset does not exist.
    """
    return replace(preset(name), **changes)


def build(name: str, **changes: Any) -> Colorizer:
    """Builds a new, untrained `Colorizer`; arguments as in `get`."""
    return get(name, **changes).colorizer()


def build_vae(name: str, **changes: Any) -> ColorVAE:
    """Builds a new, untrained `ColorVAE`; arguments as in `get`."""
    return get(name, **changes).vae()


def load(weights: str | os.PathLike = DEFAULT_WEIGHTS) -> Colorizer:
    """Loads a trained `Colorizer`.

    Args:
        weights: str or path. A name of shipped weights, or a folder saved by
            `Colorizer.save`. Defaults to `settings.DEFAULT_WEIGHTS`.

    Returns:
        `Colorizer`.

    Raises:
        ValueError: if the weights do not exist or are incomplete.
    """
    return Colorizer.load(weights)
