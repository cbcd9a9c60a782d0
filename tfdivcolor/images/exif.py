"""EXIF of a photograph, carried over to results made of it.

An EXIF block is a small TIFF file: directories of entries. Entries are copied
as they are, in the byte order of the block, as maker notes may depend on it
and as text may have any encoding; Pillow would read and write them anew.
"""

import io
import struct
from typing import Any, BinaryIO, Literal

from PIL import ExifTags, Image

Order = Literal["<", ">"]  # of bytes, as `struct` names it
# Tag -> (kind, bytes), or a directory for the two tags that point to one.
Directory = dict[int, Any]

_POINTERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
INCHES = {2: 1.0, 3: 2.54}  # of a unit of resolution, by its number
_INTEROP_INDEX = 1  # of the directory that Interop points to
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


def orientation(image: Image.Image) -> int | None:
    """EXIF orientation of a PIL image: int, 1..8 if it is sound, or None.

    `ImageOps.exif_transpose` would also write the EXIF block anew, and fail
    where another entry of it is damaged; that must not cost the picture.
    """
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        return None


def of_image(image: Image.Image) -> tuple[Order, Directory] | None:
    """What a PIL image says of itself, as `read` has it.

    Args:
        image: PIL image.

    Returns:
        (byte order, directory); None where there is nothing, or it is
        damaged.
    """
    try:
        block = image.info.get("exif")
        # Without a block: kinds that only Pillow knows.
        return read(block or image.getexif().tobytes())
    except Exception:  # of almost any kind, where it is damaged
        return None


def of_tiff(file: BinaryIO, start: int) -> tuple[Order, Directory] | None:
    """What one directory of a TIFF file says, as `of_image`; not BigTIFF."""
    try:
        return _read_file(file, start)
    except Exception:  # of almost any kind, where it is damaged
        return None


def resolution(found: tuple[Order, Directory]
               ) -> tuple[float, float] | None:
    """Pixels an inch across and down that a directory states, if sound."""
    order, directory = found
    _, unit = directory.get(ExifTags.Base.ResolutionUnit, (3, b""))
    inches = INCHES.get(int.from_bytes(
        unit, "little" if order == "<" else "big") or 2)
    sides = []
    for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution):
        kind, value = directory.get(tag, (None, b""))
        if kind != 5 or len(value) != 8 or inches is None:
            return None
        number, parts = struct.unpack(order + "II", value)
        sides.append(inches * number / parts if parts else 0.0)
    return sound_resolution(*sides)


def sound_resolution(across: float, down: float
                     ) -> tuple[float, float] | None:
    """The same two numbers, unless they are nonsense: then None."""
    if not (1 <= across <= 65535 and 1 <= down <= 65535):
        return None
    return across, down


def is_adobe_rgb(directory: Directory) -> bool:
    """Whether a camera says that its pixels are Adobe RGB.

    By EXIF and DCF 2.0 the colour space is "uncalibrated", and the file of the
    kind "R03". Where the kind is missing, Adobe RGB is what cameras mean; 2 is
    what some wrote before. Pictures of another space carry a profile.
    """
    details = directory.get(ExifTags.IFD.Exif, {})
    _, space = details.get(ExifTags.Base.ColorSpace, (3, b""))
    if space in (b"\0\x02", b"\x02\0"):
        return True
    interoperable = details.get(ExifTags.IFD.Interop, {})
    _, kind = interoperable.get(_INTEROP_INDEX, (2, b"R03"))
    return space == b"\xff\xff" and kind[:3] == b"R03"


def kept(found: tuple[Order, Directory], width: int,
         height: int) -> bytes | None:
    """The EXIF block of a photograph, for a result made of it.

    Camera, dates, author, exposure, GPS and maker notes are kept. Orientation
    becomes 1, the size the given one and the colour space sRGB, where they
    are stated; the thumbnail is left out, and so are damaged entries.

    Args:
        found: (byte order, directory) of `read`.
        width, height: int. Size of the result, which is upright.

    Returns:
        bytes, beginning with "Exif" and two zeros; or None if there is
        nothing that is kept.
    """
    order, directory = found
    chosen: Directory = {
        tag: directory[tag] for tag in _KEPT.intersection(directory)}
    if not chosen:
        return None
    chosen[ExifTags.Base.Orientation] = 3, struct.pack(order + "H", 1)
    details = dict(chosen.get(ExifTags.IFD.Exif, {}))
    if details:
        chosen[ExifTags.IFD.Exif] = details
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


def _read_file(file, start=None):
    file.seek(0)
    order = _ORDERS[file.read(4)]
    first, = struct.unpack(order + "I", file.read(4))
    directory = _directory(file, order, first if start is None else start)
    for pointer in _POINTERS:
        _follow(file, order, directory, pointer)
    details = directory.get(ExifTags.IFD.Exif)
    if details:
        _follow(file, order, details, ExifTags.IFD.Interop)
    return order, directory


def _follow(file, order, directory, pointer):
    """Puts the directory that an entry points to in the entry's place."""
    kind, value = directory.pop(pointer, (None, b""))
    if kind in (4, 13) and len(value) == 4:
        start, = struct.unpack(order + "I", value)
        found = _directory(file, order, start)
        if found:
            directory[pointer] = found


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
