"""Fixtures that several test files share."""

import os

# Before TensorFlow is imported: its start-up notes say nothing about a test.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest

from tfdivcolor import presets

TINY_REGIONS = {"canvas": 32, "num_regions": 8, "widths": (8, 12, 16, 24),
                "feature_channels": 8, "depth": 1, "num_components": 4,
                "rank": 2}
TINY_LATENT = 16  # two numbers a region


@pytest.fixture(scope="session")
def tiny():
    """A small untrained `regions` Colorizer; not to be changed."""
    keras.utils.set_random_seed(0)
    return presets.build("regions", **TINY_REGIONS)


@pytest.fixture
def make_tiny():
    """Makes a small untrained `regions` Colorizer of one's own."""
    def make(seed=0):
        keras.utils.set_random_seed(seed)
        return presets.build("regions", **TINY_REGIONS)
    return make


@pytest.fixture(scope="session")
def batch():
    """Five smooth random pictures on the tiny canvas."""
    return random_batch(5, 32)


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
