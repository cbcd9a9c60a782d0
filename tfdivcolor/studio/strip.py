"""The open photographs: from the command line, and added on the page.

The strip stores added photographs in the studio's data folder, under names
that do not depend on the page.  It also stores its list there: the studio
opens the list again when it starts without photographs or with the same ones.
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

MAX_NAME = 200  # characters in the name of an added photograph


@dataclass(frozen=True)
class Entry:
    """One photograph of the strip.

    Attributes:
        id: str, 24 hexadecimal digits. Its name in requests.
        name: str. Name of its file.
        path: Path of its file.
        added: bool. Whether the page added it.
    """

    id: str
    name: str
    path: Path
    added: bool = False

    def described(self) -> dict[str, Any]:
        """The photograph's description, as JSON values for the page."""
        return {"id": self.id, "name": readable(self.name),
                "place": None if self.added
                else readable(str(self.path.parent)), "added": self.added}


    def read(self) -> tuple[images.Photo, str]:
        """Reads the photograph and the checksum of its file.

        Returns:
            `images.Photo`, and the SHA-256 as str.

        Raises:
            ImageError: the file cannot be read. The message has the name
                instead of the path, because the path of an added photograph
                means nothing to the user.
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
        given: list of Path. Photographs of the command line; may be empty.
        sources: list of str. Arguments of the command line.

    Attributes:
        entries: dict of `Entry` by id, in the order of the strip.
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
        """Adds a photograph that the page sent.

        Args:
            name: str. Name of the file on the page.
            data: Path of a file with its bytes; the strip moves this file.
            checksum: str. SHA-256 of the bytes.

        Returns:
            `Entry`; the existing entry if the strip has the photograph.

        Raises:
            OSError: the file cannot be moved.
            ImageError: the list cannot be written.
        """
        identity = checksum[:24]
        path = self._added / identity
        os.replace(data, path)
        entry = Entry(identity, plain_name(name), path, added=True)
        self.entries.setdefault(identity, entry)
        self._write()
        return self.entries[identity]

    def remove(self, identity: str) -> None:
        """Removes a photograph from the strip.

        The strip deletes its copy of an added photograph, and no other file.

        Args:
            identity: str. The id of the photograph.

        Raises:
            KeyError: the strip has no such photograph.
            ImageError: the list cannot be written.
        """
        entry = self.entries.pop(identity)
        self._write()
        if entry.added:
            entry.path.unlink(missing_ok=True)

    def _read(self):
        """Reads the stored list: entries with existing files, and sources."""
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
    """Makes a safe file name from a name that the page sent.

    Args:
        name: str.

    Returns:
        str without folders and control characters, at most `MAX_NAME`
        characters; "photograph" if nothing remains.
    """
    name = "".join(character if character.isprintable() else " "
                   for character in name.replace("\\", "/").split("/")[-1])
    name = name.strip()[-MAX_NAME:].strip()
    return name if name.strip(". ") else "photograph"


def check_picture(path: Path, name: str) -> None:
    """Checks that a file starts like a picture.

    Args:
        path: Path of the file.
        name: str. Name of the file in messages.

    Raises:
        ImageError: the file is not a picture or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            formats.format_of(file, name)
    except OSError as error:
        raise ImageError(f"{name}: must be a file that can be read "
                         f"(received {reason(error)})") from error


def write_json(path: Path, values: Any) -> None:
    """Writes a file of the data folder, whole or not at all.

    Args:
        path: Path of the file.
        values: JSON value.

    Raises:
        ImageError: the file cannot be written.
    """
    files.write_atomically(path, json.dumps(values).encode())
