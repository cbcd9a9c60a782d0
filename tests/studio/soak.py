"""Measures whether the studio's memory stays flat through an hour of use.

    python -m tests.studio.soak --minutes 60 --json soak.json

The program starts a studio and sends it the requests of a page in random
order: it opens, adds and removes photographs, drags sliders and hints, views
pictures, parts, points, regions and gamuts, and writes steps and exports.
`benchmarks.soak` judges the studio's resident memory, open files and threads.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import soak
from tests.studio.studio_server import Studio

SIZES = ((300, 200), (640, 480), (1200, 900), (900, 1600), (4000, 3000))
EVERY = 2.0  # seconds between two readings
FORMATS = ("png", "tiff", "jpeg", "webp", "psd", "recipe", "original")


def main(arguments=None):
    """Runs the program; returns its exit code, 0 if nothing grows."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.studio.soak", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N")
    parser.add_argument("--weights", default="photos", metavar="NAME_OR_DIR")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--json", metavar="FILE",
                        help="write all readings to FILE")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        readings, calls = use(Path(folder), options.weights,
                              60 * options.minutes, options.seed)
    found = soak.judge(readings)
    if options.json:
        Path(options.json).write_text(json.dumps(
            {**vars(options), **found, "calls": calls, "readings": readings}))
    print(", ".join(f"{name} {count}" for name, count in calls.items()))
    verdicts = {name: found[name] for name in ("memory", "files", "threads")}
    print("resident memory: {slope:+.0f} \N{PLUS-MINUS SIGN} {uncertainty:.0f} "
          "MB an hour".format(**found["resident"]), verdicts)
    return int(set(verdicts.values()) != {"flat"})


def use(folder, weights, seconds, seed=0, sizes=SIZES):
    """Uses a studio for a time.

    Args:
        folder: Path of a folder for photographs and the studio's data.
        weights: str or Path. Weights of the studio.
        seconds: float. Length of the use.
        seed: int. Seed of the random order.
        sizes: list of (width, height) of the photographs, in pixels.

    Returns:
        readings: list of dicts, as from `benchmarks.soak.run`.
        calls: dict from the names of actions to their numbers of calls.
    """
    rng = np.random.default_rng(seed)
    (folder / "strip").mkdir(parents=True)
    for number, size in enumerate(sizes):
        photograph(rng, size, folder / "strip" / f"{number}.jpg")
    with Studio(folder, weights, folder / "strip") as studio:
        user = User(studio, rng, folder)
        work = [name for name in vars(User) if not name.startswith("_")]
        calls, readings = dict.fromkeys(work, 0), []
        start = time.monotonic()
        while (passed := time.monotonic() - start) < seconds:
            name = rng.choice(work)
            getattr(user, name)()
            calls[name] += 1
            if not readings or passed - readings[-1]["seconds"] >= EVERY:
                files, threads = studio.counts()
                readings.append({
                    "seconds": passed, "in_use": None, "files": files,
                    "resident": studio.memory(), "threads": threads})
    return readings, calls


def photograph(rng, size, path):
    """Writes a grey picture with smooth areas and noise."""
    width, height = size
    coarse = rng.integers(0, 256, [9, 12], np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    noise = rng.integers(0, 24, [height, width], np.uint8)
    Image.fromarray(np.asarray(image) // 2 + noise).save(path)


class User:
    """A user of the page: each public method is one action."""

    def __init__(self, studio, rng, folder):
        self._studio, self._rng, self._folder = studio, rng, folder
        self._defaults = studio.ask("GET", "/api/studio")["defaults"]
        self._numbers = itertools.count()
        self._show(self._photos()[0]["id"])

    def _photos(self):
        return self._studio.ask("GET", "/api/studio")["photos"]

    def _show(self, photo):
        self._at = f"/api/photos/{photo}"
        self._photo = self._studio.ask("GET", self._at)
        self._state = dict(self._defaults)
        self._look()

    def _look(self, size=384):
        """Requests the results of the state and their pictures."""
        self._found = self._studio.ask(
            "POST", f"{self._at}/results", self._state)
        for rank in range(len(self._found["results"])):
            self._picture(rank, f"size={size}")

    def _picture(self, which, query):
        answer = self._studio.request(
            "GET", f"{self._at}/pictures/{which}?{query}"
            f"&key={self._found['key']}")
        assert answer.status == 200, answer

    def _pixel(self):
        return {"x": int(self._rng.integers(self._photo["width"])),
                "y": int(self._rng.integers(self._photo["height"]))}

    def _color(self):
        return "#" + self._rng.bytes(3).hex()

    def turn_to_another(self):
        self._show(self._rng.choice(self._photos())["id"])

    def add_and_take_out(self):
        path = self._folder / f"added {next(self._numbers)}.png"
        photograph(self._rng, (500, 400), path)
        before, photo = self._at, self._studio.add(path)
        path.unlink()
        self._show(photo)
        self._studio.ask("DELETE", f"/api/photos/{photo}")
        self._show(before.rpartition("/")[2])

    def drag_a_slider(self):
        name, low, high = self._rng.choice(np.asarray([
            ("warmth", -20, 20), ("saturation", 0, 2),
            ("temperature", 0.2, 1.5)], object))
        for value in self._rng.uniform(low, high, 5):
            self._state[name] = round(float(value), 2)
            self._look(128)

    def draw_others(self):
        self._state["seed"] = str(self._rng.integers(2**62))
        self._state["num_samples"] = int(self._rng.integers(2, 13))
        self._look()

    def give_and_drag_a_hint(self):
        hint = {**self._pixel(), "rgb": self._color(), "muted": False}
        self._state["hints"] = [*self._state["hints"], hint][-5:]
        for _ in range(4):
            self._state["hints"][-1] = {**hint, **self._pixel()}
            self._look(128)

    def vary_a_result(self):
        self._state["kept"] = self._found["results"][0]["latents"]
        self._state["strength"] = 0.4
        self._look()
        self._state["kept"] = None

    def ask_of_a_point(self):
        self._studio.ask("POST", f"{self._at}/point",
                         {"state": self._state, **self._pixel()})
        self._studio.ask("GET", f"{self._at}/regions")
        self._studio.ask("GET", f"/api/gamut/{self._rng.integers(101)}")

    def zoom(self):
        for _ in range(4):
            width, height = (min(256, self._photo[side])
                             for side in ("width", "height"))
            left = self._rng.integers(self._photo["width"] - width + 1)
            top = self._rng.integers(self._photo["height"] - height + 1)
            self._picture(0, f"box={left},{top},{width},{height}&reduce=1")
        self._picture("grey", "size=2048")
        self._picture(1, "size=2048")

    def write_a_step(self):
        session = self._studio.ask("GET", self._at)["session"]
        keep = len(session["history"]) % 50
        self._studio.ask("POST", f"{self._at}/session", {
            "revision": session["revision"], "keep": keep, "at": keep,
            "kept": [], "states": [{
                "state": self._state, "label": "step", "thumb": None}]})

    def take_away(self):
        job = self._studio.ask("POST", "/api/exports", {
            "format": str(self._rng.choice(FORMATS)), "items": [{
                "photo": self._photo["id"], "state": self._state,
                "ranks": [0, 1]}]})["id"]
        at = f"/api/exports/{job}"
        while self._studio.ask("GET", at)["state"] == "running":
            time.sleep(0.05)
        assert self._studio.request("GET", f"{at}/file").status == 200
        self._studio.ask("DELETE", at)


if __name__ == "__main__":
    sys.exit(main())
