"""A model and pictures small enough for tests."""

import numpy as np

TINY_REGIONS = {"canvas": 32, "num_regions": 8, "widths": (8, 12, 16, 24),
                "feature_channels": 8, "depth": 1, "num_components": 4,
                "rank": 2}
TINY_LATENT = 16  # two numbers a region
# Sees 64x64 pixels for a canvas of 32x32.
TINY_PHOTOS = {"canvas": 32, "num_regions": 8, "feature_channels": 8,
               "widths": (24, 16, 12, 8), "num_components": 4, "rank": 2,
               "width": 32}
# Of `ExportOptions`.
TINY_EXPORT = {"num_samples": 3, "max_samples": 10, "max_results": 25,
               "max_pixels": 20_000}


def random_batch(count, canvas, seed=0):
    """dict of luminance, ab and seed as `PhotoSet.batches` gives them."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(count, canvas // 8, canvas // 8, 3))
    fine = np.kron(coarse, np.ones((1, 8, 8, 1)))
    lab = fine * [20, 25, 25] + [50, 0, 0]
    lab = lab.astype(np.float32)
    return {"luminance": np.clip(lab[..., :1], 0, 100),
            "ab": lab[..., 1:],
            "seed": np.arange(count, dtype=np.int64)}
