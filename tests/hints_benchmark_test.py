"""The measurement of hints on a small untrained model."""

import numpy as np

from benchmarks import hints


def test_hints_from_the_truth_are_met_and_help(make_tiny, batch):
    photos = [{"luminance": batch["luminance"][i], "ab": batch["ab"][i]}
              for i in range(2)]
    rows = hints.measure(make_tiny(), photos, 10)
    assert rows.shape == (2, 2, len(hints.COLUMNS))
    without, with_hints = rows.mean(axis=0)
    at_hints = hints.COLUMNS.index("at hints")
    # Eight regions that know nothing of the picture: not all can be met.
    assert with_hints[at_hints] < 0.8 * without[at_hints]
    assert np.all(rows[:, :, 1] >= rows[:, :, 2])  # first, best of 8
