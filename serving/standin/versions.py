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

from tensorflow_serving.apis import get_model_status_pb2, status_pb2

from serving.standin import warm_up
from serving.standin.prediction import ServingError, refusal
from tfdivcolor.export.saved_model import Servable

_LOG = logging.getLogger(__name__)
_State = get_model_status_pb2.ModelVersionStatus


@dataclass
class _Served:
    """A loaded version.

    Attributes:
        number: int.
        model: `Servable`.
        users: int. Requests that it is answering.
    """

    number: int
    model: Servable
    users: int = 0


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
        self._lock = threading.Lock()  # of the next three and of `_Served`
        self._served = {}  # number: _Served
        self._retired = []  # those that still answer requests
        self._states = {}  # number: (_State, ServingError or None), all seen
        self._broken = {}  # number: what its folder held
        self._complaint = None
        self._stopping = threading.Event()
        self._watcher = None
        found = self._find()
        try:
            for number in self._wanted(found):
                self._load(number, found[number])
        except BaseException:
            self.stop()
            raise

    # --- Requests ----------------------------------------------------------

    def numbers(self):
        """list of the version numbers being served, newest first."""
        with self._lock:
            return sorted(self._served, reverse=True)

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
        if not spec.name:
            raise ServingError(
                "INVALID_ARGUMENT", "ModelSpec has no name specified.")
        number = self._number(spec)
        with self._lock:
            served = self._served.get(
                max(self._served, default=None) if number is None else number)
            if spec.name != self.name or served is None:
                request = (f"Latest({spec.name})" if number is None
                           else f"Specific({spec.name}, {number})")
                raise ServingError(
                    "NOT_FOUND", f"Servable not found for request: {request}")
            served.users += 1
        try:
            yield served.number, served.model
        finally:
            with self._lock:
                served.users -= 1

    def status(self, spec):
        """What has become of the version that a request names, or of all.

        Args:
            spec: `ModelSpec`.

        Returns:
            `GetModelStatusResponse`, newest version first.

        Raises:
            ServingError: there is no such model, version or label.
        """
        number = self._number(spec)
        with self._lock:
            states = {version: state for version, state
                      in sorted(self._states.items(), reverse=True)
                      if spec.name == self.name and number in (None, version)}
        if not states:
            which = "any versions" if number is None else f"version {number}"
            raise ServingError(
                "NOT_FOUND", f"Could not find {which} of model {spec.name}")
        return get_model_status_pb2.GetModelStatusResponse(
            model_version_status=[
                _State(version=version, state=state,
                       status=status_pb2.StatusProto(
                           error_code=error.code if error else "OK",
                           error_message=error.message if error else ""))
                for version, (state, error) in states.items()])

    def _number(self, spec):
        """The version number that a request names, or None."""
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value
        if choice == "version_label":
            label = spec.version_label
            if spec.name != self.name or label not in self._labels:
                raise ServingError(
                    "INVALID_ARGUMENT",
                    f"Unrecognized servable version label: {label}")
            return self._labels[label]
        return None

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

    def _refresh(self):
        """Looks at the base folder once."""
        try:
            found = self._find()
            wanted = self._wanted(found)
        except (OSError, ValueError) as error:
            self._complain(f"{error}; goes on with what it has")
            return
        self._complain(None)
        for number in wanted:
            if number not in self.numbers():
                self._try_load(number, found[number])
        numbers = self.numbers()
        # A newest version that is broken leaves the one before in its place.
        newest = max(found) if max(found) in numbers else numbers[0]
        for number in numbers:
            if number != newest and number not in self._labels.values():
                self._retire(number)

    def stop(self):
        """Closes all versions but those that still answer requests.

        Returns:
            bool. Whether all are closed.
        """
        self._stopping.set()
        if self._watcher:
            self._watcher.join()
        for number in self.numbers():
            self._retire(number)
        self._close_unused()
        return not self._retired

    def _find(self):
        """dict from a version's number to its folder.

        As in TensorFlow Serving, anything whose name is not a number may lie
        beside them.
        """
        if not self._base.is_dir():
            raise ValueError(f"{self._base}: must be a folder that holds "
                             "versions: 1, 2 ... (received none)")
        found = {int(path.name): path for path in sorted(self._base.iterdir())
                 if re.fullmatch("[0-9]{1,18}", path.name) and path.is_dir()}
        if not found:
            raise ValueError(f"{self._base}: must hold a version in a folder "
                             "named by its number (received none)")
        return found

    def _wanted(self, found):
        for label, number in self._labels.items():
            # Once loaded, a version is served from memory.
            if number not in found and number not in self._served:
                raise ValueError(
                    f"label {label}: must be a version in {self._base} "
                    f"(received {number}; there are {sorted(found)})")
        numbers = {max(found), *self._labels.values()}
        return sorted(number for number in numbers if number in found)

    def _load(self, number, path):
        self._set_state(number, _State.LOADING)
        model = Servable(path, self._threads)
        try:
            warm_up.replay(model)
        except BaseException:
            model.close()
            raise
        with self._lock:
            self._served[number] = _Served(number, model)
            self._states[number] = _State.AVAILABLE, None
        _LOG.info("version %d of %s is served", number, self.name)

    def _try_load(self, number, path):
        contents = _contents(path)
        if number in self._broken and self._broken[number] == contents:
            return
        try:
            self._load(number, path)
        except Exception as error:  # whatever a broken file may bring about
            self._broken[number] = contents
            reason = refusal(error)
            self._set_state(number, _State.END, reason)
            _LOG.error("version %d of %s is refused: %s", number, self.name,
                       " ".join(reason.message.split())[:500])

    def _retire(self, number):
        with self._lock:
            self._retired.append(self._served.pop(number))
            self._states[number] = _State.UNLOADING, None

    def _close_unused(self):
        with self._lock:
            unused = [served for served in self._retired if not served.users]
            self._retired = [served for served in self._retired
                             if served.users]
        if not unused:
            return
        while unused:
            served = unused.pop()
            served.model.close()
            with self._lock:
                # It may have been taken up anew meanwhile.
                if served.number not in self._served:
                    self._states[served.number] = _State.END, None
            _LOG.info("version %d of %s is closed", served.number, self.name)
        # Cycles hold the graph, and a full collection may be long in coming:
        # each version would cost 60 MB more.
        del served
        gc.collect()

    def _set_state(self, number, state, error=None):
        with self._lock:
            self._states[number] = state, error

    def _complain(self, message):
        """Says what is wrong with the base folder, once."""
        if message and message != self._complaint:
            _LOG.error("%s", message)
        self._complaint = message


def _contents(path):
    """Names, sizes and times of a folder's files: they tell of a change."""
    try:
        return {(str(file), file.stat().st_size, file.stat().st_mtime_ns)
                for file in path.rglob("*") if file.is_file()}
    except OSError:  # files come and go at this moment
        return None
