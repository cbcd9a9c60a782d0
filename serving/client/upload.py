"""A picture -> the bytes that the exported model decodes as we read it.

The model applies neither EXIF orientation nor ICC profiles, reads neither TIFF
nor GIF, and does not read some rare kinds of BMP and WebP.  A file where that
does not matter is sent as it is, as compact as its camera made it; of all else
the pixels are sent, as PNG.
"""

import io
import os
import pathlib

from PIL import ExifTags, Image

from tfdivcolor import images
from tfdivcolor.images import profiles

_SENT_AS_THEY_ARE = ("JPEG", "PNG", "WEBP")


def name_of(source, otherwise="image"):
    """What messages call a picture: its path, or `otherwise`."""
    path = source if _is_path(source) else getattr(source, "filename", "")
    return os.fspath(path) or otherwise


def encode(source, name="image"):
    """Makes the bytes to send.

    Args:
        source: path, bytes of an image file, PIL image, or uint8 array, as
            `images.read` takes it.
        name: str. What to call a picture that has no path.

    Returns:
        bytes of a JPEG, PNG or WebP file.

    Raises:
        images.ImageError: the picture cannot be read.
    """
    if _is_path(source) and _is_plain(source):
        return pathlib.Path(source).read_bytes()
    if isinstance(source, bytes) and _is_plain(io.BytesIO(source)):
        return source
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


def _is_plain(file):
    """Whether decoding alone, and no more, gives the picture as it is shown.

    Only the header is looked at, except for a PNG, whose EXIF block may stand
    behind the pixels.
    """
    try:
        with Image.open(file, formats=_SENT_AS_THEY_ARE) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation)
            # TensorFlow refuses WebP with alpha or several frames.
            return (not 2 <= (orientation or 1) <= 8
                    and profiles.is_srgb(image.info.get("icc_profile"))
                    and (image.format != "WEBP" or image.mode == "RGB"
                         and not image.is_animated))
    except Exception:  # decoders raise almost anything; `images.read` says it
        return False



