"""The C and C++ programs, without Python, on an exported model.

Exporting, and linking with a library of a gigabyte, take a minute: all but a
check of the C code is marked slow.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

NATIVE = Path(__file__).parents[2] / "serving" / "native"
SEED = 7

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("make", "gcc", "g++"))), reason="no compiler")


def test_c_program_compiles_without_a_warning():
    tensorflow = importlib.util.find_spec(
        "tensorflow").submodule_search_locations[0]
    done = subprocess.run(
        ["gcc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra",
         "-pedantic", "-fsyntax-only", "-isystem", f"{tensorflow}/include",
         NATIVE / "colorize.c"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny):
    """Folder of a version."""
    from tfdivcolor import export

    return export.save(tmp_path_factory.mktemp("models") / "tfdivcolor", tiny)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    Image.fromarray(skimage.data.astronaut()[:90, :70]).save(path)
    return path


def in_python(model, photo):
    """dict from an output's name to its row, by TensorFlow's Python."""
    from tfdivcolor.export.saved_model import Servable
    from tfdivcolor.settings import DEFAULTS

    with Servable(model) as servable:
        result = servable.run("colorize", {
            "image_bytes": [photo.read_bytes()], "seed": [SEED],
            "temperature": [DEFAULTS.temperature]})
    return {name: list(value[0]) for name, value in result.items()}


@pytest.fixture(scope="module")
def rated(model, photo):
    return in_python(model, photo)


@pytest.fixture(scope="module")
def expected(rated):
    """bytes of every colouring."""
    return rated["colorized_bytes"]


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Compiles a program: (name, **variables of make) -> its path."""
    def build(name, **variables):
        out = tmp_path_factory.mktemp("build")
        settings = {"PYTHON": sys.executable, "OUT": out, **variables}
        subprocess.run(
            ["make", "--directory", NATIVE, out / name,
             *(f"{key}={value}" for key, value in settings.items())],
            check=True, timeout=300)
        return out / name
    return build


@pytest.fixture(scope="module")
def colorize(make):
    return make("colorize")


def _run(*command, **environment):
    # Without what this process has set for Python's TensorFlow.
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith("TF_")}
    return subprocess.run(
        list(map(str, command)), env={**kept, **environment},
        capture_output=True, text=True, timeout=120)


def _outputs(prefix):
    return [path.read_bytes()
            for path in sorted(prefix.parent.glob(f"{prefix.name}_*.png"))]


def _check_lines(stdout, prefix, expected, ratings=("log_prob", "share")):
    """Holds what a program printed to what Python's TensorFlow gave."""
    names, *columns = zip(*map(str.split, stdout.splitlines()), strict=True)
    assert names == tuple(
        f"{prefix}_{rank:02d}.png" for rank in range(len(names)))
    assert len(columns) == len(ratings)
    for column, name in zip(columns, ratings):
        # Three digits behind the point, or six in all.
        assert list(map(float, column)) == pytest.approx(
            expected[name], rel=1e-5, abs=6e-4)


@pytest.mark.slow
def test_c_writes_the_same_bytes_as_python(
        colorize, model, photo, rated, expected, tmp_path):
    done = _run(colorize, model, photo, tmp_path / "out", SEED)
    assert (done.returncode, done.stderr) == (0, "")
    assert _outputs(tmp_path / "out") == expected
    _check_lines(done.stdout, tmp_path / "out", rated)


@pytest.mark.slow
def test_c_on_a_model_that_sees_more_than_its_canvas(
        colorize, photos_version, photo, tmp_path):
    expected = in_python(photos_version, photo)
    done = _run(colorize, photos_version, photo, tmp_path / "out", SEED)
    assert (done.returncode, done.stderr) == (0, "")
    assert _outputs(tmp_path / "out") == expected["colorized_bytes"]
    _check_lines(done.stdout, tmp_path / "out", expected)


@pytest.mark.slow
def test_an_export_of_0_5_has_no_shares(
        colorize, model, photo, rated, tmp_path):
    old = tmp_path / "model"
    shutil.copytree(model, old)
    contract = json.loads((old / "contract.json").read_text())
    for signature in contract["signatures"].values():
        signature["outputs"].pop("share", None)
    (old / "contract.json").write_text(json.dumps(contract, indent=1))
    done = _run(colorize, old, photo, tmp_path / "out", SEED)
    assert (done.returncode, done.stderr) == (0, "")
    _check_lines(done.stdout, tmp_path / "out", rated, ["log_prob"])


@pytest.mark.slow
def test_another_seed_gives_other_pictures(
        colorize, model, photo, expected, tmp_path):
    assert _run(colorize, model, photo, tmp_path / "out").returncode == 0
    assert _outputs(tmp_path / "out") != expected


@pytest.mark.slow
def test_c_gives_hints(colorize, model, photo, tmp_path):
    from tfdivcolor.export.saved_model import Servable

    with Servable(model) as servable:
        result = servable.run("colorize_hinted", {
            "image_bytes": [photo.read_bytes()],
            "hints": [[[20, 10, 200, 40, 30], [69, 89, 30, 60, 200]]],
            "num_samples": 8, "seed": SEED, "temperature": 0.5,
            "saturation": 1.0, "warmth": 0.0})
    done = _run(colorize, model, photo, tmp_path / "out", SEED,
                "20,10,#C8281E", "69,89,#1e3cc8")
    assert (done.returncode, done.stderr) == (0, "")
    assert _outputs(tmp_path / "out") == list(result["colorized_bytes"][0])
    expected = {name: list(value[0]) for name, value in result.items()}
    expected |= dict(zip("ab", result["hint_distance"][0].T))
    _check_lines(done.stdout, tmp_path / "out", expected,
                 ("log_prob", "share", "a", "b"))
    for hint, message in (
            ("70,0,#000000", "hints[0, 0]: x must be a whole number of 0 to "
             "69 (received 70)"),
            ("1,2", "HINT: must read X,Y,#RRGGBB (received 1,2)"),
            ("-1,2,#000000", "HINT: must read"),
            ("1,2,#0000000", "HINT: must read"),
            ("1,2,#00000", "HINT: must read"),
            ("1,2,#+1+1+1", "HINT: must read")):
        done = _run(colorize, model, photo, tmp_path / "bad", SEED, hint)
        assert done.returncode == 1 and done.stderr.count("\n") == 1
        assert message in done.stderr
    assert not _outputs(tmp_path / "bad")


@pytest.mark.slow
def test_c_frees_what_it_takes(make, model, photo, expected, tmp_path):
    checked = make("colorize", CFLAGS="-g -fsanitize=address,undefined")
    # With the log on, as the sanitizers' reports go the same way.
    done = _run(checked, model, photo, tmp_path / "out", SEED,
                TF_CPP_MIN_LOG_LEVEL="3")
    assert done.returncode == 0, done.stderr
    hinted = _run(checked, model, photo, tmp_path / "hinted", SEED,
                  "20,10,#C8281E", TF_CPP_MIN_LOG_LEVEL="3")
    assert hinted.returncode == 0, hinted.stderr
    assert "runtime error" not in hinted.stderr
    assert _outputs(tmp_path / "out") == expected
    assert "runtime error" not in done.stderr
    assert _run(checked, model, tmp_path / "no", tmp_path / "out",
                TF_CPP_MIN_LOG_LEVEL="3").returncode == 1


@pytest.mark.slow
def test_c_says_in_one_line_what_is_wrong(colorize, model, photo, tmp_path):
    out, text = tmp_path / "out", tmp_path / "text.jpg"
    text.write_text("not a picture")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photo.read_bytes()[:500])
    for arguments, message in (
            ([model, tmp_path / "no.jpg", out],
             "no.jpg: must be a file that can be read"),
            ([model, tmp_path, out], "must be a file that can be read"),
            ([model, text, out], "image_bytes[0]: must be a JPEG, PNG"),
            ([model, cut, out], "image_bytes[0]: must be a whole"),
            ([model.parent, photo, out],
             "contract.json: must be a file that can be read"),
            ([model, photo, tmp_path / "no" / "out"],
             "out_00.png: must be a file that can be written"),
            ([model, photo, out, "7.5"], "SEED: must be an integer"),
            ([model, photo, out, "9" * 20], "SEED: must be an integer"),
            ([model, photo], "usage: colorize MODEL_DIR PHOTO")):
        done = _run(colorize, *arguments)
        assert done.returncode == 1
        assert not done.stdout and done.stderr.count("\n") == 1
        assert done.stderr.startswith("colorize: ")
        assert message in done.stderr
    assert not _outputs(out)


@pytest.mark.slow
def test_a_model_that_does_not_load_is_said(colorize, photo, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "contract.json").write_text("{}")
    done = _run(colorize, model, photo, tmp_path / "out")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "Could not find SavedModel" in done.stderr


@pytest.mark.slow
def test_a_contract_without_the_signature_is_said(
        colorize, model, photo, tmp_path):
    other = tmp_path / "model"
    shutil.copytree(model, other)
    (other / "contract.json").write_text('{"signatures": {"prior": {}}}')
    done = _run(colorize, other, photo, tmp_path / "out")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "contract.json: must list the model's tensors" in done.stderr


@pytest.mark.slow
def test_cpp_writes_the_same_bytes_as_python(
        make, model, photo, rated, expected, tmp_path):
    program = make("colorize_cc")
    done = _run(program, model, photo, tmp_path / "out", SEED)
    assert done.returncode == 0, done.stderr
    assert _outputs(tmp_path / "out") == expected
    _check_lines(done.stdout, tmp_path / "out", rated)
    done = _run(program, model, tmp_path / "no.jpg", tmp_path / "out")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("colorize_cc: ")
