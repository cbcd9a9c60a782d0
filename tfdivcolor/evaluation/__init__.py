"""The code behind the `evaluate` command.

`measurement` measures one method, `bench` measures several methods on one set
of pictures, `evaluate` measures several sets, and `tables` lays out the
results.
"""

from tfdivcolor.evaluation.measurement import (
    Measured,
    Method,
    measure,
    measure_autoencoder,
    measure_reconstruction,
    truth_rows,
)
from tfdivcolor.evaluation.tables import METRICS

__all__ = [
    "METRICS", "Measured", "Method", "measure", "measure_autoencoder",
    "measure_reconstruction", "truth_rows",
]
