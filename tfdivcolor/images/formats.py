"""Image files: which formats there are, and opening them.

Formats are named as Pillow names them ("JPEG", "HEIF", ...). TIFF and PNG hold
8 or 16 bits a channel, the others 8. HEIF needs the extra `[heic]`.
"""

from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

from PIL import Image

from tfdivcolor.settings import OUTPUT_FORMATS
from tfdivcolor.utils.errors import ImageError

if TYPE_CHECKING:
    from tfdivcolor.images.photo import Photo

FORMATS = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "HEIF": (".heic", ".heif"),
}
SUFFIXES = tuple(suffix for known in FORMATS.values() for suffix in known)

# What `encoding` writes without loss, with 16 bits a channel, with alpha.
LOSSLESS_FORMATS = ("PNG", "WEBP", "TIFF", "BMP")
DEEP_FORMATS = ("PNG", "TIFF")
WITH_ALPHA = ("PNG", "WEBP", "TIFF", "HEIF")

# Brands of HEIF files, which begin: length (4 bytes), "ftyp", brand.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1",
                b"msf1")


def open_image(file: BinaryIO, name: str) -> tuple[Image.Image, str]:
    """Opens an image file: (PIL image whose pixels are not read yet, format).

    Args:
        file: binary file, at its start.
        name: str. What messages call it.

    Returns:
        PIL image, and str, a key of `FORMATS`.

    Raises:
        ImageError: if the file begins like none of `FORMATS`, or is HEIF and
            its library is not installed.
        Exception: of almost any kind, from Pillow, if it is damaged.
    """
    # As Image.open does, for our formats only, and without its limit on
    # pixels: that one is a global, which must not be changed under the feet of
    # other threads; ours takes its place.
    Image.init()
    prefix = file.read(16)
    file.seek(0)
    if prefix[4:8] == b"ftyp" and prefix[8:12] in _HEIF_BRANDS:
        return heif(name).HeifImageFile(file, ""), "HEIF"
    for image_format in FORMATS:
        factory, accepts = Image.OPEN.get(image_format, (None, None))
        if factory and accepts and accepts(prefix):
            return factory(file, ""), image_format
    received = f"data that begin {prefix!r}" if prefix else "an empty file"
    raise ImageError(
        f"{name}: must be an image, one of {', '.join(FORMATS)} "
        f"(received {received})")


def output_format(photo: "Photo", wanted: str | None = None) -> str:
    """Format for the results of a photograph.

    Like the photograph's own, except that GIF, 1-bit and palette pictures, an
    array, and a picture whose transparency its format could not keep give PNG.

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
        if (image_format in (None, "GIF") or photo.has_palette or loses_alpha):
            image_format = "PNG"
    if image_format == "HEIF":
        heif(image_format)
    return image_format


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
