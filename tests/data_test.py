"""Sources, split, cache, batches and augmentation of photographs."""

import io
import json
import os
import tarfile

import numpy as np
import pytest
import skimage.color
import tensorflow as tf
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image

from tfdivcolor import data, images

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


def numpy_batches(dataset):
    return [{key: value.numpy() for key, value in batch.items()}
            for batch in dataset]


def equal_batches(ones, others):
    assert len(ones) == len(others)
    for one, other in zip(ones, others):
        for key in ("luminance", "ab", "seed"):
            np.testing.assert_array_equal(one[key], other[key])


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


def test_shards_hold_every_picture_as_it_was(contents, folder, tmp_path):
    written = data.write_tfrecords(folder, tmp_path / "photos", 3)
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
    data.write_tfrecords(folder, tmp_path / "photos", 3)
    assert first == [open(path, "rb").read() for path in written]


def test_failed_writing_leaves_no_shard(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="must hold images"):
        data.write_tfrecords(tmp_path / "empty", tmp_path / "photos", 2)
    assert os.listdir(tmp_path) == ["empty"]
    with pytest.raises(ValueError, match="num_shards"):
        data.write_tfrecords(folder, tmp_path / "photos", 0)


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
    assert "No such file" in photographs.skipped[0].reason


def test_few_pictures_wait_for_the_decoder():
    taken = []

    def items():
        for number in range(100):
            taken.append(number)
            yield str(number), number

    for count, (name, square) in enumerate(
            data._in_order(lambda number: number**2, items())):
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


def test_a_corrupt_record_names_its_shard(folder, tmp_path):
    written = data.write_tfrecords(folder, tmp_path / "photos", 2)
    with open(written[1], "r+b") as file:
        file.seek(300)
        file.write(b"\xff" * 20)
    with pytest.raises(ValueError, match="00001-of-00002.*corrupt"):
        data.load(tmp_path / "photos-*", progress=False)


def test_records_of_another_kind_are_named(tmp_path):
    path = str(tmp_path / "other.tfrecord")
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(tf.train.Example().SerializeToString())
    with pytest.raises(ValueError, match="other.tfrecord: every record"):
        data.load(path, progress=False)


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
    ({"margin": -1}, "margin 0 or more"),
    ({"limit": 0}, "limit must be 1 or more"),
    ({"validation_fraction": 1.5}, "validation_fraction must be 0 to 1"),
    ({"subset": "validation", "validation_fraction": 0.0},
     "no pictures found for the subset 'validation'"),
])
def test_settings_out_of_range_are_errors(folder, options, rule):
    with pytest.raises(ValueError, match=rule):
        data.load(folder, progress=False, **options)


def test_arrays_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="lab must have the shape"):
        data.PhotoSet(np.zeros([1, 8, 8, 3]), ["a"], [], canvas=8, margin=1)


# The split.


@pytest.mark.parametrize("name, group", [
    ("lfw/AJ_Cook/AJ_Cook_0001.jpg", "AJ_Cook"),
    ("AJ_Cook_0012.png", "AJ_Cook"),
    ("lfw/AJ_Cook/AJ_Cook_12.jpg", "AJ_Cook_12.jpg"),
    ("roses/12240303_80d87f77a3_n.jpg", "12240303_80d87f77a3_n.jpg"),
    ("holiday/IMG_0001.jpg", "IMG_0001.jpg"),
])
def test_groups(name, group):
    assert data.group_of(name) == group


@hypothesis_settings(deadline=None, max_examples=50)
@given(st.text("abcAB_", min_size=1), st.integers(0, 9999),
       st.integers(0, 9999), st.text("xyz/", max_size=5),
       st.floats(0, 1))
def test_a_person_is_on_one_side(person, one, two, parent, fraction):
    name = person + "_x"
    assert (data.is_validation(f"{name}_{one:04d}.jpg", fraction)
            == data.is_validation(f"{parent}/{name}_{two:04d}.png", fraction))


def test_the_split_is_of_the_size_asked_for():
    names = [f"Person_{number}_0001.jpg" for number in range(20000)]
    share = np.mean([data.is_validation(name) for name in names])
    assert abs(share - 0.08) < 0.01
    # Pinned: trained weights depend on it.
    assert [name for name in names[:40] if data.is_validation(name)] == [
        "Person_33_0001.jpg"]


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
    assert "made of other pictures or settings" in capsys.readouterr().err


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
    with pytest.raises(ValueError, match="no fields train_8_1 .*train_8_0"):
        data.from_cache(tmp_path, CANVAS, margin=1, subset="train")
    with pytest.raises(ValueError, match="validation_fraction is 0.3"):
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


# Batches.


def test_batches_are_the_fields_in_the_units_promised(photographs):
    plain = data.PhotoSet(photographs.lab, photographs.names, [], CANVAS + 2)
    batch, = numpy_batches(plain.batches(24, shuffle=False))
    assert batch["luminance"].dtype == batch["ab"].dtype == np.float32
    np.testing.assert_array_equal(
        np.concatenate([batch["luminance"], batch["ab"]], -1),
        photographs.lab.astype(np.float32))
    np.testing.assert_array_equal(batch["seed"], np.arange(24))


def test_the_margin_is_resized_away(photographs):
    dataset = photographs.batches(4)
    assert dataset.element_spec["luminance"].shape == [4, CANVAS, CANVAS, 1]
    assert dataset.element_spec["ab"].shape == [4, CANVAS, CANVAS, 2]
    assert dataset.element_spec["seed"].dtype == tf.int64
    batch = numpy_batches(photographs.batches(24, shuffle=False))[0]
    expected = Image.fromarray(
        photographs.lab[3, ..., 1].astype(np.float32)).resize(
            [CANVAS, CANVAS], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(batch["ab"][3, ..., 0], expected, atol=1e-3)


def test_an_epoch_holds_every_picture_once_in_its_own_order(photographs):
    orders = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0)):
        batches = numpy_batches(photographs.batches(
            5, seed=seed, epoch=epoch, drop_remainder=False))
        assert [len(batch["seed"]) for batch in batches] == [5] * 4 + [4]
        keys = np.concatenate([batch["seed"] for batch in batches])
        np.testing.assert_array_equal(
            keys, seed * 2**40 + epoch * 24 + np.arange(24))
        orders.append(np.concatenate(
            [batch["ab"].mean(axis=(1, 2, 3)) for batch in batches]))
        np.testing.assert_array_equal(np.sort(orders[-1]), np.sort(orders[0]))
    assert np.any(orders[0] != orders[1]) and np.any(orders[0] != orders[2])
    np.testing.assert_array_equal(orders[0], orders[3])


@hypothesis_settings(deadline=None, max_examples=6)
@given(st.integers(1, 9), st.integers(0, 2**23 - 1), st.integers(0, 1000),
       st.data())
def test_resuming_gives_the_tail(photographs, batch_size, seed, epoch, draw):
    start = draw.draw(st.integers(0, 24 // batch_size))
    options = {"seed": seed, "epoch": epoch, "augment": data.Augmentation()}
    whole = numpy_batches(photographs.batches(batch_size, **options))
    resumed = photographs.batches(batch_size, start=start, **options)
    assert len(resumed) == 24 // batch_size - start
    equal_batches(whole[start:], numpy_batches(resumed))


def test_shards_are_the_rows_of_the_whole_batch(photographs):
    options = {"seed": 3, "augment": data.Augmentation(), "start": 1}
    whole = numpy_batches(photographs.batches(6, **options))
    for index in range(3):
        shard = photographs.batches(6, shard=(index, 3), **options)
        assert shard.element_spec["ab"].shape[0] == 2
        equal_batches(numpy_batches(shard), [
            {key: value[index::3] for key, value in batch.items()}
            for batch in whole])


def test_epochs_chains_the_batches_without_end(photographs):
    augment = data.Augmentation()
    chained = photographs.epochs(7, seed=2, augment=augment)
    assert int(chained.cardinality()) == tf.data.INFINITE_CARDINALITY
    steps = photographs.steps_per_epoch(7)
    assert steps == 3
    expected = [
        batch for epoch in range(3) for batch in numpy_batches(
            photographs.batches(7, seed=2, epoch=epoch, augment=augment))]
    equal_batches(numpy_batches(chained.take(3 * steps)), expected)


@pytest.mark.parametrize("options, rule", [
    ({"batch_size": 25}, "batch_size must be 1 to 24"),
    ({"batch_size": 0}, "batch_size must be 1 to 24"),
    ({"batch_size": 8, "start": 4}, "start must be 0 to 3"),
    ({"batch_size": 8, "seed": -1}, "seed must be 0 to 8388607"),
    ({"batch_size": 8, "epoch": -1}, "epoch must be 0 or more"),
    ({"batch_size": 8, "shard": (0, 3)}, "a divisor of batch_size 8"),
    ({"batch_size": 8, "shard": (2, 2)}, "index below count"),
    ({"batch_size": 8, "shard": (0, 2), "drop_remainder": False},
     "drop_remainder must be True"),
])
def test_batches_out_of_range_are_errors(photographs, options, rule):
    with pytest.raises(ValueError, match=rule):
        photographs.batches(**options)


# Augmentation.

OFF = data.Augmentation(flip=False, zoom=0, rotation=0, aspect=0, gamma=0,
                        contrast=0, brightness=0)
GEOMETRY = {"gamma": 0, "contrast": 0, "brightness": 0}


def ramps(count, size):
    """Fields whose a is the column's and b the row's position, -50..50."""
    position = 100 * ((np.arange(size) + 0.5) / size - 0.5)
    field = np.stack(
        [np.full([size, size], 50.0), np.tile(position, [size, 1]),
         np.tile(position[:, None], [1, size])], axis=-1)
    return np.tile(field.astype(np.float32), [count, 1, 1, 1])


def test_nothing_to_do_changes_nothing():
    lab = ramps(3, 16)
    np.testing.assert_array_equal(
        data.augment(lab, [1, 2, 3], 16, OFF), lab)


def test_the_whole_frame_maps_corner_to_corner():
    # Both the mirrored and the plain picture, by the affine resampling: its
    # ramps must be those of the canvas's own pixel centres.
    options = data.Augmentation(flip=True, zoom=0, rotation=0, aspect=0,
                                **GEOMETRY)
    result = data.augment(ramps(20, 20), tf.range(20), 16, options).numpy()
    expected = ramps(1, 16)[0]
    mirrored = expected * [1, -1, 1]
    flips = 0
    for field in result:
        flip = field[8, 0, 1] > 0
        flips += flip
        np.testing.assert_allclose(
            field, mirrored if flip else expected, atol=1e-3)
    assert 0 < flips < 20


def test_geometry_stays_in_its_ranges():
    count, canvas = 400, 16
    options = data.Augmentation(rotation=0, aspect=0, **GEOMETRY)
    result = data.augment(
        ramps(count, 20), tf.range(count), canvas, options).numpy()
    across = np.diff(result[..., 1], axis=2).mean(axis=(1, 2))
    down = np.diff(result[..., 2], axis=1).mean(axis=(1, 2))
    scale = down * canvas / 100
    np.testing.assert_allclose(np.abs(across), down, rtol=0.02)
    assert 0.8 < scale.min() < 0.84 and 0.98 < scale.max() < 1.001
    assert abs(scale.mean() - 0.91) < 0.01
    assert abs((across < 0).mean() - 0.5) < 0.1
    # The crop lies anywhere in the frame, and never beyond it.
    for channel in (1, 2):
        centre = result[..., channel].mean(axis=(1, 2))
        room = 50 * (1 - scale)
        assert np.all(np.abs(centre) <= room + 0.2)
        assert np.corrcoef(np.abs(centre), room)[0, 1] > 0.3
        assert abs(np.mean(centre)) < 0.6


def test_rotation_and_aspect_have_their_deviations():
    count, size = 600, 24
    rotated = data.augment(
        ramps(count, size), tf.range(count), size,
        data.Augmentation(flip=False, zoom=0, rotation=0.05, aspect=0.03,
                          **GEOMETRY))[:, 6:-6, 6:-6].numpy()
    x_x, x_y = (np.diff(rotated[..., 1], axis=axis).mean((1, 2))
                for axis in (2, 1))
    y_x, y_y = (np.diff(rotated[..., 2], axis=axis).mean((1, 2))
                for axis in (2, 1))
    angle = np.arctan2(y_x, x_x)
    aspect = np.log(np.hypot(x_x, y_x) / np.hypot(x_y, y_y))
    assert 0.045 < angle.std() < 0.055 and abs(angle.mean()) < 0.008
    assert 0.027 < aspect.std() < 0.033 and abs(aspect.mean()) < 0.005
    assert abs(np.corrcoef(angle, aspect)[0, 1]) < 0.15


def test_the_tone_curve_is_of_the_luminance_alone():
    count = 500
    lab = ramps(count, 4)
    lab[..., 0] = np.linspace(0, 100, 16).reshape([4, 4])
    tone = {"gamma": 0.15, "contrast": 0.08, "brightness": 2.0}
    for name, value in tone.items():
        only = {**vars(OFF), name: value}
        result = data.augment(
            lab, tf.range(count), 4, data.Augmentation(**only)).numpy()
        np.testing.assert_array_equal(result[..., 1:], lab[..., 1:])
        assert result[..., 0].min() >= 0 and result[..., 0].max() <= 100
        inside = result[:, 1, 2, 0]  # of L = 40
        if name == "gamma":
            drawn = np.log(np.log(inside / 100) / np.log(0.4))
        elif name == "contrast":
            drawn = np.log((50 - inside) / 10)
        else:
            drawn = inside - 40
        assert abs(drawn.std() / value - 1) < 0.12
        assert abs(drawn.mean() / value) < 0.15


def test_a_picture_does_not_depend_on_its_batch_mates():
    lab, keys = ramps(6, 20), np.array([5, 7, 9, 2**40, 1, 0])
    whole = data.augment(lab, keys, 16, data.Augmentation()).numpy()
    for row in range(6):
        alone = data.augment(
            lab[row:row + 1], keys[row:row + 1], 16, data.Augmentation())
        np.testing.assert_allclose(alone[0], whole[row], atol=1e-4)
    assert len(np.unique(whole[:, 3, 3], axis=0)) == 6


@pytest.mark.parametrize("options, rule", [
    ({"zoom": 1.0}, "zoom must be below 1"),
    ({"gamma": -0.1}, "gamma must be 0 or more"),
    ({"rotation": float("nan")}, "rotation must be 0 or more"),
])
def test_augmentation_out_of_range_is_an_error(options, rule):
    with pytest.raises(ValueError, match=rule):
        data.Augmentation(**options)
