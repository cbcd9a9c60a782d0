"""The history of each photograph, on disk.

Each photograph and set of weights has one JSON file, named by their checksums,
so a photograph keeps its history when it moves.  Every step writes the whole
file: a killed server loses no step that it has confirmed to the page.
"""

import json
import threading
from pathlib import Path
from typing import Any

from tfdivcolor.studio import states
from tfdivcolor.studio.strip import write_json

MAX_STEP = 8192  # characters in a step's JSON
MAX_KEPT = 100  # favourites of a photograph
MAX_LABEL = 200  # characters
_THUMB = "data:image/jpeg;base64,"


class Changed(Exception):
    """Another tab changed the session; the argument is the new session."""


class Sessions:
    """The sessions of a data folder.

    Args:
        folder: Path. The studio's data folder.
    """

    def __init__(self, folder: Path):
        self._folder = folder / "sessions"
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[tuple[int, int], dict[str, Any]]] = {}

    def _path(self, photo, weights):
        return self._folder / f"{photo[:32]}-{weights[:16]}.json"

    def read(self, photo: str, weights: str) -> dict[str, Any]:
        """Reads the session of a photograph.

        Args:
            photo, weights: str. Their checksums.

        Returns:
            dict of revision (int), history (list of steps), at (place of the
            current step) and kept (list of favourites). Without a readable
            file, the session is empty and its revision is 0.
        """
        path = self._path(photo, weights)
        try:
            status = path.stat()
            stamp = status.st_mtime_ns, status.st_size
            if path in self._known and self._known[path][0] == stamp:
                return self._known[path][1]
            values = json.loads(path.read_bytes())
            found = {"revision": int(values["revision"]), **_checked(
                values["history"], values["at"], values["kept"])}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {"revision": 0, "history": [], "at": 0, "kept": []}
        self._known = {path: (stamp, found)}  # long ones are slow to check
        return found

    def change(self, photo: str, weights: str, change: Any
               ) -> dict[str, Any]:
        """Applies a change from the page and writes the session.

        Args:
            photo, weights: str. Their checksums.
            change: JSON value: an object with revision (the one to change),
                keep (number of steps to keep), states (list of steps to
                append), at and kept.

        Returns:
            dict, the new session, as from `read`.

        Raises:
            Changed: the session has another revision.
            ValueError: the change is not valid; one line names the fault.
            ImageError: the session cannot be written.
        """
        names = {"revision", "keep", "states", "at", "kept"}
        if not isinstance(change, dict) or set(change) != names:
            raise ValueError(
                f"session must be an object with {', '.join(sorted(names))}")
        with self._lock:
            now = self.read(photo, weights)
            if change["revision"] != now["revision"]:
                raise Changed(now)
            keep = change["keep"]
            if (not _is_whole(keep)
                    or not 0 <= keep <= len(now["history"])):
                raise ValueError(
                    f"keep must be 0 to {len(now['history'])} "
                    f"(received {states.shown(keep)})")
            if not isinstance(change["states"], list):
                raise ValueError("states must be a list of steps")
            new = {"revision": now["revision"] + 1, **_checked(
                now["history"][:keep] + change["states"], change["at"],
                change["kept"], checked=keep)}
            write_json(self._path(photo, weights), new)
            return new


def _checked(history, at, kept, checked=0):
    """Checks a session; the first `checked` steps were checked before."""
    for step in history[checked:]:
        _check_step(step)
    if not _is_whole(at) or not (
            0 <= at < len(history) or not (at or history)):
        raise ValueError("at must be the place of a step in the history "
                         f"(received {states.shown(at)})")
    if not isinstance(kept, list) or len(kept) > MAX_KEPT:
        raise ValueError(f"kept must be a list of at most {MAX_KEPT} results")
    for favourite in kept:
        if not isinstance(favourite, dict) or set(favourite) != {"state"}:
            raise ValueError("kept must be a list of objects with state")
        states.parse(favourite["state"])
    return {"history": history, "at": at, "kept": kept}


def _check_step(step):
    if not isinstance(step, dict) or set(step) != {"state", "label", "thumb"}:
        raise ValueError("step must be an object with state, label and thumb")
    states.parse(step["state"])
    label, thumb = step["label"], step["thumb"]
    if not isinstance(label, str) or len(label) > MAX_LABEL:
        raise ValueError(
            f"label must be text of at most {MAX_LABEL} characters")
    if thumb is not None and not (
            isinstance(thumb, str) and thumb.startswith(_THUMB)):
        raise ValueError("thumb must be the data URI of a JPEG, or null")
    if len(json.dumps(step)) > MAX_STEP:
        raise ValueError(f"step must have at most {MAX_STEP} characters")


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)
