"""The substance of the `evaluate` command.

`measurement` measures one method, `bench` measures many side by side on one
set of pictures, `evaluate` on several sets, and `tables` lays out what came
out.
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
