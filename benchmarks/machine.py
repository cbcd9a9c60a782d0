"""The machine: how fast it multiplies matrices and convolves.

The benchmark takes the best rate over several sizes of `tf.matmul` and of
`tf.nn.conv2d`, on all cores, in float32, with and without oneDNN, in two
processes that take turns.  Other benchmarks call the rate of the matrix product
the limit.  The same product in bfloat16 shows whether mixed precision helps.
"""

import datetime
import functools
import os
import platform
import subprocess
from importlib import metadata

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

SIZES, GPU_SIZES = (1024, 2048, 3072), (4096, 8192)
# Batch size, side in pixels, input channels, output channels, kernel size.
CONVOLUTIONS = ((32, 32, 128, 128, 3), (8, 32, 256, 256, 3),
                (4, 32, 384, 128, 5))
ROUNDS = 5
FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile",
         "amx_bf16")
PACKAGES = ("tensorflow", "keras", "numpy", "torch")


def measure(options, say):
    """Measures rates with oneDNN on and off; see `results`."""
    say("rates with oneDNN on and off")
    with (process(TF_ENABLE_ONEDNN_OPTS="1") as on,
          process(TF_ENABLE_ONEDNN_OPTS="0") as off):
        found = timing.alternate(
            {"on": lambda: on(rates, options.quick),
             "off": lambda: off(rates, options.quick)},
            options.rounds(ROUNDS))
    rows, goals = [], []
    for kind in ("product", "convolution", "bfloat16 product"):
        values = {way: [rate[kind] for rate in found[way]] for way in found}
        rows.append([f"{kind}, best of sizes", *(
            spread(values[way]) for way in ("on", "off")),
            figure(max(values["on"]))])
        if kind != "bfloat16 product":
            goals.append(goal(
                f"{kind}: rate with oneDNN / without",
                timing.ratios(values["on"], values["off"]),
                absolute=_over(values["on"], values["off"])))
    half, whole = ([rate[kind] for rate in found["on"]]
                   for kind in ("bfloat16 product", "product"))
    goals.append(goal("product: rate in bfloat16 / in float32",
                      timing.ratios(half, whole), absolute=_over(half, whole)))
    return report(
        [section("Rates in GFLOP/s (a multiply-add is two), all cores",
                 ["", "oneDNN on", "off", "highest, on"], rows)],
        goals, rates=found)


def _over(above, below):
    return f"{figure(median(above))} / {figure(median(below))} GFLOP/s"


def rates(quick=False):
    """Best rates of this process, from one short measurement of every size.

    Returns:
        dict of product, convolution and bfloat16 product: float, GFLOP/s.
    """
    return {kind: max(operations / measurement() / 1e9
                      for measurement, operations in measurements)
            for kind, measurements in _measurements(quick).items()}


@functools.cache
def _measurements(quick):
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    @tf.function
    def convolve(x, kernel):
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    products = [product(size) for size in _sizes(quick)]
    halves = [product(_sizes(quick)[0], tf.bfloat16)]
    convolutions = []
    for batch, side, inputs, outputs, size in CONVOLUTIONS[
            :1 if quick else None]:
        x = tf.random.normal([batch, side, side, inputs])
        kernel = tf.random.normal([size, size, inputs, outputs])
        convolutions.append((
            _finishing(convolve, x, kernel),
            2.0 * batch * side**2 * size**2 * inputs * outputs))
    return {kind: [(timing.clocked(function), operations)
                   for function, operations in functions]
            for kind, functions in (
                ("product", products), ("convolution", convolutions),
                ("bfloat16 product", halves))}


def product(size, dtype="float32"):
    """Makes a matrix product for measuring the limit.

    Args:
        size: int. Side of the square matrices.
        dtype: type of the matrices.

    Returns:
        function of no arguments that multiplies them; float, its number of
        operations.
    """
    import tensorflow as tf

    a, b = (tf.cast(tf.random.normal([size, size]), dtype) for _ in range(2))
    return _finishing(tf.function(tf.matmul), a, b), 2.0 * size**3


def _finishing(function, *arguments):
    """A function of no arguments that calls `function` and waits for a GPU."""
    import tensorflow as tf

    def call():
        function(*arguments)
        tf.test.experimental.sync_devices()

    return call


def _sizes(quick):
    """Sizes of matrices. Small matrices are slow on a GPU, and large ones take
    too long on a processor."""
    import tensorflow as tf

    if quick:
        return SIZES[:1]
    return GPU_SIZES if tf.config.list_physical_devices("GPU") else SIZES


def best_product(quick=False):
    """Chooses the size of matrices with the highest rate on this machine.

    Returns:
        function of no arguments that measures: float, operations per second.
    """
    trials = []
    for size in _sizes(quick):
        multiply, operations = product(size)
        measurement = timing.clocked(multiply)
        trials.append((operations / measurement(), measurement, operations))
    _, measurement, operations = max(trials, key=lambda trial: trial[0])
    return lambda: operations / measurement()


# --- Description ----------------------------------------------------------


def description(options):
    """Describes the machine and the versions of a run.

    Returns:
        dict from a name to str.
    """
    import tfdivcolor

    return {
        "date": datetime.date.today().isoformat(),
        "version": f"tfdivcolor {tfdivcolor.__version__}{_commit()}",
        "processor": f"{_processor()}, {len(_cores())} cores",
        "instructions": _flags() or "not known",
        "GPU": once(_gpu),
        "memory": _memory(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "software": ", ".join(
            [f"Python {platform.python_version()}",
             *(f"{name} {_version(name)}" for name in PACKAGES)]),
        "oneDNN": "on" if os.environ.get(
            "TF_ENABLE_ONEDNN_OPTS", "1") != "0" else "off",
        "seed": str(options.seed),
        "weights": options.weights,
    }


def _gpu():
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import tensorflow as tf

    return ", ".join(
        tf.config.experimental.get_device_details(gpu)["device_name"]
        for gpu in tf.config.list_physical_devices("GPU")) or "none"


def _version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _cores():
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count())


def _commit():
    """The checkout's commit, such as ", commit 1234567", or ""."""
    folder = os.path.dirname(__file__)
    try:
        commit, changed = (subprocess.run(
            ["git", *command], cwd=folder, capture_output=True, text=True,
            check=True).stdout.strip() for command in (
                ("rev-parse", "--short", "HEAD"), ("status", "--porcelain")))
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f", commit {commit}{' with changes' if changed else ''}"


def _cpuinfo(key):
    """A field of Linux' list of processors, or ""."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next((line.partition(":")[2].strip() for line in lines
                         if line.startswith(key)), "")
    except OSError:
        return ""


def _processor():
    return _cpuinfo("model name") or platform.processor() or "not known"


def _flags():
    """The relevant instruction sets that the processor has or lacks."""
    has = set(_cpuinfo("flags").split())
    return ", ".join(flag if flag in has else f"no {flag}"
                     for flag in FLAGS) if has else ""


def _memory():
    try:
        size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return "not known"
    return f"{size / 2**30:.0f} GiB"
