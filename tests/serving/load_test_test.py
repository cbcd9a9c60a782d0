"""The load test: what it counts, and that it does not flatter a server."""

import asyncio
import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from fake_serving import (
    FakeModel,
    grpc_server,
    make_photo,
    nowhere,
    png,
    rest_server,
)

from serving import load_test
from serving.load_test import (
    cases as load_cases,
    loops as load_loops,
    report as load_report,
)
from serving.load_test.cases import Case
from serving.load_test.loops import Outcome, Phase
from serving.load_test.targets import Answer
from tfdivcolor import images

CASE = Case("colorize", {}, 8)
BAD = Case("colorize", {}, 0, "INVALID_ARGUMENT")


def _outcomes(latencies, case=CASE, error=""):
    message = "words" if error else ""
    return [Outcome(case, 0.0, latency, error, message)
            for latency in latencies]


class _Server:
    """Answers at once, but nothing between two moments; counts its calls.

    Args:
        stall: pair of float. Seconds after the first call.
        seconds: float. How long every call takes.
    """

    def __init__(self, stall=(0, 0), seconds=0.002):
        self.stall, self.seconds = stall, seconds
        self.begun, self.running, self.most, self.calls = None, 0, 0, 0

    async def send(self, case):
        now = asyncio.get_running_loop().time()
        self.begun = self.begun or now
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        begin, end = self.stall
        if begin <= now - self.begun < end:
            await asyncio.sleep(end - (now - self.begun))
        await asyncio.sleep(self.seconds)
        self.running -= 1
        return Answer("OK", case.pictures)


# --- Numbers -----------------------------------------------------------------


def test_percentiles_are_numpys_over_all_but_bad_requests():
    seconds = np.random.default_rng(0).exponential(0.3, 1001)
    phases = [
        Phase(_outcomes(seconds[:400]) + _outcomes([9.0] * 50, BAD), 10.0),
        Phase(_outcomes(seconds[400:990])
              + _outcomes(seconds[990:], error="DEADLINE_EXCEEDED"), 20.0)]
    summary = load_report.summarize("REST", phases)
    expected = np.percentile(seconds, [50, 90, 99, 100]) * 1000
    assert list(summary["latency_ms"]) == ["p50", "p90", "p99", "max"]
    np.testing.assert_allclose(list(summary["latency_ms"].values()), expected)
    assert (summary["requests"], summary["refused"]) == (1051, 50)
    assert summary["errors"] == {"DEADLINE_EXCEEDED": 11}
    assert summary["rounds"] == [
        {"requests_per_second": 45.0, "colorings_per_second": 320.0},
        {"requests_per_second": 29.5, "colorings_per_second": 236.0}]


def test_table_has_every_number():
    ours = load_report.summarize("REST", [
        Phase(_outcomes([0.1] * 10) + _outcomes([0.2] * 5, BAD)
              + _outcomes([2.0], error="UNAVAILABLE"), 2.0),
        Phase(_outcomes([0.1] * 12), 2.0)])
    direct = load_report.summarize("direct", [
        Phase(_outcomes([0.1] * 20), 2.0), Phase(_outcomes([0.1] * 12), 2.0)])
    ours["ratio"] = load_report.ratios(ours, direct)
    heading, first, second, *remarks = load_report.table(
        [ours, direct]).splitlines()
    assert first.split() == [
        "REST", "28", "1", "6.8", "44.0", "100.0", "100.0", "1,582.0",
        "2,000.0"]
    assert second.split()[:5] == ["direct", "32", "0", "8.0", "64.0"]
    assert len(heading) == len(first) == len(second)
    assert remarks == [
        "REST: refused 5 deliberately bad requests, as it should",
        "REST: 1 x UNAVAILABLE: words",
        "REST: 75.0% of the direct calls' colourings/s (50.0% to 100.0% in "
        "2 rounds)"]


def test_nothing_measured_is_no_crash():
    summary = load_report.summarize("REST", [Phase([], 1.0)])
    assert summary["latency_ms"] is None
    assert "REST" in load_report.table([summary])


def test_an_answer_is_judged_by_code_and_number_of_pictures():
    def error(case, answer):
        async def send(case):
            return answer
        return asyncio.run(load_loops.closed(send, [case], 1, 1.0)
                           ).outcomes[0].error

    assert error(CASE, Answer("OK", 8)) == ""
    assert error(CASE, Answer("OK", 7)) == "7 pictures, not 8"
    assert error(CASE, Answer("UNAVAILABLE")) == "UNAVAILABLE"
    assert error(BAD, Answer("INVALID_ARGUMENT")) == ""
    assert error(BAD, Answer("INTERNAL")) == "INTERNAL"
    assert error(BAD, Answer("OK", 8)) == "OK, not INVALID_ARGUMENT"


# --- Loops -------------------------------------------------------------------


def test_closed_loop_keeps_its_callers_busy():
    server = _Server(seconds=0.02)
    phase = asyncio.run(load_loops.closed(
        server.send, itertools.repeat(CASE), 3, 1.0, seconds=0.4))
    assert server.most == 3
    assert 0.4 <= phase.seconds < 0.5
    assert 36 <= len(phase.outcomes) <= 60  # 3 callers, 20 times
    starts = [outcome.start for outcome in phase.outcomes]
    assert max(starts) < 0.4
    assert all(0.02 <= outcome.latency < 0.1 for outcome in phase.outcomes)


def test_closed_loop_ends_after_its_requests():
    server = _Server()
    phase = asyncio.run(load_loops.closed(
        server.send, itertools.repeat(CASE, 25), 4, 1.0))
    assert len(phase.outcomes) == server.calls == 25


def test_only_the_open_loop_sees_the_whole_of_a_stall():
    # Half a second in which nobody is answered.
    def p90(phase):
        latencies = load_report.latencies([phase])
        return np.percentile(latencies, 90), latencies.max()

    due = np.arange(0, 1, 0.01)
    opened = asyncio.run(load_loops.open_loop(
        _Server((0.3, 0.8)).send, itertools.repeat(CASE), due, 5.0))
    closed = asyncio.run(load_loops.closed(
        _Server((0.3, 0.8)).send, itertools.repeat(CASE), 1, 5.0, 1.0))
    assert p90(closed)[0] < 0.05 and p90(closed)[1] == pytest.approx(
        0.5, abs=0.1)
    # What was due in the stall waited for its end: a quarter second in mean.
    late = [max(0.8 - time, 0) if 0.3 <= time else 0 for time in due]
    assert p90(opened)[0] == pytest.approx(np.percentile(late, 90), abs=0.05)
    assert load_report.latencies([opened]).mean() == pytest.approx(
        np.mean(late), abs=0.03)


def test_waiting_for_a_free_place_counts(monkeypatch):
    # A server that takes one call at a time, twice as slow as they come.
    monkeypatch.setattr(load_loops, "MAX_IN_FLIGHT", 1)
    phase = asyncio.run(load_loops.open_loop(
        _Server(seconds=0.02).send, itertools.repeat(CASE),
        np.arange(0, 0.4, 0.01), 5.0))
    assert len(phase.outcomes) == 40
    assert load_report.latencies([phase]).max() > 0.35
    assert phase.seconds > 0.8


def test_a_request_without_answer_fails_when_its_time_is_up():
    phase = asyncio.run(load_loops.open_loop(
        _Server((0, 9)).send, itertools.repeat(CASE), [0, 0.1], 0.3))
    assert [outcome.error for outcome in phase.outcomes] == [
        "DEADLINE_EXCEEDED"] * 2
    assert load_report.latencies([phase]) == pytest.approx(0.3, abs=0.05)


def test_arrivals_are_a_poisson_process_of_the_seed():
    times = np.array(list(load_loops.arrivals(50, 200, [3, 0])))
    np.testing.assert_array_equal(
        times, list(load_loops.arrivals(50, 200, [3, 0])))
    assert list(load_loops.arrivals(50, 200, [3, 1]))[:3] != list(times[:3])
    assert 0 < times[0] and times[-1] < 200
    assert len(times) == pytest.approx(50 * 200, abs=5 * 100)  # 5 sigma
    # Counts a second of a Poisson process: variance equal to the mean.
    counts = np.histogram(times, 200, (0, 200))[0]
    assert counts.var() / counts.mean() == pytest.approx(1, abs=0.5)
    gaps = np.diff(times) * 50
    assert (gaps < np.log(2)).mean() == pytest.approx(0.5, abs=0.03)


# --- The command -------------------------------------------------------------


@pytest.fixture
def photos(tmp_path):
    paths = [tmp_path / f"{name}.png" for name in "ab"]
    for i, path in enumerate(paths):
        path.write_bytes(png(make_photo(i)))
    return list(map(str, paths))


def _run(capsys, *arguments):
    code = load_test.main(list(map(str, arguments)))
    return code, *capsys.readouterr()


def test_command_over_both_protocols(photos, tmp_path, capsys):
    model = FakeModel()
    with rest_server(model) as rest, grpc_server(model) as grpc:
        code, stdout, stderr = _run(
            capsys, *photos, "--server", rest, "--server", grpc,
            "--requests", 20, "--rounds", 2, "--warm-up", 0.1,
            "--concurrency", 2, "--json", tmp_path / "load.json",
            "--plot", tmp_path / "load.png")
    assert code == 0
    _, first, second, wrote = stdout.splitlines()
    assert first.split()[:4] == ["REST", rest, "40", "0"]
    assert second.split()[:4] == ["gRPC", grpc, "40", "0"]
    assert wrote == (
        f"wrote {tmp_path / 'load.json'} and {tmp_path / 'load.png'}")
    assert "requests/s" in stderr and "<" in stderr  # rate and time left
    found = json.loads((tmp_path / "load.json").read_text())
    for target in found["targets"]:
        assert target["requests"] == 40 and not target["errors"]
        for rates in target["rounds"]:
            assert rates["colorings_per_second"] == pytest.approx(
                8 * rates["requests_per_second"])
    assert found["settings"]["concurrency"] == 2
    assert images.read(tmp_path / "load.png").pixels.std() > 10
    sent = {bytes(call[1]["image_bytes"][0]) for call in model.calls}
    assert sent == {png(make_photo(i)) for i in range(2)}


def test_command_reports_errors_and_fails(photos, capsys):
    model = FakeModel()
    with rest_server(model) as address:
        # The first is for the warm-up, which does not count.
        model.failures = [(503, "", "cold")] + [
            (503, "", "queue is\nfull"), (500, "", "oops")] * 2
        code, stdout, _ = _run(
            capsys, photos[0], "--server", address, "--requests", 9,
            "--rounds", 1, "--warm-up", 1e-9, "--concurrency", 1)
    assert code == 1
    assert "2 x UNAVAILABLE: queue is full" in stdout
    assert "2 x INTERNAL: oops" in stdout and "cold" not in stdout


def test_command_of_the_open_loop(photos, capsys):
    model = FakeModel()
    with rest_server(model) as address:
        code, stdout, _ = _run(
            capsys, photos[0], "-n", 2, "--server", address, "--rate", 40,
            "--duration", 1, "--rounds", 1, "--warm-up", 0.05)
    assert code == 0
    requests, _, per_second, colorings = stdout.splitlines()[1].split()[2:6]
    expected = len(list(load_loops.arrivals(40, 1, [0, 0, 1])))
    assert int(requests) == expected
    assert float(per_second) == pytest.approx(expected, rel=0.1)
    assert float(colorings) == pytest.approx(2 * float(per_second), abs=0.2)
    assert {call[0] for call in model.calls} == {"colorize_n"}


def test_command_without_a_server_says_one_line(photos, capsys):
    for address in nowhere():
        code, stdout, stderr = _run(capsys, photos[0], "--server", address)
        assert (code, stdout) == (1, "")
        assert stderr.startswith(f"tfdivcolor: {address}: UNAVAILABLE: ")
        assert stderr.count("\n") == 1


@pytest.mark.parametrize("server", [
    "http://example.com", "10.0.0.1:8500", "http://127.0.0.1.example.com:1",
    "http://[2001:db8::1]:1", "http://0.0.0.0:1"])
def test_only_this_machine_is_loaded(photos, server, capsys):
    with pytest.raises(SystemExit) as stopped:
        load_test.main([photos[0], "--server", server])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert "must be on this machine unless --allow-remote is given" in message


@pytest.mark.parametrize("arguments, message", [
    (["--concurrency", "0"], "must be above 0"),
    (["--rate", "nan"], "must be above 0"),
    (["--duration", "x"], "invalid float value: 'x'"),
    (["--server", "127.0.0.1:1", "--server", "127.0.0.1:1"],
     "each server once"),
    (["--mixed", "-n", "3"], "not allowed with"),
])
def test_bad_arguments(photos, arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        load_test.main([photos[0], *arguments])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_a_model_of_another_kind_is_refused(photos, capsys):
    model = FakeModel()
    del model.signatures["colorize_n"]
    with rest_server(model) as address:
        for arguments, name in (["-n", "2"], "colorize_n"), (
                ["--mixed"], "serving_default, colorize_tensor, prior"):
            code, _, stderr = _run(
                capsys, photos[0], "--server", address, *arguments)
            assert code == 1
            assert stderr == (
                f"tfdivcolor: the model must have the signature {name} "
                "(received colorize, colorize_hinted)\n")


def test_help_does_without_tensorflow():
    done = subprocess.run(
        [sys.executable, "-c", "import sys\n"
         "from serving import load_test\n"
         "try: load_test.main(['--help'])\n"
         "except SystemExit: pass\n"
         "assert not {'tensorflow', 'grpc', 'aiohttp'} & set(sys.modules)\n"],
        capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "python -m serving.load_test photo.jpg" in done.stdout


def test_mixture_has_sizes_signatures_and_mistakes():
    signatures = {"serving_default": {}, "colorize": {"log_prob": [-1, 8]},
                  "colorize_n": {}, "colorize_tensor": {
                      "luminance": [-1, 64, 64, 1],
                      "ab": [-1, 8, 32, 32, 2]}, "prior": {}}
    photo = png(make_photo(height=64, width=96))
    cases = load_cases.mixed([photo], signatures)
    good = [case for case in cases if case.expected == "OK"]
    assert {case.signature for case in good} == set(signatures)
    sizes = {images.read(data).pixels.shape[:2] for case in good
             for data in case.inputs.get("image_bytes", ())}
    assert sizes == {(64, 96), (32, 48), (16, 24)}
    assert {case.inputs["luminance"].shape for case in good
            if "luminance" in case.inputs} == {(1, 64, 64, 1)}
    assert 0.2 < 1 - len(good) / len(cases) < 0.4
    del signatures["colorize_n"]
    assert {case.signature for case in load_cases.mixed([photo], signatures)
            } == set(signatures)
