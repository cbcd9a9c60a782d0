"""Does memory stay flat in a process that goes on for long?

    python -m benchmarks.soak --minutes 30 --json soak.json --plot soak.png

One process does in turns, in a random order, all that a long run does
(`benchmarks.soak_work`): training with epochs that end and begin again,
checkpoints, validation, grids and logs; sampling of changing numbers;
colouring of photographs of changing sizes and formats, with hints; loading
weights again; reading files that are broken.  Meanwhile it writes down
resident memory, open files and threads.

The first third of the time is warm-up: caches fill, and the allocator finds
its size.  To the rest a straight line is fitted.  Its uncertainty (95 %) comes
from the means of eight stretches of time, as neighbouring values are not
independent.  "Flat" is growth of at most 40 MB an hour, uncertainty included:
a day's run takes less than 1 GB more then, which fits beside what a machine
for training has to spare.  Fewer than 30 minutes cannot show that little.
"""

import argparse
import json
import os
import sys
import threading
import time

LIMIT = 40.0  # MB an hour
EVERY = 3.0  # seconds between two readings, at least
WARM_UP = 1 / 3  # of the time
STRETCHES = 8
STUDENT = 2.447  # 97.5th percentile of Student's t with STRETCHES - 2 degrees
COUNTED = {"files": "open files", "threads": "threads"}


def reading():
    """What the process has now.

    Returns:
        dict of megabytes: float, resident (its peak, where the system does
        not tell); files and threads: int, or None where it does not tell.
    """
    return {"megabytes": _megabytes(), "files": _count("/proc/self/fd"),
            "threads": _count("/proc/self/task") or threading.active_count()}


def _megabytes():
    try:
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[1])
    except OSError:
        from benchmarks import processes

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
        every: float. Seconds between two readings, at least.
        tick: function, called with the seconds that have passed.

    Returns:
        readings: list of dicts as `reading` gives them, with seconds: float
            since the start.
        calls: dict from a name to the number of its calls.
        grown: dict from a name to the megabytes by which memory grew during
            its calls after the warm-up. What one frees another may take: a
            hint of where to look, no more.
    """
    names = list(work)
    calls, grown = dict.fromkeys(names, 0), dict.fromkeys(names, 0.0)
    readings = []
    started = time.monotonic()
    for name in _turns(names, random):
        before = _megabytes()
        work[name]()
        calls[name] += 1
        passed = time.monotonic() - started
        if passed > WARM_UP * seconds:
            grown[name] += _megabytes() - before
        if not readings or passed - readings[-1]["seconds"] >= every:
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
        dict of slope and uncertainty: floats, MB an hour; line: the fitted
        megabytes at the first and last second fitted; memory: "flat", "grows"
        or "not clear"; files, threads: the same, and for each its count
        before and after as files_range, threads_range.

    Raises:
        ValueError: if there are fewer than two readings for each stretch.
    """
    import numpy as np

    end = readings[-1]["seconds"]
    kept = [r for r in readings if r["seconds"] >= WARM_UP * end]
    if len(kept) < 2 * STRETCHES:
        raise ValueError(
            f"minutes: must be enough for {2 * STRETCHES} readings after the "
            f"warm-up (received {len(kept)})")
    hours = np.array([r["seconds"] for r in kept]) / 3600
    megabytes = np.array([r["megabytes"] for r in kept])
    x, y = (np.array([part.mean() for part in np.array_split(
        values, STRETCHES)]) for values in (hours, megabytes))
    slope, intercept = np.polyfit(x, y, 1)
    residual = y - (slope * x + intercept)
    error = np.sqrt((residual @ residual) / (STRETCHES - 2)
                    / ((x - x.mean()) @ (x - x.mean())))
    uncertainty = STUDENT * error
    if slope + uncertainty <= limit:
        memory = "flat"
    else:
        memory = "grows" if slope - uncertainty > 0 else "not clear"
    found = {
        "slope": float(slope), "uncertainty": float(uncertainty),
        "limit": limit, "memory": memory,
        "line": [float(slope * at + intercept)
                 for at in (hours[0], hours[-1])]}
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


def draw(readings, found, path):
    """Writes a figure of memory with the fitted line, files and threads."""
    from tfdivcolor import plots

    minutes = [r["seconds"] / 60 for r in readings]
    start = WARM_UP * minutes[-1]
    figure, charts = plots.panels(2, 1, width=7, height=2.6)
    memory, counts = charts[:, 0]
    memory.plot(minutes, [r["megabytes"] for r in readings],
                color=plots.COLORS[0], linewidth=0.8, label="resident memory")
    memory.plot([start, minutes[-1]], found["line"], color=plots.COLORS[1],
                linewidth=1.5, label="{slope:+.0f} \N{PLUS-MINUS SIGN} "
                "{uncertainty:.0f} MB an hour".format(**found))
    memory.set_ylabel("MB")
    for color, (name, label) in zip(plots.COLORS[2:], COUNTED.items()):
        if None not in (r[name] for r in readings):
            counts.plot(minutes, [r[name] for r in readings], color=color,
                        linewidth=0.8, label=label)
    counts.set_ylabel("number")
    counts.set_xlabel("minutes")
    plots.legend(figure, memory, counts)
    plots.save(figure, path)


def _print(found, calls, grown):
    from benchmarks import table

    print(table(["work", "calls", "MB grown in it"], [
        [name, f"{calls[name]:,}", f"{grown[name]:+.1f}"] for name in calls]))
    print("memory: {memory}: {slope:+.0f} MB an hour, uncertainty "
          "{uncertainty:.0f}, limit {limit:.0f} (a day's run then grows by "
          "less than 1 GB)".format(**found))
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
    parser.add_argument("--weights", default="lfw", metavar="NAME_OR_DIR")
    parser.add_argument("--only", nargs="+", metavar="WORK",
                        help="some of train, sample, colorize, load, broken")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--json", metavar="FILE",
                        help="write all readings there")
    parser.add_argument("--plot", metavar="FILE", help="draw them there: .png")
    return parser


def _write(options, found):
    from tfdivcolor import images

    if options.json:
        images.write_atomically(options.json, json.dumps(
            {**vars(options), **found}, indent=1).encode())


def main(arguments=None):
    """Runs the program; returns its exit code, 0 if all is flat."""
    options = _parser().parse_args(arguments)
    # After parsing, so that --help does not wait for TensorFlow.
    from tfdivcolor.command_line import start_tensorflow

    start_tensorflow()
    import tempfile

    import numpy as np
    import tensorflow as tf
    from tqdm import tqdm

    from benchmarks import soak_work

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
