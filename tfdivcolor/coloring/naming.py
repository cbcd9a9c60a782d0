"""Naming: gives the outputs of each photograph a stem of their own.

The stem of beach.jpg is beach. Photographs of a call with the same stem keep
their suffixes: beach.jpg and beach.tif. So does a photograph with results that
would have another photograph's name: beach.jpg beside beach_00.jpg. A
photograph keeps its stem in later calls, and no other photograph gets it.
Therefore new photographs in a folder cause neither repeated nor replaced
results.

Names that differ only in case, or in the Unicode form of an accent, count as
equal, because some file systems treat them so. If even the names with suffix
are equal, a number follows: IMG.JPG and img.jpg~2.
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

_NUMBERS = 8  # numbered names to search for an earlier stem


def tell_apart(names: Iterable[str], folder: Path | None = None
               ) -> dict[str, str]:
    """Chooses a stem for the outputs of each photograph.

    Args:
        names: iterable of str, all different. Paths of the photographs from
            their folders, with slashes: "holiday/beach.jpg".
        folder: Path of the folder for outputs, where photographs keep the
            stems of earlier calls. Defaults to None: unknown.

    Returns:
        dict from name to stem, in the order of the names. No two stems are
        equal on any file system.
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

    # First the stems of earlier calls, then names that are unique.
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
    """Chooses a stem for each page of a file with several.

    Args:
        name: str. Path of the file, as in `tell_apart`.
        stem: str. Stem of the file's outputs without pages.
        count: int. Number of pages.
        stems: iterable of str. Stems of all photographs of the call.
        folder: Path of the folder for outputs.

    Returns:
        list of `count` str: "scan_p1", "scan_p2"; or "scan.tif_p1" and so on
        if another photograph has one of those stems.
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
    """`_owner` for many stems: opens only records that the folder lists."""
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
    """Name of the photograph that an earlier call gave a stem, or None."""
    return outputs.read_record(folder / stem).get("input")


def _file_name(name):
    return PurePosixPath(name).name


def _key(stem):
    return unicodedata.normalize("NFC", stem).casefold()
