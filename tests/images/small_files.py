"""Small pictures and files that several tests share, and checks of photos."""

import io

import imagecodecs
import numpy as np
import pytest
import right_colours
from hand_written import PACKBITS, Layout, gama, png, tiff, tiff_page
from PIL import Image

from tfdivcolor import images


def _grey():
    """A grey picture, sRGB-coded 0..1: [64, 96, 1]."""
    y, x = np.mgrid[0:64, 0:96]
    grey = .06 + .88 * (.6 * x / 95 + .4 * y / 63)
    grey[6:14, 8:30], grey[40:58, 70:80] = .93, .12
    return grey[..., np.newaxis]


GREY = _grey()
GREY_8 = np.rint(GREY * 255).astype(np.uint8)
GREY_16 = np.rint(GREY * 65535).astype(np.uint16)


def random_values(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def tiff_of(samples, bits, photometric=1, tags=None, **layout):
    layout = Layout(**layout)
    page = tiff_page(samples, bits, photometric, layout, tags)
    return tiff(page, order=layout.order)


def saved(samples, image_format, **options):
    if isinstance(samples, np.ndarray):
        samples = Image.fromarray(np.squeeze(samples))
    file = io.BytesIO()
    samples.save(file, image_format, **options)
    return file.getvalue()


def assert_shown_as(photo, right, limit=1e-4, mean=None):
    """Checks that a picture is the sRGB-coded values 0..1.

    Args:
        limit: float. Allowed error, as a share of the range.
        mean: float. If given, the allowed mean of the error of L* instead.
    """
    finest = photo.finest / np.iinfo(photo.finest.dtype).max
    right = np.broadcast_to(right, finest.shape)
    if mean is None:
        assert np.abs(finest - right).max() <= limit
    else:
        error = np.abs(right_colours.lstar(finest) - right_colours.lstar(right))
        assert error.mean() <= mean and error.max() < 10 * mean


def error_of(source, **options):
    """The one line of error that reading gives."""
    with pytest.raises(images.ImageError) as caught:
        images.read(source, **options)
    message = str(caught.value)
    assert "\n" not in message and "(received" in message
    return message


def page_of(samples, **tags):
    """A page of 8-bit grey, for `tiff`; `tag_254=1` sets that tag."""
    return tiff_page(samples, 8, 1, tags={
        int(tag.removeprefix("tag_")): (4, [value])
        for tag, value in tags.items()})


THUMBNAIL = GREY_8[::4, ::4]
NEGATIVE = 255 - GREY_8


def assert_same(photo, other):
    """Checks that two photos have the same pixels and metadata."""
    for name in ("pixels", "pixels_16", "alpha"):
        np.testing.assert_array_equal(
            getattr(photo, name), getattr(other, name))
    assert (photo.dpi, photo.exif) == (other.dpi, other.exif)


RGB = np.stack([GREY_8[..., 0], GREY_8[::-1, :, 0], GREY_8[:, ::-1, 0]], -1)
RGB_16 = RGB.astype(np.uint16) * 257 - 99
FILES = {
    "negative of 16 bits": tiff_of(65535 - GREY_16, 16, 0),
    "planes": tiff_of(RGB, 8, 2, in_planes=True),
    "planes of 16 bits": tiff_of(RGB_16, 16, 2, in_planes=True),
    "rotated": tiff_of(RGB, 8, 2, {274: (3, [6])}),
    "rotated, mirrored": tiff_of(GREY_8, 8, 1, {274: (3, [7])}),
    "rotated 16 bits": tiff_of(GREY_16, 16, 1, {274: (3, [8])}),
    "big-endian 16 bits": tiff_of(RGB_16, 16, 2, order=">"),
    "packbits": tiff_of(RGB, 8, 2, compression=PACKBITS, rows=5),
    "PNG of 16 bits": png(RGB_16, 16),
    "PNG with gamma": png(RGB, 8, [gama(1)]),
    "CMYK JPEG": imagecodecs.jpeg8_encode(
        np.concatenate([RGB, GREY_8], 2), level=97, colorspace="CMYK",
        outcolorspace="CMYK"),
    "two pages": tiff(page_of(GREY_8), page_of(NEGATIVE)),
}
