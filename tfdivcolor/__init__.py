"""tfdivcolor: many plausible colourings of one grey photograph.

    import tfdivcolor as tdc
    colorizer = tdc.load()
    result = colorizer.colorize("photo.jpg", num_samples=8, seed=0)
    result.images  # uint8 [8, H, W, 3], safest first

Names load on first use: importing the package does not import TensorFlow.
"""

import importlib
import os
import sys

__version__ = "0.10.0"

# TensorFlow leaves oneDNN off on processors without AVX-512 or AMX, although it
# makes these networks 1.3x faster or more.  TensorFlow reads the variable once,
# on import. A value set by the user is kept.
if "tensorflow" not in sys.modules:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# Public names, and the place of each: a module, or a module and a name in it.
_PUBLIC = {
    "ColorStatistics": "color.statistics:ColorStatistics",
    "ColorVAE": "models.vae:ColorVAE",
    # From `presets`, which knows the presets and registers every class.
    "Colorizer": "presets:Colorizer",
    "Hint": "settings:Hint",
    "LatentMDN": "models.mdn:LatentMDN",
    "RandomRecolor": "coloring.random_recolor:RandomRecolor",
    "baselines": "evaluation.baselines",
    "color": "color",
    "comparison": "evaluation.bench",
    "data": "data",
    "distributions": "latent.distributions",
    "evaluation": "evaluation",
    "export": "export",
    "features": "models.grey_features",
    "figures": "evaluation.figures",
    "floors": "evaluation.floors",
    "images": "images",
    "likelihood": "evaluation.likelihood",
    "load": "presets:load",
    "losses": "models.losses",
    "metrics": "evaluation.metrics",
    "plots": "plots",
    "presets": "presets",
    "realism": "evaluation.two_sample",
    "seeds": "latent.seeds",
    "servable": "export.saved_model",
    "settings": "settings",
    "statistics": "color.statistics",
}

# __getattr__ provides the names, which pyright cannot know.
__all__ = [
    "__version__", *_PUBLIC]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name):
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tfdivcolor' has no attribute {name!r}")
    module, _, member = _PUBLIC[name].partition(":")
    found = importlib.import_module(f"tfdivcolor.{module}")
    return getattr(found, member) if member else found


def __dir__():
    return sorted(__all__)
