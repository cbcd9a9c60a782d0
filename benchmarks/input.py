"""Input: how fast pictures are read, and whether training waits for them.

    rates      pictures per second: JPEG files of a folder and of TFRecord
               shards, decoded to Lab fields (done once, then kept in a cache),
               and batches from the cache, as training draws them
    waiting    the share of a training loop's time spent waiting for the next
               batch, with `regions` joint, which has the shortest steps
    cost       the loop's step compared with the same step on a batch in
               memory: the pipeline's threads take the step's cores even if
               the loop never waits
    end        the longest time to delete an epoch's pipeline

An epoch's first batch, which starts the pipeline, does not count.
"""

import functools
import tempfile
import time

from benchmarks.common import timing
from benchmarks.common.processes import once, process
from benchmarks.common.results import (
    duration,
    figure,
    goal,
    median,
    report,
    section,
)
from benchmarks.common.stages import BATCH, Stage

COUNT = 256  # pictures
SHARDS = 4
WAYS = ("folder of JPEG files", "TFRecord shards", "cache", "cache, augmented")
LOOP, STEPS = ("regions", "joint"), 12  # steps per round
ROUNDS = 2
LIMIT = 2.0  # per cent


def measure(options, say):
    """Runs the benchmark; see the module's docstring."""
    say("rates")
    with tempfile.TemporaryDirectory() as folder:
        rates = once(rates_of, options, folder)
    name = " ".join(LOOP)
    say(f"waiting, {name}")
    steps = options.rounds(STEPS)
    with process() as call, tempfile.TemporaryDirectory() as folder:
        call(prepare, options, *LOOP, steps, folder)
        found = timing.alternate(
            {"memory": functools.partial(call, from_memory),
             "cache": functools.partial(call, from_cache)},
            options.rounds(ROUNDS))
    total, waiting, ends = zip(*found["cache"])
    step, step_in_memory, wait = (
        duration(median(values) / steps)
        for values in (total, found["memory"], waiting))
    return report(
        [section("Pictures per second, canvas 64",
                 ["from", "median", "slowest"],
                 [[way, figure(median(rates[way])), figure(min(rates[way]))]
                  for way in WAYS]),
         section(f"A step of a loop over the cache, {_batch(options)} pictures",
                 ["stage", "in memory", "from the cache", "waiting",
                  "end of the epoch"],
                 [[name, step_in_memory, step, wait,
                   duration(max(ends))]])],
        [goal(f"{name}: share of the loop spent waiting",
              [100 * part for part in timing.ratios(waiting, total)],
              at_most=LIMIT, unit="%", absolute=f"{wait} of {step} per step"),
         goal(f"{name}: step with the pipeline / on a batch in memory",
              timing.ratios(total, found["memory"]),
              absolute=f"{step} / {step_in_memory}")],
        rates=rates, loop=found)


def _batch(options):
    return 4 if options.quick else BATCH


# --- In a separate process ------------------------------------------------


def rates_of(options, folder):
    """Reads pictures in every way.

    Args:
        options: `Options`.
        folder: path of an empty folder.

    Returns:
        dict from one of `WAYS` to a list of pictures per second.
    """
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import pathlib

    from benchmarks.common import pictures
    from tfdivcolor import data

    folder = pathlib.Path(folder)
    photos = pictures.decoded(options, _count(options), folder)
    source = options.data or folder / "pictures"
    shards = folder / "shards"
    shards.mkdir()
    data.write_tfrecords(source, shards / "photos", SHARDS)

    def load(path):
        return data.load(path, margin=16, limit=len(photos), progress=False)

    def draw(augment):
        for _ in photos.batches(_batch(options), augment=augment):
            pass

    functions = (
        lambda: load(source), lambda: load(shards / "photos-*"),
        lambda: draw(None), lambda: draw(data.Augmentation()))
    found = timing.alternate(
        dict(zip(WAYS, map(timing.clocked, functions))),
        options.rounds(ROUNDS))
    return {way: [len(photos) / second for second in seconds]
            for way, seconds in found.items()}


def _count(options):
    return 16 if options.quick else COUNT


_STATE = {}


def prepare(options, preset, stage, steps, folder):
    """Makes a stage, and pictures for an epoch of `steps` + 1 steps."""
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    from benchmarks.common import pictures

    one = Stage(options, preset, stage, _batch(options))
    photos = pictures.decoded(
        options, (steps + 1) * _batch(options), folder)
    if photos.steps_per_epoch(_batch(options)) <= steps:
        raise ValueError(
            f"data must have {(steps + 1) * _batch(options)} pictures in "
            f"colour (received {len(photos)})")
    _STATE.update(stage=one, photos=photos, steps=steps, options=options)


def from_memory():
    """Measures the steps on one batch in memory; returns seconds."""
    def run():
        for _ in range(_STATE["steps"]):
            _STATE["stage"].run()

    return timing.seconds(run)


def from_cache():
    """Measures an epoch from the cache.

    Returns:
        three floats, seconds: the steps, the waiting within the steps, and the
        end of the epoch after them.
    """
    from tfdivcolor import data

    stage, waiting = _STATE["stage"], 0.0
    batches = iter(stage.adapt(_STATE["photos"].batches(
        _batch(_STATE["options"]), seed=_STATE["options"].seed,
        augment=data.Augmentation())))
    stage.train([next(batches)])
    start = time.perf_counter()
    for _ in range(_STATE["steps"]):
        asked = time.perf_counter()
        batch = next(batches)
        waiting += time.perf_counter() - asked
        stage.train([batch])
    total, start = time.perf_counter() - start, time.perf_counter()
    del batches
    return total, waiting, time.perf_counter() - start
