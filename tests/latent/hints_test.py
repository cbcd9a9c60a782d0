"""Hints as text, their checks, and where they lie on the canvas."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings, strategies as st

from tfdivcolor.latent.hints import canvas_position
from tfdivcolor.settings import Hint


@given(st.integers(0, 10**6), st.integers(0, 10**6),
       st.tuples(*[st.integers(0, 255)] * 3))
def test_text_round_trip(x, y, rgb):
    hint = Hint(x, y, rgb)
    assert Hint.parse(str(hint)) == hint


def test_parse_reads_capitals_and_spaces_around():
    assert Hint.parse(" 3,40,#C0fF01\n") == Hint(3, 40, (192, 255, 1))
    assert Hint.parse("3,40,c0ff01") == Hint(3, 40, (192, 255, 1))


@pytest.mark.parametrize("text", [
    "", "3,4", "3,4,#c0302", "3,4,#c030200", "-3,4,#c03020",
    "3.5,4,#c03020", "3,4,#c0302g", "3;4;#c03020", "3, 4, red"])
def test_parse_refuses_in_one_line(text):
    with pytest.raises(ValueError) as error:
        Hint.parse(text)
    assert str(error.value) == (
        f"hint: must read X,Y,#RRGGBB (received {text!r})")


@pytest.mark.parametrize("values", [
    (-1, 0, (0, 0, 0)), (0, 1.5, (0, 0, 0)), (0, 0, (0, 0)),
    (0, 0, (0, 0, 256)), (0, 0, (0, 0, -1))])
def test_values_outside_their_range_are_refused(values):
    with pytest.raises(ValueError, match=r"^hint: .* must be .*received"):
        Hint(*values)


def test_an_array_s_pixel_is_a_colour():
    assert Hint(1, 2, np.uint8([3, 4, 5])) == Hint(1, 2, (3, 4, 5))


def test_check_knows_the_picture_s_size():
    Hint(9, 4, (0, 0, 0)).check(10, 5)
    for x, y in ((10, 4), (9, 5)):
        with pytest.raises(ValueError) as error:
            Hint(x, y, (0, 0, 0)).check(10, 5)
        assert str(error.value) == (
            "hint: must lie inside the picture, 0..9, 0..4 "
            f"(received {x},{y})")


@settings(deadline=None, max_examples=30)
@given(st.data())
def test_position_is_where_enlargement_looks(data):
    # A field that says where it is, enlarged as results are.
    canvas = 8
    width, height = (data.draw(st.integers(1, 40)) for _ in range(2))
    x = data.draw(st.integers(0, width - 1))
    y = data.draw(st.integers(0, height - 1))
    column, row = np.meshgrid(*[np.arange(canvas, dtype=np.float32)] * 2)
    full = tf.image.resize(
        np.stack([column, row], -1), [height, width], "bilinear")
    np.testing.assert_allclose(
        canvas_position(x, y, width, height, canvas), full[y, x], atol=1e-5)
