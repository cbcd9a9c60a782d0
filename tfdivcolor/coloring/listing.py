"""Listing: finds the photographs of a call in files, folders and stdin."""

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tfdivcolor import images
from tfdivcolor.coloring import naming, outputs
from tfdivcolor.images import finding
from tfdivcolor.utils.errors import ImageError
from tfdivcolor.utils.messages import plural, report

STDIN = Path("/dev/stdin")  # on every system
STDIN_NAMES = ("-", str(STDIN))


class Listing(NamedTuple):
    """The result of `find_pictures`.

    Attributes:
        pictures: list of (path, stem). Path, or `STDIN`; and str, the start of
            the outputs' names. No two stems are equal on any file system.
        failed: list of `ImageError`, the reported errors.
        others: list of (path, kind), as in `images.finding.Found`: skipped
            files, except outputs of earlier calls.
    """

    pictures: list[tuple[Path, str]]
    failed: list[ImageError]
    others: list[tuple[Path, str]]


def find_pictures(paths: Sequence[str], folder: Path | None = None,
                  follow_links: bool = False) -> Listing:
    """Lists the photographs of a call and names their outputs.

    Reports missing and unreadable paths. Skips outputs of earlier calls in
    folders, but not those that `paths` names. Lists each photograph once.

    Args:
        paths: list of str. Files, folders and `STDIN_NAMES`.
        folder: Path of the folder for outputs. Defaults to None: unknown.
        follow_links: bool. Whether to search linked folders too. Defaults to
            False.

    Returns:
        `Listing`.
    """
    pictures, failed, others = {}, {}, {}

    def fail(error):
        if str(error) not in failed:
            failed[str(error)] = error
            report(error)

    # Cached as names, because whole records would fill the memory.
    @functools.cache
    def written(base):
        return frozenset(outputs.read_record(base).get("outputs", ()))

    for given in paths:
        if given in STDIN_NAMES:
            found = finding.Found([(STDIN, STDIN.name)])
        else:
            found = images.find([given], follow_links)
        for error in found.failed:
            fail(error)
        is_folder = os.path.isdir(given)
        for path, name in found.pictures:
            base = outputs.base_of(path)
            if is_folder and base and path.name in written(base):
                continue
            if name not in pictures:
                pictures[name] = path
            elif not _is_same(path, pictures[name]):
                fail(ImageError(
                    f"{path}: must have an output name of its own (received "
                    f"{name}, also the name of {pictures[name]}; use another "
                    "call with another --out)"))
        for path, kind in found.others:
            is_record = kind == outputs.RECORD and written(path.with_suffix(""))
            is_of_call = (path.name in outputs.OF_CALLS and folder
                          and _is_same(path.parent, folder))
            if not (is_record or is_of_call):
                others[path] = kind
    if not pictures and not failed:
        fail(ImageError(f"{', '.join(paths)}: must hold photographs "
                        "(received earlier outputs only)"))
    stems = naming.tell_apart(pictures, folder)
    return Listing([(path, stems[name]) for name, path in pictures.items()],
                   [*failed.values()], [*others.items()])


def left_out(others: Sequence[tuple[Path, str]]) -> str:
    """Counts the skipped files of folders for a message.

    Args:
        others: list of (path, kind), as in `Listing`; not empty.

    Returns:
        str, one line.
    """
    were = "was" if len(others) == 1 else "were"
    return (f"{plural(len(others), 'other file')} {were} skipped "
            f"({finding.summary(kind for _, kind in others)})")


def _is_same(one, other):
    try:
        return os.path.samefile(one, other)
    except OSError:  # a missing file; the reader reports it
        return False
