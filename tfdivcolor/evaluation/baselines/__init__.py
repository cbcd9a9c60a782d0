"""Baselines: the same pictures and sizes, without the mixture.

    cvae        Deshpande et al. (2017): z ~ N(0, I) instead of P(z | G)
    regression  one answer a picture, least absolute error
    cgan        Isola et al. (2017), pix2pix: U-Net with noise, patch critic

They share `regions`' canvas, grey network (or its layout) and training data,
so that a difference in the evaluation's table is one of the method.
`training.baselines` trains them; `load` reads what it wrote.
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
