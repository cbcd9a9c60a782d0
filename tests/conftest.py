"""Fixtures that several test files share."""

import os

# Before TensorFlow is imported: its start-up notes say nothing about a test.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny import TINY_PHOTOS, TINY_REGIONS, random_batch

from tfdivcolor import export, presets
from tfdivcolor.settings import ExportOptions

# As the command has it (`in_order` of `cli.common.start_tensorflow`): otherwise
# the same call does not always give the same bytes.
tf.config.threading.set_inter_op_parallelism_threads(1)


@pytest.fixture(scope="session", autouse=True)
def graphs_of_the_tests(tmp_path_factory):
    """A folder for stored graphs, shared by pytest's processes."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDIVCOLOR_CACHE", str(place / "graphs"))
        yield


@pytest.fixture(scope="session")
def tiny():
    """A small untrained `regions` Colorizer; not to be changed."""
    keras.utils.set_random_seed(0)
    yield from _unchanged(presets.build("regions", **TINY_REGIONS))


def _unchanged(colorizer):
    """Yields a model that tests share; an error at the end if one changed."""
    before = [np.array(weight) for weight in colorizer.weights]
    yield colorizer
    changed = [weight.path for weight, value in zip(colorizer.weights, before)
               if not np.array_equal(weight, value)]
    assert not changed, f"a test changed the shared model: {changed[:3]}"


@pytest.fixture(scope="session")
def tiny_photos():
    """A small `photos` Colorizer on its trained encoder; not to be changed.

    Its luminance has twice the side of its canvas.
    """
    keras.utils.set_random_seed(0)
    yield from _unchanged(presets.build("photos", **TINY_PHOTOS))


@pytest.fixture(scope="session")
def photos_version(tiny_photos, tmp_path_factory):
    """Folder of an exported version of `tiny_photos`; takes half a minute."""
    return export.save(
        tmp_path_factory.mktemp("photos") / "tfdivcolor", tiny_photos,
        options=ExportOptions(num_samples=3, max_results=50))


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
