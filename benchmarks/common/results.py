"""What a benchmark is asked and what it answers.

A benchmark of `benchmarks.run` is a module with a docstring and a function

    measure(options, say) -> report(...)

`options` are the `Options`; `say(text)` tells what it is at.
"""

from dataclasses import dataclass

from benchmarks.common import timing
from tfdivcolor.settings import DEFAULT_WEIGHTS

KINDS = 12  # rows of a profile


@dataclass(frozen=True)
class Options:
    """What all benchmarks are asked.

    Attributes:
        weights: str. Name or folder of trained weights.
        seed: int. Of random weights, pictures and results.
        data: str or None. Folder of JPEG files to read; None: generated ones.
        photo: str or None. Photograph for large sizes; None: scikit-image's.
        quick: bool. Small networks and one round: a check that everything
            runs, whose figures mean nothing.
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
    """What a benchmark found, as plain data.

    Args:
        tables: list of `section`.
        goals: list of `goal`.
        **measured: JSON values. The measurements themselves.

    Returns:
        dict.
    """
    return {"tables": list(tables), "goals": list(goals), **measured}


def section(caption, headings, rows):
    """A table of a report and what it is; all are str."""
    return {"caption": caption, "headings": headings, "rows": rows}


def profiled(what, profile):
    """The section that says where the time of something goes.

    Args:
        what: str.
        profile: dict of `operations.profile`.

    Returns:
        `section` of the largest shares.
    """
    return section(
        f"Where the time of {what} goes, by kind of operation",
        ["kind", "share", "a call"],
        [[kind, f"{100 * share:.1f} %", f"{number:.0f}"]
         for kind, (share, number) in list(profile.items())[:KINDS]])


def goal(name, values, at_least=None, at_most=None, unit="", absolute="",
         instead="not run"):
    """A measured figure, and whether it is what was wanted.

    Args:
        name: str.
        values: numbers, one a round; empty if it was not measured.
        at_least, at_most: number. The bound, one of the two, or neither for a
            figure that is shown beside.
        unit: str. Of the values and the bound; empty for a ratio.
        absolute: str. What the ratio is made of, or why there is none.
        instead: str. Stands where the values would, if there are none.

    Returns:
        dict; `met` is None where there is no bound or no value.
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
    """Three significant digits of a number: str."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values, unit=""):
    """Median and quartiles of measurements: "1.31 (1.28 to 1.4) s"."""
    return spread_of(timing.summary(values), unit)


def spread_of(found, unit=""):
    """As `spread`, of a `timing.summary`."""
    return ("{} ({} to {}) {}".format(
        *(figure(found[part]) for part in ("median", "low", "high")),
        unit)).strip()


def duration(seconds):
    """Seconds in a handy unit: "12.3 ms"."""
    if seconds < 1:
        return f"{figure(1000 * seconds)} ms"
    return f"{figure(seconds)} s"


def median(values):
    """Median of measurements: float."""
    return timing.summary(values)["median"]
