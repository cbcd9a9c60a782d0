"""Opens every kind of source: paths, bytes, files, PIL images, arrays."""

import io
import os
import stat
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile

from tfdivcolor.images.decoding.stored import Stored, split
from tfdivcolor.images.formats import FORMATS
from tfdivcolor.utils.errors import ImageError, reason

# All types that `photo.read` accepts; arrays of any library that have
# `__array__` count too.
Picture = (str | os.PathLike | bytes | bytearray | memoryview | BinaryIO
           | Image.Image | np.ndarray)


@dataclass
class Opened:
    """A picture ready for decoding.

    Attributes:
        name: str. The path as given, or "image" for a source without one.
        file: binary file that can seek, at its start; or None.
        page: int. The page of the file, from 1, or None.
        image: PIL image, if there is no file.
        known_format: str. Format of `image`, a key of `formats.FORMATS`, or
            None.
        array: np.ndarray, if there is no file and no image.
    """

    name: str
    file: BinaryIO | None = None
    page: int | None = None
    image: Any = None
    known_format: str | None = None
    array: np.ndarray | None = None


def open_picture(source: Picture) -> Opened:
    """Opens a picture of any type of `Picture`.

    Raises:
        ImageError: if the file does not exist or cannot be read, or if
            `source` has another type.
    """
    if isinstance(source, (str, os.PathLike)):
        name = os.fsdecode(source)
        return Opened(name, _open_path(name))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Opened("image", io.BytesIO(source))
    if isinstance(source, Image.Image):
        return _open_image(source)
    if hasattr(source, "read"):
        return _open_file(source)
    if hasattr(source, "__array__"):
        return Opened("image", array=np.asarray(source))
    raise ImageError(
        "image: must be a path, bytes, a binary file, a PIL image or an array "
        f"(received {type(source).__name__})")


def _open_path(name):
    try:
        # Opening a named pipe would block until a program writes to it.
        if stat.S_ISFIFO(os.stat(name).st_mode) and (
                os.path.realpath(name) != os.path.realpath("/dev/stdin")):
            raise ImageError(f"{name}: must be an image file "
                             "(received a named pipe)")
        file = open(name, "rb")
        if not file.seekable():  # standard input
            with file:
                return io.BytesIO(file.read())
        return file
    except FileNotFoundError:
        raise ImageError(f"{name}: must be an image file "
                         "(received a path that does not exist)") from None
    except IsADirectoryError:
        raise ImageError(
            f"{name}: must be an image file (received a folder)") from None
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise ImageError(f"{name}: must be an image file that can be read "
                         f"(received {reason(error)})") from error


def _open_file(file):
    """Reads a file that the caller has opened, from its current position."""
    name = getattr(file, "name", "image")
    name = os.fsdecode(name) if isinstance(name, (str, bytes)) else "image"
    try:
        data = file.read()
    except (OSError, ValueError) as error:
        raise ImageError(f"{name}: must be a file that can be read "
                         f"(received {reason(error)})") from error
    if not isinstance(data, bytes):
        raise ImageError(f"{name}: must be a binary file "
                         f"(received a file of {type(data).__name__})")
    return Opened(name, io.BytesIO(data))


# --- PIL images --------------------------------------------------------------


def _open_image(image):
    name = os.fsdecode(getattr(image, "filename", "") or "image")
    known = image.format if image.format in FORMATS else None
    file = _untouched(image)
    if file is None:
        return Opened(name, image=image, known_format=known)
    return Opened(name, file, image.tell() + 1 if known == "TIFF" else None)


def _untouched(image):
    """Returns the file of an open image if the image still equals the file.

    A program may have changed the pixels, mode or profile of an open image.
    The function therefore opens the file again and compares both.

    Returns:
        binary file at its start, or None.
    """
    if not isinstance(image, ImageFile.ImageFile):
        return None
    file = _file_of(image)
    if file is None:
        return None
    try:
        # Open it in the same way: Pillow does not turn files that it maps
        # into memory.
        with Image.open(getattr(image, "filename", "")
                        or io.BytesIO(file.getvalue())) as fresh:
            if image.tell():
                fresh.seek(image.tell())
            # Pixels that are not loaded yet are unchanged.  Some formats
            # change size and mode when they load.
            if not image.tile:
                fresh.load()
            same = ((fresh.format, fresh.mode, fresh.size)
                    == (image.format, image.mode, image.size)
                    and (fresh.info.get("icc_profile")
                         == image.info.get("icc_profile")))
            if same and not image.tile:
                same = fresh.tobytes() == image.tobytes()
    except Exception:  # of almost any kind: use the image's own pixels
        return None
    # `decoding` and Pillow number the same pages only for TIFF.
    return file if same and (image.format == "TIFF" or not image.tell()
                             ) else None


def _file_of(image):
    """Returns the bytes of an image's file as a file, or None."""
    handle = getattr(image, "fp", None)
    try:
        if handle is not None:
            place = handle.tell()
            handle.seek(0)
            data = handle.read()
            handle.seek(place)
        else:
            with open(image.filename, "rb") as file:
                data = file.read()
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    return io.BytesIO(data)


# --- Arrays ------------------------------------------------------------------


def of_array(values: np.ndarray, name: str) -> Stored:
    """Reads the values of an array as sRGB.

    Args:
        values: [H, W], or [H, W, 1 to 4]; see `photo.read`.
        name: str. The name for messages.

    Returns:
        `Stored`, with 16 bits for uint16 and floats, else with 8.

    Raises:
        ImageError: if the type, shape or range is wrong.
    """
    if values.ndim not in (2, 3) or values.ndim == 3 and not (
            1 <= values.shape[2] <= 4):
        raise ImageError(
            f"{name}: an array must be [H, W] or [H, W, 1, 2, 3 or 4] "
            f"(received {list(values.shape)})")
    if not values.size:
        raise ImageError(f"{name}: must have at least one pixel (received "
                         f"{values.shape[1]} x {values.shape[0]})")
    if values.dtype == bool:
        values = values * np.uint8(255)
    elif values.dtype.kind == "f":
        low, high = float(values.min()), float(values.max())
        if not 0 <= low <= high <= 1:
            raise ImageError(f"{name}: an array of floats must be in 0..1 "
                             f"(received {low:g}..{high:g})")
        values = np.rint(values * np.float64(65535)).astype(np.uint16)
    elif values.dtype.kind != "u" or values.itemsize > 2:
        raise ImageError(
            f"{name}: an array must be uint8, uint16, bool, or float in 0..1 "
            f"(received {values.dtype})")
    return split(values.astype(values.dtype.newbyteorder("=")),
                 8 * values.itemsize)
