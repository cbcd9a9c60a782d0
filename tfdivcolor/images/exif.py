"""Carries the EXIF of a photograph over to its results.

An EXIF block is a small TIFF file: directories of entries. The code copies
entries unchanged, in the byte order of the block: maker notes may depend on
the order, and text may have any encoding. Pillow would decode and encode
them.
"""

import io
import struct
from typing import Any, BinaryIO, Literal

from PIL import ExifTags, Image

Order = Literal["<", ">"]  # byte order, as in `struct`
# Tag -> (kind, bytes), or a directory for the two tags that point to one.
Directory = dict[int, Any]

_POINTERS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
INCHES = {2: 1.0, 3: 2.54}  # units of resolution per inch, by their numbers
_INTEROP_INDEX = 1  # tag in the directory that Interop points to
# Bytes per value of each kind: 2 is text, 3 and 4 are unsigned integers.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4,
          12: 8, 13: 4}
_ORDERS: dict[bytes, Order] = {b"II*\0": "<", b"MM\0*": ">"}

# Limit on the bytes of a directory's values: damaged entries may claim any
# number.
_ROOM = 1 << 24

# Tags of the first directory that describe the photograph. The others describe
# the layout of a TIFF file or belong to one program.
_KEPT: frozenset[int] = frozenset({
    ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model,
    ExifTags.Base.XResolution, ExifTags.Base.YResolution,
    ExifTags.Base.ResolutionUnit, ExifTags.Base.Software,
    ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.HostComputer,
    ExifTags.Base.Copyright, ExifTags.Base.Rating, ExifTags.Base.RatingPercent,
    ExifTags.Base.XPTitle, ExifTags.Base.XPComment, ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords, ExifTags.Base.XPSubject, *_POINTERS})


def orientation(image: Image.Image) -> int | None:
    """Returns the EXIF orientation of a PIL image: 1..8 if sound, or None.

    `ImageOps.exif_transpose` also rewrites the EXIF block, and fails if any
    entry is damaged. A damaged entry must not make a picture unreadable.
    """
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:
        return None


def of_image(image: Image.Image) -> tuple[Order, Directory] | None:
    """Reads the EXIF of a PIL image, like `read`.

    Args:
        image: PIL image.

    Returns:
        (byte order, directory); None if there is none, or a damaged one.
    """
    try:
        block = image.info.get("exif")
        # Images without a block: kinds that only Pillow knows.
        return read(block or image.getexif().tobytes())
    except Exception:  # damaged blocks raise almost anything
        return None


def of_tiff(file: BinaryIO, start: int) -> tuple[Order, Directory] | None:
    """Reads one directory of a TIFF file (not BigTIFF), like `of_image`."""
    try:
        return _read_file(file, start)
    except Exception:  # damaged blocks raise almost anything
        return None


def resolution(found: tuple[Order, Directory]
               ) -> tuple[float, float] | None:
    """Pixels per inch across and down of a directory; None if unsound."""
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
    """Returns the two numbers, or None if either is out of 1..65535."""
    if not (1 <= across <= 65535 and 1 <= down <= 65535):
        return None
    return across, down


def is_adobe_rgb(directory: Directory) -> bool:
    """Whether a camera declares its pixels as Adobe RGB.

    EXIF and DCF 2.0 then give the colour space as "uncalibrated" and the kind
    of the file as "R03". Without a kind, cameras mean Adobe RGB. Some older
    files have colour space 2. Pictures in other spaces carry a profile.
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
    """Makes the EXIF block for a result of a photograph.

    The block keeps camera, dates, author, exposure, GPS and maker notes.
    Orientation becomes 1. If they are present, the size becomes the given one
    and the colour space sRGB. The thumbnail and damaged entries are dropped.

    Args:
        found: (byte order, directory) of `read`.
        width, height: int. Size of the result, which is upright.

    Returns:
        bytes, beginning with "Exif" and two zeros; or None if no entry is
        kept.
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
    # Interop may name another colour space than sRGB.
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
        KeyError, struct.error: if the first bytes are damaged.
    """
    return _read_file(io.BytesIO(block.removeprefix(b"Exif\0\0")))


def header(order: Order, start: int) -> bytes:
    """First 8 bytes of a TIFF file with its directory at `start`."""
    mark = {known: mark for mark, known in _ORDERS.items()}[order]
    return mark + struct.pack(order + "I", start)


def write(directory: Directory, order: Order, start: int) -> bytes:
    """Writes a directory and all directories that it points to.

    Args:
        directory: {tag: (kind, bytes) or directory}.
        order: "<" or ">".
        start: int, even. Its offset from the start of the file.

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
    """Replaces a pointer entry by the directory that it points to."""
    kind, value = directory.pop(pointer, (None, b""))
    if kind in (4, 13) and len(value) == 4:
        start, = struct.unpack(order + "I", value)
        found = _directory(file, order, start)
        if found:
            directory[pointer] = found


def _directory(file, order, start):
    """Reads the complete entries of one directory."""
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
