"""The figure of a load test: latencies, and throughput over time."""

import numpy as np

from serving.load_test import report as load_report
from tfdivcolor import plots

# Number of bins over the whole time, at most, and answers per bin on average,
# at least. With fewer answers a bin would show only noise.
_BINS, _ANSWERS = 60, 20
_TICKS = {"0 %": 1, "50 %": 2, "90 %": 10, "99 %": 100, "99.9 %": 1000}


def draw(phases, path):
    """Writes the figure.

    Args:
        phases: dict from a target's name to its list of `Phase`.
        path: str or path of the PNG file.

    Raises:
        images.ImageError: if the file is not writable.
    """
    figure, ((latency, throughput),) = plots.panels(1, 2, width=5.2)
    for color, (name, rounds) in zip(plots.COLORS, phases.items()):
        style = {"color": color, "linewidth": 1.5, "label": name}
        _draw_latencies(latency, load_report.latencies(rounds), style)
        _draw_throughput(throughput, rounds, style)
    latency.set_xscale("log")
    latency.set_xlabel("requests that are faster")
    right = latency.dataLim.x1
    shown = {text: x for text, x in _TICKS.items() if x <= right}
    latency.set_xticks(list(shown.values()), list(shown))
    latency.minorticks_off()
    latency.set_ylabel("latency, ms")
    latency.set_ylim(bottom=0)
    throughput.set_xlabel("seconds of the target's own rounds")
    throughput.set_ylabel("answered as expected, requests/s")
    throughput.set_ylim(bottom=0)
    plots.legend(figure, latency, throughput)
    plots.save(figure, path)


def _draw_latencies(axes, seconds, style):
    """Draws a point for each request, and spreads out the slowest requests."""
    count = len(seconds)
    # Request i of n is slower than i others. On a log axis 1 / (1 - i / n)
    # puts 99 % and 99.9 % as far apart as 90 % and 99 %.
    axes.plot(count / np.arange(count, 0, -1), 1000 * np.sort(seconds),
              **style)


def _draw_throughput(axes, rounds, style):
    """Draws answers per second, with the rounds one after the other."""
    begins = np.cumsum([0.0, *(phase.seconds for phase in rounds)])
    ends = [begin + outcome.start + outcome.latency
            for begin, phase in zip(begins, rounds)
            for outcome in phase.outcomes if not outcome.error]
    count = max(1, min(_BINS, len(ends) // _ANSWERS))
    answers, edges = np.histogram(ends, count, (0, begins[-1]))
    axes.stairs(answers / np.diff(edges), edges, baseline=None, **style)
