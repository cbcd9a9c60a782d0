"""Ranges of the sampling settings."""

import pytest

from tfdivcolor.settings import Sampling


@pytest.mark.parametrize("options, message", [
    ({"num_samples": 0}, "num_samples must be 1 to 100 (received 0)"),
    ({"num_samples": 101}, "num_samples must be 1 to 100 (received 101)"),
    ({"seed": 2**63}, "seed must fit into 64 bits"),
    ({"temperature": -0.1}, "temperature must be a number of 0 or more"),
    ({"temperature": float("nan")}, "(received nan)"),
    ({"mode": "best"}, "diverse, samples, components (received 'best')"),
])
def test_out_of_range(options, message):
    with pytest.raises(ValueError) as error:
        Sampling(**options)
    assert message in str(error.value)
