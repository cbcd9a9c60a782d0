"""Overlapping steps: outcomes in order, faults of one task, memory."""

import threading

import hypothesis
import pytest
from hypothesis import strategies as st

from tfdivcolor.coloring import overlap


class Fault(Exception):
    """A fault of one task."""


def plain(tasks, read, make, write, faults):
    """The same without threads."""
    for task in tasks:
        try:
            job = read(task)
            result = None
            if job is not None:
                result = make(job)
                write(job, result)
        except faults as error:
            result = error
        yield task, result


def steps(plan, log):
    """Steps that fail, or find nothing to do, as a plan has it."""
    def step(name, task, value):
        log.append((name, task))
        if plan[task] == name:
            raise Fault(f"{name} {task}")
        return value

    return (lambda task: step(
                "read", task, None if plan[task] == "nothing" else task),
            lambda job: step("make", job, 10 * job),
            lambda job, result: step("write", job, None))


@hypothesis.settings(deadline=None)
@hypothesis.given(plan=st.lists(st.tuples(st.sampled_from(
    ["fine", "nothing", "read", "make", "write"]), st.booleans())))
def test_the_outcomes_are_those_without_threads(plan):
    kinds = [kind for kind, _ in plan]
    found, log, expected = [], [], []
    for task, outcome in overlap.in_order(
            iter(range(len(plan))), *steps(kinds, log), (Fault,),
            lambda job: plan[job][1]):
        found.append((task, str(outcome)))
    for task, outcome in plain(
            range(len(plan)), *steps(kinds, expected), (Fault,)):
        found_now = found.pop(0)
        assert found_now == (task, str(outcome))
    assert not found and sorted(log) == sorted(expected)


def test_the_next_is_read_and_the_last_written_meanwhile():
    """Each step waits for one that only overlap can reach."""
    read_next, written = threading.Event(), threading.Event()
    made_second = threading.Event()

    def read(task):
        if task == 1:
            read_next.set()
        return task

    def make(job):
        if job == 0:
            assert read_next.wait(10)
        if job == 1:
            made_second.set()
            assert written.wait(10)
        return job

    def write(job, result):
        if job == 0:
            assert made_second.wait(10)
            written.set()

    assert list(overlap.in_order(range(3), read, make, write, (), lambda _: 0)
                ) == [(0, 0), (1, 1), (2, 2)]


def test_a_job_that_is_alone_is_finished_before_the_next_is_read():
    log, main = [], threading.get_ident()

    def write(job, result):
        log.append(("write", job))
        assert (threading.get_ident() == main) == (job == 1)

    list(overlap.in_order(
        range(4), lambda task: log.append(("read", task)) or task,
        lambda job: log.append(("make", job)) or job, write, (),
        lambda job: job == 1))
    assert log.index(("write", 0)) < log.index(("make", 1))
    assert log.index(("write", 1)) < log.index(("read", 2))


@pytest.mark.parametrize("where", ["read", "make", "write"])
def test_other_errors_end_the_call(where):
    plan = ["fine", where, "fine", "fine"]
    found = []
    with pytest.raises(Fault, match=f"{where} 1"):
        for task, _ in overlap.in_order(
                range(4), *steps(plan, []), (OSError,), lambda _: False):
            found.append(task)
    assert found in ([], [0])


def test_a_caller_who_stops_waits_for_the_file_that_is_written():
    finished = []
    outcomes = overlap.in_order(
        range(9), lambda task: task, lambda job: job,
        lambda job, result: finished.append(job), (), lambda _: False)
    next(outcomes)
    outcomes.close()
    assert 0 in finished and len(finished) <= 2
