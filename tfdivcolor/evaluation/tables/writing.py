"""Writes tables of numbers as text, Markdown and CSV, with the same rows."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The numbers of one cell; None for a missing number.
Numbers = Sequence[float | None]

NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """A column of a table, with one or several numbers per cell.

    Attributes:
        heading: str.
        spec: str. Format of a number, as in `format`, but without a zero
            before the point. Defaults to ".4f".
        parts: tuple of str. Names of the numbers in a cell; a single number
            needs no name. Defaults to ("",).
    """

    heading: str
    spec: str = ".4f"
    parts: tuple[str, ...] = ("",)

    def cell(self, numbers: Numbers) -> str:
        """Returns the text of a cell."""
        if all(number is None for number in numbers):
            return NOTHING
        return " / ".join(
            NOTHING if number is None else _written(number, self.spec)
            for number in numbers)


@dataclass(frozen=True)
class Table:
    """Rows of numbers.

    Attributes:
        title: str.
        label: str. Heading of the row labels.
        columns: list of `Column`.
        rows: dict from a row's label to its cells, one per column.
    """

    title: str
    label: str
    columns: Sequence[Column]
    rows: Mapping[str, Sequence[Numbers]]

    def cells(self) -> list[list[str]]:
        """Returns all cells as texts, with the headings first."""
        return [
            [self.label, *(column.heading for column in self.columns)],
            *([label, *(column.cell(numbers) for column, numbers in zip(
                self.columns, row, strict=True))]
              for label, row in self.rows.items())]


@dataclass(frozen=True)
class Report:
    """Tables with the same rows, and texts about them.

    Attributes:
        heading: list of str. Lines before the tables.
        tables: list of `Table`.
        notes: list of str. Lines after the tables.
    """

    heading: Sequence[str]
    tables: Sequence[Table]
    notes: Sequence[str]


def text(report: Report) -> str:
    """Formats for a terminal; the last line has no line end."""
    lines = [*report.heading]
    for table in report.tables:
        lines += ["", table.title, ""]
        cells = table.cells()
        widths = [max(map(len, column)) for column in zip(*cells)]
        for label, *row in cells:
            lines.append("  ".join(
                [label.ljust(widths[0]),
                 *(cell.rjust(width)
                   for cell, width in zip(row, widths[1:]))]).rstrip())
    return "\n".join([*lines, "", *report.notes])


def markdown(report: Report) -> str:
    """Formats as Markdown; the last line has a line end."""
    lines = ["\n\n".join(report.heading)]
    for table in report.tables:
        head, *rows = table.cells()
        lines += ["", f"**{table.title}**", "", _row(head),
                  "|---|" + "---:|" * (len(head) - 1), *map(_row, rows)]
    return "\n".join([*lines, "", *(
        f"- {note}" for note in report.notes if note)]) + "\n"


def as_csv(report: Report) -> str:
    """Joins all tables as CSV, a column per number, in full precision."""
    labels = list(dict.fromkeys(
        label for table in report.tables for label in table.rows))
    head = [report.tables[0].label]
    rows = {label: [label] for label in labels}
    for table in report.tables:
        head += [f"{column.heading} {part}".strip()
                 for column in table.columns for part in column.parts]
        for label in labels:
            cells = table.rows.get(
                label, [[None] * len(column.parts)
                        for column in table.columns])
            rows[label] += ["" if number is None else repr(number)
                            for numbers in cells for number in numbers]
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([head, *rows.values()])
    return file.getvalue()


def _written(number, spec):
    return format(number, spec).replace("0.", ".", 1) if abs(
        number) < 1 and "." in spec else format(number, spec)


def _row(cells):
    return "| " + " | ".join(cells) + " |"
