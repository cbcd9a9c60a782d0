"""The pictures of folders: by suffix, by content, and nothing opened that
might wait for ever."""

import os
import socket
import time

import pytest
from PIL import Image

from tfdivcolor import images
from tfdivcolor.images import finding


def _make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _names(found):
    return [name for _, name in found.pictures]


def _kinds(found, folder):
    return {path.relative_to(folder).as_posix(): kind
            for path, kind in found.others}


def test_files_and_folders_in_order(tmp_path):
    _make(tmp_path, "b.JPG", "a.png", "sub/deep/c.webp", "sub/.hidden.png",
          ".trash/d.png", "notes.txt", "sub/photo.tar.png")
    found = images.find([tmp_path / "notes.txt", str(tmp_path)])
    assert found.pictures == [
        (tmp_path / "notes.txt", "notes.txt"),
        (tmp_path / "a.png", "a.png"),
        (tmp_path / "b.JPG", "b.JPG"),
        (tmp_path / "sub/deep/c.webp", "sub/deep/c.webp"),
        (tmp_path / "sub/photo.tar.png", "sub/photo.tar.png"),
    ]
    assert found.others == [(tmp_path / "notes.txt", ".txt")]
    assert found.failed == []
    assert images.find([]) == finding.Found()


def test_missing_paths_and_empty_folders(tmp_path):
    _make(tmp_path, "in/notes.txt", "a.png")
    (tmp_path / "nowhere.png").symlink_to("nothing")
    found = images.find([tmp_path / "missing", tmp_path / "in",
                         tmp_path / "a.png" / "b.png",
                         tmp_path / "nowhere.png", tmp_path / "a.png"])
    assert found.pictures == [(tmp_path / "a.png", "a.png")]
    missing, empty, below, nowhere = map(str, found.failed)
    assert missing == (f"{tmp_path / 'missing'}: must be a file or folder "
                       "(received a path that does not exist)")
    assert "in: must hold images (.jpg, " in empty
    assert empty.endswith("(received a folder without any)")
    assert below.endswith("(received a path that does not exist)")
    assert nowhere.endswith("(received a link to nothing)")


def test_content_decides_where_there_is_no_suffix(tmp_path):
    picture = Image.new("L", (8, 8))
    for name, image_format in (
            ("scan", "TIFF"), ("Mr. Smith", "JPEG"), ("scan.0001", "PNG"),
            ("1. 5. 2024", "WEBP"), ("sub/x", "GIF"), ("backup.old", "PNG")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture.save(tmp_path / name, image_format)
    _make(tmp_path, "empty", "sub/README", "x.7z", "scan.0002", "n.NEF")
    (tmp_path / "LICENSE").write_text("Anyone may")
    found = images.find([tmp_path])
    assert _names(found) == [
        "1. 5. 2024", "Mr. Smith", "scan", "scan.0001", "sub/x"]
    assert _kinds(found, tmp_path) == {
        "LICENSE": "without a suffix", "empty": "without a suffix",
        "scan.0002": "without a suffix", "sub/README": "without a suffix",
        "x.7z": ".7z", "n.NEF": ".nef", "backup.old": ".old"}
    assert finding.names_in(tmp_path, pytest.fail) == _names(found)
    assert [finding.without_suffix(name) for name in (
        "a/b.jpg", "scan.0001", "Mr. Smith", "x.tar.png", "a.b/c", ".jpg")
        ] == ["a/b", "scan.0001", "Mr. Smith", "x.tar", "a.b/c", ".jpg"]


def test_only_regular_files_are_taken(tmp_path):
    """Whatever would open the FIFO would wait for ever."""
    _make(tmp_path, "a.png", "real/b.png")
    os.mkfifo(tmp_path / "fifo.png")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket.jpg"))
    (tmp_path / "c.png").symlink_to("a.png")
    (tmp_path / "to_fifo.png").symlink_to("fifo.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "nowhere.png").symlink_to("nothing")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "linked").symlink_to("real")
    found = images.find([tmp_path])
    assert _names(found) == ["a.png", "c.png", "real/b.png"]
    assert found.failed == []
    assert _kinds(found, tmp_path) == {
        "fifo": "FIFO", "fifo.png": "FIFO", "to_fifo.png": "FIFO",
        "socket.jpg": "socket", "zero.png": "device",
        "nowhere.png": "link to nothing", "loop.png": "link to nothing",
        "linked": "linked folder"}
    named = images.find([tmp_path / "fifo.png", tmp_path / "socket.jpg",
                         "/dev/null", tmp_path / "loop.png"])
    assert [str(error).partition("(received ")[2] for error in named.failed
            ] == ["a FIFO)", "a socket)", "a device)", "a link to nothing)"]


def test_each_real_folder_is_searched_once(tmp_path):
    _make(tmp_path, "in/z/a.png", "elsewhere/b.png", "elsewhere/deep/c.png")
    folder = tmp_path / "in"
    (folder / "itself").symlink_to(".")
    (folder / "z" / "up").symlink_to("..")
    (folder / "again").symlink_to("z")
    (folder / "out").symlink_to(tmp_path / "elsewhere")
    (folder / "out2").symlink_to(tmp_path / "elsewhere" / "deep")
    (tmp_path / "elsewhere" / "back").symlink_to(folder)
    found = images.find([folder], follow_links=True)
    # A real folder's own name comes first, whatever links are called.
    assert _names(found) == ["out/b.png", "out/deep/c.png", "z/a.png"]
    assert not found.others and not found.failed
    found = images.find([folder])
    assert _names(found) == ["z/a.png"]
    assert finding.summary(kind for _, kind in found.others) == (
        "5 linked folders")
    # A folder that is named is searched, link or not.
    assert _names(images.find([folder / "out"])) == ["b.png", "deep/c.png"]


def test_what_cannot_be_read_is_named_and_the_rest_is_found(
        tmp_path, monkeypatch):
    """Whoever runs this as root may read everything, hence the patches."""
    _make(tmp_path, "a.png", "closed/b.png", "open/c.png", "no_suffix")
    real = os.scandir

    def deny(path, *_):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", lambda path: (
        deny if str(path).endswith("closed") else real)(path))
    monkeypatch.setattr(finding, "open", deny, raising=False)
    found = images.find([tmp_path])
    assert _names(found) == ["a.png", "open/c.png"]
    assert list(map(str, found.failed)) == [
        f"{tmp_path / 'closed'}: must be a folder that can be read "
        "(received Permission denied)",
        f"{tmp_path / 'no_suffix'}: must be a file that can be read "
        "(received Permission denied)"]
    # Alone it is one error, not two.
    assert len(images.find([tmp_path / "closed"]).failed) == 1


def test_summary():
    assert finding.summary([".txt", "FIFO", ".xml", ".txt"]) == (
        "2 .txt, 1 .xml, 1 FIFO")
    assert finding.summary(
        ["link to nothing"] * 2 + ["FIFO"] * 3 + ["without a suffix"] * 4
    ) == "4 without a suffix, 3 FIFOs, 2 links to nothing"
    many = [f".{number}" for number in range(30)] + [".9"]
    assert finding.summary(many).startswith("2 .9, 1 .0, ")
    assert finding.summary(many).endswith(", 22 of 22 other kinds")


def test_names_of_any_bytes_and_deep_trees(tmp_path):
    folder = os.fsencode(tmp_path / "in")
    deep = os.path.join(folder, *[b"d%d" % level for level in range(60)])
    os.makedirs(deep)
    for name in (b"new\nline.png", b"caf\xe9.jpg", "ä.png".encode()):
        open(os.path.join(folder, name), "wb").close()
    open(os.path.join(deep, b"deep.png"), "wb").close()
    found = images.find([tmp_path / "in"])
    assert {os.fsencode(name) for name in _names(found)} == {
        b"new\nline.png", b"caf\xe9.jpg", "ä.png".encode(),
        os.path.relpath(os.path.join(deep, b"deep.png"), folder)}
    assert all(path.exists() for path, _ in found.pictures)


def test_many_files_are_listed_without_a_look_at_each(tmp_path, monkeypatch):
    for number in range(3000):
        os.close(os.open(tmp_path / f"{number}.jpg", os.O_CREAT))
    monkeypatch.setattr(os, "stat", lambda path, **_: pytest.fail(path))
    start = time.monotonic()
    assert len(finding.names_in(tmp_path, pytest.fail)) == 3000
    assert time.monotonic() - start < 1
