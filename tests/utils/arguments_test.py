"""Checks of numbers that callers give."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tfdivcolor.utils.arguments import check_number, check_whole


def refused(check, *arguments):
    try:
        check("name", *arguments)
    except ValueError as error:
        assert str(error).startswith("name must be ")
        assert "\n" not in str(error) and "(received " in str(error)
        return True
    return False


@given(st.integers(), st.integers(), st.one_of(st.none(), st.integers()))
def test_whole_numbers_of_a_range(value, least, most):
    inside = value >= least and (most is None or value <= most)
    assert refused(check_whole, value, least, most) != inside


@given(st.floats(), st.floats(allow_nan=False),
       st.one_of(st.none(), st.floats(allow_nan=False)))
def test_numbers_of_a_range(value, least, most):
    inside = (math.isfinite(value) and value >= least
              and (most is None or value <= most))
    if value == -math.inf and least == -math.inf:
        return  # no caller's range has such an end
    assert refused(check_number, value, least, most) != inside


@pytest.mark.parametrize("value", [
    None, "8", 8.0, b"8", [8], np.array([1, 2]), np.float32(8), math.nan])
def test_what_is_no_whole_number(value):
    assert refused(check_whole, value)


@pytest.mark.parametrize("value", [
    None, "0.5", b"1", [0.5], np.array([0.5, 0.5]), math.nan, math.inf, {}])
def test_what_is_no_number(value):
    assert refused(check_number, value, 0)


def test_numpy_s_numbers_are_as_good():
    check_whole("name", np.int64(3), 1, 3)
    check_number("name", np.float32(0.5), 0, 1)
    check_number("name", 1, 0, 1)
