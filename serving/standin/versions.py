"""Which versions of a model are served: the newest, and labelled ones.

The base folder is looked at again and again. A new version is loaded and
warmed up beside the old one, then takes its place; the old one is closed when
it has answered what it began. A version that cannot be loaded is reported,
and the old one goes on.
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
    """What has become of a version.

    Attributes:
        state: "LOADING", "AVAILABLE", "UNLOADING" while it still answers
            requests, or "END".
        model: `Servable`, or None before and after these.
        users: int. Requests that it is answering.
        error: `ServingError`, or None. Why it could not be loaded.
        contents: what its folder held then.
    """

    state: str = "LOADING"
    model: Servable | None = None
    users: int = 0
    error: ServingError | None = None
    contents: set | None = None


class Versions:
    """The versions of one model; loads what is to be served.

    Args:
        name: str. The model's name.
        base: path of the folder that holds 1/, 2/ and so on.
        labels: dict from a label to a version number. These versions are
            served beside the newest.
        threads: int or None. Limit on TensorFlow's threads.

    Raises:
        ValueError: the folder does not hold what is to be served.
        Exception: what loading or warming up a version raised.
    """

    def __init__(self, name, base, labels=None, threads=None):
        self.name = name
        self._base = Path(base)
        self._labels = dict(labels or {})
        self._threads = threads
        self._lock = threading.Lock()  # of the versions and their values
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
        """list of the version numbers being served, newest first."""
        with self._lock:
            return self._numbers("AVAILABLE")

    @contextlib.contextmanager
    def lease(self, spec):
        """Holds the version that a request names, or the newest.

        Args:
            spec: `ModelSpec`.

        Yields:
            int, the version's number; `Servable`.

        Raises:
            ServingError: there is no such model, version or label.
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
        """What has become of the version that a request names, or of all.

        Args:
            spec: `ModelSpec`.

        Returns:
            list of dict, as TensorFlow Serving's JSON says it, newest
            version first.

        Raises:
            ServingError: there is no such model, version or label.
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
        """The version number that a request names, or None."""
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
        return ServingError("NOT_FOUND", "the version must be one that is "
                            f"there (received {number} of {self.name})")

    def _numbers(self, state):
        return sorted((number for number, version in self._versions.items()
                       if version.state == state), reverse=True)

    # --- Coming and going --------------------------------------------------

    def watch(self, seconds):
        """Looks at the base folder at intervals, in a thread."""
        def look():
            while not self._stopping.wait(seconds):
                self._close_unused()
                self._refresh()

        self._watcher = threading.Thread(
            target=look, name="versions", daemon=True)
        self._watcher.start()

    def stop(self):
        """Closes all versions but those that still answer requests.

        Returns:
            bool. Whether all are closed.
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
        except (OSError, ValueError):  # goes on with what it has
            return
        for number, path in wanted.items():
            version = self._versions.get(number, _Version("END"))
            if version.state == "END" and (
                    not version.error or version.contents != _contents(path)):
                self._try_load(number, path)
        served = self.numbers()
        # A newest version that is broken leaves the one before in its place.
        newest = max(wanted) if max(wanted) in served else served[0]
        self._retire(set(served) - {newest, *self._labels.values()})

    def _wanted(self):
        """dict from the number to the folder of what is to be served."""
        found = {int(path.name): path for path in self._base.glob("*")
                 if re.fullmatch("[0-9]{1,18}", path.name) and path.is_dir()}
        if not found:
            raise ValueError(f"{self._base}: must hold a version in a folder "
                             "named by its number (received none)")
        for label, number in self._labels.items():
            # Once loaded, a version is served from memory.
            if number not in found and number not in self._versions:
                raise ValueError(
                    f"label {label}: must be a version in {self._base} "
                    f"(received {number}; there are {sorted(found)})")
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
        except Exception as error:  # whatever a broken file may bring about
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
            # Cycles hold the graph, and a full collection may be long in
            # coming: each version would cost 60 MB more.
            gc.collect()


def _contents(path):
    """Names, sizes and times of a folder's files: they tell of a change."""
    try:
        return {(str(file), file.stat().st_size, file.stat().st_mtime_ns)
                for file in path.rglob("*") if file.is_file()}
    except OSError:  # files come and go at this moment
        return None
