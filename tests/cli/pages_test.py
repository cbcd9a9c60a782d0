"""Files of several pages, and files that are nearly whole."""

import re

import numpy as np
import pytest
from calls import files_in, photograph, put, record_in, said
from PIL import Image

from tfdivcolor import images


@pytest.fixture
def scan(tmp_path):
    """A TIFF file of two pages of one size, and PNG files of each."""
    pages = [photograph(1), photograph(2)]
    for number, pixels in enumerate(pages, 1):
        put(tmp_path / f"page{number}.png", pixels)
    first, second = map(Image.fromarray, pages)
    path = tmp_path / "in" / "scan.tif"
    path.parent.mkdir()
    first.save(path, save_all=True, append_images=[second])
    return path


def _pixels(path):
    return images.read(path).pixels


def test_each_page_is_a_photograph(run, scan, tmp_path):
    out = tmp_path / "out"
    put(scan.parent / "b.png", photograph(3))
    code, stdout, stderr = run(scan.parent, "-n", 1, "--page", "all")
    assert code == 0 and said(stderr) == []
    assert stdout.startswith("1 colouring each of 3 photographs (")
    assert sorted(files_in(out)) == [
        "b.json", "b_00.png", "scan_p1.json", "scan_p1_00.tif",
        "scan_p2.json", "scan_p2_00.tif"]
    assert run(tmp_path / "page1.png", tmp_path / "page2.png", "-n", 1,
               out=tmp_path / "alone")[0] == 0
    for number in (1, 2):
        record = record_in(out, f"scan_p{number}")
        assert (record["page"], record["pages"]) == (number, 2)
        np.testing.assert_array_equal(
            _pixels(out / f"scan_p{number}_00.tif"),
            _pixels(tmp_path / "alone" / f"page{number}_00.png"))
    record = record_in(out, "b")
    assert (record["page"], record["pages"], record["notes"]) == (1, 1, [])
    # One page is what it is among all, and one that is lost is made again.
    assert "1 already there" in run(scan, "-n", 1, "--page", 2)[1]
    before = files_in(out)
    (out / "scan_p2_00.tif").unlink()
    stdout = run(scan.parent, "-n", 1, "--page", "all")[1]
    assert "1 colouring of 1 photograph " in stdout
    assert ", 2 already there" in stdout and files_in(out) == before


def test_the_page_that_is_used_is_said_and_recorded(run, scan, tmp_path):
    out = tmp_path / "out"
    put(scan.parent / "b.png", photograph(3))
    code, _, stderr = run(scan.parent, "-n", 1)
    assert code == 0 and said(stderr) == [f"{scan}: page 1 of 2 is used"]
    record = record_in(out, "scan")
    assert (record["page"], record["pages"]) == (1, 2)
    assert record["notes"] == ["page 1 of 2 is used"]
    # It is said of what is made, and not at all when nothing is to be said.
    assert said(run(scan.parent, "-n", 1)[2]) == []
    assert run(scan, "-n", 1, "--quiet", out=tmp_path / "quiet")[2] == ""
    # A page that is asked for has other names.
    assert run(scan, "-n", 1, "--page", 1)[0] == 0
    np.testing.assert_array_equal(
        _pixels(out / "scan_00.tif"), _pixels(out / "scan_p1_00.tif"))


def test_a_page_that_is_not_there(run, scan, photo, tmp_path):
    code, stdout, stderr = run(scan, photo, "-n", 1, "--page", 3)
    assert code == 1 and "2 failed" in stdout
    first, second = said(stderr)
    assert first.startswith(f"{scan}: ") and re.search(r"\b2\b.*\b3\b", first)
    assert second.startswith(f"{photo}: ")
    assert set(files_in(tmp_path / "out")) == {"tfdivcolor_failed.txt"}
    # The only page of a file is the file.
    assert run(photo, "-n", 1, "--page", 1)[0] == 0
    assert "photo_00.png" in files_in(tmp_path / "out")


def test_pages_and_files_of_one_name(run, scan, tmp_path):
    put(scan.parent / "scan_p2.png", photograph(3))
    (scan.parent / "bad.tif").write_bytes(b"II*\0")
    for _ in range(2):
        code, stdout, stderr = run(scan.parent, "-n", 1, "--page", "all")
        message, = said(stderr)
        assert code == 1 and message.startswith(f"{scan.parent / 'bad.tif'}: ")
        assert set(files_in(tmp_path / "out")) == {
            "scan.tif_p1.json", "scan.tif_p1_00.tif", "scan.tif_p2.json",
            "scan.tif_p2_00.tif", "scan_p2.json", "scan_p2_00.png",
            "tfdivcolor_failed.txt"}
    assert "3 already there" in stdout


def test_records_of_versions_before_hold(run, photo, tmp_path):
    out = tmp_path / "out"
    assert run(photo, "-n", 1)[0] == 0
    path = out / "photo.json"
    path.write_text(re.sub(
        r' "page": 1,\n "pages": 1,\n "notes": \[\],\n "lenient": false,\n', "",
        path.read_text()))
    assert not {"page", "pages", "lenient"} & record_in(out).keys()
    before = files_in(out)
    for more in ([], ["--lenient"], ["--page", 1], ["--page", "all"]):
        assert "1 already there" in run(photo, "-n", 1, *more)[1]
    assert files_in(out) == before


def test_truncated_files_are_taken_when_asked_for(run, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    whole = put(folder / "a.jpg", photograph(1, 200, 200)).read_bytes()
    cut = folder / "cut.jpg"
    cut.write_bytes(whole[:len(whole) // 2])
    (folder / "nothing.jpg").write_bytes(whole[:30])
    code, _, stderr = run(folder, "-n", 1)
    assert code == 1 and len(said(stderr)) == 2
    assert not (out / "cut.json").exists()
    code, stdout, stderr = run(folder, "-n", 1, "--lenient")
    assert code == 1 and "1 already there" in stdout
    note, failure = said(stderr)
    assert note.startswith(f"{cut}: ") and "missing" in note
    assert failure.startswith(f"{folder / 'nothing.jpg'}: ")
    assert record_in(out, "cut")["lenient"] is True
    assert record_in(out, "cut")["notes"] == [
        note.removeprefix(f"{cut}: ")]
    assert record_in(out, "a")["lenient"] is False
    # What was whole is what it was; what was not is so no longer.
    assert "2 already there" in run(folder, "-n", 1, "--lenient")[1]
    code, stdout, stderr = run(folder, "-n", 1)
    assert code == 1 and "1 already there" in stdout
    assert said(stderr)[0].startswith(f"{cut}: must be a whole")
    grey = Image.open(out / "cut_00.jpg").convert("L")
    assert np.ptp(np.asarray(grey)[190:]) < 8  # the missing part
    assert np.ptp(np.asarray(grey)[:60]) > 50
