"""The way to the canvas and back to full size."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from skimage import color as skcolor, data

from tfdivcolor import color
from tfdivcolor.color import canvas, upsampling

JOINS = {"uint8": (canvas.join, 0.5), "uint16": (canvas.join_16, 0.01)}


def _wild_field(seed, reach=60, cells=8):
    random = np.random.default_rng(seed)
    return random.normal(0, reach, [cells, cells, 2]).astype(np.float32)


def test_strips_do_not_show():
    pixels = np.tile(data.astronaut(), [2, 2, 1])[:987, :1011]
    assert pixels[..., 0].size > 3 * canvas.STRIP_PIXELS
    luminance = canvas.luminance_of(pixels)
    # Vectorised and left-over elements may round differently.
    np.testing.assert_allclose(
        luminance, color.split(pixels)[0], atol=1e-4)
    ab = _wild_field(0, 30)
    full = upsampling.guided(
        luminance, tf.image.resize(luminance, [8, 8], antialias=True), ab)
    expected = color.join(luminance, full).numpy()
    joined = canvas.join(luminance, ab).numpy()
    assert np.abs(joined.astype(int) - expected).max() <= 1


def test_a_very_wide_picture_is_a_very_high_one_on_its_side():
    random = np.random.default_rng(1)
    high = random.uniform(
        0, 100, [canvas.WIDEST + 100, 3, 1]).astype(np.float32)
    ab = _wild_field(1, 30)
    upright = canvas.join(high, ab).numpy()
    lying = canvas.join(
        high.transpose(1, 0, 2), ab.transpose(1, 0, 2)).numpy()
    difference = np.abs(lying.astype(int) - upright.transpose(1, 0, 2))
    # The resampling of the luminance sums in another order.
    assert difference.max() <= 1


def test_luminance_is_that_of_skimage():
    pixels = data.astronaut()[::4, ::4]
    luminance = canvas.luminance_of(pixels).numpy()
    small = canvas.on_canvas(luminance, 32).numpy()
    np.testing.assert_allclose(
        luminance[..., 0], skcolor.rgb2lab(pixels)[..., 0], atol=6e-3)
    assert small.shape == (32, 32, 1)
    # Antialiased: the canvas keeps the mean.
    assert abs(small.mean() - luminance.mean()) < 0.5


def test_luminance_of_16_bits_is_finer():
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = np.stack([ramp, ramp, ramp], axis=-1)
    luminance = canvas.luminance_of(pixels).numpy()
    np.testing.assert_allclose(
        luminance[..., 0], skcolor.rgb2lab(pixels)[..., 0], atol=6e-3)
    assert np.all(np.diff(luminance.ravel()) >= 0)
    assert len(np.unique(luminance)) > 60_000
    # A picture of 8 bits has the same luminance in either.
    pixels = data.astronaut()[::5, ::5]
    np.testing.assert_allclose(
        canvas.luminance_of(pixels.astype(np.uint16) * 257),
        canvas.luminance_of(pixels), atol=1e-4)


def test_luminance_of_other_types_is_refused():
    with pytest.raises(ValueError, match="rgb: must be uint8.*float32"):
        canvas.luminance_of(np.zeros([2, 2, 3], np.float32))


@hypothesis.given(
    dtype=st.sampled_from(sorted(JOINS)), seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 70), width=st.integers(1, 70),
    reach=st.sampled_from([10.0, 60.0, 1000.0]))
@hypothesis.settings(max_examples=30, deadline=None)
def test_every_colouring_keeps_the_luminance(
        dtype, seed, height, width, reach):
    random = np.random.default_rng(seed)
    luminance = random.uniform(0, 100, [height, width, 1]).astype(np.float32)
    join, tolerance = JOINS[dtype]
    pixels = join(luminance, _wild_field(seed, reach)).numpy()
    assert pixels.shape == (height, width, 3) and pixels.dtype == dtype
    error = np.abs(skcolor.rgb2lab(pixels)[..., :1] - luminance).max()
    assert error <= tolerance


def test_a_grey_16_bit_picture_comes_back():
    random = np.random.default_rng(5)
    levels = random.integers(0, 65536, [40, 50, 1], dtype=np.uint16)
    pixels = np.repeat(levels, 3, axis=-1)
    back = canvas.join_16(
        canvas.luminance_of(pixels), np.zeros([1, 1, 2], np.float32)).numpy()
    assert np.abs(back.astype(int) - pixels).max() <= 1


def test_inside_a_loop_of_a_graph():
    luminance = canvas.luminance_of(data.astronaut()[::4, ::5])
    fields = np.stack([_wild_field(seed) for seed in range(3)])

    @tf.function(autograph=False)
    def every(luminance, fields):
        return tf.map_fn(
            lambda ab: canvas.join(luminance, ab), fields,
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))

    for pixels, field in zip(every(luminance, fields), fields):
        np.testing.assert_array_equal(pixels, canvas.join(luminance, field))


@hypothesis.settings(deadline=None, max_examples=50)
@hypothesis.given(
    st.integers(1, 90), st.integers(1, 90), st.integers(0, 99), st.data())
def test_a_part_is_that_part_of_the_whole(height, width, seed, data):
    random = np.random.default_rng(seed)
    luminance = random.uniform(
        0, 100, [height, width, 1]).astype(np.float32)
    ab = _wild_field(seed)
    left, top = (data.draw(st.integers(0, side - 1))
                 for side in (width, height))
    right, bottom = (data.draw(st.integers(start + 1, side))
                     for start, side in ((left, width), (top, height)))
    part = canvas.join_part(
        luminance[top:bottom, left:right], ab, canvas.on_canvas(luminance, 8),
        left, top, width, height).numpy()
    whole = canvas.join(luminance, ab).numpy()[top:bottom, left:right]
    assert np.abs(part.astype(int) - whole).max() <= 1


def test_a_small_picture_has_the_colours_of_the_full_size():
    pixels = data.astronaut()
    luminance, ab = canvas.luminance_of(pixels), _wild_field(3, 20)
    small = canvas.luminance_of(pixels[::4, ::4])
    part = canvas.join_part(
        small, ab, canvas.on_canvas(luminance, 8), 0, 0, 128, 128).numpy()
    whole = canvas.join(luminance, ab).numpy()[::4, ::4]
    difference = skcolor.rgb2lab(part) - skcolor.rgb2lab(whole)
    assert np.abs(difference[..., 0]).max() < 0.5
    # One pixel of four is taken, whose place differs by 1.5 pixels.
    assert np.abs(difference[..., 1:]).mean() < 1
