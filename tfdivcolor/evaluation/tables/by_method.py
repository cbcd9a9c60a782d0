"""The table by method: one set of pictures, every metric, a row per method."""

from collections.abc import Sequence

from tfdivcolor.evaluation.tables.summary import METRICS, Cell
from tfdivcolor.evaluation.tables.writing import Column, Report, Table

# The full table is wide, so it is split into blocks of related columns.
BLOCKS = {
    "Error of the results, ab / 128": (
        "one", "best_of_5", "best_of_8", "best_of_100", "pixel_of_5",
        "pixel_of_8", "pixel_of_100", "rgb_of_8"),
    "Diversity, colour, likeness to photographs": (
        "variance", "ms_ssim", "chroma", "chroma_first", "colourfulness",
        "colourfulness_first", "auc", "auc_coarse", "histogram"),
    "Autoencoder and likelihood; shares and time": (
        "reconstruction", "reconstruction_rmse", "reconstruction_weighted",
        "field_nll", "nll", "share", "share_kept", "seconds"),
}

PUBLISHED = """\
Published for LFW (Deshpande et al. 2017, table 2):
                     error of best    variance
CVAE                          .031     .00010
cGAN                          .047     .0000084
VAE + MDN                     .030     .0011
VAE + MDN, skip               .031     .00044
The paper does not state the number of samples, the norm, the unit, or whether
the best is chosen per picture or per pixel, and its 1,000 test pictures are
different. Do not compare these numbers with those of the table."""


def report(summary: dict[str, dict[str, Cell]], heading: Sequence[str],
           subset_size: int, missing: Sequence[str]) -> Report:
    """Makes the table of the methods on one set.

    Args:
        summary: dict from the label of a method to the dict of `summarize`.
        heading: list of str. Lines before the table.
        subset_size: int. Pictures for the columns of 100 results and the
            field likelihood.
        missing: list of str. Lines about omitted measurements.

    Returns:
        `Report`.
    """
    tables = []
    for title, names in BLOCKS.items():
        rows = {}
        for label, row in summary.items():
            cells = [row.get(name) for name in names]
            if any(cells):
                rows[label] = [[cell and cell["mean"]] for cell in cells]
            if any(cell and cell["spread"] for cell in cells):
                rows[f"{label} +- over seeds"] = [
                    [cell and cell["spread"]] for cell in cells]
        tables.append(Table(
            title, "method",
            [Column(METRICS[name][0], ".5f") for name in names], rows))
    return Report(
        [*heading,
         f"Columns of 100 results and field NLL: {subset_size:,} evenly "
         "spaced pictures; these and AUC: the first seed"],
        tables,
        [*(f"{heading:10} {meaning}" for heading, meaning in METRICS.values()),
         "", *missing, *PUBLISHED.splitlines()])
