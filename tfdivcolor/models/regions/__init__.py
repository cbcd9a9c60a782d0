"""The `regions` networks: a latent that the grey picture explains.

The grey network assigns every pixel softly to one of M regions; the latent z
is the regions' palette, one ab colour each (D = 2M); the decoder paints the
regions with the palette and refines the result.  Colours therefore follow
objects: a curtain or a jacket changes as a whole.  The grey network runs once
a picture; a sample costs one small matrix product and two thin convolutions.

What the grey network finds in a picture travels as a dict, `RegionGrey`.
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
