"""Pictures for people: contact sheets, charts, training curves."""

from tfdivcolor.plots.charts import (
    COLORS,
    QUIET,
    legend,
    panels,
    save,
    styles,
)
from tfdivcolor.plots.sheets import contact_sheet, grid, reduced, table

__all__ = [
    "COLORS", "QUIET", "contact_sheet", "grid", "legend", "panels", "reduced",
    "save", "styles", "table",
]
