"""Files that are nearly whole, and files that are cut off.

They are refused with that reason, or read as far as they go where that is
asked for: `images.read(..., lenient=True)`.
"""

import io
import re
import zlib

import imagecodecs
import numpy as np
import pytest
from hand_written import (
    Layout,
    directory,
    gama,
    iccp,
    jpeg_with,
    png,
    tiff,
    tiff_page,
)
from PIL import Image
from right_colours import PROFILES
from small_files import (
    FILES,
    GREY_8,
    GREY_16,
    NEGATIVE,
    RGB,
    assert_same,
    error_of,
    page_of,
    random_values,
    saved,
)

from tfdivcolor import images


def test_jpeg_without_its_end_marker():
    data = saved(GREY_8, "JPEG", quality=95)
    assert data.endswith(b"\xff\xd9")
    whole = images.read(data)
    photo = images.read(data[:-2])
    np.testing.assert_array_equal(photo.pixels, whole.pixels)
    assert len(photo.notes) == 1 and "end" in photo.notes[0]
    assert whole.notes == ()


def test_png_without_its_end_chunk():
    data = saved(RGB, "PNG")
    photo = images.read(data[:-12])
    np.testing.assert_array_equal(photo.pixels, RGB)
    assert photo.notes


def _noise():
    # Files grow evenly from row to row, and no region is mid grey by chance.
    noise = np.kron(
        random_values(36, 24, 3, seed=5), np.ones((4, 4, 1), np.uint8))
    return np.where(np.abs(noise.astype(int) - 128) < 9, 90, noise).astype(
        np.uint8)


NOISE = _noise()  # [144, 96, 3]


def _jpeg_by_rows():
    """A JPEG of one row of blocks after another: bytes, ends of the rows."""
    data = saved(NOISE, "JPEG", quality=95, subsampling=0,
                  restart_marker_rows=1)
    ends = [found.start() for found in re.finditer(
        rb"\xff[\xd0-\xd7]", data)]
    assert len(ends) == 144 // 8 - 1
    return data, ends


def _png_rows(data):
    """Share of the rows in the first IDAT chunk's bytes that are there."""
    start = data.index(b"IDAT") + 4
    try:
        rows = zlib.decompressobj().decompress(data[start:])
    except zlib.error:
        return 0
    return len(rows) // (96 * 3 + 1) / 144


def _stated_share(photo):
    """Share that the notes say is missing, 0..1."""
    shares = re.findall(r"(\d+(?:\.\d+)?) ?%", " ".join(photo.notes))
    assert len(shares) == 1, photo.notes
    return float(shares[0]) / 100


def _assert_read_in_part(data, whole, missing=None):
    """Checks a truncated file: refused, and read leniently.

    Args:
        data: bytes of it.
        whole: uint8 [H, W, 3]. What the whole file shows.
        missing: float, 0..1. Share that is missing, where it is known.
    """
    assert re.search("truncated|incomplete|ends|missing", error_of(data))
    photo = images.read(data, lenient=True)
    assert photo.pixels.shape == whole.shape
    there = (np.abs(photo.pixels - whole.astype(int)) <= 2).all(axis=-1)
    grey = (np.abs(photo.pixels - 128.) <= 1).all(axis=-1)
    # A decoder may blur the last row of blocks with what is below it.
    odd = ~(there | grey)
    assert odd.mean() < .06 and odd.any(axis=1).sum() <= 8
    stated = _stated_share(photo)
    assert abs(stated - (1 - there.mean())) <= .02 + odd.mean()
    if missing is not None:
        assert abs(stated - missing) <= .02


@pytest.mark.parametrize("row", [2, 9, 16])
def test_truncated_jpeg_by_rows(row):
    data, ends = _jpeg_by_rows()
    whole = np.asarray(Image.open(io.BytesIO(data)))
    _assert_read_in_part(data[:ends[row - 1]], whole, 1 - row * 8 / 144)


@pytest.mark.parametrize("part", [.3, .6, .9])
@pytest.mark.parametrize("options", [
    {"subsampling": 0}, {"subsampling": 2}, {"optimize": True}], ids=str)
def test_truncated_jpeg(part, options):
    data = saved(NOISE, "JPEG", quality=95, **options)
    start = data.index(b"\xff\xda")
    cut = data[:start + round(part * (len(data) - start))]
    whole = np.asarray(Image.open(io.BytesIO(data)))
    _assert_read_in_part(cut, whole)
    stated = _stated_share(images.read(cut, lenient=True))
    assert abs(stated - (1 - part)) < .15


@pytest.mark.parametrize("part", [.1, .5, .95])
def test_truncated_png(part):
    data = saved(NOISE, "PNG")
    cut = data[:round(part * len(data))]
    _assert_read_in_part(cut, NOISE, 1 - _png_rows(cut))


@pytest.mark.parametrize("part", [.1, .5, .95])
def test_truncated_png_of_16_bits(part):
    data = png(NOISE.astype(np.uint16) * 257, 16)
    cut = data[:round(part * len(data))]
    _assert_read_in_part(cut, NOISE)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("rows", [8, 144])
@pytest.mark.parametrize("part", [.25, .5, .9])
def test_truncated_tiff(part, rows, bits):
    # The directory stands in front, as some programs write it.
    samples = NOISE if bits == 8 else NOISE.astype(np.uint16) * 257
    entries, blocks = tiff_page(samples, bits, 2, Layout(rows=rows))
    data = _directory_first(entries, blocks)
    np.testing.assert_array_equal(images.read(data).pixels, NOISE)
    pixels = len(b"".join(blocks))
    cut = data[:len(data) - pixels + round(part * pixels)]
    _assert_read_in_part(cut, NOISE, 1 - part)


def _directory_first(entries, blocks):
    """A TIFF file whose pixels stand behind the directory."""
    lengths = [len(block) for block in blocks]

    def encoded(start):
        places = np.cumsum([start, *lengths[:-1]]).tolist()
        return directory(entries | {273: (4, places), 279: (4, lengths)}, 8)[0]

    start = 8 + len(encoded(0))
    return b"II*\0\x08\0\0\0" + encoded(start) + b"".join(blocks)


@pytest.mark.parametrize("part", [.3, .7])
def test_truncated_12_bit_jpeg(part):
    data = imagecodecs.jpeg8_encode(
        NOISE.astype(np.uint16) * 16, level=95, bitspersample=12,
        subsampling="444")
    start = data.index(b"\xff\xda")
    cut = data[:start + round(part * (len(data) - start))]
    _assert_read_in_part(cut, images.read(data).pixels)
    assert images.read(data[:-2]).notes


@pytest.mark.parametrize("pages", [1, 2])
@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_that_ends_before_its_directory(bits, pages):
    # Most programs write the directory last: nothing can be read without it.
    page = tiff_page(GREY_8 if bits == 8 else GREY_16, bits, 1)
    data = tiff(*[page] * pages)
    data = data[:len(data) // pages // 2]
    for lenient in (False, True):
        assert re.search("truncated|incomplete|ends|missing", error_of(
            data, lenient=lenient))


@pytest.mark.parametrize("missing", [200, 3000])
def test_pages_that_are_cut_off_do_not_vanish_in_silence(missing):
    data = tiff(page_of(GREY_8), page_of(NEGATIVE))[:-missing]
    try:
        photo = images.read(data)
    except images.ImageError as error:
        assert re.search("truncated|incomplete|ends|missing", str(error))
    else:
        np.testing.assert_array_equal(photo.pixels, np.repeat(GREY_8, 3, 2))
        assert photo.notes


def _with_profile_and_more():
    profile = PROFILES["linear"].data
    yield "PNG", png(NOISE, 8, [iccp(profile)])
    yield "PNG of 16 bits", png(
        NOISE.astype(np.uint16) * 257, 16, [iccp(profile)])
    yield "PNG, gAMA", png(NOISE, 8, [gama(1)])
    yield "JPEG", jpeg_with(saved(NOISE, "JPEG", quality=95), profile=profile)
    inks = np.concatenate([NOISE // 2, NOISE[..., :1]], 2)
    yield "CMYK JPEG", imagecodecs.jpeg8_encode(
        inks, level=95, colorspace="CMYK", outcolorspace="CMYK")
    for name, photometric, samples in (
            ("negative", 0, NOISE[..., :1]), ("RGB", 2, NOISE),
            ("CMYK", 5, inks), ("Lab", 9, NOISE)):
        tags = {34675: (7, profile)} if name in ("negative", "RGB") else {}
        yield f"TIFF, {name}", _directory_first(*tiff_page(
            samples, 8, photometric, Layout(rows=16), tags))
    yield "WebP", saved(NOISE, "WEBP", quality=95, icc_profile=profile)


CUT_IN_COLOURS = dict(_with_profile_and_more())


@pytest.mark.parametrize("name", CUT_IN_COLOURS)
def test_the_missing_part_is_mid_grey_whatever_the_colours(name):
    data = CUT_IN_COLOURS[name]
    photo = images.read(data[:round(.6 * len(data))], lenient=True)
    # 128 of a stored value may be another grey by the profile.
    assert np.abs(photo.pixels[-1, -20:].astype(int) - 128).max() <= 1
    assert .2 < _stated_share(photo) < .6


@pytest.mark.parametrize("options", [
    {"lossless": True}, {"quality": 90}], ids=str)
@pytest.mark.parametrize("part", [.5, .9])
def test_truncated_webp(part, options):
    data = saved(NOISE, "WEBP", **options)
    whole = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    cut = data[:round(part * len(data))]
    _assert_read_in_part(cut, whole)
    assert _stated_share(images.read(cut, lenient=True)) < 1.3 - part


def test_whole_files_are_read_leniently_as_ever():
    for data in (*FILES.values(), saved(NOISE, "WEBP")):
        photo, other = images.read(data), images.read(data, lenient=True)
        assert_same(photo, other)
        assert photo.notes == other.notes


@pytest.mark.parametrize("data", [
    b"", b"text", saved(NOISE, "JPEG")[:100], saved(NOISE, "PNG")[:20],
    b"II*\0\x08\0\0\0"], ids=len)
def test_what_has_no_header_is_refused_even_so(data):
    error_of(data, lenient=True)


@pytest.mark.parametrize("orientation", [1, 6])
def test_missing_pixels_are_those_that_are_grey(orientation):
    data = saved(NOISE, "JPEG", quality=90, exif=_turned(orientation))
    photo = images.read(data[:len(data) // 2], lenient=True)
    assert photo.missing.shape == photo.pixels.shape[:2]
    assert (photo.pixels[photo.missing] == 128).all()
    assert .2 < photo.missing.mean() < .8
    assert images.read(data).missing is None


def _turned(orientation):
    block = Image.Exif()
    block[274] = orientation
    return block.tobytes()
