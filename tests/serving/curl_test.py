"""The curl example, against the stand-in server with a toy model."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import toy_model

from serving import standin

SCRIPT = (Path(__file__).parents[2] / "serving" / "examples" / "curl.sh")

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="no curl")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    toy_model.save(folder, 1)
    with standin.start(folder, labels={"stable": 1}) as server:
        yield server


def _curl(*arguments, **environment):
    return subprocess.run(
        [SCRIPT, *map(str, arguments)], env={"PATH": "/usr/bin:/bin",
                                             **environment},
        capture_output=True, text=True, timeout=60)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "a photo.jpg"
    path.write_bytes(b"IMG\xff\0\n" * 1000)
    return path


@pytest.mark.parametrize("model", ["tfdivcolor", "tfdivcolor/labels/stable",
                                   "tfdivcolor/versions/1"])
def test_pictures_arrive_byte_for_byte(server, photo, tmp_path, model):
    done = _curl(photo, tmp_path / "out", 7, URL=server.rest_address,
                 MODEL=model)
    assert (done.returncode, done.stderr) == (0, "")
    names = [tmp_path / f"out_{rank:02d}.png"
             for rank in range(toy_model.NUM_SAMPLES)]
    assert done.stdout.split() == list(map(str, names))
    for rank, name in enumerate(names):
        assert name.read_bytes() == photo.read_bytes() + b"|7|%d" % rank


def _error(*arguments, **environment):
    done = _curl(*arguments, **environment)
    assert not done.stdout
    return done.returncode, done.stderr


def test_what_the_model_refuses_is_said(server, tmp_path):
    (tmp_path / "text").write_text("no picture")
    code, said = _error(
        tmp_path / "text", tmp_path / "out", URL=server.rest_address)
    assert code == 1 and "HTTP 400" in said
    assert "image_bytes[0]: must be a whole picture" in said
    assert not list(tmp_path.glob("out*"))


def test_other_errors_are_said(server, photo, tmp_path):
    code, said = _error(tmp_path / "missing.jpg", tmp_path / "out",
                        URL=server.rest_address)
    assert code == 1
    assert f"PHOTO: must be a file (received {tmp_path}/missing.jpg)" in said
    assert _error(photo)[0] == 2
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    code, said = _error(photo, tmp_path / "out",
                        URL=f"http://127.0.0.1:{port}")
    assert code == 1 and said.startswith("curl: (7)")
