"""The table by kind: a row per set of pictures, the same methods in each.

Errors are mean absolute errors, ab / 128: of the first result, of the best of
8, and of the best of 8 at every pixel and channel. A method with one result has
one error.
"""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from tfdivcolor.evaluation.tables.summary import Cell
from tfdivcolor.evaluation.tables.writing import (
    Column,
    Numbers,
    Report,
    Table,
)

ERRORS = ("one", "best_of_8", "pixel_of_8")
TRUTH = "truth"

NOTES = (
    "n: pictures measured. left out: unreadable / grey files.",
    "errors: mean absolute error, ab / 128, of the first result / of the best "
    "of 8 / of the best of 8 at every pixel and channel; one number for a "
    "method with one result. grey: no colour at all. reconstruction: the true "
    "colours encoded to a latent and decoded.",
    "chroma: mean chroma of the first result / of all 8, as a fraction of the "
    "chroma of the truth.",
    "M3 difference: colourfulness of the first result minus that of the "
    "truth, after Hasler and Suesstrunk 2003, in sRGB 0..255 at the size of "
    "the canvas.",
    "chroma difference: mean chroma of the first result minus that of the "
    "truth, CIE Lab units.",
    "share: promised share of the first result / part of the pictures in which "
    "it came nearest to the truth, by the Euclidean distance of the fields.",
    "seconds: wall time to sample 8 results for one picture, without files.",
)
STABILITY_NOTES = (
    "Stability: mean absolute change of ab in the first result, CIE units "
    "over the canvas, from the photograph to versions of it: 256, 512, 1024 "
    "pixels on the long side, the middle cropped to 3:2 and to 1:3 (over the "
    "common part), and grain of 4 L; goal: 2 or less.",
)


class Kind(TypedDict):
    """The measurements of one kind of pictures.

    Attributes:
        pictures: int. Number of measured pictures.
        unreadable, grey: int. Numbers of skipped pictures.
        summary: dict from the label of a method to the dict of `summarize`.
        stability: dict from a condition to `Cell`, or None if not measured.
    """

    pictures: int
    unreadable: int
    grey: int
    summary: dict[str, dict[str, Cell]]
    stability: dict[str, Cell] | None


def report(kinds: Mapping[str, Kind], label: str, heading: Sequence[str],
           missing: Sequence[str]) -> Report:
    """Makes the table by kind.

    Args:
        kinds: dict from the name of a kind to a dict with the items of `Kind`,
            all with the same methods.
        label: str. The method to describe beyond its errors.
        heading: list of str. Lines before the table.
        missing: list of str. Lines about omitted measurements.

    Returns:
        `Report`.
    """
    tables = [_errors(kinds, label), _colours(kinds, label)]
    notes = [*NOTES]
    if all(kind["stability"] for kind in kinds.values()):
        tables.append(_stability(kinds))
        notes += STABILITY_NOTES
    return Report(heading, tables, [*notes, *missing])


def _errors(kinds, label):
    """Errors of all methods, with the method `label` last."""
    first = next(iter(kinds.values()))["summary"]
    methods = [name for name in first
               if name != label and "one" in first[name]]
    columns = [Column("n", ",d"),
               Column("left out", ",d", ("unreadable", "grey"))]
    named = {}  # method -> names of its errors
    # From the method with the least knowledge to the one with the most.
    for name in [*reversed(methods), label]:
        named[name] = [error for error in ERRORS if error in first[name]]
        columns.append(Column(
            name, parts=("",) if len(named[name]) == 1 else (
                "first", "best", "pixel")))
    columns.append(Column("reconstruction"))
    rows: dict[str, list[Numbers]] = {}
    for kind, found in kinds.items():
        rows[kind] = [
            [found["pictures"]], [found["unreadable"], found["grey"]],
            *([found["summary"][name][error]["mean"] for error in errors]
              for name, errors in named.items()),
            [found["summary"][label]["reconstruction"]["mean"]]]
    return Table("Errors, ab / 128: first / best of 8 / best at every pixel",
                 "kind", columns, rows)


def _colours(kinds, label):
    columns = [
        Column("chroma", ".2f", ("first", "all")),
        Column("M3 difference", "+.1f"), Column("chroma difference", "+.1f"),
        Column("share", ".2f", ("promised", "kept")),
        Column("seconds", ".3f")]
    rows: dict[str, list[Numbers]] = {}
    for kind, found in kinds.items():
        ours, truth = ({
            name: cell["mean"] for name, cell in found["summary"][row].items()}
            for row in (label, TRUTH))
        rows[kind] = [
            [ours[name] / truth["chroma"] for name in (
                "chroma_first", "chroma")],
            [ours["colourfulness_first"] - truth["colourfulness"]],
            [128 * (ours["chroma_first"] - truth["chroma"])],
            [ours["share"], ours["share_kept"]],
            [ours["seconds"]]]
    return Table(
        f"{label}: colour, first / all; share of the first, promised / kept; "
        "time", "kind", columns, rows)


def _stability(kinds):
    first = next(iter(kinds.values()))["stability"]
    return Table(
        "Change of the first result, CIE units (goal: 2 or less)", "kind",
        [Column("n, stability", ",d"),
         *(Column(condition, ".2f") for condition in first)],
        {kind: [[found["stability"]["grain"]["pictures"]],
                *([cell["mean"]] for cell in found["stability"].values())]
         for kind, found in kinds.items()})
