"""The supported image formats, and opening files.

The keys are Pillow's names ("JPEG", "HEIF", ...). HEIF needs the extra
`[heic]`.
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

# Formats that `encoding` writes: without loss, with 16 bits per channel, with
# alpha; and formats that it does not write.
LOSSLESS_FORMATS = ("PNG", "WEBP", "TIFF", "BMP")
DEEP_FORMATS = ("PNG", "TIFF")
WITH_ALPHA = ("PNG", "WEBP", "TIFF", "HEIF")
READ_ONLY = ("GIF", "AVIF", "JPEG2000")

# Longest side in pixels; the other formats hold more than memory does.
_LONGEST_SIDE = {
    "JPEG": 65_500, "WEBP": 16_383, "HEIF": 16_384, "PSD": 30_000}

SNIFFED = 32  # bytes that identify a format

# HEIF and AVIF files begin with a length (4 bytes), "ftyp" and one of these.
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
    """Identifies the format of a file by its first bytes.

    Args:
        head: bytes. The first `SNIFFED` bytes, or the whole file if shorter.

    Returns:
        str, a key of `FORMATS`; None for another format.
    """
    if head[4:8] == b"ftyp":
        # Some AVIF files begin with a brand that HEIF shares.
        if b"avif" in head[8:SNIFFED]:
            return "AVIF"
        return _BRANDS.get(head[8:12])
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    # Two letters are not enough: after the length come four reserved bytes,
    # and then the offset of the pixels.
    if head[:2] == b"BM" and (len(head) < 14 or head[12:14] == b"\0\0"):
        return "BMP"
    return next((image_format for beginning, image_format in _BEGINNINGS
                 if head.startswith(beginning)), None)


def format_of(file: BinaryIO, name: str) -> str:
    """Identifies the format of a file, and rewinds the file to its start.

    Args:
        file: binary file that can seek.
        name: str. The name for messages.

    Returns:
        str, a key of `FORMATS`.

    Raises:
        ImageError: if the first bytes belong to none of `FORMATS`.
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
    """Opens an image file with Pillow, without reading its pixels.

    Args:
        file: binary file that can seek.
        name: str. The name for messages.

    Returns:
        PIL image, and str, a key of `FORMATS`.

    Raises:
        ImageError: if the first bytes belong to none of `FORMATS`, or if the
            file is HEIF and pillow-heif is not installed.
        Exception: almost any kind, from Pillow, for a damaged file.
    """
    image_format = format_of(file, name)
    if image_format == "HEIF":
        return heif(name).HeifImageFile(file, ""), image_format
    # Like Image.open, but only for our formats, and without Pillow's limit on
    # pixels. That limit is global, and changing it would affect other
    # threads. `max_pixels` replaces it.
    Image.init()
    factory, _ = Image.OPEN[image_format]
    return factory(file, ""), image_format


def output_format(photo: "Photo", wanted: str | None = None) -> str:
    """Chooses the format for the results of a photograph.

    Results have the format of the photograph. PNG replaces it for formats of
    `READ_ONLY`, for 1-bit and palette pictures, for arrays, and for pictures
    with transparency in a format that `encoding` writes without alpha.

    Args:
        photo: `images.Photo`.
        wanted: str, one of `settings.OUTPUT_FORMATS`, or None. Defaults to
            None.

    Returns:
        str, a format of `encoding.encode`.

    Raises:
        ValueError: if `wanted` is not in `settings.OUTPUT_FORMATS`.
        ImageError: if the format is HEIF and pillow-heif is not installed.
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
    """Refuses a picture that is too large for a format.

    Args:
        name: str. The name for messages.
        image_format: str, a key of `FORMATS`, or "PSD".
        width, height: int. Size of the picture in pixels.

    Raises:
        ImageError: if a side is too long.
    """
    limit = _LONGEST_SIDE.get(image_format)
    if limit and max(width, height) > limit:
        raise ImageError(
            f"{name}: must have sides of at most {limit:,} pixels to be "
            f"written as {image_format} (received {width} x {height})")


def suffix(image_format: str) -> str:
    """Returns the suffix of a format's file names, such as ".jpg"."""
    return FORMATS[image_format][0]


def heif(name: str) -> ModuleType:
    """Imports pillow_heif, or raises an `ImageError` about `name`."""
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(
            f"{name}: HEIC needs pillow-heif: pip install 'tfdivcolor[heic]' "
            "(received: it is not installed)") from None
    return pillow_heif
