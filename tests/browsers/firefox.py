"""A headless Firefox for tests, with most methods of `chromium.Browser`.

The driver uses WebDriver BiDi: JSON messages over a WebSocket.
"""

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from browsers import common
from websockets.sync.client import connect

NAMES = ("firefox-esr", "firefox")

# The protocol's characters for keys with names.
_KEYS = {"Backspace": "\ue003", "Tab": "\ue004", "Enter": "\ue007",
         "Shift": "\ue008", "Control": "\ue009", "Escape": "\ue00c",
         "PageUp": "\ue00e", "PageDown": "\ue00f", "End": "\ue010",
         "Home": "\ue011", "ArrowLeft": "\ue012", "ArrowUp": "\ue013",
         "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Delete": "\ue017"}
_STARTED = "WebDriverBiDiServer.json"  # Firefox writes its port there
_START_TIME = 60  # seconds; a busy machine is slow


def find():
    """The path of a Firefox on this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser with one page; a context manager.

    Points are (x, y) in pixels of the window.

    Args:
        profile: Path of a folder for the browser's profile.
        width, height: ints. Size of the page in pixels.

    Attributes:
        errors: list of str. Messages of the console and uncaught errors.
        requests: list of str. URLs that the page requested.
        downloads: Path of the folder for downloads.
    """

    def __init__(self, profile, width=1440, height=900):
        profile = Path(profile)
        self.downloads = profile / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        (profile / "user.js").write_text("".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n"
            for name, value in {
                "browser.download.folderList": 2,
                "browser.download.dir": str(self.downloads),
                "browser.download.alwaysOpenPanel": False}.items()))
        self._process = subprocess.Popen(
            [find(), "--headless", "--no-remote", "--profile", str(profile),
             "--remote-debugging-port=0", "about:blank"],
            start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._socket = connect(
                f"ws://127.0.0.1:{self._port(profile)}/session",
                max_size=None, proxy=None, open_timeout=_START_TIME)
        except BaseException:
            self._kill()
            raise
        self.errors, self.requests, self._count = [], [], 0
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=[
            "log.entryAdded", "network.beforeRequestSent"])
        self._page = self.send("browsingContext.getTree")[
            "contexts"][0]["context"]
        self.resize(width, height)

    def _port(self, profile):
        end = time.monotonic() + _START_TIME
        while time.monotonic() < end and self._process.poll() is None:
            try:
                return json.loads((profile / _STARTED).read_text())["ws_port"]
            except (FileNotFoundError, ValueError):  # the file is not complete
                time.sleep(0.02)
        raise TimeoutError("the browser does not start")

    def _kill(self):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.send("browser.close")
            self._process.wait(10)
        except Exception:  # no browser may stay behind
            self._kill()
        self._socket.close()

    def send(self, method, **parameters):
        """Calls a method of the protocol; returns its result."""
        self._count += 1
        self._socket.send(json.dumps(
            {"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            kind, about = answer.get("method"), answer.get("params")
            if kind == "network.beforeRequestSent":
                if about["context"]:  # the browser's own requests have none
                    self.requests.append(about["request"]["url"])
            elif kind == "log.entryAdded":
                self.errors.append(str(about))
            elif answer.get("id") == self._count:
                if answer["type"] == "error":
                    raise RuntimeError(
                        f"{method}: {answer['error']}: {answer['message']}")
                return answer["result"]

    def open(self, url):
        """Opens a page and waits until it is loaded."""
        self.send("browsingContext.navigate", context=self._page, url=url,
                  wait="complete")

    def _evaluate(self, script):
        answer = self.send("script.evaluate", expression=script,
                           target={"context": self._page}, awaitPromise=True,
                           userActivation=True)
        if answer["type"] == "exception":
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"]

    def run(self, script):
        """The JSON value of an expression or of its promise."""
        value = self._evaluate(f"(async () => JSON.stringify(await (\n"
                               f"{script}\n)))()").get("value")
        return None if value is None else json.loads(value)

    wait = common.wait

    def _act(self, kind, *actions, **options):
        self._act_together([{"type": kind, "id": kind,
                             "actions": list(actions), **options}])

    def _act_together(self, sources):
        self.send("input.performActions", context=self._page,
                  actions=sources)

    def press(self, key, shift=False, control=False, hold=0.0):
        """Presses and releases a key."""
        keys = [_KEYS["Shift"]] * shift + [_KEYS["Control"]] * control
        keys.append(_KEYS.get(key, key))
        self._act("key", *({"type": "keyDown", "value": key} for key in keys))
        time.sleep(hold)
        self._act("key", *({"type": "keyUp", "value": key}
                           for key in reversed(keys)))

    def type(self, text):
        """Types a text into the focused element."""
        for character in text:
            self.press(character)

    def hover(self, *at):
        """Moves the pointer to a point."""
        self._act("pointer", _move(at))

    def drag(self, start, *points):
        """Presses the left button at the start, releases it at the end."""
        self._act("pointer", _move(start), {"type": "pointerDown", "button": 0},
                  *map(_move, points), {"type": "pointerUp", "button": 0})

    def click(self, *at):
        self.drag(at)

    def wheel(self, at, by):
        """Turns the wheel at a point; positive `by` (pixels) scrolls down."""
        x, y = map(round, at)
        self._act("wheel", {"type": "scroll", "x": x, "y": y,
                            "deltaX": 0, "deltaY": round(by)})

    def touch(self, *fingers):
        """Moves fingers over the screen at the same time.

        Args:
            *fingers: lists of points with equal lengths: the path of each
                finger from its press to its release.
        """
        self._act_together([{
            "type": "pointer", "id": f"finger {number}",
            "parameters": {"pointerType": "touch"},
            "actions": [_move(points[0]), {"type": "pointerDown", "button": 0},
                        *map(_move, points[1:]),
                        {"type": "pointerUp", "button": 0}]}
            for number, points in enumerate(fingers)])

    def choose(self, selector, *paths):
        """Chooses files in a file input."""
        node = self._evaluate(f"document.querySelector({selector!r})")
        self.send("input.setFiles", context=self._page,
                  element={"sharedId": node["sharedId"]},
                  files=[str(path) for path in paths])

    def drop(self, at, *paths):
        """Drops files at a point with a script: the protocol has no drop."""
        x, y = at
        self.run(f"document.elementFromPoint({x}, {y})"
                 ".setAttribute('data-dropped-on', '')")
        common.give(self, "[data-dropped-on]", *paths)
        self.run("document.querySelector('[data-dropped-on]')"
                 "?.removeAttribute('data-dropped-on')")

    def resize(self, width, height):
        self.send("browsingContext.setViewport", context=self._page,
                  viewport={"width": width, "height": height},
                  devicePixelRatio=1)

    def screenshot(self):
        """A screenshot of the page: bytes of a PNG file."""
        return base64.b64decode(self.send(
            "browsingContext.captureScreenshot", context=self._page)["data"])


def _move(at):
    return {"type": "pointerMove", "x": round(at[0]), "y": round(at[1])}
