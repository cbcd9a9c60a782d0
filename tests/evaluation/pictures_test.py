"""Sets of pictures as they are measured."""

import numpy as np
import pytest
from PIL import Image
from skimage.measure import block_reduce

from tfdivcolor import data
from tfdivcolor.data import PhotoSet
from tfdivcolor.evaluation import pictures
from training import synthetic


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.write_folder(
        tmp_path_factory.mktemp("pictures"), count=30, size=40)


@pytest.fixture
def photos():
    """Seven random pictures, luminance twice the canvas, with a margin."""
    rng = np.random.default_rng(0)
    lab = rng.uniform(0, 100, [7, 40, 40, 3]).astype(np.float16)
    return PhotoSet(lab, [f"p{i}" for i in range(7)], [], canvas=16, margin=8,
                    luminance_size=32)


@pytest.mark.parametrize("size", [32, 16, 4])
def test_shrunk_is_the_mean_of_blocks(size):
    luminance = np.random.default_rng(0).uniform(
        0, 100, [3, 32, 32, 1]).astype(np.float32)
    factor = 32 // size
    np.testing.assert_allclose(
        pictures.shrunk(luminance, size),
        block_reduce(luminance, (1, factor, factor, 1), np.mean), rtol=1e-5)


@pytest.mark.parametrize("size", [24, 64])
def test_only_divisors_of_the_size(size):
    with pytest.raises(ValueError, match=f"divisor of 32.*received {size}"):
        pictures.shrunk(np.zeros([1, 32, 32, 1], np.float32), size)


def test_whole_photographs_are_squashed(tmp_path):
    # Red and blue ends, which the middle square does not reach.
    pixels = np.full([20, 80, 3], 128, np.uint8)
    pixels[:, :20], pixels[:, 60:] = (200, 40, 40), (40, 40, 200)
    Image.fromarray(pixels).save(tmp_path / "wide.png")
    [field] = pictures.load(tmp_path, 16, 32).lab
    assert field.shape == (32, 32, 3)
    assert field[16, 4, 1] > 30 and field[16, 28, 2] < -30
    assert abs(field[16, 16, 1:]).max() < 3


def test_a_prepared_folder_is_taken_as_it_is(folder, tmp_path):
    for options in ({"luminance_size": 32}, {"luminance_size": 64},
                    {"margin": 4}, {"luminance_size": 32, "margin": 8,
                                    "squash": True}):
        data.load(folder, 16, subset="train", validation_fraction=0.3,
                  cache=tmp_path, progress=False, **options)
    names = data.load(folder, 16, subset="train", validation_fraction=0.3,
                      progress=False).names

    def found(*sizes, **options):
        photos = pictures.load(tmp_path, *sizes, "train", **options)
        assert photos.names == names and isinstance(photos.lab, np.memmap)
        return photos.luminance_size, photos.margin

    assert found(16, 16) == (16, 4)
    assert found(16, 20) == (32, 8)  # squashed
    assert found(16, 32, squash=False) == (32, 0)
    assert found(16, 64) == (64, 0)
    assert len(pictures.load(tmp_path, 16, 16, "train", limit=3)) == 3
    with pytest.raises(ValueError, match="luminance of 65 pixels or more"):
        pictures.load(tmp_path, 16, 65, "train")
    with pytest.raises(ValueError, match="fields of validation pictures"):
        pictures.load(tmp_path, 16, 16, "validation")
    with pytest.raises(ValueError, match="validation_fraction must be 0.3"):
        pictures.load(tmp_path, 16, 16, "train", validation_fraction=0.1)
    assert pictures.is_prepared(tmp_path)
    assert not pictures.is_prepared(folder)
    assert not pictures.is_prepared(folder / "none")


def test_at_canvas_is_whole_pictures_shrunk(photos):
    small = pictures.at_canvas(photos, 100)
    assert small.names == photos.names and small.lab.shape == (7, 16, 16, 3)
    assert small.luminance_size == 16 and small.margin == 0
    [whole] = photos.batches(7, shuffle=False)
    for i in range(7):
        np.testing.assert_allclose(
            small.lab[i, ..., :1], block_reduce(
                whole["luminance"][i].numpy(), (2, 2, 1), np.mean), atol=0.05)
        np.testing.assert_allclose(
            small.lab[i, ..., 1:], whole["ab"][i], atol=0.05)


def test_at_canvas_takes_pictures_at_even_distances(photos, monkeypatch):
    monkeypatch.setattr(pictures, "_CHUNK", 2)
    some = pictures.at_canvas(photos, 3)
    assert some.names == ["p0", "p3", "p6"]
    every = pictures.at_canvas(photos, 7)
    np.testing.assert_array_equal(some.lab, every.lab[::3])
