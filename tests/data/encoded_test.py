"""Pictures decoded on demand: what is damaged, and what takes its place."""

import io
import os
import threading

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings, strategies as st
from PIL import Image

from tfdivcolor import color, data
from tfdivcolor.data import encoded, tfrecords
from tfdivcolor.images import ImageError

# Of each record: the content, and around it two numbers with checksums.
LENGTH, LENGTH_CHECKSUM, CONTENT, AFTER = 0, 8, 12, 4
SIZE = 8
# Two sources, whose pictures have one colour each.
NAMES = [f"{source}/{number}.png" for number in range(5) for source in "ab"]
COLORS = {name: (20 * row + 10, 200 - 20 * row, 90)
          for row, name in enumerate(NAMES)}


def picture(name):
    file = io.BytesIO()
    Image.new("RGB", (SIZE, SIZE), COLORS[name]).save(file, "PNG")
    return file.getvalue()


def write(path, records):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)


def example(name, content=None):
    return tfrecords._example(
        name, picture(name) if content is None else content)


def load(path, **options):
    return data.load(path, **{
        "canvas": SIZE, "progress": False, "on_demand": True, **options})


def shown(photos, rows):
    """Names of the pictures that come for some rows."""
    by_color = {rgb: name for name, rgb in COLORS.items()}
    return [by_color[tuple(pixels[0, 0].tolist())]
            for pixels in photos.lab.decode(np.array(rows))]


@pytest.fixture
def shard(tmp_path):
    """A file of all the pictures, one after the other."""
    path = tmp_path / "pictures.tfrecord"
    write(path, map(example, NAMES))
    return path


def begin(path, row):
    """The first byte of a record."""
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return sum(CONTENT + len(record) + AFTER
               for record, _ in zip(records, range(row)))


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_whole_shards_give_every_picture(shard, capsys):
    photos = load(shard)
    assert photos.names == NAMES and photos.skipped == []
    assert shown(photos, range(10)) == NAMES
    assert capsys.readouterr().err == ""


def test_a_picture_that_does_not_decode_is_replaced_and_said_once(
        tmp_path, capsys):
    path = tmp_path / "pictures.tfrecord"
    write(path, [example(name, b"nothing" if name == "a/2.png" else None)
                 for name in NAMES])
    photos = load(path)
    assert len(photos) == 10 and capsys.readouterr().err == ""
    for _ in range(3):
        assert shown(photos, range(10)) == [
            "a/3.png" if name == "a/2.png" else name for name in NAMES]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("a/2.png: must be an image, one of JPEG, ")
    assert said.endswith("(1 of 10 damaged so far)\n")
    (name, reason), = photos.skipped
    assert name == "a/2.png" and reason.startswith("must be an image")
    assert "1 skipped: 1 unreadable" in photos.report()


def test_a_checksum_that_fails_is_found_before_the_run(shard, capsys):
    # A pixel's byte: the file may well decode, to other colours.
    flip(shard, begin(shard, 4) + CONTENT + 60)
    photos = load(shard)
    # A run that resumes has the pictures it began with.
    assert photos.names == NAMES
    assert [skipped.name for skipped in photos.skipped] == ["a/2.png"]
    assert "a/2.png: damaged; another picture replaces it" in (
        capsys.readouterr().err)
    assert shown(photos, [4, 5]) == ["a/3.png", "b/2.png"]
    assert capsys.readouterr().err == ""  # it is said already


def test_what_is_damaged_while_a_run_goes_on_is_replaced(shard, capsys):
    photos = load(shard)
    assert shown(photos, [6]) == ["a/3.png"]
    place = begin(shard, 6) + CONTENT
    with open(shard, "r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 40)
    assert shown(photos, [6]) == ["a/4.png"]
    assert capsys.readouterr().err.startswith("a/3.png: ")


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 9), max_size=9), st.permutations(range(10)))
def test_the_next_of_its_source_takes_a_picture_s_place(
        tmp_path_factory, damaged, order):
    path = tmp_path_factory.mktemp("shards") / "pictures.tfrecord"
    write(path, [example(name, b"nothing" if row in damaged else None)
                 for row, name in enumerate(NAMES)])
    photos = load(path)
    # Whatever was looked at before, and by how many threads.
    found = dict(zip(order, shown(photos, order)))
    for row, name in found.items():
        after = [*range(row, 10), *range(row)]
        # Rows of the two sources take turns.
        same = [r for r in after if r % 2 == row % 2 and r not in damaged]
        other = [r for r in after if r % 2 != row % 2 and r not in damaged]
        assert name == NAMES[(same + other)[0]]
    assert {NAMES.index(name) for name, _ in photos.skipped} == damaged
    assert len(photos.skipped) == len(damaged)


def test_batches_with_damaged_pictures_are_repeatable(tmp_path):
    path = tmp_path / "pictures.tfrecord"
    write(path, [example(name, b"no" if row in (1, 4, 7) else None)
                 for row, name in enumerate(NAMES)])

    def luminances(**options):
        return [batch["luminance"].numpy() for batch in load(path).batches(
            2, seed=3, epoch=1, augment=data.Augmentation(), **options)]

    whole, again, tail = luminances(), luminances(), luminances(start=2)
    np.testing.assert_array_equal(whole, again)
    np.testing.assert_array_equal(whole[2:], tail)


def test_many_threads_report_a_picture_once(tmp_path, capsys):
    path = tmp_path / "pictures.tfrecord"
    write(path, [example(name, b"no" if row < 8 else None)
                 for row, name in enumerate(NAMES)])
    photos, start, found = load(path), threading.Barrier(6), []

    def look():
        start.wait()
        found.append(shown(photos, range(10)))

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [["a/4.png", "b/4.png"] * 5] * 6
    said = capsys.readouterr().err.splitlines()
    assert sorted(line.partition(":")[0] for line in said) == sorted(NAMES[:8])
    assert sorted(skipped.name for skipped in photos.skipped) == sorted(
        NAMES[:8])
    assert any("(8 of 10 damaged so far)" in line for line in said)


def test_nothing_but_damaged_pictures_is_an_error(tmp_path, shard):
    path = tmp_path / "bad.tfrecord"
    write(path, [example(name, b"nothing") for name in NAMES])
    photos = load(path)
    with pytest.raises(ImageError, match=r"one picture of the shards must be "
                       r"readable \(received 10 unreadable pictures\)"):
        photos.lab.decode(np.arange(3))
    with pytest.raises(tf.errors.OpError, match="must be readable"):
        next(iter(photos.batches(4)))
    for place in [begin(shard, row) for row in range(10)]:
        flip(shard, place + CONTENT + 60)
    with pytest.raises(ValueError, match=r"no pictures found: 0 pictures "
                       r"read, 10 skipped: 10 unreadable.*first: a/0.png"):
        load(shard)


def test_a_lab_field_is_that_of_what_came(tmp_path):
    path = tmp_path / "pictures.tfrecord"
    write(path, [example(name, b"no" if name == "b/4.png" else None)
                 for name in NAMES])
    expected, _ = color.split(
        np.full([1, 1, 3], COLORS["b/0.png"], np.uint8))
    field = load(path).lab[9:]
    assert field.shape == (1, SIZE, SIZE, 3)
    np.testing.assert_allclose(
        field[..., 0], float(np.ravel(expected)[0]), atol=1e-3)


# --- Records that are no pictures --------------------------------------------


def test_records_that_are_no_pictures_are_left_out(tmp_path, capsys):
    path = tmp_path / "pictures.tfrecord"
    good = list(map(example, NAMES))
    no_name = tf.train.Example(features=tf.train.Features(feature={
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(
            value=[picture("a/0.png")]))})).SerializeToString()
    other_bytes = example("a/0.png").replace(b"a/0.png", b"\xff/0.png")
    write(path, [*good[:4], b"\xff" * 20, no_name,
                 tf.train.Example().SerializeToString(), other_bytes,
                 *good[4:]])
    photos = load(path)
    assert photos.names == NAMES
    assert shown(photos, range(10)) == NAMES
    assert [skipped.name for skipped in photos.skipped] == [str(path)] * 4
    for number, (_, reason) in enumerate(photos.skipped, 5):
        assert "must have one image/encoded and one image/filename" in reason
        assert f"at record {number}, byte " in reason
    said = capsys.readouterr().err
    assert "10 pictures read, 4 skipped: 4 unreadable" in said
    assert said.count("\n") == 1


DAMAGES = {
    "a byte of a length": (
        lambda old, start: flipped(old, start + LENGTH), "corrupt"),
    "a byte of a length's checksum": (
        lambda old, start: flipped(old, start + LENGTH_CHECKSUM), "corrupt"),
    "cut in a content": (
        lambda old, start: old[:start + CONTENT + 50], "cut off"),
    "cut in a length": (lambda old, start: old[:start + 4], "cut off"),
    "zeros": (lambda old, start: old[:start] + bytes(512), "corrupt"),
    "text": (lambda old, start: old[:start] + b"no record\n" * 90, "corrupt"),
}


def flipped(content, place):
    return (content[:place] + bytes([content[place] ^ 1])
            + content[place + 1:])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_shard_is_used_up_to_where_no_next_record_is_found(
        shard, tmp_path, damage):
    change, why = DAMAGES[damage]
    start = begin(shard, 3)
    shard.write_bytes(change(shard.read_bytes(), start))
    write(tmp_path / "second.tfrecord", [example("c", picture("a/0.png"))])
    photos = load(tmp_path / "*.tfrecord")
    assert photos.names == [*NAMES[:3], "c"]
    assert shown(photos, range(4)) == [*NAMES[:3], "a/0.png"]
    (name, reason), = photos.skipped
    assert name == str(shard) and reason.startswith(why)
    assert f"at record 4, byte {start:,}; only the 3 pictures" in reason


def test_records_behind_several_damaged_ones_are_found(shard):
    places = [begin(shard, row) for row in (3, 4, 5)]
    for place in places:
        flip(shard, place + CONTENT + 60)
    photos = load(shard)
    assert photos.names == NAMES
    assert [name for name, _ in photos.skipped] == NAMES[3:6]
    assert shown(photos, [3, 4, 5]) == ["b/3.png", "a/3.png", "b/3.png"]


KINDS = {
    "empty": lambda path: path.write_bytes(b""),
    "a folder": os.mkdir,
    "a link to nothing": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_cannot_be_read_is_named(shard, tmp_path, kind):
    other = tmp_path / "first.tfrecord"
    KINDS[kind](other)
    photos = load(tmp_path / "*.tfrecord")
    assert photos.names == NAMES
    (name, reason), = photos.skipped
    assert name == str(other) and reason.startswith("cannot be read (")
    # Alone it is nothing.
    with pytest.raises(ValueError, match="first.tfrecord: (no pictures found|"
                       "must be TFRecord files|no TFRecord file)"):
        load(other)


def test_limit_and_subset_are_as_those_of_pictures_decoded_ahead(shard):
    for options in ({"limit": 3}, {"subset": "validation",
                                   "validation_fraction": 0.4}):
        assert load(shard, **options).names == load(
            shard, on_demand=False, **options).names


# --- Squares -----------------------------------------------------------------


@given(st.integers(1, 40), st.integers(1, 40), st.booleans(),
       st.integers(1, 5))
def test_cropped_is_the_middle(height, width, squash, multiple):
    side = min(height, width)
    multiple = min(multiple, side)
    pixels = np.arange(height * width * 3).reshape(height, width, 3)
    part = encoded.cropped(pixels, squash, multiple)
    rows, columns, _ = part.shape
    assert rows % multiple == columns % multiple == 0
    whole = (height, width) if squash else (side, side)
    assert 0 <= whole[0] - rows < multiple
    assert 0 <= whole[1] - columns < multiple
    top, left = np.argwhere((pixels == part[0, 0]).all(-1))[0]
    assert abs((height - rows - top) - top) <= 1
    assert abs((width - columns - left) - left) <= 1
    np.testing.assert_array_equal(
        part, pixels[top:top + rows, left:left + columns])
