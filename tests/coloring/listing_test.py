"""Which photographs a call has, and what is said of all else."""

import os
import time

import pytest

from tfdivcolor.coloring import listing, outputs


def _make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _done(base, photograph, *endings):
    """Leaves what a call for a photograph leaves."""
    base.parent.mkdir(parents=True, exist_ok=True)
    names = [f"{base.name}_{ending}" for ending in endings]
    for name in names:
        base.with_name(name).touch()
    outputs.write_record(base, {"input": photograph, "outputs": names})


def _stems(found):
    return [stem for _, stem in found.pictures]


def _errors(capsys):
    return [line.removeprefix("tfdivcolor: ")
            for line in capsys.readouterr().err.splitlines()]


def test_outputs_of_calls_are_no_photographs_and_not_counted(tmp_path):
    _make(tmp_path, "a.png", "b_00.png", "notes.txt", "own.json",
          "sub/index.html")
    _done(tmp_path / "a", "a.png", "00.png", "sheet.png", "original.png")
    _done(tmp_path / "img.jpg", "img.jpg", "00.jpg")
    _done(tmp_path / "sub" / "gone", "gone.tif", "00.tif")
    _make(tmp_path, outputs.GALLERY, outputs.FAILED)
    found = listing.find_pictures([str(tmp_path)], tmp_path)
    assert _stems(found) == ["a", "b_00"] and not found.failed
    assert sorted(path.relative_to(tmp_path).as_posix()
                  for path, _ in found.others) == [
        "notes.txt", "own.json", "sub/index.html"]
    # Wherever the outputs of this call go, but for the files of all of them.
    elsewhere = listing.find_pictures([str(tmp_path)], tmp_path / "out")
    assert _stems(elsewhere) == ["a", "b_00"] and len(elsewhere.others) == 5
    # One that is named is one.
    named = listing.find_pictures([str(tmp_path / "a_00.png")], tmp_path)
    assert _stems(named) == ["a_00"]


def test_only_outputs(tmp_path, capsys):
    _done(tmp_path / "a", "a.png", "00.png")
    found = listing.find_pictures([str(tmp_path)], tmp_path)
    assert not found.pictures and len(found.failed) == 1
    assert _errors(capsys) == [f"{tmp_path}: must hold photographs "
                               "(received earlier outputs only)"]


def test_photographs_of_one_name_from_two_folders(tmp_path, capsys):
    _make(tmp_path, "a/x.jpg", "b/x.jpg", "b/x.tif", "a/y.jpg")
    found = listing.find_pictures(
        [str(tmp_path / "a"), str(tmp_path / "b")], tmp_path / "out")
    assert _stems(found) == ["x.jpg", "y", "x.tif"]
    message, = _errors(capsys)
    assert list(map(str, found.failed)) == [message]
    assert message.startswith(
        f"{tmp_path / 'b' / 'x.jpg'}: must have an output name of its own "
        f"(received x.jpg, also the name of {tmp_path / 'a' / 'x.jpg'};")


def test_what_is_named_twice_counts_once(tmp_path, monkeypatch, capsys):
    _make(tmp_path, "in/x.jpg", "in/notes.txt")
    monkeypatch.chdir(tmp_path)
    found = listing.find_pictures(
        ["in", "in/x.jpg", "in/../in/x.jpg", "in", "missing", "missing"])
    assert _stems(found) == ["x"] and len(found.others) == 1
    assert len(found.failed) == len(_errors(capsys)) == 1


def test_standard_input(tmp_path, capsys):
    for name in listing.STDIN_NAMES:
        found = listing.find_pictures([name])
        assert found.pictures == [(listing.STDIN, "stdin")]
    _make(tmp_path, "stdin.jpg", "stdin")
    found = listing.find_pictures(["-", str(tmp_path / "stdin.jpg")])
    assert _stems(found) == ["stdin", "stdin.jpg"]
    found = listing.find_pictures([str(tmp_path / "stdin"), "-"])
    assert len(found.pictures) == len(found.failed) == 1
    capsys.readouterr()


def test_what_is_left_out():
    assert listing.left_out([("a.txt", ".txt")]) == (
        "1 other file was skipped (1 .txt)")
    assert listing.left_out(
        [("a", ".txt"), ("b", ".xml"), ("c", ".txt"), ("d", "FIFO"),
         ("e", "link to nothing")]) == (
        "5 other files were skipped (2 .txt, 1 .xml, 1 FIFO, "
        "1 link to nothing)")


@pytest.mark.parametrize("record", ["", "[]", '{"outputs": [1]}',
                                    '{"outputs": ["../a_00.png"]}',
                                    '{"outputs": ["b_00.png"]}',
                                    '{"outputs": ["a_00"]}',
                                    '{"outputs": ["a.png"]}'])
def test_records_that_are_not_ours(tmp_path, record):
    (tmp_path / "a.json").write_text(record)
    assert outputs.read_record(tmp_path / "a") == {}
    assert listing.find_pictures([str(tmp_path)], tmp_path).others == [
        (tmp_path / "a.json", ".json")]


def test_names_of_outputs(tmp_path):
    for name, base in (("a_00.jpg", "a"), ("a_00_01.png", "a_00"),
                       ("a.jpg_sheet.png", "a.jpg"), ("a\nb_99.tif", "a\nb"),
                       ("a_p2_original.tif", "a_p2")):
        assert outputs.base_of(tmp_path / name) == tmp_path / base
    for name in ("a.jpg", "a_0.jpg", "a_00", "_00.jpg", "a_100.jpg"):
        assert outputs.base_of(tmp_path / name) is None


def test_ten_thousand_files_are_listed_in_no_time(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    for number in range(10_000):
        os.close(os.open(folder / f"{number}.jpg", os.O_CREAT))
        if number % 10 == 0:
            _done(out / str(number), f"{number}.jpg", "00.jpg")
    start = time.process_time()
    found = listing.find_pictures([str(folder)], out)
    assert time.process_time() - start < 4
    assert len(found.pictures) == 10_000
