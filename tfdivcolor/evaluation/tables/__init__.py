"""Makes the tables of the `evaluate` command, and the numbers in them."""

from tfdivcolor.evaluation.tables.summary import (
    METRICS,
    Cell,
    cell_of,
    summarize,
)
from tfdivcolor.evaluation.tables.writing import (
    Report,
    as_csv,
    markdown,
    text,
)

__all__ = [
    "METRICS", "Cell", "Report", "as_csv", "cell_of", "markdown", "summarize",
    "text",
]
