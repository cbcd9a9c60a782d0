"""The served versions of a model: the newest and the labelled versions.

A thread checks the base folder at intervals. It loads and warms up a new
version while the old version still answers. Then the new version replaces it,
and the old version closes after its last answer. If a version does not load,
the log says so, and the old version stays.
"""

import contextlib
import gc
import logging
import re
import threading
from dataclasses import dataclass
from pathlib import Path

from serving.standin.prediction import ServingError, refusal, warm_up
from tfdivcolor.export.saved_model import Servable

_LOG = logging.getLogger(__name__)


@dataclass
class _Version:
    """The state of a version.

    Attributes:
        state: "LOADING", "AVAILABLE", "UNLOADING" (still answers requests) or
            "END".
        model: `Servable` while AVAILABLE or UNLOADING, otherwise None.
        users: int. Number of requests that use the model now.
        error: `ServingError` if the version did not load, otherwise None.
        contents: the folder's contents at the time of that error.
    """

    state: str = "LOADING"
    model: Servable | None = None
    users: int = 0
    error: ServingError | None = None
    contents: set | None = None


class Versions:
    """The versions of one model. Loads the newest and the labelled versions.

    Args:
        name: str. The model's name.
        base: path of the folder that holds 1/, 2/ and so on.
        labels: dict from a label to a version number, or None.
        threads: int or None. Limit on TensorFlow's threads.

    Raises:
        ValueError: if the folder lacks a version to serve.
        Exception: any exception of loading or warming up a version.
    """

    def __init__(self, name, base, labels=None, threads=None):
        self.name = name
        self._base = Path(base)
        self._labels = dict(labels or {})
        self._threads = threads
        self._lock = threading.Lock()  # guards the versions and their values
        self._versions = {}  # number: _Version
        self._stopping = threading.Event()
        self._watcher = None
        try:
            for number, path in self._wanted().items():
                self._load(number, path)
        except BaseException:
            self.stop()
            raise

    # --- Requests ----------------------------------------------------------

    def numbers(self):
        """Returns the served version numbers, list of int, newest first."""
        with self._lock:
            return self._numbers("AVAILABLE")

    @contextlib.contextmanager
    def lease(self, spec):
        """A context that keeps the requested version, or the newest, open.

        Args:
            spec: `ModelSpec`.

        Yields:
            int, the version's number; `Servable`.

        Raises:
            ServingError: if the model, version or label does not exist.
        """
        number = self._named(spec)
        with self._lock:
            served = self._numbers("AVAILABLE")
            if number is None:
                number = max(served, default=None)
            if number not in served:
                raise self._not_found(number)
            version = self._versions[number]
            version.users += 1
        try:
            yield number, version.model
        finally:
            with self._lock:
                version.users -= 1

    def status(self, spec):
        """The state of the requested version, or of all versions.

        Args:
            spec: `ModelSpec`.

        Returns:
            list of dict in the form of TensorFlow Serving's JSON, newest
            version first.

        Raises:
            ServingError: if the model, version or label does not exist.
        """
        number = self._named(spec)
        with self._lock:
            if number not in (None, *self._versions):
                raise self._not_found(number)
            return [
                {"version": str(each), "state": version.state, "status": {
                    "error_code": getattr(version.error, "code", "OK"),
                    "error_message": getattr(version.error, "message", "")}}
                for each, version in sorted(self._versions.items(),
                                            reverse=True)
                if number in (None, each)]

    def _named(self, spec):
        """The requested version number, or None."""
        if spec.name != self.name:
            raise ServingError("NOT_FOUND", f"the model must be {self.name} "
                               f"(received {spec.name or 'none'})")
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value
        if choice == "version_label":
            if spec.version_label not in self._labels:
                raise ServingError(
                    "INVALID_ARGUMENT", "the label must be one of "
                    f"{', '.join(self._labels) or 'none'} "
                    f"(received {spec.version_label})")
            return self._labels[spec.version_label]
        return None

    def _not_found(self, number):
        return ServingError("NOT_FOUND", "the version must exist "
                            f"(received {number} of {self.name})")

    def _numbers(self, state):
        return sorted((number for number, version in self._versions.items()
                       if version.state == state), reverse=True)

    # --- Coming and going --------------------------------------------------

    def watch(self, seconds):
        """Checks the base folder every `seconds` seconds, in a thread."""
        def look():
            while not self._stopping.wait(seconds):
                self._close_unused()
                self._refresh()

        self._watcher = threading.Thread(
            target=look, name="versions", daemon=True)
        self._watcher.start()

    def stop(self):
        """Closes all versions except those that still answer requests.

        Returns:
            bool. True if all versions are closed.
        """
        self._stopping.set()
        if self._watcher:
            self._watcher.join()
        self._retire(self.numbers())
        self._close_unused()
        return not self._numbers("UNLOADING")

    def _refresh(self):
        try:
            wanted = self._wanted()
        except (OSError, ValueError):  # keep the loaded versions
            return
        for number, path in wanted.items():
            version = self._versions.get(number, _Version("END"))
            if version.state == "END" and (
                    not version.error or version.contents != _contents(path)):
                self._try_load(number, path)
        served = self.numbers()
        # If the newest version is broken, the previous version stays.
        newest = max(wanted) if max(wanted) in served else served[0]
        self._retire(set(served) - {newest, *self._labels.values()})

    def _wanted(self):
        """dict from number to folder of the versions to serve."""
        found = {int(path.name): path for path in self._base.glob("*")
                 if re.fullmatch("[0-9]{1,18}", path.name) and path.is_dir()}
        if not found:
            raise ValueError(f"{self._base}: must hold a version in a folder "
                             "named by its number (received none)")
        for label, number in self._labels.items():
            # A loaded version needs no folder.
            if number not in found and number not in self._versions:
                raise ValueError(
                    f"label {label}: must be a version in {self._base} "
                    f"(received {number}; the folder has {sorted(found)})")
        return {number: path for number, path in sorted(found.items())
                if number in (max(found), *self._labels.values())}

    def _load(self, number, path):
        version = _Version()
        with self._lock:
            self._versions[number] = version
        model = Servable(path, self._threads)
        try:
            warm_up(model)
        except BaseException:
            model.close()
            raise
        with self._lock:
            version.model, version.state = model, "AVAILABLE"
        _LOG.info("version %d of %s is served", number, self.name)

    def _try_load(self, number, path):
        contents = _contents(path)
        try:
            self._load(number, path)
        except Exception as error:  # a broken file may raise any exception
            reason = refusal(error)
            with self._lock:
                self._versions[number] = _Version(
                    "END", error=reason, contents=contents)
            _LOG.error("version %d of %s is refused: %s", number, self.name,
                       " ".join(reason.message.split())[:500])

    def _retire(self, numbers):
        with self._lock:
            for number in numbers:
                self._versions[number].state = "UNLOADING"

    def _close_unused(self):
        with self._lock:
            unused = [number for number in self._numbers("UNLOADING")
                      if not self._versions[number].users]
        for number in unused:
            version = self._versions[number]
            version.model.close()
            with self._lock:
                version.model, version.state = None, "END"
            _LOG.info("version %d of %s is closed", number, self.name)
        if unused:
            # Cycles hold the graph. Until the next full collection each closed
            # version would cost 60 MB.
            gc.collect()


def _contents(path):
    """Names, sizes and times of a folder's files, which reveal a change."""
    try:
        return {(str(file), file.stat().st_size, file.stat().st_mtime_ns)
                for file in path.rglob("*") if file.is_file()}
    except OSError:  # files are changing at this moment
        return None
