"""The report of a load test: numbers for each target, and a table of them."""

import collections

import numpy as np

from tfdivcolor.utils import messages

PERCENTILES = (50, 90, 99)


def summarize(name, phases):
    """Summarises one target.

    Latencies include failed requests and timeouts, because their users wait,
    too. They exclude deliberately bad requests, which end early.

    Args:
        name: str. The target's name.
        phases: list of `Phase`, one per round.

    Returns:
        dict of JSON values: target, requests, refused (number of bad requests
        that the server refused, as it should), errors (number by kind),
        messages (the first of each kind), latency_ms (p50, p90, p99, max;
        null without requests), and rounds, a list of dicts of
        requests_per_second (with the expected answer) and
        colorings_per_second.
    """
    outcomes = [outcome for phase in phases for outcome in phase.outcomes]
    wrong = [outcome for outcome in outcomes if outcome.error]
    words = {}
    for outcome in wrong:
        words.setdefault(outcome.error, outcome.message)
    return {
        "target": name,
        "requests": len(outcomes),
        "refused": sum(outcome.case.expected != "OK" and not outcome.error
                       for outcome in outcomes),
        "errors": dict(collections.Counter(
            outcome.error for outcome in wrong)),
        "messages": words,
        "latency_ms": _percentiles(latencies(phases)),
        "rounds": [_rates(phase) for phase in phases],
    }


def latencies(phases):
    """Latencies of all requests that are not deliberately bad, in seconds:
    float64 [R]."""
    return np.array([
        outcome.latency for phase in phases for outcome in phase.outcomes
        if outcome.case.expected == "OK"])


def ratios(summary, direct):
    """Ratios of a target's colourings per second to those of direct calls.

    Args:
        summary, direct: dicts from `summarize`.

    Returns:
        dict of median, lowest, highest, and rounds, the ratio of each round.
    """
    rounds = [ours["colorings_per_second"] / theirs["colorings_per_second"]
              for ours, theirs in zip(summary["rounds"], direct["rounds"])]
    return {"median": float(np.median(rounds)), "lowest": min(rounds),
            "highest": max(rounds), "rounds": rounds}


def table(summaries):
    """Formats the numbers as a text table.

    Args:
        summaries: list of dicts from `summarize`, some with the key "ratio",
            a dict from `ratios`.

    Returns:
        str.
    """
    rows = [("", "requests", "errors", "requests/s", "colourings/s",
             *(f"p{p} ms" for p in PERCENTILES), "max ms")]
    for summary in summaries:
        latency = summary["latency_ms"] or {}
        rows.append((
            summary["target"], f"{summary['requests']:,}",
            f"{sum(summary['errors'].values()):,}",
            _mean(summary, "requests_per_second"),
            _mean(summary, "colorings_per_second"),
            *(f"{value:,.1f}" for value in latency.values())))
    widths = [max(len(row[i]) for row in rows if i < len(row))
              for i in range(len(rows[0]))]
    lines = ["  ".join(
        [row[0].ljust(widths[0]), *(
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))])
        for row in rows]
    return "\n".join([*lines, *_remarks(summaries)])


def _remarks(summaries):
    for summary in summaries:
        name = summary["target"]
        if summary["refused"]:
            yield (f"{name}: refused {summary['refused']:,} deliberately bad "
                   "requests, as it should")
        for error, count in summary["errors"].items():
            message = " ".join(summary["messages"][error].split())
            words = f": {message}" if message else ""
            yield f"{name}: {count:,} x {error}{words}"
        if "ratio" in summary:
            ratio = summary["ratio"]
            rounds = messages.plural(len(ratio["rounds"]), "round")
            yield (f"{name}: {ratio['median']:.1%} of the direct calls' "
                   f"colourings/s ({ratio['lowest']:.1%} to "
                   f"{ratio['highest']:.1%} in {rounds})")


def _mean(summary, key):
    return f"{np.mean([rates[key] for rates in summary['rounds']]):,.1f}"


def _rates(phase):
    good = [outcome for outcome in phase.outcomes if not outcome.error]
    pictures = sum(outcome.case.pictures for outcome in good)
    return {"requests_per_second": len(good) / phase.seconds,
            "colorings_per_second": pictures / phase.seconds}


def _percentiles(seconds):
    if not len(seconds):
        return None
    values = np.percentile(1000 * seconds, [*PERCENTILES, 100])
    names = [*(f"p{p}" for p in PERCENTILES), "max"]
    return dict(zip(names, values.tolist()))
