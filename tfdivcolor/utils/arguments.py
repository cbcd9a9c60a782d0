"""Checks of numbers that callers give."""

import operator
from typing import Any


def check_whole(name: str, value: Any, least: int | None = None,
                most: int | None = None) -> None:
    """Refuses what is not a whole number of a range.

    Args:
        name: str. What the message calls it.
        value: anything. NumPy's integers are as good as Python's.
        least, most: ints, the ends of the range, or None for no end.

    Raises:
        ValueError: naming the rule and what was received.
    """
    try:
        operator.index(value)
    except TypeError:  # an array of one number or of many, too
        raise ValueError(f"{name} must be a whole number "
                         f"(received {value!r})") from None
    if ((least is not None and value < least)
            or (most is not None and value > most)):
        span = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} must be {span} (received {value})")


def check_number(name: str, value: Any, least: float,
                 most: float | None = None) -> None:
    """Refuses what is not a number of a range; not a number is none.

    Args:
        name: str. What the message calls it.
        value: anything that `float` takes but text.
        least, most: floats, the range, or None for no upper end.

    Raises:
        ValueError: naming the rule and what was received.
    """
    span = f"{least} or more" if most is None else f"{least} to {most}"
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not (least <= number < float("inf")
            and (most is None or number <= most)):
        raise ValueError(
            f"{name} must be a number of {span} (received {value})")
