"""The measurement of hints on a small untrained model."""

import numpy as np
from skimage import data

from benchmarks.quality import hints


def test_hints_from_the_truth_are_met_and_help(make_tiny):
    pixels = data.astronaut()[40:140, 160:280]
    without, with_hints = hints.measure(
        make_tiny(), pixels, 6, np.random.default_rng(0))
    # Eight regions that know nothing of the picture: not all can be met.
    assert with_hints[0] < 0.8 * without[0]
    # As a result has no colours yet, the picture gains too.
    assert with_hints[1] < without[1]
    for first, best in (without[1:3], with_hints[1:3]):
        assert first >= best
