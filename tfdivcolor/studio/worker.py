"""The one thread that runs the networks, and its queue.

The thread imports TensorFlow and loads the weights while the page is already
open.  A tab needs the answer to its newest request of each kind only: an older
request of that kind is dropped while it waits.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Replaced(Exception):
    """A newer request of the same tab replaced this one."""


class Worker:
    """Runs jobs one after the other, in the order of their arrival.

    Args:
        load: function without arguments. It runs first; every job receives
            its value.

    Attributes:
        loaded: the value of `load`; None until `load` returns.
    """

    def __init__(self, load: Callable[[], Any]):
        self.loaded: Any = None
        self._asked = time.monotonic()
        self._newest: dict[tuple[str, str], object] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="networks")
        self._loading = self._thread.submit(self._load, load)

    def _load(self, load):
        self.loaded = load()

    async def wait(self) -> None:
        """Waits until `load` returns.

        Raises:
            Exception: the exception of `load`.
        """
        await asyncio.wrap_future(self._loading)

    async def run(self, job: Callable[[Any], Answer],
                  replaces: tuple[str, str] | None = None) -> Answer:
        """Runs a job on the thread.

        Args:
            job: function of the value of `load`.
            replaces: pair of str, a tab and a kind of request, or None. A new
                job with the same pair drops this one while it waits.

        Returns:
            the job's value.

        Raises:
            Replaced: a newer job dropped this one.
            Exception: the exception of the job.
        """
        self._asked = time.monotonic()
        turn = object()
        if replaces:
            self._newest[replaces] = turn

        def guarded():
            if replaces and self._newest.get(replaces) is not turn:
                raise Replaced
            return job(self.loaded)

        try:
            return await asyncio.wrap_future(self._thread.submit(guarded))
        finally:
            # The newest request removes its entry, because tabs close.
            if replaces and self._newest.get(replaces) is turn:
                del self._newest[replaces]

    async def rest(self, seconds: float) -> None:
        """Waits until no job has arrived for a while.

        Args:
            seconds: float. The length of the pause.
        """
        while (left := self._asked + seconds - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def call(self, job: Callable[[Any], Answer]) -> Answer:
        """Runs a job from another thread and waits for it.

        Args:
            job: function of the value of `load`.

        Returns:
            the job's value. Its exceptions pass through.
        """
        return self._thread.submit(lambda: job(self.loaded)).result()

    def stop(self) -> None:
        """Drops waiting jobs; the running job finishes."""
        self._thread.shutdown(wait=False, cancel_futures=True)
