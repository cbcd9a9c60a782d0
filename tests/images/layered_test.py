"""Layered files, read back by psd-tools and by Pillow's own reader."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms
from psd_tools import PSDImage
from psd_tools.constants import BlendMode, Resource

from tfdivcolor import images
from tfdivcolor.images.encoding import layered


def _pictures(dtype, height=37, width=53):
    random = np.random.default_rng(0)
    most = np.iinfo(dtype).max
    grey = np.repeat(random.integers(
        0, most, [height, width, 1], dtype, endpoint=True), 3, axis=-1)
    colored = random.integers(
        0, most, [height, width, 3], dtype, endpoint=True)
    alpha = random.integers(0, most, [height, width], dtype, endpoint=True)
    return grey, colored, alpha


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_two_layers_of_the_pictures_own_depth(dtype, has_alpha):
    grey, colored, alpha = _pictures(dtype)
    data = layered.encode(grey, colored, alpha if has_alpha else None)
    document = PSDImage.open(io.BytesIO(data))
    assert document.depth == 8 * np.dtype(dtype).itemsize
    assert (document.width, document.height) == (53, 37)
    below, above = document
    assert below.name == "Grey" and below.blend_mode == BlendMode.NORMAL
    assert above.name == "Colour" and above.blend_mode == BlendMode.COLOR
    most = np.iinfo(dtype).max
    for layer, pixels in ((below, grey), (above, colored)):
        values = np.round(layer.numpy() * most).astype(dtype)
        np.testing.assert_array_equal(values[..., :3], pixels)
        np.testing.assert_array_equal(
            values[..., 3], alpha if has_alpha else most)


def test_the_preview_is_the_result_with_profile_and_resolution():
    grey, colored, _ = _pictures(np.uint8)
    data = layered.encode(grey, colored, dpi=(300, 72.5))
    # Pillow reads a PSD's flat picture.
    with Image.open(io.BytesIO(data)) as image:
        np.testing.assert_array_equal(np.asarray(image), colored)
        profile = ImageCms.ImageCmsProfile(
            io.BytesIO(image.info["icc_profile"]))
    assert "sRGB" in ImageCms.getProfileName(profile)
    resources = PSDImage.open(io.BytesIO(data)).image_resources
    found = resources[Resource.RESOLUTION_INFO]
    across, _, _, down, _, _ = struct.unpack(
        ">IHHIHH", found.data if isinstance(found.data, bytes)
        else found.data.tobytes())
    assert (across / 65536, down / 65536) == (300, 72.5)


def test_the_same_pictures_give_the_same_bytes():
    grey, colored, _ = _pictures(np.uint16)
    assert layered.encode(grey, colored) == layered.encode(grey, colored)


def test_sides_beyond_the_format_are_refused():
    strip = np.zeros([1, layered.MAX_SIDE + 1, 3], np.uint8)
    with pytest.raises(images.ImageError, match="30000 pixels"):
        layered.encode(strip, strip)
