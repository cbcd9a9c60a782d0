"""Pictures decoded when a batch asks for them, from TFRecord shards.

Hundreds of thousands of small pictures take gigabytes as decoded fields, but
a few kilobytes each as they are.  `EncodedPictures` knows where each lies in
the shards, and decodes the rows of a batch in threads.
"""

import concurrent.futures
import functools
import os

import numpy as np
import tensorflow as tf
from PIL import Image

from tfdivcolor import color, images
from tfdivcolor.data import sources
from tfdivcolor.data.photo_cache import Selection
from tfdivcolor.data.photo_set import PhotoSet, Skipped

_LENGTH = 12  # bytes before a record: its length and a checksum of that
_AFTER = 4  # bytes behind: its own checksum


class EncodedPictures:
    """Pictures in TFRecord shards, as an array of decoded ones.

    Args:
        shards: list of paths.
        places: int64 [N, 3]. Shard, first byte and length of each record.
        size: int. Pixels a side.
        squash: bool. As in `data.load`.
    """

    def __init__(self, shards: list[str], places: np.ndarray, size: int,
                 squash: bool):
        self._shards = [np.memmap(shard, np.uint8, "r") for shard in shards]
        self._places = places
        self._squash = squash
        self.shape = (len(places), size, size, 3)

    def decode(self, rows: np.ndarray) -> np.ndarray:
        """Decodes some pictures.

        Args:
            rows: int [n].

        Returns:
            uint8 [n, size, size, 3], sRGB.

        Raises:
            images.ImageError: one of them cannot be read.
        """
        return np.stack(list(_pool().map(self._decode_one, rows)))

    def _decode_one(self, row):
        shard, start, length = self._places[row]
        record = self._shards[shard][start:start + length].tobytes()
        return square(
            images.read(_encoded(record)).pixels, self.shape[1], self._squash)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Lab of some pictures, float32 [n, size, size, 3]."""
        pixels = self.decode(np.arange(len(self))[rows])
        return np.concatenate(color.split(pixels), axis=-1)


@functools.cache
def _pool():
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count())


def square(pixels: np.ndarray, size: int, squash: bool) -> np.ndarray:
    """A picture as a square.

    Args:
        pixels: uint8 [H, W, 3].
        size: int. Pixels a side of the result.
        squash: bool. The whole picture; otherwise its largest centred square.

    Returns:
        uint8 [size, size, 3], antialiased.
    """
    height, width, _ = pixels.shape
    if not squash:
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top:top + side, left:left + side]
    if pixels.shape[:2] == (size, size):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(
        (size, size), Image.Resampling.BICUBIC, reducing_gap=3.0))


def from_shards(pattern: str | os.PathLike, selection: Selection) -> PhotoSet:
    """The pictures of TFRecord shards, decoded when a batch asks for them.

    All of them are taken to be readable and in colour, as
    `training.write_tfrecords --size` leaves them.

    Args:
        pattern: path of one file, or a pattern of several.
        selection: `Selection`.

    Returns:
        `PhotoSet`, whose `lab` is `EncodedPictures`.

    Raises:
        ValueError: if no file has such a name, or no picture is selected.
    """
    shards = sources.shards_of(pattern)
    names, places, skipped = [], [], []
    for number, shard in enumerate(shards):
        data = np.memmap(shard, np.uint8, "r")
        for name, start, length in _records(shard, data, skipped.append):
            if selection.takes(name):
                names.append(name)
                places.append((number, start, length))
            if len(names) == selection.limit:
                break
        if len(names) == selection.limit:
            break
    if not names:
        raise ValueError(f"{pattern}: no pictures found"
                         + (f" for the subset {selection.subset!r}"
                            if selection.subset else ""))
    pictures = EncodedPictures(
        shards, np.array(places, np.int64), selection.size, selection.squash)
    return PhotoSet(pictures, names, skipped, selection.canvas,
                    selection.margin, selection.luminance_size)


def _records(shard, data, on_skip):
    """Name, first byte and length of a shard's records, up to a damage."""
    place = 0
    while place < len(data):
        length = int.from_bytes(data[place:place + 8].tobytes(), "little")
        start = place + _LENGTH
        place = start + length + _AFTER
        if place > len(data):
            on_skip(Skipped(shard, f"cut off at byte {start - _LENGTH:,}; the "
                            "pictures before it are used"))
            return
        example = tf.train.Example.FromString(
            data[start:start + length].tobytes())
        name, = example.features.feature["image/filename"].bytes_list.value
        yield name.decode(), start, length


def _encoded(record):
    features = tf.train.Example.FromString(record).features.feature
    return features["image/encoded"].bytes_list.value[0]
