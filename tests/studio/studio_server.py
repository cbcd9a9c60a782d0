"""A studio process for tests, and requests to it."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

_COMMAND = "import sys; from tfdivcolor import cli; sys.exit(cli.main())"
_PATIENCE = 180  # seconds; a busy machine is slow


@dataclass(frozen=True)
class Answer:
    """An answer of the server; names of headers are in lower case."""

    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The status and the code of an error answer."""
        return self.status, self.json["code"]


class Studio:
    """The command `tfdivcolor studio` on a free port.

    Args:
        folder: Path of a folder for its data and its log.
        weights: str or Path. Name or folder of weights.
        *arguments: photographs and options of the command.
    """

    def __init__(self, folder, weights, *arguments):
        self.folder = Path(folder)
        self.data = self.folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self._log = self.folder / "log.txt"
        self.port = _free_port()
        self.arguments = ["--no-browser", "--port", str(self.port),
                          "--weights", str(weights), *map(str, arguments)]
        self.tab = "test"
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(signal.SIGINT)

    def start(self):
        """Starts the studio and waits until the networks are loaded."""
        at = self._log.stat().st_size if self._log.exists() else 0
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _COMMAND, "studio", *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "PYTHONUNBUFFERED": "1",
                     "XDG_DATA_HOME": str(self.data)})
        end = time.monotonic() + _PATIENCE
        while not (found := re.search(r"http://\S+[?&]token=([\w-]+)",
                                      self.log()[at:])):
            self._check_start(end)
        self.address, self.token = found[0], found[1]
        while not self._is_ready():
            self._check_start(end)

    def _check_start(self, end):
        if self._process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the studio does not start:\n{self.log()}")
        time.sleep(0.05)

    def _is_ready(self):
        try:
            return self.ask("GET", "/api/studio")["ready"]
        except ConnectionError:
            return False

    def stop(self, how=signal.SIGKILL):
        """Sends a signal to the studio; returns its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def log(self):
        return self._log.read_text(errors="replace")

    def files(self):
        """All files in the studio's data folder."""
        return [path for path in self.data.rglob("*") if path.is_file()]

    def memory(self):
        """The studio's resident memory in MB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text()
                    .split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def calm_memory(self):
        """`memory` once it rests: after loading and compiling."""
        before, quiet = self.memory(), 0
        deadline = time.monotonic() + 120
        while quiet < 4 and time.monotonic() < deadline:
            time.sleep(0.5)
            now = self.memory()
            quiet = quiet + 1 if abs(now - before) < 2 else 0
            before = now
        return before

    def counts(self):
        """The studio's numbers of open files and threads."""
        return tuple(len(os.listdir(f"/proc/{self._process.pid}/{kind}"))
                     for kind in ("fd", "task"))

    # --- Requests --------------------------------------------------------

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    def headers(self):
        """The headers that the page sends."""
        return {"Cookie": self._cookie(), "Origin": self.origin,
                "Sec-Fetch-Site": "same-origin", "X-Tab": self.tab}

    def _cookie(self):
        if self.token != getattr(self, "_token", None):  # after a new start
            answer = self.request("GET", f"/?token={self.token}", headers={})
            self._of_token = answer.headers["set-cookie"].partition(";")[0]
            self._token = self.token
        return self._of_token

    def connection(self):
        return http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=_PATIENCE)

    def request(self, method, path, body=None, headers=None):
        """Sends a request, with the page's headers by default."""
        headers = self.headers() if headers is None else headers
        connection = self.connection()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status,
                          {name.lower(): value
                           for name, value in answer.getheaders()},
                          answer.read())
        finally:
            connection.close()

    def ask(self, method, path, value=None):
        """Sends a request that must succeed; returns the JSON value."""
        body = None if value is None else json.dumps(value)
        answer = self.request(method, path, body)
        assert answer.status < 300, (method, path, answer)
        return answer.json

    def raw(self, data, breaks_off=False):
        """Sends raw bytes; returns the raw answer.

        Args:
            data: bytes of a request that asks to close the connection.
            breaks_off: bool. Whether the request is incomplete.
        """
        with socket.create_connection(
                ("127.0.0.1", self.port), timeout=_PATIENCE) as connection:
            try:
                connection.sendall(data)
                if breaks_off:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:  # the server closed the connection
                pass
            parts = []
            try:
                while part := connection.recv(1 << 16):
                    parts.append(part)
            except ConnectionResetError:
                pass
            return b"".join(parts)

    def add(self, path):
        """Adds a photograph as the page does; returns its id."""
        path = Path(path)
        answer = self.request("POST", "/api/photos", path.read_bytes(), {
            **self.headers(), "X-Name": urllib.parse.quote(path.name)})
        assert answer.status == 201, answer
        return answer.json["id"]

    def ready(self, job):
        """Waits until an export is ready; returns its description."""
        end = time.monotonic() + _PATIENCE
        while (found := self.ask("GET", f"/api/exports/{job}"))[
                "state"] == "running":
            assert time.monotonic() < end, found
            time.sleep(0.02)
        assert found["state"] == "ready", found
        return found


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status_of(answer):
    """The status of a raw answer; None for an empty answer."""
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else None
