"""Measuring in processes of their own.

Some things are settled once a process: whether TensorFlow uses oneDNN, how
much memory was used at most, that nothing has been loaded yet.  Others would
disturb each other, like two frameworks' pools of threads.  The program that
asks stays small, for a process's peak memory counts from its parent's.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os
import resource
import sys


@contextlib.contextmanager
def process(**environment):
    """A fresh process that runs functions, one after the other.

    Args:
        **environment: str. Environment variables, set before anything is
            imported there.

    Yields:
        function (function of a module, *arguments, **named) -> what it
        returned. What it keeps in its module it finds again in the next call.
    """
    with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin, initargs=(environment,)) as pool:
        yield lambda function, *arguments, **named: pool.submit(
            function, *arguments, **named).result()


def once(function, *arguments, **named):
    """Runs a function in a process for this call alone."""
    with process() as call:
        return call(function, *arguments, **named)


def _begin(environment):
    os.environ.update(environment)


def peak_memory():
    """Most memory that this process has used, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform != "darwin":  # which counts bytes, others kilobytes
        peak *= 1024
    return peak / 1e9
