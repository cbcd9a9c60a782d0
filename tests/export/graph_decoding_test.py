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


@pytest.mark.parametrize("name", [
    name for name in PICTURES if name != "animated gif"])
def test_half_a_picture_is_refused(name):
    data = PICTURES[name]
    message = refusal(data[:len(data) // 2], row=7)
    assert "image_bytes[7]: must be a whole, undamaged picture" in message
    assert f"(received {len(data) // 2} bytes that do not decode)" in message


def test_of_an_animation_only_the_first_frame_is_read():
    # Even where the others are missing or damaged.
    data = animated("GIF")
    first = decode(data, 0).numpy()
    cut = data[:len(data) // 2]
    np.testing.assert_array_equal(decode(cut + b"\x2c" * 500, 0), first)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_cut_gif_is_refused_wherever_it_ends(share):
    data = PICTURES["gif"]
    assert "whole" in refusal(data[:int(share * len(data))])


@pytest.mark.parametrize("data", [b"", b"hello", b"II*\0" + b"\0" * 99,
                                  b"RIFF....WAVE", b"\xff\xd8"])
def test_what_is_no_picture_is_refused(data):
    assert ("image_bytes[3]: must be a JPEG, PNG, GIF, BMP or WebP picture "
            f"(received {len(data)} bytes without such a beginning)"
            ) in refusal(data, row=3)


@pytest.mark.parametrize("data", [
    encoded("BMP", "1"), animated("WEBP"), transparent("WEBP"),
    PICTURES["gif"][:6] + struct.pack("<HH", 60, 50) + PICTURES["gif"][10:]])
def test_what_tensorflow_does_not_decode_is_named(data):
    assert ("no BMP but of 8, 24 or 32 bits, no animated or transparent WebP, "
            "and no GIF whose first frame does not fill it") in refusal(data)


def png_header(width, height):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(
        ">II", width, height) + b"\x08\0\0\0\0"


def gif_of_frame(screen, frame):
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0, 0, 0) + (
        b"!\xfe\x03abc\0" + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0)
        + b"\x02\x01\0\0;")


def test_sides_that_cannot_be_encoded_are_refused():
    """By PNG's encoder or JPEG's, whose failure would be INTERNAL."""
    assert ("image_bytes[1]: must have sides of at most 65500 pixels (received "
            "70000 x 1)") in decode_wide(encoded("BMP", "L", (70_000, 1)))


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
    (gif_of_frame((200, 150), (1, 1)), "200 x 150"),
    # The frame is what takes memory, whatever the screen says.
    (gif_of_frame((1, 1), (65535, 65535)), "65535 x 65535"),
    (b"BM" + b"\0" * 16 + struct.pack("<ii", 200, -150), "200 x 150"),
    (encoded("WEBP", size=(200, 150)), "200 x 150"),
    (encoded("WEBP", size=(200, 150), lossless=True), "200 x 150"),
    (encoded("WEBP", "RGBA", size=(200, 150)), "200 x 150"),
])
def test_large_pictures_are_refused_by_their_headers(data, size):
    assert (f"image_bytes[2]: must have at most {MAX_PIXELS} pixels "
            f"(received {size})") in refusal(data, row=2)


def test_a_gif_of_endless_blocks_is_refused(monkeypatch):
    monkeypatch.setattr(graph_decoding, "_GIF_BLOCKS", 2)

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)],
                 autograph=False)
    def short(data):
        return graph_decoding.decode(data, 0, MAX_PIXELS)

    with pytest.raises(tf.errors.InvalidArgumentError, match="whole"):
        short(PICTURES["gif"])


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
