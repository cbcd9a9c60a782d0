"""Split by person, and TFRecord shards of the pictures as they are."""

import io
import os
import tarfile
import tracemalloc

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings as hypothesis_settings, strategies as st

from tfdivcolor import images
from tfdivcolor.data import sources, tfrecords


@pytest.fixture(scope="module")
def contents():
    """Names and bytes; a source does not look into the pictures."""
    return {f"Person_{person}/Person_{person}_{number:04d}.png":
            f"{person} {number} ".encode() * 100
            for person in range(4) for number in (1, 2)}


@pytest.fixture(scope="module")
def folder(contents, tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for name, encoded in contents.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded)
    return root


@pytest.mark.parametrize("name, group", [
    ("lfw/AJ_Cook/AJ_Cook_0001.jpg", "AJ_Cook"),
    ("AJ_Cook_0012.png", "AJ_Cook"),
    ("lfw/AJ_Cook/AJ_Cook_12.jpg", "AJ_Cook_12.jpg"),
    ("roses/12240303_80d87f77a3_n.jpg", "12240303_80d87f77a3_n.jpg"),
    ("holiday/IMG_0001.jpg", "IMG_0001.jpg"),
])
def test_groups(name, group):
    assert sources.group_of(name) == group


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.text("abcAB_", min_size=1), st.integers(0, 9999),
       st.integers(0, 9999), st.text("xyz/", max_size=5),
       st.floats(0, 1))
def test_a_person_is_on_one_side(person, one, two, parent, fraction):
    name = person + "_x"
    names = f"{name}_{one:04d}.jpg", f"{parent}/{name}_{two:04d}.png"
    assert (sources.is_validation(names[0], fraction)
            == sources.is_validation(names[1], fraction))


def test_the_split_is_of_the_size_asked_for():
    names = [f"Person_{number}_0001.jpg" for number in range(20000)]
    share = np.mean([sources.is_validation(name) for name in names])
    assert abs(share - 0.08) < 0.01
    # Pinned: trained weights depend on it.
    assert [name for name in names[:40] if sources.is_validation(name)] == [
        "Person_33_0001.jpg"]


def test_shards_hold_every_picture_as_it_was(contents, folder, tmp_path):
    written = tfrecords.write_tfrecords(folder, tmp_path / "photos", 3)
    assert [os.path.basename(path) for path in written] == [
        f"photos-0000{shard}-of-00003.tfrecord" for shard in range(3)]
    assert sorted(os.listdir(tmp_path)) == [
        os.path.basename(path) for path in written]
    found = {}
    for path in written:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            feature = tf.train.Example.FromString(record).features.feature
            name = feature["image/filename"].bytes_list.value[0].decode()
            found[name] = feature["image/encoded"].bytes_list.value[0]
    assert found == contents
    first = [open(path, "rb").read() for path in written]
    tfrecords.write_tfrecords(folder, tmp_path / "photos", 3)
    assert first == [open(path, "rb").read() for path in written]


def test_failed_writing_leaves_no_shard(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="must hold images"):
        tfrecords.write_tfrecords(tmp_path / "empty", tmp_path / "photos", 2)
    with pytest.raises(ValueError, match="each of 9 shards .received 8"):
        tfrecords.write_tfrecords(folder, tmp_path / "photos", 9)
    assert os.listdir(tmp_path) == ["empty"]
    with pytest.raises(ValueError, match="num_shards"):
        tfrecords.write_tfrecords(folder, tmp_path / "photos", 0)


def test_places_that_cannot_be_written_to(folder, tmp_path, monkeypatch):
    with pytest.raises(
            OSError, match="none/photos: must be a writable .*No such"):
        tfrecords.write_tfrecords(folder, tmp_path / "none" / "photos", 2)
    real = tf.io.TFRecordWriter.write

    def full(writer, record):
        if b"Person_2" in record:
            raise tf.errors.ResourceExhaustedError(
                None, None, "/tmp/gone; No space left on device")
        real(writer, record)

    monkeypatch.setattr(tf.io.TFRecordWriter, "write", full)
    with pytest.raises(OSError) as raised:
        tfrecords.write_tfrecords(folder, tmp_path / "photos", 2)
    assert str(raised.value) == (
        f"{tmp_path / 'photos'}: must be a writable path "
        "(received No space left on device)")
    assert not os.listdir(tmp_path)


def test_pictures_that_cannot_be_read_are_named_and_left_out(
        contents, folder, tmp_path, monkeypatch, capsys):
    """Whoever runs this as root may read everything, hence the patch."""
    bad = sorted(contents)[1:3]
    real = sources._read
    monkeypatch.setattr(sources, "_read", lambda file: real(
        file + "-gone" if file.endswith(tuple(bad)) else file))
    skipped, written = [], []
    paths = tfrecords.write_tfrecords(
        folder, tmp_path / "photos", 2, on_skip=skipped.append,
        on_picture=lambda: written.append(1))
    assert skipped == [(name, "No such file or directory") for name in bad]
    assert len(written) == len(contents) - 2
    assert sorted(sources.names_in(tmp_path / "photos-*")) == [
        name for name in sorted(contents) if name not in bad]
    # Dealt out evenly, whatever is missing.
    assert [len(sources.names_in(path)) for path in paths] == [3, 3]
    tfrecords.write_tfrecords(folder, tmp_path / "photos", 2)
    assert capsys.readouterr().err.splitlines() == [
        f"{name}: No such file or directory" for name in bad]


def test_few_pictures_are_in_memory_at_a_time(tmp_path, monkeypatch):
    size = 100_000

    def source(path, on_skip):
        for number in range(20):
            yield f"{number}.png", size, lambda: b"%02d" % number * (size // 2)

    monkeypatch.setattr(sources, "source_of", lambda path: source)
    tracemalloc.start()
    tfrecords.write_tfrecords("anything", tmp_path / "photos", 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * size


# --- What is damaged ---------------------------------------------------------

# Of each picture: the content, and around it two numbers with checksums.
LENGTH, LENGTH_CHECKSUM, CONTENT = 0, 8, 12


def flipped(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1:]


DAMAGES = {
    "a byte of a content": (
        lambda data, start: flipped(data, start + CONTENT + 50), "corrupt"),
    "a byte of a length": (
        lambda data, start: flipped(data, start + LENGTH), "corrupt"),
    "a byte of a length's checksum": (
        lambda data, start: flipped(data, start + LENGTH_CHECKSUM), "corrupt"),
    "cut in a content": (
        lambda data, start: data[:start + CONTENT + 50], "cut off"),
    # For TensorFlow this is a file that ends here.
    "cut in a length": (lambda data, start: data[:start + 4], "cut off"),
    "zeros": (lambda data, start: data[:start] + bytes(500), "corrupt"),
}


@pytest.fixture
def shards(folder, tmp_path):
    """Two shards of four pictures each, and where the third one begins."""
    paths = tfrecords.write_tfrecords(folder, tmp_path / "photos", 2)
    lengths = [len(record) for record in tf.data.TFRecordDataset(
        paths[0]).as_numpy_iterator()]
    return paths, sum(lengths[:2]) + 2 * 16


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_is_named_and_the_rest_is_used(
        contents, shards, tmp_path, damage, capsys):
    (first, second), start = shards
    change, reason = DAMAGES[damage]
    with open(first, "rb") as file:
        data = file.read()
    with open(first, "wb") as file:
        file.write(change(data, start))
    skipped = []
    names = sorted(contents)
    read = [(name, size, read()) for name, size, read in
            sources.from_tfrecord(tmp_path / "photos-*", skipped.append)]
    assert read == [(name, len(contents[name]), contents[name])
                    for name in [*names[::2][:2], *names[1::2]]]
    (name, said), = skipped
    assert name == first
    assert reason in said
    assert f"at record 3, byte {start:,}; only the 2 pictures" in said
    # By default it is said.
    assert len(sources.names_in(tmp_path / "photos-*")) == 6
    assert capsys.readouterr().err == f"{first}: {said}\n"


def other_features(path):
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(tf.train.Example().SerializeToString())


def not_an_example(path):
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"\xff" * 20)


def a_name_of_other_bytes(path):
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(tfrecords._example("x", b"").replace(b"x", b"\xff"))


def a_text(path):
    with open(path, "w") as file:
        file.write("not a record\n" * 50)


KINDS = {
    "empty": (lambda path: open(path, "wb").close(), "no record"),
    "a text": (a_text, "corrupt"),
    "other features": (other_features, "must have one image/encoded"),
    "no example": (not_an_example, "must have one image/encoded"),
    "a name of other bytes": (a_name_of_other_bytes, "must have one image/enc"),
    "a folder": (os.mkdir, "cannot be read (FailedPreconditionError)"),
    "a link to nothing": (lambda path: os.symlink("nothing", path),
                          "cannot be read (NotFoundError)"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_named_and_the_rest_is_used(
        contents, shards, tmp_path, kind):
    make, reason = KINDS[kind]
    path = str(tmp_path / "photos-00000-other.tfrecord")
    make(path)
    skipped = []
    found = [name for name, _, _ in
             sources.from_tfrecord(tmp_path / "photos-*", skipped.append)]
    assert sorted(found) == sorted(contents)
    (name, said), = skipped
    assert name == path and said.startswith(reason)
    assert "at record 1, byte 0; only the 0 pictures" in said
    # Alone it is nothing.
    with pytest.raises(ValueError, match="other.tfrecord: must hold pictures|"
                       "other.tfrecord: no TFRecord file"):
        list(sources.from_tfrecord(path))


def test_a_shard_that_vanishes_is_named(contents, shards, tmp_path):
    items = sources.from_tfrecord(
        tmp_path / "photos-*", (skipped := []).append)
    next(items)  # the names have been listed
    os.remove(shards[0][1])
    assert len(list(items)) == 3
    assert [name for name, _ in skipped] == [shards[0][1]]
    assert "NotFoundError" in skipped[0].reason


def test_what_vanishes_from_a_folder_while_it_is_read(
        contents, tmp_path, monkeypatch):
    for name in contents:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12345")
    names = sorted(contents)
    real_scan, real_stat = os.scandir, os.stat

    def scan(path):
        if str(path).endswith("Person_3"):
            raise PermissionError(13, "Permission denied", str(path))
        return real_scan(path)

    def stat(path, *args, **kwargs):
        if str(path) == str(tmp_path / names[1]):  # listed, but gone
            raise FileNotFoundError(2, "No such file or directory")
        return real_stat(path, *args, **kwargs)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scan)
        patched.setattr(os, "stat", stat)
        skipped, found = [], []
        for name, size, read in sources.from_folder(tmp_path, skipped.append):
            found.append((name, size))
            if name == names[2]:
                (tmp_path / name).unlink()
                with pytest.raises(OSError, match="No such file"):
                    read()
    assert skipped == [(str(tmp_path / "Person_3"), "Permission denied")]
    assert found == [(names[0], 5), (names[1], 0),
                     *((name, 5) for name in names[2:6])]


def test_a_folder_is_listed_as_by_the_command(tmp_path):
    png = b"\x89PNG\r\n\x1a\n" + bytes(20)
    for name in ("a.jpg", "no_suffix", "deep/b.JFIF", "c.txt", ".d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png)
    (tmp_path / "text").write_text("no picture")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "itself").symlink_to(".")
    found = [(name, read()) for name, _, read in sources.from_folder(tmp_path)]
    assert found == [("a.jpg", png), ("deep/b.JFIF", png), ("no_suffix", png)]
    assert [path.relative_to(tmp_path).as_posix() for path, _ in images.find(
        [tmp_path]).pictures] == [name for name, _ in found]


def test_a_picture_that_may_not_be_read_has_no_size(folder, monkeypatch):
    # So that a cache is made again once it may be read.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert {size for _, size, _ in sources.from_folder(folder)} == {0}


def test_names_that_are_no_text(tmp_path):
    os.makedirs(folder := os.fsencode(tmp_path / "in"))
    with open(os.path.join(folder, b"\xff.png"), "wb") as file:
        file.write(b"12345")
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(folder.decode(), ".")
    for path in (tmp_path / "in", tmp_path / "photos.tar"):
        (name, size, read), = sources.source_of(path)(path)
        assert (name, size) == ("\\udcff.png", 5)
        sources.is_validation(name)
    tfrecords.write_tfrecords(tmp_path / "in", tmp_path / "photos", 1)
    assert sources.names_in(tmp_path / "photos-*") == ["\\udcff.png"]


def test_a_damage_in_the_last_picture_of_an_archive(tmp_path):
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        member = tarfile.TarInfo("a.png")
        member.size = 5000
        archive.addfile(member, io.BytesIO(bytes(5000)))
    data = (tmp_path / "photos.tar").read_bytes()
    (tmp_path / "photos.tar").write_bytes(data[:3000])
    with pytest.raises(ValueError, match="photos.tar: the archive is damaged"):
        tfrecords.write_tfrecords(
            tmp_path / "photos.tar", tmp_path / "photos", 1)
    assert os.listdir(tmp_path) == ["photos.tar"]


@pytest.mark.parametrize("change", [
    lambda data: flipped(data, 1536 + 10), lambda data: data[:1536 + 100]])
def test_a_damaged_name_is_not_the_end_of_an_archive(tmp_path, change):
    path = tmp_path / "photos.tar"
    with tarfile.open(path, "w") as archive:
        for name in "ab":
            member = tarfile.TarInfo(f"{name}.png")
            member.size = 700
            archive.addfile(member, io.BytesIO(bytes(700)))
    assert sources.names_in(path) == ["a.png", "b.png"]
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match="photos.tar: the archive is damaged"):
        sources.names_in(path)


# --- Names -------------------------------------------------------------------


def test_names_are_the_same_from_everywhere(contents, folder, tmp_path):
    with tarfile.open(tmp_path / "photos.tar", "w") as archive:
        archive.add(folder, "photos")
    tfrecords.write_tfrecords(folder, tmp_path / "photos", 1)
    assert sources.names_in(folder) == sorted(contents)
    assert sources.names_in(tmp_path / "photos-*") == sorted(contents)
    assert sorted(sources.names_in(tmp_path / "photos.tar")) == [
        f"photos/{name}" for name in sorted(contents)]
