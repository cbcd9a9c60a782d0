"""EXIF of a photograph, carried over to results made of it.

An EXIF block is a small TIFF file: directories of entries. Entries are copied
as they are, in the byte order of the block, as maker notes may depend on it
and as text may have any encoding; Pillow would read and write them anew.
"""

import io
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from PIL import ExifTags, Image

if TYPE_CHECKING:
    from tfdivcolor.images.tiff import DeepTiff

Order = Literal["<", ">"]  # of bytes, as `struct` names it
# Tag -> (kind, bytes), or a directory for the two tags that point to one.
Directory = dict[int, Any]

_POINTERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# Bytes a value of each kind has: 2 is text, 3 and 4 are unsigned integers.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4,
          12: 8, 13: 4}
_ORDERS: dict[bytes, Order] = {b"II*\0": "<", b"MM\0*": ">"}

# Bytes of a directory's values; damaged ones may claim any number.
_ROOM = 1 << 24

# Of a picture's first directory, what describes the photograph; the rest says
# how a TIFF file is laid out, or belongs to one program.
_KEPT: frozenset[int] = frozenset({
    ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model,
    ExifTags.Base.XResolution, ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit, ExifTags.Base.Software,
    ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright, ExifTags.Base.Rating, ExifTags.Base.RatingPercent,
    ExifTags.Base.XPTitle, ExifTags.Base.XPComment, ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords, ExifTags.Base.XPSubject, *_POINTERS})


def orientation(image: "Image.Image | DeepTiff") -> int | None:
    """EXIF orientation of an image: int, 1..8 if it is sound, or None.

    `ImageOps.exif_transpose` would also write the EXIF block anew, and fail
    where another entry of it is damaged; that must not cost the picture.
    """
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        return None


def kept(image: "Image.Image | DeepTiff", width: int, height: int,
         file: BinaryIO | None = None) -> bytes | None:
    """The EXIF block of a photograph, for a result made of it.

    Camera, dates, author, exposure, GPS and maker notes are kept. Orientation
    becomes 1, the size the given one and the colour space sRGB, where they
    are stated; the thumbnail is left out, and so are damaged entries.

    Args:
        image: PIL image, or `tiff.DeepTiff`.
        width, height: int. Size of the result, which is upright.
        file: binary file that the image was read from, or None.

    Returns:
        bytes, beginning with "Exif" and two zeros; or None if the image has
        nothing that is kept, or is BigTIFF.
    """
    try:
        block = image.info.get("exif")
        if block:
            order, found = read(block)
        elif file and image.format == "TIFF":
            order, found = _read_file(file)
        else:  # kinds that only Pillow knows
            order, found = read(image.getexif().tobytes())
    except Exception:  # of almost any kind, where it is damaged
        return None
    chosen: Directory = {tag: found[tag] for tag in _KEPT.intersection(found)}
    if not chosen:
        return None
    chosen[ExifTags.Base.Orientation] = 3, struct.pack(order + "H", 1)
    details = chosen.get(ExifTags.IFD.Exif, {})
    # It says which other colour space than sRGB the pixels have.
    details.pop(ExifTags.IFD.Interop, None)
    for tag, kind, value in (
            (ExifTags.Base.ExifImageWidth, "I", width),
            (ExifTags.Base.ExifImageHeight, "I", height),
            (ExifTags.Base.ColorSpace, "H", 1)):
        if tag in details:
            details[tag] = {"H": 3, "I": 4}[kind], struct.pack(
                order + kind, value)
    return b"Exif\0\0" + header(order, 8) + write(chosen, order, 8)


def read(block: bytes) -> tuple[Order, Directory]:
    """Reads an EXIF block: (byte order "<" or ">", its first directory).

    Raises:
        KeyError, struct.error: if its first bytes are damaged.
    """
    return _read_file(io.BytesIO(block.removeprefix(b"Exif\0\0")))


def header(order: Order, start: int) -> bytes:
    """First 8 bytes of a TIFF file whose directory is at `start`."""
    mark = {known: mark for mark, known in _ORDERS.items()}[order]
    return mark + struct.pack(order + "I", start)


def write(directory: Directory, order: Order, start: int) -> bytes:
    """Writes a directory and all that it points to.

    Args:
        directory: {tag: (kind, bytes) or directory}.
        order: "<" or ">".
        start: int, even. Where it will be, counted from the file's start.

    Returns:
        bytes, an even number.
    """
    entries, data = [], b""
    data_start = start + 2 + 12 * len(directory) + 4
    for tag in sorted(directory):
        place = data_start + len(data)
        if isinstance(directory[tag], dict):
            kind, count, value = 4, 1, struct.pack(order + "I", place)
            data += write(directory[tag], order, place)
        else:
            kind, value = directory[tag]
            count = len(value) // _SIZES[kind]
            if len(value) > 4:
                data += value + b"\0" * (len(value) % 2)
                value = struct.pack(order + "I", place)
        entries.append(struct.pack(order + "HHI", tag, kind, count)
                       + value.ljust(4, b"\0"))
    return (struct.pack(order + "H", len(entries)) + b"".join(entries)
            + struct.pack(order + "I", 0) + data)


def _read_file(file):
    file.seek(0)
    order = _ORDERS[file.read(4)]
    start, = struct.unpack(order + "I", file.read(4))
    directory = _directory(file, order, start)
    for pointer in _POINTERS:
        kind, value = directory.pop(pointer, (None, b""))
        if kind in (4, 13) and len(value) == 4:
            start, = struct.unpack(order + "I", value)
            found = _directory(file, order, start)
            if found:
                directory[pointer] = found
    return order, directory


def _directory(file, order, start):
    """Reads the entries of one directory as far as they are whole."""
    file.seek(start)
    count = int.from_bytes(file.read(2), "little" if order == "<" else "big")
    entries, found, room = file.read(12 * count), {}, _ROOM
    for place in range(0, len(entries) - 11, 12):
        tag, kind, count = struct.unpack_from(order + "HHI", entries, place)
        length = count * _SIZES.get(kind, 0)
        value = entries[place + 8:place + 12]
        if 4 < length <= room:
            room -= length
            file.seek(struct.unpack(order + "I", value)[0])
            value = file.read(length)
        value = value[:length]
        if length and len(value) == length:
            found.setdefault(tag, (kind, value))
    return found
