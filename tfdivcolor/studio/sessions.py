"""The history of a person's work on each photograph, on disk.

One JSON file for each photograph and set of weights, by their checksums, so
that a photograph has its history wherever it lies.  A file is written whole
with every step: what is killed loses nothing that the page has been told of.
"""

import json
import threading
from pathlib import Path
from typing import Any

from tfdivcolor.studio import states
from tfdivcolor.studio.strip import write_json

MAX_STEP = 8192  # characters of a step's JSON
MAX_KEPT = 100
MAX_LABEL = 200
_THUMB = "data:image/jpeg;base64,"


class Changed(Exception):
    """Another tab has changed the session; it is the argument."""


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
        """A photograph's session.

        Args:
            photo, weights: str. Their checksums.

        Returns:
            dict of revision, history (steps), at (the place of the one that
            is shown) and kept (favourites); empty where there is none, or
            none that can be read.
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
        self._known = {path: (stamp, found)}  # long ones take time to check
        return found

    def change(self, photo: str, weights: str, change: Any
               ) -> dict[str, Any]:
        """Takes in what a page has done.

        Args:
            photo, weights: str. Their checksums.
            change: JSON value: an object of revision (the one that it
                changes), keep (steps of the history that stay), states (steps
                that follow), at and kept.

        Returns:
            the new session, as `read`.

        Raises:
            Changed: another revision is there.
            ValueError: naming what is wrong, in one line.
        """
        names = {"revision", "keep", "states", "at", "kept"}
        if not isinstance(change, dict) or set(change) != names:
            raise ValueError(
                f"session must be an object of {', '.join(sorted(names))}")
        with self._lock:
            now = self.read(photo, weights)
            if change["revision"] != now["revision"]:
                raise Changed(now)
            keep = change["keep"]
            if (not _is_whole(keep)
                    or not 0 <= keep <= len(now["history"])):
                raise ValueError(
                    f"keep must be 0 to {len(now['history'])}")
            if not isinstance(change["states"], list):
                raise ValueError("states must be a list of steps")
            new = {"revision": now["revision"] + 1, **_checked(
                now["history"][:keep] + change["states"], change["at"],
                change["kept"], checked=keep)}
            write_json(self._path(photo, weights), new)
            return new


def _checked(history, at, kept, checked=0):
    """Refuses what no page writes; the first `checked` steps are known."""
    for step in history[checked:]:
        _check_step(step)
    if not _is_whole(at) or not (
            0 <= at < len(history) or not (at or history)):
        raise ValueError("at must be the place of a step")
    if not isinstance(kept, list) or len(kept) > MAX_KEPT:
        raise ValueError(f"kept must be a list of at most {MAX_KEPT}")
    for favourite in kept:
        if not isinstance(favourite, dict) or set(favourite) != {"state"}:
            raise ValueError("kept must be a list of objects of state")
        states.parse(favourite["state"])
    return {"history": history, "at": at, "kept": kept}


def _check_step(step):
    if not isinstance(step, dict) or set(step) != {"state", "label", "thumb"}:
        raise ValueError("a step must be an object of state, label, thumb")
    states.parse(step["state"])
    label, thumb = step["label"], step["thumb"]
    if not isinstance(label, str) or len(label) > MAX_LABEL:
        raise ValueError(f"label must be text of at most {MAX_LABEL} letters")
    if thumb is not None and not (
            isinstance(thumb, str) and thumb.startswith(_THUMB)):
        raise ValueError("thumb must be a JPEG as a data URI, or null")
    if len(json.dumps(step)) > MAX_STEP:
        raise ValueError(f"a step must have at most {MAX_STEP} letters")


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)
