"""Files written by hand, byte for byte as their standards say.

TIFF, PNG, BMP, ICC profiles, EXIF blocks, and the segments of JPEG and JPEG
2000 that Pillow and imagecodecs do not write.  Nothing of tfdivcolor is used.
"""

import io
import struct
import zlib
from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL import Image

# --- Numbers -----------------------------------------------------------------


def packed(values, bits, order=">"):
    """Rows of samples [H, N] -> bytes, each row from a byte of its own.

    Whole bytes follow the byte order; other depths fill bytes from the top.
    """
    if values.dtype.kind in "fc" or bits in (8, 16, 32, 64):
        kind = values.dtype.kind if values.dtype.kind in "fci" else "u"
        return values.astype(f"{order}{kind}{bits // 8}").tobytes()
    places = np.arange(bits - 1, -1, -1)
    single = (values[..., np.newaxis].astype(np.int64) >> places) & 1
    return np.packbits(
        single.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


# --- TIFF and EXIF -----------------------------------------------------------

_CODES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 7: "B", 8: "h", 13: "I",
          16: "Q"}
NONE, GROUP_4, LZW, JPEG, DEFLATE, PACKBITS, OLD_DEFLATE, ZSTD = (
    1, 4, 5, 7, 8, 32773, 32946, 50000)


@dataclass(frozen=True)
class Layout:
    """How the samples of a TIFF page lie in its file."""

    order: str = "<"
    is_big: bool = False
    compression: int = NONE
    predictor: int = 1
    tile: int | None = None  # side of square tiles
    rows: int | None = None  # of a strip; None: all
    in_planes: bool = False
    fill_order: int = 1
    subsampling: int = 1  # of the colours of YCbCr


def directory(entries, start, order="<", is_big=False, following=0):
    """A TIFF directory at byte `start`, and where its link to the next is."""
    count, number, room = ("Q", "Q", 8) if is_big else ("H", "I", 4)
    head = struct.pack(order + count, len(entries))
    behind = start + len(head) + len(entries) * (4 + 2 * room) + room
    values = b""
    for tag, (kind, content) in sorted(entries.items()):
        if not isinstance(content, bytes):
            content = struct.pack(
                f"{order}{len(content)}{_CODES[kind]}", *content)
        size = struct.calcsize("=" + _CODES[kind]) * (2 if kind == 5 else 1)
        head += struct.pack(
            f"{order}HH{number}", tag, kind, len(content) // size)
        if len(content) <= room:
            head += content.ljust(room, b"\0")
        else:
            head += struct.pack(order + number, behind + len(values))
            values += content + b"\0" * (len(content) % 2)
    link = start + len(head)
    return head + struct.pack(order + number, following) + values, link


def tiff(*pages, order="<", is_big=False):
    """A TIFF file of pages: (entries of the directory, blocks of pixels)."""
    mark = {"<": b"II", ">": b"MM"}[order]
    number = order + ("Q" if is_big else "I")
    if is_big:
        data = bytearray(mark + struct.pack(order + "HHHQ", 43, 8, 0, 0))
        link = 8
    else:
        data = bytearray(mark + struct.pack(order + "HI", 42, 0))
        link = 4
    for entries, blocks in pages:
        starts = []
        for block in blocks:
            starts.append(len(data))
            data += block + b"\0" * (len(block) % 2)
        where, lengths = (324, 325) if 322 in entries else (273, 279)
        kind = 16 if is_big else 4
        entries = entries | {
            where: (kind, starts), lengths: (kind, [len(b) for b in blocks])}
        struct.pack_into(number, data, link, len(data))
        encoded, link = directory(entries, len(data), order, is_big)
        data += encoded
    return bytes(data)


def tiff_page(samples, bits, photometric, layout=Layout(), tags=None):
    """A page of samples [H, W, C]: (entries, blocks), for `tiff`."""
    height, width, channels = samples.shape
    kind = {"u": 1, "i": 2, "f": 3, "c": 6}[samples.dtype.kind]
    entries = {
        256: (4, [width]), 257: (4, [height]), 258: (3, [bits] * channels),
        259: (3, [layout.compression]), 262: (3, [photometric]),
        277: (3, [channels]), 339: (3, [kind] * channels),
        284: (3, [2 if layout.in_planes else 1])}
    if layout.predictor > 1:
        entries[317] = (3, [layout.predictor])
    if layout.fill_order > 1:
        entries[266] = (3, [layout.fill_order])
    if photometric == 6:
        entries[530] = (3, [layout.subsampling] * 2)
    if layout.tile:
        entries |= {322: (4, [layout.tile]), 323: (4, [layout.tile])}
    else:
        entries[278] = (4, [layout.rows or height])
    planes = (np.split(samples, channels, axis=2) if layout.in_planes
              else [samples])
    blocks = [_compressed(block, bits, photometric, layout)
              for plane in planes for block in _blocks(plane, layout)]
    return entries | (tags or {}), blocks


def _blocks(samples, layout):
    height, width, channels = samples.shape
    if not layout.tile:
        rows = layout.rows or height
        yield from (samples[y:y + rows] for y in range(0, height, rows))
        return
    side = layout.tile
    for y in range(0, height, side):
        for x in range(0, width, side):
            part = samples[y:y + side, x:x + side]
            tile = np.zeros((side, side, channels), samples.dtype)
            tile[:part.shape[0], :part.shape[1]] = part
            yield tile


def _compressed(block, bits, photometric, layout):
    if layout.compression == JPEG:
        return _jpeg_block(block, photometric, layout.subsampling)
    if layout.compression == GROUP_4:
        return _group_4(block[..., 0])
    data = _predicted(block, bits, layout)
    if layout.fill_order == 2:
        data = np.packbits(np.unpackbits(np.frombuffer(data, np.uint8)),
                           bitorder="little").tobytes()
    if layout.compression == PACKBITS:  # row by row
        size = len(data) // len(block)
        return b"".join(imagecodecs.packbits_encode(data[i:i + size])
                        for i in range(0, len(data), size))
    return {
        NONE: bytes, LZW: imagecodecs.lzw_encode, DEFLATE: zlib.compress,
        OLD_DEFLATE: zlib.compress, ZSTD: imagecodecs.zstd_encode,
    }[layout.compression](data)


def _predicted(block, bits, layout):
    height, width, channels = block.shape
    if layout.predictor == 2:  # the difference to the pixel on the left
        block = np.concatenate(
            [block[:, :1], block[:, 1:] - block[:, :-1]], axis=1)
    rows = block.reshape(height, width * channels)
    if layout.predictor != 3:
        return packed(rows, bits, layout.order)
    # The upper bytes of a row's numbers first, then their differences.
    size = bits // 8
    places = rows.astype(f">f{size}").view(np.uint8).reshape(
        height, width * channels, size)
    row = np.moveaxis(places, 2, 1).reshape(height, -1)
    row[:, channels:] -= row[:, :-channels].copy()
    return row.tobytes()


def _jpeg_block(block, photometric, subsampling):
    kind = {1: "GRAYSCALE", 2: "RGB", 6: "YCBCR"}[photometric]
    return imagecodecs.jpeg8_encode(
        block[..., 0] if photometric == 1 else block, level=98,
        colorspace=kind if photometric != 6 else "RGB", outcolorspace=kind,
        subsampling="420" if subsampling == 2 else "444")


def _group_4(plane):
    # Pillow compresses; the codes are then taken out of its file.
    file = io.BytesIO()
    Image.fromarray(plane.astype(bool)).save(
        file, "TIFF", compression="group4",
        tiffinfo={278: len(plane)})
    tags = Image.open(file).tag_v2
    (start,), (length,) = tags[273], tags[279]
    assert tags.get(266, 1) == 1
    return file.getvalue()[start:start + length]


def resolution(dpi):
    """Entries for pixels an inch, across and down."""
    across, down = (round(1000 * number) for number in dpi)
    return {282: (5, [across, 1000]), 283: (5, [down, 1000]), 296: (3, [2])}


def exif(entries, details=None, interoperability=None):
    """An EXIF block, without the prefix that JPEG gives it."""
    data = b"II*\0\x08\0\0\0"
    if details is None:
        return data + directory(entries, 8)[0]
    # Directories stand one behind the other; their sizes do not depend on
    # where their links point.
    first = len(directory(entries | {34665: (4, [0])}, 8)[0])
    if interoperability:
        second = len(directory(details | {40965: (4, [0])}, 0)[0])
        details = details | {40965: (4, [8 + first + second])}
    data += directory(entries | {34665: (4, [8 + first])}, 8)[0]
    data += directory(details, len(data))[0]
    if interoperability:
        data += directory(interoperability, len(data))[0]
    return data


# --- PNG ---------------------------------------------------------------------

_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
           (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


def png(samples, bits, chunks=(), palette=None, is_interlaced=False):
    """A PNG file of samples [H, W, C]; chunks (kind, data) before PLTE."""
    height, width, channels = samples.shape
    kind = 3 if palette is not None else {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    parts = [samples]
    if is_interlaced:
        parts = [samples[y::down, x::right]
                 for x, y, right, down in _PASSES]
    rows = b"".join(
        b"\0" + packed(row.reshape(1, -1), bits)
        for part in parts if part.size for row in part)
    all_chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0,
                              is_interlaced)), *chunks]
    if palette is not None:
        all_chunks.append((b"PLTE", palette.astype(np.uint8).tobytes()))
    all_chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(name, data) for name, data in all_chunks)


def iccp(profile):
    return b"iCCP", b"profile\0\0" + zlib.compress(profile)


def gama(gamma):
    return b"gAMA", struct.pack(">I", round(gamma * 100000))


def chrm(white, primaries):
    return b"cHRM", struct.pack(">8I", *(
        round(number * 100000) for point in (white, *primaries)
        for number in point))


# --- ICC profiles ------------------------------------------------------------


def icc(space, tags, name, version=2, device=b"mntr"):
    """An ICC profile: channels of `space`, tags {signature: bytes}."""
    text = name.encode("ascii")
    described = (
        b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0"
        + b"\0" * 78 if version == 2 else
        b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US",
                                      2 * len(text), 28)
        + name.encode("utf-16-be"))
    rights = (b"text\0\0\0\0none\0" if version == 2 else
              b"mluc\0\0\0\0" + struct.pack(
                  ">II2s2sII", 1, 12, b"en", b"US", 8, 28)
              + "none".encode("utf-16-be"))
    tags = {b"desc": described, b"cprt": rights,
            b"wtpt": xyz((0.9642, 1, 0.8249)), **tags}
    place = 128 + 4 + 12 * len(tags)
    table, content = struct.pack(">I", len(tags)), b""
    for signature, data in tags.items():
        table += struct.pack(
            ">4sII", signature, place + len(content), len(data))
        content += data + b"\0" * (-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s6H4s4sIIIQI3I4s44x", place + len(content), b"\0" * 4,
        {2: 0x02400000, 4: 0x04300000}[version], device, space, b"XYZ ",
        2000, 1, 1, 0, 0, 0, b"acsp", b"\0" * 4, 0, 0, 0, 0, 0,
        63190, 65536, 54061, b"\0" * 4)
    return header + table + content


def xyz(values):
    return b"XYZ \0\0\0\0" + struct.pack(
        ">3i", *(round(number * 65536) for number in values))


def power_curve(gamma):
    """gamma is rounded to 1/256; 1 is written as the straight line."""
    if gamma == 1:
        return b"curv\0\0\0\0" + struct.pack(">I", 0)
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def table_curve(values):
    numbers = np.rint(np.asarray(values) * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", len(numbers)) + numbers.tobytes()


def formula_curve(*numbers):
    """g, a, b, c, d: (a x + b) ** g from d on, c x below."""
    return b"para\0\0\0\0\0\x03\0\0" + struct.pack(
        ">5i", *(round(number * 65536) for number in numbers))


def ink_table(corners):
    """Inks [2, 2, 2, 2] -> XYZ, as a table with straight lines between."""
    line = struct.pack(">2H", 0, 65535)
    values = np.rint(np.asarray(corners) * 32768).astype(">u2")
    return (b"mft2\0\0\0\0" + bytes([4, 3, 2, 0])
            + struct.pack(">9i", *(np.eye(3, dtype=int) * 65536).flat)
            + struct.pack(">2H", 2, 2) + line * 4 + values.tobytes()
            + line * 3)


# --- JPEG, JPEG 2000 and BMP -------------------------------------------------


def jpeg_with(data, density=None, exif_block=None, profile=None,
              adobe=None):
    """A JPEG file with these segments in place of those it has."""
    segments = b""

    def add(marker, content):
        nonlocal segments
        segments += struct.pack(">BBH", 255, marker, len(content) + 2)
        segments += content

    if density:
        add(0xE0, b"JFIF\0" + struct.pack(">HBHHBB", 257, 1, *density, 0, 0))
    if exif_block:
        add(0xE1, b"Exif\0\0" + exif_block)
    if profile:
        add(0xE2, b"ICC_PROFILE\0\x01\x01" + profile)
    if adobe is not None:
        add(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe))
    place = 2
    while 0xE0 <= data[place + 1] <= 0xEF:
        place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return data[:2] + segments + data[place:]


def jp2_with(data, profile):
    """A JP2 file whose colours are as an ICC profile says."""
    start = data.index(b"colr") - 4
    length, = struct.unpack_from(">I", data, start)
    box = struct.pack(">I4s3B", 11 + len(profile), b"colr", 2, 0, 0) + profile
    header = data.index(b"jp2h") - 4
    whole, = struct.unpack_from(">I", data, header)
    changed = bytearray(data[:start] + box + data[start + length:])
    struct.pack_into(">I", changed, header, whole - length + len(box))
    return bytes(changed)


def bmp(samples, bits, palette=None, density=(300, 300), is_upside_down=True):
    """A BMP file: indices, or RGB [H, W, 3], or with alpha [H, W, 4].

    16 bits a pixel hold 5, 6 and 5 bits; 32 bits with alpha have masks.
    """
    height, width, channels = samples.shape
    masks = b""
    if bits == 16:
        masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
        red, green, blue = np.moveaxis(samples.astype(np.uint16), 2, 0)
        rows = ((red << 11) | (green << 5) | blue).astype("<u2")
    elif palette is not None:
        rows = samples[..., 0]
    else:
        if channels == 3 and bits == 32:
            samples = np.concatenate(
                [samples, np.zeros_like(samples[..., :1])], 2)
        if channels == 4:
            masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        rows = samples[..., [2, 1, 0, 3][:samples.shape[2]]].reshape(
            height, -1)
    if bits == 16:
        lines = [row.tobytes() for row in rows]
    elif palette is not None:
        lines = [packed(row[np.newaxis], bits) for row in rows]
    else:
        lines = [row.astype(np.uint8).tobytes() for row in rows]
    if is_upside_down:
        lines = lines[::-1]
    pixels = b"".join(line + b"\0" * (-len(line) % 4) for line in lines)
    colours = b"" if palette is None else b"".join(
        bytes([blue, green, red, 0]) for red, green, blue in palette)
    header = 108 if channels == 4 else 40
    start = 14 + header + (0 if header == 108 else len(masks)) + len(colours)
    info = struct.pack(
        "<IiiHHIIiiII", header, width, height if is_upside_down else -height,
        1, bits, 3 if masks else 0, len(pixels),
        *(round(number / 0.0254) for number in density),
        0 if palette is None else len(palette), 0)
    info = (info + masks).ljust(header, b"\0")
    return (b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
            + info + colours + pixels)
