"""The pictures of folders, by their names."""

import pytest

from tfdivcolor import images


def test_find_lists_files_and_folders_in_order(tmp_path):
    for name in ("b.JPG", "a.png", "sub/deep/c.webp", "sub/.hidden.png",
                 ".trash/d.png", "notes.txt", "sub/photo.tar.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert images.find([tmp_path / "notes.txt", str(tmp_path)]) == [
        (tmp_path / "notes.txt", "notes"),
        (tmp_path / "a.png", "a"),
        (tmp_path / "b.JPG", "b"),
        (tmp_path / "sub/deep/c.webp", "sub/deep/c"),
        (tmp_path / "sub/photo.tar.png", "sub/photo.tar"),
    ]
    assert images.find([]) == []


def test_find_refuses_missing_paths_and_empty_folders(tmp_path):
    with pytest.raises(images.ImageError, match="missing: must be a file or"):
        images.find([tmp_path / "missing"])
    (tmp_path / "notes.txt").touch()
    with pytest.raises(images.ImageError, match="must hold images"):
        images.find([tmp_path])
