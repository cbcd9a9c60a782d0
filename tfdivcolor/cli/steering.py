"""Arguments that steer, and what is said of hints: for photographs colourised
here, and on a server.
"""

import argparse
from typing import Any

from tfdivcolor.settings import UNSTEERED, Hint
from tfdivcolor.utils.messages import report


def add_hints(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--hint", action="append", default=[], type=_hint, dest="hints",
        metavar="X,Y,#RRGGBB",
        help="a colour that is known at a pixel of the upright photograph, "
        "from its top left; may be given again")


def add_warmth(group: argparse._ActionsContainer) -> None:
    warmth = group.add_mutually_exclusive_group()
    warmth.add_argument(
        "--warmer", type=float, default=0.0, metavar="X",
        help="draw results that are warmer on average, by so many CIE units, "
        "where the photograph leaves it open; 10 is plain to see")
    warmth.add_argument(
        "--cooler", type=float, default=0.0, metavar="X",
        help="the opposite")
    group.add_argument(
        "--saturation", type=float, default=UNSTEERED.saturation,
        metavar="F", help="factor on the chroma (default: %(default)s)")


def steering_of(options: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `settings.Steering` that these are."""
    return {"hints": tuple(options.hints),
            "warmth": options.warmer - options.cooler,
            "saturation": options.saturation}


def report_hints(path: Any, result: Any) -> None:
    """Says how far hints are missed.

    Args:
        path: str or path of the photograph.
        result: `Coloring`, or one from a server.
    """
    for hint, before, after in zip(
            result.steering.hints, result.hints_before,
            result.hints_after.T):
        report(
            f"{path}: hint {hint} is missed by {after[0]:.1f} ab units in "
            f"the first result, by {after.max():.1f} at most; by "
            f"{before:.1f} without hints")


def _hint(text):
    try:
        return Hint.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
