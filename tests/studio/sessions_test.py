"""Histories of photographs, stored on disk."""

import json

import pytest

from tfdivcolor.studio import states
from tfdivcolor.studio.sessions import Changed, Sessions

PHOTO, WEIGHTS = "a" * 64, "b" * 64


def _step(label="Start", **state):
    return {"state": {**states.START, **state}, "label": label, "thumb": None}


def _change(revision, keep, *steps, at=None, kept=()):
    return {"revision": revision, "keep": keep, "states": list(steps),
            "at": keep + len(steps) - 1 if at is None else at,
            "kept": list(kept)}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sessions").mkdir()
    return tmp_path


def test_steps_add_up_and_survive_a_restart(folder):
    sessions = Sessions(folder)
    sessions.change(PHOTO, WEIGHTS, _change(0, 0, _step(), _step("Warmer")))
    sessions.change(PHOTO, WEIGHTS, _change(1, 1, _step("Cooler", warmth=-3)))
    found = Sessions(folder).read(PHOTO, WEIGHTS)
    assert [step["label"] for step in found["history"]] == ["Start", "Cooler"]
    assert found["revision"] == 2 and found["at"] == 1
    assert not [path for path in folder.rglob("*.part*")]


def test_going_back_keeps_what_follows(folder):
    sessions = Sessions(folder)
    sessions.change(PHOTO, WEIGHTS, _change(0, 0, _step(), _step("Two")))
    now = sessions.change(PHOTO, WEIGHTS, _change(1, 2, at=0))
    assert now["at"] == 0 and len(now["history"]) == 2


def test_ten_thousand_steps(folder):
    sessions = Sessions(folder)
    sessions.change(PHOTO, WEIGHTS, _change(
        0, 0, *(_step(f"Step {i}") for i in range(10_000))))
    now = sessions.change(PHOTO, WEIGHTS, _change(1, 10_000, _step("Last")))
    assert len(now["history"]) == 10_001


def test_of_two_tabs_the_later_is_told(folder):
    sessions = Sessions(folder)
    sessions.change(PHOTO, WEIGHTS, _change(0, 0, _step()))
    with pytest.raises(Changed) as caught:
        sessions.change(PHOTO, WEIGHTS, _change(0, 0, _step("Mine")))
    assert caught.value.args[0]["history"][0]["label"] == "Start"


def test_photographs_and_weights_have_their_own(folder):
    sessions = Sessions(folder)
    sessions.change(PHOTO, WEIGHTS, _change(0, 0, _step()))
    for other in (("c" * 64, WEIGHTS), (PHOTO, "c" * 64)):
        assert sessions.read(*other)["history"] == []


@pytest.mark.parametrize("text", [
    "", "[]", "{", "[" * 100_000, '{"revision": 1}',
    '{"revision": 1, "history": 3, "at": 0, "kept": []}',
    '{"revision": 1, "history": [{}], "at": 0, "kept": []}'])
def test_a_damaged_file_is_an_empty_history(folder, text):
    sessions = Sessions(folder)
    sessions.change(PHOTO, WEIGHTS, _change(0, 0, _step()))
    path, = (folder / "sessions").iterdir()
    path.write_text(text)
    assert Sessions(folder).read(PHOTO, WEIGHTS)["history"] == []


@pytest.mark.parametrize("change", [
    None, [], {}, _change(0, 1), _change(0, -1, _step()),
    _change(0, 0, _step(), at=1), _change(0, 0, _step(), at=True),
    _change(0, 0, _step(), at=-1), _change(0, 0, {}),
    _change(0, 0, _step("x" * 201)), _change(0, 0, _step(seed=3)),
    _change(0, 0, {**_step(), "thumb": "https://elsewhere/"}),
    _change(0, 0, {**_step(), "thumb": "data:image/jpeg;base64," + "A" * 9000}),
    _change(0, 0, _step(), kept=[{"state": {"seed": 0}}]),
    _change(0, 0, _step(), kept=[1]), {**_change(0, 0, _step()), "more": 1}])
def test_what_no_page_sends_changes_nothing(folder, change):
    sessions = Sessions(folder)
    with pytest.raises(ValueError) as caught:
        sessions.change(PHOTO, WEIGHTS, json.loads(json.dumps(change)))
    assert "\n" not in str(caught.value)
    assert not list((folder / "sessions").iterdir())
