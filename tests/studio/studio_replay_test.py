"""The command makes the same files as the studio, with the shipped weights."""

import io
import os
import signal
import socket
import subprocess
import sys
import zipfile

import pytest
import skimage.data
import studio_photos
from browsers import chromium, firefox
from PIL import Image
from studio_page import Page
from studio_server import Studio

pytestmark = pytest.mark.slow
WEIGHTS = "photos"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs of several kinds."""
    folder = tmp_path_factory.mktemp("photographs")
    astronaut = Image.fromarray(skimage.data.astronaut())
    astronaut.convert("L").save(folder / "face.png")
    astronaut.save(folder / "turned.jpg", exif=studio_photos.turned(),
                   quality=92)
    Image.fromarray(skimage.data.camera()).resize((3000, 4000)).save(
        folder / "large.jpg")
    studio_photos.write_16_bits(folder / "deep.tif")
    return folder


@pytest.fixture(scope="module")
def studio(folder, tmp_path_factory):
    with Studio(tmp_path_factory.mktemp("studio"), WEIGHTS, folder) as studio:
        yield studio


def colorize(photo, recipe, out):
    """Replays a recipe; returns names and bytes of the files."""
    ended = subprocess.run(
        [sys.executable, "-c", "from tfdivcolor import cli; exit(cli.main())",
         "colorize", str(photo), "--recipe", str(recipe), "--out", str(out)],
        capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return {path.name: path.read_bytes() for path in out.iterdir()
            if path.suffix != ".json"}  # the command's records


def states(width, height):
    """States of each kind: dict from names to states."""
    hints = [{"x": width // 3, "y": height // 2, "rgb": "#7a4a2a"},
             {"x": width // 2, "y": height // 4, "rgb": "#335577",
              "muted": True},
             {"x": 2 * width // 3, "y": height // 5, "rgb": "#8899aa"}]
    return {"plain": {"seed": str(2**60 + 1), "num_samples": 5},
            "dials": {"warmth": 6.5, "saturation": 1.3, "temperature": 0.8},
            "hints": {"hints": hints, "warmth": -3},
            "muted": {"hints": hints[:2], "num_samples": 3}}


@pytest.mark.parametrize("name, kinds", [
    ("face.png", ("plain", "dials", "hints", "muted", "like")),
    ("turned.jpg", ("hints",)), ("large.jpg", ("like",)),
    ("deep.tif", ("hints",))])
def test_recipes_give_the_same_bytes(studio, folder, tmp_path, name, kinds):
    photo = next(photo["id"] for photo in studio.ask(
        "GET", "/api/studio")["photos"] if photo["name"] == name)
    size = studio.ask("GET", f"/api/photos/{photo}")
    wanted = states(size["width"], size["height"])
    first = studio.ask("POST", f"/api/photos/{photo}/results",
                       wanted["plain"])
    wanted["like"] = {"kept": first["results"][3]["latents"], "strength": 0.4,
                      "hints": wanted["hints"]["hints"][:1]}
    for kind in kinds:
        items = [{"photo": photo, "state": wanted[kind], "ranks": [0, 2]}]
        files = {}
        for form in ("original", "recipe"):
            job = studio.ask("POST", "/api/exports",
                             {"format": form, "items": items})["id"]
            studio.ready(job)
            files[form] = studio.request(
                "GET", f"/api/exports/{job}/file").body
        recipe = tmp_path / f"{kind}.json"
        recipe.write_bytes(files["recipe"])
        with zipfile.ZipFile(io.BytesIO(files["original"])) as archive:
            taken = {name: archive.read(name) for name in archive.namelist()}
        assert len(taken) == 2
        assert colorize(folder / name, recipe, tmp_path / kind) == taken, kind


@pytest.mark.parametrize("driver", [chromium, firefox],
                         ids=["chromium", "firefox"])
def test_the_page_works_with_the_shipped_weights(
        studio, folder, tmp_path, driver):
    if driver.find() is None:
        pytest.skip(f"needs one of {', '.join(driver.NAMES)}")
    photo = studio.add(folder / "face.png")
    with driver.Browser(tmp_path / "profile") as browser:
        page = Page(browser, studio)
        page.open(photo)
        page.large()
        page.hint(0.3, 0.7)
        page.hint(0.7, 0.2, "#3050a0")
        state = page.wait_for_state(lambda state: len(state["hints"]) == 2)
        page.browser.press("Escape")
        name, written, _ = page.take_away("png")
        recipe = tmp_path / "recipe.json"
        recipe.write_bytes(page.take_away("recipe")[1])
        page.leave()
    assert state["hints"][1]["rgb"] == "#3050a0"
    assert colorize(folder / "face.png", recipe, tmp_path / "out") == {
        name: written}


def test_it_answers_other_machines_only_when_told_to(weights, tmp_path):
    """With --host, the studio warns and still requires the token."""
    with Studio(tmp_path, weights, "--host", "0.0.0.0") as studio:
        assert "token" in studio.log() and "not encrypted" in (
            studio.log())
        name = socket.gethostname()
        for host, status in ((f"{name}:{studio.port}", 403),
                             (f"127.0.0.1:{studio.port}", 403),
                             (f"evil.example:{studio.port}", 403)):
            answer = studio.request("GET", "/api/studio",
                                    headers={"Host": host})
            assert answer.status == status
            assert answer.code[1] == ("host" if "evil" in host else "token")
        assert studio.request("GET", "/api/studio").status == 200


def test_what_was_open_is_open_again(weights, tmp_path):
    """A start without photographs opens the last strip, even after a kill."""
    path = studio_photos.write(tmp_path)
    with Studio(tmp_path / "one", weights, path) as studio:
        added = studio.add(studio_photos.write(tmp_path))
        before = studio.ask("GET", "/api/studio")["photos"]
        assert [photo["id"] for photo in before][1] == added
        state = {"seed": "5", "num_samples": 2}
        studio.ask("POST", f"/api/photos/{added}/session", {
            "revision": 0, "keep": 0, "at": 0, "kept": [], "states": [
                {"state": state, "label": "a step", "thumb": None}]})
        studio.arguments.remove(str(path))
        for how in (signal.SIGINT, signal.SIGKILL):
            assert studio.stop(how) == (0 if how == signal.SIGINT else -how)
            studio.start()
            assert studio.ask("GET", "/api/studio")["photos"] == before
            session = studio.ask("GET", f"/api/photos/{added}")["session"]
            assert session["history"][0]["state"] == state
        os.unlink(path)  # the strip skips a deleted photograph
        studio.stop()
        studio.start()
        assert [photo["id"] for photo in studio.ask(
            "GET", "/api/studio")["photos"]] == [added]
