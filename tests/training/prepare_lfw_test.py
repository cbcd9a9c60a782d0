"""The LFW command on a small archive of the same form."""

import hashlib
import io
import subprocess
import sys
import tarfile

import keras
import numpy as np
import pytest
from PIL import Image

from tfdivcolor import data
from training import configs, prepare_lfw


def write_archive(path, names):
    rng = np.random.default_rng(0)
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, [9, 9, 3], np.uint8)).save(
                file, "PNG")
            member = tarfile.TarInfo(name)
            member.size = len(file.getvalue())
            archive.addfile(member, io.BytesIO(file.getvalue()))
    return str(path)


@pytest.fixture
def archive(tmp_path):
    names = [f"lfw-deepfunneled/Person_{person}/Person_{person}_{number:04d}"
             ".jpg" for person in range(40) for number in (1, 2)]
    return write_archive(tmp_path / "lfw.tgz", names)


def test_it_writes_what_training_loads(archive, tmp_path, capsys):
    out = str(tmp_path / "prepared")
    assert prepare_lfw.main(
        ["--archive", archive, "--out", out, "--canvas", "8"]) == 0
    train = data.load(out, canvas=8, subset="train",
                      margin=configs.CONFIGS["lfw"].margin)
    validation = data.load(out, canvas=8, subset="validation")
    people = [{data.group_of(name) for name in subset.names}
              for subset in (train, validation)]
    assert len(train) + len(validation) == 80 and len(validation) > 0
    assert len(people[0]) + len(people[1]) == 40
    printed = capsys.readouterr().out
    assert f"train: {len(train)} pictures of {len(people[0])} people" in printed
    assert (f"validation: {len(validation)} pictures of {len(people[1])} "
            "people") in printed
    assert "has 80 of LFW's 13,233 pictures" in printed
    assert f"python -m training.train --config lfw --data {out}" in printed


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_checksum_is_verified_when_given(archive, algorithm):
    with open(archive, "rb") as file:
        right = hashlib.file_digest(file, algorithm).hexdigest()
    assert prepare_lfw.fetch(archive, right.upper()) == archive
    wrong = "0" * len(right)
    with pytest.raises(ValueError, match=f"must be {wrong} .received {right}"):
        prepare_lfw.fetch(archive, wrong)


def test_the_default_url_has_its_checksum(archive, monkeypatch):
    origins = []

    def get_file(origin, file_hash):
        origins.append(origin)
        return archive

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(ValueError, match=f"must be {prepare_lfw.CHECKSUM}"):
        prepare_lfw.fetch(prepare_lfw.URL)
    assert prepare_lfw.fetch("https://other.example/lfw.tgz") == archive
    assert origins == [prepare_lfw.URL, "https://other.example/lfw.tgz"]


def test_a_failed_download_is_one_line(monkeypatch, capsys):
    def get_file(origin, file_hash):
        raise Exception(f"URL fetch failure on {origin}: 404 -- Not Found")

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    assert prepare_lfw.main(["--archive", "https://other.example/x.tgz"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "404" in error


@pytest.mark.parametrize("arguments, rule", [
    (["--archive", "none.tgz"], "none.tgz: must be a file or an http(s) URL"),
    (["--checksum", "abc"], "checksum must be an MD5 or SHA-256"),
])
def test_bad_arguments_are_one_line(arguments, rule, capsys):
    assert prepare_lfw.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and rule in error


def test_another_archive_is_refused(tmp_path, capsys):
    path = write_archive(tmp_path / "roses.tgz", ["roses/1.jpg"] * 2)
    assert prepare_lfw.main(
        ["--archive", path, "--out", str(tmp_path / "out")]) == 1
    assert "every picture must have a name like" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_help_does_not_import_tensorflow():
    code = ("import sys\n"
            "from training import prepare_lfw\n"
            "try:\n"
            "    prepare_lfw.main(['--help'])\n"
            "except SystemExit:\n"
            "    pass\n"
            "assert 'tensorflow' not in sys.modules\n")
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True,
        text=True)
    assert "--checksum" in shown.stdout
