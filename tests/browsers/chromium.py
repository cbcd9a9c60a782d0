"""A headless Chromium for tests, with the Chrome DevTools Protocol.

The driver writes JSON messages, each followed by a zero byte, to the browser's
file descriptor 3 and reads the answers from its file descriptor 4.
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

from browsers import common

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Keys with names; all other keys are their characters.
_KEY_CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
              "ArrowDown": 40, "Enter": 13, "Escape": 27, "Tab": 9,
              "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34,
              "Backspace": 8, "Delete": 46, " ": 32}
_TYPED = {"Enter": "\r", " ": " "}


def find():
    """The path of a Chromium on this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A browser with one or more tabs; a context manager.

    Points are (x, y) in pixels of the window.

    Args:
        profile: Path of a folder for the browser's profile.
        width, height: ints. Size of the window in pixels.

    Attributes:
        errors: list of str. Messages of the console and uncaught errors.
        requests: list of str. URLs that the pages requested.
        downloads: Path of the folder for downloads.
    """

    def __init__(self, profile, width=1440, height=900):
        down_read, self._write = os.pipe()
        self._read, up_write = os.pipe()

        def give():  # runs in the child, just before the browser
            # The second end is above 4, because three others come before it.
            for number, end in ((3, down_read), (4, up_write)):
                os.dup2(end, number)
                os.set_inheritable(number, True)

        self._process = subprocess.Popen(
            [find(), "--headless=new", "--no-sandbox", "--disable-gpu",
             "--remote-debugging-pipe", f"--user-data-dir={profile}",
             f"--window-size={width},{height}", "--no-first-run",
             "--disable-background-networking", "--hide-scrollbars",
             "--disable-dev-shm-usage", "about:blank"],
            preexec_fn=give, close_fds=False, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(down_read)
        os.close(up_write)
        self.errors, self.requests, self._loaded = [], [], False
        self._buffer, self._count, self._session = b"", 0, None
        page = next(info for info in self.send("Target.getTargets")[
            "targetInfos"] if info["type"] == "page")
        self._size, self._tabs = (width, height), []
        self._attach(page["targetId"])
        self.downloads = Path(profile) / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        self.send("Browser.setDownloadBehavior", behavior="allow",
                  downloadPath=str(self.downloads))

    def _attach(self, target):
        self._session = None  # the browser's own
        self._session = self.send("Target.attachToTarget", targetId=target,
                                  flatten=True)["sessionId"]
        self._tabs.append((target, self._session))
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(*self._size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._write)  # the browser stops when the pipe closes
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._read)

    def send(self, method, **parameters):
        """Calls a method of the protocol; returns its result."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data):]
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _receive(self, timeout=60):
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], timeout)[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("the browser stopped")
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(message)
        kind, about = message.get("method"), message.get("params", {})
        if kind == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif kind == "Network.webSocketCreated":
            self.requests.append(about["url"])
        elif kind in ("Runtime.exceptionThrown", "Log.entryAdded",
                      "Runtime.consoleAPICalled"):
            self.errors.append(str(about))
        elif (kind == "Page.loadEventFired"
              and message.get("sessionId") == self._session):
            self._loaded = True
        return message

    def tab(self, number):
        """Goes to a tab by number, from 0; opens the tab after the last."""
        if number == len(self._tabs):
            self._session = None
            self._attach(self.send("Target.createTarget",
                                   url="about:blank")["targetId"])
        _, self._session = self._tabs[number]
        self.send("Page.bringToFront")

    def open(self, url):
        """Opens a page and waits until it is loaded."""
        self._loaded = False
        answer = self.send("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        while not self._loaded:
            self._receive()

    def _evaluate(self, script, **options):
        answer = self.send("Runtime.evaluate", expression=script,
                           awaitPromise=True, **options)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"]

    def run(self, script):
        """The JSON value of an expression or of its promise."""
        return self._evaluate(script, returnByValue=True).get("value")

    wait = common.wait

    def press(self, key, shift=False, control=False, hold=0.0):
        """Presses and releases a key."""
        # Punctuation gets code 0: its character codes belong to other keys.
        plain = len(key) == 1 and key.isalnum()
        code = _KEY_CODES.get(key, ord(key.upper()) if plain else 0)
        event = {"key": key, "windowsVirtualKeyCode": code,
                 "modifiers": 8 * shift + 2 * control}
        text = _TYPED.get(key, key if len(key) == 1 else None)
        if control:
            text = None
        if control and key == "v":
            event["commands"] = ["paste"]  # a headless browser has no menu
        self.send("Input.dispatchKeyEvent", type="keyDown", **event,
                  **({"text": text} if text else {}))
        time.sleep(hold)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text):
        """Types a text into the focused element."""
        for character in text:
            self.press(character)

    def _mouse(self, kind, at, held=False, **options):
        self.send("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1],
                  buttons=int(held), **options)

    def hover(self, *at):
        """Moves the pointer to a point."""
        self._mouse("mouseMoved", at)

    def drag(self, start, *points):
        """Presses the left button at the start, releases it at the end."""
        left = {"button": "left", "clickCount": 1}
        self.hover(*start)
        self._mouse("mousePressed", start, held=True, **left)
        for at in points:
            self._mouse("mouseMoved", at, held=True, button="left")
        self._mouse("mouseReleased", (start, *points)[-1], **left)

    def click(self, *at):
        self.drag(at)

    def wheel(self, at, by):
        """Turns the wheel at a point; positive `by` (pixels) scrolls down."""
        self._mouse("mouseWheel", at, deltaX=0, deltaY=by)

    def touch(self, *fingers):
        """Moves fingers over the screen at the same time.

        Args:
            *fingers: lists of points with equal lengths: the path of each
                finger from its press to its release.
        """
        kind = "touchStart"
        for points in zip(*fingers, strict=True):
            self.send("Input.dispatchTouchEvent", type=kind, touchPoints=[
                {"x": x, "y": y, "id": finger}
                for finger, (x, y) in enumerate(points)])
            kind = "touchMove"
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def choose(self, selector, *paths):
        """Chooses files in a file input."""
        node = self._evaluate(f"document.querySelector({selector!r})")
        self.send("DOM.setFileInputFiles", objectId=node["objectId"],
                  files=[str(path) for path in paths])

    def drop(self, at, *paths):
        """Drops files at a point, as from another program."""
        data = {"items": [], "dragOperationsMask": 1,  # to copy
                "files": [str(path) for path in paths]}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.send("Input.dispatchDragEvent", type=kind, x=at[0], y=at[1],
                      data=data)

    def resize(self, width, height, mobile=False):
        self.send("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=mobile)
        self.send("Emulation.setTouchEmulationEnabled", enabled=mobile)

    def prefer(self, scheme):
        """Sets the user's colour scheme: "light", "dark" or "" for neither."""
        self.send("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self):
        """A screenshot of the page: bytes of a PNG file."""
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])
