"""What the commands share: arguments, their checks, the start of TensorFlow.

Importing this module does not import TensorFlow, so that `--help` answers at
once.
"""

import argparse
import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tfdivcolor.settings import (
    DEFAULT_WEIGHTS,
    DEFAULTS,
    MAX_SAMPLES,
    MODES,
)


class UsageError(ValueError):
    """The arguments are wrong. The message is one line."""


@contextlib.contextmanager
def checking() -> Iterator[None]:
    """Turns the ValueErrors of its block into usage errors."""
    try:
        yield
    except ValueError as error:
        raise UsageError(error) from error


class Parser(argparse.ArgumentParser):
    """Reports an error in one line and does not print the usage."""

    def error(self, message):
        raise UsageError(f"{message}; see {self.prog} --help")


def add_sampling(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "-n", "--num-samples", type=int, default=DEFAULTS.num_samples,
        metavar="N",
        help=f"colourings per photograph, 1 to {MAX_SAMPLES} "
        "(default: %(default)s)")
    add_seed(parser)
    parser.add_argument(
        "--mode", choices=MODES, default=DEFAULTS.mode,
        help="diverse: a few results that represent many draws; samples: "
        "random draws; components: the means of the mixture's components "
        "(default: %(default)s)")
    add_temperature(parser)


def add_seed(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--seed", type=int, default=DEFAULTS.seed, metavar="N",
        help="the same seed gives the same colourings, another seed gives "
        "others (default: %(default)s)")


def add_temperature(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--temperature", type=float, default=DEFAULTS.temperature,
        metavar="T",
        help="0: the means of the mixture's components, the safest colours; "
        "1: the spread of the model; above 1: a wider spread "
        "(default: %(default)s)")


def add_running(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR",
        help="trained weights: a name listed by `tfdivcolor info`, or a "
        "folder saved by Colorizer.save (default: %(default)s)")
    parser.add_argument(
        "--threads", type=positive, metavar="N",
        help="processor cores to use (default: all)")


def add_quiet(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--quiet", action="store_true", help="print only errors")


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"must be a whole number of 1 or more (received {text!r})")
    return int(text)


# --- Start -----------------------------------------------------------------


def start_tensorflow(threads: int | None = None,
                     in_order: bool = False) -> None:
    """Imports TensorFlow and starts its devices, without its log lines.

    TF_CPP_MIN_LOG_LEVEL silences TensorFlow only once its log is set up. The
    lines before (about oneDNN and CUDA) go to file descriptor 2 whatever the
    environment says, so this function redirects that descriptor during the
    start. It does neither if the user has set the variable. TensorFlow takes
    only the GPU memory that it needs, so that other programs have room,
    unless the user has set TF_FORCE_GPU_ALLOW_GROWTH.

    Args:
        threads: int. Limit on processor cores, or None for no limit. Defaults
            to None.
        in_order: bool. Whether operations run one after the other, each on
            all cores. oneDNN keeps kernels for each thread that starts
            operations, and the kernels of two threads may round differently.
            Without this option the same call may give different bytes.
            Defaults to False.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if in_order:
        os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    silent = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_stderr() if silent else contextlib.nullcontext():
        with _without_collection():
            import tensorflow as tf

        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.list_logical_devices()  # starts the devices


@contextlib.contextmanager
def _without_collection():
    """Imports without garbage collection, then or later.

    The import makes a million objects that live as long as the process. To
    search them for garbage again and again takes most of a second during the
    import, and another at the process's end.
    """
    if not gc.isenabled() or "tensorflow" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


@contextlib.contextmanager
def _without_stderr():
    """Discards what the process, including its C++ code, writes to stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def find_weights(weights: str) -> tuple[Path, dict]:
    """Finds the folder of the weights and reads its description."""
    from tfdivcolor import presets
    from tfdivcolor.models import storage

    with checking():
        folder = presets.find(weights)
    return folder, storage.describe(folder)


