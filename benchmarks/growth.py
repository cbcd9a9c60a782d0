"""Growth: time and memory against results, pixels, batch and files.

    results    `Colorizer.sample` of one picture, S results
    batch      the same for B pictures, eight results each
    pixels     `Colorizer.colorize` and all eight pictures at full size
    files      `tfdivcolor colorize` of a folder, with the loading of weights

The program fits t = a + b n^p to the sizes of each round.  The exponent p
describes the growing part, without the constant cost a of the start.  The slope
of log t between the two largest sizes is the exponent there, start included.
Growth by less than a quarter over all sizes counts as flat and has no exponent.
Memory is the process's peak, with sizes in ascending order; a contains
TensorFlow itself.
"""

import functools
import math
import tempfile
from pathlib import Path

from benchmarks.common import timing
from benchmarks.common.processes import once, peak_memory, process
from benchmarks.common.results import (
    Options,
    duration,
    figure,
    goal,
    median,
    report,
    section,
)

SIZES = {
    "results": (12, 25, 50, 100),
    "batch": (16, 32, 64, 128),
    "pixels": (0.75, 1.5, 3, 6),  # megapixels
    "files": (8, 32, 128),
}
QUICK = {"results": (4, 8), "batch": (2, 4), "pixels": (0.1, 0.2),
         "files": (1, 2)}
RESULTS = 8
ROUNDS = {"results": 5, "batch": 5, "pixels": 2, "files": 1}
LIMIT = 1.1
FLAT = 1.25
EXPONENTS = [step / 100 for step in range(20, 301)]


def measure(options, say):
    """Runs the benchmark; see the module's docstring."""
    rows, goals, measured = [], [], {}
    for quantity, sizes in (QUICK if options.quick else SIZES).items():
        say(quantity)
        find = _files if quantity == "files" else _calls
        seconds, peaks = find(options, quantity, sizes)
        measured[quantity] = {"sizes": sizes, "seconds": seconds,
                              "peaks": peaks}
        for what, rounds, unit in (("time", seconds, duration),
                                   ("memory", peaks, _gigabytes)):
            rows.append(_row(quantity, what, sizes, rounds, unit))
            goals.append(_goal(quantity, what, sizes, rounds))
    return report(
        [section("Growth", ["", "", "sizes", "measured", "exponent p",
                            "slope at the end"], rows)],
        goals, growth=measured)


def _row(quantity, what, sizes, rounds, unit):
    middle = [median(values) for values in zip(*rounds)]
    powers = _exponents(sizes, rounds)
    slope = math.log(middle[-1] / middle[-2]) / math.log(
        sizes[-1] / sizes[-2])
    return [quantity, what, " ".join(f"{size:g}" for size in sizes),
            ", ".join(map(unit, middle)),
            figure(median(powers)) if powers else "flat", f"{slope:.2f}"]


def _goal(quantity, what, sizes, rounds):
    powers = _exponents(sizes, rounds)
    first, *_, last = [median(values) for values in zip(*rounds)]
    found = goal(f"{what} against {quantity}: exponent", powers,
                 at_most=LIMIT, instead="flat",
                 absolute=f"x{last / first:.3g} for "
                 f"x{sizes[-1] / sizes[0]:.3g}")
    # Flat growth meets the goal.
    return found if powers else {**found, "met": True}


def _exponents(sizes, rounds):
    """Exponents, one per round; empty if the growth is flat."""
    middle = [median(values) for values in zip(*rounds)]
    if middle[-1] < FLAT * middle[0]:
        return []
    return [exponent(sizes, values) for values in rounds]


def exponent(sizes, values):
    """p of the best fit a + b n^p by relative error, with a and b 0 or more.

    Args:
        sizes: numbers n. Two of them determine only the slope of a line.
        values: positive numbers, one for each size.

    Returns:
        float, 0.2 to 3.
    """
    import numpy as np

    sizes, values = np.asarray(sizes, float), np.asarray(values, float)

    def error(power):
        grown = (sizes / sizes[-1]) ** power
        # For relative errors, divide every row by its value.
        rows = np.stack([np.ones_like(grown), grown], axis=1) / values[:, None]
        a, b = np.linalg.lstsq(rows, np.ones_like(values), rcond=None)[0]
        if a < 0 or b < 0:
            a, b = 0.0, rows[:, 1].sum() / (rows[:, 1] ** 2).sum()
        return ((rows @ [a, b] - 1) ** 2).sum()

    return min(EXPONENTS, key=error)


def _gigabytes(size):
    return f"{figure(size)} GB"


def _calls(options, quantity, sizes):
    """Rounds of seconds, and one round of peak memory, in one process."""
    with process() as call:
        call(prepare, options)
        peaks = [call(run_once, quantity, size) for size in sizes]
        found = timing.alternate(
            {size: functools.partial(call, seconds, quantity, size)
             for size in sizes}, options.rounds(ROUNDS[quantity]))
    return list(zip(*found.values())), [peaks]


def _files(options, quantity, sizes):
    """The same, for processes that each colour a folder."""
    with tempfile.TemporaryDirectory() as folder:
        found = timing.alternate(
            {size: functools.partial(
                once, colour_files, options, size, folder)
             for size in sizes}, options.rounds(ROUNDS[quantity]))
    return [[[pair[which] for pair in row] for row in zip(*found.values())]
            for which in (0, 1)]


# --- In separate processes ------------------------------------------------

_STATE = {}


def prepare(options):
    """Loads the weights and uses them."""
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import numpy as np

    import tfdivcolor as tdc
    from benchmarks.common import pictures

    colorizer = tdc.load(options.weights)
    _STATE.update(options=options, colorizer=colorizer)
    small = np.asarray(pictures.scaled(options, 0.01))
    for count in (1, 2):  # two numbers, so that the trace has a variable size
        colorizer.colorize(small, count, options.seed).image(0)


def run_once(quantity, size):
    """Peak memory in GB after a call. Call it in ascending order of size."""
    _function(quantity, size)()
    return peak_memory()


def seconds(quantity, size):
    """Measures a call; returns seconds."""
    return _measurement(quantity, size)()


@functools.cache
def _measurement(quantity, size):
    return timing.clocked(_function(quantity, size))


@functools.cache
def _function(quantity, size):
    import numpy as np

    from benchmarks.common import pictures

    colorizer, options = _STATE["colorizer"], _STATE["options"]
    if quantity == "pixels":
        pixels = np.asarray(pictures.scaled(options, size))

        def colour():
            result = colorizer.colorize(pixels, RESULTS, options.seed)
            for i in range(RESULTS):
                result.image(i)

        return colour
    batch, samples = (1, size) if quantity == "results" else (size, RESULTS)
    random = np.random.default_rng(options.seed)
    side = colorizer.luminance_size
    luminance = random.uniform(0, 100, [batch, side, side, 1])
    return lambda: colorizer.sample(luminance, samples, options.seed)


def colour_files(options, count, folder):
    """Colours `count` files with the command.

    Args:
        options: `Options`.
        count: int.
        folder: path of a folder for pictures and results.

    Returns:
        float, seconds; float, peak memory in GB.

    Raises:
        ValueError: if the command fails.
    """
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    from benchmarks.common import pictures
    from tfdivcolor import cli

    with tempfile.TemporaryDirectory(dir=folder) as own:
        source = Path(own, "in")
        source.mkdir()
        # Generated pictures only: the command gets the whole folder.
        pictures.paths(Options(seed=options.seed), count, source)
        codes = []
        taken = timing.seconds(lambda: codes.append(cli.main([
            "colorize", str(source), "--out", str(Path(own, "out")), "-n",
            str(RESULTS), "--weights", options.weights, "--quiet"])))
        if codes != [0]:
            raise ValueError(
                f"tfdivcolor colorize must end with 0 (received {codes[0]})")
    return taken, peak_memory()
