"""FrozenColorizer: the colours of a Colorizer, without loading it."""

import numpy as np
import pytest

from tfdivcolor import images
from tfdivcolor.coloring import coloring, drawing
from tfdivcolor.coloring.frozen import FrozenColorizer
from tfdivcolor.graphs import stored
from tfdivcolor.models import storage
from tfdivcolor.settings import Hint, Sampling, Steering

HINTS = (Hint(3, 4, (200, 60, 40)), Hint(30, 14, (20, 60, 140)))


@pytest.fixture(scope="module")
def folder(tiny_photos, tmp_path_factory):
    path = tmp_path_factory.mktemp("frozen") / "weights"
    tiny_photos.save(path)
    return path


@pytest.fixture(scope="module", autouse=True)
def empty_store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(stored.VARIABLE, str(tmp_path_factory.mktemp("graphs")))
        yield


@pytest.fixture(scope="module")
def photo():
    return images.read(np.random.default_rng(0).integers(
        0, 255, [40, 50, 3]).astype(np.uint8))


def never(*_):
    raise AssertionError("the Keras model must not load")


@pytest.mark.parametrize("steering", [
    Steering(saturation=1.3), pytest.param(
        Steering(HINTS, keep=1, warmth=2.0), marks=pytest.mark.slow)])
def test_the_colours_of_the_colorizer_and_then_without_it(
        tiny_photos, folder, photo, steering, monkeypatch):
    options = Sampling(3, seed=5)
    expected = coloring.colorize(tiny_photos, photo, options, steering)
    first = coloring.colorize(
        FrozenColorizer(folder), photo, options, steering)
    monkeypatch.setattr(storage, "load", never)
    later = coloring.colorize(
        FrozenColorizer(folder), photo, options, steering)
    for name in ("ab", "latents", "share", "hints_after"):
        value = getattr(first, name)
        np.testing.assert_allclose(value, getattr(expected, name),
                                   rtol=1e-3, atol=5e-3, err_msg=name)
        assert value.tobytes() == getattr(later, name).tobytes()
    assert later.images.tobytes() == first.images.tobytes()


def test_given_latents_and_pools(tiny_photos, folder):
    small = np.full([tiny_photos.luminance_size] * 2 + [1], 40, np.float32)
    frozen = FrozenColorizer(folder)
    z = np.random.default_rng(1).normal(
        0, 0.1, [2, frozen.latent_dim]).astype(np.float32)
    for function, arguments in (
            (drawing.decode, (z, 1.2)),
            (drawing.pool, ((9, 9), np.zeros([0, 1]), Sampling(), Steering(),
                            4))):
        found, expected = (function(model, small, *arguments)
                           for model in (frozen, tiny_photos))
        if isinstance(found, dict):
            found, expected = found["ab"], expected["ab"]
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_facts_of_the_model(tiny_photos, folder):
    frozen = FrozenColorizer(folder)
    for name in ("canvas", "luminance_size", "latent_dim", "num_components",
                 "has_regions"):
        assert getattr(frozen, name) == getattr(tiny_photos, name)
    with pytest.raises(ValueError, match="number of components"):
        drawing.check(
            frozen, Sampling(99, mode="components"), Steering())


def test_changed_weights_are_refused(tiny_photos, folder, tmp_path):
    tiny_photos.save(tmp_path / "w")
    weights = tmp_path / "w" / storage.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ValueError, match="checksum must be"):
        FrozenColorizer(tmp_path / "w")
    weights.unlink()
    with pytest.raises(ValueError, match="must hold model.weights.h5"):
        FrozenColorizer(tmp_path / "w")
    with pytest.raises(ValueError, match="must be a saved Colorizer"):
        FrozenColorizer(tmp_path)
