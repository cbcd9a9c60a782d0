"""Two ways to load a server, and their measurements.

In the closed loop each caller waits for an answer before it asks again.  The
load adapts to the server and shows its throughput.  In the open loop requests
arrive at random times, as from users.  Latency counts from the time when a
request is due, so a server that stalls cannot hide the requests that arrive
meanwhile.
"""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from serving.load_test.cases import Case
from serving.load_test.targets import Answer

# Largest number of calls at once in the open loop, which limits the sockets.
# Further calls wait in the client, and their latency includes the wait.
MAX_IN_FLIGHT = 512
# Seconds that a caller of the closed loop waits after an error. Otherwise it
# would call a server that is down thousands of times per second.
_PAUSE = 0.1


class Outcome(NamedTuple):
    """One request.

    Attributes:
        case: `Case`.
        start: float. Seconds from the phase's start to the due time.
        latency: float. Seconds from the due time to the answer or timeout.
        error: str. "" for the expected answer, otherwise the actual one.
        message: str. The server's message.
    """

    case: Case
    start: float
    latency: float
    error: str
    message: str


@dataclass
class Phase:
    """The measurements of one loop.

    Attributes:
        outcomes: list of `Outcome`, in order of the answers.
        seconds: float. From the first request to the last answer.
    """

    outcomes: list = field(default_factory=list)
    seconds: float = 0.0


async def closed(send, cases, concurrency, timeout, seconds=float("inf"),
                 report=lambda outcome: None):
    """Runs `concurrency` callers; each asks again after its answer.

    Args:
        send: async function, `Case` -> `Answer`.
        cases: iterable of `Case`, endless or not.
        concurrency: int, 1 or more.
        timeout: float. Seconds after which a request counts as failed.
        seconds: float. No request starts later. Defaults to no limit.
        report: function that receives every `Outcome`. Defaults to none.

    Returns:
        `Phase`.
    """
    clock = _Clock(send, timeout, report)
    cases = iter(cases)  # one for all callers

    async def caller():
        for case in cases:
            if clock.now() >= seconds:
                return
            outcome = await clock.measure(case, clock.now())
            if outcome.error:
                await asyncio.sleep(_PAUSE)

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return clock.finished()


async def open_loop(send, cases, due_times, timeout,
                    report=lambda outcome: None):
    """Sends each request when it is due, without waiting for other answers.

    Args:
        send, timeout, report: as in `closed`.
        cases: iterable of `Case`.
        due_times: iterable of float, ascending. Seconds.

    Returns:
        `Phase`.
    """
    clock = _Clock(send, timeout, report)
    slots = asyncio.Semaphore(MAX_IN_FLIGHT)
    async with asyncio.TaskGroup() as group:
        for case, due in zip(cases, due_times):
            await asyncio.sleep(due - clock.now())
            group.create_task(clock.measure(case, due, slots))
    return clock.finished()


def arrivals(rate, seconds, seed):
    """Draws the times of a Poisson process.

    Args:
        rate: float. Mean number per second.
        seconds: float. End of the process.
        seed: int or sequence of int. The same seed gives the same times.

    Returns:
        iterator of float, ascending, above 0 and below `seconds`.
    """
    random = np.random.default_rng(seed)
    times = itertools.accumulate(
        random.exponential(1 / rate) for _ in itertools.count())
    return itertools.takewhile(lambda due: due < seconds, times)


class _Clock:
    """Measures the requests of one phase. The phase starts with `__init__`."""

    def __init__(self, send, timeout, report):
        self._send, self._timeout, self._report = send, timeout, report
        self._time = asyncio.get_running_loop().time
        self._start = self._time()
        self._phase = Phase()

    def now(self):
        return self._time() - self._start

    async def measure(self, case, due, slot=contextlib.nullcontext()):
        """Sends a request that is due at `due` seconds into the phase."""
        try:
            async with (asyncio.timeout_at(self._start + due + self._timeout),
                        slot):
                answer = await self._send(case)
        except TimeoutError:
            answer = Answer("DEADLINE_EXCEEDED", message=(
                f"no answer within {self._timeout:g} seconds"))
        outcome = Outcome(case, due, self.now() - due, _judge(case, answer),
                          answer.message)
        self._phase.outcomes.append(outcome)
        self._report(outcome)
        return outcome

    def finished(self):
        self._phase.seconds = self.now()
        return self._phase


def _judge(case, answer):
    """The difference between an answer and the expected one, or ""."""
    if answer.code != case.expected:
        return (answer.code if answer.code != "OK"
                else f"OK, not {case.expected}")
    if answer.pictures != case.pictures:
        return f"{answer.pictures} pictures, not {case.pictures}"
    return ""
