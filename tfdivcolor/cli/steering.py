"""Arguments for steering, and reports on hints.

`tfdivcolor colorize` and the client of a server share them.
"""

import argparse
import itertools
from collections.abc import Iterable
from typing import Any

from tfdivcolor.settings import UNSTEERED, Hint
from tfdivcolor.utils.messages import report


def add_hints(group: argparse._ActionsContainer) -> None:
    """Adds --hint."""
    group.add_argument(
        "--hint", action="append", default=[], type=_hint, dest="hints",
        metavar="X,Y,#RRGGBB",
        help="colour of a pixel of the upright photograph, counted from the "
        "top left; may be repeated")


def add_warmth(group: argparse._ActionsContainer) -> None:
    """Adds --warmer, --cooler and --saturation."""
    warmth = group.add_mutually_exclusive_group()
    warmth.add_argument(
        "--warmer", type=float, default=0.0, metavar="X",
        help="draw results that are on average X CIE units warmer, where the "
        "model is unsure; 10 is plain to see")
    warmth.add_argument(
        "--cooler", type=float, default=0.0, metavar="X",
        help="draw results that are on average X CIE units cooler")
    group.add_argument(
        "--saturation", type=float, default=UNSTEERED.saturation,
        metavar="F", help="factor on the chroma (default: %(default)s)")


def steering_of(options: argparse.Namespace) -> dict[str, Any]:
    """Makes keyword arguments of `settings.Steering` from the options."""
    return {"hints": tuple(options.hints),
            "warmth": options.warmer - options.cooler,
            "saturation": options.saturation}


def report_hints(path: Any, result: Any, notes: Iterable[str] = ()) -> None:
    """Reports the distance of the results from each hint.

    Args:
        path: str or path of the photograph.
        result: `Coloring`, or a result from a server.
        notes: str for each hint, to be appended. Defaults to none.
    """
    for hint, before, after, note in zip(
            result.steering.hints, result.hints_before, result.hints_after.T,
            itertools.chain(notes, itertools.repeat(""))):
        text = (
            f"{path}: the distance to hint {hint} is {after[0]:.1f} ab units "
            f"in the first result, at most {after.max():.1f} in all results, "
            f"and {before:.1f} without hints")
        report("; ".join(filter(None, [text, note])))


def _hint(text):
    try:
        return Hint.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
