"""The studio's memory stays flat; `tests.studio.soak` runs for an hour."""

import os

import pytest

from benchmarks import soak as judging
from tests.studio import soak

MINUTES = float(os.environ.get("STUDIO_SOAK_MINUTES", "10"))
SIZES = ((300, 200), (640, 480), (900, 1200))


@pytest.mark.slow
def test_memory_stays_flat(weights, tmp_path):
    readings, calls = soak.use(tmp_path, weights, 60 * MINUTES, sizes=SIZES)
    assert min(calls.values()) >= 5, calls
    found = judging.judge(readings)
    assert found["files"] == found["threads"] == "flat", found
    # Ten minutes are too short for a slope of megabytes an hour, but after the
    # graphs and caches of the first third they show what every action leaves.
    third = len(readings) // 3
    first, last = (min(reading["resident"] for reading in part) for part in (
        readings[third:2 * third], readings[-third:]))
    assert last - first < 60, found
