"""Timing of all benchmarks: warm-up, turns, median and quartiles.

Other programs slow the machine down for seconds at a time.  Therefore two
things to compare are measured in turns, A B A B ..., and their ratio is taken
turn by turn: a slow moment affects both neighbours.
"""

import math
import statistics
import time

LEAST_SECONDS = 0.1  # of a measurement, so that the clock's precision is enough


def clocked(function, least=LEAST_SECONDS, warm=False):
    """Warms up a function and makes another one that measures it.

    Args:
        function: function of no arguments, which returns when its work is
            done.
        least: float. Least seconds of a measurement; it calls a quick function
            several times. Defaults to `LEAST_SECONDS`.
        warm: bool. True if the function is already warm. Defaults to False.

    Returns:
        function of no arguments that measures: float, seconds per call.
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
    """Measures one call of a function of no arguments; returns seconds."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def alternate(measurements, rounds):
    """Measures several things in turns.

    Args:
        measurements: dict from a name to a function of no arguments, which
            returns a measurement.
        rounds: int. Measurements of each.

    Returns:
        dict from a name to the list of its measurements, round by round.
    """
    found = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            found[name].append(measure())
    return found


def ratios(above, below):
    """Divides two lists of numbers round by round; returns a list of float."""
    return [a / b for a, b in zip(above, below, strict=True)]


def summary(values):
    """Median and quartiles.

    Args:
        values: numbers, one or more.

    Returns:
        dict of median, low and high (the quartiles): float; count: int.
    """
    values = sorted(values)
    if len(values) == 1:
        low = high = values[0]
    else:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": statistics.median(values), "low": low, "high": high,
            "count": len(values)}
