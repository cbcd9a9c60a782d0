"""Caches decoded photographs as arrays that training maps into memory.

A folder holds one pair of files for each `Selection`: NAME.npy with the
fields, and NAME.json with everything else. NAME is SUBSET_CANVAS_MARGIN, with
the size of the luminance added if it differs from the canvas.

Files are replaced, never changed: a process that has mapped a file keeps
working when the file is replaced or removed.  If another program truncates a
file in place, the processes that have mapped it die (SIGBUS), as with any
memory map. The next process that opens the file reports the damage.
"""

import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import BinaryIO

import numpy as np

from tfdivcolor import settings
from tfdivcolor.data.photo_set import (
    PhotoSet,
    Skipped,
    whole_luminance_size,
)
from tfdivcolor.data.sources import VALIDATION_FRACTION, is_validation
from tfdivcolor.utils import files
from tfdivcolor.utils.arguments import check_number, check_whole
from tfdivcolor.utils.errors import reason

SUBSETS = ("train", "validation")

# (name, size in bytes) of a picture, or an unreadable part.
Member = tuple[str, int] | Skipped

_VERSION = 1  # increase it when the same picture would decode differently


@dataclass(frozen=True)
class Selection:
    """Which photographs to decode, and their size; fields as in `data.load`.

    Raises:
        ValueError: if a value is out of range.
    """

    canvas: int = settings.CANVAS
    margin: int = 0
    subset: str | None = None
    validation_fraction: float = VALIDATION_FRACTION
    limit: int | None = None
    luminance_size: int = 0
    squash: bool = False

    def __post_init__(self):
        check_whole("margin", self.margin, 0)
        object.__setattr__(self, "luminance_size", whole_luminance_size(
            self.luminance_size, self.canvas))
        if self.subset is not None and self.subset not in SUBSETS:
            raise ValueError(f"subset must be None, {' or '.join(SUBSETS)} "
                             f"(received {self.subset!r})")
        check_number("validation_fraction", self.validation_fraction, 0, 1)
        if self.limit is not None:
            check_whole("limit", self.limit, 1)

    @property
    def size(self) -> int:
        """Side of a decoded field in pixels."""
        return self.luminance_size + self.margin

    def takes(self, name: str) -> bool:
        """Whether a picture with this name belongs to the subset."""
        return self.subset is None or (
            is_validation(name, self.validation_fraction)
            == (self.subset == "validation"))

    @property
    def name(self) -> str:
        """Name of its pair of files, without the limit."""
        name = f"{self.subset or 'all'}_{self.canvas}_{self.margin}"
        if self.luminance_size != self.canvas:
            name += f"_{self.luminance_size}"
        return name + "_squashed" * self.squash


def sets_in(folder: str | os.PathLike) -> list[str]:
    """Returns the sorted names of the sets of fields in a cache."""
    return sorted(
        about.stem for about in pathlib.Path(folder).glob("*_*_*.json")
        if about.with_suffix(".npy").exists())


def margin_of(folder: str | os.PathLike, subset: str | None,
              canvas: int) -> int:
    """Returns the smallest margin of a subset in a cache.

    Args:
        folder: path of any folder.
        subset: one of `SUBSETS` or None.
        canvas: int.

    Returns:
        int; 0 if the folder holds no such fields.
    """
    prefix = f"{subset or 'all'}_{canvas}_"
    margins = [name.removeprefix(prefix) for name in sets_in(folder)
               if name.startswith(prefix)]
    return min((int(text) for text in margins if text.isdecimal()), default=0)


def read(folder: str | os.PathLike, selection: Selection) -> PhotoSet:
    """Reads the fields that an earlier `read_or_make` kept.

    Args:
        folder: path.
        selection: `Selection`. Its limit applies to the fields in the cache.

    Returns:
        `PhotoSet`, with a memory map.

    Raises:
        ValueError: if the cache is damaged or has no such selection.
    """
    fields, about = _files(folder, selection)
    if not about.exists():
        raise ValueError(
            f"{folder}: must hold the fields {about.stem} (received a cache "
            f"with {', '.join(sets_in(folder)) or 'none'})")
    photographs, description = _open(fields, about)
    fraction = description["validation_fraction"]
    if selection.subset and fraction != selection.validation_fraction:
        raise ValueError(
            f"{about}: validation_fraction must be {fraction}, as in this "
            f"cache (received {selection.validation_fraction})")
    return PhotoSet(
        photographs.lab[:selection.limit], photographs.names[:selection.limit],
        photographs.skipped, selection.canvas, selection.margin,
        selection.luminance_size)


def read_or_make(
        folder: str | os.PathLike, selection: Selection,
        members: Sequence[Member],
        decode: Callable[
            [BinaryIO], tuple[list[str], list[Skipped], list[Member]]],
        progress: bool) -> PhotoSet:
    """Reads the fields of these pictures, and decodes them first if needed.

    Args:
        folder: path, created if it does not exist.
        selection: `Selection`.
        members: list of (name, size in bytes) of the selected pictures, and
            of (name, reason) of unreadable parts. If they differ from those of
            the cache, the cache is made again.
        decode: function of a binary file, to which it appends the fields as
            float16 [selection.size, selection.size, 3]. Returns (names,
            skipped, members): the first two as in `PhotoSet`, the last as
            above, but as found during the reading.
        progress: bool. Report on standard error why a cache is made again.
            Damaged caches are always reported.

    Returns:
        `PhotoSet`, with a memory map.

    Raises:
        OSError: if the cache cannot be written; the old one then remains.
    """
    fields, about = _files(folder, selection, selection.limit)
    fingerprint = _describe(selection, members)["fingerprint"]
    if about.exists():
        try:
            photographs, found = _open(fields, about)
            if found["fingerprint"] == fingerprint:
                return photographs
            if progress:
                print(f"{fields}: holds other pictures or settings; making it "
                      "again", file=sys.stderr)
        except ValueError as error:
            print(f"{error}; making it again", file=sys.stderr)
    try:
        os.makedirs(folder, exist_ok=True)
        _write(fields, about, selection, decode)
    except OSError as error:
            raise OSError(f"{folder}: must be a writable folder for a cache "
                          f"(received {reason(error)})"
                      ) from error
    return _open(fields, about)[0]


def _files(folder, selection, limit=None):
    name = selection.name
    if limit is not None:
        # Never replaces the whole set.
        name += f"_first{limit}"
    return (pathlib.Path(folder, f"{name}.npy"),
            pathlib.Path(folder, f"{name}.json"))


def _describe(selection, members):
    description = {"version": _VERSION, **asdict(selection)}
    # Caches of 0.5, which had neither field, stay valid.
    if selection.luminance_size == selection.canvas:
        del description["luminance_size"]
    if not selection.squash:
        del description["squash"]
    # Without path and dates, a copy of the pictures has the same cache.
    fingerprint = hashlib.sha256(
        json.dumps([description, members]).encode()).hexdigest()
    return {**description, "fingerprint": fingerprint}


def _open(fields, about):
    """Returns (PhotoSet, description)."""
    try:
        description = json.loads(about.read_text())
        skipped = [Skipped(*entry) for entry in description["skipped"]]
        photographs = PhotoSet(
            np.load(fields, mmap_mode="r"), description["names"], skipped,
            description["canvas"], description["margin"],
            description.get("luminance_size", 0))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{fields}: this cache is damaged ({error})") from error
    return photographs, description


def _write(fields, about, selection, decode):

    def write_header(file, count):
        np.lib.format.write_array_header_1_0(file, {
            "descr": "<f2", "fortran_order": False,
            "shape": (count, selection.size, selection.size, 3)})

    # The fields are moved into place first, the description last.
    with (files.whole_file(about) as new_about,
          files.whole_file(fields) as new_fields):
        with open(new_fields, "wb") as file:
            write_header(file, 0)
            names, skipped, members = decode(file)
            # NumPy pads headers so that the first axis can grow in place.
            file.seek(0)
            write_header(file, len(names))
        new_about.write_text(json.dumps(
            {**_describe(selection, members), "names": names,
             "skipped": skipped}))
        # An interruption must not leave new fields with an old description.
        about.unlink(missing_ok=True)
