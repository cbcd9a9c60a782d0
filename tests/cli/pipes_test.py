"""Standard input and output in the place of files."""

import hashlib
import io
import os
import subprocess
import sys
import types

import pytest
from calls import errors_of, files_in, photograph, put, record_in, said
from PIL import Image

from tfdivcolor import cli
from tfdivcolor.cli import pipes

COMMAND = (sys.executable, "-c",
           "import sys; from tfdivcolor import cli; sys.exit(cli.main())",
           "colorize")


def _encoded(pixels, image_format="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format)
    return file.getvalue()


@pytest.fixture
def stream(weights, monkeypatch, capsysbinary):
    """Calls `colorize` with bytes as standard input; returns its exit code,
    stdout as bytes, and stderr."""
    def call(data, *arguments):
        monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(
            buffer=io.BytesIO(data), isatty=lambda: False))
        code = cli.main(
            ["colorize", "--weights", str(weights), *map(str, arguments)])
        out, err = capsysbinary.readouterr()
        return code, out, err.decode()
    return call


@pytest.mark.parametrize("name, image_format", [
    ("-", "PNG"), ("/dev/stdin", "JPEG")])
def test_a_stream_is_what_a_file_would_be(
        stream, tmp_path, name, image_format):
    data = _encoded(photograph(), image_format)
    photo = tmp_path / f"photo.{image_format.lower()}"
    photo.write_bytes(data)
    code, out, err = stream(data, name, "-n", 1, "--seed", 3, "--out", "-")
    assert code == 0
    message, = errors_of(err)
    assert message.startswith("1 colouring of 1 photograph (weights tiny, ")
    assert message.endswith("; wrote /dev/stdout")
    assert stream(b"", photo, "-n", 1, "--seed", 3, "--quiet", "--out",
                  tmp_path / "out") == (0, b"", "")
    result, = (tmp_path / "out").glob("photo_00.*")
    assert out == result.read_bytes()
    assert stream(data, name, "-n", 1, "--seed", 3, "--out", "/dev/stdout",
                  "--quiet") == (0, out, "")


def test_a_file_to_a_stream_in_a_format(stream, photo):
    code, out, _ = stream(b"", photo, "-n", 1, "--out", "-", "--format",
                          "webp", "--quiet")
    with Image.open(io.BytesIO(out)) as image:
        assert code == 0 and image.format == "WEBP"
        assert image.size == (52, 40)
    # A folder of one is one photograph.
    code, again, err = stream(b"", photo.parent, "-n", 1, "--out", "-",
                              "--format", "webp", "--quiet")
    assert (code, again, err) == (0, out, "")


def test_standard_input_to_a_folder(stream, tmp_path):
    data, out = _encoded(photograph()), tmp_path / "out"
    code, printed, _ = stream(data, "-", "-n", 2, "--out", out)
    assert code == 0 and printed.decode().endswith(f"; wrote {out}\n")
    assert sorted(files_in(out)) == [
        "stdin.json", "stdin_00.png", "stdin_01.png"]
    record = record_in(out, "stdin")
    assert record["input"] == "stdin"
    assert record["input_sha256"] == hashlib.sha256(data).hexdigest()
    assert b"1 already there" in stream(data, "-", "-n", 2, "--out", out)[1]
    # Another picture is another call.
    code, _, err = stream(
        _encoded(photograph(1)), "-", "-n", 2, "--out", out, "--quiet")
    assert code == 1 and errors_of(err)[0].startswith(
        "/dev/stdin: must have no output files of another call in the folder; "
        "choose another --out, or --overwrite")


def test_standard_input_beside_files(stream, photo, tmp_path):
    other = put(photo.parent / "stdin.png", photograph(2))
    code, _, err = stream(_encoded(photograph(1)), photo, "-", other, "-n", 1,
                          "--out", tmp_path / "out", "--quiet")
    assert (code, err) == (0, "")
    assert sorted(files_in(tmp_path / "out")) == [
        "photo.json", "photo_00.png", "stdin.json", "stdin.png.json",
        "stdin.png_00.png", "stdin_00.png"]


@pytest.mark.parametrize("data, received, out", [
    (b"", "an empty file", "-"),
    (b"no picture" * 9, "data that begin b'no pic", None)])
def test_what_is_no_picture(stream, tmp_path, data, received, out):
    code, printed, err = stream(
        data, "-", "-n", 1, "--out", out or tmp_path / "out", "--quiet")
    message, = errors_of(err)
    assert (code, printed) == (1, b"")
    assert message.startswith("/dev/stdin: must be an image, one of JPEG, ")
    assert f"(received {received}" in message
    assert not (tmp_path / "out").exists() or not files_in(tmp_path / "out")


def test_endless_input_is_not_read_to_its_end(monkeypatch):
    asked = []

    def read(size):  # it fails without a size
        asked.append(size)
        return bytes(size)

    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(
        isatty=lambda: False, buffer=types.SimpleNamespace(read=read)))
    assert pipes.read() == bytes(asked[0]) and len(asked) == 1


@pytest.mark.parametrize("stdin, received", [
    (None, "none"),
    (types.SimpleNamespace(isatty=lambda: True), "a terminal"),
    (types.SimpleNamespace(isatty=lambda: False, buffer=types.SimpleNamespace(
        read=lambda size: os.read(os.open("/", os.O_RDONLY), size))),
     "Is a directory")])
def test_no_input(run, monkeypatch, stdin, received):
    monkeypatch.setattr(sys, "stdin", stdin)
    code, _, err = run("-", "-n", 1)
    assert code == 1 and errors_of(err) == [
        f"/dev/stdin: must be an image (received {received})"]


@pytest.mark.parametrize("arguments, message", [
    (["-", "-"], "standard input must be named once (received - -)"),
    (["-", "/dev/stdin"], "standard input must be named once"),
    (["-", "--out", "-"], "--out - must go with -n 1 (received -n 8)"),
    (["-", "a.jpg", "-n", "1", "--out", "-"],
     "--out - must go with one photograph (received 2 paths)"),
    (["-", "-n", "1", "--out", "-", "--sheet"], "(received --sheet)"),
    (["-", "-n", "1", "--out", "-", "--gallery"], "(received --gallery)"),
    (["-", "-n", "1", "--out", "-", "--keep-original"],
     "(received --keep-original)"),
    (["-", "-n", "1", "--out", "-", "--page", "all"],
     "(received --page all)"),
    (["--page", "0", "a.tif"], "1 or more, or all (received '0')"),
    (["--page", "first", "a.tif"], "1 or more, or all (received 'first')"),
])
def test_wrong_arguments(stream, arguments, message):
    code, out, err = stream(b"", *arguments)
    line, = errors_of(err)
    assert (code, out) == (2, b"") and message in line


def test_a_stream_takes_one_photograph(stream, photo):
    put(photo.parent / "b.png", photograph(1))
    code, out, err = stream(b"", photo.parent, "-n", 1, "--out", "-")
    assert (code, out) == (2, b"") and errors_of(err) == [
        "--out - must go with one photograph (received 2)"]


def test_a_terminal_gets_no_picture(run, photo, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, _, err = run(photo, "-n", 1, out="-")
    assert code == 2 and "(received a terminal)" in err


def test_a_file_called_minus(run, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(photo.parent)
    photo.rename("-")
    code, _, err = run("./-", "-n", 1, "--quiet", out="./-out")
    assert (code, err) == (0, "")
    assert sorted(os.listdir("-out")) == ["-.json", "-_00.png"]


@pytest.mark.slow
def test_pipes_that_break_or_are_full(weights, photo):
    """In processes of their own: what is left in a buffer fails at the end."""
    with subprocess.Popen(
            [*COMMAND, "-", "-n", "1", "--out", "-", "--weights", weights],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        process.stdout.close()  # nobody reads
        process.stdin.write(photo.read_bytes())
        process.stdin.close()
        err = process.stderr.read().decode()
    assert process.returncode == 1 and said(err) == [
        "/dev/stdout: must stay open until the whole file is written (received "
        "Broken pipe)"]
    assert "Exception" not in err
    if os.path.exists("/dev/full"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [*COMMAND, photo, "-n", "1", "--out", "-", "--weights",
                 weights], stdout=full, stderr=subprocess.PIPE)
        assert done.returncode == 1 and said(done.stderr.decode()) == [
            "/dev/stdout: must stay open until the whole file is written "
            "(received No space left on device)"]
