"""Measurements in separate processes.

Some measurements concern a whole process: TensorFlow with or without oneDNN,
peak memory, the first loading.  Others would disturb each other in one process,
such as those of two frameworks, because of their thread pools.  The parent
process stays small, because the peak memory of a process starts at its
parent's.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os
import resource
import sys


@contextlib.contextmanager
def process(**environment):
    """Starts a process that runs functions, one after the other.

    Args:
        **environment: str. Environment variables, set before any import in
            the process.

    Yields:
        function (function of a module, *arguments, **named) -> its result.
        Variables of the module persist between calls.
    """
    with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin, initargs=(environment,)) as pool:
        yield lambda function, *arguments, **named: pool.submit(
            function, *arguments, **named).result()


def once(function, *arguments, **named):
    """Runs a function in a process that only serves this call."""
    with process() as call:
        return call(function, *arguments, **named)


def _begin(environment):
    os.environ.update(environment)


def peak_memory():
    """Peak memory of this process, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform != "darwin":  # macOS counts bytes, others kilobytes
        peak *= 1024
    return peak / 1e9
