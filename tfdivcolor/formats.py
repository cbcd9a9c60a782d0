"""Image files: which formats there are, opening them, and writing them.

Formats are named as Pillow names them ("JPEG", "HEIF", ...). TIFF and PNG hold
8 or 16 bits a channel, the others 8. HEIF needs the extra `[heic]`.
"""

import io
import os
import struct
import zlib

import imagecodecs
import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from tfdivcolor import exif as directories, metadata as words
from tfdivcolor.settings import OUTPUT_FORMATS

FORMATS = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "HEIF": (".heic", ".heif"),
}

# What `encode` writes without loss, and with 16 bits a channel.
LOSSLESS_FORMATS = ("PNG", "WEBP", "TIFF", "BMP")
DEEP_FORMATS = ("PNG", "TIFF")
_WITH_ALPHA = ("PNG", "WEBP", "TIFF", "HEIF")

# Brands of HEIF files, which begin: length (4 bytes), "ftyp", brand.
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1",
                b"msf1")

_JPEG_SEGMENT = 65_533  # bytes that a segment of a JPEG file can hold
_STRIP_BYTES = 1 << 20  # of a TIFF file, before compression


class ImageError(ValueError):
    """A picture cannot be read or written; the message is one line.

    Bytes of file names that are not UTF-8 are shown as escapes, so that the
    message can be printed anywhere.
    """

    def __init__(self, message):
        message = message.encode("utf-8", "backslashreplace").decode()
        super().__init__(" ".join(message.splitlines()))


def open_image(file, name):
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
        return _heif(name).HeifImageFile(file, ""), "HEIF"
    for image_format in FORMATS:
        factory, accepts = Image.OPEN.get(image_format, (None, None))
        if factory and accepts(prefix):
            return factory(file, ""), image_format
    received = f"data that begin {prefix!r}" if prefix else "an empty file"
    raise ImageError(
        f"{name}: must be an image, one of {', '.join(FORMATS)} "
        f"(received {received})")


def output_format(photo, wanted=None):
    """Format for the results of a photograph.

    Like the photograph's own, except that GIF, 1-bit and palette pictures, an
    array, and a picture whose transparency its format could not keep give PNG.

    Args:
        photo: `images.Photo`.
        wanted: str, one of `settings.OUTPUT_FORMATS`, or None.

    Returns:
        str, one that `encode` takes.

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
                       and image_format not in _WITH_ALPHA)
        if (image_format in (None, "GIF") or photo.has_palette or loses_alpha):
            image_format = "PNG"
    if image_format == "HEIF":
        _heif(image_format)
    return image_format


def suffix(image_format):
    """Ending of a format's file names, such as ".jpg"."""
    return FORMATS[image_format][0]


def encode(pixels, image_format, alpha=None, exif=None, metadata=None,
           dpi=None):
    """Makes an image file of sRGB pixels.

    PNG, TIFF, WebP and BMP are lossless. WebP is so because its lossy kind
    halves the resolution of chrominance, which spoils luminance too; it is
    still smaller than PNG. JPEG and HEIF have quality 95 and full resolution
    of chrominance. Their |dL*| over the pixels of 44 photographs has mean 0.14
    (JPEG) or 0.04 (HEIF), 0.44 or 0.11 in the worst of them, 99th percentile
    1.2 or 0.4, and maximum 4.1 or 1.3 (lossy WebP of quality 95: mean 0.32,
    maximum 6.1). PNG and TIFF are compressed fast rather than hard: PNG in a
    twelfth of the time of Pillow's default, to 7 % more bytes.

    An sRGB profile is in every file but BMP (PNG: the sRGB chunk). The same
    arguments give the same bytes.

    Args:
        pixels: uint8 or uint16 [H, W, 3]. sRGB; uint16 is reduced to 8 bits
            for all but PNG and TIFF.
        image_format: "PNG", "JPEG", "WEBP", "TIFF", "BMP" or "HEIF".
        alpha: uint8 or uint16 [H, W]; brought to the type of `pixels`. Left
            out of JPEG and BMP. Defaults to none.
        exif: bytes, as in `images.Photo`. Left out of BMP; and of JPEG where
            it is longer than the 64 KiB that one can hold. Defaults to none.
        metadata: dict of str to str. Text chunks of PNG; elsewhere attributes
            of an XMP packet, but left out of BMP. Names have 1 to 79 ASCII
            letters, digits and "_"; what XML cannot hold becomes "?" in texts.
            Defaults to none.
        dpi: pair of numbers above 0, pixels an inch across and down, or None.
            Left out of WebP and HEIF.

    Returns:
        bytes.

    Raises:
        ImageError: if the format cannot hold a picture of this size, or is
            HEIF and its library is not installed.
    """
    metadata = words.clean(metadata or {})
    values = np.asarray(pixels)
    if alpha is not None and image_format in _WITH_ALPHA:
        alpha = _as_type(np.asarray(alpha), values.dtype)
        values = np.concatenate([values, alpha[..., np.newaxis]], axis=-1)
    if image_format not in DEEP_FORMATS:
        values = _as_type(values, np.uint8)
    values = np.ascontiguousarray(values)
    if image_format == "PNG":
        return _png(values, exif, metadata, dpi)
    if image_format == "TIFF":
        return _tiff(values, exif, metadata, dpi)
    options = {"icc_profile": _SRGB}
    if dpi and image_format in ("JPEG", "BMP"):
        options["dpi"] = dpi
    if exif and not (image_format == "JPEG" and len(exif) > _JPEG_SEGMENT):
        options["exif"] = exif
    if metadata:
        options["xmp"] = words.xmp(metadata)
    file = io.BytesIO()
    try:
        if image_format == "HEIF":
            # The fastest of the encoder's ways: 7 times as fast as its
            # default, for 20 % more bytes and less loss.
            _heif(image_format).encode(
                "RGB" if values.shape[2] == 3 else "RGBA",
                values.shape[1::-1], values.tobytes(), file, quality=95,
                chroma=444, enc_params={"preset": "ultrafast"}, **options)
        else:
            Image.fromarray(values).save(
                file, image_format, **_OPTIONS[image_format], **options)
    except ImageError:
        raise
    except Exception as error:  # encoders raise almost anything
        height, width = values.shape[:2]
        raise ImageError(
            f"{image_format}: must be a format that holds {width} x {height} "
            f"pixels (received: {error})") from error
    return file.getvalue()


def read_metadata(source):
    """Reads what `encode` wrote as metadata.

    Args:
        source: str or os.PathLike (path), or bytes of an image file.

    Returns:
        dict of str to str: all text chunks of a PNG file, our words only of
        the other formats. Empty where there are none.

    Raises:
        ImageError: if there is no such file, or it is no image.
    """
    is_path = not isinstance(source, bytes)
    name = os.fsdecode(source) if is_path else "image"
    try:
        with open(source, "rb") if is_path else io.BytesIO(source) as file:
            image, image_format = open_image(file, name)
            if image_format == "PNG":
                return dict(image.text)
            return words.read_xmp(image.info.get("xmp", b""))
    except ImageError:
        raise
    except Exception as error:  # decoders raise almost anything
        raise ImageError(f"{name}: must be an image file that can be read "
                         f"(received: {error})") from error


def to_8_bits(values):
    """round(value / 257) of uint16 values, as uint8: 65535 becomes 255."""
    reduced = np.empty(values.shape, np.uint8)
    for row, wide in zip(reduced, values):  # by rows, to save memory
        row[...] = (wide.astype(np.uint32) + 128) // 257
    return reduced


def _as_type(values, dtype):
    if values.dtype == dtype:
        return values
    if dtype == np.uint8:
        return to_8_bits(values)
    return values.astype(np.uint16) * 257  # 255 becomes 65535


def _heif(name):
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(
            f"{name}: HEIC needs pillow-heif: pip install 'tfdivcolor[heic]' "
            "(received: it is not installed)") from None
    return pillow_heif


def _srgb():
    profile = bytearray(
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Date and time of its making, which is now: 1 January 2000 instead.
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


_SRGB = _srgb()

# Options of Pillow. `exact` keeps the colours of transparent pixels.
_OPTIONS = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "method": 0, "quality": 0, "exact": True},
    "BMP": {},
}


def _png(values, exif, metadata, dpi):
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", b"\0")  # perceptual rendering intent
    if dpi:
        # Pixels a metre.
        info.add(b"pHYs", struct.pack(
            ">IIB", *(round(number / 0.0254) for number in dpi), 1))
    if exif:
        info.add(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    for name, text in metadata.items():
        info.add_text(name, text)
    data = imagecodecs.png_encode(
        values, level=1, strategy=imagecodecs.PNG.STRATEGY.RLE,
        filter=imagecodecs.PNG.FILTER.AVG)
    chunks = b"".join(
        struct.pack(">I", len(content)) + kind + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content, *_ in info.chunks)
    header = 33  # bytes: the signature and the header chunk
    return data[:header] + chunks + data[header:]


def _tiff(values, exif, metadata, dpi):
    # Pillow cannot write 16 bits of RGB; this writes 8 and 16 alike.
    order, entries = directories.read(exif) if exif else ("<", {})
    height, width, channels = values.shape
    rows = max(1, _STRIP_BYTES // values[0].nbytes)
    strips = []
    for row in range(0, height, rows):
        strip = values[row:row + rows]
        # Predictor 2: the difference to the pixel on the left.
        strip = np.concatenate(
            [strip[:, :1], strip[:, 1:] - strip[:, :-1]], axis=1)
        strips.append(zlib.compress(
            strip.astype(strip.dtype.newbyteorder(order)).tobytes(), 1))
    lengths = [len(strip) for strip in strips]
    starts = np.cumsum([8, *lengths])  # after the header; last, the directory
    padding = int(starts[-1]) % 2

    def integers(code, *numbers):
        kind = {"H": 3, "I": 4}[code]
        return kind, struct.pack(f"{order}{len(numbers)}{code}", *numbers)

    entries |= {
        256: integers("I", width), 257: integers("I", height),
        258: integers("H", *[8 * values.itemsize] * channels),  # bits
        259: integers("H", 8),  # compression: deflate
        262: integers("H", 2),  # colours: RGB
        273: integers("I", *starts[:-1]), 279: integers("I", *lengths),
        277: integers("H", channels), 278: integers("I", rows),
        284: integers("H", 1),  # the channels of a pixel stand together
        317: integers("H", 2), 34675: (7, _SRGB)}
    if dpi:
        entries |= {code: (5, struct.pack(
            f"{order}II", round(1000 * number), 1000))
            for code, number in zip((282, 283), dpi)}
        entries[296] = integers("H", 2)  # inches
    if channels == 4:
        entries[338] = integers("H", 2)  # alpha, not premultiplied
    if metadata:
        entries[700] = (1, words.xmp(metadata))
    start = int(starts[-1]) + padding
    return b"".join([
        directories.header(order, start), *strips, b"\0" * padding,
        directories.write(entries, order, start)])
