"""The cache of decoded fields, without pictures; data_test has the rest."""

import hashlib
import json

import numpy as np
import pytest

from tfdivcolor.data import photo_cache
from tfdivcolor.data.photo_cache import Selection

SELECTION = Selection(canvas=8, margin=2, subset="train",
                      validation_fraction=0.25, limit=3)
MEMBERS = [("a.png", 75)]


def decode(file):
    file.write(np.arange(300, dtype=np.float16).tobytes())
    return ["a.png"], [("b.png", "grey")], MEMBERS


def fail(file):
    raise AssertionError("decoded again")


def test_it_decodes_once_for_the_same_pictures(tmp_path):
    for function in (decode, fail):
        photographs = photo_cache.read_or_make(
            tmp_path, SELECTION, MEMBERS, function, progress=False)
        np.testing.assert_array_equal(
            photographs.lab, np.arange(300).reshape(1, 10, 10, 3))
        assert photographs.names == ["a.png"]
        assert photographs.skipped == [("b.png", "grey")]
        assert (photographs.canvas, photographs.margin) == (8, 2)
    assert photo_cache.sets_in(tmp_path) == ["train_8_2_first3"]


def test_the_luminance_s_size_and_squashing_are_in_the_name():
    for options, name in (
            ({}, "all_8_0"), ({"luminance_size": 8}, "all_8_0"),
            ({"subset": "train", "margin": 2, "luminance_size": 16},
             "train_8_2_16"),
            ({"squash": True}, "all_8_0_squashed"),
            ({"luminance_size": 16, "squash": True, "limit": 3},
             "all_8_0_16_squashed")):
        assert Selection(8, **options).name == name
    assert Selection(8, margin=2).size == 10
    assert Selection(8, margin=2, luminance_size=16).size == 18


def test_sets_of_other_sizes_stand_side_by_side(tmp_path):
    plain, larger, squashed = selections = (
        Selection(8, 2), Selection(4, 2, luminance_size=8),
        Selection(8, 2, squash=True))
    for selection in selections:
        photo_cache.read_or_make(
            tmp_path, selection, MEMBERS, decode, progress=False)
    assert photo_cache.sets_in(tmp_path) == [
        "all_4_2_8", "all_8_2", "all_8_2_squashed"]
    for selection in selections:
        for photographs in (
                photo_cache.read(tmp_path, selection),
                photo_cache.read_or_make(
                    tmp_path, selection, MEMBERS, fail, progress=False)):
            assert photographs.lab.shape == (1, 10, 10, 3)
            assert photographs.canvas == selection.canvas
            assert photographs.luminance_size == 8
    with pytest.raises(ValueError, match="must hold the fields all_4_2_12 "):
        photo_cache.read(tmp_path, Selection(4, 2, luminance_size=12))
    fingerprints = {
        json.loads((tmp_path / f"{selection.name}.json").read_text())
        ["fingerprint"] for selection in selections}
    assert len(fingerprints) == 3


@pytest.mark.parametrize("selection, members", [
    (SELECTION, [("a.png", 76)]),
    (SELECTION, [*MEMBERS, ("c.png", 1)]),
    (Selection(8, 2, "train", 0.3, 3), MEMBERS),
    (Selection(8, 2, "train", 0.25), MEMBERS),
])
def test_other_pictures_are_decoded(tmp_path, selection, members):
    photo_cache.read_or_make(
        tmp_path, SELECTION, MEMBERS, decode, progress=False)
    with pytest.raises(AssertionError, match="decoded again"):
        photo_cache.read_or_make(
            tmp_path, selection, members, fail, progress=False)


def test_the_fingerprint_never_changes(tmp_path):
    # Pinned: with another one, every cache there is would be decoded again.
    photo_cache.read_or_make(
        tmp_path, SELECTION, MEMBERS, decode, progress=False)
    about = json.loads((tmp_path / "train_8_2_first3.json").read_text())
    assert about["fingerprint"] == (
        "fd0ac4304e0fcadb4f6dd94977ff2f9779e4e87577aca312ebe4a8aed119e13d")


def test_a_cache_of_release_0_5_is_still_good(tmp_path):
    # As it was written then, with neither a luminance's size nor squashing.
    lab = np.arange(300, dtype=np.float16).reshape(1, 10, 10, 3)
    np.save(tmp_path / "train_8_2_first3.npy", lab)
    about = {"version": 1, "canvas": 8, "margin": 2, "subset": "train",
             "validation_fraction": 0.25, "limit": 3}
    (tmp_path / "train_8_2_first3.json").write_text(json.dumps({
        **about, "fingerprint": hashlib.sha256(json.dumps(
            [about, MEMBERS]).encode()).hexdigest(),
        "names": ["a.png"], "skipped": [["b.png", "grey"]]}))
    photographs = photo_cache.read_or_make(
        tmp_path, SELECTION, MEMBERS, fail, progress=False)
    np.testing.assert_array_equal(photographs.lab, lab)
    assert photographs.luminance_size == photographs.canvas == 8
    # Nor do the files that are written now have them.
    photo_cache.read_or_make(
        tmp_path / "new", SELECTION, MEMBERS, decode, progress=False)
    new, old = (json.loads((folder / "train_8_2_first3.json").read_text())
                for folder in (tmp_path / "new", tmp_path))
    assert new == old


def test_the_fingerprint_is_of_what_was_read(tmp_path):
    def other(file):
        names, skipped, _ = decode(file)
        return names, skipped, [("a.png", 0)]

    photo_cache.read_or_make(
        tmp_path, SELECTION, MEMBERS, other, progress=False)
    with pytest.raises(AssertionError, match="decoded again"):
        photo_cache.read_or_make(
            tmp_path, SELECTION, MEMBERS, fail, progress=False)
    photo_cache.read_or_make(
        tmp_path, SELECTION, [("a.png", 0)], fail, progress=False)


def test_a_full_disk_is_one_line_and_keeps_what_was_there(tmp_path):
    photo_cache.read_or_make(
        tmp_path, SELECTION, MEMBERS, decode, progress=False)
    before = sorted(tmp_path.iterdir())

    def full(file):
        decode(file)
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError) as raised:
        photo_cache.read_or_make(
            tmp_path, SELECTION, [("a.png", 1)], full, progress=False)
    assert str(raised.value) == (
        f"{tmp_path}: must be a writable folder for a cache "
        "(received No space left on device)")
    assert sorted(tmp_path.iterdir()) == before
    photo_cache.read_or_make(
        tmp_path, SELECTION, MEMBERS, fail, progress=False)


def test_a_limited_set_does_not_take_the_whole_one_s_place(tmp_path):
    from tfdivcolor import data
    from training import synthetic

    pictures = synthetic.write_folder(tmp_path / "pictures", 6)
    options = {"canvas": 16, "cache": tmp_path / "cache", "progress": False}
    assert len(data.load(pictures, **options)) == 6
    assert len(data.load(pictures, limit=2, **options)) == 2
    whole = data.from_cache(tmp_path / "cache", canvas=16)
    assert len(whole) == 6


def test_margin_of(tmp_path):
    assert photo_cache.margin_of(tmp_path / "nothing", "train", 8) == 0
    for name in ("train_8_4", "train_8_2", "train_16_1", "train_8_2_first3",
                 "validation_8_0"):
        (tmp_path / f"{name}.json").write_text("{}")
        (tmp_path / f"{name}.npy").write_text("")
    assert photo_cache.margin_of(tmp_path, "train", 8) == 2
    assert photo_cache.margin_of(tmp_path, "validation", 8) == 0
