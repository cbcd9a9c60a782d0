"""Sets of pictures of different kinds: a row a kind, the same methods in each.

Errors are mean absolute errors, ab / 128: of the first result, of the best of
8, and of the best of 8 at every pixel and channel; a method of one answer has
one.
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
    "of 8 / of the best of 8 at every pixel and channel; one number: a method "
    "of one answer. grey: no colour at all. reconstruction: the true colours "
    "through the latent and back.",
    "chroma: mean chroma of the first result / of all 8, as a fraction of the "
    "truth's.",
    "M3 difference: colourfulness of the first result minus the truth's, "
    "after Hasler and Suesstrunk 2003, on sRGB of 0..255 at the canvas's "
    "size.",
    "chroma difference: mean chroma of the first result minus the truth's, "
    "CIE Lab units.",
    "share: what the first result promises / part of the pictures in which it "
    "came nearest to the truth, by the Euclidean distance of the fields.",
    "seconds: wall time of sampling 8 for one picture, without files.",
)
STABILITY_NOTES = (
    "Stability: mean absolute change of ab of the first result, CIE units "
    "over the canvas, between the photograph and the same at 256, 512, 1024 "
    "pixels on its long side, cropped in its middle to 3:2 and to 1:3 (where "
    "both are), and with grain of 4 L; goal: 2 or less.",
)


class Kind(TypedDict):
    """What was measured on the pictures of one kind.

    Attributes:
        pictures: int. How many.
        unreadable, grey: int. How many were left out.
        summary: dict from a method's label to `summarize`'s dict.
        stability: dict from a condition to `Cell`, or None if not measured.
    """

    pictures: int
    unreadable: int
    grey: int
    summary: dict[str, dict[str, Cell]]
    stability: dict[str, Cell] | None


def report(kinds: Mapping[str, Kind], label: str, heading: Sequence[str],
           missing: Sequence[str]) -> Report:
    """The table by kind.

    Args:
        kinds: dict from a kind's name to a dict with what `Kind` has, all of
            the same methods.
        label: str. The method that is described beyond its errors.
        heading: list of str. Lines before the table.
        missing: list of str. What was not run.

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
    """Errors of all methods, the one described last."""
    first = next(iter(kinds.values()))["summary"]
    methods = [name for name in first
               if name != label and "one" in first[name]]
    columns = [Column("n", ",d"),
               Column("left out", ",d", ("unreadable", "grey"))]
    named = {}  # method -> the errors that it has
    # What knows nothing comes first, what knows most last.
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
