"""Photographs from every source, decoded, split and cached."""

import io
import json
import os
import shutil
import tarfile

import numpy as np
import pytest
import skimage.color
from PIL import Image

from tfdivcolor import data, images
from tfdivcolor.data import loading, sources

CANVAS = 8


def pixels(seed, height=24, width=30):
    """A smooth picture in strong colours, uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, [4, 5, 3], np.uint8))
    return np.asarray(small.resize([width, height], Image.Resampling.BICUBIC))


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def contents():
    """Names and bytes: twelve people, two pictures each; two odd ones."""
    files = {}
    for person in range(12):
        for number in (1, 2):
            name = f"Person_{person:02d}/Person_{person:02d}_{number:04d}.png"
            files[name] = png(pixels(10 * person + number))
    files["A_grey.png"] = png(np.full([20, 20, 3], 90, np.uint8))
    files["m_text.jpg"] = b"this is no picture"
    return files


@pytest.fixture(scope="module")
def folder(contents, tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    for name, encoded in contents.items():
        path = root / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded)
    (root / "readme.txt").write_text("no picture")
    (root / ".hidden.png").write_bytes(b"")
    return root


@pytest.fixture(scope="module")
def photographs(folder):
    return data.load(folder, canvas=CANVAS, margin=2, progress=False)


@pytest.fixture
def decoded(monkeypatch):
    """Counts how often a picture is decoded."""
    calls = []
    read = images.read

    def counting(*args, **kwargs):
        calls.append(1)
        return read(*args, **kwargs)

    monkeypatch.setattr(images, "read", counting)
    return calls


def write_archive(path, contents):
    mode = "w" if str(path).endswith(".tar") else "w:gz"
    with tarfile.open(path, mode) as archive:
        for name in sorted(contents):
            member = tarfile.TarInfo("./" + name)
            member.size = len(contents[name])
            archive.addfile(member, io.BytesIO(contents[name]))
    return path


def same(one, other):
    np.testing.assert_array_equal(one.lab, other.lab)
    assert one.names == other.names
    assert ([name for name, _ in one.skipped]
            == [name for name, _ in other.skipped])


# Sources and decoding.


def test_a_field_is_the_centre_in_lab(tmp_path):
    array = pixels(1, 12, 20)
    (tmp_path / "wide.png").write_bytes(png(array))
    lab = data.load(tmp_path, canvas=12, progress=False).lab
    assert lab.dtype == np.float16
    np.testing.assert_allclose(
        lab[0], skimage.color.rgb2lab(array[:, 4:16]), atol=0.05)


@pytest.mark.parametrize("side", [30, 720])
def test_a_field_is_resized_with_antialiasing(tmp_path, side):
    array = pixels(2, side, side)
    (tmp_path / "picture.png").write_bytes(png(array))
    lab = data.load(tmp_path, canvas=10, progress=False).lab[0]
    # Pillow's bilinear filter is the same triangle; the larger picture is
    # reduced before its conversion, which the tolerance leaves room for.
    expected = np.stack([
        Image.fromarray(channel.astype(np.float32)).resize(
            [10, 10], Image.Resampling.BILINEAR)
        for channel in np.moveaxis(skimage.color.rgb2lab(array), -1, 0)], -1)
    np.testing.assert_allclose(lab, expected, atol=0.1 if side == 30 else 0.5)


@pytest.mark.parametrize("height, width", [(30, 48), (900, 300)])
def test_a_squashed_field_is_the_whole_picture(tmp_path, height, width):
    array = pixels(3, height, width)
    (tmp_path / "picture.png").write_bytes(png(array))
    photographs = data.load(tmp_path, canvas=5, luminance_size=10,
                            squash=True, progress=False)
    assert (photographs.canvas, photographs.luminance_size) == (5, 10)
    expected = np.stack([
        Image.fromarray(channel.astype(np.float32)).resize(
            [10, 10], Image.Resampling.BILINEAR)
        for channel in np.moveaxis(skimage.color.rgb2lab(array), -1, 0)], -1)
    # As above, the larger picture is reduced first.
    np.testing.assert_allclose(
        photographs.lab[0], expected, atol=0.1 if height == 30 else 0.5)
    centre = data.load(tmp_path, canvas=10, progress=False).lab[0]
    assert np.abs(centre - expected).max() > 5


def test_squashed_fields_are_cached_apart(folder, tmp_path, decoded):
    options = {"canvas": CANVAS, "luminance_size": 2 * CANVAS, "margin": 2,
               "cache": tmp_path, "progress": False}
    squashed = data.load(folder, squash=True, **options)
    centres = data.load(folder, **options)
    assert squashed.lab.shape == centres.lab.shape == (24, 18, 18, 3)
    assert np.any(squashed.lab != centres.lab)
    count = len(decoded)
    same(data.load(folder, squash=True, **options), squashed)
    del options["cache"]
    for options, expected in ((options, centres),
                              ({**options, "squash": True}, squashed)):
        same(data.load(tmp_path, **options), expected)
        assert data.load(tmp_path, **options).luminance_size == 2 * CANVAS
    assert len(decoded) == count


def test_folder_archives_and_records_give_the_same_fields(
        contents, folder, photographs, tmp_path):
    options = {"canvas": CANVAS, "margin": 2, "progress": False}
    for name in ("photos.tar", "photos.tgz", "photos.tar.gz"):
        path = write_archive(tmp_path / name, contents)
        same(data.load(path, **options), photographs)
        same(data.from_archive(path, **options), photographs)
    same(data.from_directory(folder, **options), photographs)
    written = data.write_tfrecords(folder, tmp_path / "photos", 1)
    same(data.load(written[0], **options), photographs)
    same(data.from_tfrecord(tmp_path / "photos-*", **options), photographs)


def test_names_are_sorted_and_the_rest_is_counted(photographs, contents):
    assert photographs.names == sorted(
        name for name in contents if name.startswith("Person"))
    grey, text = photographs.skipped
    assert grey == ("A_grey.png", data.GREY)
    assert text.name == "m_text.jpg" and text.reason != data.GREY
    assert photographs.report() == (
        "24 pictures read, 2 skipped: 1 unreadable, 1 grey "
        "(first: A_grey.png: grey)")


def test_the_report_is_never_silent(folder, capsys):
    photographs = data.load(folder, canvas=CANVAS, progress=False)
    assert capsys.readouterr().err == photographs.report() + "\n"


def test_a_link_to_nothing_is_unreadable(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "b.png").write_bytes(png(pixels(1)))
    photographs = data.load(tmp_path, canvas=CANVAS, progress=False)
    assert photographs.names == ["b.png"]
    assert photographs.skipped[0].name == "a.png"
    assert "a link to nothing" in photographs.skipped[0].reason


def test_few_pictures_wait_for_the_decoder():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield str(number), number

    for count, (name, square) in enumerate(
            loading._in_order(lambda number: number**2, items())):
        assert (name, square) == (str(count), count**2)
        assert len(taken) - count < 12


def test_limit_looks_at_the_first_pictures_only(folder, photographs):
    limited = data.load(folder, canvas=CANVAS, limit=5, progress=False)
    assert limited.names == photographs.names[:4]  # and the grey one


# What cannot be read.


def test_a_damaged_archive_is_named(contents, tmp_path):
    path = write_archive(tmp_path / "photos.tgz", contents)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="photos.tgz: the archive is damaged"):
        data.load(path, progress=False)


def test_a_corrupt_shard_is_counted_and_named_once(
        contents, folder, tmp_path, decoded, capsys):
    written = data.write_tfrecords(folder, tmp_path / "photos", 2)
    with open(written[1], "rb") as file:
        whole = file.read()
    with open(written[1], "wb") as file:
        file.write(whole[:len(whole) // 2])
    names = data.names_in(tmp_path / "photos-*")
    good = [name for name in names if name.startswith("Person")]
    assert 12 < len(good) < 24
    capsys.readouterr()
    options = {"canvas": CANVAS, "cache": tmp_path / "cache",
               "progress": False}
    for times in (1, 1):  # decoded, then from the cache
        photographs = data.load(tmp_path / "photos-*", **options)
        assert photographs.names == good
        damage = photographs.skipped[0]
        assert damage.name == written[1] and "cut off" in damage.reason
        assert capsys.readouterr().err.splitlines() == [
            f"{damage.name}: {damage.reason}", photographs.report()]
        assert len(decoded) == times * len(names)
    # Other damages, or none, are other pictures.
    with open(written[1], "wb") as file:
        file.write(whole)
    assert len(data.load(tmp_path / "photos-*", **options)) == 24


def test_nothing_but_corrupt_shards_is_an_error(folder, tmp_path):
    for path in data.write_tfrecords(folder, tmp_path / "photos", 2):
        with open(path, "r+b") as file:
            file.write(b"\xff" * 20)
    with pytest.raises(ValueError, match="photos-.: must hold pictures.*2 TF"):
        data.load(tmp_path / "photos-*", progress=False)


# What vanishes.


@pytest.fixture
def copy(contents, tmp_path):
    """A folder of four pictures, to be spoilt, and their names."""
    names = sorted(name for name in contents if name.startswith("P"))[:4]
    for name in names:
        path = tmp_path / "copy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents[name])
    return tmp_path / "copy", names


def test_a_picture_that_vanishes_between_listing_and_reading(
        copy, tmp_path, monkeypatch, decoded, contents):
    folder, names = copy
    read = sources._read

    def vanishing(file):
        if file.endswith(names[2]):
            os.remove(file)
        return read(file)

    options = {"canvas": CANVAS, "cache": tmp_path / "cache",
               "progress": False}
    with monkeypatch.context() as patched:
        patched.setattr(sources, "_read", vanishing)
        photographs = data.load(folder, **options)
    assert photographs.names == [names[0], names[1], names[3]]
    assert photographs.skipped == [(names[2], "No such file or directory")]
    # It comes back: the cache is that of the pictures that were read.
    (folder / names[2]).write_bytes(contents[names[2]])
    assert data.load(folder, **options).names == names
    assert len(decoded) == 3 + 4
    assert data.load(folder, **options).names == names
    assert len(decoded) == 3 + 4


def test_a_folder_that_vanishes_between_listing_and_reading(
        copy, monkeypatch, capsys):
    folder, names = copy
    looks = []
    real = sources.from_folder

    def source(path, on_skip):
        looks.append(1)
        if len(looks) == 2:
            shutil.rmtree(folder / os.path.dirname(names[0]))
        return real(path, on_skip)

    monkeypatch.setattr(sources, "from_folder", source)
    photographs = data.load(folder, canvas=CANVAS, progress=False)
    assert photographs.names == names[2:]
    assert [name for name, _ in photographs.skipped] == names[:2]
    assert "2 pictures read, 2 skipped: 2 unreadable, 0 grey (first: " + (
        names[0]) in capsys.readouterr().err


def test_a_folder_that_cannot_be_read_is_counted(
        copy, monkeypatch, capsys):
    folder, names = copy
    closed = str(folder / os.path.dirname(names[0]))
    real = os.scandir

    def scan(path):
        if str(path) == closed:
            raise PermissionError(13, "Permission denied", closed)
        return real(path)

    monkeypatch.setattr(os, "scandir", scan)
    photographs = data.load(folder, canvas=CANVAS, progress=False)
    assert photographs.names == names[2:]
    assert photographs.skipped == [(closed, "Permission denied")]
    assert capsys.readouterr().err.splitlines()[0] == (
        f"{closed}: Permission denied")


def test_an_epoch_goes_on_when_its_cache_is_removed_or_made_again(
        copy, tmp_path, contents):
    folder, names = copy
    options = {"canvas": CANVAS, "cache": tmp_path / "cache",
               "progress": False}
    photographs = data.load(folder, **options)
    expected = np.array(photographs.lab)
    batches = iter(photographs.batches(1, shuffle=False))
    next(batches)
    (folder / names[0]).unlink()
    assert len(data.load(folder, **options)) == 3  # in its place
    shutil.rmtree(tmp_path / "cache")
    for number, batch in enumerate(batches, start=1):
        np.testing.assert_array_equal(
            batch["ab"][0], expected[number, ..., 1:].astype(np.float32))
    assert number == 3


# What there is not.


@pytest.mark.parametrize("path, rule", [
    ("none", "no such folder, archive or TFRecord file"),
    ("none-*.tfrecord", "no TFRecord file"),
    ("photos.zip", "an archive's name must end in .tar"),
    ("empty", "must hold images"),
    ("grey", "no usable pictures: 0 pictures read, 1 skipped"),
])
def test_nothing_to_read_is_an_error(tmp_path, path, rule):
    (tmp_path / "photos.zip").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    (tmp_path / "grey").mkdir()
    (tmp_path / "grey" / "g.png").write_bytes(
        png(np.full([9, 9], 90, np.uint8)))
    for cache in (None, tmp_path / "cache"):
        with pytest.raises(ValueError) as error:
            data.load(tmp_path / path, cache=cache, progress=False)
        assert rule in str(error.value)
        assert str(tmp_path / path) in str(error.value)


@pytest.mark.parametrize("options, rule", [
    ({"subset": "test"}, "subset must be None, train or validation"),
    ({"canvas": 0}, "canvas must be 1 or more"),
    ({"margin": -1}, "margin must be 0 or more"),
    ({"limit": 0}, "limit must be 1 or more"),
    ({"validation_fraction": 1.5}, "validation_fraction must be a number of 0"),
    ({"subset": "validation", "validation_fraction": 0.0},
     "no pictures found for the subset 'validation'"),
])
def test_settings_out_of_range_are_errors(folder, options, rule):
    with pytest.raises(ValueError, match=rule):
        data.load(folder, progress=False, **options)


# The split.


def test_subsets_are_the_whole_and_never_move(contents, tmp_path):
    options = {"canvas": CANVAS, "validation_fraction": 0.4,
               "progress": False}
    names = sorted(name for name in contents if name.startswith("Person"))
    before = {}
    for count in (12, 24):
        path = write_archive(tmp_path / "photos.tar",
                             {name: contents[name] for name in names[:count]})
        train, validation = (
            data.load(path, subset=subset, **options).names
            for subset in data.SUBSETS)
        assert sorted(train + validation) == names[:count]
        assert not ({data.group_of(name) for name in train}
                    & {data.group_of(name) for name in validation})
        assert train[:len(before.get("train", []))] == before.get("train", [])
        before = {"train": train}


# The cache.


def test_a_cache_is_used_until_the_pictures_change(
        contents, photographs, decoded, tmp_path, capsys):
    source = write_archive(tmp_path / "photos.tar", contents)
    options = {"canvas": CANVAS, "margin": 2, "cache": tmp_path / "cache"}
    first = data.load(source, progress=False, **options)
    same(first, photographs)
    assert len(decoded) == 26

    moved = source.rename(tmp_path / "moved.tar")
    again = data.load(moved, progress=False, **options)
    same(again, photographs)
    assert again.skipped == first.skipped
    assert len(decoded) == 26
    assert isinstance(again.lab, np.memmap) and not again.lab.flags.writeable

    write_archive(moved, {**contents, "new.png": png(pixels(99))})
    capsys.readouterr()
    assert len(data.load(moved, progress=True, **options)) == 25
    assert len(decoded) == 26 + 27
    assert "holds other pictures or settings" in capsys.readouterr().err


def test_one_cache_holds_the_subsets(folder, decoded, tmp_path):
    options = {"canvas": CANVAS, "cache": tmp_path, "progress": False,
               "validation_fraction": 0.3}
    sets = {subset: data.load(folder, subset=subset, **options)
            for subset in data.SUBSETS}
    assert len(decoded) == 26
    for subset in data.SUBSETS:
        same(data.load(folder, subset=subset, **options), sets[subset])
        # The cache stands in for the pictures.
        same(data.load(tmp_path, canvas=CANVAS, subset=subset,
                       validation_fraction=0.3), sets[subset])
    assert len(decoded) == 26
    assert len(data.from_cache(tmp_path, CANVAS, subset="train", limit=3,
                               validation_fraction=0.3)) == 3
    with pytest.raises(
            ValueError, match="must hold the fields train_8_1 .*train_8_0"):
        data.from_cache(tmp_path, CANVAS, margin=1, subset="train")
    with pytest.raises(ValueError, match="validation_fraction must be 0.3"):
        data.from_cache(tmp_path, CANVAS, subset="train")


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_a_damaged_cache_is_made_again(
        folder, photographs, tmp_path, capsys, suffix):
    options = {"canvas": CANVAS, "margin": 2, "cache": tmp_path}
    data.load(folder, progress=False, **options)
    damaged = tmp_path / f"all_8_2{suffix}"
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(ValueError, match="this cache is damaged"):
        data.from_cache(tmp_path, CANVAS, margin=2)
    capsys.readouterr()
    same(data.load(folder, progress=False, **options), photographs)
    assert "making it again" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["all_8_2.json", "all_8_2.npy"]


def test_an_interrupted_write_keeps_the_old_cache(
        folder, photographs, tmp_path, monkeypatch):
    options = {"canvas": CANVAS, "margin": 2, "cache": tmp_path,
               "progress": False}
    data.load(folder, **options)
    about = tmp_path / "all_8_2.json"
    description = {**json.loads(about.read_text()), "fingerprint": "other"}
    about.write_text(json.dumps(description))

    def interrupt(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(images, "read", interrupt)
        with pytest.raises(KeyboardInterrupt):
            data.load(folder, **options)
    assert json.loads(about.read_text()) == description
    assert sorted(os.listdir(tmp_path)) == ["all_8_2.json", "all_8_2.npy"]
    same(data.load(folder, **options), photographs)
