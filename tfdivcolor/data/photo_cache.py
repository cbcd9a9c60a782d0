"""The cache of decoded photographs: arrays that training maps into memory.

A folder holds one pair of files for each `Selection`: NAME.npy with the
fields, NAME.json with everything else, NAME being SUBSET_CANVAS_MARGIN, with
the luminance's size where it is not the canvas's.

Files are replaced, never changed: whoever has one mapped goes on with it when
it is made again, or removed.  One that something else cuts short in its place
ends the processes that have it mapped (SIGBUS), as any memory map does; the
next one to open it reports the damage.
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

# (name, size in bytes) of a picture, or a part that cannot be read.
Member = tuple[str, int] | Skipped

_VERSION = 1  # raise it when the same picture would decode differently


@dataclass(frozen=True)
class Selection:
    """Which photographs to decode and how large; fields as in `data.load`.

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
        """Pixels a side of a decoded field."""
        return self.luminance_size + self.margin

    def takes(self, name: str) -> bool:
        """Whether a picture of that name belongs to the subset."""
        return self.subset is None or (
            is_validation(name, self.validation_fraction)
            == (self.subset == "validation"))

    @property
    def name(self) -> str:
        """Of its pair of files; the whole set's, whatever the limit."""
        name = f"{self.subset or 'all'}_{self.canvas}_{self.margin}"
        if self.luminance_size != self.canvas:
            name += f"_{self.luminance_size}"
        return name + "_squashed" * self.squash


def sets_in(folder: str | os.PathLike) -> list[str]:
    """Names of the sets of fields that a cache holds, sorted; list of str."""
    return sorted(
        about.stem for about in pathlib.Path(folder).glob("*_*_*.json")
        if about.with_suffix(".npy").exists())


def margin_of(folder: str | os.PathLike, subset: str | None,
              canvas: int) -> int:
    """The smallest margin with which a cache holds a subset.

    Args:
        folder: path. Any; without such fields in it the margin is 0.
        subset: one of `SUBSETS` or None.
        canvas: int.

    Returns:
        int.
    """
    prefix = f"{subset or 'all'}_{canvas}_"
    margins = [name.removeprefix(prefix) for name in sets_in(folder)
               if name.startswith(prefix)]
    return min((int(text) for text in margins if text.isdecimal()), default=0)


def read(folder: str | os.PathLike, selection: Selection) -> PhotoSet:
    """What an earlier `read_or_make` kept.

    Args:
        folder: path.
        selection: `Selection`. Its limit is applied to what the cache holds.

    Returns:
        `PhotoSet`, with a memory map.

    Raises:
        ValueError: if the cache has nothing of this selection, or is damaged.
    """
    fields, about = _files(folder, selection)
    if not about.exists():
        raise ValueError(
            f"{folder}: no fields {about.stem} in this cache (it has: "
            f"{', '.join(sets_in(folder)) or 'none'})")
    photographs, description = _open(fields, about)
    fraction = description["validation_fraction"]
    if selection.subset and fraction != selection.validation_fraction:
        raise ValueError(
            f"{about}: validation_fraction is {fraction} in this cache "
            f"(received {selection.validation_fraction})")
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
    """What the cache keeps of these pictures, decoded first if it has to be.

    Args:
        folder: path, made if it is missing.
        selection: `Selection`.
        members: list of (name, size in bytes) of the pictures selected, and
            of (name, reason) of what cannot be read; if they are others than
            the cache's, it is made again.
        decode: function of a binary file, to which it appends the fields as
            float16 [selection.size, selection.size, 3]; returns (names,
            skipped, members), the first two as in `PhotoSet`, the last as
            above, but as they were when they were read.
        progress: bool. Say on standard error why a cache is made again; a
            damaged one is always reported.

    Returns:
        `PhotoSet`, with a memory map.

    Raises:
        OSError: if the cache cannot be written; what was there is still there.
    """
    fields, about = _files(folder, selection, selection.limit)
    fingerprint = _describe(selection, members)["fingerprint"]
    if about.exists():
        try:
            photographs, found = _open(fields, about)
            if found["fingerprint"] == fingerprint:
                return photographs
            if progress:
                print(f"{fields}: made of other pictures or settings; making "
                      "it again", file=sys.stderr)
        except ValueError as error:
            print(f"{error}; making it again", file=sys.stderr)
    try:
        os.makedirs(folder, exist_ok=True)
        _write(fields, about, selection, decode)
    except OSError as error:
        raise OSError(f"{folder}: must be a folder that a cache can be "
                      f"written to (received {reason(error)})"
                      ) from error
    return _open(fields, about)[0]


def _files(folder, selection, limit=None):
    name = selection.name
    if limit is not None:
        # Never in the place of the whole set.
        name += f"_first{limit}"
    return (pathlib.Path(folder, f"{name}.npy"),
            pathlib.Path(folder, f"{name}.json"))


def _describe(selection, members):
    description = {"version": _VERSION, **asdict(selection)}
    # Caches of 0.5, which had neither, stay good.
    if selection.luminance_size == selection.canvas:
        del description["luminance_size"]
    if not selection.squash:
        del description["squash"]
    # Neither the path nor dates: a copy of the pictures has the same cache.
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

    # The fields take their place first, the description last.
    with (files.whole_file(about) as new_about,
          files.whole_file(fields) as new_fields):
        with open(new_fields, "wb") as file:
            write_header(file, 0)
            names, skipped, members = decode(file)
            # NumPy pads its headers so that the first axis can grow in place.
            file.seek(0)
            write_header(file, len(names))
        new_about.write_text(json.dumps(
            {**_describe(selection, members), "names": names,
             "skipped": skipped}))
        # A stop in between must not leave new fields with an old description.
        about.unlink(missing_ok=True)
