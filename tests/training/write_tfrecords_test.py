"""The command that copies photographs into TFRecord shards."""

import subprocess
import sys

import numpy as np
import pytest

from tfdivcolor import data
from training import synthetic
from training.write_tfrecords import main


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return synthetic.write_folder(
        tmp_path_factory.mktemp("pictures"), count=11)


def test_shards_hold_the_fields_of_the_folder(pictures, tmp_path, capsys):
    prefix = tmp_path / "new" / "photos"
    assert main([str(pictures), "--out", str(prefix), "--shards", "3"]) == 0
    files = sorted(prefix.parent.iterdir())
    assert [file.name for file in files] == [
        f"photos-0000{shard}-of-00003.tfrecord" for shard in range(3)]
    said = capsys.readouterr()
    size = sum(file.stat().st_size for file in files)
    assert said.out == (
        f"wrote 11 pictures, {size:,} bytes, to 3 files, {files[0]} to "
        f"{files[2].name}; skipped 0\n")
    options = {"canvas": 32, "progress": False}
    folder = data.load(pictures, **options)
    shards = data.load(f"{prefix}-*.tfrecord", **options)
    assert sorted(shards.names) == sorted(folder.names)
    for name, field in zip(shards.names, shards.lab):
        np.testing.assert_array_equal(
            field, folder.lab[folder.names.index(name)])


def test_shards_of_another_number_are_not_mixed(pictures, tmp_path, capsys):
    command = [str(pictures), "--out", str(tmp_path / "photos"), "--shards"]
    assert main([*command, "2"]) == 0
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert main([*command, "3"]) == 1
    line, = capsys.readouterr().err.splitlines()
    assert "must not stand next to shards of another number" in line
    assert "photos-00000-of-00002.tfrecord" in line
    assert main([*command, "2"]) == 0  # its own are replaced
    assert before == {file: file.read_bytes() for file in tmp_path.iterdir()}


def test_files_that_cannot_be_read_are_named_and_counted(
        pictures, tmp_path, capsys):
    folder = tmp_path / "some"
    folder.mkdir()
    for name in ("picture000.png", "picture001.png"):
        (folder / name).write_bytes((pictures / name).read_bytes())
    (folder / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert main([str(folder), "--out", str(tmp_path / "photos"),
                 "--shards", "1"]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("wrote 2 pictures, ")
    assert said.out.endswith(
        "/photos-00000-of-00001.tfrecord; skipped 1, listed above\n")
    assert "gone.png: a link to nothing" in said.err


@pytest.mark.parametrize("arguments, message", [
    (["nowhere", "--out", "{}/photos"], "nowhere: no such folder"),
    (["{pictures}", "--out", "{}/photos", "--shards", "0"],
     "num_shards must be 1 or more (received 0)"),
    (["{pictures}", "--out", "{}/photos", "--shards", "12"], "(received 11)"),
    (["{pictures}", "--out", "{}/file/photos"], "{}/file: must be a folder"),
])
def test_wrong_arguments_are_one_line(
        arguments, message, pictures, tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")

    def fill(text):
        return text.format(tmp_path, pictures=pictures)
    assert main([fill(argument) for argument in arguments]) == 1
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith("write_tfrecords: ") and fill(message) in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


PEAK = """
import resource, sys
from training.write_tfrecords import main
main([sys.argv[1], "--out", sys.argv[2], "--shards", "4"])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # kilobytes
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pictures(tmp_path):
    rng = np.random.default_rng(0)

    def peak(count):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        for index in range(count):  # copied as they are, never decoded
            (folder / f"{index:03d}.jpg").write_bytes(rng.bytes(8_000_000))
        printed = subprocess.run(
            [sys.executable, "-c", PEAK, folder, tmp_path / f"out{count}/x"],
            check=True, capture_output=True, text=True).stdout
        return int(printed.split()[-1]) / 1e3

    # 320 MB more to copy; 60 MB is a few pictures, as they are and as records.
    assert peak(48) - peak(8) < 60
