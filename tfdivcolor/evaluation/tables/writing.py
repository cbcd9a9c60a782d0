"""Tables of numbers as text, Markdown and CSV, with the same rows in each."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# The numbers of one cell; None where there is nothing to say.
Numbers = Sequence[float | None]

NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """A column of a table, whose cells hold one number or several.

    Attributes:
        heading: str.
        spec: str. How a number is written, as in `format`; a zero before the
            point is left out.
        parts: tuple of str. What the numbers of a cell are; one of one number
            needs no name.
    """

    heading: str
    spec: str = ".4f"
    parts: tuple[str, ...] = ("",)

    def cell(self, numbers: Numbers) -> str:
        """The text of a cell."""
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
        label: str. What the rows are.
        columns: list of `Column`.
        rows: dict from a row's label to its cells, as many as columns.
    """

    title: str
    label: str
    columns: Sequence[Column]
    rows: Mapping[str, Sequence[Numbers]]

    def cells(self) -> list[list[str]]:
        """All of it as texts, the headings first."""
        return [
            [self.label, *(column.heading for column in self.columns)],
            *([label, *(column.cell(numbers) for column, numbers in zip(
                self.columns, row, strict=True))]
              for label, row in self.rows.items())]


@dataclass(frozen=True)
class Report:
    """Tables of the same rows, and what is to be said of them.

    Attributes:
        heading: list of str. Lines before the tables.
        tables: list of `Table`.
        notes: list of str. Lines after them.
    """

    heading: Sequence[str]
    tables: Sequence[Table]
    notes: Sequence[str]


def text(report: Report) -> str:
    """For a terminal: many lines, the last one without its end."""
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
    """The same as Markdown, with an end of line."""
    lines = ["\n\n".join(report.heading)]
    for table in report.tables:
        head, *rows = table.cells()
        lines += ["", f"**{table.title}**", "", _row(head),
                  "|---|" + "---:|" * (len(head) - 1), *map(_row, rows)]
    return "\n".join([*lines, "", *(
        f"- {note}" for note in report.notes if note)]) + "\n"


def as_csv(report: Report) -> str:
    """All tables as one, a column a number, in full precision."""
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
