"""Does memory stay flat in a process that runs for long?

    python -m benchmarks.soak --minutes 30 --json soak.json --plot soak.png

One process does all the work of a long run, piece by piece in random order
(`benchmarks.common.soak_work`): training with many epochs, checkpoints,
validation, grids and logs; sampling of varying numbers of results; colouring of
photographs of varying sizes and formats, with hints; loading weights again;
reading broken files.  After each round of these pieces it records the memory in
use, resident memory, open files and threads.

Memory in use is the memory that the allocator has handed out and not got back,
as glibc reports it.  It contains every leak.  Resident memory also contains the
allocator's reserve, which varies with the sizes of photographs.  The program
judges resident memory only if memory in use is unknown.

The first third of the time is warm-up: caches fill, and the allocator finds
its size.  The program cuts the rest into eight stretches and fits a straight
line to the lowest value of each.  Work in progress comes and goes above these
values; leaks lift them.  The uncertainty (95 %) is that of the eight values.
"Flat" is growth of at most 40 MB per hour, with uncertainty.  Then a run of a
day grows by less than 1 GB, which a machine for training can spare.  Runs
below 30 minutes cannot show such a small growth.
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

LIMIT = 40.0  # MB per hour
EVERY = 3.0  # least seconds between two readings
WARM_UP = 1 / 3  # of the time
STRETCHES = 8
STUDENT = 2.447  # 97.5th percentile of Student's t with STRETCHES - 2 degrees
MEMORY = {"in_use": "memory in use", "resident": "resident memory"}
COUNTED = {"files": "open files", "threads": "threads"}


def reading():
    """Reads the memory, files and threads of this process.

    Returns:
        dict of in_use: float, MB, or None if the allocator does not report it;
        resident: float, MB (the peak, if the system reports only that); files
        and threads: int, or None if the system does not report them.
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
    return (found.uordblks + found.hblkhd) / 1e6  # small and large blocks


def _held():
    """The memory that `judge` uses, MB."""
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
    """Runs pieces of work in turns and records their memory.

    Args:
        work: dict from a name to a function of no arguments. Every round calls
            each function once, in random order.
        seconds: float. Length; the last piece of work is finished.
        random: `np.random.Generator`. Draws the order.
        every: float. Least seconds between two readings. Readings follow whole
            rounds, after a garbage collection.
        tick: function, called with the seconds since the start. Defaults to
            none.

    Returns:
        readings: list of dicts from `reading`, with seconds: float since the
            start.
        calls: dict from a name to the number of its calls.
        grown: dict from a name to the growth of memory in use during its calls
            after the warm-up, MB. It only hints at the cause: one piece may
            take the memory that another frees.
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
    """Judges whether memory, files and threads stay flat after the warm-up.

    Args:
        readings: list of dicts from `run`.
        limit: float. Largest growth that counts as flat, MB per hour. Defaults
            to `LIMIT`.

    Returns:
        dict of in_use and resident: dict of slope and uncertainty: floats, MB
        per hour; line: the fitted megabytes at the first and last second of
        the fit (None for in_use if it is unknown); memory: "flat",
        "grows" or "not clear", by memory in use if it is known; files,
        threads: the same, with the range of counts at the beginning and at the
        end as files_range, threads_range.

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
        # Counts vary with the work in progress; a leak leaves their range.
        found[name] = "grows" if min(last) > max(first) else "flat"
        found[f"{name}_range"] = [
            [min(part), max(part)] for part in (first, last)]
    return found


def _fit(seconds, megabytes):
    """Fits a line below the readings; None if some are missing."""
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
    return ("{slope:+.0f} \N{PLUS-MINUS SIGN} {uncertainty:.0f} MB per "
            "hour".format(**fit))


def _print(found, calls, grown):
    from benchmarks import table

    print(table(["work", "calls", "growth, MB"], [
        [name, f"{calls[name]:,}", f"{grown[name]:+.1f}"] for name in calls]))
    print(f"memory: {found['memory']}; limit {found['limit']:.0f} MB per hour, "
          "with uncertainty (then a run of a day grows by less than 1 GB)")
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
                        help="length of the run (default: %(default)g)")
    parser.add_argument("--data", metavar="PATH",
                        help="photographs to train on: a folder, or a .tar, "
                        ".tgz or .tar.gz (default: generated pictures)")
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR",
        help="trained weights (default: %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="WORK",
                        help="pieces of work: some of train, sample, colorize, "
                        "load, broken (default: all)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="seed of the order and of the work (default: "
                        "%(default)s)")
    parser.add_argument("--json", metavar="FILE",
                        help="write all readings to FILE")
    parser.add_argument("--plot", metavar="FILE",
                        help="write a figure of the readings, a PNG file")
    return parser


def _write(options, found):

    if options.json:
        files.write_atomically(options.json, json.dumps(
            {**vars(options), **found}, indent=1).encode())


def main(arguments=None):
    """Runs the program; returns its exit code, 0 if everything is flat."""
    options = _parser().parse_args(arguments)
    # Imported here so that --help does not wait for TensorFlow.
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import tempfile

    import numpy as np
    import tensorflow as tf
    from tqdm import tqdm

    from benchmarks.common import soak_work

    # TensorFlow warns that weights loaded again are traced again.
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
        # Written first, because `judge` may refuse too few readings.
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
