"""Thousands of damaged files: pixels or one line of error, nothing else.

A worker process, this file run as a program, damages sound files of every
format and reads them by path.  It ends itself where one takes too long, and it
tells where the damage must have been noticed: by a checksum, or by a length.
"""

import faulthandler
import functools
import importlib.util
import json
import os
import random
import resource
import struct
import subprocess
import sys
import time
import warnings
import zlib

import making
import numpy as np
import pytest

from tfdivcolor import images

SECONDS = 10  # that one file may take
ADDRESS_SPACE = 8 << 30  # bytes
MAX_PIXELS = 1_000_000
PEAK = 300  # MB of memory, with Python and all libraries
GROWTH = 30  # MB, from the first thousand files to the last


# --- Damage ------------------------------------------------------------------


@functools.cache
def sound_cases():
    """{format: cases}: one of each channels, alpha and layout, of any depth.
    """
    cases = [case for case in making.cases() if case.image_format != "HEIF"
             or importlib.util.find_spec("pillow_heif")]
    random.Random(1).shuffle(cases)
    kinds = {(case.image_format, case.colour, case.alpha, case.layout,
              case.is_deep): case for case in cases}
    formats = {}
    for case in sorted(kinds.values(), key=str):
        formats.setdefault(case.image_format, []).append(case)
    return formats


def _case(index):
    """Formats in turn, and the cases of each in turn."""
    formats = list(sound_cases().values())
    which, index = index % len(formats), index // len(formats)
    return formats[which][index % len(formats[which])]


@functools.cache
def _sound(case):
    return making.make(case).data


def _change(data, rng, place):
    data[place] = rng.integers(256)


def _flip(data, rng, place):
    data[place] ^= 1 << rng.integers(8)


def _delete(data, rng, place):
    del data[place:place + rng.integers(1, 40)]


def _insert(data, rng, place):
    data[place:place] = rng.bytes(rng.integers(1, 40))


def _double(data, rng, place):
    data[place:place] = data[place:place + rng.integers(1, 200)]


def _clear(data, rng, place):
    count = len(data[place:place + rng.integers(1, 60)])
    data[place:place + count] = bytes(count)


def _swap(data, rng, place):
    size = int(rng.integers(1, 100))
    other = int(rng.integers(len(data)))
    first, second = data[place:place + size], data[other:other + size]
    if len(first) == len(second):
        data[place:place + size], data[other:other + size] = second, first


def _set_field(data, rng, place):
    size = int(rng.choice([1, 2, 4, 8]))
    value = rng.choice(["00", "01", "ff", "7f", "80", "fe"])
    field = bytes.fromhex(value) + bytes.fromhex(
        rng.choice(["00", "ff"])) * (size - 1)
    if rng.integers(2):
        field = field[::-1]
    place -= place % min(size, 2)
    data[place:place + size] = field


def _cut(data, rng, place):
    del data[max(place, 1):]


def _append(data, rng, place):
    data += rng.bytes(rng.integers(1, 300))


DAMAGES = (_change, _flip, _delete, _insert, _double, _clear, _swap,
           _set_field, _set_field, _set_field, _cut, _append)


def damaged(data, index):
    """A file with 1 to 4 damages: bytes, and whether it was only cut off."""
    rng = np.random.default_rng(index)
    changed = bytearray(data)
    if rng.random() < .1:
        _cut(changed, rng, int(rng.integers(len(data))))
        return bytes(changed), True
    for _ in range(rng.integers(1, 5)):
        # The half of them in the headers.
        end = len(changed) if rng.integers(2) else min(len(changed), 400)
        damage = DAMAGES[rng.integers(len(DAMAGES))]
        damage(changed, rng, int(rng.integers(end)))
        changed = changed or bytearray(1)
    return bytes(changed), False


# --- What checksums and lengths tell -----------------------------------------


# Of the chunks of PNG that need not be understood, those that tell how the
# pixels are shown.
TELLING = (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"tRNS")


def png_fault(data):
    """What is wrong with the chunks of a PNG file that matter, or None."""
    place, kinds, pixels, header = 8, [], b"", b""
    while place + 12 <= len(data):
        length, = struct.unpack_from(">I", data, place)
        kind, end = data[place + 4:place + 8], place + 8 + length
        if end + 4 > len(data):
            return "a chunk that is longer than the file"
        content = data[place + 8:end]
        matters = not kind[0] & 32 or kind in TELLING
        if matters and zlib.crc32(kind + content) != struct.unpack_from(
                ">I", data, end)[0]:
            return f"the checksum of {kind}"
        kinds.append(kind)
        pixels += content if kind == b"IDAT" else b""
        header = header or content
        place = end + 4
        if kind == b"IEND":
            break
    if b"IEND" not in kinds:
        return "no end"
    try:
        found = zlib.decompressobj()
        rows = found.decompress(pixels)
    except zlib.error as error:
        return f"its pixels: {error}"
    width, height, bits, kind, *_, is_interlaced = struct.unpack(
        ">IIBBBBB", header[:13])
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind, 1)
    needed = height * (1 + (width * bits * channels + 7) // 8)
    if len(rows) < needed and not is_interlaced:
        return "too few rows"
    # Bytes that follow the pixels are no fault; its checksum comes last.
    return None if found.eof or len(rows) > needed else "no checksum"


def tiff_fault(data):
    """What is wrong with the strips or tiles of page 1, or None.

    None also where the directory is such that it is not clear.
    """
    try:
        order = {b"II": "<", b"MM": ">"}[data[:2]]
        magic, start = struct.unpack_from(order + "HI", data, 2)
        if magic != 42:
            return None
        tags = {}
        count, = struct.unpack_from(order + "H", data, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, number = struct.unpack_from(order + "HHI", data, place)
            code = {3: "H", 4: "I"}.get(kind)
            if code and number < 10_000:
                size = number * struct.calcsize("=" + code)
                where = (place + 8 if size <= 4 else
                         struct.unpack_from(order + "I", data, place + 8)[0])
                tags.setdefault(tag, struct.unpack_from(
                    f"{order}{number}{code}", data, where))
        link, = struct.unpack_from(order + "I", data, start + 2 + 12 * count)
    except (KeyError, struct.error):
        return None
    if link or tags.get(254, (0,)) != (0,) or 255 in tags:
        return None  # perhaps another page is used
    starts, lengths = tags.get(273, ()), tags.get(279, ())
    if 324 in tags:
        starts, lengths = tags[324], tags.get(325, ())
    if len(starts) != len(lengths):
        return "strips without a length"
    for first, length in zip(starts, lengths):
        if not length:
            return "a strip without data"
        if first + length > len(data):
            return "a strip that is longer than the file"
        if tags.get(259) in ((8,), (32946,)):
            try:
                zlib.decompress(data[first:first + length])
            except zlib.error as error:
                return f"a strip: {error}"
    return None


def riff_fault(data):
    size, = struct.unpack_from("<I", data, 4)
    return "its length" if size + 8 > len(data) else None


def bmp_fault(data):
    start, header, width, height, _, bits, compression = struct.unpack_from(
        "<IIiiHHI", data, 10)
    size = (abs(width) * bits + 31) // 32 * 4 * abs(height)
    if header >= 40 and compression in (0, 3) and start + size > len(data):
        return "its length"
    return None


FAULTS = {"PNG": png_fault, "TIFF": tiff_fault, "WEBP": riff_fault,
          "BMP": bmp_fault}


def _unnoticed(case, data, is_cut, photo):
    """What a picture that was accepted should have been refused for, or None.

    What is said in a note is not accepted in silence; and damage to what the
    pixels do not depend on may pass.
    """
    right = images.read(_sound(case), max_pixels=MAX_PIXELS)
    if photo.notes and photo.notes != right.notes:
        return None
    if np.array_equal(photo.finest, right.finest):
        return None
    if is_cut:
        return "it is cut off"
    try:
        return FAULTS.get(case.image_format, lambda data: None)(data)
    except (struct.error, IndexError):
        return None


# --- The worker --------------------------------------------------------------


def _outcome(case, index, path):
    data, is_cut = damaged(_sound(case), index)
    with open(path, "wb") as file:
        file.write(data)
    try:
        photo = images.read(path, max_pixels=MAX_PIXELS)
    except images.ImageError as error:
        message = str(error)
        is_line = message.startswith(f"{path}: ") and "\n" not in message
        return "refused" if is_line else f"message {message!r}"
    height, width, channels = photo.pixels.shape
    if photo.pixels.dtype != np.uint8 or channels != 3 or (
            height * width > MAX_PIXELS):
        return f"pixels {photo.pixels.dtype} {photo.pixels.shape}"
    fault = _unnoticed(case, data, is_cut, photo)
    return f"unnoticed: {fault}" if fault else "pixels"


def _memory():
    """Memory of this process now and at its peak, MB."""
    with open("/proc/self/status") as file:
        fields = dict(line.split(":") for line in file)
    return [int(fields[name].split()[0]) >> 10 for name in ("VmRSS", "VmHWM")]


def work(first, last, folder):
    """Reads damaged files; prints a line of JSON for each."""
    warnings.simplefilter("ignore")  # Pillow's, on damaged metadata
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    path = os.path.join(folder, "damaged.bin")
    for index in range(first, last):
        case = _case(index)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        start = time.monotonic()
        try:
            outcome = _outcome(case, index, path)
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        seconds = time.monotonic() - start
        memory, peak = _memory()
        print(json.dumps({
            "case": str(case), "index": index, "outcome": outcome,
            "seconds": seconds, "memory": memory, "peak": peak}), flush=True)
    faulthandler.cancel_dump_traceback_later()


# --- Tests -------------------------------------------------------------------


def _read_damaged(count, folder):
    """Outcomes of `count` files, and what ended the worker, if anything."""
    lines, ends, first = [], [], 0
    while first < count and len(ends) < 10:
        done = subprocess.run(
            [sys.executable, __file__, str(first), str(count), str(folder)],
            capture_output=True, text=True)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        lines += found
        first += len(found)
        if done.returncode == 0:
            break
        ends.append(f"{first}: exit code {done.returncode}, "
                    f"{done.stderr[-1500:]}")
        first += 1
    return lines, ends


def _check(lines, ends, count):
    assert not ends
    assert len(lines) == count
    odd = [f"{line['index']} {line['case']}: {line['outcome']}"
           for line in lines if line["outcome"] not in ("pixels", "refused")]
    assert not odd, f"{len(odd)} of {count}"
    assert max(line["seconds"] for line in lines) < SECONDS
    assert lines[-1]["peak"] < PEAK
    # Damage of both kinds: what can be read, and what cannot.
    read = np.mean([line["outcome"] == "pixels" for line in lines])
    assert .1 < read < .9


def test_damaged_files(tmp_path):
    _check(*_read_damaged(300, tmp_path), 300)


@pytest.mark.slow
def test_20_000_damaged_files(tmp_path):
    lines, ends = _read_damaged(20_000, tmp_path)
    _check(lines, ends, 20_000)
    for image_format in sound_cases():
        outcomes = {line["outcome"] for line in lines
                    if line["case"].startswith(image_format + "-")}
        assert outcomes == {"pixels", "refused"}, image_format
    assert lines[-1]["memory"] < lines[1000]["memory"] + GROWTH


def test_faults_are_told():
    """The checks themselves: sound files have none, damaged ones do."""
    cases = [case for of_one in sound_cases().values() for case in of_one]
    for case in cases:
        if find := FAULTS.get(case.image_format):
            assert find(_sound(case)) is None
    whole = _sound(next(c for c in cases if c.image_format == "PNG"))
    place = whole.index(b"IDAT")
    for data in (whole[:-12], whole[:place + 30],
                 whole[:place + 9] + b"\0" + whole[place + 10:]):
        assert png_fault(data)
    whole = _sound(next(c for c in cases if c.layout == "deflate"))
    assert tiff_fault(whole[:12] + b"\0\1\2" + whole[15:])
    for case in cases:
        if case.image_format in ("BMP", "WEBP"):
            assert FAULTS[case.image_format](_sound(case)[:-2])


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
