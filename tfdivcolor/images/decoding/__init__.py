"""Image files -> stored pixels, one module a way of decoding.

`pillow` decodes most; `png`, `jpeg`, `tiff` and `jpeg2000` what needs more
than 8 bits, colour spaces, pages, or to be read in part.
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
        name: str. What messages call it.
        check_size: called with width and height before pixels are decoded.
        page: int from 1, or None for the one that the file is about: of TIFF
            the largest that is no thumbnail or mask, else the first.
        lenient: bool. Whether a truncated file is read as far as it goes, its
            missing part mid grey. `notes` of the result say how much.

    Returns:
        `Stored`, and str, a key of `formats.FORMATS`.

    Raises:
        ImageError: if it is no image, of a kind that is not read, or has no
            such page.
        Exception: of almost any kind, if the file is damaged.
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
    """How many pictures a file holds, thumbnails and masks aside.

    Args:
        file: binary file that can seek, at its start.
        name: str. What messages call it.

    Returns:
        int, 1 or more.

    Raises:
        As `decode`.
    """
    image_format = formats.format_of(file, name)
    if image_format == "TIFF":
        return tiff.count_pages(file)
    if image_format in pillow.WITH_FRAMES:
        image, _ = formats.open_image(file, name)
        return pillow.count_frames(image)
    return 1
