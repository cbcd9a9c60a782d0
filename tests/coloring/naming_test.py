"""Outputs' names: different, and the same again whatever is added."""

import unicodedata

import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from tfdivcolor.coloring import naming, outputs


def _record(folder, stem, name):
    """Writes the record that a call for a photograph would leave."""
    base = folder / stem
    base.parent.mkdir(parents=True, exist_ok=True)
    outputs.write_record(base, {"input": name, "outputs": []})


def test_a_name_of_its_own_has_no_suffix():
    names = ["holiday/beach.jpg", "beach.jpg", "scan.0001", "x.tar.png", "y"]
    assert naming.tell_apart(names) == dict(zip(names, [
        "holiday/beach", "beach", "scan.0001", "x.tar", "y"]))


def test_names_are_told_apart_by_their_suffixes():
    assert naming.tell_apart(["img.jpg", "img.tif", "img", "d/img.tif"]) == {
        "img.jpg": "img.jpg", "img.tif": "img.tif", "img": "img",
        "d/img.tif": "d/img"}
    # "a.jpg" is the name of one and, without its suffix, of another.
    stems = naming.tell_apart(["a.jpg", "a.jpg.png", "a.tif"])
    assert stems == {"a.jpg": "a.jpg~2", "a.jpg.png": "a.jpg",
                     "a.tif": "a.tif"}


def test_names_that_are_one_on_other_file_systems():
    composed, apart = (unicodedata.normalize(form, "é.png")
                       for form in ("NFC", "NFD"))
    assert naming.tell_apart(["IMG.JPG", "img.png", "x.png"]) == {
        "IMG.JPG": "IMG.JPG", "img.png": "img.png", "x.png": "x"}
    assert naming.tell_apart(["IMG.JPG", "img.jpg"]) == {
        "IMG.JPG": "IMG.JPG", "img.jpg": "img.jpg~2"}
    stems = naming.tell_apart([composed, apart])
    assert sorted(stems.values()) == sorted([composed, f"{apart}~2"])


def test_results_are_not_called_as_photographs_are():
    assert naming.tell_apart(["img.jpg", "img_00.jpg", "d/img.jpg"]) == {
        "img.jpg": "img.jpg", "img_00.jpg": "img_00", "d/img.jpg": "d/img"}
    assert naming.tell_apart(["a.png", "a_sheet.png", "a_000.png"])[
        "a.png"] == "a.png"
    assert naming.tell_apart(["a.png", "a_000.png"])["a.png"] == "a"


def test_what_is_named_stays_so(tmp_path):
    assert naming.tell_apart(["img.jpg"], tmp_path) == {"img.jpg": "img"}
    _record(tmp_path, "img", "img.jpg")
    both = {"img.jpg": "img", "img.tif": "img.tif"}
    assert naming.tell_apart(["img.jpg", "img.tif"], tmp_path) == both
    _record(tmp_path, "img.tif", "img.tif")
    assert naming.tell_apart(["img.jpg", "img.tif"], tmp_path) == both
    # Alone, too.
    assert naming.tell_apart(["img.tif"], tmp_path) == {"img.tif": "img.tif"}
    assert naming.tell_apart(["img.png"], tmp_path) == {"img.png": "img.png"}
    assert naming.tell_apart(["img_00.jpg", "img.jpg"], tmp_path)[
        "img.jpg"] == "img"
    # Names that versions before gave where another had none.
    _record(tmp_path, "d/a", "a.bmp")
    assert naming.tell_apart(["d/a.bmp", "d/a.png"], tmp_path) == {
        "d/a.bmp": "d/a", "d/a.png": "d/a.png"}


def test_foreign_records_do_not_name(tmp_path):
    (tmp_path / "img.json").write_text("[1, 2]")
    (tmp_path / "b.json").write_text('{"outputs": [], "input": ["b.jpg"]}')
    assert naming.tell_apart(["img.jpg"], tmp_path) == {"img.jpg": "img"}
    assert naming.tell_apart(["b.jpg"], tmp_path) == {"b.jpg": "b.jpg"}


_PARTS = st.sampled_from(["a", "A", "a_00", "b", "é", "e\u0301", "a.jpg"])
_SUFFIXES = st.sampled_from(["", ".jpg", ".JPG", ".tif", ".0001"])
_NAMES = st.lists(st.tuples(_PARTS, _SUFFIXES).map("".join), unique=True,
                  min_size=1, max_size=8)


@hypothesis_settings(deadline=None, max_examples=200)
@given(_NAMES, _NAMES, st.randoms(use_true_random=False))
def test_calls_of_any_names_agree(tmp_path_factory, first, then, random):
    """Calls of which the first is stopped, and the last has more photographs:
    all have names of their own on any file system, and keep them."""
    folder = tmp_path_factory.mktemp("out")
    stems = naming.tell_apart(first, folder)
    assert list(stems) == first
    for name in random.sample(first, random.randrange(len(first) + 1)):
        _record(folder, stems[name], name)
    assert naming.tell_apart(first, folder) == stems
    for name, stem in stems.items():
        _record(folder, stem, name)
    assert naming.tell_apart(first, folder) == stems
    more = naming.tell_apart([*dict.fromkeys([*then, *first])], folder)
    keys = {unicodedata.normalize("NFC", stem).casefold()
            for stem in more.values()}
    assert len(keys) == len(more)
    assert {name: more[name] for name in first} == stems
    for name in set(then) - set(first):
        _record(folder, more[name], name)
    assert naming.tell_apart(list(more), folder) == more


def test_pages(tmp_path):
    def pages(*others):
        return naming.of_pages(
            "d/scan.tif", "d/scan", 2, ["d/scan", *others], tmp_path)

    assert pages() == pages("scan_p1", "d/scan_p3") == [
        "d/scan_p1", "d/scan_p2"]
    assert pages("d/SCAN_P2") == ["d/scan.tif_p1", "d/scan.tif_p2"]
    assert pages("d/scan_p2", "d/scan.tif_p1") == [
        "d/scan.tif~2_p1", "d/scan.tif~2_p2"]
    # What was made of a photograph of that name stays.
    _record(tmp_path, "d/scan_p1", "scan_p1.jpg")
    assert pages() == ["d/scan.tif_p1", "d/scan.tif_p2"]
    _record(tmp_path, "d/scan_p1", "scan.tif")
    assert pages() == ["d/scan_p1", "d/scan_p2"]


@pytest.mark.parametrize("record, wanted, same", [
    # Records of versions before have neither.
    ({}, {}, True), ({}, {"lenient": True}, True), ({}, {"page": 2}, False),
    ({"page": 2}, {}, True), ({"page": 2}, {"page": 2}, True),
    ({"page": 2}, {"page": 1}, False),
    ({"lenient": True}, {}, False),
    ({"lenient": True}, {"lenient": True}, True),
    ({"lenient": False}, {"lenient": True}, True),
    ({"seed": 1}, {}, False), ({}, {"seed": 1}, False)])
def test_equal_calls(record, wanted, same):
    identity = dict.fromkeys(outputs.IDENTITY)
    assert outputs.is_same(
        identity | record,
        {**identity, "page": None, "lenient": False} | wanted) == same
    assert not outputs.is_same({}, {**identity, "page": None, "lenient": True})
