"""Files and bytes -> pixels, and pixels -> PNG files.

Pixels are uint8 sRGB [H, W, 3], upright.  What a picture may come as: a path,
the bytes of an image file, a PIL image, or a uint8 array.  Whatever is wrong
with one is an `ImageError` of one line: `NAME: rule (received ...)`.

No TensorFlow here, so that the command line can check its inputs at once.
"""

import contextlib
import io
import os
import pathlib
import uuid
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from tfdivcolor.settings import MAX_PIXELS

FORMATS = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
}
SUFFIXES = tuple(suffix for known in FORMATS.values() for suffix in known)

# Largest difference between the channels of a grey pixel, in 8-bit levels;
# lossy formats that store a grey picture in colour come this far from grey.
_GREY_TOLERANCE = 4

# What each Pillow mode is read as; modes of 16 bits are a case of their own.
_MODES = {
    "1": "L", "L": "L", "LA": "L", "P": "RGB", "PA": "RGB", "RGB": "RGB",
    "RGBA": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "CMYK": "CMYK",
}
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_MODES_OF_16_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(ValueError):
    """A picture cannot be read or written; the message is one line."""


@dataclass(frozen=True, eq=False)
class Photo:
    """A picture as it is shown.

    Attributes:
        pixels: uint8 [H, W, 3]. sRGB, 0..255, upright.
        name: str. The path as given, or "image" where there is none.
        is_grey: bool. Whether the channels of every pixel are equal, up to
            the rounding of lossy formats.
    """

    pixels: np.ndarray
    name: str
    is_grey: bool


def read(source, max_pixels=MAX_PIXELS):
    """Reads one picture.

    Image files may be JPEG, PNG, WebP, TIFF, BMP or GIF, whatever their name;
    of several frames the first one counts. Grey, RGB, CMYK, palette and 1-bit
    pictures of 8 or 16 bits a channel are brought to 8-bit sRGB: 16 bits are
    scaled and rounded (mode I counts as 16 bits; Pillow itself takes the upper
    8 bits of 16-bit RGB), an ICC profile is applied unless it is damaged,
    the EXIF orientation is applied, and alpha is dropped: the colours stored
    for transparent pixels show.

    Args:
        source: str or os.PathLike (path), bytes (of an image file), PIL image,
            or uint8 array [H, W], [H, W, 1] or [H, W, 3], sRGB 0..255.
        max_pixels: int. Larger pictures are refused; a file by its header,
            before it is decoded.

    Returns:
        `Photo`.

    Raises:
        ImageError: if there is no such file, if it is empty, damaged, no image
            or too large, or if an array or PIL image has a type that is not
            listed here.
    """
    if isinstance(source, (str, os.PathLike)):
        return _read_path(os.fspath(source), max_pixels)
    if isinstance(source, bytes):
        return _read_file(io.BytesIO(source), "image", max_pixels)
    if isinstance(source, Image.Image):
        name = getattr(source, "filename", "") or "image"
        return _photo_of_image(source, os.fspath(name), max_pixels)
    if hasattr(source, "__array__"):
        return _photo_of_array(np.asarray(source), "image", max_pixels)
    raise ImageError(
        "image: must be a path, bytes, a PIL image or an array "
        f"(received {type(source).__name__})")


def find(paths):
    """Lists the pictures among files and folders.

    A file is taken whatever its name. A folder is searched with all folders in
    it for names with an image suffix (`SUFFIXES`, upper or lower case), in the
    order of their relative paths; hidden files and folders are skipped.

    Args:
        paths: iterable of str or os.PathLike. Files and folders.

    Returns:
        list of (path, stem). pathlib.Path, and str: what to call the outputs,
            without suffix: the file's own name, or for a folder's pictures the
            path from that folder, such as "holiday/beach".

    Raises:
        ImageError: if a path does not exist, or a folder holds no pictures.
    """
    found = []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            names = _names_in(path)
            if not names:
                raise ImageError(
                    f"{path}: must hold images ({', '.join(SUFFIXES)}) "
                    "(received a folder without any)")
            found += [(path / name, os.path.splitext(name)[0])
                      for name in names]
        elif path.exists():
            found.append((path, path.stem))
        else:
            raise ImageError(f"{path}: must be a file or folder "
                             "(received a path that does not exist)")
    return found


def write_png(path, pixels, metadata=None):
    """Writes an sRGB picture as a PNG file, whole or not at all.

    Args:
        path: str or os.PathLike. An existing file is replaced.
        pixels: uint8 [H, W, 3]. sRGB, 0..255.
        metadata: dict of str to str. Text chunks of the file; keywords have 1
            to 79 Latin-1 characters. Defaults to none.

    Raises:
        ImageError: if the file cannot be written.
    """
    info = PngImagePlugin.PngInfo()
    info.add(b"sRGB", b"\0")  # perceptual rendering intent
    for keyword, text in (metadata or {}).items():
        info.add_text(keyword, text)
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(file, "PNG", pnginfo=info)
    write_atomically(path, file.getvalue())


def write_atomically(path, data):
    """Writes a file such that no reader ever sees a part of it.

    Args:
        path: str or os.PathLike. An existing file is replaced.
        data: bytes.

    Raises:
        ImageError: if the file cannot be written; then nothing has changed.
    """
    path = pathlib.Path(path)
    # In the same folder, as renaming is atomic only within a file system. The
    # name is hidden, so that a part left by a killed process is no picture.
    temporary = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError as error:
        raise ImageError(f"{path}: must be a file that can be written "
                         f"(received {error.strerror})") from error
    finally:
        with contextlib.suppress(OSError):  # gone already when all went well
            temporary.unlink()


def _names_in(folder):
    names = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        relative = pathlib.Path(parent).relative_to(folder)
        names += [(relative / name).as_posix() for name in files
                  if not name.startswith(".")
                  and name.lower().endswith(SUFFIXES)]
    return sorted(names)


def _read_path(name, max_pixels):
    try:
        file = open(name, "rb")
    except FileNotFoundError:
        raise ImageError(f"{name}: must be an image file "
                         "(received a path that does not exist)") from None
    except IsADirectoryError:
        raise ImageError(
            f"{name}: must be an image file (received a folder)") from None
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise ImageError(f"{name}: must be an image file that can be read "
                         f"(received {_reason(error)})") from error
    with file:
        return _read_file(file, name, max_pixels)


def _read_file(file, name, max_pixels):
    with _reported(name, max_pixels):
        image = _open(file, name)
    return _photo_of_image(image, name, max_pixels)


def _open(file, name):
    # As Image.open does, for our formats only, and without its limit on
    # pixels: that one is a global, which must not be changed under the feet of
    # other threads; ours takes its place.
    Image.init()
    prefix = file.read(16)
    for image_format in FORMATS:
        factory, accepts = Image.OPEN[image_format]
        if accepts(prefix):
            file.seek(0)
            return factory(file, "")
    received = f"data that begin {prefix!r}" if prefix else "an empty file"
    raise ImageError(
        f"{name}: must be an image, one of {', '.join(FORMATS)} "
        f"(received {received})")


@contextlib.contextmanager
def _reported(name, max_pixels):
    """Makes one `ImageError` of all that Pillow raises on a bad file."""
    try:
        yield
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name}: must have at most {max_pixels} pixels "
                         f"(received: {error})") from error
    except Exception as error:  # decoders raise almost anything
        raise ImageError(f"{name}: must be a whole, undamaged image "
                         f"(received: {_reason(error)})") from error


def _reason(error):
    reason = getattr(error, "strerror", None) or str(error)
    return " ".join(reason.split()) or type(error).__name__


def _check_size(width, height, name, max_pixels):
    if not width * height:
        raise ImageError(f"{name}: must have at least one pixel "
                         f"(received {width} x {height})")
    if width * height > max_pixels:
        raise ImageError(f"{name}: must have at most {max_pixels} pixels "
                         f"(received {width} x {height} = {width * height})")


def _photo_of_array(pixels, name, max_pixels):
    if pixels.dtype != np.uint8:
        raise ImageError(f"{name}: an array must be uint8 in 0..255 "
                         f"(received {pixels.dtype})")
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3):
        raise ImageError(
            f"{name}: an array must be [H, W], [H, W, 1] or [H, W, 3] "
            f"(received {list(pixels.shape)})")
    _check_size(pixels.shape[1], pixels.shape[0], name, max_pixels)
    pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    return Photo(np.ascontiguousarray(pixels), name, _is_grey(pixels))


def _photo_of_image(image, name, max_pixels):
    _check_size(*image.size, name, max_pixels)
    with _reported(name, max_pixels):
        image.load()
        converted = _to_srgb(
            _to_8_bits(image, name), image.info.get("icc_profile"))
        turn = _UPRIGHT.get(_orientation(image))
        if turn is not None:
            converted = converted.transpose(turn)
        pixels = np.asarray(converted)
    return Photo(pixels, name, _is_grey(pixels))


def _to_8_bits(image, name):
    """Brings an image to mode L, RGB or CMYK, in its own colour space."""
    if image.mode in _MODES_OF_16_BITS:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(
                f"{name}: must have at most 16 bits a channel "
                f"(received values {values.min()}..{values.max()})")
        # round(value / 257): 65535 becomes 255.
        return Image.fromarray(
            ((values.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.mode not in _MODES:
        raise ImageError(
            f"{name}: must be grey, RGB, CMYK or palette of at most 16 bits a "
            f"channel (received Pillow mode {image.mode})")
    if image.mode == "P":
        image = image.convert("RGBA")  # knows every kind of transparency
    return image.convert(_MODES[image.mode])


def _to_srgb(image, profile):
    # A damaged profile, or one for other channels, must not cost the picture:
    # it is then read as viewers without colour management show it.
    if profile:
        with contextlib.suppress(OSError, ImageCms.PyCMSError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            # sRGB to sRGB would only add rounding.
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                return ImageCms.profileToProfile(
                    image, source, ImageCms.createProfile("sRGB"),
                    outputMode="RGB")
    return image.convert("RGB")


def _orientation(image):
    # ImageOps.exif_transpose would also write the EXIF block anew, and fail
    # where another entry of it is damaged; that must not cost the picture.
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        return None


def _is_grey(pixels):
    red, green, blue = np.moveaxis(pixels, -1, 0)
    brightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    return bool((brightest - darkest).max() <= _GREY_TOLERANCE)
