"""A run that is killed at any moment ends as one that was not."""

import contextlib
import fnmatch
import json
import os
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import tfdivcolor as tdc
from tfdivcolor.models import storage

STAGES = ("0-vae", "1-mdn", "2-joint")

# Imports TensorFlow once and forks for every session, which halves the time
# of a start.  Reads lines of a log's path, what to run, and its arguments;
# writes each session's process id, and its exit code when it has ended.
NURSERY = """
import os, sys, traceback
import keras, numpy as np, tensorflow as tf
from training import checkpoints, loop, steps, train

def save_forever(folder):
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dense(200)])
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    average = steps.MovingAverage(
        [v.value for v in model.trainable_variables], 0.9)
    saved = checkpoints.Checkpoints(folder, model, optimizer, average)
    step = saved.restore()
    if step:
        for variable in model.variables:
            np.testing.assert_array_equal(variable, float(step))
    while True:
        step += 1
        for variable in model.variables:
            variable.assign(tf.fill(variable.shape, float(step)))
        saved.save(step)

for line in sys.stdin:
    log, program, *arguments = line.split()
    child = os.fork()
    if not child:
        for stream in 1, 2:
            os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                            0o644), stream)
        try:
            code = (train.main(arguments) if program == "train"
                    else save_forever(*arguments))
        except Exception:
            traceback.print_exc()
            code = 2
        sys.stdout.flush()
        os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def nursery():
    with subprocess.Popen([sys.executable, "-c", NURSERY], text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        yield process
        process.stdin.close()


def session(nursery, log, program, *arguments, until=None):
    """Runs a program to its end, or until it is to be killed.

    Args:
        nursery: subprocess.Popen.
        log: path of a file for what it prints.
        program: "train" or "save_forever".
        *arguments: paths and str.
        until: function without arguments, asked all the time whether to kill.

    Returns:
        int. The exit code; -9 if it was killed.
    """
    print(log, program, *arguments, file=nursery.stdin, flush=True)
    child = int(nursery.stdout.readline())
    deadline = time.monotonic() + 300
    while until and not select.select([nursery.stdout], [], [], 0.0002)[0]:
        if until() or time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            break
    return int(nursery.stdout.readline())


def names(path):
    """What a folder holds, or a file's size: what is new there is news."""
    try:
        return set(os.listdir(path))
    except NotADirectoryError:
        return {f"{path.stat().st_size} bytes"}
    except FileNotFoundError:
        return set()


def appears(path, pattern, count=1, delay=0.0):
    """Function: whether so many names of a pattern have appeared, and then so
    many seconds have passed."""
    seen = names(path)
    before, due = len(seen), []

    def asked():
        seen.update(name for name in names(path)
                    if fnmatch.fnmatch(name, pattern))
        if len(seen) - before >= count and not due:
            due.append(time.monotonic() + delay)
        return bool(due) and time.monotonic() >= due[0]

    return asked


def kills(random):
    """What each session is killed at: (folder, pattern, count, delay).

    Of a stage's 16 steps or more the first ones leave enough for the last.
    """
    yield "pictures", "*.png", int(random.integers(1, 48)), 0.0
    # In part, or, where that was too short to be seen, just written.
    yield ".", "*config.json*", 1, 0.0
    for stage in STAGES:
        folder = f"checkpoints/{stage}"
        new = f"{folder}/new"
        yield new, "ckpt-*_temp", 1, 0.0
        in_stage = [
            # Restoring, tracing, or the first steps.
            ("tensorboard", "events*", 1, random.uniform(0, 5)),
            (new, "ckpt-*_temp", int(random.integers(1, 3)), 0.0),
            (new, "ckpt-*.data-*", int(random.integers(1, 3)), 0.0),
            (folder, "ckpt-*.data-*", 1, 0.0),
            (folder, "ckpt-*.index", 1, random.uniform(0, 0.5)),
            ("log.jsonl", "* bytes", 1, 0.0),
            ("grids", "*", 1, 0.0),
        ]
        yield from random.permutation(np.array(in_stage, object)).tolist()
    yield ".", ".model-*", 1, 0.0
    yield ".", "model", 1, 0.0
    yield ".", ".model-*", 1, 0.0  # in the place of a whole one


def stage_of(workdir):
    """Folder of checkpoints that a killed run was in; None: in none yet."""
    return next((stage for stage in reversed(STAGES)
                 if names(workdir / "checkpoints" / stage)), None)


def torn(workdir):
    """Checkpoints written in part: set of (folder, time of its last change)."""
    return {(path, path.stat().st_mtime_ns)
            for path in workdir.glob("checkpoints/*/new")}


def records(workdir):
    """The run's log by (stage, kind, step), in order; only whole lines."""
    return [((record["stage"], record["kind"], record["step"]), record)
            for record in map(json.loads, (
                workdir / "log.jsonl").read_text().splitlines())]


def terms(record):
    """A record without what depends on the clock."""
    return {name: value for name, value in record.items()
            if name not in ("time", "pictures_per_second")}


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_as_one_that_was_not(
        nursery, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert session(nursery, tmp_path / "whole.out", "train", "--config",
                   "smoke", "--workdir", whole) == 0
    # A checkpoint after every step.
    again = (nursery, tmp_path / "killed.out", "train", "--config", "smoke",
             "--workdir", killed, "--set", "checkpoint_minutes=0")
    hits = []
    for folder, pattern, count, delay in kills(np.random.default_rng(0)):
        before = torn(killed)
        code = session(*again, until=appears(
            killed / folder, pattern, count, delay))
        hits.append((folder, pattern, code, stage_of(killed),
                     bool(torn(killed) - before)))
        print(*hits[-1], flush=True)
    assert session(*again) == 0

    # Nothing of what follows would be worth much without these.
    assert sum(code == -9 for _, _, code, _, _ in hits) >= 20
    for stage in STAGES:
        assert sum(stage == found for *_, found, _ in hits) >= 5
        assert any(stage == found and part for *_, found, part in hits)

    assert (storage.describe(killed / "model")["sha256"]
            == storage.describe(whole / "model")["sha256"])
    for a, b in zip(tdc.load(whole / "model").weights,
                    tdc.load(killed / "model").weights):
        np.testing.assert_array_equal(a, b)

    # The log has all that the other one has, and what was done twice twice.
    expected, found = dict(records(whole)), records(killed)
    assert {key for key, _ in found} == expected.keys()
    for key, record in found:
        if "validation" in key:
            assert terms(record) == terms(expected[key])
    history = storage.describe(killed / "model")["about"]["history"]
    assert [(line["stage"], line["kind"], line["step"]) for line in history
            ] == list(expected)
    assert fnmatch.filter(names(killed / "grids"), "*.png") and (
        set(fnmatch.filter(names(killed / "grids"), "[!.]*"))
        == names(whole / "grids"))
    # Nothing piles up but hidden parts.
    for stage in STAGES:
        assert len(names(killed / "checkpoints" / stage)) == 4


@pytest.mark.slow
def test_a_checkpoint_is_whole_or_not_there(nursery, tmp_path):
    """A hundred kills of a process that does nothing but save."""
    random = np.random.default_rng(1)
    folder, log, parts = tmp_path / "stage", tmp_path / "out", 0
    for number in range(100):
        assert session(
            nursery, log, "save_forever", folder, until=appears(
                folder, "ckpt-*.index", int(random.integers(1, 4)),
                # When an index appears, or anywhere in the next checkpoint.
                random.uniform(0, 0.05) * (number % 4 > 0))) == -9, (
                    log.read_text()[-2000:])
        parts += "new" in names(folder)
    assert parts >= 10
    assert "damaged" not in log.read_text()
    assert len(fnmatch.filter(names(folder), "*.index")) >= 2
