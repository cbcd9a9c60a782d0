"""Which photographs a call has: those of files, folders and standard input."""

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

STDIN = Path("/dev/stdin")  # whatever the system calls it
STDIN_NAMES = ("-", str(STDIN))


class Listing(NamedTuple):
    """What `find_pictures` has found.

    Attributes:
        pictures: list of (path, stem). Paths, or `STDIN`; the stems, what
            outputs are called, are different on any file system.
        failed: list of `ImageError`. Those reported.
        others: list of (path, kind), as `images.find` gives them: what was
            left out of folders, without the outputs of earlier calls.
    """

    pictures: list[tuple[Path, str]]
    failed: list[ImageError]
    others: list[tuple[Path, str]]


def find_pictures(paths: Sequence[str], folder: Path | None = None,
                  follow_links: bool = False) -> Listing:
    """Lists the photographs, with the names of their outputs.

    Reports what cannot be read. An output of an earlier call is not taken for
    a photograph, unless it is named. What is named twice counts once.

    Args:
        paths: list of str. Files and folders; `STDIN_NAMES`.
        folder: Path or None. Where the outputs go. Defaults to None: nowhere
            yet.
        follow_links: bool. Whether linked folders are searched too. Defaults
            to False.

    Returns:
        `Listing`.
    """
    pictures, failed, others = {}, {}, {}

    def fail(error):
        if str(error) not in failed:
            failed[str(error)] = error
            report(error)

    # Asked for once for each output: whole records would fill the memory.
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
                    f"{name}, as {pictures[name]} has; in another call, with "
                    "another --out, it has)"))
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
    """What to say of the files of folders that are no photographs.

    Args:
        others: list of (path, kind), as in `Listing`; not empty.

    Returns:
        str, one line.
    """
    were = "was" if len(others) == 1 else "were"
    return (f"{plural(len(others), 'other file')} {were} left out "
            f"({finding.summary(kind for _, kind in others)})")


def _is_same(one, other):
    try:
        return os.path.samefile(one, other)
    except OSError:  # gone by now; that is reported when it is read
        return False
