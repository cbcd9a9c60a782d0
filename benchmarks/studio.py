"""Measures how long a user of the studio waits.

    python -m benchmarks.studio

The program starts `tfdivcolor studio` and sends it the requests of the page,
over six connections like a browser, for photographs of three sizes:

    page       from the command to the page's first answer
    networks   from the command to the end of loading the networks
    grey       from dropping a photograph to its grey picture
    eight      from dropping it to eight results
    hint       from a hint to eight new results
    point      from a click to the possible colours at that point

The times do not include the browser's own time to decode and draw pictures.
"""

import concurrent.futures
import contextlib
import http.client
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import pictures, timing
from benchmarks.common.results import Options, goal, report, section, text

SIZES = (1, 12, 40)  # megapixels
HINTS = 20  # measured changes for each size
CONNECTIONS = 6
TILE = 384  # longer side of a result in the grid, in pixels
GREY_LIMIT, EIGHT_LIMIT, HINT_LIMIT = 1.0, 2.0, 0.3  # seconds


def main():
    """Runs the program."""
    print(text(measure(Options(), print)))


def measure(options, say):
    """Measures all times of the module's docstring.

    Args:
        options: `benchmarks.common.results.Options`.
        say: function of a str, for progress.

    Returns:
        dict, as from `benchmarks.common.results.report`.
    """
    sizes = SIZES[:1] if options.quick else SIZES
    with tempfile.TemporaryDirectory() as folder, _studio(
            folder, options.weights) as page:
        started = {"page": page.seconds_to_page,
                   "networks": page.wait_until_ready()}
        _measured(page, _file(options, 0.1), "warm-up", 2)  # compiles graphs
        found = {}
        for size in sizes:
            say(f"{size} megapixels")
            found[str(size)] = _measured(
                page, _file(options, size), f"{size}.jpg",
                options.rounds(HINTS))
    rows = [[f"{size} MP", *(_seconds(waits[name]) for name in (
        "grey", "eight")), *(f"{_seconds(np.median(waits[name]))}, "
                             f"{_seconds(np.percentile(waits[name], 95))}"
                             for name in ("hint", "point"))]
            for size, waits in found.items()]
    return report(
        [section("Seconds from the command", ["page", "networks"],
                 [[_seconds(started["page"]), _seconds(started["networks"])]]),
         section("Seconds that a user waits; hint and point: median, 95th "
                 "percentile",
                 ["photograph", "grey", "eight results", "hint", "point"],
                 rows)],
        [goal("studio: grey, 12 megapixels", _of(found, "12", "grey"),
              at_most=GREY_LIMIT, unit="s"),
         goal("studio: eight results, 12 megapixels",
              _of(found, "12", "eight"), at_most=EIGHT_LIMIT, unit="s"),
         goal("studio: a hint's eight results, 12 megapixels",
              _of(found, "12", "hint"), at_most=HINT_LIMIT, unit="s")],
        started=started, waits=found)


def _of(found, size, name):
    values = found.get(size, {}).get(name, [])
    return values if isinstance(values, list) else [values]


def _seconds(value):
    return f"{value:.2f}"


def _file(options, megapixels):
    """A photograph as a JPEG file: bytes."""
    file = io.BytesIO()
    pictures.scaled(options, megapixels).save(file, "JPEG", quality=92)
    return file.getvalue()


def _measured(page, data, name, rounds):
    """Measures the waits for one photograph: dict of seconds."""
    start = time.monotonic()
    photo = page.json("POST", "/api/photos", data, {"X-Name": name})["id"]
    about = page.json("GET", f"/api/photos/{photo}")
    page.ask("GET", f"/api/photos/{photo}/pictures/grey?size=1024")
    found = {"grey": time.monotonic() - start}
    state = page.json("GET", "/api/studio")["defaults"]
    page.results(photo, state)
    found["eight"] = time.monotonic() - start
    random = np.random.default_rng(0)
    found["hint"], found["point"] = [], []
    for _ in range(rounds):
        x, y = (int(random.integers(about[side]))
                for side in ("width", "height"))
        found["point"].append(timing.seconds(lambda: page.json(
            "POST", f"/api/photos/{photo}/point",
            {"state": state, "x": x, "y": y})))
        rgb = "#" + random.bytes(3).hex()
        state = {**state, "hints": [{"x": x, "y": y, "rgb": rgb}]}
        found["hint"].append(timing.seconds(
            lambda: page.results(photo, state)))
    page.json("DELETE", f"/api/photos/{photo}")
    return found


class _Page:
    """Sends a studio the requests of its page.

    Args:
        address: str, the line with the studio's address.
        started: float, time of the command's start by `time.monotonic`.

    Attributes:
        seconds_to_page: float. Seconds from the command to the first answer.
    """

    def __init__(self, address, started):
        self._port, token = re.search(r":(\d+)/\?token=(\S+)", address).groups()
        self._headers = {"Cookie": f"tfdivcolor_studio_{self._port}={token}",
                         "X-Tab": "benchmark"}
        self._started = started
        self._threads = concurrent.futures.ThreadPoolExecutor(CONNECTIONS)
        self.ask("GET", "/")
        self.seconds_to_page = time.monotonic() - started

    def wait_until_ready(self):
        """Waits for the networks; returns the seconds since the command."""
        while not self.json("GET", "/api/studio")["ready"]:
            time.sleep(0.05)
        return time.monotonic() - self._started

    def results(self, photo, state):
        """Requests a state's results and all of their pictures."""
        found = self.json("POST", f"/api/photos/{photo}/results", state)
        list(self._threads.map(
            lambda rank: self.ask(
                "GET", f"/api/photos/{photo}/pictures/{rank}?size={TILE}"
                f"&key={found['key']}"), range(len(found["results"]))))

    def json(self, method, path, body=None, headers=None):
        """The JSON value of an answer."""
        return json.loads(self.ask(method, path, body, headers))

    def ask(self, method, path, body=None, headers=None):
        """The bytes of an answer.

        Raises:
            RuntimeError: the server refuses the request.
        """
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", int(self._port))
        with contextlib.closing(connection):
            connection.request(
                method, path, body, {**self._headers, **(headers or {})})
            answer = connection.getresponse()
            data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {data}")
        return data


@contextlib.contextmanager
def _studio(folder, weights):
    """A studio with a data folder of its own; yields a `_Page`."""
    started = time.monotonic()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("tfdivcolor"), "studio",
         "--no-browser", "--port", "0", "--weights", weights],
        env={**os.environ, "XDG_DATA_HOME": folder}, text=True,
        stdout=subprocess.PIPE)
    try:
        yield _Page(process.stdout.readline(), started)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
