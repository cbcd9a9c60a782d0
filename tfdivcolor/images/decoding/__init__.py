"""Decodes image files to stored pixels; one module per decoder.

`pillow` decodes most files. `png`, `jpeg`, `tiff`, `jpeg2000` and `webp` decode
files with more than 8 bits, colour spaces or pages, and truncated files.
"""

from typing import BinaryIO

from tfdivcolor.images import formats
from tfdivcolor.images.decoding import jpeg, jpeg2000, pillow, png, tiff, webp
from tfdivcolor.images.decoding.stored import SizeCheck, Stored

LENIENT_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")


def decode(file: BinaryIO, name: str, check_size: SizeCheck,
           page: int | None = None, lenient: bool = False
           ) -> tuple[Stored, str]:
    """Decodes one picture of an image file.

    Args:
        file: binary file that can seek, at its start.
        name: str. The name for messages.
        check_size: called with width and height before pixels are decoded.
        page: int from 1, or None for the main picture: the largest page of
            TIFF that is not a thumbnail or mask, else the first picture.
            Defaults to None.
        lenient: bool. Whether a truncated file is read as far as possible,
            with its missing part mid grey; `notes` of the result then give
            its size. Defaults to False.

    Returns:
        `Stored`, and str, a key of `formats.FORMATS`.

    Raises:
        ImageError: if the file is not an image or of an unsupported kind, or
            if the page does not exist.
        Exception: almost any kind, for a damaged file.
    """
    image_format = formats.format_of(file, name)
    request = name, check_size, page, lenient
    if image_format == "TIFF":
        return tiff.decode(file, *request), image_format
    if image_format == "PNG" and page in (None, 1):
        return png.decode(file, *request), image_format
    if image_format == "JPEG":
        return jpeg.decode(file, *request), image_format
    if image_format == "JPEG2000":
        return jpeg2000.decode(file, *request), image_format
    if image_format == "WEBP":
        return webp.decode(file, *request), image_format
    return pillow.decode(file, *request), image_format


def count_pages(file: BinaryIO, name: str) -> int:
    """Counts the pictures of a file, without thumbnails and masks.

    Args:
        file: binary file that can seek, at its start.
        name: str. The name for messages.

    Returns:
        int, 1 or more.

    Raises:
        ImageError, Exception: as in `decode`.
    """
    image_format = formats.format_of(file, name)
    if image_format == "TIFF":
        return tiff.count_pages(file)
    if image_format in pillow.WITH_FRAMES:
        image, _ = formats.open_image(file, name)
        return pillow.count_frames(image)
    return 1
