"""Guided upsampling against the same formulas in NumPy, and what it promises.
"""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from tfdivcolor.color import canvas, upsampling


def _neighbours(field):
    """[9, h, w, C]: the 3x3 cells around each, edges repeated."""
    height, width, _ = field.shape
    padded = np.pad(field, [[1, 1], [1, 1], [0, 0]], "edge")
    return np.stack([padded[y:y + height, x:x + width]
                     for y in range(3) for x in range(3)])


def _mean(field):
    weights = np.outer([1, 2, 1], [1, 2, 1]).reshape(9) / 16
    return np.tensordot(weights, _neighbours(field), 1)


def _bilinear(field, height, width):
    """Half-pixel centres, edges repeated; a loop over the pixels."""
    cells_high, cells_wide, channels = field.shape
    full = np.empty([height, width, channels])
    for i in range(height):
        y = np.clip((i + 0.5) * cells_high / height - 0.5, 0, cells_high - 1)
        above = min(int(y), max(cells_high - 2, 0))
        below = min(above + 1, cells_high - 1)
        row = field[above] + (y - above) * (field[below] - field[above])
        for j in range(width):
            x = np.clip((j + 0.5) * cells_wide / width - 0.5, 0,
                        cells_wide - 1)
            left = min(int(x), max(cells_wide - 2, 0))
            right = min(left + 1, cells_wide - 1)
            full[i, j] = row[left] + (x - left) * (row[right] - row[left])
    return full


def _expected(luminance, small, ab):
    """The module's formulas on whole pictures, in float64."""
    luminance, small, ab = map(np.float64, (luminance, small, ab))
    variance = _mean(small**2) - _mean(small)**2 + 20
    covariance = _mean(small * ab) - _mean(small) * _mean(ab)
    explained = (covariance**2).sum(-1, keepdims=True) / variance
    total = (_mean(ab**2) - _mean(ab)**2).sum(-1, keepdims=True) + 20
    slope = _mean(covariance / variance * explained / total)
    sharp = np.clip(1.8 * ab - 0.8 * _mean(ab), _neighbours(ab).min(0),
                    _neighbours(ab).max(0))
    size = luminance.shape[:2]
    clipped = np.clip(
        luminance, _bilinear(_neighbours(small).min(0), *size),
        _bilinear(_neighbours(small).max(0), *size))
    full = (_bilinear(slope, *size) * clipped
            + _bilinear(sharp - slope * small, *size))
    return np.clip(full, ab.min((0, 1)), ab.max((0, 1)))


def _random(seed, height, width, cells):
    random = np.random.default_rng(seed)
    luminance = random.uniform(0, 100, [height, width, 1]).astype(np.float32)
    small = tf.image.resize(luminance, cells, antialias=True).numpy()
    ab = random.normal(0, 25, [*cells, 2]).astype(np.float32)
    # Colours that have something to do with the luminance, too.
    ab[..., 0] += small[..., 0] - 50
    return luminance, np.clip(small, 0, 100), ab


@hypothesis.given(
    seed=st.integers(0, 2**32 - 1), height=st.integers(1, 40),
    width=st.integers(1, 40), cells_high=st.integers(1, 12),
    cells_wide=st.integers(1, 12))
@hypothesis.example(0, 1, 1, 8, 8)
@hypothesis.example(0, 1, 37, 8, 8)
@hypothesis.example(0, 31, 17, 1, 1)
@hypothesis.settings(max_examples=25, deadline=None)
def test_any_shape_is_as_in_numpy(
        seed, height, width, cells_high, cells_wide):
    arrays = _random(seed, height, width, [cells_high, cells_wide])
    full = upsampling.guided(*arrays).numpy()
    np.testing.assert_allclose(full, _expected(*arrays), atol=2e-3)


@pytest.mark.parametrize("step", [1, 4, 7, 100])
def test_strips_are_parts_of_the_whole(step):
    luminance, small, ab = _random(0, 53, 31, [8, 8])
    models = upsampling.widen(upsampling.fit(small, ab), 31)
    parts = [np.stack(upsampling.rows(
        models, luminance[y:y + step, :, 0], y, 53), axis=-1)
        for y in range(0, 53, step)]
    np.testing.assert_allclose(
        np.concatenate(parts), upsampling.guided(luminance, small, ab),
        atol=1e-4)


def test_a_constant_field_stays_exactly_constant():
    luminance, small, _ = _random(1, 90, 70, [16, 16])
    ab = np.broadcast_to(np.float32([12.3, -45.6]), [16, 16, 2])
    full = upsampling.guided(luminance, small, ab).numpy()
    np.testing.assert_array_equal(full, np.broadcast_to(ab[0, 0], full.shape))


def test_no_colour_is_beyond_the_field():
    luminance, small, ab = _random(2, 90, 70, [16, 16])
    full = upsampling.guided(luminance, small, ab).numpy()
    assert np.all(full >= ab.min((0, 1))) and np.all(full <= ab.max((0, 1)))


@pytest.mark.parametrize("turned", [False, True])
def test_colour_changes_where_luminance_does(turned):
    size, cells = 640, 16
    luminance = np.full([size, size, 1], 30, np.float32)
    luminance[:, 333:] = 70  # within a cell of 40 pixels
    true = np.where(luminance < 50, np.float32([-20, 30]), [40, -10])
    if turned:
        luminance, true = [x.transpose(1, 0, 2) for x in (luminance, true)]
    small = canvas.on_canvas(luminance, cells)
    ab = tf.image.resize(true, [cells, cells], antialias=True)
    full = upsampling.guided(luminance, small, ab).numpy()
    plain = tf.image.resize(ab, [size, size]).numpy()
    if turned:
        full, plain = [x.transpose(1, 0, 2) for x in (full, plain)]

    def width_of_step(field):
        """Pixels that are on neither side's colour, to a quarter."""
        row = field[size // 2, :, 0]
        return np.sum((row > -5) & (row < 25))

    # The step is between the same two pixels.
    assert np.abs(np.diff(full[size // 2, :, 0])).argmax() == 332
    assert width_of_step(full) <= 1
    assert width_of_step(plain) > 20


def test_texture_without_colour_leaves_none():
    random = np.random.default_rng(3)
    size, cells = 320, 32
    across = np.linspace(0, 1, size, dtype=np.float32)
    luminance = np.clip(random.normal(50, 8, [size, size, 1]), 0, 100)
    luminance = luminance.astype(np.float32)
    # A smooth change of colour, which has nothing to do with the grain.
    true = np.stack(np.meshgrid(40 * across, 30 * across), axis=-1)
    ab = tf.image.resize(true, [cells, cells], antialias=True)
    full = upsampling.guided(
        luminance, canvas.on_canvas(luminance, cells), ab).numpy()
    plain = tf.image.resize(ab, [size, size]).numpy()
    assert np.abs(full - plain).mean() < 0.05


def test_it_is_nearer_to_the_truth_than_bilinear():
    from skimage import color as skcolor, data

    lab = skcolor.rgb2lab(data.astronaut()).astype(np.float32)
    luminance, true = lab[..., :1], lab[..., 1:]
    ab = tf.image.resize(true, [64, 64], antialias=True)
    full = upsampling.guided(luminance, canvas.on_canvas(luminance, 64), ab)
    plain = tf.image.resize(ab, [512, 512])
    assert np.abs(full - true).mean() < 0.93 * np.abs(plain - true).mean()


def test_graph_of_unknown_shape_gives_the_same():
    guided = tf.function(upsampling.guided, autograph=False, input_signature=[
        tf.TensorSpec([None, None, 1]), tf.TensorSpec([None, None, 1]),
        tf.TensorSpec([None, None, 2])])
    for height, width in ((1, 1), (3, 50), (64, 65)):
        arrays = _random(4, height, width, [9, 7])
        np.testing.assert_allclose(
            guided(*arrays), upsampling.guided(*arrays), atol=1e-4)


@pytest.mark.parametrize("function", [canvas.join, canvas.join_16])
def test_no_size_of_photograph_is_compiled_for(function):
    """As oneDNN does products and convolutions; it keeps the last 1024."""
    graph = function.get_concrete_function().graph.as_graph_def()
    kinds = {node.op for nodes in (
        graph.node, *(part.node_def for part in graph.library.function))
        for node in nodes}
    assert "GatherV2" in kinds  # the rows' own graph is in it
    assert not [kind for kind in kinds if "MatMul" in kind or "Conv" in kind]
