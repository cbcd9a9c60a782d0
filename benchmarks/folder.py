"""A folder of photographs, as `tfdivcolor colorize` colours it.

    rate       photographs of one megapixel a second, one result each, beside
               decoding and encoding alone, on two threads
    steps      processor time of each step of one photograph

The rate is that of a warm process.  Decoding and encoding need no networks, so
that their time is the least that a folder can take.
"""

import tempfile
import time
from pathlib import Path

from benchmarks.common import timing
from benchmarks.common.processes import once, process
from benchmarks.common.results import (
    figure,
    goal,
    median,
    report,
    section,
    spread,
)
from benchmarks.full_size import write_photograph

COUNT, ROUNDS, LIMIT = 40, 3, 1.3
FORMATS = ("JPEG", "PNG")
STEPS = ("read", "luminance", "networks", "join", "encode")
_STATE = {}


def measure(options, say):
    """Runs the benchmark; see the module's docstring."""
    rows, steps, goals = [], [], []
    with tempfile.TemporaryDirectory() as folder, process() as call:
        say("photographs")
        once(write_photographs, options, folder)
        call(begin, options, folder)
        for image_format in FORMATS:
            say(image_format)
            found = timing.alternate(
                {"alone": lambda: call(code, image_format),
                 "colorize": lambda: call(colorize, image_format)},
                options.rounds(ROUNDS))
            ratios = timing.ratios(found["colorize"], found["alone"])
            rows.append([image_format, *(
                spread([1 / seconds for seconds in found[name]])
                for name in ("alone", "colorize")), spread(ratios)])
            goals.append(goal(
                f"a folder, {image_format}: time / decoding and encoding",
                ratios, at_most=LIMIT, absolute="{} / {} photographs/s".format(
                    *(figure(1 / median(found[name]))
                      for name in ("colorize", "alone")))))
            spent = call(step_times, image_format)
            steps.append([image_format, *(
                f"{1000 * spent[step]:.1f}" for step in STEPS)])
    return report([
        section("Photographs of 1 megapixel a second, one result each",
                ["format", "decoding and encoding alone", "colorize",
                 "time / alone"], rows),
        section("Processor time of one photograph, ms", ["format", *STEPS],
                steps)], goals)


# --- In a separate process -------------------------------------------------


def write_photographs(options, folder):
    """Writes `COUNT` photographs."""
    import shutil

    first = Path(folder, "0.jpg")
    write_photograph(options, 0.05 if options.quick else 1, first)
    for index in range(1, 4 if options.quick else COUNT):
        shutil.copy(first, first.with_stem(str(index)))


def begin(options, folder):
    """Loads the networks, for the other functions here."""
    from tfdivcolor.cli.common import find_weights, start_tensorflow

    start_tensorflow(in_order=True)
    from tfdivcolor.coloring.frozen import FrozenColorizer

    weights, described = find_weights(options.weights)
    _STATE.update(paths=sorted(Path(folder).glob("*.jpg")), seed=options.seed,
                  colorizer=FrozenColorizer(weights),
                  weights=(weights.name, described["sha256"]))
    for image_format in FORMATS:
        colorize(image_format)
        step_times(image_format)


def colorize(image_format):
    """Colours the folder; returns seconds per photograph."""
    from tfdivcolor.coloring.batch import Work
    from tfdivcolor.settings import Sampling

    paths = _STATE["paths"]
    work = Work(_STATE["colorizer"], *_STATE["weights"],
                Sampling(1, _STATE["seed"]), image_format=image_format)
    with tempfile.TemporaryDirectory() as folder:
        outcomes = []
        seconds = timing.seconds(lambda: outcomes.extend(
            outcome for _, _, outcome in work.run(
                [(path, path.stem) for path in paths], Path(folder))))
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
    return seconds / len(paths)


def code(image_format):
    """Decodes and encodes on two threads; returns seconds per photograph."""
    import concurrent.futures

    from tfdivcolor import images

    def one(path):
        return len(images.encode(images.read(path).pixels, image_format))

    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        return timing.seconds(
            lambda: list(threads.map(one, _STATE["paths"]))) / len(
                _STATE["paths"])


def step_times(image_format):
    """Processor seconds of each of `STEPS`, the median over photographs."""
    import numpy as np

    from tfdivcolor import images
    from tfdivcolor.color import fullsize
    from tfdivcolor.coloring import drawing
    from tfdivcolor.settings import Sampling

    colorizer, found = _STATE["colorizer"], {step: [] for step in STEPS}

    def timed(step, function, *arguments):
        start = time.process_time()
        result = function(*arguments)
        found[step].append(time.process_time() - start)
        return result

    def networks(luminance):
        return drawing.draw(
            colorizer, drawing.seen(colorizer, luminance), (1, 1),
            np.zeros([0, 1], np.float32), Sampling(1, _STATE["seed"]))

    for path in _STATE["paths"]:
        photo = timed("read", images.read, path)
        luminance = timed("luminance", fullsize.luminance_of, photo.pixels)
        field = timed("networks", networks, luminance)["ab"][0]
        pixels = timed("join", fullsize.join, luminance, field)
        timed("encode", images.encode, pixels, image_format)
    return {step: median(values) for step, values in found.items()}
