"""Folders as they are found, and photographs of one name, in whole calls."""

import os

import numpy as np
from calls import files_in, photograph, put, said


def test_a_second_of_one_name_changes_nothing_of_the_first(run, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    put(folder / "img.jpg", photograph(1))
    assert run(folder, "-n", 1, "--quiet")[0] == 0
    first = files_in(out)
    assert sorted(first) == ["img.json", "img_00.jpg"]
    changed = (out / "img_00.jpg").stat().st_mtime_ns
    put(folder / "img.tif", photograph(2))
    code, stdout, _ = run(folder, "-n", 1)
    both = files_in(out)
    assert code == 0 and ", 1 already there" in stdout
    assert both.keys() - first.keys() == {"img.tif.json", "img.tif_00.tif"}
    assert first.items() < both.items()
    for paths in ([folder], [folder / "img.tif", folder / "img.jpg"],
                  [folder / "img.tif"], [folder / "img.jpg"]):
        assert run(*paths, "-n", 1, "--quiet") == (0, "", "")
    assert files_in(out) == both
    assert (out / "img_00.jpg").stat().st_mtime_ns == changed
    # Another call replaces each one's own.
    assert run(folder, "-n", 2, "--overwrite", "--quiet")[0] == 0
    assert sorted(files_in(out)) == [
        "img.json", "img.tif.json", "img.tif_00.tif", "img.tif_01.tif",
        "img_00.jpg", "img_01.jpg"]


def test_results_beside_a_photograph_of_their_name(run, tmp_path):
    """Into the folder itself."""
    photos = {name: put(tmp_path / "in" / name, photograph(seed)).read_bytes()
              for seed, name in enumerate(("img.jpg", "img_00.jpg"))}
    folder = tmp_path / "in"
    for _ in range(2):
        code, stdout, stderr = run(folder, "-n", 1, "--overwrite", out=folder)
        assert code == 0 and said(stderr) == []
        found = files_in(folder)
        assert photos.items() < found.items()
        assert sorted(found.keys() - photos.keys()) == [
            "img.jpg.json", "img.jpg_00.jpg", "img_00.json", "img_00_00.jpg"]
    assert "2 already there" in stdout


def test_what_is_left_out_is_counted_at_the_end(run, photo):
    folder = photo.parent
    for name in ("a.txt", "b.TXT", "c.xml", ".hidden.txt", "README"):
        (folder / name).write_text("no picture")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "nowhere.jpg").symlink_to("nothing")
    (folder / "itself").symlink_to(".")
    line = ("7 other files were skipped (2 .txt, 1 .xml, 1 FIFO, "
            "1 link to nothing, 1 linked folder, 1 without a suffix)")
    code, _, stderr = run(folder, "-n", 1, "--gallery", out=folder)
    assert code == 0 and said(stderr) == [line]
    # What the command has written is not counted.
    assert said(run(folder, "-n", 1, "--gallery", out=folder)[2]) == [line]
    assert run(folder, "-n", 1, "--quiet", out=folder) == (0, "", "")
    _, stdout, stderr = run(folder, "-n", 1, "--follow-links", out=folder)
    assert "1 already there" in stdout
    assert said(stderr) == [line.replace("7 other", "6 other").replace(
        "1 linked folder, ", "")]
    # Where there are no photographs it is said, too.
    photo.unlink()
    code, _, stderr = run(folder, "-n", 1)
    assert code == 1 and said(stderr)[-1].endswith("1 without a suffix)")


def test_a_folder_that_cannot_be_read_costs_no_other(
        run, tmp_path, monkeypatch):
    """Whoever runs this as root may read everything, hence the patch."""
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("a", "closed/b", "open/c"):
        put(folder / f"{name}.png", photograph())
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    code, stdout, stderr = run(folder, "-n", 1)
    message = (f"{folder / 'closed'}: must be a folder that can be read "
               "(received Permission denied)")
    assert code == 1 and said(stderr) == [message]
    assert "2 photographs" in stdout and ", 1 failed (see " in stdout
    assert set(files_in(out)) == {
        "a.json", "a_00.png", "open/c.json", "open/c_00.png",
        "tfdivcolor_failed.txt"}
    assert (out / "tfdivcolor_failed.txt").read_text() == f"{message}\n"


def test_what_is_named_must_be_a_regular_file(run, photo, tmp_path):
    os.mkfifo(pipe := tmp_path / "pipe.png")
    code, stdout, stderr = run(pipe, photo, "/dev/null", "-n", 1)
    assert code == 1 and "1 photograph " in stdout
    assert said(stderr) == [
        f"{pipe}: must be a file or folder (received a FIFO)",
        "/dev/null: must be a file or folder (received a device)"]


def test_side_that_a_format_cannot_hold_is_named(run, tmp_path):
    path = tmp_path / "wide.png"
    put(path, np.zeros([2, 66_000, 3], np.uint8))
    code, _, stderr = run(path, "-n", 1, "--format", "jpeg")
    assert code == 1
    assert said(stderr) == [
        f"{path}: must have sides of at most 65,500 pixels to be written as "
        "JPEG (received 66000 x 2)"]
    assert not files_in(tmp_path / "out")
