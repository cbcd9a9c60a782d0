"""The options and the report of a benchmark.

A benchmark of `benchmarks.run` is a module with a docstring and a function

    measure(options, say) -> report(...)

`options` are the `Options`; `say(text)` shows the current part.
"""

from dataclasses import dataclass

from benchmarks import table
from benchmarks.common import timing
from tfdivcolor.settings import DEFAULT_WEIGHTS

KINDS = 12  # rows of a profile


@dataclass(frozen=True)
class Options:
    """The options of all benchmarks.

    Attributes:
        weights: str. Name or folder of trained weights.
        seed: int. Seeds random weights, pictures and results.
        data: str or None. Folder of JPEG files to read. None generates files.
        photo: str or None. Photograph for large sizes. None takes
            scikit-image's astronaut.
        quick: bool. Small networks and one round: a check that everything
            runs. Its figures are useless.
    """

    weights: str = DEFAULT_WEIGHTS
    seed: int = 0
    data: str | None = None
    photo: str | None = None
    quick: bool = False

    def rounds(self, count):
        """Number of rounds: `count`, or one if quick."""
        return 1 if self.quick else count


def report(tables, goals=(), **measured):
    """Makes a benchmark's report, plain data.

    Args:
        tables: list of `section`.
        goals: list of `goal`. Defaults to none.
        **measured: JSON values. The measurements themselves.

    Returns:
        dict.
    """
    return {"tables": list(tables), "goals": list(goals), **measured}


def section(caption, headings, rows):
    """Makes a table of a report, with its caption; all values are str."""
    return {"caption": caption, "headings": headings, "rows": rows}


def text(found):
    """Formats the tables of a report, with their captions: str."""
    return "\n".join(f"\n{one['caption']}:\n\n"
                     f"{table(one['headings'], one['rows'])}"
                     for one in found["tables"])


def profiled(what, profile):
    """Makes the section of a profile.

    Args:
        what: str. The profiled function.
        profile: dict from `operations.profile`.

    Returns:
        `section` of the largest shares.
    """
    return section(
        f"Time of {what}, by kind of operation",
        ["kind", "share", "per call"],
        [[kind, f"{100 * share:.1f} %", f"{number:.0f}"]
         for kind, (share, number) in list(profile.items())[:KINDS]])


def goal(name, values, at_least=None, at_most=None, unit="", absolute="",
         instead="not run"):
    """Makes a measured figure, and checks it against its bound.

    Args:
        name: str.
        values: numbers, one per round; empty if the figure was not measured.
        at_least, at_most: number. The bound, one of the two, or neither for a
            figure without a goal.
        unit: str. Unit of the values and the bound; empty for a ratio.
        absolute: str. The two parts of a ratio, or why it is missing.
        instead: str. Text to show if there are no values.

    Returns:
        dict; `met` is None without a bound or without values.
    """
    found = timing.summary(values) if values else None
    met = None
    if found and at_least is not None:
        met = found["median"] >= at_least
    elif found and at_most is not None:
        met = found["median"] <= at_most
    return {"name": name, "found": found, "at_least": at_least,
            "at_most": at_most, "unit": unit, "met": met,
            "absolute": absolute, "instead": instead}


def figure(value):
    """A number with three significant digits, str."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values, unit=""):
    """Median and quartiles of measurements: "1.31 (1.28 to 1.4) s"."""
    return spread_of(timing.summary(values), unit)


def spread_of(found, unit=""):
    """Like `spread`, for a `timing.summary`."""
    return ("{} ({} to {}) {}".format(
        *(figure(found[part]) for part in ("median", "low", "high")),
        unit)).strip()


def duration(seconds):
    """Seconds in a suitable unit: "12.3 ms"."""
    if seconds < 1:
        return f"{figure(1000 * seconds)} ms"
    return f"{figure(seconds)} s"


def median(values):
    """Median of measurements: float."""
    return timing.summary(values)["median"]
