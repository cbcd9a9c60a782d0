"""Files that appear whole or not at all, on full disks and interrupted."""

import io
import os

import numpy as np
import pytest

from tfdivcolor.utils import files
from tfdivcolor.utils.errors import ImageError


@pytest.mark.parametrize("function", ["replace", "open"])
def test_failed_write_leaves_the_old_file_and_no_other(
        tmp_path, monkeypatch, function):
    path = tmp_path / "out.json"
    files.write_atomically(path, b"old")

    class FullDisk(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    def full(*args):
        if function == "open":
            args[0].touch()
            return FullDisk()
        raise OSError(28, "No space left on device")

    target = os if function == "replace" else files
    monkeypatch.setattr(target, function, full, raising=False)
    with pytest.raises(ImageError, match="No space left") as caught:
        files.write_atomically(path, b"new")
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["out.json"]


def test_interrupted_write_leaves_no_part(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(tmp_path / "out.json", b"new")
    assert os.listdir(tmp_path) == []


def test_the_longest_name_can_be_written(tmp_path):
    files.write_atomically(tmp_path / ("n" * 250 + ".json"), b"{}")
    assert len(os.listdir(tmp_path)) == 1


def test_a_whole_file_keeps_its_suffix_and_appears_at_the_end(tmp_path):
    path = tmp_path / "numbers.npz"
    with files.whole_file(path) as part:
        np.savez(part, a=np.arange(3))  # adds a suffix where there is none
        assert part.parent == tmp_path and not path.exists()
    assert os.listdir(tmp_path) == ["numbers.npz"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "made"
    with files.whole_folder(folder) as part:
        (part / "a").write_text("1")
    with pytest.raises(OSError):
        with files.whole_folder(folder) as part:
            (part / "b").write_text("2")
    with pytest.raises(KeyError):
        with files.whole_folder(folder, replace=True):
            raise KeyError
    assert os.listdir(tmp_path) == ["made"] and os.listdir(folder) == ["a"]
    with files.whole_folder(folder, replace=True) as part:
        (part / "b").write_text("2")
    assert os.listdir(tmp_path) == ["made"] and os.listdir(folder) == ["b"]
