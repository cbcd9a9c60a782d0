"""Bulk colourisation, on a small model that can be worked out by hand."""

import hashlib
import io
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from serving import bulk
from tfdivcolor import images
from tfdivcolor.export import saved_model
from tfdivcolor.settings import Sampling

pytest.importorskip("apache_beam", reason="needs the extra [bulk]")

from apache_beam.internal import pickler
from apache_beam.io.filesystem import FileMetadata, MatchResult
from apache_beam.io.filesystems import FileSystems

from serving.bulk import files, model as models, pipeline, records

ROOT = Path(__file__).parents[2]
UNLUCKY = 13  # pictures of that width are refused


def colorize_n(image_bytes, num_samples, seed, temperature):
    """Colouring k is the picture, its values raised by seed + k mod 256."""
    def one(row):
        pixels = tf.io.decode_image(
            image_bytes[row], channels=3, expand_animations=False)
        check = tf.debugging.Assert(tf.shape(pixels)[1] != UNLUCKY, [
            tf.strings.join(["image_bytes[", tf.strings.as_string(row),
                             "]: must be of luck (received 13)"])])
        with tf.control_dependencies([check]):
            shifts = tf.cast(seed, tf.int32) + tf.range(num_samples)
        return tf.map_fn(
            lambda shift: tf.io.encode_png(tf.cast(
                (tf.cast(pixels, tf.int32) + shift) % 256, tf.uint8)),
            shifts, fn_output_signature=tf.string)

    rows = tf.range(tf.shape(image_bytes)[0])
    ranks = tf.cast(tf.range(num_samples), tf.float32)
    return {"colorized_bytes": tf.map_fn(
                one, rows, fn_output_signature=tf.string),
            **{name: tf.tile(value[None], [tf.size(rows), 1])
               for name, value in (("log_prob", temperature - ranks),
                                   ("share", 0.5 ** (1 + ranks)))}}


def colorize(image_bytes, seed, temperature):
    """The same, always two, as 0.5 exported it: without shares."""
    outputs = colorize_n(
        image_bytes, tf.constant(2), seed[0], temperature[0])
    return {name: tf.ensure_shape(outputs[name], [None, 2])
            for name in ("colorized_bytes", "log_prob")}


def save_model(folder, function, *numbers):
    graph = tf.function(function, autograph=False).get_concrete_function(
        tf.TensorSpec([None], tf.string, "image_bytes"), *numbers)
    saved_model.write(folder, {function.__name__: graph})
    return folder


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return save_model(
        tmp_path_factory.mktemp("models") / "7", colorize_n,
        tf.TensorSpec([], tf.int32, "num_samples"),
        tf.TensorSpec([], tf.int64, "seed"),
        tf.TensorSpec([], tf.float32, "temperature"))


@pytest.fixture(autouse=True)
def log_level():
    """The command's is its process's."""
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


def pixels_of(seed, height=9, width=11):
    return np.random.default_rng(seed).integers(
        0, 256, [height, width, 3], np.uint8)


def encoded(pixels, image_format="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format, **options)
    return file.getvalue()


@pytest.fixture
def photos(tmp_path):
    """A tree of good and bad files; dict from good stem to pixels shown."""
    folder = tmp_path / "photos"
    good = {stem: pixels_of(i) for i, stem in enumerate(
        ["a", "deep/er/b", "deep/vu [1] ünï\u2028x", "turned"])}
    for stem, pixels in good.items():
        path = folder / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        if stem == "turned":  # stored lying on its side
            exif[0x0112] = 6
            path.write_bytes(encoded(np.rot90(pixels), exif=exif))
        else:
            path.write_bytes(encoded(pixels))
    (folder / "empty.png").write_bytes(b"")
    (folder / "deep/text.png").write_bytes(b"no picture")
    (folder / "cut.png").write_bytes(
        encoded(pixels_of(8, 200, 200), "JPEG")[:3000])
    (folder / "unlucky.png").write_bytes(encoded(pixels_of(9, 9, UNLUCKY)))
    (folder / "a.x.png").write_bytes(encoded(pixels_of(10)))
    good["a.x"] = pixels_of(10)
    (folder / "notes.txt").write_text("no business of the pattern's")
    return folder, good


FAILURES = {
    "empty.png": "must be an image",
    "deep/text.png": "must be an image",
    "cut.png": "",
    "unlucky.png": "must be of luck (received 13)",
}


def run(photos, version, out, *arguments):
    return bulk.main([f"{photos}/**/*.png", "--model", str(version), "--out",
                      str(out), "-n", "3", *arguments])


def rows(out, kind):
    return [json.loads(line)
            for shard in sorted(Path(out, "_bulk").glob(f"{kind}-*.jsonl"))
            for line in shard.read_bytes().splitlines()]


def contents(out):
    """dict from a picture's name to its bytes; parts of files too."""
    return {str(path.relative_to(out)): path.read_bytes()
            for path in Path(out).rglob("*")
            if path.is_file() and path.suffix != ".jsonl"}


# --- A whole run -------------------------------------------------------------


def test_a_tree_of_good_and_bad_files(photos, version, tmp_path, capsys):
    folder, good = photos
    out = tmp_path / "out"
    assert run(folder, version, out, "--seed", "5") == 1
    said = capsys.readouterr()
    assert said.out.startswith("3 colourings each of 5 photographs, 0 skipped, "
                               "4 failed; ")
    assert said.out.count("\n") == 1 and not said.err

    made = contents(out)
    assert set(made) == {f"{stem}_0{rank}.png" for stem in good
                         for rank in range(3)}
    for stem, pixels in good.items():
        for rank in range(3):
            np.testing.assert_array_equal(
                images.read(made[f"{stem}_0{rank}.png"]).pixels,
                pixels + np.uint8(5 + rank))

    manifest = {row["stem"]: row for row in rows(out, "manifest")}
    assert set(manifest) == set(good)
    for stem, row in manifest.items():
        path = folder / f"{stem}.png"
        data = path.read_bytes()
        graph = (version / "saved_model.pb").read_bytes()
        variables = b"".join(file.read_bytes() for file in sorted(
            (version / "variables").iterdir()))
        assert row.pop("input_modified") == path.stat().st_mtime
        assert row.pop("run")
        assert row == {
            "stem": stem, "input": str(path), "input_bytes": len(data),
            "input_sha256": hashlib.sha256(data).hexdigest(),
            "width": 11, "height": 9, "num_samples": 3, "seed": 5,
            "temperature": 0.5, "model": str(version), "model_version": "7",
            "model_sha256": hashlib.sha256(graph + variables).hexdigest(),
            "outputs": [f"{stem}_0{rank}.png" for rank in range(3)],
            "share": [0.5, 0.25, 0.125], "log_prob": [0.5, -0.5, -1.5]}

    failed = {row["input"].removeprefix(f"{folder}/"): row["message"]
              for row in rows(out, "failed")}
    assert set(failed) == set(FAILURES)
    for name, message in FAILURES.items():
        assert failed[name].startswith(message)
        assert failed[name] and "\n" not in failed[name]


def test_the_same_command_again_skips(photos, version, tmp_path, capsys):
    folder, good = photos
    out = tmp_path / "out"
    run(folder, version, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    first = rows(out, "manifest")
    (folder / "a.png").write_bytes(encoded(pixels_of(20)))
    (folder / "empty.png").write_bytes(encoded(pixels_of(21)))
    capsys.readouterr()
    assert run(folder, version, out) == 1
    assert " of 2 photographs, 4 skipped, 3 failed" in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    changed = {path.name for path in after
               if after[path] != before.get(path)}
    assert changed == {f"{stem}_0{rank}.png" for stem in ("a", "empty")
                       for rank in range(3)}
    assert len(rows(out, "manifest")) == len(first) + 2
    # And the newest row counts.
    for name in ("cut.png", "deep/text.png", "unlucky.png"):
        (folder / name).unlink()
    assert run(folder, version, out) == 0
    assert " of 0 photographs, 6 skipped, 0 failed" in capsys.readouterr().out


def test_outputs_of_another_call_are_kept(photos, version, tmp_path):
    folder, good = photos
    out = tmp_path / "out"
    run(folder, version, out)
    before = contents(out)
    count = len(rows(out, "failed"))
    assert run(folder, version, out, "--seed", "6") == 1
    assert contents(out) == before
    messages = [row["message"] for row in rows(out, "failed")[count:]]
    assert sum("must have no outputs, or outputs of the same call (received "
               in message and "seed 0" in message
               for message in messages) == len(good)


def test_one_file_an_output_name(version, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(encoded(pixels_of(0), "JPEG"))
    (folder / "a.png").write_bytes(encoded(pixels_of(1)))
    # Patterns may overlap; a name need not be text.
    odd = os.fsencode(folder) + b"/\xff.png"
    with open(odd, "wb") as file:
        file.write(encoded(pixels_of(2)))
    assert bulk.main([f"{folder}/a.*", f"{folder}/*.png", "--model",
                      str(version), "--out", str(tmp_path / "out")]) == 1
    assert set(contents(tmp_path / "out")) == {
        f"a_0{rank}.png" for rank in range(8)}
    failed = {row["input"]: row["message"]
              for row in rows(tmp_path / "out", "failed")}
    assert failed == {
        f"{folder}/a.png": "must have an output name of its own "
                           f"(received a, also that of {folder}/a.jpg)",
        f"{folder}/\\udcff.png": "must have a path in UTF-8, without empty "
                                 f"parts or .. (received {os.fsdecode(odd)!r})"}
    assert rows(tmp_path / "out", "manifest")[0]["input"].endswith("a.jpg")


@pytest.mark.parametrize("name", ["", "/x.png", "a//x.png", "../x.png",
                                  "a/../../x.png", "a/"])
def test_names_that_objects_may_have_and_files_not(name, monkeypatch):
    """An object store's names must not lead out of the output folder."""
    found = [MatchResult("store://in/**", [
        FileMetadata(f"store://in/{one}", 1, 2.0) for one in (name, "b.png")])]
    monkeypatch.setattr(FileSystems, "match", lambda patterns: found)
    refused, kept = pipeline._List("/out").process(
        ("store://in/", "store://in/**"))
    assert refused.value["input"] == f"store://in/{name}"
    assert kept == ("b", ("store://in/b.png", 1, 2.0))


# --- Runs that do not go straight --------------------------------------------


def test_bundles_that_are_tried_again_change_nothing(
        photos, version, tmp_path):
    folder, good = photos
    run(folder, version, tmp_path / "once")
    run(folder, version, tmp_path / "again", "--direct_runner_bundle_repeat=1")
    assert contents(tmp_path / "again") == contents(tmp_path / "once")
    assert {row["stem"] for row in rows(tmp_path / "again", "manifest")
            } == set(good)


def test_a_run_that_broke_off_goes_on(
        photos, version, tmp_path, capsys, monkeypatch):
    folder, good = photos
    out = tmp_path / "out"
    run(folder, version, tmp_path / "straight")
    calls = []
    whole = saved_model.Servable.run

    def breaking(self, *arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise RuntimeError("the machine\nwent away")
        return whole(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(saved_model.Servable, "run", breaking)
        # So that the manifest has something: at most two calls are refused.
        patch.setattr(records, "_ROWS", 1)
        capsys.readouterr()
        assert run(folder, version, out) == 1
        said = capsys.readouterr()
        assert not said.out and said.err.count("\n") == 1
        assert said.err.startswith("tfdivcolor: ")
    done = len(rows(out, "manifest"))
    assert 0 < done < len(good)
    (out / "_bulk" / "tmp-0123").write_bytes(b"half a picture")
    assert run(folder, version, out) == 1
    assert contents(out) == contents(tmp_path / "straight")
    assert len(rows(out, "manifest")) == len(good)
    assert f" {done} skipped" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["model", "launcher"])
def test_stopping(photos, version, tmp_path, capsys, monkeypatch, place):
    def stop(*_):
        raise KeyboardInterrupt

    if place == "model":
        monkeypatch.setattr(saved_model.Servable, "run", stop)
    else:
        monkeypatch.setattr(files, "clear_parts", stop)
    assert run(photos[0], version, tmp_path / "out") == 130
    said = capsys.readouterr()
    assert said.err == ("tfdivcolor: stopped; run the same command to "
                        "continue\n")


@pytest.mark.slow
def test_a_killed_run_goes_on(version, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(1200):
        (folder / f"{i}.png").write_bytes(encoded(pixels_of(i, 80, 80)))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "serving.bulk", f"{folder}/*.png",
               "--model", str(version), "--out", str(out), "-n", "3"]
    process = subprocess.Popen(command, cwd=ROOT)
    while not rows(out, "manifest"):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(rows(out, "manifest")) < 1200
    assert subprocess.run(command, cwd=ROOT, timeout=600).returncode == 0
    run(folder, version, tmp_path / "straight")
    assert contents(out) == contents(tmp_path / "straight")


@pytest.mark.slow
def test_several_processes_make_the_same(photos, version, tmp_path):
    folder, _ = photos
    run(folder, version, tmp_path / "one")
    done = subprocess.run(
        [sys.executable, "-m", "serving.bulk", f"{folder}/**/*.png", "--model",
         str(version), "--out", str(tmp_path / "two"), "-n", "3",
         "--direct_num_workers=2", "--direct_running_mode=multi_processing"],
        cwd=ROOT, timeout=300, capture_output=True, text=True)
    assert done.returncode == 1 and "4 failed" in done.stdout
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


@pytest.mark.slow
def test_pictures_are_the_colorizers(tiny, tmp_path):
    from tfdivcolor import export
    from tfdivcolor.coloring import coloring
    from tfdivcolor.settings import ExportOptions

    version = export.save(tmp_path / "tiny", tiny, weights="none",
                          options=ExportOptions(max_pixels=20_000))
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(encoded(np.kron(
            pixels_of(i, 5, 7), np.ones((10, 10, 1), np.uint8))))
    assert run(folder, version, tmp_path / "out", "--seed", "4") == 0
    for i in range(3):
        expected = coloring.colorize(
            tiny, images.read(folder / f"{i}.png"), Sampling(3, 4, 0.5))
        for rank in range(3):
            got = images.read(tmp_path / "out" / f"{i}_0{rank}.png").pixels
            difference = np.abs(got.astype(int) - expected.image(rank))
            assert np.mean(difference <= 1) >= 0.999


# --- Wrong arguments ---------------------------------------------------------


@pytest.mark.parametrize("change, message", [
    ({"pattern": "none/*.png"}, "none/*.png: must be a pattern of files, such "
     "as 'photos/**/*.jpg' (received one that matches no file)"),
    ({"pattern": "."}, ".: must be a pattern of files, such as "
     "'photos/**/*.jpg' (received a folder)"),
    ({"--model": "absent"}, "without saved_model.pb"),
    ({"--out": "."}, "--out must not hold the photographs"),
    ({"--out": "out*"}, "--out must have no *, ? or ["),
    ({"-n": "101"}, "num_samples must be 1 to 100 (received 101)"),
    ({"--temprature": "1"}, "unrecognized arguments: --temprature 1"),
    ({"--runner": "Nonesuch"}, "Unexpected pipeline runner: Nonesuch"),
    ({"-n": "three"}, "argument -n/--num-samples"),
])
def test_wrong_arguments(version, tmp_path, monkeypatch, capsys, change,
                         message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.png").write_bytes(encoded(pixels_of(0)))
    options = {"--model": str(version), "--out": "out", **change}
    pattern = options.pop("pattern", "*.png")
    assert bulk.main([pattern, *sum(options.items(), ())]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help_is_instant():
    subprocess.run([sys.executable, "-c", "import sys, serving.bulk; assert "
                    "not {'tensorflow', 'apache_beam'} & set(sys.modules)"],
                   cwd=ROOT, check=True)


def test_without_beam(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "apache_beam.io.filesystems", None)
    assert bulk.main(["*", "--model", "m", "--out", "o"]) == 1
    assert "pip install '.[bulk]'" in capsys.readouterr().err


# --- The model ---------------------------------------------------------------


def test_handler_after_pickling(version):
    described = models.describe(str(version), 2)
    handler = models.SavedModelHandler(described, Sampling(2, 3, 0.25))
    pictures = [models.Picture({"input": "x"}, "x", data) for data in (
        encoded(pixels_of(0)), b"\0", encoded(pixels_of(1, 5, UNLUCKY)),
        encoded(pixels_of(2, 3, 4)))]
    for copy in (pickle.loads(pickle.dumps(handler)),
                 pickler.loads(pickler.dumps(handler))):
        model = copy.load_model()
        results = list(copy.run_inference(pictures, model))
        assert [result.example for result in results] == pictures
        first, *bad, last = [result.inference for result in results]
        # Refused ones cost their neighbours nothing.
        assert all(isinstance(refusal, models.Refusal) for refusal in bad)
        assert bad[1].message == "must be of luck (received 13)"
        for picture, made in zip((pictures[0], pictures[3]), (first, last)):
            direct = model.run("colorize_n", {
                "image_bytes": [picture.data], "num_samples": 2, "seed": 3,
                "temperature": 0.25})
            assert made.encoded == list(direct["colorized_bytes"][0])
            assert (made.share, made.log_prob) == ([0.5, 0.25], [0.25, -0.75])
        model.close()


def test_model_of_a_fixed_number(photos, tmp_path, capsys):
    version = save_model(
        tmp_path / "models" / "1", colorize,
        tf.TensorSpec([None], tf.int64, "seed"),
        tf.TensorSpec([None], tf.float32, "temperature"))
    folder, good = photos
    assert run(folder, version, tmp_path / "out") == 2
    assert (f"num_samples must be 2, the number that {version} was exported "
            "with (received 3)") in capsys.readouterr().err
    run(folder, version, tmp_path / "out", "-n", "2", "--seed", "1")
    made = contents(tmp_path / "out")
    assert len(made) == 2 * len(good)
    np.testing.assert_array_equal(
        images.read(made["a_01.png"]).pixels, good["a"] + np.uint8(2))
    assert {row["share"] for row in rows(tmp_path / "out", "manifest")} == {
        None}


@pytest.mark.slow
def test_a_model_that_sees_more_than_its_canvas(
        photos_version, tiny_photos, tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(encoded(pixels_of(0, 60, 80)))
    assert bulk.main([str(file), "--model", str(photos_version), "--out",
                      str(tmp_path / "out"), "-n", "3", "--seed", "5"]) == 0
    row, = rows(tmp_path / "out", "manifest")
    expected = tiny_photos.colorize(file, 3, seed=5)
    for rank, name in enumerate(row["outputs"]):
        received = images.read(tmp_path / "out" / name).pixels.astype(int)
        assert (np.abs(received - expected.image(rank)) <= 1).mean() >= 0.999
    np.testing.assert_allclose(row["share"], expected.share, atol=2.5 / 256)
    np.testing.assert_allclose(row["log_prob"], expected.log_prob, atol=1e-2)


def test_limit_of_an_export(version, tmp_path):
    copy = tmp_path / "1"
    copy.mkdir()
    (copy / "saved_model.pb").write_bytes(
        (version / "saved_model.pb").read_bytes())
    (copy / "contract.json").write_text('{"max_samples": 4}')
    assert models.describe(str(copy), 4).signature == "colorize_n"
    with pytest.raises(ValueError, match="at most 4.* .received 5."):
        models.describe(str(copy), 5)


# --- Files -------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [
    "**/*.jpg", "**/x*.jpg", "*.jpg", "*/*.jpg", "a/**/*.jpg", "a/b/**/*",
    "a/[xy].jpg", "a/?.jpg", "a/x.jpg"])
def test_patterns_are_those_of_a_shell(tmp_path, pattern):
    for name in ("x.jpg", "y.jpg", "a/x.jpg", "a/y.jpg", "a/b/x.jpg",
                 "a/b/c/xy.jpg", "a/b/c/z.png", "b/b/x.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    every = files.expand(str(tmp_path / pattern))
    found = {file.path for match in FileSystems.match(every)
             for file in match.metadata_list}
    assert found == {str(path) for path in tmp_path.glob(pattern)
                     if path.is_file()}
    folders = {files.fixed_folder(one) for one in every}
    assert len(folders) == 1
    assert all(path.startswith(folders.copy().pop()) for path in found)


def test_files_are_written_whole_or_not_at_all(tmp_path):
    out = str(tmp_path / "out")
    files.write({f"{out}/a/b.png": b"old", f"{out}/c.png": b"c"}, out)
    files.write({f"{out}/a/b.png": b"new"}, out)
    assert contents(out) == {"a/b.png": b"new", "c.png": b"c"}
    with pytest.raises(OSError):
        files.write({f"{out}/c.png/d.png": b"x"}, out)
    with pytest.raises(OSError):
        files.write({f"{out}/{'n' * 300}.png": b"x"}, out)
    assert contents(out) == {"a/b.png": b"new", "c.png": b"c"}


def test_a_file_that_cannot_be_written_is_a_dead_letter(
        version, tmp_path, capsys):
    name = "n" * 250  # with _00.png behind it, too long
    (tmp_path / f"{name}.x").write_bytes(encoded(pixels_of(0)))
    (tmp_path / "a.x").write_bytes(encoded(pixels_of(1)))
    assert bulk.main([f"{tmp_path}/*.x", "--model", str(version), "--out",
                      str(tmp_path / "out"), "-n", "1"]) == 1
    assert list(contents(tmp_path / "out")) == ["a_00.png"]
    row, = rows(tmp_path / "out", "failed")
    assert row["message"].startswith("must have outputs that can be written")


def test_files_that_are_too_large_are_not_read(
        version, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pipeline, "MAX_BYTES", 10)
    (tmp_path / "a.x").write_bytes(encoded(pixels_of(1)))
    assert bulk.main([f"{tmp_path}/*.x", "--model", str(version), "--out",
                      str(tmp_path / "out")]) == 1
    row, = rows(tmp_path / "out", "failed")
    assert row["message"].startswith("must have at most 10 bytes (received ")
