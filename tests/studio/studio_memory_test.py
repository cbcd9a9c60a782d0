"""The studio's memory stays flat; `tests.studio.soak` runs for an hour."""

import os

import pytest

from benchmarks import soak as judging
from tests.studio import soak

MINUTES = float(os.environ.get("STUDIO_SOAK_MINUTES", "30"))
SIZES = ((300, 200), (640, 480), (900, 1200))


@pytest.mark.slow
def test_memory_stays_flat(weights, tmp_path):
    readings, calls = soak.use(tmp_path, weights, 60 * MINUTES, sizes=SIZES)
    assert min(calls.values()) >= 5, calls
    found = judging.judge(readings)
    assert found["files"] == found["threads"] == "flat", found
    # Caches and the allocator fill for a thousand actions, some ten minutes;
    # afterwards a leak shows as a step from one quarter to the next.
    quarter = len(readings) // 4
    third, last = (min(reading["resident"] for reading in part) for part in (
        readings[2 * quarter:3 * quarter], readings[3 * quarter:]))
    assert last - third < 60, found
