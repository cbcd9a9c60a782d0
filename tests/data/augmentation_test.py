"""Augmentation: geometry, tone curve, one stream a picture."""

import numpy as np
import pytest
import tensorflow as tf

from tfdivcolor.data.augmentation import Augmentation, augment

OFF = Augmentation(flip=False, zoom=0, rotation=0, aspect=0, gamma=0,
                   contrast=0, brightness=0)
GEOMETRY = {"gamma": 0, "contrast": 0, "brightness": 0}


def ramps(count, size):
    """Fields whose a is the column's and b the row's position, -50..50."""
    position = 100 * ((np.arange(size) + 0.5) / size - 0.5)
    field = np.stack(
        [np.full([size, size], 50.0), np.tile(position, [size, 1]),
         np.tile(position[:, None], [1, size])], axis=-1)
    return np.tile(field.astype(np.float32), [count, 1, 1, 1])


def test_nothing_to_do_changes_nothing():
    lab = ramps(3, 16)
    np.testing.assert_array_equal(
        augment(lab, [1, 2, 3], 16, OFF), lab)


def test_the_whole_frame_maps_corner_to_corner():
    # Both the mirrored and the plain picture, by the affine resampling: its
    # ramps must be those of the canvas's own pixel centres.
    options = Augmentation(flip=True, zoom=0, rotation=0, aspect=0,
                           **GEOMETRY)
    result = augment(ramps(20, 20), tf.range(20), 16, options).numpy()
    expected = ramps(1, 16)[0]
    mirrored = expected * [1, -1, 1]
    flips = 0
    for field in result:
        flip = field[8, 0, 1] > 0
        flips += flip
        np.testing.assert_allclose(
            field, mirrored if flip else expected, atol=1e-3)
    assert 0 < flips < 20


def test_geometry_stays_in_its_ranges():
    count, canvas = 400, 16
    options = Augmentation(rotation=0, aspect=0, **GEOMETRY)
    result = augment(
        ramps(count, 20), tf.range(count), canvas, options).numpy()
    across = np.diff(result[..., 1], axis=2).mean(axis=(1, 2))
    down = np.diff(result[..., 2], axis=1).mean(axis=(1, 2))
    scale = down * canvas / 100
    np.testing.assert_allclose(np.abs(across), down, rtol=0.02)
    assert 0.8 < scale.min() < 0.84 and 0.98 < scale.max() < 1.001
    assert abs(scale.mean() - 0.91) < 0.01
    assert abs((across < 0).mean() - 0.5) < 0.1
    # The crop lies anywhere in the frame, and never beyond it.
    for channel in (1, 2):
        centre = result[..., channel].mean(axis=(1, 2))
        room = 50 * (1 - scale)
        assert np.all(np.abs(centre) <= room + 0.2)
        assert np.corrcoef(np.abs(centre), room)[0, 1] > 0.3
        assert abs(np.mean(centre)) < 0.6


def test_rotation_and_aspect_have_their_deviations():
    count, size = 600, 24
    rotated = augment(
        ramps(count, size), tf.range(count), size,
        Augmentation(flip=False, zoom=0, rotation=0.05, aspect=0.03,
                     **GEOMETRY))[:, 6:-6, 6:-6].numpy()
    x_x, x_y = (np.diff(rotated[..., 1], axis=axis).mean((1, 2))
                for axis in (2, 1))
    y_x, y_y = (np.diff(rotated[..., 2], axis=axis).mean((1, 2))
                for axis in (2, 1))
    angle = np.arctan2(y_x, x_x)
    aspect = np.log(np.hypot(x_x, y_x) / np.hypot(x_y, y_y))
    assert 0.045 < angle.std() < 0.055 and abs(angle.mean()) < 0.008
    assert 0.027 < aspect.std() < 0.033 and abs(aspect.mean()) < 0.005
    assert abs(np.corrcoef(angle, aspect)[0, 1]) < 0.15


def test_the_tone_curve_is_of_the_luminance_alone():
    count = 500
    lab = ramps(count, 4)
    lab[..., 0] = np.linspace(0, 100, 16).reshape([4, 4])
    tone = {"gamma": 0.15, "contrast": 0.08, "brightness": 2.0}
    for name, value in tone.items():
        only = {**vars(OFF), name: value}
        result = augment(
            lab, tf.range(count), 4, Augmentation(**only)).numpy()
        np.testing.assert_array_equal(result[..., 1:], lab[..., 1:])
        assert result[..., 0].min() >= 0 and result[..., 0].max() <= 100
        inside = result[:, 1, 2, 0]  # of L = 40
        if name == "gamma":
            drawn = np.log(np.log(inside / 100) / np.log(0.4))
        elif name == "contrast":
            drawn = np.log((50 - inside) / 10)
        else:
            drawn = inside - 40
        assert abs(drawn.std() / value - 1) < 0.12
        assert abs(drawn.mean() / value) < 0.15


def test_a_picture_does_not_depend_on_its_batch_mates():
    lab, keys = ramps(6, 20), np.array([5, 7, 9, 2**40, 1, 0])
    whole = augment(lab, keys, 16, Augmentation()).numpy()
    for row in range(6):
        alone = augment(
            lab[row:row + 1], keys[row:row + 1], 16, Augmentation())
        np.testing.assert_allclose(alone[0], whole[row], atol=1e-4)
    assert len(np.unique(whole[:, 3, 3], axis=0)) == 6


@pytest.mark.parametrize("options, rule", [
    ({"zoom": 1.0}, "zoom must be below 1"),
    ({"gamma": -0.1}, "gamma must be 0 or more"),
    ({"rotation": float("nan")}, "rotation must be 0 or more"),
])
def test_augmentation_out_of_range_is_an_error(options, rule):
    with pytest.raises(ValueError, match=rule):
        Augmentation(**options)
