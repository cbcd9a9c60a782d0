"""The Keras models: their layers, losses, and how they are saved."""

# Registers their classes with Keras, so that saved models load.
from tfdivcolor.models import grey_features, mdn, paper, regions, vae

__all__ = ["grey_features", "mdn", "paper", "regions", "vae"]
