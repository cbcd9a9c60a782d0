"""How everything here is timed: warmed up, in turns, summed up by quartiles.

Other programs slow the machine down for seconds at a time.  Two things that
are to be compared are therefore measured in turns, A B A B ..., and their
ratio is taken turn by turn: what slows one slows its neighbour too.
"""

import math
import statistics
import time

LEAST_SECONDS = 0.1  # that a measurement takes, so that the clock is no matter


def clocked(function, least=LEAST_SECONDS, warm=False):
    """Warms a function up and makes a measurement of it.

    Args:
        function: function of no arguments, which returns when its work is
            done.
        least: float. Seconds that a measurement takes at least; a quick
            function is called several times in it.

    Returns:
        function of no arguments: float, seconds a call.
    """
    if not warm:
        function()
    once = seconds(function)
    calls = max(1, math.ceil(least / max(once, 1e-9)))

    def measure():
        start = time.perf_counter()
        for _ in range(calls):
            function()
        return (time.perf_counter() - start) / calls

    return measure


def seconds(function):
    """Seconds that one call of a function of no arguments takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def alternate(measurements, rounds):
    """Measures several things in turns.

    Args:
        measurements: dict from a name to a function of no arguments, which
            returns what it measured.
        rounds: int. Measurements of each.

    Returns:
        dict from a name to a list of what its function returned, round by
        round.
    """
    found = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            found[name].append(measure())
    return found


def ratios(above, below):
    """Round by round, one list of numbers divided by another; list of float.
    """
    return [a / b for a, b in zip(above, below, strict=True)]


def summary(values):
    """Median and quartiles.

    Args:
        values: numbers, one or more.

    Returns:
        dict of median, low and high: float, the quartiles; count: int.
    """
    values = sorted(values)
    if len(values) == 1:
        low = high = values[0]
    else:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": statistics.median(values), "low": low, "high": high,
            "count": len(values)}
