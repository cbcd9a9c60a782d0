"""Pictures decoded when a batch asks for them, from TFRecord shards.

Hundreds of thousands of small pictures take gigabytes as decoded fields, but
a few kilobytes each as they are.  `EncodedPictures` knows where each lies in
the shards, and decodes the rows of a batch in threads.

A run goes on when a picture is damaged: another one takes its place, the same
in every run, so that a run that resumes sees what it would have seen.
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

_LENGTH = 12  # bytes before a record: its length and a checksum of that
_AFTER = 4  # bytes behind: its own checksum


class EncodedPictures:
    """Pictures in TFRecord shards, as an array of decoded ones.

    In place of a damaged one comes the next of its source that can be read,
    from the first again after the last; if none of the source can be, the
    next of all.  Each damaged one is reported once, on standard error and in
    `skipped`.

    Args:
        shards: list of paths.
        places: int64 [N, 3]. Shard, first byte and length of each record.
        names: list of N str. As in `PhotoSet`.
        skipped: list of `Skipped`, to which damaged pictures are appended.
        damaged: rows that are known to be damaged, and in `skipped`.
        size: int. Pixels a side.
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
        self._lock = threading.Lock()  # of the two before
        self._squash = squash
        self.shape = (len(places), size, size, 3)

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Decodes some pictures.

        Args:
            rows: int [n].

        Returns:
            uint8 [n, size, size, 3], sRGB.

        Raises:
            images.ImageError: not one picture of all can be read.
        """
        return np.stack(list(_pool().map(self._decode_one, rows)))

    def _decode_one(self, row):
        for candidate in self._candidates(int(row)):
            if candidate not in self._damaged:
                try:
                    return self._read(candidate)
                # Whatever a decoder raises: it must not end a run of hours.
                except Exception as error:
                    self._report(candidate, reason(error))
        raise images.ImageError(
            f"{self._skipped[-1].name}: one picture of the shards must be "
            f"readable (received {len(self):,} that are not)")

    def _candidates(self, row):
        """A row, and those that may take its place, the nearest first."""
        yield row
        source = self._sources[row]
        after = np.roll(np.arange(len(self)), -1 - row)[:-1]
        same = self._sources[after] == source
        yield from after[same].tolist()
        yield from after[~same].tolist()

    @functools.cached_property
    def _sources(self):
        """int [N]: the source of each row."""
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
            damaged.name, f"{damaged.reason}; another picture takes its place "
            f"({count:,} of {len(self):,} damaged until now)"))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Lab of some pictures, float32 [n, size, size, 3]."""
        pixels = self.decode(np.arange(len(self))[rows])
        return np.concatenate(color.split(pixels), axis=-1)


@functools.cache
def _pool():
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count())


def cropped(pixels: np.ndarray, squash: bool, multiple: int = 1) -> np.ndarray:
    """The part of a picture that a square is made of.

    Args:
        pixels: uint8 [H, W, 3].
        squash: bool. The whole picture; otherwise its largest centred square.
        multiple: int, up to both sides. Of what both sides are to be
            multiples, for which a few pixels are left out.

    Returns:
        uint8 [h, w, 3], a view.
    """
    height, width, _ = pixels.shape
    rows, columns = (height, width) if squash else [min(height, width)] * 2
    rows, columns = rows - rows % multiple, columns - columns % multiple
    top, left = (height - rows) // 2, (width - columns) // 2
    return pixels[top:top + rows, left:left + columns]


def square(pixels: np.ndarray, size: int, squash: bool) -> np.ndarray:
    """A picture as a square.

    Args:
        pixels: uint8 [H, W, 3].
        size: int. Pixels a side of the result.
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
    """The pictures of TFRecord shards, decoded when a batch asks for them.

    All of them are taken to be in colour, as `training.write_tfrecords --size`
    leaves them.  Records that are no pictures are left out.  One whose content
    is damaged stays, and another takes its place: a run that resumes is to
    have the pictures it began with.

    Args:
        pattern: path of one file, or a pattern of several.
        selection: `Selection`.

    Returns:
        `PhotoSet`, whose `lab` is `EncodedPictures`.

    Raises:
        ValueError: if no file has such a name, or no picture is selected that
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
                name, "damaged; another picture takes its place"))
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
    """A shard's records, up to where it is not known where the next begins.

    Args:
        shard: path.
        on_skip: function of a `Skipped`, called for records that are no
            pictures, and for a shard that is damaged or cannot be read.

    Yields:
        name, first byte, length, and whether the content is as it was
        written.
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
                    shard, f"{wrong}, {where}; of this file the {used:,} "
                    "pictures before it are used"))
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
    """Whether the number before a record is as it was written."""
    checksum = 2**32 - 1  # CRC-32C
    for byte in header[:8]:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum >> 1 ^ 0x82F63B78 * (checksum & 1)
    checksum ^= 2**32 - 1
    masked = (checksum >> 15 | checksum << 17) + 0xA282EAD8
    return masked % 2**32 == int.from_bytes(header[8:], "little")


def parsed(record: bytes) -> tuple[str, bytes]:
    """Name and file of the picture that a record holds.

    Args:
        record: bytes of a `tf.train.Example`.

    Returns:
        (image/filename, image/encoded).

    Raises:
        DecodeError: it is none.
        ValueError: it has not one of each.
    """
    features = tf.train.Example.FromString(record).features.feature
    name, = features["image/filename"].bytes_list.value
    picture, = features["image/encoded"].bytes_list.value
    return name.decode(), picture
