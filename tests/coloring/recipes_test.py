"""Recipes: what goes in comes out, and nothing else is taken."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from tfdivcolor.coloring import recipes
from tfdivcolor.coloring.recipes import Recipe
from tfdivcolor.settings import (
    MAX_LATENT,
    MODES,
    OUTPUT_FORMATS,
    Hint,
    Sampling,
    Steering,
)

SHA = "0123456789abcdef" * 4


def recipe(**changes):
    values = {
        "photo": "kitchen.jpg", "photo_sha256": SHA, "page": None,
        "weights": "photos", "weights_sha256": SHA[::-1],
        "sampling": Sampling(seed=7),
        "steering": Steering((Hint(3, 4, (1, 2, 255)),), warmth=2.5),
        "results": (3, 1)}
    return Recipe(**{**values, **changes})


def changed(*path, value):
    """The JSON of a recipe in which one value is another."""
    values = json.loads(recipe().to_json())
    place = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return json.dumps(values)


hints = st.builds(Hint, st.integers(0, 99_999), st.integers(0, 99_999),
                  st.tuples(*[st.integers(0, 255)] * 3))
latents = st.lists(st.floats(-MAX_LATENT, MAX_LATENT, width=32), max_size=70)


@settings(deadline=None)
@given(st.data())
def test_what_is_written_is_read_to_the_last_bit(data):
    count = data.draw(st.integers(1, 100))
    kept = data.draw(st.none() | latents)
    made = recipe(
        photo=data.draw(st.text(
            st.characters(exclude_characters="/\0"), min_size=1)),
        page=data.draw(st.none() | st.integers(1, 10**6)),
        sampling=Sampling(
            count, data.draw(st.integers(-2**63, 2**63 - 1)),
            data.draw(st.floats(0, 1e6)), data.draw(st.sampled_from(MODES))),
        steering=Steering(
            tuple(data.draw(st.lists(hints, max_size=5))),
            data.draw(st.none() | st.integers(0, count - 1))
            if kept is None else None,
            data.draw(st.floats(0, 10)), data.draw(st.floats(-30, 30)),
            data.draw(st.floats(0, 10)), kept),
        results=data.draw(st.sets(st.integers(0, count - 1), min_size=1)),
        image_format=data.draw(st.sampled_from([None, *OUTPUT_FORMATS])))
    text = made.to_json()
    assert text.isascii() and text.endswith("}\n")
    assert recipes.parse(text) == recipes.parse(text.encode()) == made
    # As other programs see it.
    plain = json.loads(text)
    assert plain["tfdivcolor"] == "recipe" and plain["version"] == 1
    assert plain["results"] == sorted(made.results)
    assert [Hint.parse(hint) for hint in plain["steering"]["hints"]] == list(
        made.steering.hints)


def test_numbers_of_numpy_are_as_good():
    made = recipe(
        sampling=Sampling(np.int64(4), np.int64(7), np.float32(0.5)),
        steering=Steering(kept=np.float32([0.1, -2]), warmth=1),
        results=np.arange(2))
    text = made.to_json()
    assert recipes.parse(text) == made
    assert json.loads(text)["steering"]["warmth"] == 1.0
    assert json.loads(text)["steering"]["kept"] == [float(np.float32(.1)), -2]


@pytest.mark.parametrize("path, value, message", [
    (["extra"], 1,
     "^extra must not be present; the known keys are tfdivcolor, version"),
    (["steering", "bend"], 1, "^steering.bend must not be present"),
    (["sampling", "s\nd"], 1, r"^sampling.s\\nd must not be present"),
    (["version"], 2, "^version must be 1, .*received 2"),
    (["version"], True, "^version must be 1"),
    (["version"], 1.0, "^version must be 1"),
    (["tfdivcolor"], "gallery", "must be an object with"),
    (["photo"], [], "^photo must be an object"),
    (["photo", "name"], 3, "^photo.name must be text"),
    (["photo", "name"], "/etc/passwd", "^photo.name must be a name without"),
    (["photo", "name"], "", "^photo.name must be a name without"),
    (["photo", "sha256"], SHA[1:], "^photo.sha256 must be 64 hex"),
    (["photo", "sha256"], SHA[1:] + "\n", "^photo.sha256 must be 64 hex"),
    (["photo", "page"], 0, "^photo.page must be 1 or more"),
    (["photo", "page"], "all", "^photo.page must be a whole number"),
    (["weights", "sha256"], SHA.upper(), "^weights.sha256 must be 64 hex"),
    (["weights", "name"], "a/b", "^weights.name must be a name without"),
    (["sampling", "num_samples"], 101, "^num_samples must be 1 to 100"),
    (["sampling", "num_samples"], 8.0, "^sampling.num_samples must be a whol"),
    (["sampling", "seed"], 2**63, "^seed must fit into 64 bits"),
    (["sampling", "seed"], True, "^sampling.seed must be a whole number"),
    (["sampling", "temperature"], math.nan, "^sampling.temperature must be a"),
    (["sampling", "temperature"], -math.inf, "^sampling.temperature must be"),
    (["sampling", "temperature"], "1", "^sampling.temperature must be a numb"),
    (["sampling", "temperature"], False, "^sampling.temperature must be a nu"),
    (["sampling", "temperature"], 10**400, "^sampling.temperature must be a "),
    (["sampling", "mode"], "best", "^mode must be one of"),
    (["sampling", "mode"], None, "^sampling.mode must be text"),
    (["steering", "hints"], "1,2,#000000", "^steering.hints must be a list"),
    (["steering", "hints"], [["1,2,#000000"]], "^steering.hints: .*be text"),
    (["steering", "hints"], ["1,2,red"], "^steering.hints: hint: must read"),
    (["steering", "hints"], ["1,2,#000000"] * 1001, "^steering.hints must be"),
    (["steering", "keep"], 8, "^keep must be the rank of one of the results"),
    (["steering", "keep"], -1, "^keep must be the rank"),
    (["steering", "kept"], {}, "^steering.kept must be a list"),
    (["steering", "kept"], [math.inf], "^steering.kept must be a number"),
    (["steering", "kept"], [1e30], "^kept: latents must be a number of -1000"),
    (["steering", "warmth"], 31, "^warmth must be a number of -30 to 30"),
    (["results"], [], "^results must be one or more different ranks of 0 to 7"),
    (["results"], [1, 1], "^results must be one or more different ranks"),
    (["results"], [8], "^results must be one or more different ranks"),
    (["results"], [0.0], "^results must be a whole number"),
    (["results"], 0, "^results must be a list"),
    (["format"], "psd", "^format must be null or one of png"),
    (["format"], 3, "^format must be text"),
])
def test_wrong_values_are_refused_by_their_keys(path, value, message):
    with pytest.raises(ValueError, match=message) as error:
        recipes.parse(changed(*path, value=value))
    assert "\n" not in str(error.value) and len(str(error.value)) < 300


@pytest.mark.parametrize("key", [
    "photo", "weights", "sampling", "steering", "results", "format",
    "version"])
def test_nothing_may_lack(key):
    values = json.loads(recipe().to_json())
    del values[key]
    with pytest.raises(ValueError, match=f"^{key} must be"):
        recipes.parse(json.dumps(values))


@pytest.mark.parametrize("data", [
    b"", b"\xff\xd8\xff\xe0", "[]", "3", "null", '"recipe"', "{", "[" * 10_000,
    '{"tfdivcolor": "recipe", "tfdivcolor": "recipe"}', '{"version": 1}',
    b'{"tfdivcolor": "\xff"}'])
def test_what_is_no_recipe_is_refused(data):
    with pytest.raises(ValueError, match="^a recipe must be") as error:
        recipes.parse(data)
    assert "\n" not in str(error.value)


def test_large_files_are_not_read(tmp_path):
    path = tmp_path / "recipe.json"
    path.write_text(recipe().to_json() + " " * recipes.MAX_BYTES)
    with pytest.raises(ValueError, match="recipe.json: a recipe must have at "
                                         "most 1,000,000 bytes"):
        recipes.read(path)
    path.write_text(recipe().to_json())
    assert recipes.read(path) == recipe()
    for other in (tmp_path, tmp_path / "none", "/dev/zero"):
        with pytest.raises(ValueError, match="must be a recipe file"):
            recipes.read(other)


@settings(deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
    st.sampled_from([
        ("photo",), ("photo", "page"), ("weights", "sha256"), ("sampling",),
        ("sampling", "seed"), ("steering",), ("steering", "hints"),
        ("steering", "kept"), ("steering", "saturation"), ("results",),
        ("format",)]))
def test_any_value_is_taken_or_refused_in_one_line(value, path):
    try:
        found = recipes.parse(changed(*path, value=value))
    except ValueError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert recipes.parse(found.to_json()) == found
