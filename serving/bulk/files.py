"""Files on any file system of Beam: local, gs://, s3://, hdfs://."""

import contextlib
import os
import posixpath
import re
import tempfile
import uuid
from pathlib import Path

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

# Folder for the manifest, the dead letters and parts of files.
FOLDER = "_bulk"
_PART = "tmp-"


def absolute(path):
    """Makes a path absolute, for workers with another current folder.

    Args:
        path: str. A path or pattern of any file system.

    Returns:
        str.
    """
    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


def expand(pattern):
    """Translates a shell's pattern to Beam's patterns.

    In Beam `**/` matches one or more folders. Here it also matches no folder.

    Args:
        pattern: str, absolute.

    Returns:
        list of str, all with the same `fixed_folder`.
    """
    pattern = pattern.replace("**/*", "**")
    flat = pattern.replace("/**/", "/")
    return [pattern] if flat == pattern else [flat, pattern]


def fixed_folder(pattern):
    """The folder above all files of a pattern, with a slash at its end."""
    return re.match(r"[^*?[]*", pattern)[0].rpartition("/")[0] + "/"


def read(path):
    """Reads a file.

    Returns:
        bytes.

    Raises:
        OSError: if the file is unreadable.
    """
    # Otherwise Beam decompresses some files, by their endings.
    with FileSystems.open(
            path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        return file.read()


def write(contents, out):
    """Writes files, each complete or not at all. Replaces existing files.

    Args:
        contents: dict from a path to bytes.
        out: str. The run's output folder. It holds the parts of files.

    Raises:
        OSError: if a file cannot be written. Other files may be written.
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
            # An error here means that the folder exists, or that renaming
            # fails, too, and reports it.
            with contextlib.suppress(OSError):
                FileSystems.mkdirs(folder)
        if FileSystems.get_scheme(out) == "hdfs":
            _make_way(contents)
        FileSystems.rename(list(parts), list(contents))
    except BaseException:
        with contextlib.suppress(Exception):
            FileSystems.delete(list(parts))
        raise


def _make_way(paths):
    """Deletes existing files, because HDFS does not rename onto a file."""
    existing = [path for path in paths if FileSystems.exists(path)]
    if existing:
        FileSystems.delete(existing)


def clear_parts(out):
    """Deletes the half-written files of a killed run."""
    found = FileSystems.match([posixpath.join(out, FOLDER, _PART + "*")])
    paths = [file.path for match in found for file in match.metadata_list]
    if paths:
        FileSystems.delete(paths)


@contextlib.contextmanager
def local_copy(folder):
    """Provides a folder's files on this machine.

    Args:
        folder: str, on any file system.

    Yields:
        str. The folder itself if it is local, otherwise a copy that exists
        within the context.
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
