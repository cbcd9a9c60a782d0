"""Start: the time to the first answer.

    --help         `tfdivcolor --help`, a process from start to end
    one picture    `tfdivcolor colorize one.jpg` minus `python -c "import
                   tensorflow"`: the time without TensorFlow's import
    load           `tdc.load`, then the first and the second call of `sample`
                   and of `colorize`, in a new process in each round

The program reads the files beforehand, so that the disk does not count.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import timing
from benchmarks.common.processes import once
from benchmarks.common.results import (
    duration,
    goal,
    median,
    report,
    section,
    spread,
)

HELP_LIMIT, COLORIZE_LIMIT = 0.3, 0.8  # seconds
HELP_ROUNDS, ROUNDS = 9, 5
CALLS = ("load", "sample, first", "sample, second", "colorize, first",
         "colorize, second")


def measure(options, say):
    """Runs the benchmark; see the module's docstring."""
    say("--help")
    help_seconds = timing.alternate(
        {"help": lambda: _run(_command("--help"))},
        options.rounds(HELP_ROUNDS))["help"]
    say("colorize one.jpg")
    with tempfile.TemporaryDirectory() as folder:
        picture, out = Path(folder, "one.jpg"), Path(folder, "out")
        once(write_picture, options, picture)
        found = timing.alternate(
            {"import": lambda: _run(
                [sys.executable, "-c", "import tensorflow"]),
             "colorize": lambda: _run(_command(
                 "colorize", picture, "--out", out, "--overwrite",
                 "--weights", options.weights))},
            options.rounds(ROUNDS))
    rest = [a - b for a, b in zip(found["colorize"], found["import"])]
    say("load, first and second call")
    calls = timing.alternate(
        {"calls": lambda: once(calls_of, options)},
        options.rounds(2))["calls"]
    return report(
        [section("Seconds from the shell", ["", "s"], [
            ["`tfdivcolor --help`", spread(help_seconds)],
            ["`import tensorflow`", spread(found["import"])],
            ["`tfdivcolor colorize one.jpg`", spread(found["colorize"])]]),
         section("Seconds in Python, after TensorFlow's import",
                 ["", "s"], [[name, spread([call[name] for call in calls])]
                             for name in CALLS])],
        [goal("`tfdivcolor --help`", help_seconds, at_most=HELP_LIMIT,
              unit="s"),
         goal("`tfdivcolor colorize one.jpg`, without TensorFlow's import",
              rest, at_most=COLORIZE_LIMIT, unit="s",
              absolute=f"{duration(median(found['colorize']))} - "
              f"{duration(median(found['import']))}")],
        help=help_seconds, shell=found, calls=calls)


def _command(*arguments):
    """The command as installed for this Python.

    Raises:
        ValueError: if it is not installed.
    """
    program = Path(sys.executable).with_name("tfdivcolor")
    if not program.exists():
        raise ValueError("tfdivcolor must be installed for this Python: "
                         f"pip install -e . (received {sys.executable})")
    return [program, *arguments]


def _run(command):
    """Runs a process; returns its seconds, from start to end."""
    # The command sets this for itself.
    environment = {"TF_ENABLE_ONEDNN_OPTS": "1", **os.environ}
    return timing.seconds(lambda: subprocess.run(
        command, check=True, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL))


# --- In separate processes ------------------------------------------------


def write_picture(options, path):
    """Writes a photograph of 512 x 512 pixels as JPEG."""
    from PIL import Image

    from benchmarks.common import pictures

    Image.fromarray(pictures.photograph(options)).resize([512, 512]).save(
        path)


def calls_of(options):
    """Measures each of `CALLS`, in a process that has imported TensorFlow.

    Returns:
        dict from one of `CALLS` to float, seconds.
    """
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import numpy as np

    import tfdivcolor as tdc
    from benchmarks.common import pictures

    pixels = np.asarray(pictures.scaled(options, 0.25))
    loaded = []
    found = {"load": timing.seconds(
        lambda: loaded.append(tdc.load(options.weights)))}
    colorizer, = loaded
    side = colorizer.luminance_size
    grey = pixels[:side, :side, :1] / 2.55
    for name, call in (
            ("sample", lambda: colorizer.sample(grey[None])),
            ("colorize", lambda: colorizer.colorize(pixels).images)):
        for which in ("first", "second"):
            found[f"{name}, {which}"] = timing.seconds(call)
    return found
