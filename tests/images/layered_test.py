"""PSD files, read back by psd-tools and by Pillow."""

import io
import sys

import numpy as np
import psd_tools
import pytest
import skimage.color
import skimage.data
from hypothesis import given, settings, strategies as st
from PIL import Image
from psd_tools.constants import BlendMode, Resource

from tfdivcolor.images import ImageError
from tfdivcolor.images.encoding import layered
from tfdivcolor.images.profiles import SRGB


def pictures(height=30, width=41, seed=0, dtype=np.uint8):
    """A grey and a coloured one, of noise."""
    rng = np.random.default_rng(seed)
    most = np.iinfo(dtype).max
    grey = rng.integers(0, most, (height, width, 1), dtype, endpoint=True)
    colored = rng.integers(0, most, (height, width, 3), dtype, endpoint=True)
    return np.repeat(grey, 3, axis=-1), colored


def read(data):
    return psd_tools.PSDImage.open(io.BytesIO(data))


def values_of(layer):
    """Its channels as stored: uint8 [H, W, C]."""
    return np.round(255 * layer.numpy()).astype(np.uint8)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_grey_below_and_colour_above(height, width, seed):
    grey, colored = pictures(height, width, seed)
    file = read(layered.encode(grey, colored))
    assert (file.width, file.height, file.depth) == (width, height, 8)
    below, above = file  # from the bottom upwards
    assert (below.name, below.blend_mode) == ("Grey", BlendMode.NORMAL)
    assert (above.name, above.blend_mode) == ("Colour", BlendMode.COLOR)
    assert below.visible and above.visible and not above.clipping
    for layer, pixels in ((below, grey), (above, colored)):
        assert layer.opacity == 255
        assert layer.bbox == (0, 0, width, height)
        np.testing.assert_array_equal(values_of(layer)[..., :3], pixels)
        assert (values_of(layer)[..., 3:] == 255).all()
    # What programs without layers show.
    with Image.open(io.BytesIO(layered.encode(grey, colored))) as image:
        np.testing.assert_array_equal(np.asarray(image), colored)


def test_16_bits_are_rounded_to_8():
    grey, colored = pictures(dtype=np.uint16)
    alpha = colored[..., 0]
    below, above = read(layered.encode(grey, colored, alpha))
    for layer, pixels in ((below, grey), (above, colored)):
        expected = np.round(np.dstack([pixels, alpha]) / 257)
        np.testing.assert_array_equal(values_of(layer), expected)


def test_opacity():
    grey, colored = pictures()
    alpha = np.random.default_rng(1).integers(0, 256, (30, 41), np.uint8)
    data = layered.encode(grey, colored, alpha)
    below, above = read(data)
    for layer in (below, above):
        np.testing.assert_array_equal(values_of(layer)[..., 3], alpha)
    assert above.clipping  # bound to the one below
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGBA"
        whole = np.asarray(image).astype(float)
    np.testing.assert_array_equal(whole[..., 3], alpha)
    share = alpha[..., None] / 255
    # As Photoshop has it: on white.
    np.testing.assert_allclose(
        whole[..., :3], share * colored + (1 - share) * 255, atol=0.51)


def test_profile_resolution_and_exif():
    exif = Image.Exif()
    exif[0x010E] = "a kitchen"
    block = exif.tobytes()
    assert block.startswith(b"Exif\0\0")
    data = layered.encode(*pictures(), dpi=(300, 150.5), exif=block)
    resources = read(data).image_resources
    assert resources.get_data(Resource.ICC_PROFILE) == SRGB
    found = Image.Exif()
    found.load(resources.get_data(Resource.EXIF_DATA_1))
    assert found[0x010E] == "a kitchen"
    resolution = resources.get_data(Resource.RESOLUTION_INFO)
    assert resolution.horizontal / 65536 == 300
    assert resolution.vertical / 65536 == 150.5
    assert (resolution.horizontal_unit, resolution.vertical_unit) == (1, 1)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == SRGB
    bare = read(layered.encode(*pictures())).image_resources
    assert Resource.RESOLUTION_INFO not in bare
    assert Resource.EXIF_DATA_1 not in bare


def test_an_editor_shows_about_the_colouring():
    """By the formula of PDF and the W3C, which Photoshop's mode follows."""
    colored = skimage.data.astronaut()[::4, ::4]
    lab = skimage.color.rgb2lab(colored)
    lab[..., 1:] *= 0.5  # about as strong as colourings are
    colored = np.uint8(np.round(255 * skimage.color.lab2rgb(lab)))
    lab[..., 1:] = 0
    grey = np.uint8(np.round(255 * skimage.color.lab2rgb(lab)))
    below, above = (values_of(layer)[..., :3] / 255
                    for layer in read(layered.encode(grey, colored)))
    brightness = np.array([0.3, 0.59, 0.11])
    shown = above + ((below - above) @ brightness)[..., None]
    difference = (skimage.color.rgb2lab(np.clip(shown, 0, 1))
                  - skimage.color.rgb2lab(colored))
    assert np.abs(difference[..., 0]).mean() < 1
    assert np.linalg.norm(difference[..., 1:], axis=-1).mean() < 1


def test_the_same_bytes_again():
    grey, colored = pictures()
    assert layered.encode(grey, colored) == layered.encode(grey, colored)


def test_long_sides_are_refused():
    long = np.zeros((1, 30_001, 3), np.uint8)
    with pytest.raises(ImageError, match="sides of at most 30,000 pixels to "
                                         "be written as PSD"):
        layered.encode(long, long)
    whole = long[:, :-1]
    assert read(layered.encode(whole, whole)).width == 30_000


def test_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "psd_tools.constants", None)
    with pytest.raises(ImageError, match=r"^PSD: needs psd-tools, pip install "
                                         r"'tfdivcolor\[studio\]'"):
        layered.encode(*pictures())
