"""Every kind of picture in, the promised pixels or a one-line error out."""

import io
import json
import os
import struct
import subprocess
import sys
import warnings
import zlib

import hypothesis
import numpy as np
import pytest
import skimage.data
from hypothesis import strategies as st
from PIL import Image, ImageCms
from small_files import error_of

from tfdivcolor import images


def _encode(image, image_format="PNG", **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    if image_format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def _random(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


# --- What can be read ---


@pytest.mark.parametrize("image_format, options", [
    ("PNG", {}), ("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_lossless_formats_give_their_pixels(image_format, options):
    pixels = _random(5, 7, 3)
    photo = images.read(_encode(pixels, image_format, **options))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.pixels.dtype == np.uint8
    assert photo.name == "image" and not photo.is_grey


def test_jpeg_gives_about_its_pixels():
    pixels = skimage.data.astronaut()
    photo = images.read(_encode(pixels, "JPEG", quality=95, subsampling=0))
    assert np.abs(photo.pixels - pixels.astype(int)).mean() < 2


def test_every_kind_of_source_gives_the_same(tmp_path):
    pixels = _random(4, 6, 3)
    encoded = _encode(pixels)
    path = tmp_path / "photo.jpg"  # the content counts, not the name
    path.write_bytes(encoded)
    for source in (path, str(path), encoded, Image.open(path), pixels,
                   Image.fromarray(pixels)):
        np.testing.assert_array_equal(images.read(source).pixels, pixels)
    assert images.read(path).name == str(path)
    assert images.read(Image.open(path)).name == str(path)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 1)])
def test_grey_arrays_have_three_equal_channels(shape):
    grey = _random(*shape)
    photo = images.read(grey)
    assert photo.is_grey
    np.testing.assert_array_equal(
        photo.pixels, np.repeat(grey.reshape(3, 5, 1), 3, axis=-1))


@pytest.mark.parametrize("image_format", images.FORMATS)
def test_one_pixel(image_format):
    encoded = _encode(np.full([1, 1], 200, np.uint8), image_format)
    photo = images.read(encoded)
    assert photo.pixels.shape == (1, 1, 3) and photo.is_grey
    assert np.abs(photo.pixels.astype(int) - 200).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
def test_orientation_turns_the_picture_upright(orientation, image_format):
    # As the EXIF standard words it: where row 0 and column 0 are shown.
    upright = np.kron(_random(2, 3, 1), np.ones([16, 16, 1], np.uint8))[..., 0]
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1],
        4: upright[::-1], 5: upright.T, 6: upright.T[::-1],
        7: upright.T[::-1, ::-1], 8: upright.T[:, ::-1]}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = images.read(_encode(
        np.ascontiguousarray(stored), image_format, exif=exif))
    assert photo.pixels.shape == (32, 48, 3)
    difference = photo.pixels[..., 0].astype(int) - upright
    assert np.abs(difference).max() <= 3  # JPEG


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_cost_the_picture():
    encoded = _encode(_random(4, 4, 3), exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert images.read(encoded).pixels.shape == (4, 4, 3)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_16_bits_are_scaled_and_rounded(image_format):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    photo = images.read(_encode(values, image_format))
    np.testing.assert_array_equal(
        photo.pixels[..., 0], np.round(values / 257.0))
    assert photo.is_grey


def test_mode_i_counts_as_16_bits():
    values = np.array([[0, 257, 65535]], np.int32)
    photo = images.read(Image.fromarray(values))
    np.testing.assert_array_equal(photo.pixels[0, :, 0], [0, 1, 255])
    assert "16 bits" in error_of(Image.fromarray(values * 2))
    assert "-1..0" in error_of(Image.fromarray(np.int32([[0, -1]])))


def test_big_endian_16_bits():
    image = Image.frombytes("I;16B", (2, 1), b"\x01\x01\xff\xff")
    np.testing.assert_array_equal(
        images.read(image).pixels[0, :, 0], [1, 255])


def test_16_bit_rgb_png():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))

    row = b"\0" + struct.pack(">6H", 0, 0x8000, 0xFFFF, 0x1234, 1, 0xFF00)
    encoded = (b"\x89PNG\r\n\x1a\n"
               + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
               + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b""))
    np.testing.assert_allclose(
        images.read(encoded).pixels,
        [[[0, 128, 255], [0x12, 0, 255]]], atol=1)


def test_1_bit_is_black_and_white():
    image = Image.fromarray(_random(4, 9) > 127)
    assert image.mode == "1"
    expected = np.where(_random(4, 9) > 127, 255, 0)
    photo = images.read(_encode(image))
    np.testing.assert_array_equal(photo.pixels[..., 2], expected)


@pytest.mark.parametrize("image_format", ["PNG", "GIF", "BMP"])
def test_palette(image_format):
    pixels = _random(4, 4, 3)
    image = Image.fromarray(pixels).quantize(16, dither=Image.Dither.NONE)
    assert image.mode == "P"
    np.testing.assert_array_equal(
        images.read(_encode(image, image_format)).pixels, pixels)


def test_palette_with_transparency():
    pixels = _random(4, 4, 3)
    image = Image.fromarray(pixels).quantize(16, dither=Image.Dither.NONE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        photo = images.read(_encode(image, transparency=bytes(range(16))))
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_first_frame_of_an_animation():
    frames = [Image.fromarray(np.full([3, 3], value, np.uint8))
              for value in (10, 200)]
    encoded = _encode(frames[0], "GIF", save_all=True,
                      append_images=frames[1:])
    np.testing.assert_array_equal(images.read(encoded).pixels, 10)


@pytest.mark.parametrize("image_format", ["JPEG", "TIFF"])
def test_cmyk(image_format):
    inks = np.zeros([16, 48, 4], np.uint8)
    inks[:, :16, 0] = 255  # cyan, magenta, and half black
    inks[:, 16:32, 1] = 255
    inks[:, 32:, 3] = 128
    image = Image.frombytes("CMYK", (48, 16), inks.tobytes())
    photo = images.read(_encode(image, image_format))
    np.testing.assert_allclose(
        photo.pixels[8, [8, 24, 40]],
        [[0, 255, 255], [255, 0, 255], [127, 127, 127]], atol=4)


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_dropped(channels):
    pixels = _random(4, 5, channels)
    photo = images.read(_encode(pixels))
    expected = pixels[..., :3] if channels == 4 else pixels[..., [0, 0, 0]]
    np.testing.assert_array_equal(photo.pixels, expected)


def test_premultiplied_alpha_is_divided_out():
    image = Image.frombytes("RGBa", (1, 1), bytes([50, 25, 0, 128]))
    np.testing.assert_allclose(
        images.read(image).pixels, [[[100, 50, 0]]], atol=1)


def test_jpeg_of_grey_in_colour_is_grey():
    grey = skimage.data.astronaut()[::4, ::4, 1]
    encoded = _encode(np.repeat(grey[..., None], 3, axis=-1), "JPEG")
    assert images.read(encoded).is_grey


# --- Colour profiles ---


def _srgb_profile():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _swapped_profile():
    """sRGB with the primaries of red and green swapped, and another name."""
    profile = _srgb_profile()
    for old, new in ((b"rXYZ", b"????"), (b"gXYZ", b"rXYZ"),
                     (b"????", b"gXYZ")):
        profile = profile.replace(old, new, 1)
    srgb, other = ("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be"))
    assert srgb in profile
    return profile.replace(srgb, other)


def test_profile_is_applied():
    pixels = _random(6, 6, 3)
    photo = images.read(_encode(pixels, icc_profile=_swapped_profile()))
    np.testing.assert_allclose(photo.pixels, pixels[..., [1, 0, 2]], atol=2)


def test_srgb_profile_changes_nothing():
    pixels = _random(64, 64, 3)
    photo = images.read(_encode(pixels, icc_profile=_srgb_profile()))
    np.testing.assert_array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("profile", [b"broken", b"\0" * 200, None])
def test_broken_profile_does_not_cost_the_picture(profile):
    profile = profile or _swapped_profile()[:300]
    pixels = _random(4, 4, 3)
    photo = images.read(_encode(pixels, icc_profile=profile))
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_profile_for_other_channels_is_left_out():
    grey = _random(4, 4)
    photo = images.read(_encode(grey, icc_profile=_swapped_profile()))
    np.testing.assert_array_equal(photo.pixels[..., 0], grey)


# --- What cannot be read ---


def test_errors_of_files(tmp_path):
    missing = tmp_path / "missing.jpg"
    assert error_of(missing).startswith(f"{missing}: must be")
    assert "folder" in error_of(tmp_path)
    assert "null" in error_of("a\0b.png")

    empty = tmp_path / "empty.jpg"
    empty.touch()
    assert error_of(empty) == (
        f"{empty}: must be an image, one of JPEG, PNG, WEBP, TIFF, BMP, GIF, "
        "HEIF, AVIF, JPEG2000 (received an empty file)")

    text = tmp_path / "text.jpg"
    text.write_text("this is no picture")
    assert "begin b'this is no pictu'" in error_of(text)


@pytest.mark.parametrize(
    "image_format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "HEIF"])
@pytest.mark.parametrize("part", [0.2, 0.6])
def test_truncated_files(image_format, part):
    encoded = _encode(_random(40, 40, 3), image_format)
    assert error_of(encoded[:int(part * len(encoded))]).startswith("image: ")


def gives_pixels_or_our_error(whole, length, changes):
    """Damages an image file and reads it.

    Args:
        whole: bytes of the file.
        length: float, 0..1. Share of it that is left.
        changes: (place as a share of the file, value) of changed bytes.
    """
    encoded = bytearray(whole)
    for place, value in changes:
        encoded[int(place * len(encoded))] = value
    try:
        photo = images.read(
            bytes(encoded[:round(length * len(encoded))]), max_pixels=10_000)
    except images.ImageError as error:
        assert "\n" not in str(error)
    else:
        assert photo.pixels.dtype == np.uint8 and photo.pixels.shape[2] == 3


@hypothesis.given(
    image_format=st.sampled_from(sorted({*images.FORMATS} - {"HEIF"})),
    length=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)),
                     max_size=5))
@hypothesis.settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore")  # Pillow's, on damaged metadata
def test_damaged_files_give_pixels_or_our_error(image_format, length, changes):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if image_format in ("BMP", "GIF") else {
        "exif": exif, "icc_profile": _swapped_profile()}
    gives_pixels_or_our_error(
        _encode(_random(9, 8, 3), image_format, **options), length, changes)


def _with_size(image_format, width, height):
    """A small file whose header claims another size."""
    encoded = bytearray(_encode(_random(8, 8), image_format))
    if image_format == "JPEG":
        layout, place = ">HH", encoded.index(b"\xff\xc0") + 5
        width, height = height, width
    else:
        layout, place = {
            "PNG": (">II", 16), "BMP": ("<ii", 18), "GIF": ("<HH", 6),
        }[image_format]
    struct.pack_into(layout, encoded, place, width, height)
    if image_format == "PNG":
        struct.pack_into(">I", encoded, 29, zlib.crc32(encoded[12:29]))
    return bytes(encoded)


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "BMP", "GIF"])
@pytest.mark.parametrize("width, height", [(11_000, 11_000), (60_000, 60_000)])
def test_large_pictures_are_refused_by_their_header(
        image_format, width, height):
    encoded = _with_size(image_format, width, height)
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Pillow's own, for the smaller size
        message = error_of(encoded)
    assert message == (
        "image: must have at most 120000000 pixels "
        f"(received {width} x {height} = {width * height})")
    assert Image.MAX_IMAGE_PIXELS == limit


def test_pixel_limit_is_an_argument():
    pixels = _random(10, 10, 3)
    for source in (pixels, Image.fromarray(pixels), _encode(pixels)):
        assert images.read(source, max_pixels=100).pixels.shape == (10, 10, 3)
        assert "at most 99 pixels" in error_of(source, max_pixels=99)


@pytest.mark.parametrize("source, received", [
    (np.zeros([2, 2, 3], np.int32), "int32"),
    (np.full([2, 2], 1.5, np.float32), "1.5..1.5"),
    (np.full([2, 2], np.nan), "nan..nan"),
    (np.zeros([2, 2, 5], np.uint8), "[2, 2, 5]"),
    (np.zeros([2], np.uint8), "[2]"),
    (np.zeros([1, 2, 2, 3], np.uint8), "[1, 2, 2, 3]"),
    (np.zeros([0, 5, 3], np.uint8), "5 x 0"),
    (np.zeros([5, 0], np.uint8), "0 x 5"),
    (Image.new("F", (2, 2)), "mode F"),
    (Image.new("RGB", (0, 3)), "0 x 3"),
    ([[1, 2]], "list"),
    (None, "NoneType"),
    (b"", "an empty file"),
])
def test_errors_of_values(source, received):
    assert f"(received {received}" in error_of(source).replace(
        "received data that begin", "received")


# --- Writing ---


def test_png_keeps_pixels_and_metadata(tmp_path):
    path = tmp_path / "out.png"
    pixels = _random(5, 6, 3)
    metadata = {"settings": json.dumps({"seed": 1}), "Title": "Żółć ☀"}
    images.write_png(path, pixels, metadata)
    with Image.open(path) as image:
        assert image.format == "PNG" and image.mode == "RGB"
        assert image.text == metadata
        assert "srgb" in image.info
        np.testing.assert_array_equal(image, pixels)
    np.testing.assert_array_equal(images.read(path).pixels, pixels)
    assert os.listdir(tmp_path) == ["out.png"]


def test_png_has_the_permissions_of_a_plain_file(tmp_path):
    images.write_png(tmp_path / "out.png", _random(2, 2, 3))
    (tmp_path / "plain").touch()
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_targets_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for name in ("missing/out.png", "file/out.png", "folder"):
        with pytest.raises(images.ImageError, match="must be a file that can"):
            images.write_png(tmp_path / name, _random(2, 2, 3))
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_no_tensorflow_is_imported():
    code = ("import sys, tfdivcolor.images; "
            "sys.exit('tensorflow' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "photo.jpg")
    assert "a named pipe" in error_of(tmp_path / "photo.jpg")


def test_text_that_begins_like_a_bmp_is_none():
    assert "data that begin" in error_of(b"BMX racing, a history in words")
