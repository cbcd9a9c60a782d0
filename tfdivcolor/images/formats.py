"""Image files: which formats there are, and opening them.

Formats are named as Pillow names them ("JPEG", "HEIF", ...). HEIF needs the
extra `[heic]`.
"""

from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image

from tfdivcolor.settings import OUTPUT_FORMATS
from tfdivcolor.utils.errors import ImageError

if TYPE_CHECKING:
    from tfdivcolor.images.photo import Photo

FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "HEIF": (".heic", ".heif", ".hif"),
    "AVIF": (".avif",),
    "JPEG2000": (".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
}
SUFFIXES = tuple(suffix for known in FORMATS.values() for suffix in known)

# What `encoding` writes without loss, with 16 bits a channel, with alpha, and
# not at all.
LOSSLESS_FORMATS = ("PNG", "WEBP", "TIFF", "BMP")
DEEP_FORMATS = ("PNG", "TIFF")
WITH_ALPHA = ("PNG", "WEBP", "TIFF", "HEIF")
READ_ONLY = ("GIF", "AVIF", "JPEG2000")

# Pixels that a side may have; the other formats hold more than memory does.
_LONGEST_SIDE = {"JPEG": 65_500, "WEBP": 16_383, "HEIF": 16_384}

SNIFFED = 32  # bytes that tell a format

# Files of HEIF and AVIF begin: length (4 bytes), "ftyp", one of these.
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx",
                     b"mif1", b"msf1"), "HEIF")}
_BEGINNINGS = (
    (b"\xff\xd8\xff", "JPEG"), (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"), (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"), (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"))


def sniff(head: bytes) -> str | None:
    """Tells the format of a file by how it begins.

    Args:
        head: bytes. The first `SNIFFED` of the file, or all that it has.

    Returns:
        str, a key of `FORMATS`; None if the file is none of them.
    """
    if head[4:8] == b"ftyp":
        # A brand that HEIF and AVIF share comes first in some AVIF files.
        if b"avif" in head[8:SNIFFED]:
            return "AVIF"
        return _BRANDS.get(head[8:12])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    # Two letters are not enough: four bytes behind the length are reserved,
    # and then where the pixels begin.
    if head[:2] == b"BM" and (len(head) < 14 or head[12:14] == b"\0\0"):
        return "BMP"
    return next((image_format for beginning, image_format in _BEGINNINGS
                 if head.startswith(beginning)), None)


def format_of(file: BinaryIO, name: str) -> str:
    """The format of a file, which is then at its start.

    Args:
        file: binary file that can seek.
        name: str. What messages call it.

    Returns:
        str, a key of `FORMATS`.

    Raises:
        ImageError: if the file begins like none of `FORMATS`.
    """
    file.seek(0)
    head = file.read(SNIFFED)
    file.seek(0)
    image_format = sniff(head)
    if image_format is None:
        received = f"data that begin {head[:16]!r}" if head else "an empty file"
        raise ImageError(
            f"{name}: must be an image, one of {', '.join(FORMATS)} "
            f"(received {received})")
    return image_format


def open_image(file: BinaryIO, name: str) -> tuple[Image.Image, str]:
    """Opens an image file by Pillow, whose pixels are not read yet.

    Args:
        file: binary file that can seek.
        name: str. What messages call it.

    Returns:
        PIL image, and str, a key of `FORMATS`.

    Raises:
        ImageError: if the file begins like none of `FORMATS`, or is HEIF and
            its library is not installed.
        Exception: of almost any kind, from Pillow, if it is damaged.
    """
    image_format = format_of(file, name)
    if image_format == "HEIF":
        return heif(name).HeifImageFile(file, ""), image_format
    # As Image.open does, for our formats only, and without its limit on
    # pixels: that one is a global, which must not be changed under the feet of
    # other threads; ours takes its place.
    Image.init()
    factory, _ = Image.OPEN[image_format]
    return factory(file, ""), image_format


def output_format(photo: "Photo", wanted: str | None = None) -> str:
    """Format for the results of a photograph.

    Like the photograph's own, except that formats of `READ_ONLY`, 1-bit and
    palette pictures, an array, and a picture whose transparency its format
    could not keep give PNG.

    Args:
        photo: `images.Photo`.
        wanted: str, one of `settings.OUTPUT_FORMATS`, or None.

    Returns:
        str, one that `encoding.encode` takes.

    Raises:
        ValueError: if `wanted` is another word.
        ImageError: if the format is HEIF and its library is not installed.
    """
    if wanted is not None and wanted not in OUTPUT_FORMATS:
        raise ValueError(
            f"format: must be one of {', '.join(OUTPUT_FORMATS)} "
            f"(received {wanted!r})")
    if wanted:
        image_format = "HEIF" if wanted == "heic" else wanted.upper()
    else:
        image_format = photo.image_format
        loses_alpha = (photo.alpha is not None
                       and image_format not in WITH_ALPHA)
        if (image_format in (None, *READ_ONLY) or photo.has_palette
                or loses_alpha):
            image_format = "PNG"
    if image_format == "HEIF":
        heif(image_format)
    return image_format


def check_sides(name: str, image_format: str, width: int, height: int) -> None:
    """Refuses a picture that a format cannot hold.

    Args:
        name: str. What messages call the picture.
        image_format: str, a key of `FORMATS`.
        width, height: int. Its size in pixels.

    Raises:
        ImageError: a side is too long.
    """
    limit = _LONGEST_SIDE.get(image_format)
    if limit and max(width, height) > limit:
        raise ImageError(
            f"{name}: must have sides of at most {limit:,} pixels to be "
            f"written as {image_format} (received {width} x {height})")


def suffix(image_format: str) -> str:
    """Ending of a format's file names, such as ".jpg"."""
    return FORMATS[image_format][0]


def heif(name: str) -> ModuleType:
    """The library pillow_heif; an `ImageError` about `name` without it."""
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(
            f"{name}: HEIC needs pillow-heif: pip install 'tfdivcolor[heic]' "
            "(received: it is not installed)") from None
    return pillow_heif
