"""Files and folders that appear whole or not at all, and their checksums."""

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
    """A new file that takes its place when the context ends well.

    Args:
        path: str or os.PathLike. An existing file is replaced.

    Yields:
        pathlib.Path in the same folder, with the same suffix, to be written
        to. Where the context ends with an exception, it is removed, and
        nothing has changed.

    Raises:
        OSError: the file cannot be put into its place.
    """
    path = Path(path)
    # In the same folder, as renaming is atomic only within a file system.
    # Hidden, so that what a killed process leaves is taken for no picture.
    temporary = path.with_name(f".{uuid.uuid4().hex}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # it is gone when all went well
            temporary.unlink()


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """`whole_file`, opened, with one line of error.

    Args:
        path: str or os.PathLike. An existing file is replaced.

    Yields:
        binary file.

    Raises:
        ImageError: the file cannot be written; then nothing has changed.
    """
    try:
        with whole_file(path) as temporary, open(temporary, "xb") as file:
            yield file
    except OSError as error:
        raise ImageError(f"{path}: must be a file that can be written "
                         f"(received {reason(error)})") from error


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Writes a file such that no reader ever sees a part of it.

    Args:
        path: str or os.PathLike. An existing file is replaced.
        data: bytes.

    Raises:
        ImageError: the file cannot be written; then nothing has changed.
    """
    with replacing(path) as file:
        file.write(data)


@contextlib.contextmanager
def whole_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """A new folder that takes its place when the context ends well.

    Args:
        path: pathlib.Path.
        replace: bool. Whether to replace what is there by then.

    Yields:
        pathlib.Path of a hidden folder beside it, to be filled. Where the
        context ends with an exception, it is removed, and nothing has
        changed.

    Raises:
        OSError: it cannot be made, or something is there and not replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(
        prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        if replace and path.exists():
            # The old one stays whole, under a hidden name, until the new
            # one has its place.
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
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
