"""States from the page: strict parsing, and equal keys for equal states."""

import json

import pytest
from hypothesis import given, strategies as st

from tfdivcolor.settings import UNSTEERED, Hint, Sampling
from tfdivcolor.studio import states

HINT = {"x": 3, "y": 4, "rgb": "#102030", "muted": False}


def test_the_start_is_what_the_command_line_does():
    state = states.parse(states.START)
    assert state.sampling == Sampling() and state.steering == UNSTEERED
    assert state.chosen == 0 and not state.places


def test_muted_hints_keep_their_places():
    state = states.parse({"hints": [
        {**HINT, "muted": True}, HINT, {**HINT, "x": 9}]})
    assert state.steering.hints == (Hint(3, 4, (16, 32, 48)),
                                    Hint(9, 4, (16, 32, 48)))
    assert state.places == (1, 2) and state.num_hints == 3


def test_a_large_seed_keeps_its_digits():
    seed = str(2**63 - 1)
    assert states.parse({"seed": seed}).sampling.seed == int(seed)


def test_keys_tell_results_apart_and_nothing_else():
    def key(*identity, **values):
        return states.parse(values).key(*identity)

    same = [key("a"), key("a", chosen=3), key("a", temperature=0.5),
            key("a", hints=[{**HINT, "muted": True}])]
    others = [key("b"), key("a", seed="1"), key("a", warmth=1),
              key("a", hints=[HINT]), key("a", kept=[0.0, 1.0]),
              key("a", saturation=1.1), key("a", num_samples=9)]
    assert len(set(same)) == 1
    assert len({same[0], *others}) == 1 + len(others)
    assert key("a", warmth=1) == key("a", warmth=1.0)


@pytest.mark.parametrize("values, message", [
    ([], "state must be an object"),
    ({"sed": "1"}, "state must not have 'sed'"),
    ({"seed": 1}, "seed must be a whole number, as text"),
    ({"seed": "1.5"}, "seed must be a whole number, as text"),
    ({"seed": str(2**64)}, "seed must"),
    ({"num_samples": 0}, "num_samples must"),
    ({"num_samples": 101}, "num_samples must"),
    ({"num_samples": True}, "num_samples must be a whole number"),
    ({"temperature": -1}, "temperature must"),
    ({"temperature": 1e300}, "temperature must be a number"),
    ({"temperature": "1"}, "temperature must be a number"),
    ({"warmth": 31}, "warmth must"),
    ({"chosen": 8}, "chosen must be 0 to 7"),
    ({"chosen": -1}, "chosen must be 0 to 7"),
    ({"kept": "x"}, "kept must be a list"),
    ({"kept": [None]}, "kept must be a number"),
    ({"hints": [HINT] * 101}, "hints must be a list of at most 100"),
    ({"hints": [{"x": 1, "y": 2}]}, "hint must have rgb"),
    ({"hints": [{**HINT, "x": -1}]}, "hint: must read"),
    ({"hints": [{**HINT, "rgb": "red"}]}, "hint: must read"),
    ({"hints": [{**HINT, "rgb": 3}]}, "hint: rgb must read"),
    ({"hints": [{**HINT, "muted": 1}]}, "hint: muted must be"),
    ({"hints": [{**HINT, "z": 1}]}, "hint must not have 'z'"),
])
def test_what_no_page_sends_is_refused_in_one_line(values, message):
    with pytest.raises(ValueError, match=message) as caught:
        states.parse(values)
    assert "\n" not in str(caught.value)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(
        [*states.START, "x", "y", "rgb", "muted"]), inner, max_size=4),
    max_leaves=12)


@given(_JSON)
def test_any_json_is_a_state_or_one_line(values):
    try:
        state = states.parse(json.loads(json.dumps(values)))
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
    else:
        assert len(state.key("photo", "weights")) == 24
