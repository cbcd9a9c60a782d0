"""Decodes pictures of TFRecord shards when a batch needs them.

Hundreds of thousands of small pictures take gigabytes as decoded fields, but
only a few kilobytes each as files.  `EncodedPictures` knows the place of each
picture in the shards and decodes the rows of a batch in threads.

A damaged picture does not end a run: another picture replaces it, the same in
every run. A run that resumes therefore sees the same pictures.
"""

import concurrent.futures
import functools
import itertools
import os
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from PIL import Image
from tensorflow.python.lib.io import tf_record

from tfdivcolor import color, images
from tfdivcolor.data import sources
from tfdivcolor.data.photo_cache import Selection
from tfdivcolor.data.photo_set import (
    PhotoSet,
    Skipped,
    first_folder,
    report,
)
from tfdivcolor.utils.errors import reason

_LENGTH = 12  # bytes before a record: its length and the length's checksum
_AFTER = 4  # bytes after a record: its checksum


class EncodedPictures:
    """Pictures in TFRecord shards, as an array of decoded pictures.

    The next readable picture of the same source replaces a damaged one; after
    the last picture the search continues with the first. If the source has no
    readable picture, the next readable picture of all replaces it.  Each
    damaged picture is reported once, on standard error and in `skipped`.

    Args:
        shards: list of paths.
        places: int64 [N, 3]. Shard, first byte and length of each record.
        names: list of N str. As in `PhotoSet`.
        skipped: list of `Skipped`, to which damaged pictures are appended.
        damaged: rows of known damaged pictures, already in `skipped`.
        size: int. Side of the decoded pictures in pixels.
        squash: bool. As in `data.load`.
    """

    def __init__(self, shards: list[str], places: np.ndarray,
                 names: list[str], skipped: list[Skipped],
                 damaged: Sequence[int], size: int, squash: bool):
        self._shards = [np.memmap(shard, np.uint8, "r") for shard in shards]
        self._places = places
        self._names = names
        self._skipped = skipped
        self._damaged = set(damaged)
        self._lock = threading.Lock()  # for _skipped and _damaged
        self._squash = squash
        self.shape = (len(places), size, size, 3)

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Decodes pictures.

        Args:
            rows: int [n].

        Returns:
            uint8 [n, size, size, 3], sRGB.

        Raises:
            images.ImageError: if none of the pictures can be read.
        """
        return np.stack(list(_pool().map(self._decode_one, rows)))

    def _decode_one(self, row):
        for candidate in self._candidates(int(row)):
            if candidate not in self._damaged:
                try:
                    return self._read(candidate)
                # Any error of a decoder: it must not end a run of hours.
                except Exception as error:
                    self._report(candidate, reason(error))
        raise images.ImageError(
            f"{self._skipped[-1].name}: one picture of the shards must be "
            f"readable (received {len(self):,} unreadable pictures)")

    def _candidates(self, row):
        """Yields a row and its possible replacements, in order."""
        yield row
        source = self._sources[row]
        after = np.roll(np.arange(len(self)), -1 - row)[:-1]
        same = self._sources[after] == source
        yield from after[same].tolist()
        yield from after[~same].tolist()

    @functools.cached_property
    def _sources(self):
        """int [N]: source of each row."""
        return np.unique([first_folder(name) for name in self._names],
                         return_inverse=True)[1]

    def _read(self, row):
        shard, start, length = self._places[row]
        record = self._shards[shard][start:start + length].tobytes()
        _, picture = parsed(record)
        return square(
            images.read(picture).pixels, self.shape[1], self._squash)

    def _report(self, row, why):
        with self._lock:
            if row in self._damaged:
                return  # another thread was first
            self._damaged.add(row)
            damaged = Skipped(self._names[row], why.removeprefix("image: "))
            self._skipped.append(damaged)
            count = len(self._damaged)
        sources.say(Skipped(
            damaged.name, f"{damaged.reason}; another picture replaces it "
            f"({count:,} of {len(self):,} damaged so far)"))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Lab of the pictures in `rows`, float32 [n, size, size, 3]."""
        pixels = self.decode(np.arange(len(self))[rows])
        return np.concatenate(color.split(pixels), axis=-1)


@functools.cache
def _pool():
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count())


def cropped(pixels: np.ndarray, squash: bool, multiple: int = 1) -> np.ndarray:
    """Crops a picture to the part that a square shows.

    Args:
        pixels: uint8 [H, W, 3].
        squash: bool. True keeps the whole picture, False the largest centred
            square.
        multiple: int, 1 to the shorter side. Both sides become multiples of
            it by dropping a few pixels. Defaults to 1.

    Returns:
        uint8 [h, w, 3], a view.
    """
    height, width, _ = pixels.shape
    rows, columns = (height, width) if squash else [min(height, width)] * 2
    rows, columns = rows - rows % multiple, columns - columns % multiple
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[top:top + rows, left:left + columns]


def square(pixels: np.ndarray, size: int, squash: bool) -> np.ndarray:
    """Resizes a picture to a square.

    Args:
        pixels: uint8 [H, W, 3].
        size: int. Side of the result in pixels.
        squash: bool. As in `cropped`.

    Returns:
        uint8 [size, size, 3], antialiased.
    """
    pixels = cropped(pixels, squash)
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(
        (size, size), Image.Resampling.BICUBIC, reducing_gap=3.0))


def from_shards(pattern: str | os.PathLike, selection: Selection) -> PhotoSet:
    """Opens TFRecord shards whose pictures are decoded on demand.

    The function assumes that all pictures have colours, as in the shards of
    `training.write_tfrecords --size`.  Records without a picture are dropped.
    A picture with damaged content stays in the list, and another replaces it
    in batches, so that a run that resumes has the same pictures.

    Args:
        pattern: path of one file, or a pattern of several.
        selection: `Selection`.

    Returns:
        `PhotoSet`, whose `lab` is `EncodedPictures`.

    Raises:
        ValueError: if no file matches `pattern`, or if no selected picture
            can be read.
    """
    names, places, skipped, damaged, used = [], [], [], [], []
    found = ((shard, *record) for shard in sources.shards_of(pattern)
             for record in _records(shard, skipped.append)
             if selection.takes(record[0]))
    for shard, name, start, length, sound in itertools.islice(
            found, selection.limit):
        if not sound:
            damaged.append(len(names))
            skipped.append(Skipped(
                name, "damaged; another picture replaces it"))
        if shard not in used[-1:]:
            used.append(shard)
        names.append(name)
        places.append((len(used) - 1, start, length))
    if len(names) == len(damaged):
        subset = selection.subset
        raise ValueError(
            f"{pattern}: no pictures found"
            + (f" for the subset {subset!r}" if subset else "")
            + (f": {report([], skipped)}" if skipped else ""))
    pictures = EncodedPictures(
        used, np.array(places, np.int64), names, skipped, damaged,
        selection.size, selection.squash)
    return PhotoSet(pictures, names, skipped, selection.canvas,
                    selection.margin, selection.luminance_size)


def _records(shard: str, on_skip: sources.OnSkip
             ) -> Iterator[tuple[str, int, int, bool]]:
    """Reads a shard's records as long as the next one can be found.

    Args:
        shard: path.
        on_skip: function of a `Skipped`, called for records without a
            picture, and for damaged or unreadable shards.

    Yields:
        name, first byte, length, and whether the checksums are correct.
    """
    try:
        reader = tf_record.tf_record_random_reader(shard)
        data = np.memmap(shard, np.uint8, "r")
    except (OSError, ValueError, tf.errors.OpError) as error:
        on_skip(Skipped(shard, f"cannot be read ({reason(error)})"))
        return
    place = number = used = 0
    while place < len(data):
        number += 1
        where = f"at record {number:,}, byte {place:,}"
        header = data[place:place + _LENGTH].tobytes()
        length = int.from_bytes(header[:8], "little")
        start, sound = place + _LENGTH, True
        try:
            reader.read(place)
        except (tf.errors.DataLossError, IndexError):
            sound = False
            wrong = None
            if len(header) < _LENGTH:
                wrong = "cut off"
            elif not _is_length(header):
                wrong = "corrupt"
            elif start + length + _AFTER > len(data):
                wrong = "cut off"
            if wrong:
                on_skip(Skipped(
                    shard, f"{wrong}, {where}; only the {used:,} pictures "
                    "before it are used"))
                return
        place = start + length + _AFTER
        try:
            name, _ = parsed(data[start:start + length].tobytes())
        except (DecodeError, ValueError):
            on_skip(Skipped(shard, "must have one image/encoded and one "
                            f"image/filename, {where}"))
            continue
        used += 1
        yield name, start, length, sound


def _is_length(header):
    """Whether the length before a record matches its checksum."""
    checksum = 2**32 - 1  # CRC-32C
    for byte in header[:8]:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum >> 1 ^ 0x82F63B78 * (checksum & 1)
    checksum ^= 2**32 - 1
    masked = (checksum >> 15 | checksum << 17) + 0xA282EAD8
    return masked % 2**32 == int.from_bytes(header[8:], "little")


def parsed(record: bytes) -> tuple[str, bytes]:
    """Reads the name and file of the picture in a record.

    Args:
        record: bytes of a `tf.train.Example`.

    Returns:
        (image/filename, image/encoded).

    Raises:
        DecodeError: if the bytes are not an Example.
        ValueError: if it does not have exactly one of each.
    """
    features = tf.train.Example.FromString(record).features.feature
    name, = features["image/filename"].bytes_list.value
    picture, = features["image/encoded"].bytes_list.value
    return name.decode(), picture
