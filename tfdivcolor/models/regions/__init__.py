"""The networks of `regions`, with a latent that the grey picture explains.

The grey network assigns every pixel softly to one of M regions. The latent z is
the palette of the regions, one ab colour each (D = 2M). The decoder paints the
regions with the palette and refines the painting.  Colours therefore follow
objects: a curtain or a jacket changes as a whole.  The grey network runs once
per picture; a sample costs one small matrix product and two thin convolutions.

A dict, `RegionGrey`, holds the output of the grey network for a picture.
"""

from tfdivcolor.models.regions.decoder import RegionDecoder
from tfdivcolor.models.regions.grey_network import (
    RIDGE,
    GreyNetwork,
    RegionGrey,
)
from tfdivcolor.models.regions.mixture_head import (
    RegionEmbedding,
    RegionMixtureHead,
)
from tfdivcolor.models.regions.posterior import PALETTE_SCALE, RegionPosterior
from tfdivcolor.models.regions.pretrained_network import PretrainedGreyNetwork

__all__ = [
    "PALETTE_SCALE", "RIDGE", "GreyNetwork", "PretrainedGreyNetwork",
    "RegionDecoder", "RegionEmbedding", "RegionGrey", "RegionMixtureHead",
    "RegionPosterior",
]
