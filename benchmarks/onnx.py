"""The ONNX file beside the SavedModel: size, start, time of a call.

    python -m benchmarks.onnx

    size   megabytes of `model.onnx`, and of a SavedModel that only has the
           signature `colorize_tensor`, which does the same work
    start  from a new process to its first colour fields
    call   eight colour fields for each of B pictures: ONNX Runtime, the
           SavedModel, and Python (`Colorizer.sample_fields`, frozen)

Each runtime has a process of its own.  All use all processor cores.  It is not
a part of `benchmarks.run`, because the exports take most of a minute.
"""

import functools
import tempfile
from pathlib import Path

from benchmarks.common import timing
from benchmarks.common.processes import once, process
from benchmarks.common.results import (
    Options,
    duration,
    figure,
    goal,
    median,
    report,
    section,
    spread,
    text,
)

RESULTS = 8
BATCHES = (1, 8)
ROUNDS, STARTS = 9, 5
RUNTIMES = {"onnx": "ONNX Runtime", "saved_model": "SavedModel",
            "python": "Python"}


def main():
    """Runs the program."""
    print(text(measure(Options(), print)))


def measure(options, say):
    """Runs the benchmark; see the module's docstring.

    Args:
        options: `benchmarks.common.results.Options`.
        say: function of a str, for progress.

    Returns:
        dict, as from `benchmarks.common.results.report`.

    Raises:
        ImportError: if the extra `onnx` is not installed.
    """
    batches = BATCHES[:1] if options.quick else BATCHES
    with tempfile.TemporaryDirectory() as folder:
        say("exporting")
        sizes = once(export, options, folder, batches)
        say("starts")
        starts = timing.alternate(
            {name: functools.partial(_start, name, options, folder)
             for name in RUNTIMES}, options.rounds(STARTS))
        say("calls")
        calls = {}
        with process() as onnx, process() as saved_model, process() as python:
            for batch in batches:
                calls[batch] = timing.alternate(
                    {name: functools.partial(
                        run, seconds, name, options, folder, batch)
                     for name, run in zip(
                         RUNTIMES, (onnx, saved_model, python))},
                    options.rounds(ROUNDS))
    return report(
        [section("Size", ["", "MB"], [
            [RUNTIMES[name], figure(size / 1e6)]
            for name, size in sizes.items()]),
         section("Seconds from a new process to the first fields", ["", "s"], [
             [RUNTIMES[name], spread(found)]
             for name, found in starts.items()]),
         section(f"Milliseconds of a call for {RESULTS} results",
                 ["B", *RUNTIMES.values()], [
                     [str(batch), *(spread([1e3 * each for each in found[name]])
                                    for name in RUNTIMES)]
                     for batch, found in calls.items()])],
        [goal(f"B = {batch}, S = {RESULTS}: SavedModel / ONNX Runtime",
              timing.ratios(found["saved_model"], found["onnx"]),
              absolute=f"{duration(median(found['saved_model']))} / "
              f"{duration(median(found['onnx']))}")
         for batch, found in calls.items()],
        sizes=sizes, starts=starts,
        calls=[{"B": batch, "seconds": found}
               for batch, found in calls.items()])


def _start(name, options, folder):
    return timing.seconds(lambda: once(first, name, options, folder))


# --- In a process of its own ----------------------------------------------


def export(options, folder, batches):
    """Writes both exports and the inputs; returns the sizes in bytes."""
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import numpy as np
    import tensorflow as tf

    import tfdivcolor as tdc
    from tfdivcolor.export import saved_model, signatures
    from tfdivcolor.export.onnx import core, onnx_file
    from tfdivcolor.settings import ExportOptions

    colorizer = tdc.load(options.weights)
    folder, export_options = Path(folder), ExportOptions(num_samples=RESULTS)
    onnx_file.write(folder, colorizer, export_options, {})
    function = signatures.Signatures(colorizer, export_options)
    side = colorizer.luminance_size
    saved_model.write(folder / "saved_model", {"colorize_tensor": tf.function(
        function.colorize_tensor, autograph=False).get_concrete_function(
            tf.TensorSpec([None, side, side, 1], tf.float32, "luminance"),
            tf.TensorSpec([None], tf.int64, "seed"),
            tf.TensorSpec([None], tf.float32, "temperature"))})
    for batch in batches:
        coarse = tf.random.stateless_uniform(
            [batch, 8, 8, 1], [options.seed, 0], 0, 100)
        seed = [options.seed + i for i in range(batch)]
        np.savez(folder / f"{batch}.npz", seed=seed,
                 luminance=tf.image.resize(coarse, [side, side], "bilinear"),
                 **core.noise(colorizer, seed, RESULTS))
    return {
        "onnx": (folder / onnx_file.MODEL).stat().st_size,
        "saved_model": sum(
            path.stat().st_size
            for path in (folder / "saved_model").rglob("*")
            if path.is_file())}


def first(name, options, folder):
    """Loads a runtime and makes its first colour fields."""
    _call(name, options, folder, 1)()


def seconds(name, options, folder, batch):
    """Measures a call of a runtime; returns seconds."""
    return _measurement(name, options, folder, batch)()


@functools.cache
def _measurement(name, options, folder, batch):
    return timing.clocked(_call(name, options, folder, batch))


def _call(name, options, folder, batch):
    """A function of no arguments: fields from a runtime, as an array."""
    import numpy as np

    with np.load(Path(folder, f"{batch}.npz")) as file:
        inputs = dict(file)
    temperature = np.float32(0.5)
    if name == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(
            str(Path(folder, "model.onnx")),
            providers=["CPUExecutionProvider"])
        del inputs["seed"]
        inputs |= {"num_samples": np.array(RESULTS, np.int32),
                   "temperature": np.array(temperature)}
        return lambda: session.run(["ab"], inputs)
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    inputs = {key: inputs[key] for key in ("luminance", "seed")}
    if name == "saved_model":
        from tfdivcolor.export import saved_model

        model = saved_model.Servable(Path(folder, "saved_model"))
        inputs["temperature"] = np.full(batch, temperature)
        return lambda: model.run("colorize_tensor", inputs, ["ab"])
    import tensorflow as tf

    import tfdivcolor as tdc

    colorizer = tdc.load(options.weights).freeze()
    luminance, seed = map(tf.constant, inputs.values())
    return lambda: colorizer.sample_fields(
        luminance, seed, tf.constant(temperature), tf.constant(RESULTS),
        "diverse")["ab"].numpy()


if __name__ == "__main__":
    main()
