"""Encodes a picture so that the model sees it as `images.read` does.

The exported model ignores EXIF orientation and colour profiles.  It reads only
the usual variants of JPEG, PNG, WebP and BMP.  The client sends a file that the
model reads correctly as it is, because the file is compact.  It sends the
pixels of every other picture as PNG.
"""

import contextlib
import io
import os
import pathlib

from PIL import Image

from tfdivcolor import images


def name_of(source, otherwise="image"):
    """A picture's name in messages: its path, or `otherwise`."""
    path = source if _is_path(source) else getattr(source, "filename", "")
    return os.fspath(path) or otherwise


def encode(source, name="image"):
    """Makes the bytes to send.

    Args:
        source: any source of `images.read`.
        name: str. Name of a picture without a path, in errors.

    Returns:
        bytes of a JPEG, PNG or WebP file.

    Raises:
        images.ImageError: if the picture is unreadable.
    """
    data = source if isinstance(source, bytes) else None
    if _is_path(source) and os.path.isfile(source):
        with contextlib.suppress(OSError):  # `images.read` reports it
            data = pathlib.Path(source).read_bytes()
    if data is not None and images.is_plain(io.BytesIO(data)):
        return data
    try:
        pixels = images.read(source).pixels
    except images.ImageError as error:
        message = str(error)
        if message.startswith("image:"):
            message = f"{name}{message.removeprefix('image')}"
        raise images.ImageError(message) from error
    file = io.BytesIO()
    # Level 1 is fast, and the picture travels only once.
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _is_path(source):
    return isinstance(source, (str, os.PathLike))
