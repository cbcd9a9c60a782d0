"""Does memory stay flat in a process that goes on for long?

    python -m benchmarks.soak --minutes 30 --json soak.json --plot soak.png

One process does in turns, in a random order, all that a long run does
(`benchmarks.soak_work`): training with epochs that end and begin again,
checkpoints, validation, grids and logs; sampling of changing numbers;
colouring of photographs of changing sizes and formats, with hints; loading
weights again; reading files that are broken.  After each round of these it
writes down the memory in use, resident memory, open files and threads.

In use is what the allocator has given out and not got back (glibc tells): what
is lost stays in it.  Resident memory has also what the allocator keeps for
later, which swings with the sizes of photographs; it is judged where there is
nothing better.

The first third of the time is warm-up: caches fill, and the allocator finds
its size.  The rest is cut into eight stretches, and a straight line fitted to
the lowest value of each: what is at work comes and goes above them, what is
lost lifts them.  Its uncertainty (95 %) is that of those eight.  "Flat" is
growth of at most 40 MB an hour, uncertainty included: a day's run takes less
than 1 GB more then, which fits beside what a machine for training has to
spare.  Fewer than 30 minutes cannot show that little.
"""

import argparse
import ctypes
import gc
import json
import os
import sys
import threading
import time

from tfdivcolor.settings import DEFAULT_WEIGHTS
from tfdivcolor.utils import files

LIMIT = 40.0  # MB an hour
EVERY = 3.0  # seconds between two readings, at least
WARM_UP = 1 / 3  # of the time
STRETCHES = 8
STUDENT = 2.447  # 97.5th percentile of Student's t with STRETCHES - 2 degrees
MEMORY = {"in_use": "memory in use", "resident": "resident memory"}
COUNTED = {"files": "open files", "threads": "threads"}


def reading():
    """What the process has now.

    Returns:
        dict of in_use: float, MB, or None where the allocator does not tell;
        resident: float, MB (its peak, where the system does not tell); files
        and threads: int, or None where it does not tell.
    """
    return {"in_use": _in_use(), "resident": _resident(),
            "files": _count("/proc/self/fd"),
            "threads": _count("/proc/self/task") or threading.active_count()}


class _Allocated(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks",
        "uordblks", "fordblks", "keepcost")]


def _in_use():
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except (AttributeError, OSError, TypeError):  # another C library
        return None
    mallinfo2.restype = _Allocated
    found = mallinfo2()
    return (found.uordblks + found.hblkhd) / 1e6  # small and large pieces


def _held():
    """What `judge` goes by."""
    return _in_use() or _resident()


def _resident():
    try:
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
    except OSError:
        from benchmarks.common import processes

        return 1e3 * processes.peak_memory()
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _count(folder):
    try:
        return len(os.listdir(folder))
    except OSError:
        return None


def run(work, seconds, random, every, tick=lambda seconds: None):
    """Does pieces of work in turns, and writes down what they cost.

    Args:
        work: dict from a name to a function without arguments. In every round
            each is called once, in a random order.
        seconds: float. How long; what has begun is finished.
        random: `np.random.Generator`. Of the order.
        every: float. Seconds between two readings, at least; they are taken
            after whole rounds, when what is lost in cycles is collected.
        tick: function, called with the seconds that have passed.

    Returns:
        readings: list of dicts as `reading` gives them, with seconds: float
            since the start.
        calls: dict from a name to the number of its calls.
        grown: dict from a name to the megabytes by which memory in use grew in
            its calls after the warm-up. What one frees another may take: a
            hint of where to look, no more.
    """
    names = list(work)
    calls, grown = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    readings = []
    started = time.monotonic()
    for name in _turns(names, random):
        before = _held()
        work[name]()
        calls[name] += 1
        passed = time.monotonic() - started
        if passed > WARM_UP * seconds:
            grown[name] += _held() - before
        if sum(calls.values()) % len(names):
            continue
        if not readings or passed - readings[-1]["seconds"] >= every:
            gc.collect()
            readings.append({"seconds": passed, **reading()})
            tick(passed)
        if passed > seconds:
            return readings, calls, grown


def _turns(names, random):
    while True:
        yield from random.permutation(names)


def judge(readings, limit=LIMIT):
    """Whether memory, files and threads stay flat after the warm-up.

    Args:
        readings: list of dicts, as `run` gives them.
        limit: float. MB an hour that still count as flat.

    Returns:
        dict of in_use and resident: dict of slope and uncertainty: floats, MB
        an hour; line: the fitted megabytes at the first and last second
        fitted (None for in_use where it is not known); memory: "flat",
        "grows" or "not clear", by what is in use if it is known; files,
        threads: the same, and for each its count before and after as
        files_range, threads_range.

    Raises:
        ValueError: if there are fewer than two readings for each stretch.
    """
    end = readings[-1]["seconds"]
    kept = [r for r in readings if r["seconds"] >= WARM_UP * end]
    if len(kept) < 2 * STRETCHES:
        raise ValueError(
            f"minutes: must be enough for {2 * STRETCHES} readings after the "
            f"warm-up (received {len(kept)})")
    found = {"limit": limit, **{name: _fit(
        [r["seconds"] for r in kept], [r[name] for r in kept])
        for name in MEMORY}}
    judged = found["in_use"] or found["resident"]
    if judged["slope"] + judged["uncertainty"] <= limit:
        found["memory"] = "flat"
    else:
        found["memory"] = ("grows" if judged["slope"] > judged["uncertainty"]
                           else "not clear")
    third = len(kept) // 3
    for name in COUNTED:
        first, last = ([r[name] for r in part]
                       for part in (kept[:third], kept[-third:]))
        if None in first + last:
            found[name] = "not clear"
            continue
        # Counts go up and down with what is at work; a leak leaves its range.
        found[name] = "grows" if min(last) > max(first) else "flat"
        found[f"{name}_range"] = [
            [min(part), max(part)] for part in (first, last)]
    return found


def _fit(seconds, megabytes):
    """A line below readings; None if some are missing."""
    import numpy as np

    if None in megabytes:
        return None
    hours = np.asarray(seconds) / 3600
    lowest = [part[np.argmin(np.take(megabytes, part))] for part in
              np.array_split(np.arange(len(hours)), STRETCHES)]
    x, y = hours[lowest], np.take(megabytes, lowest)
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - (slope * x + intercept)
    error = np.sqrt((residual @ residual) / (STRETCHES - 2)
                    / ((x - x.mean()) @ (x - x.mean())))
    return {"slope": float(slope), "uncertainty": float(STUDENT * error),
            "line": [float(slope * at + intercept)
                     for at in (hours[0], hours[-1])]}


def draw(readings, found, path):
    """Writes a figure of memory with the fitted line, files and threads."""
    from tfdivcolor import plots

    minutes = [r["seconds"] / 60 for r in readings]
    start = WARM_UP * minutes[-1]
    figure, charts = plots.panels(2, 1, width=8, height=2.6)
    memory, counts = charts[:, 0]
    for color, (name, label) in zip(plots.COLORS, MEMORY.items()):
        if found[name]:
            memory.plot(minutes, [r[name] for r in readings], color=color,
                        linewidth=0.8, label=f"{label}, {_growth(found[name])}")
            memory.plot([start, minutes[-1]], found[name]["line"],
                        color=color, linewidth=1.5)
    memory.set_ylabel("MB")
    for color, (name, label) in zip(plots.COLORS[2:], COUNTED.items()):
        if None not in (r[name] for r in readings):
            counts.plot(minutes, [r[name] for r in readings], color=color,
                        linewidth=0.8, label=label)
    counts.set_ylabel("number")
    counts.set_xlabel("minutes")
    plots.legend(figure, memory, counts)
    plots.save(figure, path)


def _growth(fit):
    if not fit:
        return "not known"
    return ("{slope:+.0f} \N{PLUS-MINUS SIGN} {uncertainty:.0f} MB an "
            "hour".format(**fit))


def _print(found, calls, grown):
    from benchmarks import table

    print(table(["work", "calls", "MB grown in it"], [
        [name, f"{calls[name]:,}", f"{grown[name]:+.1f}"] for name in calls]))
    print(f"memory: {found['memory']}; limit {found['limit']:.0f} MB an hour, "
          "uncertainty included (a day's run then grows by less than 1 GB)")
    for name, label in MEMORY.items():
        print(f"{label}: {_growth(found[name])}")
    for name, label in COUNTED.items():
        ranges = found.get(f"{name}_range")
        between = " to ".join(f"{low}..{high}" for low, high in ranges or ())
        print(f"{label}: {found[name]}"
              + (f": {between} in the first and last third" if ranges else ""))


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, metavar="N",
                        help="how long (default: %(default)g)")
    parser.add_argument("--data", metavar="PATH",
                        help="photographs to train on: a folder, or a .tar, "
                        ".tgz or .tar.gz (default: generated pictures)")
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR")
    parser.add_argument("--only", nargs="+", metavar="WORK",
                        help="some of train, sample, colorize, load, broken")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--json", metavar="FILE",
                        help="write all readings there")
    parser.add_argument("--plot", metavar="FILE", help="draw them there: .png")
    return parser


def _write(options, found):

    if options.json:
        files.write_atomically(options.json, json.dumps(
            {**vars(options), **found}, indent=1).encode())


def main(arguments=None):
    """Runs the program; returns its exit code, 0 if all is flat."""
    options = _parser().parse_args(arguments)
    # After parsing, so that --help does not wait for TensorFlow.
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import tempfile

    import numpy as np
    import tensorflow as tf
    from tqdm import tqdm

    from benchmarks.common import soak_work

    # Weights that are loaded again are traced again, which it warns of.
    tf.get_logger().setLevel("ERROR")
    random = np.random.default_rng(options.seed)
    seconds = 60 * options.minutes
    try:
        with tempfile.TemporaryDirectory() as folder, tqdm(
                total=round(seconds), unit="s") as bar:
            work = soak_work.make(options, folder, random)
            readings, calls, grown = run(
                work, seconds, random, EVERY,
                tick=lambda passed: bar.update(round(passed) - bar.n))
        measured = {"calls": calls, "grown": grown, "readings": readings}
        # First: too few readings to judge are readings all the same.
        _write(options, measured)
        found = judge(readings)
        _write(options, {**found, **measured})
        if options.plot:
            draw(readings, found, options.plot)
    except (ValueError, OSError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    _print(found, calls, grown)
    for path in filter(None, (options.json, options.plot)):
        print(f"wrote {path}")
    return 0 if {found["memory"], found["files"],
                 found["threads"]} == {"flat"} else 1


if __name__ == "__main__":
    sys.exit(main())
