"""The one thread that runs the networks, and what waits for it.

TensorFlow is imported and the weights are loaded on that thread, while the
page is already there.  Of two requests of one tab for the same kind of thing
only the newer one is worth an answer: the older one is dropped while it waits.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Answer = TypeVar("Answer")


class Replaced(Exception):
    """A newer request of the same tab has taken this one's place."""


class Worker:
    """Runs jobs one after the other, in the order in which they came.

    Args:
        load: function without arguments, run first; what it returns is given
            to every job.

    Attributes:
        loaded: what `load` has returned; None until then.
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
        """Returns when `load` has, or raises what it raised."""
        await asyncio.wrap_future(self._loading)

    async def run(self, job: Callable[[Any], Answer],
                  replaces: tuple[str, str] | None = None) -> Answer:
        """Runs a job on the thread.

        Args:
            job: function of what `load` returned.
            replaces: pair of str, a tab and a kind of request, or None. A job
                that waits is dropped when another of the same pair comes.

        Returns:
            what the job returns.

        Raises:
            Replaced: the job was dropped.
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
            # Tabs come and go; the newest request cleans up after itself.
            if replaces and self._newest.get(replaces) is turn:
                del self._newest[replaces]

    async def rest(self, seconds: float) -> None:
        """Returns when no job has come for that long."""
        while (left := self._asked + seconds - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def call(self, job: Callable[[Any], Answer]) -> Answer:
        """Runs a job and waits for it: for other threads."""
        return self._thread.submit(lambda: job(self.loaded)).result()

    def stop(self) -> None:
        """Drops what waits; what runs comes to its end."""
        self._thread.shutdown(wait=False, cancel_futures=True)
