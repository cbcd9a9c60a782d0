"""The pictures of folders, by their names."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from tfdivcolor.images.formats import SUFFIXES
from tfdivcolor.utils.errors import ImageError, reason


def find(paths: Iterable[str | os.PathLike]) -> list[tuple[Path, str]]:
    """Lists the pictures among files and folders.

    A file is taken whatever its name. A folder is searched with all folders in
    it for names with an image suffix (`SUFFIXES`, upper or lower case), in the
    order of their relative paths; hidden files and folders are skipped.

    Args:
        paths: iterable of str or os.PathLike. Files and folders.

    Returns:
        list of (path, stem). pathlib.Path, and str: what to call the outputs,
            without suffix: the file's own name, or for a folder's pictures the
            path from that folder, such as "holiday/beach".

    Raises:
        ImageError: if a path does not exist, or a folder holds no pictures,
            or one in it cannot be read.
    """
    found = []
    for path in map(Path, paths):
        if path.is_dir():
            names = names_in(path, _refuse)
            if not names:
                raise ImageError(
                    f"{path}: must hold images ({', '.join(SUFFIXES)}) "
                    "(received a folder without any)")
            found += [(path / name, os.path.splitext(name)[0])
                      for name in names]
        elif path.exists():
            found.append((path, path.stem))
        else:
            raise ImageError(f"{path}: must be a file or folder "
                             "(received a path that does not exist)")
    return found


def names_in(folder: str | os.PathLike,
             on_error: Callable[[OSError], object]) -> list[str]:
    """The pictures of a folder and of all folders in it.

    Args:
        folder: str or os.PathLike.
        on_error: function of an `OSError`, called for each folder that
            cannot be read.

    Returns:
        list of str, sorted: paths from the folder, with slashes, of names
        that `is_picture` takes. Hidden folders are not searched.
    """
    names = []
    for parent, folders, files in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = Path(parent).relative_to(folder)
        names += [(relative / name).as_posix() for name in files]
    return sorted(filter(is_picture, names))


def is_picture(name: str) -> bool:
    """Whether a path is that of a picture, by its suffix, and not hidden.

    Args:
        name: str. A path from a folder or of an archive's member, with
            slashes.

    Returns:
        bool.
    """
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and name.lower().endswith(SUFFIXES)


def _refuse(error):
    raise ImageError(f"{error.filename}: must be a folder that can be read "
                     f"(received {reason(error)})") from error
