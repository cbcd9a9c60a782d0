"""Files that photographers, scanners and programs really hand over.

Each kind that once was read wrong, or refused without its true reason, has a
test with the value that is right; the files are made here.
"""

import io
import os
import re
import struct
import zlib

import imagecodecs
import making
import numpy as np
import pytest
from hand_written import (
    PACKBITS,
    Layout,
    directory,
    exif,
    gama,
    iccp,
    jpeg_with,
    png,
    resolution,
    tiff,
    tiff_page,
)
from making import PROFILES, coded
from PIL import Image, ImageDraw

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


def _random(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def _tiff(samples, bits, photometric=1, tags=None, **layout):
    layout = Layout(**layout)
    page = tiff_page(samples, bits, photometric, layout, tags)
    return tiff(page, order=layout.order)


def _saved(samples, image_format, **options):
    if isinstance(samples, np.ndarray):
        samples = Image.fromarray(np.squeeze(samples))
    file = io.BytesIO()
    samples.save(file, image_format, **options)
    return file.getvalue()


def _is_shown_as(photo, right, limit=1e-4, mean=None):
    """Whether a picture is the sRGB-coded values 0..1.

    Args:
        limit: float. Allowed error, as a share of the range.
        mean: float. If given, the allowed mean of the error of L* instead.
    """
    finest = photo.finest / np.iinfo(photo.finest.dtype).max
    right = np.broadcast_to(right, finest.shape)
    if mean is None:
        assert np.abs(finest - right).max() <= limit
    else:
        error = np.abs(making.lstar(finest) - making.lstar(right))
        assert error.mean() <= mean and error.max() < 10 * mean


def _error(source, **options):
    with pytest.raises(images.ImageError) as caught:
        images.read(source, **options)
    message = str(caught.value)
    assert "\n" not in message and "(received" in message
    return message


# --- Depths ------------------------------------------------------------------


@pytest.mark.parametrize("is_negative", [False, True])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_grey_scans_of_odd_depths(bits, is_negative):
    top = 2 ** bits - 1
    samples = np.rint(GREY * top).astype(np.uint16)
    photo = images.read(_tiff(
        top - samples if is_negative else samples, bits,
        photometric=0 if is_negative else 1))
    _is_shown_as(photo, samples / top)
    assert photo.is_grey and photo.pixels_16 is not None
    assert photo.notes == ()


def test_12_bits_reach_black_and_white():
    samples = np.array([[[0], [4095], [2048]]], np.uint16)
    photo = images.read(_tiff(samples, 12))
    assert photo.pixels_16[0, :, 0].tolist() == [
        0, 65535, round(2048 * 65535 / 4095)]


def test_floating_point_scan():
    values = GREY.astype(np.float32)
    values[0, :3, 0] = -.5, 2, .5
    photo = images.read(_tiff(values, 32))
    _is_shown_as(photo, np.clip(values, 0, 1))


def test_lab_scan():
    lab = making.lab_of_xyz(
        making.linear(GREY) @ np.ones((1, 3)) * making.WHITE_D50)
    samples = np.rint(lab * (2.55, 1, 1)).astype(np.int8).view(np.uint8)
    photo = images.read(_tiff(samples, 8, photometric=8))
    lightness = np.rint(lab[..., :1] * 2.55) / 2.55
    right = coded(making.xyz_of_lab(lightness * (1, 0, 0))[..., 1:2])
    _is_shown_as(photo, right, limit=1.01 / 255)


def test_12_bit_jpeg():
    data = imagecodecs.jpeg8_encode(
        np.rint(GREY[..., 0] * 4095).astype(np.uint16), level=95,
        bitspersample=12)
    photo = images.read(data)
    _is_shown_as(photo, GREY, mean=.3)
    assert photo.image_format == "JPEG" and photo.pixels_16 is not None


# --- Profiles and other words about colour -----------------------------------


@pytest.mark.parametrize("image_format", ["TIFF", "PNG"])
@pytest.mark.parametrize("bits", [8, 16])
def test_linear_light_with_srgb_in_its_name(image_format, bits):
    profile = PROFILES["linear"].data
    assert b"sRGB" in profile
    samples = np.repeat(GREY_8 if bits == 8 else GREY_16, 3, axis=2)
    data = (_tiff(samples, bits, 2, {34675: (7, profile)})
            if image_format == "TIFF" else
            png(samples, bits, [iccp(profile)]))
    photo = images.read(data)
    _is_shown_as(photo, coded(samples / (2 ** bits - 1)),
                 limit=1.01 / 255 if bits == 8 else 1e-4)


def test_gamma_of_png():
    photo = images.read(png(GREY_8, 8, [gama(1)]))
    _is_shown_as(photo, coded(GREY_8 / 255), limit=1.01 / 255)


def test_grey_jpeg_with_an_rgb_profile():
    profile = PROFILES["gamma 1.8"]
    data = jpeg_with(_saved(GREY_8, "JPEG", quality=97),
                     profile=profile.data)
    photo = images.read(data)
    _is_shown_as(photo, coded(profile.curve(GREY_8 / 255)), mean=.3)
    assert photo.is_grey


def _adobe_rgb_by_exif(details, interoperability):
    stored = np.kron(
        _random(8, 12, 3, seed=3) // 3 + 80, np.ones((8, 8, 1))).astype("u1")
    data = jpeg_with(
        _saved(stored, "JPEG", quality=98, subsampling=0), density=(72, 72),
        exif_block=exif({271: (2, b"Canon\0")}, details, interoperability))
    # JPEG's own loss is not at issue here.
    stored = np.asarray(Image.open(io.BytesIO(data))) / 255
    return images.read(data), making.shown(
        stored, "rgb", PROFILES["Adobe RGB"]), stored


def test_adobe_rgb_told_by_the_camera_only():
    photo, right, _ = _adobe_rgb_by_exif(
        {40961: (3, [65535])}, {1: (2, b"R03\0")})
    _is_shown_as(photo, right, limit=1.5 / 255)


def test_uncalibrated_colours_are_adobe_rgb_or_it_is_said():
    photo, right, stored = _adobe_rgb_by_exif({40961: (3, [65535])}, None)
    as_srgb = np.array_equal(photo.pixels, np.rint(stored * 255))
    if as_srgb:
        assert photo.notes
    else:
        _is_shown_as(photo, right, limit=1.5 / 255)


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
        _saved(np.repeat(GREY_8, 3, 2), "JPEG", quality=98),
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
        _is_shown_as(photo, GREY, mean=.5)


# --- Pages -------------------------------------------------------------------


def _page(samples, **tags):
    return tiff_page(samples, 8, 1, tags={
        int(tag.removeprefix("tag_")): (4, [value])
        for tag, value in tags.items()})


THUMBNAIL = GREY_8[::4, ::4]
NEGATIVE = 255 - GREY_8


@pytest.mark.parametrize("pages, used", [
    # 254 is NewSubfileType: bit 0 a smaller copy, bit 2 a mask.
    ([_page(THUMBNAIL, tag_254=1), _page(GREY_8)], 1),
    ([_page(GREY_8), _page(THUMBNAIL, tag_254=1)], 0),
    ([_page(NEGATIVE, tag_254=4), _page(GREY_8, tag_254=0)], 1),
    ([_page(NEGATIVE, tag_254=5), _page(GREY_8, tag_254=2)], 1),
    ([_page(THUMBNAIL), _page(GREY_8)], 1),
    ([_page(THUMBNAIL, tag_254=1), _page(THUMBNAIL), _page(GREY_8)], 2),
    ([_page(GREY_8), _page(NEGATIVE)], 0),
    # Small, but the only photograph; and nothing but a smaller copy.
    ([_page(THUMBNAIL), _page(NEGATIVE, tag_254=4)], 0),
    ([_page(GREY_8, tag_254=1)], 0),
    # 255 is SubfileType, the old word: 1 whole, 2 a smaller copy.
    ([_page(THUMBNAIL, tag_255=2), _page(GREY_8, tag_255=1)], 1),
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
    data = tiff(_page(GREY_8), _page(NEGATIVE))
    assert images.count_pages(data) == 2
    photo = images.read(data)
    assert (photo.page, photo.num_pages) == (1, 2)
    assert any("page 1 of 2" in note for note in photo.notes)
    second = images.read(data, page=2)
    np.testing.assert_array_equal(second.pixels, np.repeat(NEGATIVE, 3, 2))
    assert (second.page, second.num_pages) == (2, 2)
    for page in (0, 3, -1):
        assert re.search(f"page.*{page}", _error(data, page=page))


def test_every_page_by_its_number():
    values = (10, 200, 90, 250)
    data = tiff(*(_page(np.full((6, 8, 1), v, np.uint8)) for v in values))
    assert images.count_pages(data) == 4
    for page, value in enumerate(values, start=1):
        photo = images.read(data, page=page)
        assert photo.page == page and (photo.pixels == value).all()


def test_frames_of_a_gif_are_pages():
    frames = [Image.fromarray(np.full([5, 4], v, np.uint8))
              for v in (10, 200, 90)]
    data = _saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    photo = images.read(data)
    assert (photo.pixels == 10).all()
    assert images.count_pages(data) == photo.num_pages == 3
    assert any("1 of 3" in note for note in photo.notes)
    assert (images.read(data, page=2).pixels == 200).all()


@pytest.mark.parametrize("source", [
    png(GREY_8, 8), _saved(GREY_8, "JPEG"), _saved(GREY_8, "BMP"), GREY_8])
def test_files_of_one_page(source):
    assert images.count_pages(source) == 1
    photo = images.read(source, page=1)
    assert (photo.page, photo.num_pages) == (1, 1) and not photo.notes
    assert "page" in _error(source, page=2)


def test_pages_in_a_circle_end():
    data = bytearray(tiff(_page(GREY_8), _page(NEGATIVE)))
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
    scan = _tiff(GREY_8 if bits == 8 else GREY_16, bits, 1, {
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
    photo = images.read(_tiff(GREY_8 if bits == 8 else GREY_16, bits, 1, {
        282: (5, [400, 1]), 283: (5, [200, 1]), 296: (3, [3])}))
    np.testing.assert_allclose(photo.dpi, (1016, 508))


@pytest.mark.parametrize("bits", [8, 16])
def test_resolution_that_is_only_a_shape(bits):
    # 296, ResolutionUnit, is 1: no absolute unit.
    photo = images.read(_tiff(GREY_8 if bits == 8 else GREY_16, bits, 1, {
        282: (5, [1, 1]), 283: (5, [1, 1]), 296: (3, [1])}))
    assert photo.dpi is None


# --- PIL images --------------------------------------------------------------


def _same(photo, other):
    for name in ("pixels", "pixels_16", "alpha"):
        np.testing.assert_array_equal(
            getattr(photo, name), getattr(other, name))
    assert (photo.dpi, photo.exif) == (other.dpi, other.exif)


RGB = np.stack([GREY_8[..., 0], GREY_8[::-1, :, 0], GREY_8[:, ::-1, 0]], -1)
RGB_16 = RGB.astype(np.uint16) * 257 - 99
PIL_FILES = {
    "negative of 16 bits": _tiff(65535 - GREY_16, 16, 0),
    "planes": _tiff(RGB, 8, 2, in_planes=True),
    "planes of 16 bits": _tiff(RGB_16, 16, 2, in_planes=True),
    "rotated": _tiff(RGB, 8, 2, {274: (3, [6])}),
    "rotated, mirrored": _tiff(GREY_8, 8, 1, {274: (3, [7])}),
    "rotated 16 bits": _tiff(GREY_16, 16, 1, {274: (3, [8])}),
    "big-endian 16 bits": _tiff(RGB_16, 16, 2, order=">"),
    "packbits": _tiff(RGB, 8, 2, compression=PACKBITS, rows=5),
    "PNG of 16 bits": png(RGB_16, 16),
    "PNG with gamma": png(RGB, 8, [gama(1)]),
    "CMYK JPEG": imagecodecs.jpeg8_encode(
        np.concatenate([RGB, GREY_8], 2), level=97, colorspace="CMYK",
        outcolorspace="CMYK"),
    "two pages": tiff(_page(GREY_8), _page(NEGATIVE)),
}


@pytest.mark.parametrize("name", PIL_FILES)
def test_pil_image_gives_the_same_as_its_path(name, tmp_path):
    path = tmp_path / "photo.tif"
    path.write_bytes(PIL_FILES[name])
    photo = images.read(path)
    with Image.open(path) as image:
        _same(images.read(image), photo)
        _same(images.read(image), photo)  # again: nothing was used up
    with Image.open(path) as image:
        image.load()
        _same(images.read(image), photo)
    with open(path, "rb") as file, Image.open(file) as image:
        _same(images.read(image), photo)
    with Image.open(io.BytesIO(PIL_FILES[name])) as image:
        _same(images.read(image), photo)


def _put_pixel(image):
    image.putpixel((3, 2), (9, 8, 7))
    return image


def _paste(image):
    image.paste((1, 2, 3), (0, 0, 30, 20))
    return image


def _draw(image):
    ImageDraw.Draw(image).rectangle((5, 5, 20, 20), fill=(200, 100, 0))
    return image


def _through_memory(image):
    image.load()
    image.frombytes(image.tobytes()[::-1])
    return image


def _thumbnail(image):
    image.thumbnail((40, 40))
    return image


def _load_and_put_pixel(image):
    image.load()[4, 4] = (250, 1, 250)
    return image


def _put_data(image):
    image.putdata([(1, 2, 3)] * 96)
    return image


@pytest.mark.parametrize("source", ["path", "file"])
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("change", [
    _put_pixel, _paste, _draw, _through_memory, _thumbnail,
    _load_and_put_pixel, _put_data,
    lambda image: image.resize((20, 10)),
    lambda image: image.crop((3, 4, 50, 40)),
    lambda image: image.convert("L"),
    lambda image: image.point(lambda value: value // 2),
    lambda image: image.transpose(Image.Transpose.ROTATE_90),
    lambda image: image.rotate(180),
])
def test_changed_pil_image_gives_its_own_pixels(
        change, image_format, source, tmp_path):
    data = _saved(RGB, image_format)
    path = tmp_path / "photo"
    path.write_bytes(data)
    with Image.open(path if source == "path" else io.BytesIO(data)) as image:
        changed = change(image)
        right = np.asarray(changed.convert("RGB"))
        assert right.shape != RGB.shape or (right != RGB).any()
        np.testing.assert_array_equal(images.read(changed).pixels, right)


def test_pil_image_that_was_given_alpha():
    image = Image.open(io.BytesIO(_saved(RGB, "PNG")))
    image.putalpha(100)
    photo = images.read(image)
    np.testing.assert_array_equal(photo.pixels, RGB)
    assert (photo.alpha == 100).all()


def test_copy_of_a_pil_image():
    image = Image.open(io.BytesIO(_saved(RGB, "PNG")))
    np.testing.assert_array_equal(images.read(image.copy()).pixels, RGB)


def test_pil_image_whose_file_is_replaced(tmp_path):
    path = tmp_path / "photo.tif"
    path.write_bytes(_tiff(RGB, 8, 2))
    other = tmp_path / "other.tif"
    other.write_bytes(_tiff(255 - RGB, 8, 2))
    with Image.open(path) as image:
        os.replace(other, path)
        np.testing.assert_array_equal(images.read(image).pixels, RGB)
    with Image.open(path) as image:
        image.load()
        path.unlink()
        np.testing.assert_array_equal(images.read(image).pixels, 255 - RGB)


def test_pil_image_on_another_page(tmp_path):
    path = tmp_path / "photo.tif"
    path.write_bytes(tiff(_page(GREY_8), _page(NEGATIVE)))
    with Image.open(path) as image:
        image.seek(1)
        np.testing.assert_array_equal(
            images.read(image).pixels, np.repeat(NEGATIVE, 3, 2))


def test_pil_image_that_was_closed(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(_saved(RGB, "PNG"))
    with Image.open(path) as image:
        image.load()
    np.testing.assert_array_equal(images.read(image).pixels, RGB)
    with Image.open(path) as image:
        pass
    try:  # Pillow itself has nothing to show any more
        photo = images.read(image)
    except images.ImageError:
        return
    np.testing.assert_array_equal(photo.pixels, RGB)


# --- Arrays, bytes and open files --------------------------------------------


def test_arrays_of_16_bits():
    for array in (RGB_16, GREY_16, GREY_16[..., 0]):
        photo = images.read(array)
        np.testing.assert_array_equal(
            photo.pixels_16, np.broadcast_to(
                array.reshape(64, 96, -1), (64, 96, 3)))
        np.testing.assert_array_equal(
            photo.pixels, np.rint(photo.pixels_16 / 257))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_of_floating_point(dtype):
    for array in (RGB / 255, GREY, GREY[..., 0]):
        array = array.astype(dtype)
        photo = images.read(array)
        _is_shown_as(photo, array.reshape(64, 96, -1).astype(float),
                     limit=.501 / np.iinfo(photo.finest.dtype).max)
    ends = images.read(np.array([[0, 1]], dtype))
    assert ends.pixels[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("value", [-.01, 1.01, np.nan, np.inf, 255])
def test_floating_point_outside_0_to_1_is_refused(value):
    array = GREY.copy()
    array[3, 4] = value
    message = _error(array)
    assert "0..1" in message
    assert re.search("nan|NaN" if np.isnan(value) else re.escape(
        f"{value:.3g}"), message)


@pytest.mark.parametrize("array", [
    RGB.astype(np.int32), RGB.astype(np.int8), RGB.astype(np.uint32),
    RGB.astype(np.complex64), RGB.astype(object), np.zeros((2, 2), "S3")],
    ids=lambda array: str(array.dtype))
def test_arrays_of_other_types_are_refused(array):
    assert str(array.dtype) in _error(array)


def test_boolean_array_is_never_nearly_black():
    try:
        photo = images.read(GREY[..., 0] > .5)
    except images.ImageError as error:
        assert "bool" in str(error)
    else:
        np.testing.assert_array_equal(
            photo.pixels[..., 0], np.where(GREY[..., 0] > .5, 255, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_arrays_with_alpha(dtype):
    array = _random(8, 9, 4)
    if dtype != np.uint8:
        top = 65535 if dtype == np.uint16 else 1
        array = (array / 255 * top).astype(dtype)
    photo = images.read(array)
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    _is_shown_as(photo, array[..., :3] / top, 1e-4)
    assert photo.alpha.dtype == photo.finest.dtype
    np.testing.assert_allclose(
        photo.alpha / np.iinfo(photo.alpha.dtype).max, array[..., 3] / top,
        atol=1e-4)


def test_grey_array_with_alpha_is_read_so_or_refused():
    array = _random(8, 9, 2)
    try:
        photo = images.read(array)
    except images.ImageError as error:
        assert "[8, 9, 2]" in str(error)
    else:
        np.testing.assert_array_equal(photo.pixels[..., 0], array[..., 0])
        np.testing.assert_array_equal(photo.alpha, array[..., 1])


def test_arrays_that_are_no_contiguous_block():
    for array in (RGB[::2, ::-3], np.asfortranarray(RGB), RGB_16[::-1],
                  RGB.astype(">u2"), np.ma.masked_array(RGB)):
        photo = images.read(array)
        np.testing.assert_array_equal(photo.finest, np.asarray(array))
        assert photo.finest.dtype.isnative


def test_results_are_no_view_of_an_array():
    array = RGB.copy()
    photo = images.read(array)
    array[:] = 0
    np.testing.assert_array_equal(photo.pixels, RGB)


@pytest.mark.parametrize("name", PIL_FILES)
def test_bytes_and_open_files_give_the_same_as_a_path(name, tmp_path):
    data = PIL_FILES[name]
    path = tmp_path / "photo.tif"
    path.write_bytes(data)
    photo = images.read(path)
    for source in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        _same(images.read(source), photo)
    for source in (path, data, io.BytesIO(data)):
        assert images.count_pages(source) == photo.num_pages
    with open(path, "rb") as file:
        _same(images.read(file), photo)
        assert not file.closed
    with open(path, "rb", buffering=0) as file:
        _same(images.read(file), photo)


def test_open_files_are_read_from_where_they_are():
    data = _saved(RGB, "PNG")
    file = io.BytesIO(b"header" + data)
    file.seek(6)
    np.testing.assert_array_equal(images.read(file).pixels, RGB)


def test_pipes_are_read():
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(_saved(np.full((4, 5), 77, np.uint8), "PNG"))
    with open(reading, "rb") as file:
        assert (images.read(file).pixels == 77).all()


def test_open_files_that_give_no_bytes():
    assert "(received" in _error(io.StringIO("text"))
    closed = io.BytesIO(_saved(RGB, "PNG"))
    closed.close()
    assert "(received" in _error(closed)


# --- Nearly whole, and truncated ---------------------------------------------


def test_jpeg_without_its_end_marker():
    data = _saved(GREY_8, "JPEG", quality=95)
    assert data.endswith(b"\xff\xd9")
    whole = images.read(data)
    photo = images.read(data[:-2])
    np.testing.assert_array_equal(photo.pixels, whole.pixels)
    assert len(photo.notes) == 1 and "end" in photo.notes[0]
    assert whole.notes == ()


def test_png_without_its_end_chunk():
    data = _saved(RGB, "PNG")
    photo = images.read(data[:-12])
    np.testing.assert_array_equal(photo.pixels, RGB)
    assert photo.notes


def _noise():
    # Files grow evenly from row to row, and no region is mid grey by chance.
    noise = np.kron(_random(36, 24, 3, seed=5), np.ones((4, 4, 1), np.uint8))
    return np.where(np.abs(noise.astype(int) - 128) < 9, 90, noise).astype(
        np.uint8)


NOISE = _noise()  # [144, 96, 3]


def _jpeg_by_rows():
    """A JPEG of one row of blocks after another: bytes, ends of the rows."""
    data = _saved(NOISE, "JPEG", quality=95, subsampling=0,
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


def _is_read_in_part(data, whole, missing=None):
    """Checks a truncated file: refused, and read leniently.

    Args:
        data: bytes of it.
        whole: uint8 [H, W, 3]. What the whole file shows.
        missing: float, 0..1. Share that is missing, where it is known.
    """
    assert re.search("truncated|incomplete|ends|missing", _error(data))
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
    _is_read_in_part(data[:ends[row - 1]], whole, 1 - row * 8 / 144)


@pytest.mark.parametrize("part", [.3, .6, .9])
@pytest.mark.parametrize("options", [
    {"subsampling": 0}, {"subsampling": 2}, {"optimize": True}], ids=str)
def test_truncated_jpeg(part, options):
    data = _saved(NOISE, "JPEG", quality=95, **options)
    start = data.index(b"\xff\xda")
    cut = data[:start + round(part * (len(data) - start))]
    whole = np.asarray(Image.open(io.BytesIO(data)))
    _is_read_in_part(cut, whole)
    stated = _stated_share(images.read(cut, lenient=True))
    assert abs(stated - (1 - part)) < .15


@pytest.mark.parametrize("part", [.1, .5, .95])
def test_truncated_png(part):
    data = _saved(NOISE, "PNG")
    cut = data[:round(part * len(data))]
    _is_read_in_part(cut, NOISE, 1 - _png_rows(cut))


@pytest.mark.parametrize("part", [.1, .5, .95])
def test_truncated_png_of_16_bits(part):
    data = png(NOISE.astype(np.uint16) * 257, 16)
    cut = data[:round(part * len(data))]
    _is_read_in_part(cut, NOISE)


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
    _is_read_in_part(cut, NOISE, 1 - part)


def _directory_first(entries, blocks):
    """A TIFF file whose pixels stand behind the directory."""
    lengths = [len(block) for block in blocks]

    def encoded(start):
        places = np.cumsum([start, *lengths[:-1]]).tolist()
        return directory(entries | {273: (4, places), 279: (4, lengths)}, 8)[0]

    start = 8 + len(encoded(0))
    return b"II*\0\x08\0\0\0" + encoded(start) + b"".join(blocks)


@pytest.mark.parametrize("options", [
    {"lossless": True}, {"quality": 90}], ids=str)
@pytest.mark.parametrize("part", [.5, .9])
def test_truncated_webp(part, options):
    data = _saved(NOISE, "WEBP", **options)
    whole = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    cut = data[:round(part * len(data))]
    _is_read_in_part(cut, whole)
    assert _stated_share(images.read(cut, lenient=True)) < 1.3 - part


def test_whole_files_are_read_leniently_as_ever():
    for data in (*PIL_FILES.values(), _saved(NOISE, "WEBP")):
        photo, other = images.read(data), images.read(data, lenient=True)
        _same(photo, other)
        assert photo.notes == other.notes


@pytest.mark.parametrize("data", [
    b"", b"text", _saved(NOISE, "JPEG")[:100], _saved(NOISE, "PNG")[:20],
    b"II*\0\x08\0\0\0"], ids=len)
def test_what_has_no_header_is_refused_even_so(data):
    _error(data, lenient=True)
