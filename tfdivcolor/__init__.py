"""tfdivcolor: many plausible colourings of one grey photograph.

    import tfdivcolor as tdc
    colorizer = tdc.load("lfw")
    result = colorizer.colorize("photo.jpg", num_samples=8, seed=0)
    result.images  # uint8 [8, H, W, 3], most probable first

Names load on first use: importing the package does not import TensorFlow.
"""

import importlib
import os
import sys

__version__ = "0.5.0"

# TensorFlow leaves oneDNN off on processors without AVX-512 or AMX, where it
# makes these networks 1.3x faster or more.  It reads the variable once, on
# import; what the user has set stands.
if "tensorflow" not in sys.modules:
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_MODULES = frozenset({
    "baselines", "color", "comparison", "data", "distributions", "evaluation",
    "export", "features", "figures", "floors", "images", "likelihood",
    "losses", "metrics", "plots", "presets", "realism", "seeds", "servable",
    "statistics",
})
_NAMES = {
    "ColorStatistics": "statistics",
    "ColorVAE": "vae",
    "Colorizer": "colorizer",
    "Hint": "hints",
    "LatentMDN": "mdn",
    "RandomRecolor": "recolor",
    "load": "presets",
}

__all__ = ["__version__", *sorted(_MODULES), *sorted(_NAMES)]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"tfdivcolor.{name}")
    if name in _NAMES:
        module = importlib.import_module(f"tfdivcolor.{_NAMES[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'tfdivcolor' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
