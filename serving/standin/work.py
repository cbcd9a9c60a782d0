"""How many requests run and wait at a time."""

import concurrent.futures
import contextlib
import threading

from serving.standin.prediction import ServingError


class Work:
    """Threads that answer requests, and a waiting queue of limited length.

    Args:
        max_concurrency: int, 1 or more. Requests answered at a time.
        max_queue: int, 0 or more. Requests that may wait for a thread.
    """

    def __init__(self, max_concurrency, max_queue):
        self.capacity = max_concurrency + max_queue
        self._places = threading.Semaphore(self.capacity)
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max_concurrency, "model")

    @contextlib.contextmanager
    def place(self):
        """Holds a place among the requests that run or wait.

        Raises:
            ServingError: UNAVAILABLE, at once: all are taken.
        """
        if not self._places.acquire(blocking=False):
            raise ServingError(
                "UNAVAILABLE", f"the server is full: {self.capacity} requests "
                "run or wait; try again later")
        try:
            yield
        finally:
            self._places.release()

    def submit(self, function, *arguments):
        """Starts a call in a thread; returns its `concurrent` future."""
        return self._pool.submit(function, *arguments)

    def close(self):
        """Takes no more calls; drops those that have not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)
