"""Baselines: models with the same data and sizes, but without the mixture.

    cvae        Deshpande et al. (2017): z ~ N(0, I) instead of P(z | G)
    regression  one result per picture, least absolute error
    cgan        Isola et al. (2017), pix2pix: U-Net with noise, patch critic

They share canvas, grey network (or its layout) and training data with
`regions`, so that differences in the table come from the method.
`training.baselines` trains them; `load` reads its files.
"""

from tfdivcolor.evaluation.baselines.base import REGIONS, Baseline
from tfdivcolor.evaluation.baselines.cgan import ConditionalGAN
from tfdivcolor.evaluation.baselines.cvae import (
    ClusteredPrior,
    CodeDecoder,
    CodePosterior,
    ConditionalVAE,
)
from tfdivcolor.evaluation.baselines.files import MODELS, load
from tfdivcolor.evaluation.baselines.regression import RegressionCNN

__all__ = [
    "MODELS", "REGIONS", "Baseline", "ClusteredPrior", "CodeDecoder",
    "CodePosterior", "ConditionalGAN", "ConditionalVAE", "RegressionCNN",
    "load",
]
