"""`tfdivcolor colorize --recipe`: the same bytes again, and nothing else."""

import hashlib
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from calls import errors_of, files_in, photograph, put, record_in, said
from PIL import Image

from tfdivcolor import cli, images, presets
from tfdivcolor.coloring import batch, outputs
from tfdivcolor.coloring.recipes import Recipe
from tfdivcolor.settings import Hint, Sampling, Steering

HINTS = (Hint(10, 12, (200, 40, 40)), Hint(40, 30, (30, 60, 160)))


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def frozen(weights):
    """The weights as the command takes them: constants round otherwise."""
    return presets.load(weights).freeze()


@pytest.fixture
def make(photo, weights, tmp_path):
    """Writes a recipe of the photograph; returns it and its path."""
    def write(**changes):
        recipe = Recipe(**{
            "photo": photo.name, "photo_sha256": sha256_of(photo),
            "page": None, "weights": "tiny",
            "weights_sha256": sha256_of(weights / "model.weights.h5"),
            "sampling": Sampling(4, 5), "steering": Steering(saturation=1.5),
            "results": (1, 3), **changes})
        path = tmp_path / "recipe.json"
        path.write_text(recipe.to_json())
        return recipe, path
    return write


def in_memory(recipe, colorizer, source):
    """Endings and bytes as a program gets them."""
    work = recipe.applied(batch.Work(
        colorizer, "any", recipe.weights_sha256, Sampling()))
    photo = images.read(source, page=recipe.page)
    return dict(work.encoded(work.colorize(photo)))


def same_pictures(found, expected):
    """Compares files but for the last bits of their pixels.

    The bytes are equal only where operations run one after the other, as in
    the command's own process (tests/studio/studio_replay_test.py): here two
    threads may round differently.
    """
    assert found.keys() == expected.keys()
    for name, data in found.items():
        one, other = (images.read(file) for file in (data, expected[name]))
        difference = one.pixels.astype(int) - other.pixels
        assert np.abs(difference).max() <= 1
        one, other = (images.read_metadata(file)
                      for file in (data, expected[name]))
        assert one.keys() == other.keys()
        assert all(one[key] == other[key] for key in one
                   if key not in ("share", "log_prob"))


@pytest.mark.slow
def test_only_its_results_are_written_as_the_whole_call_writes_them(
        run, photo, tmp_path, make, frozen):
    assert run(photo, "-n", 4, "--seed", 5, "--hint", HINTS[0], "--warmer", 3,
               out=tmp_path / "all")[0] == 0
    expected = files_in(tmp_path / "all")
    recipe, path = make(steering=Steering(HINTS[:1], warmth=3.0))
    code, stdout, stderr = run(photo, "--recipe", path)
    found = files_in(tmp_path / "out")
    assert code == 0 and sorted(found) == [
        "photo.json", "photo_01.png", "photo_03.png"]
    for name in ("photo_01.png", "photo_03.png"):
        assert found[name] == expected[name]
    same_pictures(in_memory(recipe, frozen, photo), {
        "01.png": found["photo_01.png"], "03.png": found["photo_03.png"]})
    assert images.read_metadata(tmp_path / "out" / "photo_03.png")[
        "rank"] == "3"
    assert stdout.startswith("2 colourings of 1 photograph (weights tiny")
    [line] = said(stderr)  # on its hint
    assert line.startswith(f"{photo}: the distance to hint 10,12,#c82828 is")

    record, whole = record_in(tmp_path / "out"), record_in(tmp_path / "all")
    assert record["ranks"] == [1, 3] and "ranks" not in whole
    for key in ("share", "log_prob", "latents"):
        assert record[key] == [whole[key][rank] for rank in (1, 3)]
    assert record["hints"][0]["after"] == [
        whole["hints"][0]["after"][rank] for rank in (1, 3)]


@pytest.mark.slow
def test_a_kept_latent_is_kept(run, photo, tmp_path, make, frozen):
    kept = frozen.colorize(photo, 3, seed=1).latents[2]
    recipe, path = make(steering=Steering(kept=kept, strength=0.5))
    assert run(photo, "--recipe", path)[0] == 0
    expected = frozen.colorize(photo, 4, seed=5, kept=kept, strength=0.5)
    record = record_in(tmp_path / "out")
    np.testing.assert_allclose(
        record["latents"], expected.latents[[1, 3]], atol=1e-4)
    assert record["steering"]["kept"] == kept.tolist()
    same_pictures(in_memory(recipe, frozen, photo), {
        ending: (tmp_path / "out" / f"photo_{ending}").read_bytes()
        for ending in ("01.png", "03.png")})
    text = images.read_metadata(tmp_path / "out" / "photo_01.png")
    assert "kept" not in text and text["strength"] == "0.5"
    # Once more: it is there.
    code, stdout, _ = run(photo, "--recipe", path)
    assert code == 0 and "1 already there" in stdout


def test_what_is_there_stays_and_what_lacks_is_made(
        run, photo, tmp_path, make):
    _, path = make()
    assert run(photo, "--recipe", path)[0] == 0
    before = files_in(tmp_path / "out")
    (tmp_path / "out" / "photo_03.png").unlink()
    assert run(photo, "--recipe", path)[0] == 0
    assert files_in(tmp_path / "out") == before
    # Other ranks are another call, and so is all.
    _, path = make(results=(0, 3))
    for arguments in (["--recipe", path],
                      ["-n", 4, "--seed", 5, "--saturation", 1.5]):
        code, _, stderr = run(photo, *arguments)
        assert code == 1 and "no output files of another call" in stderr
        assert files_in(tmp_path / "out").keys() - {outputs.FAILED} == (
            before.keys())
    assert run(photo, "--recipe", path, "--overwrite")[0] == 0
    assert sorted(files_in(tmp_path / "out")) == [
        "photo.json", "photo_00.png", "photo_03.png"]


def test_records_without_a_recipe_are_those_of_before(run, photo, tmp_path):
    call = (photo, "-n", 2, "--keep", 1)
    assert run(*call)[0] == 0
    record = record_in(tmp_path / "out")
    # What 0.6 wrote, key by key.
    assert record["steering"] == {
        "hints": [], "keep": 1, "strength": 0.3, "warmth": 0.0,
        "saturation": 1.0}
    assert not {"ranks", "recipe"} & record.keys()
    assert "1 already there" in run(*call)[1]


def test_sheet_and_gallery_of_some_results(
        run, photo, tmp_path, make, monkeypatch):
    from tfdivcolor.plots import charts

    figures = []
    save = charts.save
    monkeypatch.setattr(charts, "save", lambda figure, path: (
        figures.append(figure), save(figure, path)))
    _, path = make()
    code, _, stderr = run(photo, "--recipe", path, "--sheet", "--gallery")
    assert code == 0 and not said(stderr)
    assert sorted(files_in(tmp_path / "out")) == [
        "index.html", "photo.json", "photo_01.png", "photo_03.png",
        "photo_sheet.png"]
    assert [axes.get_title()[:4].strip() for axes in figures[0].axes] == [
        "grey", "01", "03"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert "photo_03.png" in page and "photo_00.png" not in page


def test_another_photograph_gets_a_note(run, photo, tmp_path, make):
    other = put(tmp_path / "in" / "other.png", photograph(5))
    _, path = make()
    code, _, stderr = run(photo.parent, "--recipe", path)
    assert code == 0 and said(stderr) == [
        f"{other}: the recipe was made for another photograph, 'photo.png'"]
    assert record_in(tmp_path / "out", "other")["notes"] == [
        "the recipe was made for another photograph, 'photo.png'"]
    assert record_in(tmp_path / "out")["notes"] == []
    assert sorted(files_in(tmp_path / "out")) == [
        f"{stem}{end}" for stem in ("other", "photo")
        for end in (".json", "_01.png", "_03.png")]


def test_hints_outside_another_photograph_are_an_error(
        run, photo, tmp_path, make):
    small = put(tmp_path / "in" / "small.png", photograph(5, 20, 20))
    _, path = make(steering=Steering(HINTS))
    code, stdout, stderr = run(photo.parent, "--recipe", path, "--quiet")
    assert (code, stdout) == (1, "")
    assert errors_of(stderr) == [
        f"{small}: hint: must lie inside the picture, 0..19, 0..19 (received "
        "40,30)"]
    assert "photo_01.png" in files_in(tmp_path / "out")


@pytest.mark.parametrize("arguments, named", [
    (["-n", 8], "--num-samples"), (["--num-samples=8"], "--num-samples"),
    (["--seed", 0], "--seed"), (["--mode", "diverse"], "--mode"),
    (["--temperature", 0.5], "--temperature"),
    (["--temp", 0.5], "--temperature"),
    (["--hint", "1,2,#000000"], "--hint"), (["--keep", 0], "--keep"),
    (["--strength", 0.3], "--strength"), (["--warmer", 0], "--warmer"),
    (["--cooler", 0], "--cooler"), (["--saturation", 1], "--saturation"),
    (["--same-z"], "--same-z"), (["--page", "all"], "--page"),
    (["--format", "png"], "--format")])
def test_options_that_it_sets_are_refused_even_with_their_defaults(
        run, photo, tmp_path, make, arguments, named):
    _, path = make(image_format="png")
    code, stdout, stderr = run(photo, "--recipe", path, *arguments)
    assert (code, stdout) == (2, "")
    assert errors_of(stderr) == [
        "--recipe must go without options that it sets (received "
        f"{named})"]
    assert not (tmp_path / "out").exists()


def test_its_format_or_the_calls(run, photo, tmp_path, make, frozen):
    for changes, arguments, suffix in (
            ({"image_format": "tiff"}, [], "tif"),
            ({}, ["--format", "jpeg"], "jpg")):
        recipe, path = make(**changes)
        out = tmp_path / suffix
        assert run(photo, "--recipe", path, *arguments, out=out)[0] == 0
        files = files_in(out)
        assert sorted(files) == [
            "photo.json", f"photo_01.{suffix}", f"photo_03.{suffix}"]
        if changes:
            same_pictures(in_memory(recipe, frozen, photo), {
                ending: files[f"photo_{ending}"]
                for ending in ("01.tif", "03.tif")})


def test_16_bits_and_pages(run, tmp_path, make, frozen):
    photo = tmp_path / "in" / "scan.tif"
    rng = np.random.default_rng(0)
    tifffile.imwrite(photo, rng.integers(
        0, 65536, (2, 40, 50, 1), np.uint16), photometric="minisblack")
    recipe, path = make(photo="scan.tif", photo_sha256=sha256_of(photo),
                        page=2, results=(3,))
    code, _, stderr = run(photo, "--recipe", path, "--quiet")
    assert (code, stderr) == (0, "")
    assert sorted(files_in(tmp_path / "out")) == [
        "scan_p2.json", "scan_p2_03.tif"]
    made = (tmp_path / "out" / "scan_p2_03.tif").read_bytes()
    assert tifffile.imread(io.BytesIO(made)).dtype == np.uint16
    same_pictures(in_memory(recipe, frozen, photo), {"03.tif": made})


def test_other_weights_are_refused(run, photo, tmp_path, make, make_tiny):
    _, path = make()
    other = make_tiny(seed=1)
    other.save(tmp_path / "other")
    digest = sha256_of(tmp_path / "other" / "model.weights.h5")
    code, _, stderr = run(
        photo, "--recipe", path, "--weights", tmp_path / "other")
    assert code == 2
    [message] = errors_of(stderr)
    assert message.startswith("--recipe must go with its own weights, tiny ")
    assert message.endswith(
        f"(received {tmp_path / 'other'} {digest[:12]}...)")
    assert not (tmp_path / "out").exists() or not files_in(tmp_path / "out")


def test_its_weights_are_found_by_their_name(
        photo, tmp_path, make, capsys, monkeypatch, weights):
    _, path = make()
    monkeypatch.chdir(weights.parent)
    out = tmp_path / "out"
    call = ["colorize", str(photo), "--recipe", str(path), "--out", str(out)]
    assert cli.main(call) == 0
    assert record_in(out)["weights"] == "tiny"
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert cli.main(call) == 2
    [message] = errors_of(capsys.readouterr().err)
    assert message.startswith("weights must be one of") and "tiny" in message


def test_a_latent_of_another_length_is_refused(run, photo, make):
    _, path = make(steering=Steering(kept=(0.0, 1.0)))
    code, _, stderr = run(photo, "--recipe", path)
    assert code == 2 and errors_of(stderr) == [
        "kept must be the 16 latents of a result (received 2)"]


def test_what_is_no_recipe_is_refused(run, photo, tmp_path, make):
    _, path = make()
    values = json.loads(path.read_text())
    values["steering"]["warmth"] = "much"
    path.write_text(json.dumps(values))
    for source, named in (
            (path, f"{path}: steering.warmth must be a number (received "
                   "'much')"),
            (photo, f"{photo}: a recipe must be JSON"),
            (tmp_path / "none", f"{tmp_path / 'none'}: must be a recipe ")):
        code, _, stderr = run(photo, "--recipe", source)
        assert code == 2
        [message] = errors_of(stderr)
        assert f"argument --recipe: {named}" in message
    assert not (tmp_path / "out").exists()


def test_a_stream_of_one_result(photo, weights, make, capsysbinary, frozen):
    for results, code in (((2,), 0), ((1, 2), 2)):
        recipe, path = make(results=results)
        assert cli.main([
            "colorize", str(photo), "--recipe", str(path), "--out", "-",
            "--quiet", "--weights", str(weights)]) == code
        out, err = capsysbinary.readouterr()
        if code:
            assert b"a recipe of one result (received 2)" in err and not out
        else:
            same_pictures(in_memory(recipe, frozen, photo), {"02.png": out})


@pytest.mark.slow
def test_fresh_processes_write_what_a_program_makes(
        photo, weights, tmp_path, make, frozen):
    recipe, path = make(steering=Steering(HINTS, warmth=-4.0))
    subprocess.run(
        [sys.executable, "-c", "import sys; from tfdivcolor import cli; "
         "sys.exit(cli.main())", "colorize", photo, "--recipe", path,
         "--weights", weights, "--out", tmp_path / "out", "--quiet"],
        check=True, timeout=300)
    found = in_memory(recipe, frozen, photo)
    same_pictures(found, {
        ending: (tmp_path / "out" / f"photo_{ending}").read_bytes()
        for ending in ("01.png", "03.png")})
    with Image.open(io.BytesIO(found["03.png"])) as image:
        assert image.text["warmth"] == "-4.0"
