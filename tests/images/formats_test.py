"""Every kind of picture through a file and back, and what files say.

The files are made, and read again, by other means: Pillow, tifffile, and the
words of the PNG and TIFF standards.
"""

import contextlib
import io
import os
import struct
import sys
import zlib

import hypothesis
import imagecodecs
import numpy as np
import pytest
import skimage.color
import skimage.data
import tifffile
from hypothesis import strategies as st
from photo_test import gives_pixels_or_our_error
from PIL import ExifTags, Image, ImageCms

from tfdivcolor import images
from tfdivcolor.images import formats
from tfdivcolor.settings import OUTPUT_FORMATS

WORDS = {"Software": "tfdivcolor 1", "weights": "lfw 0a1b", "seed": "-3",
         "num_samples": "8", "mode": "diverse", "rank": "0",
         "log_prob": "12.345"}
# Stands for the bytes of a thumbnail, which no result may have.
THUMBNAIL = b"\xff\xd8thumbnail\xff\xd9"


# --- Files made without tfdivcolor ---


def _directory(entries, start, following=0):
    """A TIFF directory at byte `start`: tag, type, count and value of each."""
    head, data = struct.pack("<H", len(entries)), b""
    data_start = start + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        head += struct.pack("<HHI", tag, kind, count)
        if len(value) <= 4:
            head += value.ljust(4, b"\0")
        else:
            head += struct.pack("<I", data_start + len(data))
            data += value + b"\0" * (len(value) % 2)
    return head + struct.pack("<I", following) + data


def _text(tag, text):
    data = text.encode() + b"\0"
    return tag, 2, len(data), data


def _exif(orientation):
    """What a camera writes: three directories, and a thumbnail's."""
    def first(exif_start=0, gps_start=0, thumbnail_start=0):
        return _directory([
            _text(0x010F, "Kamera"), _text(0x0110, "Modell Ä"),
            (0x0112, 3, 1, struct.pack("<H", orientation)),
            _text(0x0132, "2020:02:03 04:05:06"), _text(0x013B, "José"),
            (0x8769, 4, 1, struct.pack("<I", exif_start)),
            (0x8825, 4, 1, struct.pack("<I", gps_start))],
            8, thumbnail_start)

    exif_start = 8 + len(first())
    exif = _directory([
        (0x829A, 5, 1, struct.pack("<II", 1, 125)),
        _text(0x9003, "2019:02:03 04:05:06"),
        (0x9204, 10, 1, struct.pack("<ii", -1, 3)),
        (0x927C, 7, 10, b"maker note"),
        (0x9286, 7, 13, b"ASCII\0\0\0hello"),
        (0xA001, 3, 1, struct.pack("<H", 3)),
        (0xA002, 4, 1, struct.pack("<I", 4000)),
        (0xA003, 4, 1, struct.pack("<I", 3000))], exif_start)
    gps_start = exif_start + len(exif)
    gps = _directory([
        _text(0x0001, "N"),
        (0x0002, 5, 3, struct.pack("<6I", 52, 1, 13, 1, 55, 10))], gps_start)
    thumbnail_start = gps_start + len(gps)
    thumbnail = _directory([
        (0x0201, 4, 1, struct.pack("<I", thumbnail_start + 30)),
        (0x0202, 4, 1, struct.pack("<I", len(THUMBNAIL)))], thumbnail_start)
    return (b"Exif\0\0II*\0\x08\0\0\0"
            + first(exif_start, gps_start, thumbnail_start)
            + exif + gps + thumbnail + THUMBNAIL)


def _chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


def _png_16(values, *chunks):
    """PNG of uint16 [H, W, C]: C says whether grey, RGB, and with alpha."""
    height, width, channels = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16,
                         {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return (b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + b"".join(chunks)
            + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b""))


def _tiff_16(values, **options):
    """TIFF of uint16 [H, W, C]."""
    channels = values.shape[2]
    if channels in (2, 4):
        options.setdefault("extrasamples", ["unassalpha"])
    file = io.BytesIO()
    tifffile.imwrite(
        file, values[..., 0] if channels == 1 else values,
        **{"photometric": "minisblack" if channels < 3 else "rgb",
           "planarconfig": "contig" if channels > 1 else None,
           "metadata": None, **options})
    return file.getvalue()


def _save(image, image_format, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    if image_format == "HEIF":
        pytest.importorskip("pillow_heif").from_pillow(image).save(
            file, quality=95, chroma=444, **options)
    else:
        image.save(file, image_format, **options)
    return file.getvalue()


def _random(*shape, dtype=np.uint8, seed=0):
    return np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def _smooth(channels):
    """A picture that lossy formats hardly change: uint8 [32, 48, C]."""
    y, x = np.mgrid[:32, :48]
    planes = (5 * x + 8, 7 * y + 10, 250 - 3 * x - 2 * y, 40 + 3 * x + 2 * y)
    return np.stack(planes[:channels], axis=-1).astype(np.uint8)


def _stored(upright, orientation):
    """As the EXIF standard words it: where row 0 and column 0 are shown."""
    swapped = np.swapaxes(upright, 0, 1)
    return np.ascontiguousarray({
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1],
        4: upright[::-1], 5: swapped, 6: swapped[::-1],
        7: swapped[::-1, ::-1], 8: swapped[:, ::-1]}[orientation])


# --- Through a file and back ---


CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "P": 3, "1": 1}
KINDS = [
    *(("PNG", mode, 8) for mode in ("1", "P", "L", "LA", "RGB", "RGBA")),
    *(("PNG", mode, 16) for mode in ("L", "LA", "RGB", "RGBA")),
    *(("TIFF", mode, 8)
      for mode in ("1", "P", "L", "LA", "RGB", "RGBA", "CMYK")),
    *(("TIFF", mode, 16) for mode in ("L", "LA", "RGB", "RGBA")),
    *(("JPEG", mode, 8) for mode in ("L", "RGB", "CMYK")),
    *(("WEBP", mode, 8) for mode in ("RGB", "RGBA")),
    *(("HEIF", mode, 8) for mode in ("RGB", "RGBA")),
    *(("BMP", mode, 8) for mode in ("1", "P", "L", "RGB")),
    ("GIF", "P", 8),
]


def _file(image_format, mode, bits, stored, orientation):
    exif = _exif(orientation)
    if bits == 16 and image_format == "PNG":
        return _png_16(stored, _chunk(b"eXIf", exif[6:]))
    if bits == 16:
        return _tiff_16(stored, extratags=[
            (0x010F, "s", 0, "Kamera", True), (0x0110, "s", 0, "M", True),
            (0x0112, "H", 1, orientation, True)])
    options = {} if image_format in ("BMP", "GIF") else {"exif": exif}
    if image_format == "WEBP":
        options |= {"lossless": True, "exact": True}
    if image_format == "JPEG":
        options |= {"quality": 100, "subsampling": 0}
    return _save(_image(mode, stored), image_format, **options)


def _image(mode, values):
    if mode == "1":
        return Image.fromarray(values[..., 0] > 127)
    if mode == "P":
        # Few colours, so that the palette holds them as they are.
        return Image.fromarray(values // 128 * 200).quantize(
            8, dither=Image.Dither.NONE)
    height, width, _ = values.shape
    return Image.frombytes(mode, (width, height), values.tobytes())


def _expected(mode, bits, upright):
    """Pixels and alpha that a file of these channels shows."""
    if bits == 16:
        colors = upright[..., :1 if upright.shape[2] < 3 else 3]
        pixels = np.broadcast_to(colors, (*colors.shape[:2], 3))
    else:
        pixels = np.asarray(_image(mode, upright).convert("RGB"))
    return pixels, upright[..., -1] if mode in ("LA", "RGBA") else None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format, mode, bits", KINDS)
def test_every_kind_through_a_file_and_back(
        image_format, mode, bits, orientation):
    has_exif = image_format not in ("BMP", "GIF")
    if not has_exif and orientation > 1:
        return  # there is no way to say so
    if bits == 16:
        upright = _random(32, 48, CHANNELS[mode], dtype=np.uint16)
    else:
        upright = _smooth(CHANNELS[mode])
    encoded = _file(image_format, mode, bits, _stored(upright, orientation),
                    orientation)
    pixels, alpha = _expected(mode, bits, upright)
    photo = images.read(encoded)

    # In.
    is_lossless = image_format in (*formats.LOSSLESS_FORMATS, "GIF")
    tolerance = 0 if is_lossless else 4
    assert photo.pixels.dtype == np.uint8
    assert photo.pixels.shape == (32, 48, 3)
    assert photo.image_format == image_format
    assert photo.has_palette == (mode in ("1", "P"))
    values = photo.finest
    if bits == 16:
        assert values is photo.pixels_16
        np.testing.assert_array_equal(
            photo.pixels, np.round(values / 257.0).astype(np.uint8))
    else:
        assert photo.pixels_16 is None
    np.testing.assert_allclose(values.astype(int), pixels, atol=tolerance)
    assert (photo.alpha is None) == (alpha is None)
    if alpha is not None:
        assert photo.alpha.dtype == values.dtype
        np.testing.assert_allclose(
            photo.alpha.astype(int), alpha, atol=tolerance)
    assert (photo.exif is not None) == has_exif

    # Out.
    like = formats.output_format(photo)
    assert like == ("PNG" if mode in ("1", "P") else image_format)
    result = images.encode(values, like, photo.alpha, photo.exif, WORDS)

    # And in again.
    again = images.read(result)
    assert again.image_format == like
    assert again.finest.dtype == values.dtype
    tolerance = 0 if like in formats.LOSSLESS_FORMATS else 4
    np.testing.assert_allclose(
        again.finest.astype(int), values, atol=tolerance)
    if alpha is not None:
        np.testing.assert_allclose(
            again.alpha.astype(int), photo.alpha, atol=tolerance)
    assert images.read_metadata(result) == ({} if like == "BMP" else WORDS)
    assert THUMBNAIL not in result
    if has_exif:
        assert again.exif == photo.exif
        _check_exif(photo.exif, is_full=not (
            image_format == "TIFF" and bits == 16))
    _check_profile(result, like)


def _check_exif(encoded, is_full):
    exif = Image.Exif()
    exif.load(encoded)
    assert exif[0x010F] == "Kamera"
    assert exif[0x0112] == 1
    assert not exif.get_ifd(ExifTags.IFD.IFD1)
    if is_full:
        assert exif[0x0132] == "2020:02:03 04:05:06"
        directory = exif.get_ifd(ExifTags.IFD.Exif)
        assert directory[0x9003] == "2019:02:03 04:05:06"
        assert directory[0x829A] == 1 / 125
        assert directory[0x9204].numerator == -1
        assert directory[0x9204].denominator == 3
        assert directory[0x927C] == b"maker note"
        assert directory[0x9286] == b"ASCII\0\0\0hello"
        assert directory[0xA001] == 1  # sRGB
        assert (directory[0xA002], directory[0xA003]) == (48, 32)
        assert exif.get_ifd(ExifTags.IFD.GPSInfo) == {
            1: "N", 2: (52.0, 13.0, 5.5)}


def _check_profile(encoded, image_format):
    if image_format == "HEIF":
        info = pytest.importorskip("pillow_heif").open_heif(encoded).info
    else:
        info = Image.open(io.BytesIO(encoded)).info
    if image_format == "PNG":
        assert info["srgb"] == 0
    elif image_format != "BMP":
        profile = info["icc_profile"]
        assert "sRGB" in ImageCms.getProfileDescription(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        # No date of today, which would make other bytes every day.
        assert struct.unpack(">6H", profile[24:36]) == (2000, 1, 1, 0, 0, 0)


# --- 16 bits in ---


@pytest.mark.parametrize("options", [
    {"compression": "lzw"}, {"compression": "lzw", "predictor": True},
    {"compression": "zlib", "predictor": True, "tile": (16, 16)},
    {"compression": "packbits"}, {"rowsperstrip": 5, "compression": "zstd"},
    {"planarconfig": "separate"},
    {"planarconfig": "separate", "compression": "zlib", "predictor": True},
], ids=str)
@pytest.mark.parametrize("byteorder", "<>")
def test_layouts_of_16_bit_tiff(options, byteorder):
    values = _random(20, 30, 3, dtype=np.uint16)
    stored = values
    if options.get("planarconfig") == "separate":
        file = io.BytesIO()
        tifffile.imwrite(file, np.moveaxis(values, -1, 0).copy(),
                         photometric="rgb", byteorder=byteorder, **options)
        encoded = file.getvalue()
    else:
        encoded = _tiff_16(stored, byteorder=byteorder, extratags=[
            (0x0112, "H", 1, 6, True)], **options)
        values = np.rot90(values, -1)
    np.testing.assert_array_equal(images.read(encoded).pixels_16, values)


def test_big_tiff_of_16_bits():
    values = _random(20, 30, 3, dtype=np.uint16)
    photo = images.read(_tiff_16(values, bigtiff=True, extratags=[
        (0x0112, "H", 1, 3, True)]))
    np.testing.assert_array_equal(photo.pixels_16, values[::-1, ::-1])


def test_16_bit_grey_where_zero_is_white():
    values = _random(4, 5, 1, dtype=np.uint16)
    photo = images.read(_tiff_16(values, photometric="miniswhite"))
    np.testing.assert_array_equal(photo.pixels_16[..., :1], 65535 - values)


def test_premultiplied_16_bits_are_divided_out():
    colors = _random(6, 7, 3, dtype=np.uint16)
    alpha = _random(6, 7, 1, dtype=np.uint16, seed=1) | 0x8000
    stored = np.round(colors * (alpha / 65535)).astype(np.uint16)
    photo = images.read(_tiff_16(
        np.concatenate([stored, alpha], -1), extrasamples=["assocalpha"]))
    np.testing.assert_allclose(
        photo.pixels_16.astype(int), colors, atol=1)
    np.testing.assert_array_equal(photo.alpha, alpha[..., 0])


def test_other_channels_of_16_bit_tiff_are_no_alpha():
    values = _random(4, 5, 5, dtype=np.uint16)
    photo = images.read(_tiff_16(
        values, extrasamples=["unspecified", "unspecified"]))
    np.testing.assert_array_equal(photo.pixels_16, values[..., :3])
    assert photo.alpha is None


@pytest.mark.parametrize("channels", [1, 3])
def test_transparent_colour_of_16_bit_png(channels):
    values = _random(4, 5, channels, dtype=np.uint16)
    key = struct.pack(f">{channels}H", *values[2, 3])
    photo = images.read(_png_16(values, _chunk(b"tRNS", key)))
    expected = np.full([4, 5], 65535)
    expected[2, 3] = 0
    np.testing.assert_array_equal(photo.alpha, expected)


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1"])
def test_transparent_colour_of_8_bit_png(mode):
    image = Image.fromarray(_random(4, 5, 3)).convert(mode)
    color = image.getpixel((3, 2))
    expected = [[0 if image.getpixel((x, y)) == color else 255
                 for x in range(5)] for y in range(4)]
    photo = images.read(_save(image, "PNG", transparency=color))
    np.testing.assert_array_equal(photo.alpha, expected)
    np.testing.assert_array_equal(photo.pixels, image.convert("RGB"))


def test_pil_image_of_16_bits():
    values = _random(4, 5, dtype=np.uint16)
    photo = images.read(Image.fromarray(values))
    np.testing.assert_array_equal(photo.pixels_16[..., 1], values)
    assert photo.image_format is None


# --- Colour profiles of 16 bits ---


def _srgb_curve(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear,
                    1.055 * linear ** (1 / 2.4) - 0.055)


def _with_profile(image_format, values, profile):
    if image_format == "TIFF":
        return _tiff_16(values, iccprofile=profile)
    return _png_16(values, _chunk(
        b"iCCP", b"profile\0\0" + zlib.compress(profile)))


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_profile_of_16_bit_rgb_is_applied(image_format):
    values = _random(50, 60, 3, dtype=np.uint16)
    adobe = imagecodecs.cms_profile("adobergb")
    photo = images.read(_with_profile(image_format, values, adobe))
    # Adobe RGB (1998) and sRGB to XYZ; both have the white point D65.
    of_adobe = np.array([[0.5767309, 0.1855540, 0.1881852],
                         [0.2973769, 0.6273491, 0.0752741],
                         [0.0270343, 0.0706872, 0.9911085]])
    of_srgb = np.array([[0.4124564, 0.3575761, 0.1804375],
                        [0.2126729, 0.7151522, 0.0721750],
                        [0.0193339, 0.1191920, 0.9503041]])
    linear = (values / 65535) ** (563 / 256) @ of_adobe.T
    linear = np.clip(linear @ np.linalg.inv(of_srgb).T, 0, 1)
    np.testing.assert_allclose(
        photo.pixels_16 / 65535, _srgb_curve(linear), atol=0.0015)
    reduced = images.read(_save(
        (values // 257).astype(np.uint8), "PNG", icc_profile=adobe))
    np.testing.assert_allclose(  # as at 8 bits, whose steps are large in darks
        photo.pixels.astype(int), reduced.pixels, atol=12)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_profile_of_16_bit_grey_is_applied(image_format):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    profile = imagecodecs.cms_profile("gray", gamma=563 / 256)
    photo = images.read(_with_profile(image_format, values, profile))
    np.testing.assert_allclose(
        photo.pixels_16 / 65535.0,
        np.repeat(_srgb_curve((values / 65535) ** (563 / 256)), 3, -1),
        atol=0.0025)
    assert photo.is_grey


@pytest.mark.parametrize("profile", [
    imagecodecs.cms_profile("srgb"), b"broken", b"\0" * 200,
    imagecodecs.cms_profile("adobergb")[:300]])
def test_profile_that_changes_no_16_bits(profile):
    values = _random(5, 6, 3, dtype=np.uint16)
    photo = images.read(_with_profile("TIFF", values, profile))
    np.testing.assert_array_equal(photo.pixels_16, values)


# --- 16 bits out ---


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_tiff_as_others_read_it(dtype, has_alpha):
    # More than one strip, of unequal heights, and an odd number of bytes.
    values = _random(701, 601, 3 + has_alpha, dtype=dtype)
    encoded = images.encode(
        values[..., :3], "TIFF", values[..., 3] if has_alpha else None,
        metadata={"seed": "0"})
    with tifffile.TiffFile(io.BytesIO(encoded)) as file:
        np.testing.assert_array_equal(file.asarray(), values)
        page = file.pages[0]
        assert len(page.dataoffsets) > 1 and page.photometric == 2
        assert [int(kind) for kind in page.extrasamples] == [2] * has_alpha
        assert b'tfdivcolor:seed="0"' in page.tags[700].value
    if dtype == np.uint8:
        np.testing.assert_array_equal(
            Image.open(io.BytesIO(encoded)), values)


@pytest.mark.parametrize("has_alpha", [False, True])
def test_16_bit_png_as_the_standard_reads_it(has_alpha):
    values = _random(7, 9, 3 + has_alpha, dtype=np.uint16)
    encoded = images.encode(
        values[..., :3], "PNG", values[..., 3] if has_alpha else None,
        b"Exif\0\0II*\0", {"seed": "0"})
    np.testing.assert_array_equal(_decoded_png(encoded), values)


def _decoded_png(encoded):
    """A decoder for PNG of 16 bits a channel: loops over rows and bytes."""
    chunks, place = {}, 8
    while place < len(encoded):
        length, = struct.unpack_from(">I", encoded, place)
        kind = encoded[place + 4:place + 8]
        data = encoded[place + 8:place + 8 + length]
        crc, = struct.unpack_from(">I", encoded, place + 8 + length)
        assert crc == zlib.crc32(kind + data)
        chunks[kind] = chunks.get(kind, b"") + data
        place += 12 + length
    # All that describes the picture comes before it.
    assert list(chunks) == [b"IHDR", b"sRGB", b"eXIf", b"tEXt", b"IDAT",
                            b"IEND"]
    width, height, bits, kind = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert bits == 16 and kind in (2, 6)
    size = {2: 6, 6: 8}[kind]  # bytes a pixel
    data = zlib.decompress(chunks[b"IDAT"])
    rows = []
    for y in range(height):
        method, *row = data[y * (width * size + 1):][:width * size + 1]
        for i in range(width * size):
            left = row[i - size] if i >= size else 0
            assert method == 1  # the difference to the pixel on the left
            row[i] = (row[i] + left) % 256
        rows.append(bytes(row))
    return np.frombuffer(b"".join(rows), ">u2").reshape(height, width, -1)


# --- What results are called and how they are written ---


@pytest.mark.parametrize("expected, image_format, has_palette, has_alpha", [
    ("JPEG", "JPEG", False, False), ("PNG", "PNG", False, True),
    ("TIFF", "TIFF", False, True), ("WEBP", "WEBP", False, False),
    ("BMP", "BMP", False, False), ("PNG", "BMP", False, True),
    ("PNG", "GIF", True, False), ("PNG", "TIFF", True, False),
    ("PNG", "BMP", True, False), ("PNG", None, False, False)])
def test_format_of_results(expected, image_format, has_palette, has_alpha):
    photo = images.Photo(
        np.zeros([1, 1, 3], np.uint8), "image", True,
        alpha=np.zeros([1, 1], np.uint8) if has_alpha else None,
        image_format=image_format, has_palette=has_palette)
    assert formats.output_format(photo) == expected
    for wanted in ("png", "jpeg", "webp", "tiff", "bmp"):
        assert formats.output_format(photo, wanted) == wanted.upper()
    with pytest.raises(ValueError, match="must be one of png, jpeg"):
        formats.output_format(photo, "gif")


def test_every_output_format_is_written_and_has_a_suffix():
    pytest.importorskip("pillow_heif")
    pixels = _smooth(3)
    photo = images.read(pixels)
    suffixes = []
    for wanted in OUTPUT_FORMATS:
        image_format = formats.output_format(photo, wanted)
        again = images.read(images.encode(pixels, image_format))
        assert again.image_format == image_format
        suffixes.append(formats.suffix(image_format))
    assert suffixes == [".png", ".jpg", ".webp", ".tif", ".bmp", ".heic"]


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "BMP", "HEIF"])
def test_16_bits_are_rounded_for_other_formats(image_format):
    if image_format == "HEIF":
        pytest.importorskip("pillow_heif")
    pixels = _random(4, 5, 3, dtype=np.uint16)
    reduced = np.round(pixels / 257.0).astype(np.uint8)
    assert images.encode(pixels, image_format) == images.encode(
        reduced, image_format)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_is_brought_to_the_type_of_the_pixels(image_format, dtype):
    pixels = _random(4, 5, 3, dtype=dtype)
    alpha = _random(4, 5)
    expected = images.encode(
        pixels, image_format,
        alpha if dtype == np.uint8 else alpha.astype(np.uint16) * 257)
    for given in (alpha, alpha.astype(np.uint16) * 257):
        assert images.encode(pixels, image_format, given) == expected


@pytest.mark.parametrize("image_format, mean, top", [
    ("JPEG", 0.5, 2), ("HEIF", 0.15, 0.5)])
def test_lossy_formats_keep_luminance_closely(image_format, mean, top):
    if image_format == "HEIF":
        pytest.importorskip("pillow_heif")
    pixels = skimage.data.astronaut()
    again = images.read(images.encode(pixels, image_format)).pixels
    difference = np.abs(skimage.color.rgb2lab(again)
                        - skimage.color.rgb2lab(pixels))[..., 0]
    assert 0 < difference.mean() < mean
    assert np.percentile(difference, 99) < top


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP"])
def test_sides_that_a_format_cannot_hold(image_format):
    with pytest.raises(images.ImageError) as caught:
        images.encode(np.zeros([1, 70_000, 3], np.uint8), image_format)
    assert f"written as {image_format} (received 70000 x 1)" in str(
        caught.value)


def test_heif_without_its_library(monkeypatch):
    pytest.importorskip("pillow_heif")
    encoded = images.encode(_smooth(3), "HEIF")
    photo = images.read(encoded)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for call in (lambda: images.read(encoded),
                 lambda: images.encode(_smooth(3), "HEIF"),
                 lambda: formats.output_format(photo),
                 lambda: formats.output_format(photo, "heic")):
        with pytest.raises(images.ImageError, match=r"tfdivcolor\[heic\]"):
            call()
    assert formats.output_format(photo, "png") == "PNG"


# --- What files say ---


TEXTS = ["PNG", "JPEG", "WEBP", "TIFF", "HEIF"]


@pytest.mark.parametrize("image_format", TEXTS)
def test_exif_in_every_format(image_format, tmp_path):
    if image_format == "HEIF":
        pytest.importorskip("pillow_heif")
    exif = images.read(_png_16(
        _random(32, 48, 1, dtype=np.uint16),
        _chunk(b"eXIf", _exif(6)[6:]))).exif
    assert "Modell Ä".encode() in exif and "José".encode() in exif
    path = tmp_path / f"result{formats.suffix(image_format)}"
    path.write_bytes(images.encode(_smooth(3), image_format, exif=exif,
                                    metadata=WORDS))
    kept = images.read(path).exif
    assert "Modell Ä".encode() in kept and "José".encode() in kept
    assert images.read_metadata(path) == WORDS
    assert images.read_metadata(str(path)) == WORDS


@hypothesis.given(
    image_format=st.sampled_from(TEXTS[:4]),
    texts=st.dictionaries(
        st.from_regex("[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True),
        st.text(max_size=20), max_size=4))
@hypothesis.settings(max_examples=200, deadline=None)
def test_metadata_of_any_text(image_format, texts):
    encoded = images.encode(
        np.zeros([1, 1, 3], np.uint8), image_format, metadata=texts)
    expected = {name: "".join(
        character if character in "\t\n\r" or (
            ord(character) >= 32 and not 0xD800 <= ord(character) < 0xE000
            and ord(character) not in (0xFFFE, 0xFFFF)) else "?"
        for character in text) for name, text in texts.items()}
    assert images.read_metadata(encoded) == expected


@pytest.mark.parametrize("name", ["", "a b", "1st", "ä", "n" * 80, "a\n"])
def test_names_of_metadata_are_checked(name):
    with pytest.raises(ValueError, match="metadata: names must be"):
        images.encode(_smooth(3), "PNG", metadata={name: "text"})


@pytest.mark.parametrize("source, received", [
    (b"", "an empty file"), (b"no picture at all", "data that begin"),
    ("missing.png", "No such file"),
    (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "broken PNG")])
def test_metadata_of_what_is_no_image(source, received):
    with pytest.raises(images.ImageError, match=received) as caught:
        images.read_metadata(source)
    assert "(received" in str(caught.value)


def test_metadata_of_other_files_is_empty():
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><broken"
    for options in ({}, {"xmp": packet}, {"exif": _exif(1)}):
        assert images.read_metadata(_save(_smooth(3), "JPEG", **options)) == {}


def test_picture_without_words_of_the_camera_has_no_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert images.read(_save(_smooth(3), "JPEG", exif=exif)).exif is None
    assert images.read(_smooth(3)).exif is None


def test_exif_too_long_for_jpeg_is_left_out():
    exif = Image.Exif()
    exif[0x010F] = "Kamera"
    exif[0x8769] = {0x927C: b"m" * 70_000}
    kept = images.read(_save(_smooth(3), "PNG", exif=exif)).exif
    assert len(kept) > 70_000
    for image_format in ("JPEG", "WEBP", "TIFF"):
        again = images.read(images.encode(
            _smooth(3), image_format, exif=kept)).exif
        assert again == (None if image_format == "JPEG" else kept)


@hypothesis.given(changes=st.lists(
    st.tuples(st.integers(6, len(_exif(6)) - 1), st.integers(0, 255)),
    min_size=1, max_size=8))
@hypothesis.settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore")  # Pillow's, on damaged metadata
def test_damaged_exif_is_kept_or_left_out(changes):
    exif = bytearray(_exif(6))
    for place, value in changes:
        exif[place] = value
    photo = images.read(_png_16(
        _random(4, 5, 1, dtype=np.uint16), _chunk(b"eXIf", bytes(exif[6:]))))
    assert photo.pixels.size == 60
    if photo.exif is not None:
        for image_format in ("PNG", "TIFF", "JPEG"):
            images.encode(photo.pixels, image_format, exif=photo.exif)


# --- Damaged files ---


def _deep_files():
    values = _random(9, 8, 3, dtype=np.uint16)
    adobe = imagecodecs.cms_profile("adobergb")
    files = [_with_profile("PNG", values, adobe),
             _png_16(_random(9, 8, 4, dtype=np.uint16)),
             _with_profile("TIFF", values, adobe),
             _tiff_16(values, compression="lzw", predictor=True),
             _tiff_16(_random(9, 8, 2, dtype=np.uint16), tile=(16, 16)),
             _tiff_16(values, byteorder=">")]
    with contextlib.suppress(images.ImageError):  # without the library
        files.append(images.encode(_smooth(3), "HEIF", exif=_exif(1)))
    return files


DEEP_FILES = _deep_files()


@hypothesis.given(
    kind=st.integers(0, len(DEEP_FILES) - 1), length=st.floats(0.5, 1),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)),
                     max_size=5))
@hypothesis.settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore")  # Pillow's, on damaged metadata
def test_damaged_files_give_pixels_or_our_error(kind, length, changes):
    gives_pixels_or_our_error(DEEP_FILES[kind], length, changes)


@pytest.mark.filterwarnings("ignore")  # Pillow's, on damaged metadata
@pytest.mark.parametrize("part", [0.3, 0.9])
@pytest.mark.parametrize("kind", range(len(DEEP_FILES)))
def test_truncated_files(kind, part):
    encoded = DEEP_FILES[kind]
    with pytest.raises(images.ImageError, match="^image: must be"):
        images.read(encoded[:int(part * len(encoded))])


@pytest.mark.parametrize("side", [11_000, 60_000])
def test_large_16_bit_pictures_are_refused_by_their_header(side):
    png = bytearray(DEEP_FILES[1])
    struct.pack_into(">II", png, 16, side, side)
    struct.pack_into(">I", png, 29, zlib.crc32(png[12:29]))
    tiff = bytearray(DEEP_FILES[3])
    for tag in (256, 257):
        entry = tiff.index(struct.pack("<HHI", tag, 4, 1))
        struct.pack_into("<I", tiff, entry + 8, side)
    for encoded in (png, tiff):
        with pytest.raises(images.ImageError) as caught:
            images.read(bytes(encoded))
        assert str(caught.value) == (
            "image: must have at most 120000000 pixels "
            f"(received {side} x {side} = {side * side})")


def test_file_names_that_are_no_text(tmp_path):
    folder = os.fsencode(tmp_path)
    good, bad = folder + b"/\xff\n.png", folder + b"/\xfe\n.jpg"
    with open(good, "wb") as file:
        file.write(images.encode(_smooth(3), "PNG"))
    with open(bad, "wb") as file:
        file.write(b"text")
    name = os.fsdecode(good)
    assert images.read(name).name == name
    assert len(images.find([tmp_path]).pictures) == 2
    for path in (os.fsdecode(bad), os.fsdecode(bad) + "missing"):
        with pytest.raises(images.ImageError) as caught:
            images.read(path)
        message = str(caught.value)
        assert "\n" not in message and "\\udcfe" in message
        message.encode()  # can be printed


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "BMP"])
@pytest.mark.parametrize("turn", [1, 6])
def test_resolution_is_kept(image_format, turn):
    source = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(
        source, "JPEG", dpi=(300, 240), exif=exif)
    photo = images.read(source.getvalue())
    assert photo.dpi == ((300, 240) if turn == 1 else (240, 300))
    data = images.encode(
        photo.pixels, image_format, exif=photo.exif, dpi=photo.dpi)
    with Image.open(io.BytesIO(data)) as image:
        # Stored per metre in PNG and BMP.
        np.testing.assert_allclose(
            [float(number) for number in image.info["dpi"]], photo.dpi,
            rtol=1e-3)
    assert images.read(data).dpi is not None
    assert images.read(images.encode(photo.pixels, "WEBP")).dpi is None


@pytest.mark.parametrize("image_format", ["JPEG", "WEBP", "PNG"])
def test_reading_back_is_reading(image_format):
    pixels = np.random.default_rng(0).integers(
        0, 255, [20, 30, 3]).astype(np.uint8)
    data = images.encode(pixels, image_format)
    found = images.read_back(data, image_format)
    assert found.dtype == np.uint8
    # Decoders of JPEG may round differently.
    assert np.abs(found.astype(int) - images.read(data).pixels).max() <= (
        image_format == "JPEG")
