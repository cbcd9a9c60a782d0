"""The command: what it writes, says and returns, in whole calls."""

import errno
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys

import hypothesis
import numpy as np
import pytest
import skimage.color
import skimage.data
import tensorflow as tf
from calls import errors_of, files_in, photograph, put, record_in
from hypothesis import strategies as st
from PIL import Image

from tfdivcolor import cli, images, presets
from tfdivcolor.coloring import coloring
from tfdivcolor.evaluation import two_sample
from training import synthetic

# --- What is written ---


def test_pictures_and_record_are_those_of_the_colorizer(
        run, photo, tmp_path, tiny, weights):
    code, stdout, stderr = run(
        photo, "-n", 3, "--seed", 5, "--temperature", 0.8, "--sheet")
    out = tmp_path / "out"
    assert (code, stderr) == (0, "")
    assert sorted(files_in(out)) == [
        "photo.json", "photo_00.png", "photo_01.png", "photo_02.png",
        "photo_sheet.png"]
    expected = tiny.colorize(
        photo, num_samples=3, seed=5, temperature=0.8)
    record = record_in(out)
    assert sum(record["share"]) == pytest.approx(1, abs=1e-5)
    for key in ("share", "log_prob", "component", "weight", "latents"):
        np.testing.assert_allclose(
            record[key], getattr(expected, key), rtol=1e-5, atol=1e-5)
    assert record["input"] == "photo.png"
    assert record["input_sha256"] == hashlib.sha256(
        photo.read_bytes()).hexdigest()
    assert (record["width"], record["height"]) == (52, 40)
    assert record["outputs"] == [
        "photo_00.png", "photo_01.png", "photo_02.png", "photo_sheet.png"]
    digest = hashlib.sha256(
        (weights / "model.weights.h5").read_bytes()).hexdigest()
    assert (record["weights"], record["weights_sha256"]) == ("tiny", digest)
    for rank in range(3):
        with Image.open(out / f"photo_{rank:02d}.png") as image:
            # The command's networks see eight rows: last bits may differ.
            difference = np.abs(
                np.asarray(image).astype(int) - expected.image(rank))
            assert difference.max() <= 1 and np.mean(difference) < 1e-3
            text = image.text
        assert text["Software"].startswith("tfdivcolor ")
        assert text["weights"] == f"tiny {digest}"
        assert (text["rank"], text["seed"], text["num_samples"]) == (
            str(rank), "5", "3")
        assert (text["mode"], text["temperature"]) == ("diverse", "0.8")
        for key in ("share", "log_prob"):
            assert float(text[key]) == pytest.approx(
                record[key][rank], abs=1e-3)
    assert stdout == (
        f"3 colourings of 1 photograph (weights tiny, {digest[:12]}...); "
        f"wrote {out / 'photo_sheet.png'}\n")


def test_results_have_the_luminance_of_a_photograph_in_colour(run, tmp_path):
    pixels = skimage.data.astronaut()[60:130, 180:270]
    first = put(tmp_path / "in" / "a.png", pixels)
    put(tmp_path / "in" / "b.png", pixels[::-1])
    code, _, stderr = run(first.parent, "-n", 2)
    assert code == 0
    # Once, however many; the progress bar is there too.
    assert re.findall(r"tfdivcolor: .*", stderr) == [
        f"tfdivcolor: {first} is in colour: its luminance is used"]
    assert "2/2" in stderr
    luminance = skimage.color.rgb2lab(pixels)[..., 0]
    for rank in range(2):
        with Image.open(tmp_path / "out" / f"a_{rank:02d}.png") as image:
            found = skimage.color.rgb2lab(np.asarray(image))[..., 0]
        assert np.abs(found - luminance).max() <= 0.5


def test_folders_keep_their_tree_and_failures_do_not_stop_the_rest(
        run, tmp_path):
    folder = tmp_path / "in"
    put(folder / "a.png", photograph(1))
    put(folder / "a.bmp", photograph(2))
    put(folder / "deep" / "er" / "b.png", photograph(3))
    (folder / "bad.jpg").write_bytes(b"no picture")
    missing = tmp_path / "missing.png"
    code, stdout, stderr = run(folder, missing, "-n", 1, "--quiet")
    assert code == 1 and stdout == ""
    files = files_in(tmp_path / "out")
    assert sorted(files) == [
        "a.bmp.json", "a.bmp_00.bmp", "a.png.json", "a.png_00.png",
        "deep/er/b.json", "deep/er/b_00.png", "tfdivcolor_failed.txt"]
    listed = files["tfdivcolor_failed.txt"].decode().splitlines()
    assert listed == errors_of(stderr)
    # The names are found before the pictures are read.
    no_file, no_picture = errors_of(stderr)
    assert no_file.startswith(f"{missing}: ")
    assert no_picture.startswith(f"{folder / 'bad.jpg'}: ")


def test_results_are_files_like_the_photograph(run, tmp_path):
    pixels = skimage.data.astronaut()[60:124, 180:260]
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    exif[0x0112] = 6  # lies on its side
    photo = put(tmp_path / "in" / "photo.jpg", pixels, exif=exif)
    assert run(photo, "-n", 2, "--quiet")[0] == 0
    record = record_in(tmp_path / "out")
    assert record["outputs"] == ["photo_00.jpg", "photo_01.jpg"]
    assert (record["width"], record["height"]) == (64, 80)
    with (Image.open(photo) as before,
          Image.open(tmp_path / "out" / "photo_01.jpg") as after):
        assert after.format == "JPEG" and after.size == (64, 80)
        assert after.getexif()[0x010F] == "A camera"
        assert after.getexif().get(0x0112, 1) == 1
        luminance = skimage.color.rgb2lab(
            np.asarray(before.transpose(Image.Transpose.ROTATE_270)))[..., 0]
        found = skimage.color.rgb2lab(np.asarray(after))[..., 0]
    assert images.read_metadata(tmp_path / "out" / "photo_01.jpg")[
        "rank"] == "1"
    # A lossy format says what it costs.
    error = np.abs(found - luminance).max()
    assert record["luminance_error"][1] == pytest.approx(error, abs=0.1)
    assert 0 < error < 8


def test_format_as_wanted_in_16_bits(run, tmp_path):
    values = np.linspace(0, 65535, 40 * 50).reshape(40, 50).astype(np.uint16)
    photo = tmp_path / "photo.png"
    Image.fromarray(values).save(photo)
    assert run(photo, "-n", 1, "--format", "tiff", "--quiet")[0] == 0
    assert record_in(tmp_path / "out")["luminance_error"] is None
    written = images.read(tmp_path / "out" / "photo_00.tif").pixels_16
    found = skimage.color.rgb2lab(written)[..., 0]
    expected = skimage.color.rgb2lab(
        np.repeat(values[..., None], 3, -1))[..., 0]
    assert np.abs(found - expected).max() < 0.05
    # Another format is another call, whose files take the place of these.
    assert run(photo, "-n", 1, "--format", "png", "--quiet")[0] == 1
    assert run(photo, "-n", 1, "--format", "png", "--overwrite")[0] == 0
    assert sorted(files_in(tmp_path / "out")) == [
        "photo.json", "photo_00.png"]


def test_steering_is_recorded(run, photo, tmp_path):
    code, _, stderr = run(
        photo, "-n", 2, "--hint", "10,12,#c03020", "--hint", "40,30,#2040a0",
        "--warmer", 2, "--saturation", 1.2)
    assert code == 0
    assert len(re.findall(
        r"the distance to hint \d+,\d+,#\w{6} is ", stderr)) == 2
    record = record_in(tmp_path / "out")
    assert record["steering"] == {
        "hints": ["10,12,#c03020", "40,30,#2040a0"], "keep": None,
        "strength": 0.3, "warmth": 2.0, "saturation": 1.2}
    assert [hint["rgb"] for hint in record["hints"]] == [
        "#c03020", "#2040a0"]
    assert all(len(hint["after"]) == 2 for hint in record["hints"])
    with Image.open(tmp_path / "out" / "photo_00.png") as image:
        assert image.text["hints"] == "10,12,#c03020 40,30,#2040a0"
        assert image.text["warmth"] == "2.0" and "keep" not in image.text
    # The same call is done; another hint is another call.
    assert run(photo, "-n", 2)[0] == 1


def test_all_frames_have_the_latents_of_the_first(run, tmp_path):
    for i in range(3):
        put(tmp_path / "in" / f"{i}.png", photograph(1, 40, 52 - i))
    folder = tmp_path / "in"
    assert run(folder, "-n", 2, "--same-z", "--quiet")[0] == 0
    records = [record_in(tmp_path / "out", str(i)) for i in range(3)]
    for record in records[1:]:
        np.testing.assert_allclose(
            record["latents"], records[0]["latents"], rtol=1e-5)
        assert record["same_z_as"] == records[0]["input_sha256"]
    before = files_in(tmp_path / "out")
    # Resumed, they still do.
    (tmp_path / "out" / "2_00.png").unlink()
    assert run(folder, "-n", 2, "--same-z", "--quiet")[0] == 0
    assert files_in(tmp_path / "out") == before


def test_gallery_and_original(run, tmp_path):
    pixels = skimage.data.astronaut()[60:130, 180:270]
    photo = put(tmp_path / "in" / "photo.png", pixels)
    code, stdout, _ = run(
        photo, "-n", 2, "--gallery", "--sheet", "--keep-original")
    out = tmp_path / "out"
    assert code == 0
    assert stdout.endswith(f"wrote {out / 'photo_sheet.png'} and "
                           f"{out / 'index.html'}\n")
    assert sorted(files_in(out)) == [
        "index.html", "photo.json", "photo_00.png", "photo_01.png",
        "photo_original.png", "photo_sheet.png"]
    np.testing.assert_array_equal(
        images.read(out / "photo_original.png").pixels, pixels)
    sheet = images.read(out / "photo_sheet.png").pixels
    corner = pixels[3, :40]
    rows = np.argwhere((sheet == corner[0]).all(-1))
    assert any(np.array_equal(sheet[y, x:x + 40], corner) for y, x in rows)
    assert "photo_01.png" in (out / "index.html").read_text()


# --- Calls that follow each other ---


def test_results_do_not_depend_on_the_group(run, tmp_path):
    for i in range(3):
        put(tmp_path / "in" / f"{i}.png", photograph(i))
    assert run(tmp_path / "in", "-n", 2, "--quiet")[0] == 0
    assert run(tmp_path / "in" / "1.png", "-n", 2, out=tmp_path / "alone")[
        0] == 0
    together, alone = files_in(tmp_path / "out"), files_in(tmp_path / "alone")
    assert len(alone) == 3
    assert all(together[name] == data for name, data in alone.items())


def test_nothing_of_the_users_is_replaced_or_removed(
        run, photo, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert run(photo, "-n", 1)[0] == 0
    # What the equal call before did not write is not ours.
    (out / "photo_sheet.png").write_text("a user's")
    assert run(photo, "-n", 1, "--sheet")[0] == 1
    (out / "index.html").write_text("a site")
    code, _, stderr = run(photo, "-n", 1, "--gallery")
    assert code == 1 and "must be a gallery of an earlier call" in stderr
    assert (out / "photo_sheet.png").read_text() == "a user's"
    assert (out / "index.html").read_text() == "a site"
    # Nor does a flag make outputs of photographs.
    assert run(photo, "-n", 1, out=photo.parent)[0] == 0
    other = put(photo.parent / "photo_00.png", photograph(4))
    before = other.read_bytes()
    code, _, stderr = run(photo, other, "-n", 1, "--seed", 1, "--overwrite",
                          "--quiet", out=photo.parent)
    assert code == 1 and "replace no photograph of this call" in stderr
    assert other.read_bytes() == before
    assert (photo.parent / "photo_00_00.png").exists()


def test_what_an_equal_call_has_made_stays(run, tmp_path):
    photo = put(tmp_path / "in" / "photo.png",
                 skimage.data.astronaut()[60:100, 180:220])
    assert run(photo, "-n", 1, "--sheet")[0] == 0
    assert run(photo, "-n", 1, "--keep-original")[0] == 0
    files = set(files_in(tmp_path / "out"))
    assert files == {"photo.json", "photo_00.png", "photo_original.png",
                     "photo_sheet.png"}
    assert ", 1 already there" in run(photo, "-n", 1, "--sheet")[1]


def test_one_pictures_fault_costs_no_other(
        run, tmp_path, monkeypatch):
    for stem in "abc":
        put(tmp_path / "in" / f"{stem}.png", photograph())
    shutil.copy(tmp_path / "in" / "a.png",
                tmp_path / "in" / f"{'n' * 251}.png")  # outputs' are too long
    looked = coloring.canvas.on_canvas

    calls = iter(range(100))

    def poor(luminance, canvas):
        if next(calls) == 1:
            raise tf.errors.ResourceExhaustedError(None, None, "no memory")
        return looked(luminance, canvas)
    monkeypatch.setattr(coloring.canvas, "on_canvas", poor)
    code, stdout, stderr = run(tmp_path / "in", "-n", 1)
    assert code == 1 and "of 2 photographs" in stdout
    assert "2 failed" in stdout
    assert "b.png: must be a photograph that can be colourised here " in stderr
    assert "no memory" in stderr and "File name too long" in stderr
    assert set(files_in(tmp_path / "out")) == {
        "a.json", "a_00.png", "c.json", "c_00.png",
        "tfdivcolor_failed.txt"}


@pytest.mark.slow
def test_a_killed_call_goes_on(run, weights, tmp_path):
    for stem in "abc":
        put(tmp_path / "in" / f"{stem}.png", photograph())
    killed = (
        "import os, signal, sys\n"
        "from tfdivcolor import cli\n"
        "from tfdivcolor.utils import files\n"
        "write, calls = files.write_atomically, iter(range(99))\n"
        "def kill(path, data):\n"
        "    if next(calls) == 6:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    write(path, data)\n"
        "files.write_atomically = kill\n"
        "sys.exit(cli.main(sys.argv[1:]))\n")
    # Into the folder itself: what is half done is no photograph.
    done = subprocess.run(
        [sys.executable, "-c", killed, "colorize", tmp_path / "in",
         "--weights", weights, "--out", tmp_path / "in", "-n", "2"],
        capture_output=True)
    assert done.returncode == -9
    left = set(files_in(tmp_path / "in"))
    assert {"a_01.png", "b.json"} <= left and "c.json" not in left
    code, stdout, _ = run(tmp_path / "in", "-n", 2, out=tmp_path / "in")
    assert code == 0 and "of 2 photographs" in stdout
    assert "1 already there" in stdout
    # The other writer may have been killed in the middle of a file.
    whole = [name for name in files_in(tmp_path / "in")
             if not name.startswith(".")]
    assert len(whole) == 3 * 4


def test_a_higher_limit_holds_for_results_too(run, tmp_path, monkeypatch):
    photo = put(tmp_path / "in" / "photo.jpg", photograph())
    monkeypatch.setattr(images.read, "__defaults__", (1000, None, False))
    assert run(photo, "-n", 1, "--max-pixels", 5000)[0] == 0


def test_a_film_needs_its_first_frame(run, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"none")
    put(tmp_path / "in" / "b.png", photograph())
    code, stdout, stderr = run(tmp_path / "in", "-n", 1, "--same-z")
    assert code == 1 and stdout == ""
    assert "the other photographs need its latents" in stderr
    assert not files_in(tmp_path / "out")


def test_a_list_of_failures_goes_when_they_do(run, photo, tmp_path):
    bad = photo.parent / "bad.png"
    bad.write_bytes(b"")
    listed = tmp_path / "out" / "tfdivcolor_failed.txt"
    code, stdout, _ = run(photo.parent, "-n", 1)
    assert code == 1 and f"1 failed (see {listed})" in stdout
    assert listed.read_text().startswith(f"{bad}: ")
    bad.unlink()
    assert run(photo.parent, "-n", 1)[0] == 0 and not listed.exists()


def test_names_that_are_not_text(run, photo):
    name = os.fsdecode(b"caf\xe9.png")
    try:
        shutil.copy(photo, photo.parent / name)
    except OSError:
        pytest.skip("this file system has only names that are text")
    (photo.parent / os.fsdecode(b"bad\xff.png")).write_bytes(b"none")
    code, stdout, stderr = run(photo.parent, "-n", 1, "--gallery")
    assert code == 1 and "of 2 photographs" in stdout
    assert "bad\\xff.png: " in stderr or "bad\\udcff.png: " in stderr


def test_what_is_done_is_skipped(run, photo, tmp_path):
    assert run(photo, "-n", 2)[0] == 0
    before = files_in(tmp_path / "out")
    code, stdout, _ = run(photo, "-n", 2)
    assert code == 0 and ", 1 already there; see " in stdout
    assert files_in(tmp_path / "out") == before
    # A lost file of the same call is made again, the same.
    (tmp_path / "out" / "photo_01.png").unlink()
    assert run(photo, "-n", 2)[0] == 0
    assert files_in(tmp_path / "out") == before


def test_outputs_of_another_call_stay_unless_overwritten(
        run, photo, tmp_path):
    assert run(photo, "-n", 3)[0] == 0
    before = files_in(tmp_path / "out")
    for change in (["-n", 2], ["-n", 3, "--seed", 1],
                   ["-n", 3, "--mode", "samples"],
                   ["-n", 3, "--temperature", 0]):
        code, _, stderr = run(photo, *change)
        [message] = errors_of(stderr)
        assert code == 1 and message.startswith(f"{photo}: ")
        assert "--overwrite" in message
        assert files_in(tmp_path / "out") == before
    put(photo, photograph(7))  # another picture under the same name
    assert run(photo, "-n", 3)[0] == 1
    assert run(photo, "-n", 2, "--overwrite")[0] == 0
    # The third of the earlier call is gone: it would pass for one of these.
    assert sorted(files_in(tmp_path / "out")) == [
        "photo.json", "photo_00.png", "photo_01.png"]
    assert record_in(tmp_path / "out")["num_samples"] == 2


def test_files_of_others_are_not_replaced(run, photo, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "photo.json").write_text("[1, 2]")
    assert run(photo, "-n", 1)[0] == 1
    assert files_in(tmp_path / "out") == {"photo.json": b"[1, 2]"}


def test_outputs_are_not_taken_for_photographs(run, photo):
    folder = photo.parent
    for _ in range(2):
        assert run(folder, "-n", 2, "--sheet", out=folder)[0] == 0
    assert sorted(files_in(folder)) == [
        "photo.json", "photo.png", "photo_00.png", "photo_01.png",
        "photo_sheet.png"]
    photo.unlink()
    code, _, stderr = run(folder, "-n", 2, out=folder)
    assert code == 1 and "earlier outputs" in errors_of(stderr)[0]


# --- Calls that cannot end well ---


def _interrupt_at(monkeypatch, call, error):
    """Makes the call-th full-size picture raise the error."""
    calls = iter(range(1000))
    image = coloring.Coloring.image

    def interrupted(self, index):
        if next(calls) == call:
            raise error
        return image(self, index)
    monkeypatch.setattr(coloring.Coloring, "image", interrupted)


def test_interrupted_leaves_whole_photographs_and_can_go_on(
        run, tmp_path, monkeypatch):
    for stem in "abc":
        photo = put(tmp_path / "in" / f"{stem}.png", photograph())
    with monkeypatch.context() as patched:
        _interrupt_at(patched, 3, KeyboardInterrupt)
        code, stdout, stderr = run(photo.parent, "-n", 2)
    assert code == 130 and stdout == ""
    assert stderr.splitlines()[-1] == (
        "tfdivcolor: stopped: the same command goes on from here")
    assert sorted(files_in(tmp_path / "out")) == [
        "a.json", "a_00.png", "a_01.png"]
    code, stdout, _ = run(photo.parent, "-n", 2)
    assert code == 0
    assert "of 2 photographs" in stdout and "1 already there" in stdout


def test_full_disk_stops_at_once(run, tmp_path, monkeypatch):
    for stem in "ab":
        photo = put(tmp_path / "in" / f"{stem}.png", photograph())

    def full(source, destination):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(os, "replace", full)
    code, stdout, stderr = run(photo.parent, "-n", 1)
    assert code == 1 and stdout == ""
    assert len(re.findall("tfdivcolor: ", stderr)) == 1
    assert "(received No space left on device)" in stderr
    assert files_in(tmp_path / "out") == {}


@pytest.mark.parametrize("below", ["", "deeper"])
def test_out_must_be_a_folder(run, photo, tmp_path, below):
    (tmp_path / "file").write_text("")
    code, stdout, stderr = run(photo, out=tmp_path / "file" / below)
    [message] = errors_of(stderr)
    assert code == 1 and stdout == ""
    assert "must be a folder that can be written (received" in message


def test_changed_weights_are_refused(run, photo, weights, tmp_path):
    changed = shutil.copytree(weights, tmp_path / "changed")
    with open(changed / "model.weights.h5", "ab") as file:
        file.write(b"\0")
    code, stdout, stderr = run(photo, "--weights", changed)
    [message] = errors_of(stderr)
    assert code == 1 and stdout == "" and "checksum" in message


@pytest.mark.parametrize("arguments, named", [
    (["--seed", 2**63], "seed"),
    (["--seed", "1.5"], "--seed"),
    (["--temperature", "-0.1"], "temperature"),
    (["--temperature", "nan"], "temperature"),
    (["--temperature", "inf"], "temperature"),
    (["--mode", "best"], "--mode"),
    (["--threads", "0"], "--threads"),
    (["--max-pixels", "-5"], "--max-pixels"),
    (["--colour"], "--colour"),
    (["--format", "gif"], "--format"),
    (["--hint", "1,2,red"], "X,Y,#RRGGBB"),
    (["--hint=-1,2,#ffffff"], "X,Y,#RRGGBB"),
    (["--keep", 8], "keep must be the rank of one of the results, 0 to 7"),
    (["--keep", -1], "keep"),
    (["--keep", 1, "--strength", "nan"], "strength"),
    (["--strength", 0.5], "--strength needs --keep"),
    (["--warmer", 3, "--cooler", 3], "not allowed with"),
    (["--warmer", 1000], "warmth"),
    (["--saturation", -1], "saturation"),
    (["--weights", "nowhere"], "weights"),
    (["--mode", "components", "-n", 5], "num_samples"),
])
def test_wrong_arguments(run, photo, tmp_path, arguments, named):
    code, stdout, stderr = run(photo, *arguments)
    [message] = errors_of(stderr)
    assert code == 2 and stdout == "" and named in message
    assert not files_in(tmp_path).keys() - {"in/photo.png"}


@hypothesis.settings(
    deadline=None, max_examples=30, suppress_health_check=[
        hypothesis.HealthCheck.function_scoped_fixture])
@hypothesis.given(number=st.integers(max_value=0) | st.integers(101))
def test_number_outside_its_range(run, photo, number):
    code, stdout, stderr = run(photo, "-n", number)
    [message] = errors_of(stderr)
    assert (code, stdout) == (2, "")
    assert message == f"num_samples must be 1 to 100 (received {number})"


@pytest.mark.parametrize("arguments", [[], ["colorize"], ["paint"]])
def test_wrong_commands(capsys, arguments):
    assert cli.main(arguments) == 2
    [message] = errors_of(capsys.readouterr().err)
    assert "--help" in message


def test_hint_outside_the_picture(run, photo, tmp_path):
    code, _, stderr = run(photo, "-n", 1, "--hint", "52,0,#ff0000")
    [message] = errors_of(stderr)
    assert code == 1 and message == (
        f"{photo}: hint: must lie inside the picture, 0..51, 0..39 "
        "(received 52,0)")
    assert not files_in(tmp_path / "out")


def test_limit_on_pixels(run, photo):
    code, _, stderr = run(photo, "--max-pixels", 40 * 52 - 1)
    assert code == 1 and "2079 pixels" in errors_of(stderr)[0]
    assert run(photo, "--max-pixels", 40 * 52, "-n", 1)[0] == 0


# --- evaluate ---


def test_evaluate_says_what_it_wrote(weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(two_sample, "two_sample_auc", lambda *pictures: 0.5)
    pictures = synthetic.write_folder(tmp_path / "pictures", 4)
    table = tmp_path / "table.json"
    assert cli.main(["evaluate", "--data", str(pictures), "--weights",
                     str(weights), "--subset-size", "1", "--json", str(table)
                     ]) == 0
    text = capsys.readouterr().out
    assert text.startswith("weights tiny, ") and "4 pictures" in text
    assert "best 100" in text and "baselines: not run" in text
    assert text.endswith(f"wrote {table}\n") and table.is_file()


@pytest.mark.parametrize("arguments, code, named", [
    ([], 2, "--data"),
    (["--data", "nowhere"], 1, "nowhere"),
    (["--data", "x", "--limit", "0"], 2, "--limit"),
    (["--data", "x", "--seeds", "none"], 2, "--seeds"),
    (["--data", "x", "--temperature", "-1"], 2, "temperature"),
    (["--data", "x", "--baselines", "no_folder"], 1, "baselines"),
])
def test_evaluate_refuses(weights, capsys, arguments, code, named):
    assert cli.main(
        ["evaluate", "--weights", str(weights), *arguments]) == code
    [message] = errors_of(capsys.readouterr().err)
    assert named in message


# --- info ---


def test_info_describes_weights(weights, capsys):
    (weights / "card.md").write_text("A card.")
    assert cli.main(["info", "--weights", str(weights)]) == 0
    rows = dict(re.split(r"  +", line, maxsplit=1)
                for line in capsys.readouterr().out.splitlines())
    assert rows["shipped weights"] == (
        ", ".join(presets.shipped()) or "none")
    assert rows["folder"] == str(weights)
    assert rows["sha256"] == hashlib.sha256(
        (weights / "model.weights.h5").read_bytes()).hexdigest()
    assert re.fullmatch(r"\d+\.\d MB", rows["size"])
    assert int(rows["parameters"].replace(",", "")) > 10_000
    assert rows["data"] == "none at all"
    assert rows["card"] == str(weights / "card.md")
    assert "keras" in rows["installed"]


def test_info_needs_weights(tmp_path, capsys):
    assert cli.main(["info", "--weights", str(tmp_path)]) == 2
    [message] = errors_of(capsys.readouterr().err)
    assert str(tmp_path) in message


# --- Fresh processes ---


_HEAVY = """
import sys
from tfdivcolor import cli
try:
    code = cli.main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print(code, *sorted({"tensorflow", "keras", "numpy"} & sys.modules.keys()))
"""


@pytest.mark.parametrize("arguments, code_and_imports", [
    (["--help"], "0"), (["colorize", "--help"], "0"),
    (["colorize", "x.png", "-n", "0"], "2 numpy"),
    (["colorize", "x.png"], "1 numpy")])
def test_what_is_heavy_is_imported_only_for_work(
        arguments, code_and_imports, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _HEAVY, *arguments], cwd=tmp_path,
        capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == code_and_imports


# Objects of imports are no garbage, which would cost two seconds to see.
_WITHOUT_GARBAGE = """
import gc, sys
from tfdivcolor import cli
code = cli.main()
assert gc.isenabled() and gc.get_freeze_count() > 100_000
sys.exit(code)
"""


def test_fresh_processes_write_the_same_bytes_and_no_noise(
        weights, tmp_path):
    folder = tmp_path / "in"
    for i in range(6):  # of different sizes
        put(folder / f"{i}.png", photograph(i, 30 + i, 40 - i))
    # Metadata that Pillow warns of.
    put(folder / "exif.png", photograph(),
         exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith("TF_CPP_")}
    for out in ("first", "second"):
        done = subprocess.run(
            [sys.executable, "-c", _WITHOUT_GARBAGE,
             "colorize", "in", "--weights", weights, "--out", out,
             "--threads", "1", "-n", "2", "--sheet", "--quiet"],
            cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    first = files_in(tmp_path / "first")
    assert len(first) == 7 * 4 and first == files_in(tmp_path / "second")
    with Image.open(io.BytesIO(first["exif_00.png"])) as image:
        assert image.size == (52, 40)
