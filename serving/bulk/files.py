"""Files of every file system that Beam knows: local, gs://, s3://, hdfs://."""

import contextlib
import os
import posixpath
import re
import tempfile
import uuid
from pathlib import Path

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

# Beside the pictures: manifest, dead letters, and parts of files.
FOLDER = "_bulk"
_PART = "tmp-"


def absolute(path):
    """The path that workers with another current folder understand, too.

    Args:
        path: str. A path or pattern of any file system.

    Returns:
        str.
    """
    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


def expand(pattern):
    """The Beam patterns that stand for one of a shell.

    To Beam, `**/` is one folder or more; here it may be none as well.

    Args:
        pattern: str, absolute.

    Returns:
        list of str. They have one `fixed_folder`.
    """
    pattern = pattern.replace("**/*", "**")
    flat = pattern.replace("/**/", "/")
    return [pattern] if flat == pattern else [flat, pattern]


def fixed_folder(pattern):
    """The folder that all files of a pattern are in, with a slash behind it."""
    return re.match(r"[^*?[]*", pattern)[0].rpartition("/")[0] + "/"


def read(path):
    """Reads a file.

    Returns:
        bytes.

    Raises:
        OSError: if it cannot be read.
    """
    # As it is, whatever its name ends in.
    with FileSystems.open(
            path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read()


def write(contents, out):
    """Writes files, each whole or not at all; existing ones are replaced.

    Args:
        contents: dict from a path to bytes.
        out: str. The run's output folder, where parts of files may be.

    Raises:
        OSError: if one cannot be written. Others may have been.
    """
    parts = {posixpath.join(out, FOLDER, _PART + uuid.uuid4().hex): path
             for path in contents}
    try:
        for part, path in parts.items():
            with FileSystems.create(
                    part, compression_type=CompressionTypes.UNCOMPRESSED
                    ) as file:
                file.write(contents[path])
        for folder in {posixpath.dirname(path) for path in contents}:
            with contextlib.suppress(OSError):  # it exists, or renaming fails
                FileSystems.mkdirs(folder)
        if FileSystems.get_scheme(out) == "hdfs":
            _make_way(contents)
        FileSystems.rename(list(parts), list(contents))
    except BaseException:
        with contextlib.suppress(Exception):
            FileSystems.delete(list(parts))
        raise


def _make_way(paths):
    """Deletes what there is: HDFS does not rename onto a file."""
    existing = [path for path in paths if FileSystems.exists(path)]
    if existing:
        FileSystems.delete(existing)


def clear_parts(out):
    """Deletes what a run that was killed has left half written."""
    found = FileSystems.match([posixpath.join(out, FOLDER, _PART + "*")])
    paths = [file.path for match in found for file in match.metadata_list]
    if paths:
        FileSystems.delete(paths)


@contextlib.contextmanager
def local_copy(folder):
    """A folder on this machine with the same files.

    Args:
        folder: str, of any file system.

    Yields:
        str. The folder itself if it is local, else a copy that goes at exit.
    """
    if not FileSystems.get_scheme(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="tfdivcolor-") as copy:
        match, = FileSystems.match([f"{folder.rstrip('/')}/**"])
        for file in match.metadata_list:
            name = file.path[len(folder.rstrip("/")):].lstrip("/")
            path = Path(copy, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(read(file.path))
        yield copy
