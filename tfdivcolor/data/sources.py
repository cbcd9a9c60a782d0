"""Where photographs come from: folders, archives and TFRecord shards.

A source is a function of a path and of `on_skip`, a function that is called
with a `Skipped` for every part of the source that cannot be read.  It is a
generator of (name, size in bytes, function that reads the bytes), always in
the same order.  The reading function is called before the next item is taken,
or not at all; it raises OSError where this one picture cannot be read.
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

# What a source yields of a picture: name, size in bytes, and what reads them.
Item = tuple[str, int, Callable[[], bytes]]
OnSkip = Callable[[Skipped], object]
Source = Callable[..., Iterator[Item]]

# By name, as typeshed does not know of them.
_DAMAGED_HEADER = tuple(getattr(tarfile, name) for name in (
    "InvalidHeaderError", "TruncatedHeaderError"))

_FRAME = 16  # bytes of a TFRecord beside its content: length and checksums

# NAME_0001.jpg names a person, unless NAME is what cameras and programs call
# every picture: one group of those would put the whole folder on one side.
_NUMBERED = re.compile(r"(.+)_\d{4}\.\w+")
_SERIES = frozenset({
    "dsc", "dscf", "dscn", "frame", "image", "img", "photo", "pic", "pict",
    "picture", "scan"})


def group_of(name: str) -> str:
    """What a picture is split by: its person, or else its own file name.

    Args:
        name: str. `.../NAME_0001.jpg` (four digits) belongs to the person
            NAME; names that cameras give (IMG_0001.jpg) belong to nobody.

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

    It depends on the picture's group alone (see `group_of`), so it never
    moves when other pictures are added or the folder is renamed.

    Args:
        name: str.
        validation_fraction: float, 0 to 1. Share of the groups in validation.

    Returns:
        bool.
    """
    digest = hashlib.sha256(group_of(name).encode()).hexdigest()
    return int(digest[:8], 16) / 2**32 < validation_fraction


def say(skipped: Skipped) -> None:
    """Names what is left out on standard error; the default `on_skip`."""
    tqdm.write(f"{skipped.name}: {skipped.reason}", file=sys.stderr)


def from_folder(path: str | os.PathLike,
                on_skip: OnSkip = say) -> Iterator[Item]:
    """Source: the pictures of a folder and the folders in it, by name.

    They are those that `images.find` lists, which leaves out linked folders.

    Args:
        path: path of the folder.
        on_skip: function of a `Skipped`, called for each folder in it, and
            each file without a suffix, that cannot be read or is gone by then.

    Yields:
        (name, size, function to read the bytes). The size of a picture that
        cannot be read is 0.

    Raises:
        ValueError: if there is no such folder, or no picture in it.
    """
    if not os.path.isdir(path):
        raise ValueError(f"{path}: no such folder")
    names = images.names_in(path, lambda error: on_skip(
        Skipped(error.filename, reason(error))))
    if not names:
        raise ValueError(
            f"{path}: must hold images ({', '.join(images.SUFFIXES)}) "
            "(received a folder without any that can be found)")
    for name in names:
        file = os.path.join(path, name)
        yield _text(name), _size(file), functools.partial(_read, file)


def from_archive(path: str | os.PathLike,
                 on_skip: OnSkip = say) -> Iterator[Item]:
    """Source: the pictures of an archive, by suffix, in its own order.

    Args:
        path: path of a .tar, .tgz or .tar.gz.
        on_skip: as in the other sources; never called, as behind a damage
            nothing of an archive can be found.

    Yields:
        (name, size, function to read the bytes).

    Raises:
        ValueError: if there is no such file, or it is no sound archive; also
            from reading a picture.
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

    Of a file that is damaged, the pictures before the damage are taken. One
    that is cut off exactly between two records looks whole: the format does
    not say how many there are.

    Args:
        pattern: path of one file, or a pattern of several. Every record is a
            `tf.train.Example` with image/filename and image/encoded.
        on_skip: function of a `Skipped`, called for each damaged file: its
            path, and what is wrong at which record and byte.

    Yields:
        (name, size, function to read the bytes).

    Raises:
        ValueError: if no file has such a name, or no picture can be read.
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
            f"image/filename (received {len(shards)} TFRecord files, none of "
            "which has one that can be read)")


def shards_of(pattern: str | os.PathLike) -> list[str]:
    """TFRecord files of a pattern, in order of their names.

    Raises:
        ValueError: if no file has such a name.
    """
    shards = sorted(tf.io.gfile.glob(os.fspath(pattern)))
    if not shards:
        raise ValueError(f"{pattern}: no TFRecord file has such a name")
    return shards


def from_pack(path: str | os.PathLike,
              on_skip: OnSkip = say) -> Iterator[Item]:
    """Source: the pictures of a .pack, in its order.

    A pack is uint32 n, n sizes as uint32, then the n files, little endian.

    Args:
        path: path of the .pack.
        on_skip: as in the other sources; called where the pack is cut off.

    Yields:
        (name, size, function to read the bytes); the names are numbers, with
        the pack's own before them.

    Raises:
        ValueError: if there is no such file, or not even its sizes are whole.
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
                         f"cut off within {count:,} sizes)")
    start = 4 + 4 * count
    for number, size in enumerate(sizes.tolist()):
        if start + size > len(data):
            on_skip(Skipped(
                os.fspath(path), f"cut off; the {number:,} pictures before "
                "are used"))
            return
        yield (f"{stem}/{number:06d}", size,
               data[start:start + size].tobytes)
        start += size


def source_of(path: str | os.PathLike) -> Source:
    """The source for `path`, by what is there.

    Args:
        path: path of a folder, an archive, a pack, or a pattern of TFRecord
            files.

    Returns:
        `from_folder`, `from_archive`, `from_pack` or `from_tfrecord`.

    Raises:
        ValueError: if there is nothing at `path`.
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
    """Names of the pictures at `path`, in their order.

    Args:
        path: path of a folder, an archive, or a pattern of TFRecord files.

    Returns:
        list of str.

    Raises:
        ValueError: if nothing can be read there.
    """
    return [name for name, _, _ in source_of(path)(path)]


def _text(name):
    # Names that are no UTF-8 cannot be hashed, printed or put into records.
    return name.encode("utf-8", "backslashreplace").decode()


def _size(file):
    # One that vanishes, a link to nothing, or one that others may read: it
    # gets another size, and so caches another fingerprint, once it is there.
    try:
        return os.stat(file).st_size if os.access(file, os.R_OK) else 0
    except OSError:
        return 0


def _read(file):
    with open(file, "rb") as opened:
        return opened.read()


class _Member(tarfile.TarInfo):
    """A file of an archive; tarfile takes a damaged one for the end."""

    @classmethod
    def fromtarfile(cls, archive):
        try:
            return super().fromtarfile(archive)
        except _DAMAGED_HEADER as error:
            raise tarfile.ReadError(str(error)) from error


@contextlib.contextmanager
def _sound(path):
    """Makes one error of all that the reading of an archive raises."""
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path}: the archive is damaged ({error})") from error


def _records(shard, on_skip):
    """The pictures of one file, up to its first damage."""
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
        # TensorFlow takes a part of a record's length for the end.
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
            shard, f"{wrong}, at record {number + 1:,}, byte {offset:,}; of "
            f"this file the {number:,} pictures before it are used"))
