"""The baselines, small enough for tests."""

import keras

from tfdivcolor.evaluation import baselines

TINY = {"canvas": 32, "widths": (8, 12, 16, 24), "feature_channels": 8}
OWN = {"cvae": {"num_regions": 8, "latent_dim": 6, "depth": 0},
       "regression": {"depth": 1},
       "cgan": {"noise_dim": 5, "patch_widths": (4, 6), "depth": 0}}
MODELS = dict(baselines.MODELS)
NAMES = list(MODELS)


def build(name, seed=0):
    keras.utils.set_random_seed(seed)
    return MODELS[name](**TINY, **OWN[name])
