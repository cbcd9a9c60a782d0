"""Augmentation: geometry, film, tone curve, one stream a picture."""

from dataclasses import replace

import numpy as np
import pytest
import skimage.color
import tensorflow as tf
from scipy import ndimage

from tfdivcolor.data.augmentation import Augmentation, augment

OFF = Augmentation(flip=False, zoom=0, rotation=0, aspect=0, gamma=0,
                   contrast=0, brightness=0)
GEOMETRY = {"gamma": 0, "contrast": 0, "brightness": 0}
NO_FILM = {"orthochromatic": 0, "blur": 0, "grain": 0}


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


# --- Film -------------------------------------------------------------------


def noise(count, size):
    """Fields of colours that the screen can show, no two pixels alike."""
    rgb = np.random.default_rng(0).uniform(0, 1, [count, size, size, 3])
    return skimage.color.rgb2lab(rgb).astype(np.float32)


def changed(one, other):
    """Which of the pictures differ."""
    return np.any(one != other, axis=tuple(range(1, one.ndim)))


def test_film_changes_the_luminance_of_its_share_of_the_pictures():
    count = 600
    lab, keys = noise(count, 6), tf.range(count)
    for name, share in (("orthochromatic", 0.25), ("blur", 0.2),
                        ("grain", 0.3)):
        assert getattr(Augmentation.film(), name) == share
        result = augment(lab, keys, 6, replace(OFF, **{name: share})).numpy()
        np.testing.assert_array_equal(result[..., 1:], lab[..., 1:])
        # Four standard deviations of what 600 draws can give.
        room = 4 * (share * (1 - share) / count) ** 0.5
        assert abs(changed(result, lab).mean() - share) < room
        assert changed(augment(
            lab[:30], keys[:30], 6, replace(OFF, **{name: 1.0})).numpy(),
                       lab[:30]).all()


def test_the_changes_of_film_are_drawn_apart_from_each_other():
    count = 600
    lab, keys = noise(count, 6), tf.range(count)
    chosen = np.array([
        changed(augment(lab, keys, 6, replace(OFF, **{name: 0.5})).numpy(),
                lab) for name in NO_FILM])
    assert np.abs(np.corrcoef(chosen) - np.eye(3)).max() < 0.15


def test_film_leaves_colours_and_geometry_alone():
    lab, keys = noise(40, 20), tf.range(40)
    film = Augmentation.film()
    with_film = augment(lab, keys, 16, film).numpy()
    without = augment(lab, keys, 16, replace(film, **NO_FILM)).numpy()
    np.testing.assert_array_equal(with_film[..., 1:], without[..., 1:])
    # And the luminance of pictures on which none of the three falls.
    differ = changed(with_film, without)
    assert 10 < differ.sum() < 35
    assert np.all(with_film[..., 0] >= 0) and np.all(with_film[..., 0] <= 100)
    assert Augmentation() == replace(Augmentation(), **NO_FILM)


def test_orthochromatic_film_is_blind_to_red_and_keen_on_blue():
    count = 400
    # Red, green and blue; grey; a sky, and skin.
    rgb = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [119, 119, 119],
                    [110, 165, 230], [225, 172, 150]]) / 255
    lab = skimage.color.rgb2lab(rgb)
    fields = np.tile(lab.astype(np.float32), [count, 6, 1, 1])
    result = augment(fields, tf.range(count), 6, replace(
        OFF, orthochromatic=1.0))[:, 2, :, 0].numpy()
    red, green, blue, grey, sky, skin = result.T
    # The primaries' luminance is 100 times their weight, within its range.
    weights = np.stack([red, green, blue], -1) / 100
    np.testing.assert_allclose(weights.sum(-1), 1.0, atol=2e-3)
    for i, j, lowest, highest in (
            (0, 1, 0.02 / 0.7, 0.35 / 0.3), (2, 1, 0.1 / 0.7, 0.6 / 0.3),
            (0, 2, 0.02 / 0.6, 0.35 / 0.1)):
        ratio = weights[:, i] / weights[:, j]
        assert lowest < ratio.min() < 1.8 * lowest
        assert 0.6 * highest < ratio.max() < highest
    np.testing.assert_allclose(result, 100 * weights @ rgb.T, atol=0.1)
    # Against what the eye sees, L.
    assert red.max() < lab[0, 0] - 5 and red.mean() < 0.4 * lab[0, 0]
    assert blue.mean() > lab[2, 0] and np.mean(sky > lab[4, 0]) > 0.7
    assert np.mean(skin < lab[5, 0]) > 0.8
    np.testing.assert_allclose(grey, 100 * 119 / 255, atol=0.1)


def test_blur_is_the_mean_of_nine_pixels():
    lab = noise(3, 9)
    result = augment(lab, [1, 2, 3], 9, replace(OFF, blur=1.0)).numpy()
    # At the edges, of those of them that there are.
    there = ndimage.uniform_filter(np.ones([9, 9]), 3, mode="constant")
    for blurred, field in zip(result, lab):
        np.testing.assert_allclose(
            blurred[..., 0], ndimage.uniform_filter(
                field[..., 0], 3, mode="constant") / there, atol=1e-3)


def test_grain_is_white_noise_of_up_to_five():
    count = 400
    lab = np.tile(np.float32([50, 10, -10]), [count, 24, 24, 1])
    result = augment(lab, tf.range(count), 24, replace(OFF, grain=1.0))
    grain = result[..., 0].numpy() - 50
    deviation = grain.std(axis=(1, 2))
    assert deviation.min() < 0.3 and 4.7 < deviation.max() < 5.3
    # Uniform from 0 to 5, within four standard deviations.
    assert abs(deviation.mean() - 2.5) < 4 * 5 / 12 ** 0.5 / count ** 0.5
    assert abs(deviation.std() - 5 / 12 ** 0.5) < 0.15
    normal = grain / deviation[:, None, None]
    assert abs(normal.mean()) < 0.02
    assert 0.26 < np.mean(np.abs(normal) > 1.064) < 0.31  # 0.287 if normal
    for neighbour in (normal[:, 1:] * normal[:, :-1],
                      normal[:, :, 1:] * normal[:, :, :-1],
                      normal[1:] * normal[:-1]):
        assert abs(neighbour.mean()) < 0.02
    # Black and white stay within the range.
    lab[..., 0] = np.linspace(0, 100, 24)
    result = augment(lab[:20], tf.range(20), 24, replace(OFF, grain=1.0))
    assert result[..., 0].numpy().min() == 0
    assert result[..., 0].numpy().max() == 100


def test_film_does_not_depend_on_batch_mates():
    lab, keys = noise(12, 20), np.arange(12) + 2**40
    film = replace(Augmentation.film(), orthochromatic=0.3, blur=0.3)
    whole = augment(lab, keys, 16, film).numpy()
    plain = augment(lab, keys, 16, replace(film, **NO_FILM)).numpy()
    assert 0 < changed(whole, plain).sum() < 12
    for row in range(12):
        alone = augment(lab[row:row + 1], keys[row:row + 1], 16, film)
        np.testing.assert_allclose(alone[0], whole[row], atol=1e-3)


@pytest.mark.parametrize("options, rule", [
    ({"orthochromatic": 1.5}, "orthochromatic must be 0 to 1"),
    ({"blur": 2}, "blur must be 0 to 1"),
    ({"grain": -0.1}, "grain must be 0 or more"),
    ({"zoom": 1.0}, "zoom must be below 1"),
    ({"gamma": -0.1}, "gamma must be 0 or more"),
    ({"rotation": float("nan")}, "rotation must be 0 or more"),
])
def test_augmentation_out_of_range_is_an_error(options, rule):
    with pytest.raises(ValueError, match=rule):
        Augmentation(**options)
