"""Decoding in the graph, against Pillow."""

import struct

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from picture_files import (
    PICTURES,
    animated,
    encoded,
    mutated,
    transparent,
)

from tfdivcolor import images
from tfdivcolor.export import graph_decoding

MAX_PIXELS = 20_000


@tf.function(input_signature=[tf.TensorSpec([], tf.string),
                              tf.TensorSpec([], tf.int32)], autograph=False)
def decode(data, row):
    return graph_decoding.decode(data, row, MAX_PIXELS)


def refusal(data, row=0):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(data, row)
    return caught.value.message


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_those_of_pillow(name):
    received = decode(PICTURES[name], 0).numpy()
    np.testing.assert_array_equal(received, images.read(PICTURES[name]).pixels)


@pytest.mark.parametrize("name", PICTURES)
def test_half_a_picture_is_refused(name):
    data = PICTURES[name]
    message = refusal(data[:len(data) // 2], row=7)
    assert "image_bytes[7]: must be a whole, undamaged picture" in message
    assert f"(received {len(data) // 2} bytes that do not decode)" in message


@pytest.mark.parametrize("data", [b"", b"hello", b"II*\0" + b"\0" * 99,
                                  b"RIFF....WAVE", b"\xff\xd8",
                                  encoded("GIF"), animated("GIF")])
def test_what_is_no_picture_is_refused(data):
    assert ("image_bytes[3]: must be a JPEG, PNG, BMP or WebP picture "
            f"(received {len(data)} bytes of another format)"
            ) in refusal(data, row=3)


@pytest.mark.parametrize("data", [animated("WEBP"), transparent("WEBP")])
def test_webp_that_tensorflow_does_not_decode_is_named(data):
    assert ("image_bytes[3]: must be a whole, undamaged picture, and no "
            f"animated or transparent WebP (received {len(data)} bytes that do "
            "not decode)") in refusal(data, row=3)


@pytest.mark.parametrize("mode, bits", [("1", 1), ("L", 8), ("P", 8)])
def test_bmp_with_a_palette_is_refused(mode, bits):
    assert ("image_bytes[3]: must have 24 or 32 bits per pixel if it is a BMP "
            f"(received {bits} bits)") in refusal(encoded("BMP", mode), row=3)


def png_header(width, height):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(
        ">II", width, height) + b"\x08\0\0\0\0"


def test_sides_that_cannot_be_encoded_are_refused():
    """By PNG's encoder or JPEG's, whose failure would be INTERNAL."""
    assert ("image_bytes[1]: must have sides of at most 65500 pixels (received "
            "70000 x 1)") in decode_wide(encoded("BMP", size=(70_000, 1)))


def decode_wide(data):
    @tf.function(autograph=False)
    def wide(data):
        return graph_decoding.decode(data, tf.constant(1), 1_000_000)

    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        wide(tf.constant(data))
    return caught.value.message


@pytest.mark.parametrize("data, size", [
    (png_header(12000, 12001), "12000 x 12001"),
    (png_header(2**31, 5), "2147483648 x 5"),
    (encoded("JPEG", size=(200, 150)), "200 x 150"),
    (b"BM" + b"\0" * 16 + struct.pack("<ii", 200, -150), "200 x 150"),
    (encoded("WEBP", size=(200, 150)), "200 x 150"),
    (encoded("WEBP", size=(200, 150), lossless=True), "200 x 150"),
    (encoded("WEBP", "RGBA", size=(200, 150)), "200 x 150"),
])
def test_large_pictures_are_refused_by_their_headers(data, size):
    assert (f"image_bytes[2]: must have at most {MAX_PIXELS} pixels "
            f"(received {size})") in refusal(data, row=2)


def check_mutated(seed):
    rng = np.random.default_rng(seed)
    data = mutated(list(PICTURES.values())[seed % len(PICTURES)], rng)
    try:
        pixels = decode(data, 5).numpy()
    except tf.errors.InvalidArgumentError as error:
        assert "image_bytes[5]: must " in error.message
    else:
        assert pixels.dtype == np.uint8 and pixels.shape[2] == 3
        assert 0 < pixels.size <= 3 * MAX_PIXELS


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(st.integers(0, 2**32 - 1))
def test_mutated_pictures_are_decoded_or_refused_in_our_words(seed):
    check_mutated(seed)


@pytest.mark.slow
def test_many_mutated_pictures():
    for seed in range(10_000):
        check_mutated(seed)
