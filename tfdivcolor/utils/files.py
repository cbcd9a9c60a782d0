"""Writes files and folders completely or not at all; checksums."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tfdivcolor.utils.errors import ImageError, reason


@contextlib.contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Makes a new file that replaces `path` when the context succeeds.

    Args:
        path: str or os.PathLike. An existing file is replaced.

    Yields:
        pathlib.Path to write to, in the same folder and with the same suffix.
        If the context raises an exception, this file is removed and `path`
        does not change.

    Raises:
        OSError: if the file cannot be moved to `path`.
    """
    path = Path(path)
    # In the same folder, because renaming is atomic only within a file system.
    # Hidden, so that the remains of a killed process do not look like pictures.
    temporary = path.with_name(f".{uuid.uuid4().hex}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # after success it does not exist
            temporary.unlink()


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """Opens a `whole_file`, and reports errors in one line.

    Args:
        path: str or os.PathLike. An existing file is replaced.

    Yields:
        binary file.

    Raises:
        ImageError: if the file cannot be written; `path` then does not change.
    """
    try:
        with whole_file(path) as temporary, open(temporary, "xb") as file:
            yield file
    except OSError as error:
        raise ImageError(f"{path}: must be a file that can be written "
                         f"(received {reason(error)})") from error


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Writes a file so that no reader sees a part of it.

    Args:
        path: str or os.PathLike. An existing file is replaced.
        data: bytes.

    Raises:
        ImageError: if the file cannot be written; `path` then does not change.
    """
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def whole_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """Makes a new folder that appears at `path` when the context succeeds.

    Args:
        path: pathlib.Path.
        replace: bool. Whether to replace an existing `path`. Defaults to
            False.

    Yields:
        pathlib.Path of a hidden folder beside `path`, to fill. If the context
        raises an exception, this folder is removed and `path` does not
        change.

    Raises:
        OSError: if the folder cannot be made, or if `path` exists and
            `replace` is False.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(
        prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if replace and path.exists():
            # The old folder stays complete, under a hidden name, until the
            # new one is in place.
            old = temporary.with_name(f"{temporary.name}-old")
            os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old)
        else:
            os.replace(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def checksum(path: str | os.PathLike) -> str:
    """Computes the SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
