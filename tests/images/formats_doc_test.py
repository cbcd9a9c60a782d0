"""docs/formats.md says what the code does.

The depths in its table are those of `making.cases`, whose files the matrix
test reads.
"""

import re
from pathlib import Path

import making
import numpy as np
import pytest

from tfdivcolor import images
from tfdivcolor.images import decoding, formats
from tfdivcolor.images.decoding import pillow

_TEXT = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
ROWS = {row[0]: row[1:] for row in (
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in _TEXT.splitlines() if line.startswith("| "))
    if row[0] != "format"}


def test_every_format_has_a_row():
    assert list(ROWS) == list(images.FORMATS)


@pytest.mark.parametrize("image_format", ROWS)
def test_row(image_format):
    endings, _, _, pages, truncated, result = ROWS[image_format]
    assert tuple(endings.split()) == images.FORMATS[image_format]
    assert (pages in ("pages", "frames", "pictures")) == (
        image_format in (*pillow.WITH_FRAMES, "TIFF"))
    assert (truncated == "read in part") == (
        image_format in decoding.LENIENT_FORMATS)
    if image_format == "HEIF":
        pytest.importorskip("pillow_heif")
    photo = images.Photo(
        np.zeros([2, 2, 3], np.uint8), "x", True, image_format=image_format)
    assert formats.output_format(photo) == result


def _depths(cell):
    """Depths that a cell lists, as `making` names them."""
    found = set()
    for part in cell.partition(";")[0].split(","):
        numbers = re.findall(r"\d+", part)
        if "float" in part:
            found.add(f"float{numbers[0]}")
        else:
            found |= set(map(str, range(
                int(numbers[0]), int(numbers[-1]) + 1)))
    return found


@pytest.mark.parametrize("image_format", ROWS)
def test_depths_are_those_of_the_matrix(image_format):
    made = {case.depth for case in making.cases()
            if case.image_format == image_format}
    if not made:  # HEIF, without its library
        pytest.skip("the matrix has none of this format here")
    assert _depths(ROWS[image_format][1]) == made
