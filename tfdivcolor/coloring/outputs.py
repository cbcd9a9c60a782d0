"""Outputs: names and record of the files written for one photograph.

With the base out/beach, the pictures are beach_00.png (the first result),
beach_01.png and so on, and optionally beach_sheet.png and beach_original.png.
The endings are those of the formats. The record, beach.json, holds the call's
settings, the model's numbers for each result, and whether the outputs are
complete. It is written before the pictures, so that a later call knows the
outputs of a killed one.
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

# Keys that have the same values in equal calls.
IDENTITY = ("seed", "num_samples", "mode", "temperature", "steering",
            "same_z_as", "format", "weights_sha256", "input_sha256")
RECORD = ".json"
# Files of a whole call.
GALLERY = "index.html"
FAILED = "tfdivcolor_failed.txt"
OF_CALLS = (GALLERY, FAILED)
_PICTURE = re.compile(r"(.+)_(\d\d|sheet|original)\.\w+", re.DOTALL)


def names(base: Path, num_samples: int, suffix: str = ".png",
          extras: Sequence[str] = ()) -> list[Path]:
    """Paths of the pictures for one photograph, in order.

    Args:
        base: Path of the outputs without their endings.
        num_samples: int. Number of results.
        suffix: str. Suffix of the results. Defaults to ".png".
        extras: sequence of str. Endings of other pictures, such as
            "sheet.png". Defaults to none.

    Returns:
        list of Path.
    """
    endings = [f"{rank:02d}{suffix}" for rank in range(num_samples)]
    return [base.with_name(f"{base.name}_{ending}")
            for ending in (*endings, *extras)]


def record_path(base: Path) -> Path:
    """Path of the record beside a photograph's outputs."""
    return base.with_name(base.name + RECORD)


def read_record(base: Path) -> dict:
    """Reads the record of an earlier call.

    Args:
        base: Path of the outputs without their endings.

    Returns:
        dict, in which "outputs" lists names of pictures with this base; {} if
        the record is missing or damaged.
    """
    try:
        record = json.loads(record_path(base).read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(record, dict):
        return {}
    # A record may come from anyone, and `remove` deletes the listed files.
    outputs = record.get("outputs")
    good = isinstance(outputs, list) and all(
        isinstance(name, str) and "/" not in name
        and base_of(Path(name)) == Path(base.name) for name in outputs)
    return record if good else {}


def base_of(path: Path) -> Path | None:
    """Base of the outputs that a picture's name belongs to, or None."""
    match = _PICTURE.fullmatch(path.name)
    return path.with_name(match[1]) if match else None


def is_whole(base: Path, record: dict, sheet: bool, original: bool) -> bool:
    """Whether all outputs of a record exist.

    Args:
        base: Path of the outputs without their endings.
        record: dict from `read_record`.
        sheet, original: bool. Whether the outputs must include these pictures.

    Returns:
        bool.
    """
    names = record.get("outputs", ())
    return (record.get("complete") is True
            and (not sheet or f"{base.name}_sheet.png" in names)
            # The value is None for a grey photograph.
            and (not original or "original" in record)
            and all(base.with_name(name).exists() for name in names))


def is_same(record: dict, wanted: dict) -> bool:
    """Whether a record belongs to a call equal to the present one.

    Args:
        record: dict from `read_record`; {} equals no call.
        wanted: dict of the present call. The keys of `IDENTITY`; "ranks", the
            ranks of the results to write, unless all are written; "page", a
            page number, or None for the default page; "lenient", whether the
            call reads truncated files.

    Returns:
        bool.
    """
    # Records of versions before 0.7 lack the last two keys. `lenient` does not
    # change the results of a complete file.
    return (bool(record)
            and record.get("ranks") == wanted.get("ranks")
            and all(record.get(key) == wanted[key] for key in IDENTITY)
            and wanted["page"] in (None, record.get("page"))
            and (wanted["lenient"] or not record.get("lenient")))


def check_free(name: str | os.PathLike, paths: Iterable[Path]) -> None:
    """Refuses to write to existing paths.

    Args:
        name: str. Name of the photograph, for the message.
        paths: iterable of Path.

    Raises:
        images.ImageError: if one of the paths exists.
    """
    for path in paths:
        if path.exists():
            raise images.ImageError(
                f"{name}: must have no output files of another call in the "
                f"folder; choose another --out, or --overwrite (received "
                f"{path})")


def remove(base: Path) -> None:
    """Removes the outputs of an earlier call, the record last.

    Args:
        base: Path of the outputs without their endings.

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
    """Writes a record, completely or not at all.

    Args:
        base: Path of the outputs without their endings.
        record: dict of JSON values.

    Raises:
        images.ImageError: if the record cannot be written.
    """
    files.write_atomically(
        record_path(base), (json.dumps(record, indent=1) + "\n").encode())


def described_hints(result: Any) -> dict[str, list]:
    """Makes the entry of a record that describes hints.

    Args:
        result: `Coloring`, or a result from a server.

    Returns:
        dict with the key "hints", or {} without hints.
    """
    hints = [
        {"x": hint.x, "y": hint.y, "rgb": str(hint).split(",")[2],
         "before": float(before), "after": after.tolist()}
        for hint, before, after in zip(
            result.steering.hints, result.hints_before,
            result.hints_after.T)]
    return {"hints": hints} if hints else {}


def make_folder(folder: Path) -> None:
    """Makes a folder for outputs, and its parents.

    Args:
        folder: Path. It may exist.

    Raises:
        images.ImageError: if the folder cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise images.ImageError(
            f"{folder}: must be a folder that can be written "
            f"(received {reason(error)})") from error
