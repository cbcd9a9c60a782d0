"""Checks of numbers in arguments."""

import operator
from typing import Any


def check_whole(name: str, value: Any, least: int | None = None,
                most: int | None = None) -> None:
    """Refuses values that are not whole numbers within a range.

    Args:
        name: str. Name of the argument, for the message.
        value: anything. NumPy's integers count as whole numbers.
        least, most: ints, the ends of the range, or None for no end. Default
            to None.

    Raises:
        ValueError: with the rule and the received value.
    """
    try:
        operator.index(value)
    except TypeError:  # also for arrays
        raise ValueError(f"{name} must be a whole number "
                         f"(received {value!r})") from None
    if ((least is not None and value < least)
            or (most is not None and value > most)):
        span = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{name} must be {span} (received {value})")


def check_number(name: str, value: Any, least: float,
                 most: float | None = None) -> None:
    """Refuses values that are not numbers within a range, also NaN.

    Args:
        name: str. Name of the argument, for the message.
        value: anything that `float` accepts, except text.
        least, most: floats, the range, or None for no upper end. `most`
            defaults to None.

    Raises:
        ValueError: with the rule and the received value.
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
