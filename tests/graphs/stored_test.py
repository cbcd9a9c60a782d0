"""Graphs on disk: the same results, and no harm from the folder's state."""

import concurrent.futures
import os
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

import tfdivcolor
from tfdivcolor.graphs import stored
from tfdivcolor.graphs.stored import StoredFunction


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder for stored graphs."""
    monkeypatch.setenv(stored.VARIABLE, str(tmp_path / "graphs"))
    return tmp_path / "graphs"


@tf.function(autograph=False, input_signature=[
    {"x": tf.TensorSpec([None, 3]), "unused": tf.TensorSpec([])},
    tf.TensorSpec([2], tf.int64)])
def mixed(given, whole):
    """Nested arguments and results, an unused argument, a loop, a function."""
    x = given["x"]
    _, total = tf.while_loop(
        lambda i, _: i < 4, lambda i, total: (i + 1, total + tf.sin(x)),
        (0, tf.zeros_like(x)))
    return {"sum": total, "both": (tf.reduce_max(x), [whole * 2, x[:1]])}


MAKE = mixed.get_concrete_function
X = np.array([[0.5, -1, 2], [3, 0, 7]], np.float32)
GIVEN = {"x": X, "unused": np.float32(1)}, np.array([3, -2**40])


def check(found):
    np.testing.assert_allclose(found["sum"], 4 * np.sin(X), rtol=1e-5)
    largest, (doubled, first) = found["both"]
    assert largest == 7 and doubled.tolist() == [6, -2**41]
    np.testing.assert_array_equal(first, X[:1])


def never():
    raise AssertionError("the graph must come from the folder")


def test_later_functions_read_what_the_first_one_made(place):
    first = StoredFunction("mixed", MAKE)
    assert not place.exists()  # nothing before the first call
    found = first(*GIVEN)
    check(found)
    later = StoredFunction("mixed", never)(*GIVEN)
    check(later)
    for one, other in zip(tf.nest.flatten(found), tf.nest.flatten(later)):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    assert len(list(place.iterdir())) == 1


def test_tensors_and_other_shapes_are_arguments_too():
    run = StoredFunction("mixed", MAKE)
    found = run({"x": tf.zeros([5, 3]), "unused": tf.constant(0.0)},
                tf.constant([1, 2], tf.int64))
    assert found["sum"].shape == (5, 3) and not found["sum"].any()


@pytest.mark.parametrize("damage", [
    lambda data: b"", lambda data: data[:-1], lambda data: data[:70],
    lambda data: data.replace(b"mixed", b"mixes"), lambda data: b"\xff\n{}"])
def test_a_damaged_file_is_made_again(place, damage):
    StoredFunction("mixed", MAKE).prepare()
    file, = place.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    check(StoredFunction("mixed", MAKE)(*GIVEN))
    assert file.read_bytes() == whole
    check(StoredFunction("mixed", never)(*GIVEN))


def test_without_a_folder_to_write_to(place, monkeypatch):
    place.write_bytes(b"a file")
    check(StoredFunction("mixed", MAKE)(*GIVEN))
    assert place.read_bytes() == b"a file"
    monkeypatch.setenv(stored.VARIABLE, "off")
    assert stored.folder() is None
    check(StoredFunction("mixed", MAKE)(*GIVEN))
    monkeypatch.delenv(stored.VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/nowhere")
    assert stored.folder().parts[-2:] == ("tfdivcolor", "graphs")


@pytest.mark.parametrize("change", [
    mock.patch.object(tfdivcolor, "__version__", "9.9"),
    mock.patch.object(tf, "__version__", "9.9"),
    mock.patch.object(stored, "_sources", lambda: "other"),
    mock.patch.dict(os.environ, {"TF_ENABLE_ONEDNN_OPTS": "other"})])
def test_another_version_does_not_read_it(place, change):
    StoredFunction("mixed", MAKE).prepare()
    with change:
        StoredFunction("mixed", MAKE).prepare()
    StoredFunction("mixes", MAKE).prepare()
    assert len(list(place.iterdir())) == 3


def test_sources_are_those_of_the_graphs(tmp_path, monkeypatch):
    for name in ("latent/seeds.py", "settings.py", "studio/app.py"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("old")
    monkeypatch.setattr(tfdivcolor, "__file__", str(tmp_path / "__init__.py"))
    found = []
    for name in ("studio/app.py", "latent/seeds.py", "settings.py"):
        (tmp_path / name).write_text("new")
        found.append(stored._sources.__wrapped__())
    assert len(set(found)) == 3
    (tmp_path / "studio" / "app.py").write_text("newer")
    assert stored._sources.__wrapped__() == found[-1]


def test_the_files_used_last_stay(place, monkeypatch):
    names = ["one", "two", "three"]
    for age, name in enumerate(names):
        StoredFunction(name, MAKE).prepare()
        newest = max(place.iterdir(), key=lambda path: path.stat().st_mtime)
        os.utime(newest, (age, age))
    StoredFunction("one", never).prepare()  # used again
    size = newest.stat().st_size
    monkeypatch.setattr(stored, "MAX_BYTES", 3 * size)
    StoredFunction("four", MAKE).prepare()
    assert len(list(place.iterdir())) == 3
    StoredFunction("one", never).prepare()
    StoredFunction("three", never).prepare()
    monkeypatch.setattr(stored, "MAX_BYTES", 1)
    StoredFunction("five", MAKE).prepare()
    assert len(list(place.iterdir())) == 1
    StoredFunction("five", never).prepare()


def test_threads_make_it_once():
    calls = []

    def make():
        calls.append(1)
        return MAKE()

    function = StoredFunction("mixed", make)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: function(*GIVEN), range(8)):
            check(found)
    assert len(calls) == 1


def test_facts_are_found_once():
    assert stored.facts("model", lambda: {"side": 64, "has": True}) == {
        "side": 64, "has": True}
    assert stored.facts("model", never) == {"side": 64, "has": True}
    assert stored.facts("other", lambda: {"side": 1}) == {"side": 1}


@pytest.mark.parametrize("cards", [[], ["a card"]])
def test_only_machines_without_a_card_fix_the_device(cards, monkeypatch):
    """On a machine with one, TensorFlow places the operations itself."""
    listed = tf.config.list_logical_devices
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: (
        cards if kind == "GPU" else listed(kind)))
    described, graph_def = stored._read_or_make("mixed", MAKE)
    assert described["name"] == "mixed"
    devices = {node.device for node in graph_def.node}
    assert any("CPU" in device for device in devices) == (not cards)
