"""Full-size results and contact sheets."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tfdivcolor import images, plots
from tfdivcolor.coloring import coloring
from tfdivcolor.plots import sheets
from tfdivcolor.settings import DEFAULTS


def made(shape, count=3):
    rng = np.random.default_rng(0)
    return coloring.Coloring(
        photo=images.Photo(
            np.zeros((*shape, 3), np.uint8), "x", is_grey=True),
        luminance=rng.uniform(0, 100, (*shape, 1)).astype(np.float32),
        ab=rng.normal(0, 20, (count, 8, 8, 2)).astype(np.float32),
        log_prob=np.arange(count)[::-1].astype(np.float32),
        component=np.zeros(count, np.int32), weight=np.ones(count),
        share=np.full(count, 1 / count, np.float32),
        latents=np.zeros((count, 4)), sampling=DEFAULTS)


def test_contact_sheet_shows_every_tile_unresampled(tmp_path):
    result = made((60, 90))
    plots.contact_sheet(result, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    for tile in (result.grey, *result.images):
        corner = tile[5, :80]
        rows = np.argwhere((sheet == corner[0]).all(-1))
        assert any(np.array_equal(sheet[y, x:x + 80], corner)
                   for y, x in rows)
    plots.contact_sheet(result, tmp_path / "again.png")
    assert ((tmp_path / "sheet.png").read_bytes()
            == (tmp_path / "again.png").read_bytes())


@pytest.mark.parametrize("share, captions", [
    ([0.627, 0.125, 0.248], ["63 %", "13 %", "25 %"]),
    ([0.997, 0.003, 0.0], ["100 %", "<1 %", "0 %"]),
    # A server's, of a model that 0.5 exported.
    (None, ["log p = 2.0", "log p = 1.0", "log p = 0.0"])])
def test_contact_sheet_tells_the_shares(
        tmp_path, monkeypatch, share, captions):
    figures = []
    monkeypatch.setattr(
        sheets.charts, "save", lambda figure, path: figures.append(figure))
    if share:
        share = np.float32(share)
    result = replace(made((60, 90)), share=share)
    plots.contact_sheet(result, tmp_path / "sheet.png")
    assert [axes.get_title() for axes in figures[0].axes] == [
        "grey", *(f"{rank:02d}   {caption}"
                  for rank, caption in enumerate(captions))]


def test_grid_places_pictures():
    rows = np.arange(2 * 3).reshape(2, 3, 1, 1, 1) * np.ones(
        (2, 3, 4, 5, 3), np.uint8)
    sheet = plots.grid(rows.astype(np.uint8), gap=1)
    assert sheet.shape == (2 * 5 - 1, 3 * 6 - 1, 3)
    assert sheet[0, 12, 0] == 2 and sheet[5, 0, 0] == 3
    assert sheet[4, 0, 0] == 255


def test_import_is_light():
    import subprocess
    import sys

    program = ("import sys, tfdivcolor\nprint(tfdivcolor.__version__, "
               "'tensorflow' in sys.modules, 'keras' in sys.modules)")
    printed = subprocess.run([sys.executable, "-c", program], check=True,
                             capture_output=True, text=True).stdout
    assert printed.split()[1:] == ["False", "False"]
