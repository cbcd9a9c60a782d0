"""Lists the pictures of folders, by suffix, or by content without a suffix.

The functions open only regular files: a FIFO would block until a program
writes to it.  They also list files that are not pictures, by kind, so that no
file is skipped in silence.
"""

import errno
import heapq
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tfdivcolor.images import formats
from tfdivcolor.images.formats import SUFFIXES
from tfdivcolor.utils.errors import ImageError, reason

# "scan.0001" and "Mr. Smith" have no suffix.
_SUFFIX = re.compile(r"\.(?!\d+$)\w{1,10}")
_PICTURE, _FOLDER, _FILE = "picture", "folder", "file"
_NO_SUFFIX = "without a suffix"
_LINKED_FOLDER = "linked folder"
_LEADS_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_KINDS_SHOWN = 8


@dataclass
class Found:
    """The result of `find`.

    Attributes:
        pictures: list of (path, name). pathlib.Path, and str: the file's own
            name, or for a picture of a folder the path from that folder, with
            slashes, such as "holiday/beach.jpg".
        others: list of (path, kind). Files that are not pictures:
            pathlib.Path, and str: the suffix in lower case, "without a
            suffix", "FIFO", "socket", "device", "linked folder" or "link to
            nothing".
        failed: list of `ImageError`. Missing or unreadable files and folders.
    """

    pictures: list[tuple[Path, str]] = field(default_factory=list)
    others: list[tuple[Path, str]] = field(default_factory=list)
    failed: list[ImageError] = field(default_factory=list)


def find(paths: Iterable[str | os.PathLike],
         follow_links: bool = False) -> Found:
    """Lists the pictures among files and folders.

    Regular files count as pictures whatever their names. In folders and all
    folders below, `find` lists regular files, and links to them, that have an
    image suffix (`SUFFIXES`, upper or lower case) or no suffix and the content
    of an image, in the order of their relative paths. It skips hidden files
    and folders.

    Args:
        paths: iterable of str or os.PathLike. Files and folders.
        follow_links: bool. Whether linked folders are searched too, each real
            folder once. Defaults to False.

    Returns:
        `Found`.
    """
    found = Found()
    for path in map(Path, paths):
        kind = _kind_of_path(path)
        if kind == _FOLDER:
            _add_folder(path, follow_links, found)
        elif kind == _FILE:
            found.pictures.append((path, path.name))
        else:
            found.failed.append(ImageError(
                f"{path}: must be a file or folder (received {kind})"))
    return found


def names_in(folder: str | os.PathLike,
             on_error: Callable[[OSError], object]) -> list[str]:
    """Lists the pictures of a folder and all folders in it, like `find`.

    Args:
        folder: str or os.PathLike.
        on_error: function of an `OSError` with a filename, called for each
            unreadable folder, for each unreadable file without a suffix, and
            for each entry that has a picture's name and is not a file.

    Returns:
        list of str, sorted: paths from the folder, with slashes.
    """
    names, others, errors = _search(folder)
    for _, error in errors:
        on_error(error)
    for name, kind in others:
        if is_picture(name) and kind != _LINKED_FOLDER:
            on_error(OSError(errno.EINVAL, f"a {kind}", name))
    return names


def is_picture(name: str) -> bool:
    """Whether a path has an image suffix and is not hidden.

    Args:
        name: str. A path from a folder, or the path of an archive member,
            with slashes.

    Returns:
        bool.
    """
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and name.lower().endswith(SUFFIXES)


def without_suffix(name: str) -> str:
    """Removes the suffix of a file name or path.

    Args:
        name: str. "holiday/beach.jpg", "scan.0001".

    Returns:
        str. "holiday/beach", "scan.0001".
    """
    return name[:len(name) - len(_suffix(name))]


def summary(kinds: Iterable[str]) -> str:
    """Counts the kinds, in one line.

    Args:
        kinds: iterable of str, as in `Found.others`.

    Returns:
        str, such as "2 .txt, 1 .xml, 1 FIFO", the most frequent kind first.
        The rarest of many kinds share one number.
    """
    counts = sorted(Counter(kinds).items(), key=lambda item: (
        -item[1], item[0]))
    shown = [_plural(number, kind) for kind, number in counts[:_KINDS_SHOWN]]
    rest = counts[_KINDS_SHOWN:]
    if rest:
        shown.append(f"{sum(number for _, number in rest)} of "
                     f"{len(rest)} other kinds")
    return ", ".join(shown)


def _plural(number, kind):
    if kind.startswith(".") or kind == _NO_SUFFIX or number == 1:
        return f"{number} {kind}"
    if kind.startswith("link "):
        return f"{number} links {kind.removeprefix('link ')}"
    return f"{number} {kind}s"


def _add_folder(folder, follow_links, found):
    names, others, errors = _search(folder, follow_links)
    found.pictures += [(folder / name, name) for name in names]
    found.others += [(folder / name, kind) for name, kind in others]
    for kind, error in errors:
        found.failed.append(ImageError(
            f"{error.filename}: must be a {kind} that can be read "
            f"(received {reason(error)})"))
    if not names and not errors:
        found.failed.append(ImageError(
            f"{folder}: must hold images ({', '.join(SUFFIXES)}) "
            "(received a folder without any)"))


def _search(folder, follow_links=False):
    """Searches a folder and all folders in it.

    Returns:
        names: list of str. Paths of pictures from the folder, sorted.
        others: list of (name, kind). Files that are not pictures, sorted.
        errors: list of ("folder" or "file", `OSError`), sorted by path.
    """
    folder = os.fspath(folder)
    names, others, errors = [], [], []
    # Real folders first: linked content that is also reachable without a link
    # keeps its real path.
    real, linked, seen = [""], [], set()
    while real or linked:
        relative = real.pop() if real else heapq.heappop(linked)
        path = os.path.join(folder, relative) if relative else folder
        try:
            if follow_links:
                status = os.stat(path)
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                listed = list(entries)
        except OSError as error:
            errors.append(_of_path(_FOLDER, error, path))
            continue
        for entry in listed:
            if entry.name.startswith("."):
                continue
            name = f"{relative}/{entry.name}" if relative else entry.name
            try:
                kind = _kind_of_entry(entry)
            except OSError as error:
                errors.append(_of_path(_FILE, error, entry.path))
                continue
            if kind == _PICTURE:
                names.append(name)
            elif kind == _FOLDER:
                real.append(name)
            elif kind == _LINKED_FOLDER and follow_links:
                heapq.heappush(linked, name)
            else:
                others.append((name, kind))
    errors.sort(key=lambda kind_and_error: kind_and_error[1].filename)
    return sorted(names), sorted(others), errors


def _suffix(name):
    """The suffix of a name, or ""."""
    suffix = os.path.splitext(name)[1]
    return suffix if _SUFFIX.fullmatch(suffix) else ""


def _of_path(kind, error, path):
    # Some errors of reading do not name the file.
    error.filename = error.filename or path
    return kind, error


def _kind_of_entry(entry):
    """A folder's entry: a picture, a folder, or a kind of `Found.others`.

    Raises:
        OSError: if a file without a suffix cannot be read.
    """
    kind = _kind_by_listing(entry)
    if kind != _FILE:
        return kind
    if is_picture(entry.name):
        return _PICTURE
    suffix = _suffix(entry.name).lower()
    if suffix:
        return suffix
    with open(entry.path, "rb") as file:
        head = file.read(formats.SNIFFED)
    return _PICTURE if formats.sniff(head) else _NO_SUFFIX


def _kind_by_listing(entry):
    # The directory listing itself identifies most entries.
    try:
        if entry.is_symlink():
            kind = _kind(entry.stat().st_mode)
            return _LINKED_FOLDER if kind == _FOLDER else kind
        if entry.is_dir():
            return _FOLDER
        if entry.is_file():
            return _FILE
        return _kind(entry.stat(follow_symlinks=False).st_mode)
    except OSError as error:
        # Opening this entry later reports the error.
        nowhere = entry.is_symlink() and error.errno in _LEADS_NOWHERE
        return "link to nothing" if nowhere else _FILE


def _kind_of_path(path):
    """Identifies a given path: "folder", "file", or what was received."""
    try:
        kind = _kind(os.stat(path).st_mode)
    except OSError as error:
        if os.path.islink(path) and error.errno in _LEADS_NOWHERE:
            return "a link to nothing"
        return ("a path that does not exist"
                if error.errno in (errno.ENOENT, errno.ENOTDIR)
                else reason(error))
    return kind if kind in (_FOLDER, _FILE) else f"a {kind}"


def _kind(mode):
    if stat.S_ISREG(mode):
        return _FILE
    if stat.S_ISDIR(mode):
        return _FOLDER
    if stat.S_ISFIFO(mode):
        return "FIFO"
    return "socket" if stat.S_ISSOCK(mode) else "device"
