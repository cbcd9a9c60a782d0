"""Reads photographs from folders, archives and TFRecord shards.

A source is a function of a path and of `on_skip`. It calls `on_skip` with a
`Skipped` for every unreadable part of the source.  It is a generator of (name,
size in bytes, function that reads the bytes), always in the same order.  The
caller uses the reading function before it takes the next item, or never; the
function raises OSError if this one picture cannot be read.
"""

import contextlib
import functools
import hashlib
import os
import posixpath
import re
import sys
import tarfile
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tqdm import tqdm

from tfdivcolor import images
from tfdivcolor.data import no_autotune
from tfdivcolor.data.photo_set import Skipped
from tfdivcolor.utils.errors import reason

ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz")
PACK_SUFFIX = ".pack"
TFRECORD_SUFFIXES = (".tfrecord", ".tfrecords")
VALIDATION_FRACTION = 0.08

# An item of a source: name, size in bytes, and a function that reads it.
Item = tuple[str, int, Callable[[], bytes]]
OnSkip = Callable[[Skipped], object]
Source = Callable[..., Iterator[Item]]

# By name, because typeshed does not have them.
_DAMAGED_HEADER = tuple(getattr(tarfile, name) for name in (
    "InvalidHeaderError", "TruncatedHeaderError"))

_FRAME = 16  # bytes of a TFRecord around its content: length and checksums

# NAME_0001.jpg names a person, unless cameras and programs use NAME for every
# picture: one such group would put the whole folder into one subset.
_NUMBERED = re.compile(r"(.+)_\d{4}\.\w+")
_SERIES = frozenset({
    "dsc", "dscf", "dscn", "frame", "image", "img", "photo", "pic", "pict",
    "picture", "scan"})


def group_of(name: str) -> str:
    """Group of a picture for the split: its person, or else its file name.

    Args:
        name: str. `.../NAME_0001.jpg` (four digits) belongs to the person
            NAME; names given by cameras (IMG_0001.jpg) belong to no person.

    Returns:
        str.
    """
    base = posixpath.basename(name)
    match = _NUMBERED.fullmatch(base)
    if match and match[1].lower() not in _SERIES:
        return match[1]
    return base


def is_validation(
        name: str, validation_fraction: float = VALIDATION_FRACTION) -> bool:
    """Whether a picture belongs to the validation subset.

    Only the picture's group decides (see `group_of`), so a picture stays in
    its subset when other pictures are added or the folder is renamed.

    Args:
        name: str.
        validation_fraction: float, 0 to 1. Share of the groups in validation.
            Defaults to 0.08.

    Returns:
        bool.
    """
    digest = hashlib.sha256(group_of(name).encode()).hexdigest()
    return int(digest[:8], 16) / 2**32 < validation_fraction


def say(skipped: Skipped) -> None:
    """Reports a skipped part on standard error; the default `on_skip`."""
    tqdm.write(f"{skipped.name}: {skipped.reason}", file=sys.stderr)


def from_folder(path: str | os.PathLike,
                on_skip: OnSkip = say) -> Iterator[Item]:
    """Source: the pictures of a folder and the folders in it, by name.

    The pictures are those of `images.find`, which skips linked folders.

    Args:
        path: path of the folder.
        on_skip: function of a `Skipped`, called for each folder in it, and
            for each file without a suffix, that is unreadable or missing.
            Defaults to `say`.

    Yields:
        (name, size, function that reads the bytes). The size of an unreadable
        picture is 0.

    Raises:
        ValueError: if the folder does not exist or holds no picture.
    """
    if not os.path.isdir(path):
        raise ValueError(f"{path}: no such folder")
    names = images.names_in(path, lambda error: on_skip(
        Skipped(error.filename, reason(error))))
    if not names:
        raise ValueError(
            f"{path}: must hold images ({', '.join(images.SUFFIXES)}) "
            "(received a folder without any)")
    for name in names:
        file = os.path.join(path, name)
        yield _text(name), _size(file), functools.partial(_read, file)


def from_archive(path: str | os.PathLike,
                 on_skip: OnSkip = say) -> Iterator[Item]:
    """Source: the pictures of an archive, by suffix, in its own order.

    Args:
        path: path of a .tar, .tgz or .tar.gz.
        on_skip: as in the other sources, but never called: nothing after a
            damage can be found in an archive.

    Yields:
        (name, size, function that reads the bytes).

    Raises:
        ValueError: if the file does not exist or is not a sound archive; also
            while a picture is read.
    """
    if not os.path.isfile(path):
        raise ValueError(f"{path}: no such archive")
    if not os.fspath(path).lower().endswith(ARCHIVE_SUFFIXES):
        raise ValueError(f"{path}: an archive's name must end in "
                         f"{', '.join(ARCHIVE_SUFFIXES)}")

    def read(archive, member):
        with _sound(path):
            return archive.extractfile(member).read()

    with _sound(path), tarfile.open(
            path, "r|*", tarinfo=_Member) as archive:
        for member in archive:
            name = posixpath.normpath(member.name)
            if member.isfile() and images.is_picture(name):
                yield (_text(name), member.size,
                       functools.partial(read, archive, member))


def from_tfrecord(pattern: str | os.PathLike,
                  on_skip: OnSkip = say) -> Iterator[Item]:
    """Source: the pictures of TFRecord files, file by file in order of names.

    In a damaged file, only the pictures before the damage are used. A file
    that is cut off exactly between two records looks complete: the format
    does not state the number of records.

    Args:
        pattern: path of one file, or a pattern of several. Every record is a
            `tf.train.Example` with image/filename and image/encoded.
        on_skip: function of a `Skipped`, called for each damaged file with its
            path, the kind of damage, and the record and byte. Defaults to
            `say`.

    Yields:
        (name, size, function that reads the bytes).

    Raises:
        ValueError: if no file matches, or if no picture can be read.
    """
    shards = shards_of(pattern)
    found = False
    for shard in shards:
        for item in _records(shard, on_skip):
            found = True
            yield item
    if not found:
        raise ValueError(
            f"{pattern}: must hold pictures, as image/encoded and "
            f"image/filename (received {len(shards)} TFRecord files without a "
            "readable picture)")


def shards_of(pattern: str | os.PathLike) -> list[str]:
    """Lists the TFRecord files of a pattern, sorted by name.

    Raises:
        ValueError: if no file matches.
    """
    shards = sorted(tf.io.gfile.glob(os.fspath(pattern)))
    if not shards:
        raise ValueError(f"{pattern}: no TFRecord file matches")
    return shards


def from_pack(path: str | os.PathLike,
              on_skip: OnSkip = say) -> Iterator[Item]:
    """Source: the pictures of a .pack, in its order.

    A pack is uint32 n, n sizes as uint32, then the n files, little endian.

    Args:
        path: path of the .pack.
        on_skip: as in the other sources; called if the pack is cut off.
            Defaults to `say`.

    Yields:
        (name, size, function that reads the bytes). A name is the name of the
        pack, a slash and a number.

    Raises:
        ValueError: if the file does not exist, or if its list of sizes is
            incomplete.
    """
    stem = os.path.splitext(os.path.basename(os.fspath(path)))[0]
    try:
        data = np.memmap(path, np.uint8, "r")
        count = int(data[:4].view("<u4")[0])
        sizes = data[4:4 + 4 * count].view("<u4")
    except (OSError, ValueError, IndexError) as error:
        raise ValueError(
            f"{path}: must be a pack of pictures (received {error})"
        ) from error
    if len(sizes) < count:
        raise ValueError(f"{path}: must be a pack of pictures (received one "
                         f"cut off within its list of {count:,} sizes)")
    start = 4 + 4 * count
    for number, size in enumerate(sizes.tolist()):
        if start + size > len(data):
            on_skip(Skipped(
                os.fspath(path), f"cut off; only the {number:,} pictures "
                "before it are used"))
            return
        yield (f"{stem}/{number:06d}", size,
               data[start:start + size].tobytes)
        start += size


def source_of(path: str | os.PathLike) -> Source:
    """Chooses the source for `path` by what exists there.

    Args:
        path: path of a folder, an archive, a pack, or a pattern of TFRecord
            files.

    Returns:
        `from_folder`, `from_archive`, `from_pack` or `from_tfrecord`.

    Raises:
        ValueError: if nothing exists at `path`.
    """
    if os.path.isdir(path):
        return from_folder
    path = os.fspath(path)
    if any(mark in path for mark in "*?[") or path.endswith(TFRECORD_SUFFIXES):
        return from_tfrecord
    if path.endswith(PACK_SUFFIX):
        return from_pack
    if os.path.exists(path):
        return from_archive
    raise ValueError(f"{path}: no such folder, archive or TFRecord file")


def names_in(path: str | os.PathLike) -> list[str]:
    """Lists the names of the pictures at `path`, in their order.

    Args:
        path: path of a folder, an archive, or a pattern of TFRecord files.

    Returns:
        list of str.

    Raises:
        ValueError: if nothing at `path` can be read.
    """
    return [name for name, _, _ in source_of(path)(path)]


def _text(name):
    # Names that are not UTF-8 cannot be hashed, printed or put into records.
    return name.encode("utf-8", "backslashreplace").decode()


def _size(file):
    # A missing or unreadable file has size 0. Once it is readable, its size
    # and therefore the fingerprint of caches changes.
    try:
        return os.stat(file).st_size if os.access(file, os.R_OK) else 0
    except OSError:
        return 0


def _read(file):
    with open(file, "rb") as opened:
        return opened.read()


class _Member(tarfile.TarInfo):
    """A file of an archive; tarfile takes a damaged header for the end."""

    @classmethod
    def fromtarfile(cls, archive):
        try:
            return super().fromtarfile(archive)
        except _DAMAGED_HEADER as error:
            raise tarfile.ReadError(str(error)) from error


@contextlib.contextmanager
def _sound(path):
    """Turns all exceptions of reading an archive into one kind of error."""
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path}: the archive is damaged ({error})") from error


def _records(shard, on_skip):
    """Yields the pictures of one file, up to the first damage."""
    number, offset, wrong = 0, 0, None
    try:
        records = no_autotune.untuned(tf.data.TFRecordDataset(shard))
        for record in records.as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            name, = features["image/filename"].bytes_list.value
            encoded, = features["image/encoded"].bytes_list.value
            yield name.decode(), len(encoded), lambda: encoded
            number += 1
            offset += len(record) + _FRAME
        if not number:
            wrong = "no record in this file"
        # TensorFlow takes an incomplete length for the end of the file.
        elif offset < tf.io.gfile.stat(shard).length:
            wrong = "cut off"
    except tf.errors.DataLossError:
        wrong = "corrupt or cut off"
    except (DecodeError, ValueError):
        wrong = "must have one image/encoded and one image/filename"
    except tf.errors.OpError as error:
        wrong = f"cannot be read ({type(error).__name__})"
    if wrong:
        on_skip(Skipped(
            shard, f"{wrong}, at record {number + 1:,}, byte {offset:,}; only "
            f"the {number:,} pictures before it are used"))
