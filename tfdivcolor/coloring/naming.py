"""What the outputs of each photograph are called, so that no two are mixed up.

The outputs of beach.jpg are called beach. Where several photographs of a call
would have one name, each has its whole name: beach.jpg and beach.tif; so has
one whose results would be called as another photograph is: beach.jpg, where
there is beach_00.jpg. What an earlier call has called a photograph's outputs,
they stay, and no other photograph's outputs are called so: whatever is added
later, what is done is neither done again nor replaced.

Names that differ only in case, or in how Unicode writes an accent, count as
one, as there are file systems that hold them so. Where even the whole names
are one, a number follows: IMG.JPG and img.jpg~2.
"""

import functools
import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from tfdivcolor.coloring import outputs
from tfdivcolor.images import finding

_NUMBERS = 8  # of names that are one, whose earlier names are looked for


def tell_apart(names: Iterable[str], folder: Path | None = None
               ) -> dict[str, str]:
    """Names of the outputs of each photograph, its stem.

    Args:
        names: iterable of str, all different. The photographs' paths from the
            folders they were found in, with slashes: "holiday/beach.jpg".
        folder: Path or None. Where the outputs go: what earlier calls have
            called photographs stays so. Defaults to None: nowhere yet.

    Returns:
        dict from name to stem, in the order of the names. No two stems are
        the same on any file system.
    """
    names = list(names)
    wanted = Counter(_key(finding.without_suffix(name)) for name in names)
    bases = (outputs.base_of(Path(name)) for name in names)
    results = {_key(base.as_posix()) for base in bases if base}
    owner = _owners(folder)
    stems, taken = {}, set()

    def take(name, stem):
        stems[name] = stem
        taken.add(_key(stem))

    # First what earlier calls have named, then what is alone with its name.
    for name in names:
        for stem in itertools.islice(_candidates(name), _NUMBERS):
            if _key(stem) not in taken and owner(stem) == _file_name(name):
                take(name, stem)
                break
    for name in names:
        stem = next(_candidates(name))
        if (name not in stems and wanted[_key(stem)] == 1
                and _key(stem) not in results
                and _is_free(stem, name, taken, owner)):
            take(name, stem)
    for name in names:
        if name not in stems:
            take(name, next(stem for stem in _whole_names(name)
                            if _is_free(stem, name, taken, owner)))
    return {name: stems[name] for name in names}


def of_pages(name: str, stem: str, count: int, stems: Iterable[str],
             folder: Path) -> list[str]:
    """Names of the outputs of each page of a file of several.

    Args:
        name: str. The file's, as in `tell_apart`.
        stem: str. What its outputs would be called without pages.
        count: int. Number of its pages.
        stems: iterable of str. Those of all photographs of the call.
        folder: Path. Where the outputs go.

    Returns:
        list of `count` str: "scan_p1", "scan_p2"; or "scan.tif_p1" and so on
        where one of those is another photograph's.
    """
    taken = set(map(_key, stems))
    owner = functools.partial(_owner, folder)
    possible = ([f"{start}_p{page}" for page in range(1, count + 1)]
                for start in itertools.chain([stem], _whole_names(name)))
    return next(pages for pages in possible if all(
        _is_free(page, name, taken, owner) for page in pages))


def _candidates(name) -> Iterator[str]:
    yield finding.without_suffix(name)
    yield from _whole_names(name)


def _whole_names(name) -> Iterator[str]:
    yield name
    for number in itertools.count(2):
        yield f"{name}~{number}"


def _is_free(stem, name, taken, owner):
    return _key(stem) not in taken and owner(stem) in (None, _file_name(name))


def _owners(folder) -> Callable[[str], object]:
    """`_owner` for many stems: opens no record that is not listed."""
    @functools.cache
    def listed(parent):
        try:
            return {_key(name) for name in os.listdir(parent)}
        except OSError:
            return set()

    def owner(stem):
        if folder is None:
            return None
        path = outputs.record_path(folder / stem)
        known = _key(path.name) in listed(path.parent)
        return _owner(folder, stem) if known else None

    return owner


def _owner(folder, stem):
    """Name of the file that an earlier call has given a stem, or None."""
    return outputs.read_record(folder / stem).get("input")


def _file_name(name):
    return PurePosixPath(name).name


def _key(stem):
    return unicodedata.normalize("NFC", stem).casefold()
