"""A headless Chromium for tests, driven over its own debugging pipe.

Chrome DevTools Protocol: JSON messages that end in a zero byte, on file
descriptors 3 (to the browser) and 4 (from it).
"""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")

# Keys with a name of their own; others are their characters.
_KEY_CODES = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
              "ArrowDown": 40, "Enter": 13, "Escape": 27, "Tab": 9,
              "Home": 36, "End": 35, " ": 32}
_TYPED = {"Enter": "\r", " ": " "}


def find():
    """Path of a Chromium on this machine, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with one page; a context manager.

    Attributes:
        errors: list of str. What the console and uncaught errors said.
        requests: list of str. URLs that the page asked for.
    """

    def __init__(self, profile, width=1440, height=900):
        down_read, self._write = os.pipe()
        self._read, up_write = os.pipe()

        def give():  # runs in the child, just before the browser
            # The second end is above 4: three others were opened before it.
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
        self._session = self.send(
            "Target.attachToTarget", targetId=page["targetId"],
            flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self._write)  # which ends the browser
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
                raise TimeoutError("the browser says nothing")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError("the browser has ended")
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(message)
        kind, about = message.get("method"), message.get("params", {})
        if kind == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif kind in ("Runtime.exceptionThrown", "Log.entryAdded",
                      "Runtime.consoleAPICalled"):
            self.errors.append(str(about))
        elif kind == "Page.loadEventFired":
            self._loaded = True
        return message

    def open(self, url):
        """Opens a page and waits until it is loaded."""
        self._loaded = False
        self.send("Page.navigate", url=url)
        while not self._loaded:
            self._receive()

    def run(self, script):
        """The JSON value of a script; of what it promises, if a promise."""
        answer = self.send("Runtime.evaluate", expression=script,
                           returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def wait(self, script, timeout=10):
        """Waits until a script is true."""
        end = time.monotonic() + timeout
        while not self.run(script):
            if time.monotonic() > end:
                raise TimeoutError(script)
            time.sleep(0.02)

    def press(self, key, shift=False, hold=0.0):
        """Presses and releases a key."""
        code = _KEY_CODES.get(key, ord(key[0].upper()))
        event = {"key": key, "windowsVirtualKeyCode": code,
                 "modifiers": 8 * shift}
        text = _TYPED.get(key, key if len(key) == 1 else None)
        self.send("Input.dispatchKeyEvent", type="keyDown", **event,
                  **({"text": text} if text else {}))
        time.sleep(hold)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def drag(self, start, end):
        """Presses the left button at one point, releases it at another."""
        for kind, (x, y) in (("mousePressed", start), ("mouseMoved", end),
                             ("mouseReleased", end)):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y,
                      button="left", buttons=1, clickCount=1)

    def resize(self, width, height, mobile=False):
        self.send("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=mobile)

    def screenshot(self):
        """What the page looks like: bytes of a PNG file."""
        return base64.b64decode(self.send("Page.captureScreenshot")["data"])
