"""The photographs that are open: those of the command line, and added ones.

What the page adds is stored in the studio's data folder, under a name that
nothing of the page decides on.  The strip is written down there, so that the
studio has it again when it is started without photographs, or with the same.
"""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdivcolor import images
from tfdivcolor.images import formats
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import ImageError, reason
from tfdivcolor.utils.messages import readable

MAX_NAME = 200  # characters of a name that the page gives


@dataclass(frozen=True)
class Entry:
    """One photograph of the strip.

    Attributes:
        id: str, 24 hexadecimal digits. The page knows it by no other name.
        name: str. Its file's name.
        path: Path. Where it is read from.
        added: bool. Whether it came through the page.
    """

    id: str
    name: str
    path: Path
    added: bool = False

    def described(self) -> dict[str, Any]:
        """What the page is told."""
        return {"id": self.id, "name": readable(self.name),
                "place": None if self.added
                else readable(str(self.path.parent)), "added": self.added}


    def read(self) -> tuple[images.Photo, str]:
        """Reads the photograph, and its file's checksum.

        Raises:
            ImageError: it cannot be read; the name stands for the path, which
                says nothing of an added one.
        """
        try:
            checksum = files.checksum(self.path)
            photo = images.read(self.path)
        except ImageError as error:
            raise ImageError(
                str(error).replace(str(self.path), self.name)) from error
        except OSError as error:
            raise ImageError(
                f"{self.name}: must be a file that can be read "
                f"(received {reason(error)})") from error
        return dataclasses.replace(photo, name=self.name), checksum


class Strip:
    """The photographs of one studio.

    Args:
        folder: Path. The studio's data folder.
        given: list of Path. Photographs of the command line, or none.
        sources: list of str. The command line's arguments.
    """

    def __init__(self, folder: Path, given: Sequence[Path],
                 sources: Sequence[str]):
        self._file = folder / "strip.json"
        self._added = folder / "added"
        self._sources = [os.path.abspath(source) for source in sources]
        before, sources_before = self._read()
        entries = [_of_path(path) for path in given]
        if not sources or self._sources == sources_before:
            known = {entry.id for entry in entries}
            entries += [entry for entry in before if entry.id not in known
                        and (entry.added or not sources)]
        if not sources:
            self._sources = sources_before
        self.entries = {entry.id: entry for entry in entries}
        self._write()

    def add(self, name: str, data: Path, checksum: str) -> Entry:
        """Adds what the page has sent.

        Args:
            name: str. What the page calls it.
            data: Path of the file's bytes; it is moved.
            checksum: str. Their SHA-256.

        Returns:
            `Entry`; of a photograph that is there already, that one.
        """
        identity = checksum[:24]
        path = self._added / identity
        os.replace(data, path)
        entry = Entry(identity, plain_name(name), path, added=True)
        self.entries.setdefault(identity, entry)
        self._write()
        return self.entries[identity]

    def remove(self, identity: str) -> None:
        """Takes a photograph out; a file of the command line stays."""
        entry = self.entries.pop(identity)
        self._write()
        if entry.added:
            entry.path.unlink(missing_ok=True)

    def _read(self):
        """What was written down: entries that are still there, sources."""
        try:
            values = json.loads(self._file.read_bytes())
            entries = [
                Entry(str(value["id"]), str(value["name"]),
                      self._added / str(value["id"]) if value["added"]
                      else Path(value["path"]), bool(value["added"]))
                for value in values["entries"]
                if re.fullmatch("[0-9a-f]{24}", str(value["id"]))]
            sources = [str(source) for source in values["sources"]]
        except (OSError, ValueError, TypeError, KeyError):
            return [], []
        return [entry for entry in entries if entry.path.is_file()], sources

    def _write(self):
        values = [{**dataclasses.asdict(entry), "path": str(entry.path)}
                  for entry in self.entries.values()]
        write_json(self._file, {"sources": self._sources, "entries": values})


def _of_path(path):
    path = Path(os.path.abspath(path))
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()
    return Entry(digest[:24], path.name, path)


def plain_name(name: str) -> str:
    """A file's name as the page gives it, without anything of a path."""
    name = "".join(character if character.isprintable() else " "
                   for character in name.replace("\\", "/").split("/")[-1])
    name = name.strip()[-MAX_NAME:].strip()
    return name if name.strip(". ") else "photograph"


def check_picture(path: Path, name: str) -> None:
    """Refuses a file that begins like no picture.

    Raises:
        ImageError: naming it.
    """
    try:
        with open(path, "rb") as file:
            formats.format_of(file, name)
    except OSError as error:
        raise ImageError(f"{name}: must be a file that can be read "
                         f"(received {reason(error)})") from error


def write_json(path: Path, values: Any) -> None:
    """Writes a file of the data folder, whole or not at all.

    Raises:
        ImageError: it cannot be written.
    """
    files.write_atomically(path, json.dumps(values).encode())
