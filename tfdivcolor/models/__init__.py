"""The Keras models: layers, losses, and saving."""

# These imports register the classes with Keras, so that saved models load.
from tfdivcolor.models import grey_features, mdn, paper, regions, vae

__all__ = ["grey_features", "mdn", "paper", "regions", "vae"]
