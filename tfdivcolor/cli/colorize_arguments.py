"""`tfdivcolor colorize`: its arguments."""

import argparse
from pathlib import Path

from tfdivcolor.cli.common import (
    add_quiet,
    add_running,
    add_sampling,
    positive,
)
from tfdivcolor.settings import MAX_PIXELS, OUTPUT_FORMATS, UNSTEERED, Hint

GALLERY = "index.html"


def add(commands):
    """Adds the command's parser."""
    parser = commands.add_parser(
        "colorize", help="colourise photographs",
        description="Writes colourings of each photograph: NAME_00, the most "
        "probable, and so on (by the weight of their components with --mode "
        "components; the kept one first with --keep), and NAME.json, a record "
        "of how they were made. What the same call has made already is left "
        "as it is: that is, one with the same photograph, weights, number, "
        "seed, mode, temperature, steering and --format.")
    parser.set_defaults(run=_run)
    parser.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="image file, or folder: all images in it and its folders")
    _add_output(parser.add_argument_group("what is written"))
    add_sampling(parser.add_argument_group("which colourings"))
    _add_steering(parser.add_argument_group("a hand on the colours"))
    running = parser.add_argument_group("how it runs")
    add_running(running)
    running.add_argument(
        "--max-pixels", type=positive, default=MAX_PIXELS, metavar="N",
        help="refuse larger pictures (default: %(default)s)")
    add_quiet(running)


def _add_output(group):
    group.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR",
        help="folder to write to (default: %(default)s)")
    group.add_argument(
        "--format", choices=OUTPUT_FORMATS,
        help="of the colourings (default: that of each photograph; PNG for "
        "GIF, palette and 1-bit ones)")
    group.add_argument(
        "--sheet", action="store_true",
        help="also write NAME_sheet.png, all results on one picture")
    group.add_argument(
        "--gallery", action="store_true",
        help=f"also write {GALLERY}, one page to look at all results and "
        "choose, for any browser, without a network")
    group.add_argument(
        "--keep-original", action="store_true",
        help="put the own colours of photographs that have any beside the "
        "results, on the sheet and in the gallery; also writes NAME_original")
    group.add_argument(
        "--overwrite", action="store_true",
        help="replace files that another call has written, and others of "
        "their names; never the photographs themselves")


def _add_steering(group):
    group.add_argument(
        "--hint", action="append", default=[], type=_hint, dest="hints",
        metavar="X,Y,#RRGGBB",
        help="a colour that is known at a pixel of the upright photograph, "
        "from its top left; may be given again")
    group.add_argument(
        "--keep", type=int, metavar="RANK",
        help="begin again from this result (the number in its file's name) "
        "of the same call without --keep: it comes first, then variations of "
        "it")
    group.add_argument(
        "--strength", type=float, metavar="S",
        help="how far those go: 0 not at all, 1 as far as the model would "
        f"(default: {UNSTEERED.strength})")
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
    group.add_argument(
        "--same-z", action="store_true",
        help="give all photographs the latents of the first, in the order of "
        "their names: for the frames of a film, which are alike")


def _hint(text):
    try:
        return Hint.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _run(options):
    from tfdivcolor.cli import colorize_command

    return colorize_command.run(options)
