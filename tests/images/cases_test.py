"""Files that photographers, scanners and programs really hand over.

Each kind that once was read wrong, or refused without its true reason, has a
test with the value that is right; the files are made here.
"""

import io
import re
import struct

import imagecodecs
import numpy as np
import pytest
import right_colours
from hand_written import (
    Layout,
    exif,
    gama,
    iccp,
    jpeg_with,
    png,
    resolution,
    tiff,
    tiff_page,
)
from PIL import Image
from right_colours import PROFILES, coded
from small_files import (
    GREY,
    GREY_8,
    GREY_16,
    NEGATIVE,
    RGB,
    THUMBNAIL,
    assert_shown_as,
    error_of,
    page_of,
    random_values,
    saved,
    tiff_of,
)

from tfdivcolor import images

# --- Depths ------------------------------------------------------------------


@pytest.mark.parametrize("is_negative", [False, True])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_grey_scans_of_odd_depths(bits, is_negative):
    top = 2 ** bits - 1
    samples = np.rint(GREY * top).astype(np.uint16)
    photo = images.read(tiff_of(
        top - samples if is_negative else samples, bits,
        photometric=0 if is_negative else 1))
    assert_shown_as(photo, samples / top)
    assert photo.is_grey and photo.pixels_16 is not None
    assert photo.notes == ()


def test_12_bits_reach_black_and_white():
    samples = np.array([[[0], [4095], [2048]]], np.uint16)
    photo = images.read(tiff_of(samples, 12))
    assert photo.pixels_16[0, :, 0].tolist() == [
        0, 65535, round(2048 * 65535 / 4095)]


def test_floating_point_scan():
    values = GREY.astype(np.float32)
    values[0, :3, 0] = -.5, 2, .5
    photo = images.read(tiff_of(values, 32))
    assert_shown_as(photo, np.clip(values, 0, 1))


def test_lab_scan():
    lab = right_colours.lab_of_xyz(
        right_colours.linear(GREY) @ np.ones((1, 3)) * right_colours.WHITE_D50)
    samples = np.rint(lab * (2.55, 1, 1)).astype(np.int8).view(np.uint8)
    photo = images.read(tiff_of(samples, 8, photometric=8))
    lightness = np.rint(lab[..., :1] * 2.55) / 2.55
    right = coded(right_colours.xyz_of_lab(lightness * (1, 0, 0))[..., 1:2])
    assert_shown_as(photo, right, limit=1.01 / 255)


def test_12_bit_jpeg():
    data = imagecodecs.jpeg8_encode(
        np.rint(GREY[..., 0] * 4095).astype(np.uint16), level=95,
        bitspersample=12)
    photo = images.read(data)
    assert_shown_as(photo, GREY, mean=.3)
    assert photo.image_format == "JPEG" and photo.pixels_16 is not None


# --- Profiles and other words about colour -----------------------------------


@pytest.mark.parametrize("image_format", ["TIFF", "PNG"])
@pytest.mark.parametrize("bits", [8, 16])
def test_linear_light_with_srgb_in_its_name(image_format, bits):
    profile = PROFILES["linear"].data
    assert b"sRGB" in profile
    samples = np.repeat(GREY_8 if bits == 8 else GREY_16, 3, axis=2)
    data = (tiff_of(samples, bits, 2, {34675: (7, profile)})
            if image_format == "TIFF" else
            png(samples, bits, [iccp(profile)]))
    photo = images.read(data)
    assert_shown_as(photo, coded(samples / (2 ** bits - 1)),
                 limit=1.01 / 255 if bits == 8 else 1e-4)


def test_gamma_of_png():
    photo = images.read(png(GREY_8, 8, [gama(1)]))
    assert_shown_as(photo, coded(GREY_8 / 255), limit=1.01 / 255)


def test_grey_jpeg_with_an_rgb_profile():
    profile = PROFILES["gamma 1.8"]
    data = jpeg_with(saved(GREY_8, "JPEG", quality=97),
                     profile=profile.data)
    photo = images.read(data)
    assert_shown_as(photo, coded(profile.curve(GREY_8 / 255)), mean=.3)
    assert photo.is_grey


def _adobe_rgb_by_exif(details, interoperability):
    blocks = random_values(8, 12, 3, seed=3) // 3 + 80
    stored = np.kron(blocks, np.ones((8, 8, 1), np.uint8))
    data = jpeg_with(
        saved(stored, "JPEG", quality=98, subsampling=0), density=(72, 72),
        exif_block=exif({271: (2, b"Canon\0")}, details, interoperability))
    # JPEG's own loss is not at issue here.
    stored = np.asarray(Image.open(io.BytesIO(data))) / 255
    return images.read(data), right_colours.shown(
        stored, "rgb", PROFILES["Adobe RGB"]), stored


def test_adobe_rgb_told_by_the_camera_only():
    photo, right, _ = _adobe_rgb_by_exif(
        {40961: (3, [65535])}, {1: (2, b"R03\0")})
    assert_shown_as(photo, right, limit=1.5 / 255)


def test_uncalibrated_colours_are_adobe_rgb_or_it_is_said():
    photo, right, stored = _adobe_rgb_by_exif({40961: (3, [65535])}, None)
    as_srgb = np.array_equal(photo.pixels, np.rint(stored * 255))
    if as_srgb:
        assert photo.notes
    else:
        assert_shown_as(photo, right, limit=1.5 / 255)


@pytest.mark.parametrize("details, interoperability", [
    ({40961: (3, [1])}, {1: (2, b"R98\0")}),
    ({40961: (3, [1])}, None),
    ({36864: (7, b"0230")}, None)])
def test_cameras_that_say_srgb(details, interoperability):
    photo, _, stored = _adobe_rgb_by_exif(details, interoperability)
    np.testing.assert_array_equal(photo.pixels, np.rint(stored * 255))
    assert photo.notes == ()


def test_profile_counts_more_than_the_cameras_words():
    data = jpeg_with(
        saved(np.repeat(GREY_8, 3, 2), "JPEG", quality=98),
        exif_block=exif({}, {40961: (3, [65535])}, {1: (2, b"R03\0")}),
        profile=PROFILES["sRGB"].data)
    np.testing.assert_array_equal(
        images.read(data).pixels, Image.open(io.BytesIO(data)))


def test_cmyk_jpeg_with_and_without_adobes_marker():
    # Black ink alone: libjpeg stores inks, Photoshop their negative.
    inks = np.concatenate([np.zeros((64, 96, 3), np.uint8), 255 - GREY_8], 2)
    for adobe, stored in ((None, inks), (0, 255 - inks)):
        data = imagecodecs.jpeg8_encode(
            stored, level=97, colorspace="CMYK", outcolorspace="CMYK")
        photo = images.read(jpeg_with(data, adobe=adobe))
        assert_shown_as(photo, GREY, mean=.5)


# --- Pages -------------------------------------------------------------------


@pytest.mark.parametrize("pages, used", [
    # 254 is NewSubfileType: bit 0 a smaller copy, bit 2 a mask.
    ([page_of(THUMBNAIL, tag_254=1), page_of(GREY_8)], 1),
    ([page_of(GREY_8), page_of(THUMBNAIL, tag_254=1)], 0),
    ([page_of(NEGATIVE, tag_254=4), page_of(GREY_8, tag_254=0)], 1),
    ([page_of(NEGATIVE, tag_254=5), page_of(GREY_8, tag_254=2)], 1),
    ([page_of(THUMBNAIL), page_of(GREY_8)], 1),
    ([page_of(THUMBNAIL, tag_254=1), page_of(THUMBNAIL), page_of(GREY_8)], 2),
    ([page_of(GREY_8), page_of(NEGATIVE)], 0),
    # Small, but the only photograph; and nothing but a smaller copy.
    ([page_of(THUMBNAIL), page_of(NEGATIVE, tag_254=4)], 0),
    ([page_of(GREY_8, tag_254=1)], 0),
    # 255 is SubfileType, the old word: 1 whole, 2 a smaller copy.
    ([page_of(THUMBNAIL, tag_255=2), page_of(GREY_8, tag_255=1)], 1),
], ids=["thumbnail first", "thumbnail last", "mask", "smaller mask", "by size",
        "three", "two equal", "mask is larger", "only a copy", "old word"])
def test_the_full_picture_among_pages(pages, used):
    data = tiff(*pages)
    photo = images.read(data)
    height = dict(pages[used][0])[257][1][0]
    right = GREY_8 if height == 64 else THUMBNAIL
    np.testing.assert_array_equal(photo.pixels, np.repeat(right, 3, 2))
    with Image.open(io.BytesIO(data)) as image:
        image.seek(used)
        np.testing.assert_array_equal(image, right[..., 0])


def test_further_pages_are_counted_and_read():
    # The largest is used; the first of equals.
    data = tiff(page_of(GREY_8), page_of(NEGATIVE))
    assert images.count_pages(data) == 2
    photo = images.read(data)
    assert (photo.page, photo.num_pages) == (1, 2)
    assert any("page 1 of 2" in note for note in photo.notes)
    second = images.read(data, page=2)
    np.testing.assert_array_equal(second.pixels, np.repeat(NEGATIVE, 3, 2))
    assert (second.page, second.num_pages) == (2, 2)
    for page in (0, 3, -1):
        assert re.search(f"page.*{page}", error_of(data, page=page))


def test_every_page_by_its_number():
    values = (10, 200, 90, 250)
    data = tiff(*(page_of(np.full((6, 8, 1), v, np.uint8)) for v in values))
    assert images.count_pages(data) == 4
    for page, value in enumerate(values, start=1):
        photo = images.read(data, page=page)
        assert photo.page == page and (photo.pixels == value).all()


def test_frames_of_a_gif_are_pages():
    frames = [Image.fromarray(np.full([5, 4], v, np.uint8))
              for v in (10, 200, 90)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    photo = images.read(data)
    assert (photo.pixels == 10).all()
    assert images.count_pages(data) == photo.num_pages == 3
    assert any("1 of 3" in note for note in photo.notes)
    assert (images.read(data, page=2).pixels == 200).all()


@pytest.mark.parametrize("source", [
    png(GREY_8, 8), saved(GREY_8, "JPEG"), saved(GREY_8, "BMP"), GREY_8])
def test_files_of_one_page(source):
    assert images.count_pages(source) == 1
    photo = images.read(source, page=1)
    assert (photo.page, photo.num_pages) == (1, 1) and not photo.notes
    assert "page" in error_of(source, page=2)


def test_pages_in_a_circle_end():
    data = bytearray(tiff(page_of(GREY_8), page_of(NEGATIVE)))
    first, = struct.unpack_from("<I", data, 4)
    count, = struct.unpack_from("<H", data, first)
    second, = struct.unpack_from("<I", data, first + 2 + 12 * count)
    count, = struct.unpack_from("<H", data, second)
    struct.pack_into("<I", data, second + 2 + 12 * count, first)
    photo = images.read(bytes(data))
    np.testing.assert_array_equal(photo.pixels, np.repeat(GREY_8, 3, 2))


# --- Resolution --------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "BMP"])
def test_resolution_of_a_scan(bits, image_format):
    scan = tiff_of(GREY_8 if bits == 8 else GREY_16, bits, 1, {
        270: (2, "Village fête 1938\0".encode()),
        **resolution((3200, 3200))})
    photo = images.read(scan)
    assert photo.dpi == (3200, 3200)
    result = images.encode(photo.finest, image_format, exif=photo.exif,
                           dpi=photo.dpi)
    np.testing.assert_allclose(
        images.read(result).dpi, (3200, 3200), rtol=1e-3)


@pytest.mark.parametrize("bits", [8, 16])
def test_resolution_in_centimetres(bits):
    photo = images.read(tiff_of(GREY_8 if bits == 8 else GREY_16, bits, 1, {
        282: (5, [400, 1]), 283: (5, [200, 1]), 296: (3, [3])}))
    np.testing.assert_allclose(photo.dpi, (1016, 508))


@pytest.mark.parametrize("bits", [8, 16])
def test_resolution_that_is_only_a_shape(bits):
    # 296, ResolutionUnit, is 1: no absolute unit.
    photo = images.read(tiff_of(GREY_8 if bits == 8 else GREY_16, bits, 1, {
        282: (5, [1, 1]), 283: (5, [1, 1]), 296: (3, [1])}))
    assert photo.dpi is None


# --- Headers that contradict themselves --------------------------------------


def test_size_of_jpeg_2000_is_told_twice():
    data = bytearray(imagecodecs.jpeg2k_encode(
        random_values(300, 400), level=0, reversible=True))
    struct.pack_into(">II", data, data.index(b"ihdr") + 4, 10, 10)
    # The code stream, which is what is decoded, has the larger one.
    error_of(bytes(data), max_pixels=1000)


def test_tiff_with_another_number_of_strips_than_places():
    entries, blocks = tiff_page(GREY_8, 8, 1, Layout(rows=8))
    tiff_of_8 = tiff((entries, blocks))
    np.testing.assert_array_equal(
        images.read(tiff_of_8).pixels[..., :1], GREY_8)
    without_rows = {tag: value for tag, value in entries.items()
                    if tag != 278}  # RowsPerStrip: all in one
    error_of(tiff((without_rows, blocks)))
    error_of(tiff((entries, blocks[:-1])))


def test_tiff_that_does_not_say_what_its_channels_are():
    entries, blocks = tiff_page(RGB, 8, 2)
    del entries[262]  # PhotometricInterpretation
    try:
        photo = images.read(tiff((entries, blocks)))
    except images.ImageError as error:
        assert not re.search("damaged|broken", str(error))
    else:
        np.testing.assert_array_equal(photo.pixels, RGB)
