"""Pictures for people: contact sheets, charts, training curves."""

from tfdivcolor.plots.sheets import (
    COLORS,
    QUIET,
    contact_sheet,
    grid,
    legend,
    panels,
    reduced,
    save,
    styles,
    table,
)

__all__ = [
    "COLORS", "QUIET", "contact_sheet", "grid", "legend", "panels", "reduced",
    "save", "styles", "table",
]
