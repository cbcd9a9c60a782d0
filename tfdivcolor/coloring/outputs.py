"""What is written for one photograph: its files' names, and its record.

For outputs at BASE, say out/beach, the pictures are beach_00.png (the first
result) upwards, beach_sheet.png and beach_original.png where asked for, and
beach.json, the record: how they were made, what the model says of each, and
whether they are complete. It is there before the first of them, so that what a
killed call leaves is known for its own. The pictures' endings are those of
their formats.
"""

import errno
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tfdivcolor import images
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import reason

# What makes two calls for one picture the same call.
IDENTITY = ("seed", "num_samples", "mode", "temperature", "steering",
            "same_z_as", "format", "weights_sha256", "input_sha256")
RECORD = ".json"
# What is written once for all photographs of a call.
GALLERY = "index.html"
FAILED = "tfdivcolor_failed.txt"
OF_CALLS = (GALLERY, FAILED)
_PICTURE = re.compile(r"(.+)_(\d\d|sheet|original)\.\w+", re.DOTALL)


def names(base: Path, num_samples: int, suffix: str = ".png",
          extras: Sequence[str] = ()) -> list[Path]:
    """Paths of the pictures made of one photograph, in their order.

    Args:
        base: Path of the outputs, up to their endings.
        num_samples: int.
        suffix: str. The results' ending.
        extras: names of further pictures, with their endings: "sheet.png".

    Returns:
        list of Path.
    """
    endings = [f"{rank:02d}{suffix}" for rank in range(num_samples)]
    return [base.with_name(f"{base.name}_{ending}")
            for ending in (*endings, *extras)]


def record_path(base: Path) -> Path:
    """Path of the record of a photograph's outputs."""
    return base.with_name(base.name + RECORD)


def read_record(base: Path) -> dict:
    """The record that an earlier call wrote, or {} if there is none.

    Args:
        base: Path of the outputs, up to their endings.

    Returns:
        dict. Its "outputs" are names of pictures of that base.
    """
    try:
        record = json.loads(record_path(base).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict):
        return {}
    # A record may come from anyone: what it lists is later removed.
    outputs = record.get("outputs")
    good = isinstance(outputs, list) and all(
        isinstance(name, str) and "/" not in name
        and base_of(Path(name)) == Path(base.name) for name in outputs)
    return record if good else {}


def base_of(path: Path) -> Path | None:
    """Base of the outputs that a picture belongs to by its name, or None."""
    match = _PICTURE.fullmatch(path.name)
    return path.with_name(match[1]) if match else None


def is_whole(base: Path, record: dict, sheet: bool, original: bool) -> bool:
    """Whether everything that a record tells of is there.

    Args:
        base: Path of the outputs, up to their endings.
        record: dict, of `read_record`.
        sheet, original: bool. Whether these pictures must be among it.

    Returns:
        bool.
    """
    names = record.get("outputs", ())
    return (record.get("complete") is True
            and (not sheet or f"{base.name}_sheet.png" in names)
            # Of a grey photograph it is None.
            and (not original or "original" in record)
            and all(base.with_name(name).exists() for name in names))


def is_same(record: dict, wanted: dict) -> bool:
    """Whether a record is of a call equal to the one that would write it.

    Args:
        record: dict, of `read_record`; {} is none.
        wanted: dict. The keys of `IDENTITY`; "ranks", those of the results
            that are written, if not all are; "page", the number of a file's
            page, or None for the one that is read unless another is asked
            for; "lenient", whether a truncated file may be taken.

    Returns:
        bool.
    """
    # Records of versions before 0.7 have neither; a whole file gives the same
    # whether or not a truncated one would have been taken.
    return (bool(record)
            and record.get("ranks") == wanted.get("ranks")
            and all(record.get(key) == wanted[key] for key in IDENTITY)
            and wanted["page"] in (None, record.get("page"))
            and (wanted["lenient"] or not record.get("lenient")))


def check_free(name: str | os.PathLike, paths: Iterable[Path]) -> None:
    """Refuses to write where something else is.

    Args:
        name: str. The photograph's.
        paths: iterable of Path.

    Raises:
        images.ImageError: one of the paths exists.
    """
    for path in paths:
        if path.exists():
            raise images.ImageError(
                f"{name}: must have outputs that are not there yet, or "
                f"--overwrite (received {path})")


def remove(base: Path) -> None:
    """Removes the outputs of an earlier call, its record last.

    Raises:
        images.ImageError: if a file cannot be removed.
    """
    outputs = read_record(base).get("outputs")
    if outputs is None:
        return
    try:
        for path in [*map(base.with_name, outputs), record_path(base)]:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise images.ImageError(
            f"{path}: must be a file that can be replaced "
            f"(received {reason(error)})") from error


def write_record(base: Path, record: dict) -> None:
    """Writes a record, whole or not at all.

    Raises:
        images.ImageError: if it cannot be written.
    """
    files.write_atomically(
        record_path(base), (json.dumps(record, indent=1) + "\n").encode())


def described_hints(result: Any) -> dict[str, list]:
    """What a record says of hints: {} without any.

    Args:
        result: `Coloring`, or one from a server.
    """
    hints = [
        {"x": hint.x, "y": hint.y, "rgb": str(hint).split(",")[2],
         "before": float(before), "after": after.tolist()}
        for hint, before, after in zip(
            result.steering.hints, result.hints_before,
            result.hints_after.T)]
    return {"hints": hints} if hints else {}


def make_folder(folder: Path) -> None:
    """Makes a folder for outputs, with those above it.

    Raises:
        images.ImageError: if there can be none, or nothing can be written to
            it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise images.ImageError(
            f"{folder}: must be a folder that can be written "
            f"(received {reason(error)})") from error
