"""Colours photograph after photograph, with their steps side by side.

While the networks colour one photograph, a thread reads the next and another
writes the one before.  These steps do without Python for most of their time.
"""

import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def in_order(tasks: Iterable[Any], read: Callable[[Any], Any],
             make: Callable[[Any], Any],
             write: Callable[[Any, Any], None], faults: tuple,
             alone: Callable[[Any], bool]) -> Iterator[tuple[Any, Any]]:
    """Runs three steps for each task; yields the outcomes in order.

    Args:
        tasks: the tasks, listed lazily.
        read: step 1, on a thread of its own: from a task to a job, or None if
            the task has nothing to do.
        make: step 2, on the caller's thread: from a job to a result.
        write: step 3, on a thread of its own: takes job and result.
        faults: classes of errors that end a task, not the call.
        alone: whether a job must be finished before the next task is read,
            because it needs much memory or the others need its result. All its
            steps but reading run on the caller's thread, where Ctrl-C stops
            them.

    Yields:
        task, and the result, None without a job, or the error of a step.
    """
    tasks, behind = iter(tasks), []
    with (concurrent.futures.ThreadPoolExecutor(1) as reader,
          concurrent.futures.ThreadPoolExecutor(1) as writer):

        def reading():
            """Starts to read the next task: (task, future), or None."""
            for task in tasks:
                return task, reader.submit(read, task)
            return None

        def written():
            """Waits for the task behind, if there is one."""
            if behind:
                task, result, future = behind.pop()
                yield task, _error(future, faults) or result

        ahead = reading()
        while ahead:
            task, future = ahead
            error = _error(future, faults)
            job = None if error else future.result()
            single = job is not None and alone(job)
            ahead = None if single else reading()
            if single:
                yield from written()
            result = error
            if job is not None:
                try:
                    result = make(job)
                    if single:
                        write(job, result)
                except faults as error:
                    job, result = None, error
            yield from written()
            if job is None or single:
                yield task, result
            else:
                behind.append((task, result, writer.submit(
                    write, job, result)))
            del job, result, future  # frees memory
            ahead = ahead or reading()
        yield from written()


def _error(future, faults):
    """Waits for a step; returns its fault, or None."""
    try:
        future.result()
    except faults as error:
        return error
    return None
