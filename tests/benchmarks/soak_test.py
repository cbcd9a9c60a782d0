"""The soak's verdicts, on made-up readings and on a real leak."""

import json
import time

import numpy as np
import pytest

from benchmarks import soak
from benchmarks.common import soak_work


def readings(slope=0.0, minutes=30, warm_up=200.0, files=lambda i: 40 + i % 3):
    """Every three seconds: a warm-up, then a line with a saw on it."""
    found = []
    random = np.random.default_rng(0)
    for i, seconds in enumerate(np.arange(3, 60 * minutes, 3.0)):
        megabytes = (900 - warm_up * np.exp(-seconds / 120)
                     + slope * seconds / 3600 + 30 * (i % 17) / 17
                     + random.normal(0, 5))
        found.append({"seconds": float(seconds), "in_use": megabytes,
                      "resident": 2000 * random.random(), "files": files(i),
                      "threads": 60})
    return found


@pytest.mark.parametrize("slope, verdict", [
    (0.0, "flat"), (-50.0, "flat"), (100.0, "grows"), (1000.0, "grows")])
def test_verdicts_on_memory(slope, verdict):
    found = soak.judge(readings(slope))
    assert found["memory"] == verdict
    fit = found["in_use"]
    # Within a stretch a steep line moves where its lowest value is.
    assert abs(fit["slope"] - slope) < (
        fit["uncertainty"] + 5 + 0.02 * abs(slope))
    assert found["files"] == found["threads"] == "flat"


def test_the_uncertainty_holds_what_it_says():
    """Of readings that hang together, 95 % of the intervals hold 0."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(300):
        noise = np.convolve(random.normal(0, 10, 680), np.ones(20), "valid")
        found = soak.judge([
            {"seconds": 3.0 * i, "in_use": None, "resident": value,
             "files": 1, "threads": 1} for i, value in enumerate(noise)])
        fit = found["resident"]
        held += abs(fit["slope"]) < fit["uncertainty"]
    assert 0.9 < held / 300 < 0.98


def test_few_minutes_are_not_clear():
    assert soak.judge(readings(minutes=4, warm_up=0))["memory"] == "not clear"
    with pytest.raises(ValueError, match="16 readings .* .received 13"):
        soak.judge(readings(minutes=1))


@pytest.mark.parametrize("files, verdict", [
    (lambda i: 40 + i // 50, "grows"), (lambda i: 40 + i % 50, "flat"),
    (lambda i: None, "not clear")])
def test_verdicts_on_files(files, verdict):
    assert soak.judge(readings(files=files))["files"] == verdict


@pytest.mark.slow
def test_a_leak_is_noticed(tmp_path, monkeypatch, capsys):
    """Of 0.5 MB in each of its calls, beside honest work."""
    leaked = []
    make = soak_work.make

    def leaking(options, folder, random):
        def leak():
            leaked.append(np.ones(62_500))
            time.sleep(0.01)

        return {**make(options, folder, random), "leak": leak}

    command = ["--minutes", "1.5", "--only", "sample"]
    monkeypatch.setattr(soak, "EVERY", 1.0)
    monkeypatch.setattr(soak_work, "make", leaking)
    assert soak.main([
        *command, "--json", str(tmp_path / "a.json"),
        "--plot", str(tmp_path / "a.png")]) == 1
    printed = capsys.readouterr().out
    assert "memory: grows; limit 40" in printed
    assert printed.endswith(
        f"wrote {tmp_path / 'a.json'}\nwrote {tmp_path / 'a.png'}\n")
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["calls"]["leak"] == len(leaked) > 20
    wanted = 0.5 * len(leaked) / (found["readings"][-1]["seconds"] / 3600)
    fit = found["in_use"]
    assert fit["slope"] == pytest.approx(wanted, rel=0.2)
    assert (tmp_path / "a.png").stat().st_size > 5000
