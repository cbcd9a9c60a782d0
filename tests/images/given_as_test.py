"""Pictures given as PIL images, arrays, bytes and open files.

The same picture in any of these ways gives the same pixels.
"""

import io
import os
import re

import numpy as np
import pytest
from hand_written import (
    tiff,
)
from PIL import Image, ImageDraw
from small_files import (
    FILES,
    GREY,
    GREY_8,
    GREY_16,
    NEGATIVE,
    RGB,
    RGB_16,
    assert_same,
    assert_shown_as,
    error_of,
    page_of,
    random_values,
    saved,
    tiff_of,
)

from tfdivcolor import images

# --- PIL images --------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_pil_image_gives_the_same_as_its_path(name, tmp_path):
    path = tmp_path / "photo.tif"
    path.write_bytes(FILES[name])
    photo = images.read(path)
    with Image.open(path) as image:
        assert_same(images.read(image), photo)
        assert_same(images.read(image), photo)  # again: nothing was used up
    with Image.open(path) as image:
        image.load()
        assert_same(images.read(image), photo)
    with open(path, "rb") as file, Image.open(file) as image:
        assert_same(images.read(image), photo)
    with Image.open(io.BytesIO(FILES[name])) as image:
        assert_same(images.read(image), photo)


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
    data = saved(RGB, image_format)
    path = tmp_path / "photo"
    path.write_bytes(data)
    with Image.open(path if source == "path" else io.BytesIO(data)) as image:
        changed = change(image)
        right = np.asarray(changed.convert("RGB"))
        assert right.shape != RGB.shape or (right != RGB).any()
        np.testing.assert_array_equal(images.read(changed).pixels, right)


def test_pil_image_that_was_given_alpha():
    image = Image.open(io.BytesIO(saved(RGB, "PNG")))
    image.putalpha(100)
    photo = images.read(image)
    np.testing.assert_array_equal(photo.pixels, RGB)
    assert (photo.alpha == 100).all()


def test_copy_of_a_pil_image():
    image = Image.open(io.BytesIO(saved(RGB, "PNG")))
    np.testing.assert_array_equal(images.read(image.copy()).pixels, RGB)


def test_pil_image_whose_file_is_replaced(tmp_path):
    path = tmp_path / "photo.tif"
    path.write_bytes(tiff_of(RGB, 8, 2))
    other = tmp_path / "other.tif"
    other.write_bytes(tiff_of(255 - RGB, 8, 2))
    with Image.open(path) as image:
        os.replace(other, path)
        np.testing.assert_array_equal(images.read(image).pixels, RGB)
    with Image.open(path) as image:
        image.load()
        path.unlink()
        np.testing.assert_array_equal(images.read(image).pixels, 255 - RGB)


def test_pil_image_on_another_page(tmp_path):
    path = tmp_path / "photo.tif"
    path.write_bytes(tiff(page_of(GREY_8), page_of(NEGATIVE)))
    with Image.open(path) as image:
        image.seek(1)
        np.testing.assert_array_equal(
            images.read(image).pixels, np.repeat(NEGATIVE, 3, 2))


def test_pil_image_that_was_closed(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(saved(RGB, "PNG"))
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
        assert_shown_as(photo, array.reshape(64, 96, -1).astype(float),
                     limit=.501 / np.iinfo(photo.finest.dtype).max)
    ends = images.read(np.array([[0, 1]], dtype))
    assert ends.pixels[0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("value", [-.01, 1.01, np.nan, np.inf, 255])
def test_floating_point_outside_0_to_1_is_refused(value):
    array = GREY.copy()
    array[3, 4] = value
    message = error_of(array)
    assert "0..1" in message
    assert re.search("nan|NaN" if np.isnan(value) else re.escape(
        f"{value:.3g}"), message)


@pytest.mark.parametrize("array", [
    RGB.astype(np.int32), RGB.astype(np.int8), RGB.astype(np.uint32),
    RGB.astype(np.complex64), RGB.astype(object), np.zeros((2, 2), "S3")],
    ids=lambda array: str(array.dtype))
def test_arrays_of_other_types_are_refused(array):
    assert str(array.dtype) in error_of(array)


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
    array = random_values(8, 9, 4)
    if dtype != np.uint8:
        top = 65535 if dtype == np.uint16 else 1
        array = (array / 255 * top).astype(dtype)
    photo = images.read(array)
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    assert_shown_as(photo, array[..., :3] / top, 1e-4)
    assert photo.alpha.dtype == photo.finest.dtype
    np.testing.assert_allclose(
        photo.alpha / np.iinfo(photo.alpha.dtype).max, array[..., 3] / top,
        atol=1e-4)


def test_grey_array_with_alpha_is_read_so_or_refused():
    array = random_values(8, 9, 2)
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


@pytest.mark.parametrize("name", FILES)
def test_bytes_and_open_files_give_the_same_as_a_path(name, tmp_path):
    data = FILES[name]
    path = tmp_path / "photo.tif"
    path.write_bytes(data)
    photo = images.read(path)
    for source in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        assert_same(images.read(source), photo)
    for source in (path, data, io.BytesIO(data)):
        assert images.count_pages(source) == photo.num_pages
    with open(path, "rb") as file:
        assert_same(images.read(file), photo)
        assert not file.closed
    with open(path, "rb", buffering=0) as file:
        assert_same(images.read(file), photo)


def test_open_files_are_read_from_where_they_are():
    data = saved(RGB, "PNG")
    file = io.BytesIO(b"header" + data)
    file.seek(6)
    np.testing.assert_array_equal(images.read(file).pixels, RGB)


def test_pipes_are_read():
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(saved(np.full((4, 5), 77, np.uint8), "PNG"))
    with open(reading, "rb") as file:
        assert (images.read(file).pixels == 77).all()


def test_open_files_that_give_no_bytes():
    assert "(received" in error_of(io.StringIO("text"))
    closed = io.BytesIO(saved(RGB, "PNG"))
    closed.close()
    assert "(received" in error_of(closed)
