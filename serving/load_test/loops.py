"""Two ways to load a server, and what they measure.

In the closed loop some callers wait for each answer before they ask again:
the load adapts to the server, and tells its throughput.  In the open loop
requests come when they come, as users do: latencies are measured from when a
request was due, so that a server that stalls cannot hide the requests that
would have come meanwhile.
"""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from serving.load_test.cases import Case
from serving.load_test.targets import Answer

# Calls at once in the open loop, a limit on sockets; the others wait here,
# and their waiting counts.
MAX_IN_FLIGHT = 512
# Seconds that a caller of the closed loop waits after an error, lest a server
# that is away be asked thousands of times a second.
_PAUSE = 0.1


class Outcome(NamedTuple):
    """One request.

    Attributes:
        case: `Case`.
        start: float. Seconds into the phase when it was due.
        latency: float. Seconds from then to the answer, or to giving up.
        error: str. "" for the expected answer, otherwise what came instead.
        message: str. The server's words with it.
    """

    case: Case
    start: float
    latency: float
    error: str
    message: str


@dataclass
class Phase:
    """What one loop measured.

    Attributes:
        outcomes: list of `Outcome`, in order of the answers.
        seconds: float. From the first request to the last answer.
    """

    outcomes: list = field(default_factory=list)
    seconds: float = 0.0


async def closed(send, cases, concurrency, timeout, seconds=float("inf"),
                 report=lambda outcome: None):
    """Lets `concurrency` callers ask again as soon as they are answered.

    Args:
        send: async function, `Case` -> `Answer`.
        cases: iterable of `Case`, endless or not.
        concurrency: int, 1 or more.
        timeout: float. Seconds after which a request has failed.
        seconds: float. No request starts later.
        report: function that is given every `Outcome`.

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
    """Sends requests when they are due, whatever became of the others.

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
    """Times of a Poisson process.

    Args:
        rate: float. Mean number a second.
        seconds: float. Their end.
        seed: int or sequence of int. The same one, the same times.

    Returns:
        iterator of float, ascending, above 0 and below `seconds`.
    """
    random = np.random.default_rng(seed)
    times = itertools.accumulate(
        random.exponential(1 / rate) for _ in itertools.count())
    return itertools.takewhile(lambda due: due < seconds, times)


class _Clock:
    """Measures requests of one phase, which starts when this is made."""

    def __init__(self, send, timeout, report):
        self._send, self._timeout, self._report = send, timeout, report
        self._time = asyncio.get_running_loop().time
        self._start = self._time()
        self._phase = Phase()

    def now(self):
        return self._time() - self._start

    async def measure(self, case, due, slot=contextlib.nullcontext()):
        """Sends a request that is due at a second of the phase."""
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
    """What is wrong with an answer, or ""."""
    if answer.code != case.expected:
        return (answer.code if answer.code != "OK"
                else f"OK, not {case.expected}")
    if answer.pictures != case.pictures:
        return f"{answer.pictures} pictures, not {case.pictures}"
    return ""
