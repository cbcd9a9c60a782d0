"""Colour conversion against scikit-image, and what the gamut mapping keeps."""

import hypothesis
import numpy as np
import pytest
import skimage.color
import tensorflow as tf
from hypothesis import strategies as st

from tfdivcolor import color
from tfdivcolor.color.lab import join_planes


def _cube(levels):
    """All colours whose channels take the given 8-bit levels, [N, 3]."""
    grid = np.meshgrid(levels, levels, levels, indexing="ij")
    return np.stack(grid, axis=-1).reshape(-1, 3).astype(np.uint8)


@pytest.fixture(scope="module")
def colors():
    """A dense grid of the 8-bit cube, its dark corner and random colours."""
    random = np.random.default_rng(0).integers(0, 256, [200_000, 3])
    return np.concatenate([_cube(np.arange(0, 256, 5)), _cube(np.arange(16)),
                           random.astype(np.uint8)])


def _true_luminance(rgb):
    return skimage.color.rgb2lab(rgb)[..., :1]


def _luminance_error(luminance, ab):
    rgb = color.join(luminance, ab).numpy()
    return np.abs(_true_luminance(rgb) - np.asarray(luminance)).max()


def test_normalisation_is_linear_and_inverts():
    values = np.linspace(-110, 110, 45).astype(np.float32)
    np.testing.assert_allclose(
        color.normalize_luminance(values), values / 50 - 1, atol=1e-6)
    np.testing.assert_allclose(
        color.normalize_ab(values), values / 128, atol=1e-6)
    np.testing.assert_allclose(
        color.denormalize_ab(color.normalize_ab(values)), values, atol=1e-5)


def test_lab_agrees_with_scikit_image(colors):
    lab = color.srgb_to_lab(colors / 255).numpy()
    assert lab.dtype == np.float32
    assert np.abs(lab - skimage.color.rgb2lab(colors)).max() < 6e-3


def test_srgb_agrees_with_scikit_image(colors):
    lab = skimage.color.rgb2lab(colors)
    rgb = color.lab_to_srgb(lab).numpy()
    assert np.abs(rgb - skimage.color.lab2rgb(lab)).max() < 0.1 / 255


def test_gamut_has_the_documented_bounds(colors):
    luminance, ab = [part.numpy() for part in color.split(colors)]
    assert np.min(luminance) >= 0 and np.max(luminance) <= 100
    np.testing.assert_allclose(
        np.min(ab, axis=0), [-86.2, -107.9], atol=0.1)
    np.testing.assert_allclose(np.max(ab, axis=0), [98.3, 94.5], atol=0.1)


def test_greys_have_no_colour():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    luminance, ab = [part.numpy() for part in color.split(greys)]
    assert np.abs(ab).max() < 1e-3
    assert np.all(np.diff(luminance[:, 0]) > 0)
    np.testing.assert_allclose(luminance[[0, -1], 0], [0, 100], atol=1e-4)


def test_round_trip_keeps_every_8_bit_colour(colors):
    rgb = color.lab_to_srgb(color.srgb_to_lab(colors / 255)).numpy()
    assert np.abs(rgb - colors / 255).max() < 0.05 / 255
    np.testing.assert_array_equal(color.join(*color.split(colors)), colors)


@pytest.mark.parametrize("function, points", [
    (color.srgb_to_lab, _cube([0, 1, 10, 11, 128, 255]) / 255),
    (color.srgb_to_lab, np.array([[-0.1, 1.2, 0.0], [-1.0, -1.0, -1.0]])),
    (color.lab_to_srgb, skimage.color.rgb2lab(_cube([0, 1, 10, 128, 255]))),
    (color.lab_to_srgb, np.array([[0.0, 0, 0], [0, 200, -200], [50, -200, 200],
                                  [100, 200, 200], [100, 0, 0]]))])
def test_gradients_are_finite_and_right(function, points):
    points = tf.constant(points, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(points)
        total = tf.reduce_sum(function(points))
    gradient = tape.gradient(total, points).numpy()
    assert np.all(np.isfinite(gradient))
    assert np.all(np.abs(gradient).sum(axis=-1) > 0)


def test_gradient_equals_a_difference_quotient():
    points = np.random.default_rng(1).uniform(0.1, 0.9, [50, 3])
    direction = np.random.default_rng(2).normal(size=[50, 3])
    weights = np.array([1.0, 0.3, -0.5])
    x = tf.constant(points, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_sum(color.srgb_to_lab(x) * weights)
    slope = np.sum(tape.gradient(value, x) * direction, axis=-1)
    step = 1e-4
    above, below = [
        skimage.color.rgb2lab(points + sign * step * direction) @ weights
        for sign in (1, -1)]
    np.testing.assert_allclose(
        slope, (above - below) / (2 * step), rtol=1e-3, atol=1e-2)


def test_colours_inside_the_gamut_are_left_alone(colors):
    luminance, ab = color.split(colors)
    np.testing.assert_array_equal(color.map_to_gamut(luminance, ab), ab)


@hypothesis.given(
    seed=st.integers(0, 2**32 - 1),
    reach=st.sampled_from([60.0, 200.0, 1e4]))
@hypothesis.settings(max_examples=20, deadline=None)
def test_mapping_scales_onto_the_border(seed, reach):
    random = np.random.default_rng(seed)
    luminance = random.uniform(0, 100, [1000, 1]).astype(np.float32)
    ab = random.uniform(-reach, reach, [1000, 2]).astype(np.float32)
    mapped = color.map_to_gamut(luminance, ab).numpy()

    # Same direction, not longer, and inside.
    length = np.linalg.norm(ab, axis=-1, keepdims=True)
    factor = np.linalg.norm(mapped, axis=-1, keepdims=True) / length
    assert factor.max() <= 1 + 1e-6
    np.testing.assert_allclose(mapped, factor * ab, atol=1e-3)
    inside = color.lab_to_srgb(np.concatenate([luminance, mapped], axis=-1))
    assert np.min(inside.numpy()) > -2e-4
    assert np.max(inside.numpy()) < 1 + 2e-4

    # A little further out is outside, unless nothing had to change.
    longer = ab * (factor + 0.1 / length)
    beyond = color.lab_to_srgb(np.concatenate([luminance, longer], axis=-1))
    outside = np.any((beyond < 0) | (beyond > 1), axis=-1)
    unchanged = np.all(mapped == ab, axis=-1)
    assert np.all(outside | unchanged)


@hypothesis.given(
    seed=st.integers(0, 2**32 - 1),
    reach=st.sampled_from([5.0, 50.0, 200.0, 1e4]),
    top=st.sampled_from([1.0, 10.0, 100.0]),
    flip=st.booleans())
@hypothesis.settings(max_examples=40, deadline=None)
def test_any_colour_field_keeps_its_luminance(seed, reach, top, flip):
    random = np.random.default_rng(seed)
    luminance = random.uniform(0, top, [4000, 1]).astype(np.float32)
    if flip:  # near white instead of near black
        luminance = 100 - luminance
    ab = random.uniform(-reach, reach, [4000, 2]).astype(np.float32)
    assert _luminance_error(luminance, ab) <= 0.5


def test_extreme_fields_keep_their_luminance():
    luminance = np.linspace(0, 100, 2001, dtype=np.float32)[:, None, None]
    extremes = np.float32([[a, b] for a in (-200, 0, 200)
                           for b in (-200, 0, 200)])
    ab = np.broadcast_to(extremes, [2001, 9, 2])
    assert _luminance_error(luminance, ab) <= 0.5


def test_luminance_broadcasts_over_samples():
    random = np.random.default_rng(3)
    luminance = random.uniform(0, 100, [2, 1, 4, 5, 1]).astype(np.float32)
    ab = random.uniform(-90, 90, [2, 3, 4, 5, 2]).astype(np.float32)
    result = color.join(luminance, ab).numpy()
    assert result.shape == (2, 3, 4, 5, 3)
    for sample in range(3):
        np.testing.assert_array_equal(
            result[:, sample], color.join(luminance[:, 0], ab[:, sample]))


@pytest.mark.parametrize("shape", [[2], [7, 2], [3, 4, 2], [2, 3, 4, 5, 2]])
def test_leading_dimensions_do_not_matter(shape):
    random = np.random.default_rng(4)
    ab = random.uniform(-150, 150, shape).astype(np.float32)
    luminance = random.uniform(0, 100, [*shape[:-1], 1]).astype(np.float32)
    mapped = color.map_to_gamut(luminance, ab)
    flat = color.map_to_gamut(luminance.reshape(-1, 1), ab.reshape(-1, 2))
    np.testing.assert_array_equal(mapped, np.reshape(flat, shape))


def test_graph_keeps_static_shapes_and_values():
    @tf.function(input_signature=[
        tf.TensorSpec([None, 6, None, 1]), tf.TensorSpec([None, 6, None, 2])])
    def joined(luminance, ab):
        mapped = color.map_to_gamut(luminance, ab)
        assert mapped.shape.as_list() == [None, 6, None, 2]
        rgb = color.join(luminance, ab)
        assert rgb.shape.as_list() == [None, 6, None, 3]
        back, _ = color.split(rgb)
        assert back.shape.as_list() == [None, 6, None, 1]
        return rgb

    random = np.random.default_rng(5)
    luminance = random.uniform(0, 100, [2, 6, 5, 1]).astype(np.float32)
    ab = random.uniform(-150, 150, [2, 6, 5, 2]).astype(np.float32)
    difference = np.int32(joined(luminance, ab)) - color.join(luminance, ab)
    assert np.abs(difference).max() <= 1
    assert joined(luminance[:0], ab[:0]).shape == (0, 6, 5, 3)


def test_saved_model_gives_the_same(tmp_path):
    module = tf.Module()
    module.join = tf.function(color.join, input_signature=[
        tf.TensorSpec([None, 1]), tf.TensorSpec([None, 2])])
    tf.saved_model.save(module, str(tmp_path))
    random = np.random.default_rng(6)
    luminance = random.uniform(0, 100, [500, 1]).astype(np.float32)
    ab = random.uniform(-150, 150, [500, 2]).astype(np.float32)
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_array_equal(
        loaded.join(luminance, ab), module.join(luminance, ab))


def test_split_refuses_floats():
    with pytest.raises(ValueError, match="rgb: must be uint8.*float32"):
        color.split(np.zeros([2, 2, 3], np.float32))


def test_16_bits_agree_with_scikit_image():
    rgb = np.random.default_rng(7).integers(0, 65536, [5000, 3], np.uint16)
    luminance, ab = color.split(rgb)
    lab = np.concatenate([luminance, ab], axis=-1)
    assert np.abs(lab - skimage.color.rgb2lab(rgb)).max() < 6e-3
    back = color.join(luminance, ab, dtype=tf.uint16).numpy()
    assert back.dtype == np.uint16
    # Float32 Lab holds a little less than 16 bits.
    assert np.abs(back.astype(int) - rgb).max() <= 3


@pytest.mark.parametrize("top", [1.0, 100.0])
def test_16_bits_keep_luminance_better(top):
    random = np.random.default_rng(8)
    luminance = random.uniform(0, top, [4000, 1]).astype(np.float32)
    ab = random.uniform(-200, 200, [4000, 2]).astype(np.float32)
    rgb = color.join(luminance, ab, dtype=tf.uint16).numpy()
    assert np.abs(_true_luminance(rgb) - luminance).max() <= 0.01


def test_planes_are_joined_as_pixels():
    random = np.random.default_rng(9)
    luminance = random.uniform(0, 100, [1000, 1]).astype(np.float32)
    ab = random.uniform(-150, 150, [1000, 2]).astype(np.float32)
    for dtype in (tf.uint8, tf.uint16):
        np.testing.assert_array_equal(
            join_planes(luminance[:, 0], ab[:, 0], ab[:, 1], dtype),
            color.join(luminance, ab, dtype))


def test_mapping_and_joining_agree():
    random = np.random.default_rng(10)
    luminance = random.uniform(0, 100, [4000, 1]).astype(np.float32)
    ab = random.uniform(-150, 150, [4000, 2]).astype(np.float32)
    lab = np.concatenate(
        [luminance, color.map_to_gamut(luminance, ab)], axis=-1)
    expected = np.clip(color.lab_to_srgb(lab) * 255, 0, 255).round()
    assert np.abs(color.join(luminance, ab) - expected).max() <= 1
