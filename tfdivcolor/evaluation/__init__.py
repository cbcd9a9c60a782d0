"""The substance of the `evaluate` command.

`measurement` measures one method, `bench` measures many side by side, and
`table` prints them.
"""

from tfdivcolor.evaluation.measurement import (
    METRICS,
    Measured,
    Method,
    measure,
    measure_autoencoder,
    measure_reconstruction,
    truth_rows,
)

__all__ = [
    "METRICS", "Measured", "Method", "measure", "measure_autoencoder",
    "measure_reconstruction", "truth_rows",
]
