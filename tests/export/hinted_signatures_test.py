"""An exported model under hints, warmth and saturation, and with pixels."""

import io

import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from PIL import Image

from tfdivcolor import images
from tfdivcolor.settings import Hint

HINTS = [Hint(20, 10, (200, 40, 30)), Hint(5, 33, (30, 60, 200)),
         Hint(29, 0, (90, 160, 60))]
NAN = [np.nan] * 5


def picture(height, width, top=0):
    """uint8 [height, width, 3], grey."""
    grey = skimage.data.astronaut()[top:top + height, 100:100 + width]
    return np.repeat(np.asarray(
        Image.fromarray(grey).convert("L"))[..., None], 3, axis=-1)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


# As high as wide, with sides of their own, and of one pixel.
PIXELS = [picture(40, 40), picture(41, 30, 80), picture(1, 1)]
PICTURES = list(map(png, PIXELS))


def numbers(hint):
    return [hint.x, hint.y, *hint.rgb]


def asked(pictures, hints, **changed):
    return {"image_bytes": pictures, "hints": np.float32(hints),
            "num_samples": 3, "seed": 5, "temperature": 0.5,
            "saturation": 1.0, "warmth": 0.0, **changed}


def check(result, row, expected):
    """Holds a row to a `Coloring` of Python."""
    pixels = np.stack([images.read(data).pixels
                       for data in result["colorized_bytes"][row]])
    assert np.abs(pixels.astype(int) - expected.images).max() <= 1
    np.testing.assert_allclose(
        result["log_prob"][row], expected.log_prob, rtol=1e-4, atol=1e-2)
    # Counted in 256ths; a draw between two results may go to either.
    np.testing.assert_allclose(
        result["share"][row], expected.share, atol=2.5 / 256)


def check_distances(result, row, places, expected):
    """Holds distances to those of Python at some places, NaN elsewhere."""
    for name, value in (("hint_distance", expected.hints_after),
                        ("hint_distance_before", expected.hints_before)):
        found = result[name][row]
        np.testing.assert_allclose(
            found[..., places], value, rtol=1e-3, atol=1e-2)
        others = np.delete(found, places, axis=-1)
        assert np.isnan(others).all()


@pytest.mark.parametrize("steering", [
    {}, {"saturation": 0.4}, {"warmth": 6.0}, {"warmth": -9.0},
    {"saturation": 0.0}])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_results_are_those_of_python(model, tiny, count, steering):
    hints = HINTS[:count]
    result = model.run("colorize_hinted", asked(
        PICTURES[:1], np.reshape(
            [numbers(hint) for hint in hints], [1, count, 5]), **steering))
    expected = tiny.colorize(
        PICTURES[0], 3, seed=5, hints=hints, **steering)
    check(result, 0, expected)
    check_distances(result, 0, list(range(count)), expected)
    if count and steering.get("saturation") != 0:
        assert (result["hint_distance"][0, 0].mean()
                < result["hint_distance_before"][0].mean())


def test_rows_have_hints_of_their_own(model, tiny):
    hints = [[NAN, numbers(HINTS[0]), NAN], [NAN] * 3,
             [[0, 0, 200, 10, 10], NAN, NAN],
             [numbers(hint) for hint in HINTS]]
    rows = [0, 1, 2, 1]
    expected = [[HINTS[0]], [], [Hint(0, 0, (200, 10, 10))], HINTS]
    result = model.run("colorize_hinted", asked(
        [PICTURES[row] for row in rows], hints, num_samples=2, seed=-3,
        temperature=1.0, warmth=2.0, saturation=1.5))
    for row, (source, steered) in enumerate(zip(rows, expected)):
        python = tiny.colorize(
            PICTURES[source], 2, seed=-3, temperature=1.0, hints=steered,
            warmth=2.0, saturation=1.5)
        check(result, row, python)
        given = ~np.isnan(np.float32(hints[row])[:, 0])
        check_distances(result, row, np.flatnonzero(given), python)


def test_without_steering_it_is_colorize_n(model):
    hinted = asked(PICTURES, [[NAN]] * 3)
    plain = {name: hinted[name] for name in (
        "image_bytes", "num_samples", "seed", "temperature")}
    result = model.run("colorize_hinted", hinted)
    expected = model.run("colorize_n", plain)
    for ours, theirs in zip(result["colorized_bytes"].ravel(),
                            expected["colorized_bytes"].ravel()):
        assert np.abs(images.read(ours).pixels.astype(int)
                      - images.read(theirs).pixels).max() <= 1
    for name, tolerance in (("share", 2.5 / 256), ("log_prob", 1e-2)):
        np.testing.assert_allclose(
            result[name], expected[name], atol=tolerance, rtol=1e-4)


@pytest.mark.parametrize("count", [0, 2])
def test_no_pictures_have_no_results(model, count):
    result = model.run("colorize_hinted", asked(
        np.array([], object), np.zeros([0, count, 5]), num_samples=4))
    assert {name: value.shape for name, value in result.items()} == {
        "colorized_bytes": (0, 4), "share": (0, 4), "log_prob": (0, 4),
        "hint_distance": (0, 4, count), "hint_distance_before": (0, count)}


def changed(**values):
    """A good hint with some of its numbers changed."""
    good = dict(zip(("x", "y", "red", "green", "blue"), numbers(HINTS[0])))
    return list({**good, **values}.values())


@pytest.mark.parametrize("hint, message", [
    ({"x": 30}, "x must be a whole number of 0 to 29 (received 30)"),
    ({"x": -1}, "x must be a whole number of 0 to 29 (received -1)"),
    ({"y": 41}, "y must be a whole number of 0 to 40 (received 41)"),
    ({"y": 1e9}, "y must be a whole number of 0 to 40 (received 1e+09)"),
    ({"x": 3.5}, "x must be a whole number of 0 to 29 (received 3.5)"),
    ({"x": np.nan}, "x must be a whole number of 0 to 29 (received nan)"),
    ({"red": 256}, "red must be a whole number of 0 to 255 (received 256)"),
    ({"green": -0.5},
     "green must be a whole number of 0 to 255 (received -0.5)"),
    ({"blue": np.inf},
     "blue must be a whole number of 0 to 255 (received inf)"),
    ({"blue": np.nan},
     "blue must be a whole number of 0 to 255 (received nan)"),
])
def test_a_wrong_hint_is_named(model, hint, message):
    """The second of the second picture."""
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        model.run("colorize_hinted", asked(PICTURES[:2], [
            [changed(x=39), NAN], [NAN, changed(**hint)]]))
    assert f"[hints[1, 1]: {message}]" in caught.value.message


@pytest.mark.parametrize("inputs, message", [
    ({"hints": np.zeros([2, 1, 5])},
     "hints: must be x, y, red, green and blue per hint, shape [1, H, 5] "
     "(received [2, 1, 5])"),
    ({"hints": np.zeros([1, 5])},
     "hints: must be x, y, red, green and blue per hint, shape [1, H, 5] "
     "(received [1, 5])"),
    ({"hints": np.zeros([1, 2, 4])},
     "hints: must be x, y, red, green and blue per hint, shape [1, H, 5] "
     "(received [1, 2, 4])"),
    ({"hints": np.full([1, 101, 5], np.nan)},
     "hints: must be at most 100 per row (received 101)"),
    ({"saturation": -0.1},
     "saturation: must be a number of 0 to 10 (received -0.1)"),
    ({"saturation": np.nan},
     "saturation: must be a number of 0 to 10 (received nan)"),
    ({"warmth": 31}, "warmth: must be a number of -30 to 30 (received 31)"),
    ({"warmth": [1]}, "warmth: must be one number, shape [] (received [1])"),
    ({"temperature": -1},
     "temperature: must be a finite number of 0 or more (received -1)"),
    ({"num_samples": 11}, "num_samples: must be 1 to 10 (received 11)"),
    ({"image_bytes": [PICTURES[2]] * 9, "hints": [[NAN]] * 9},
     "rows times num_samples: must be at most 25 (received 27)"),
    ({"image_bytes": [b"text"]},
     "image_bytes[0]: must be a JPEG, PNG, BMP or WebP picture"),
    ({"image_bytes": [png(np.zeros((130, 150), np.uint8))],
      "num_samples": 9},
     "image_bytes: must have at most 160000 pixels, all rows times "
     "num_samples (received 175500)"),
])
def test_other_refusals(model, inputs, message):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        model.run("colorize_hinted", {
            **asked(PICTURES[:1], [[NAN]]), **inputs})
    assert f"[{message}" in caught.value.message


def test_inputs_that_python_takes_are_taken(model):
    """The ends of every range."""
    for saturation, warmth in ((0, -30), (10, 30)):
        model.run("colorize_hinted", asked(
            PICTURES[1:2], [[[0, 0, 0, 0, 0], [29, 40, 255, 255, 255]]],
            saturation=saturation, warmth=warmth))
    every = [[x, y, 5 * x, 6 * y, 0] for x in range(10) for y in range(10)]
    result = model.run("colorize_hinted", asked(PICTURES[1:2], [every]))
    assert np.isfinite(result["hint_distance"]).all()


# --- Pixels ------------------------------------------------------------------


def test_pixels_are_coloured_as_files_are(model):
    scalars = {"num_samples": 4, "seed": 9, "temperature": 0.8}
    pixels = [PIXELS[0], PIXELS[0][::-1]]
    result = model.run("colorize_pixels", {
        "pixels": np.stack(pixels), **scalars})
    assert result["colorized"].dtype == np.uint8
    assert result["colorized"].shape == (2, 4, 40, 40, 3)
    expected = model.run("colorize_n", {
        "image_bytes": list(map(png, pixels)), **scalars})
    for row in range(2):
        for rank in range(4):
            data = expected["colorized_bytes"][row, rank]
            assert np.abs(result["colorized"][row, rank].astype(int)
                          - images.read(data).pixels).max() <= 1
    for name, tolerance in (("share", 2.5 / 256), ("log_prob", 1e-2)):
        np.testing.assert_allclose(
            result[name], expected[name], atol=tolerance, rtol=1e-4)


def test_of_coloured_pixels_the_luminance_counts(model, tiny):
    pixels = skimage.data.astronaut()[:30, 100:150]
    result = model.run("colorize_pixels", {
        "pixels": pixels[None], "num_samples": 2, "seed": 1,
        "temperature": 0.5})
    expected = tiny.colorize(pixels, 2, seed=1)
    assert np.abs(result["colorized"][0].astype(int)
                  - expected.images).max() <= 1


@pytest.mark.parametrize("inputs, message", [
    ({"pixels": np.zeros([1, 0, 4, 3])},
     "pixels: must have 1 to 20000 pixels per row (received 4 x 0)"),
    ({"pixels": np.zeros([1, 200, 101, 3])},
     "pixels: must have 1 to 20000 pixels per row (received 101 x 200)"),
    ({"pixels": np.zeros([9, 130, 150, 3]), "num_samples": 1},
     "pixels: must have at most 160000 pixels, all rows times num_samples "
     "(received 175500)"),
    ({"pixels": np.zeros([8, 8, 3])},
     "pixels: must be one picture per row, shape [B, H, W, 3] "
     "(received [8, 8, 3])"),
    ({"pixels": np.zeros([1, 8, 8, 4])},
     "pixels: must be one picture per row, shape [B, H, W, 3] "
     "(received [1, 8, 8, 4])"),
    ({"num_samples": 0}, "num_samples: must be 1 to 10 (received 0)"),
    ({"pixels": np.zeros([9, 8, 8, 3])},
     "rows times num_samples: must be at most 25 (received 27)"),
])
def test_wrong_pixels_are_named(model, inputs, message):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        model.run("colorize_pixels", {
            "pixels": np.zeros([1, 8, 8, 3]), "num_samples": 3, "seed": 1,
            "temperature": 0.5, **inputs})
    assert f"[{message}" in caught.value.message


def test_no_pixels_have_no_results(model):
    result = model.run("colorize_pixels", {
        "pixels": np.zeros([0, 5, 4, 3]), "num_samples": 2, "seed": 1,
        "temperature": 0.5})
    assert result["colorized"].shape == (0, 2, 5, 4, 3)
    assert result["share"].shape == (0, 2)


# --- A model that sees more pixels than its canvas has -----------------------


@pytest.mark.slow
def test_photos_under_steering(photos_version, tiny_photos):
    from tfdivcolor.export import saved_model

    with saved_model.Servable(photos_version) as model:
        result = model.run("colorize_hinted", asked(
            PICTURES[:1], [[numbers(hint) for hint in HINTS]], warmth=3.0))
    expected = tiny_photos.colorize(
        PICTURES[0], 3, seed=5, hints=HINTS, warmth=3.0)
    check(result, 0, expected)
    check_distances(result, 0, [0, 1, 2], expected)
