"""Every kind of picture file, against values computed without tfdivcolor.

Format x bit depth x photometric x profile x orientation x alpha: `making` says
what there is and what each file shows.  Each is read by path, as bytes and as
a PIL image, and as the exported model reads it.  The default suite has some
cases of each kind, the slow one has all.
"""

import dataclasses
import io
import itertools
import random
import re

import imagecodecs
import making
import numpy as np
import pytest
import tensorflow as tf
from hand_written import Layout, tiff, tiff_page
from making import HEIGHT, WIDTH, Case
from PIL import Image
from right_colours import lstar

from serving.client import upload
from tfdivcolor import images
from tfdivcolor.export import graph_decoding

SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "JPEG2000": ".jp2",
            "HEIF": ".heic"}
# What a profile or chunk says in vain, as it says sRGB or nothing usable.
CHANGES_NOTHING = ("none", "sRGB", "sRGB 4", "Lab", "damaged", "sRGB chunk",
                   "cICP before iCCP", "sRGB before gAMA")


def _kind(case):
    return case.image_format, case.colour, case.depth, case.alpha


ALL = {kind: list(cases) for kind, cases in itertools.groupby(
    sorted(making.cases(), key=_kind), _kind)}


def _sample():
    """Some of each kind, the more the more there are; every value of every
    axis is among them."""
    everything = list(making.cases())
    random.Random(0).shuffle(everything)
    wanted = {kind: 1 + len(cases) // 60 for kind, cases in ALL.items()}
    seen = set()
    for case in everything:
        values = set(dataclasses.asdict(case).items())
        if wanted[_kind(case)] or values - seen:
            yield case
            wanted[_kind(case)] = max(0, wanted[_kind(case)] - 1)
            seen |= values


# --- One case ----------------------------------------------------------------


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def _in_graph(data):
    return graph_decoding.decode(data, 0, 10 ** 6)


def problems(case, folder):
    """What is wrong with how the file of a case is read: list of str."""
    made = making.make(case)
    path = folder / f"{case}{SUFFIXES.get(case.image_format, '.file')}"
    path.write_bytes(made.data)
    try:
        photo = images.read(path)
    except images.ImageError as error:
        return [f"refused: {str(error).removeprefix(str(path))}"]
    found = [
        *_wrong_pixels(case, made, photo.pixels, photo.pixels_16),
        *_wrong_words(case, made, photo),
        *_wrong_alpha(case, made, photo)]
    found += _differences("bytes", photo, lambda: images.read(made.data))
    if _pillow_opens(path):
        def read():
            with Image.open(path) as image:
                return images.read(image)
        found += _differences("PIL image", photo, read)
    try:
        sent = _in_graph(upload.encode(path)).numpy()
        if not np.array_equal(sent, photo.pixels):
            found.append("graph, by upload: other pixels"
                         f"{_largest(sent, photo.pixels)}")
        if _graph_reads(case):
            found += [f"graph: {problem}" for problem in _wrong_pixels(
                case, made, _in_graph(made.data).numpy(), None)]
    except tf.errors.InvalidArgumentError as error:
        found.append(f"graph: {error.message.splitlines()[0]}")
    return found


def _wrong_pixels(case, made, pixels, pixels_16):
    if pixels.dtype != np.uint8 or pixels.shape != made.shown.shape:
        return [f"pixels are {pixels.dtype} {pixels.shape}"]
    found = []
    if pixels_16 is not None:
        reduced = np.rint(pixels_16 / 257)
        if np.abs(pixels - reduced).max() > 0:
            found.append("pixels are not pixels_16, rounded")
    if case.is_lossy:
        error = np.abs(lstar(pixels / 255) - lstar(made.shown))
        color = np.abs(pixels - made.shown * 255).mean()
        if error.mean() > .6 or error.max() > 4 or color > 3:
            found.append(f"L* is off by {error.mean():.2f} on average, "
                         f"{error.max():.2f} at most; levels by {color:.1f}")
    elif pixels_16 is not None and case.is_deep:
        error = np.abs(pixels_16 / 65535 - made.shown).max()
        if error > 2e-4:
            found.append(f"off by {error:.5f} of the range")
    else:
        error = np.abs(pixels - np.rint(made.shown * 255)).max()
        is_exact = (case.profile in CHANGES_NOTHING
                    and case.colour in ("grey", "rgb", "palette", "negative")
                    and case.bits <= 8 and case.alpha != "associated"
                    and case.layout != "16 bits")
        limit = (0 if is_exact else 2 if case.alpha == "associated"
                 or case.colour == "ycbcr" else 1)
        if error > limit:
            found.append(f"off by {error:.0f} levels, allowed {limit}")
    return found


def _wrong_words(case, made, photo):
    if photo.image_format != case.image_format:
        yield f"format {photo.image_format}"
    if case.is_deep != (photo.pixels_16 is not None) and case.space != "lab":
        yield f"pixels_16 is {type(photo.pixels_16).__name__}"
    if (photo.page, photo.num_pages) != (1, 1):
        yield f"page {photo.page} of {photo.num_pages}"
    is_grey = case.space == "grey"
    if photo.is_grey != is_grey and case.colour != "palette":
        yield f"is_grey {photo.is_grey}"
    if (photo.dpi is None) != (made.dpi is None) or (
            made.dpi and not np.allclose(photo.dpi, made.dpi, rtol=1e-3)):
        yield f"dpi {photo.dpi}, right {made.dpi}"
    fits = case.profile == "CMYK" if case.space == "cmyk" else (
        case.profile != "Lab" or case.space == "lab")
    if case.profile == "damaged" or case.profile != "none" and not fits:
        if not photo.notes:
            yield "nothing is said about a profile that cannot be used"
    elif (case.profile in CHANGES_NOTHING and photo.notes
          # Where some of the values are clipped, that may be said.
          and not case.depth.startswith("float")):
        yield f"notes {photo.notes}"


def _wrong_alpha(case, made, photo):
    if (photo.alpha is None) != (made.alpha is None):
        yield f"alpha is {type(photo.alpha).__name__}"
    elif made.alpha is not None:
        if photo.alpha.dtype != photo.finest.dtype:
            yield f"alpha is {photo.alpha.dtype}"
        top = np.iinfo(photo.alpha.dtype).max
        error = np.abs(photo.alpha / top - made.alpha).max()
        if error > (3 / 255 if case.is_lossy else 2e-4 if case.is_deep
                    else 0.1 / 255):
            yield f"alpha is off by {error:.5f}"


def _differences(way, photo, read):
    try:
        other = read()
    except images.ImageError as error:
        return [f"{way}: refused: {error}"]
    found = [name for name in ("pixels", "pixels_16", "alpha")
             if not np.array_equal(getattr(photo, name), getattr(other, name))]
    found += [f"{name} {getattr(other, name)}" for name in (
        "is_grey", "dpi", "page", "num_pages", "notes", "image_format")
        if getattr(photo, name) != getattr(other, name)]
    return [f"{way}: other {', '.join(found)}"] if found else []


def _largest(values, others):
    if values.shape != others.shape:
        return f", {values.shape}"
    difference = np.abs(values.astype(int) - others)
    return f", by {difference.max()} at {(difference > 0).mean():.1%}"


def _pillow_opens(path):
    try:
        Image.open(path).close()
    except Exception:
        return False
    return True


def _graph_reads(case):
    """Whether the graph alone should give what the file shows."""
    return (case.orientation == 1 and case.profile in CHANGES_NOTHING and (
        case.image_format == "PNG"
        or case.image_format == "JPEG" and case.depth == "8"
        or case.image_format == "WEBP" and case.alpha == "none"
        or case.image_format == "BMP" and case.colour == "rgb"
        and case.layout != "16 bits"))


# --- The matrix --------------------------------------------------------------


@pytest.mark.parametrize("case", _sample(), ids=str)
@pytest.mark.filterwarnings("ignore")  # Pillow's, on odd metadata
def test_case(case, tmp_path):
    _skip_without_library(case.image_format)
    assert problems(case, tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ALL, ids="-".join)
@pytest.mark.filterwarnings("ignore")
def test_every_case(kind, tmp_path):
    _skip_without_library(kind[0])
    found = {}
    for case in ALL[kind]:
        if wrong := problems(case, tmp_path):
            found[str(case)] = wrong
    assert not found, f"{len(found)} of {len(ALL[kind])} are wrong"


def _skip_without_library(image_format):
    if image_format == "HEIF":
        pytest.importorskip("pillow_heif")


# --- Resolution --------------------------------------------------------------


SOURCES = [Case("TIFF", "grey", depth, orientation=turn)
           for depth in ("1", "8", "12", "16", "32", "float32")
           for turn in (1, 6)]
SOURCES += [Case("TIFF", "rgb", "16"), Case("TIFF", "cmyk", "16"),
            Case("TIFF", "cielab", "8"), Case("PNG", "grey", "1"),
            Case("PNG", "rgb", "8"), Case("PNG", "grey", "16", orientation=5),
            Case("PNG", "rgb", "16"), Case("JPEG", "grey", "8"),
            Case("JPEG", "rgb", "8", orientation=8), Case("JPEG", "grey", "12"),
            Case("JPEG", "cmyk", "8"), Case("BMP", "rgb", "8"),
            Case("BMP", "palette", "4")]


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF", "BMP"])
@pytest.mark.parametrize("case", SOURCES, ids=str)
def test_resolution_is_kept(case, image_format):
    made = making.make(case)
    photo = images.read(made.data)
    np.testing.assert_allclose(photo.dpi, made.dpi, rtol=1e-3)
    for pixels in (photo.pixels, photo.finest):
        result = images.encode(pixels, image_format, dpi=photo.dpi)
        np.testing.assert_allclose(
            images.read(result).dpi, made.dpi, rtol=1e-3)
        if pixels.dtype == np.uint8 or image_format != "TIFF":
            with Image.open(io.BytesIO(result)) as image:
                np.testing.assert_allclose(
                    [float(number) for number in image.info["dpi"]],
                    made.dpi, rtol=1e-3)


# --- What is refused, and why ------------------------------------------------


def _tiff_of(samples, bits, photometric=1, tags=None, **layout):
    return tiff(tiff_page(samples, bits, photometric, Layout(**layout), tags))


def _numbers(kind, channels=1):
    values = np.linspace(0, 1, HEIGHT * WIDTH * channels)
    if np.dtype(kind).kind in "ui":
        values = values * (np.iinfo(kind).max // 2)
    return values.reshape(HEIGHT, WIDTH, channels).astype(kind)


REFUSED = {
    "64-bit float": (_tiff_of(_numbers("f8"), 64), "64-bit float"),
    "64-bit float RGB": (_tiff_of(_numbers("f8", 3), 64, 2), "64-bit float"),
    "complex": (_tiff_of(_numbers("c8"), 64), "complex"),
    "double complex": (_tiff_of(_numbers("c16"), 128), "complex"),
    "signed 8": (_tiff_of(_numbers("i1"), 8), "signed"),
    "signed 16": (_tiff_of(_numbers("i2"), 16), "signed"),
    "signed 32": (_tiff_of(_numbers("i4"), 32), "signed"),
    "64 bits": (_tiff_of(_numbers("u8"), 64), "64-bit"),
    "24 bits": (_tiff_of(_numbers("u4") >> 8, 24), "24-bit"),
    "6 inks": (_tiff_of(_numbers("u1", 6), 8, 5, {332: (3, [2])}),
               "6|inks"),
    "camera raw": (_tiff_of(_numbers("u2"), 16, 32803,
                            {33421: (3, [2, 2]), 33422: (1, [0, 1, 1, 2])}),
                   "(?i)CFA|raw|colou?r filter|photometric"),
    "unknown compression": (
        _tiff_of(_numbers("u1"), 8, 1, {259: (3, [12345])}),
        "(?i)compression"),
    "JBIG": (_tiff_of(_numbers("u1"), 8, 1, {259: (3, [34661])}),
             "(?i)compression|JBIG"),
    "unknown photometric": (
        _tiff_of(_numbers("u1"), 8, 12345), "(?i)photometric|12345"),
    "JPEG-LS": (imagecodecs.jpegls_encode(_numbers("u1")[..., 0]),
                "JPEG-LS"),
    "JPEG XL": (imagecodecs.jpegxl_encode(_numbers("u1", 3)), "one of|XL"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + b"0" * 100, "one of|PDF"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_sound_files_that_are_not_read_are_named(name, tmp_path):
    data, pattern = REFUSED[name]
    path = tmp_path / "photo.tif"
    path.write_bytes(data)
    for source in (path, data):
        with pytest.raises(images.ImageError) as caught:
            images.read(source)
        message = str(caught.value)
        assert "\n" not in message and "(received" in message
        rule = message.removeprefix(str(path))
        assert re.search(pattern, rule)
        assert not re.search("damaged|broken|corrupt|truncated", rule)
