"""A picture -> the bytes that the exported model decodes as we read it.

The model applies neither EXIF orientation nor colour profiles, reads JPEG, PNG,
WebP and BMP alone, and not their rare kinds.  A file where that
does not matter is sent as it is, as compact as its camera made it; of all else
the pixels are sent, as PNG.
"""

import contextlib
import io
import os
import pathlib

from PIL import Image

from tfdivcolor import images


def name_of(source, otherwise="image"):
    """What messages call a picture: its path, or `otherwise`."""
    path = source if _is_path(source) else getattr(source, "filename", "")
    return os.fspath(path) or otherwise


def encode(source, name="image"):
    """Makes the bytes to send.

    Args:
        source: what `images.read` takes.
        name: str. What to call a picture that has no path.

    Returns:
        bytes of a JPEG, PNG or WebP file.

    Raises:
        images.ImageError: the picture cannot be read.
    """
    data = source if isinstance(source, bytes) else None
    if _is_path(source) and os.path.isfile(source):
        with contextlib.suppress(OSError):  # `images.read` says it
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
    # Fast: the picture travels once.
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def _is_path(source):
    return isinstance(source, (str, os.PathLike))
