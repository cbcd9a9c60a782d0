"""Where photographs come from: folders, archives and TFRecord shards.

A source is a function from a path to a generator of (name, size in bytes,
function that reads the bytes), always in the same order.  The reading function
is called before the next item is taken, or not at all.
"""

import contextlib
import hashlib
import os
import posixpath
import re
import tarfile
import tempfile
import zlib

import tensorflow as tf
from google.protobuf.message import DecodeError

from tfdivcolor import images

ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz")
TFRECORD_SUFFIXES = (".tfrecord", ".tfrecords")
VALIDATION_FRACTION = 0.08

# NAME_0001.jpg names a person, unless NAME is what cameras and programs call
# every picture: one group of those would put the whole folder on one side.
_NUMBERED = re.compile(r"(.+)_\d{4}\.\w+")
_SERIES = frozenset({
    "dsc", "dscf", "dscn", "frame", "image", "img", "photo", "pic", "pict",
    "picture", "scan"})


def group_of(name):
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


def is_validation(name, validation_fraction=VALIDATION_FRACTION):
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


def from_folder(path):
    """Source: the pictures of a folder and the folders in it, by name.

    Args:
        path: path of the folder.

    Yields:
        (name, size, function to read the bytes).

    Raises:
        ValueError: if there is no such folder, or no picture in it.
    """
    if not os.path.isdir(path):
        raise ValueError(f"{path}: no such folder")
    for file, _ in images.find([path]):
        # A link to nothing counts among the unreadable pictures.
        size = file.stat().st_size if file.exists() else 0
        yield file.relative_to(path).as_posix(), size, file.read_bytes


def from_archive(path):
    """Source: the pictures of an archive, in its own order.

    Args:
        path: path of a .tar, .tgz or .tar.gz.

    Yields:
        (name, size, function to read the bytes).

    Raises:
        ValueError: if there is no such file, or it is no sound archive.
    """
    if not os.path.isfile(path):
        raise ValueError(f"{path}: no such archive")
    if not os.fspath(path).lower().endswith(ARCHIVE_SUFFIXES):
        raise ValueError(f"{path}: an archive's name must end in "
                         f"{', '.join(ARCHIVE_SUFFIXES)}")
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                name = posixpath.normpath(member.name)
                if member.isfile() and _is_picture(name):
                    yield (name, member.size,
                           archive.extractfile(member).read)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{path}: the archive is damaged ({error})") from error


def from_tfrecord(pattern):
    """Source: the pictures of TFRecord files, file by file in order of names.

    Args:
        pattern: path of one file, or a pattern of several. Every record is a
            `tf.train.Example` with image/filename and image/encoded.

    Yields:
        (name, size, function to read the bytes).

    Raises:
        ValueError: if no file has such a name, or a record is not like that.
    """
    shards = sorted(tf.io.gfile.glob(os.fspath(pattern)))
    if not shards:
        raise ValueError(f"{pattern}: no TFRecord file has such a name")
    for shard in shards:
        try:
            for record in tf.data.TFRecordDataset(shard).as_numpy_iterator():
                features = tf.train.Example.FromString(record).features.feature
                name, = features["image/filename"].bytes_list.value
                encoded, = features["image/encoded"].bytes_list.value
                yield name.decode(), len(encoded), lambda: encoded
        except (tf.errors.DataLossError, DecodeError) as error:
            raise ValueError(f"{shard}: a record is corrupt") from error
        except ValueError as error:
            raise ValueError(
                f"{shard}: every record must have one image/encoded and one "
                f"image/filename") from error


def source_of(path):
    """The source for `path`, by what is there.

    Args:
        path: path of a folder, an archive, or a pattern of TFRecord files.

    Returns:
        `from_folder`, `from_archive` or `from_tfrecord`.

    Raises:
        ValueError: if there is nothing at `path`.
    """
    if os.path.isdir(path):
        return from_folder
    path = os.fspath(path)
    if any(mark in path for mark in "*?[") or path.endswith(TFRECORD_SUFFIXES):
        return from_tfrecord
    if os.path.exists(path):
        return from_archive
    raise ValueError(f"{path}: no such folder, archive or TFRecord file")


def names_in(path):
    """Names of the pictures at `path`, in their order.

    Args:
        path: path of a folder, an archive, or a pattern of TFRecord files.

    Returns:
        list of str.

    Raises:
        ValueError: if nothing can be read there.
    """
    return [name for name, _, _ in source_of(path)(path)]


def write_tfrecords(path, prefix, num_shards):
    """Copies a folder's or archive's pictures, as they are, into TFRecords.

    Picture i goes to shard i modulo `num_shards`; the files appear under
    their names only when all are complete.

    Args:
        path: path of a folder, an archive, or a pattern of TFRecord files.
        prefix: str. Start of the files' names, with a folder that exists.
        num_shards: int, 1 or more.

    Returns:
        list of the paths written, PREFIX-00000-of-00004.tfrecord and so on.

    Raises:
        ValueError: if there is nothing to write, or `num_shards` is below 1.
    """
    if num_shards < 1:
        raise ValueError(
            f"num_shards must be 1 or more (received {num_shards})")
    items = source_of(path)(path)
    folder, base = os.path.split(os.fspath(prefix))
    names = [f"{base}-{shard:05d}-of-{num_shards:05d}.tfrecord"
             for shard in range(num_shards)]
    with tempfile.TemporaryDirectory(dir=folder or ".") as temporary:
        number = -1
        with contextlib.ExitStack() as stack:
            writers = [
                stack.enter_context(
                    tf.io.TFRecordWriter(os.path.join(temporary, name)))
                for name in names]
            for number, (name, _, read) in enumerate(items):
                writers[number % num_shards].write(_example(name, read()))
        if number < 0:
            raise ValueError(f"{path}: no pictures found")
        for name in names:
            os.replace(os.path.join(temporary, name),
                       os.path.join(folder, name))
    return [os.path.join(folder, name) for name in names]


def _example(name, encoded):
    features = {"image/filename": name.encode(), "image/encoded": encoded}
    return tf.train.Example(features=tf.train.Features(feature={
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in features.items()})).SerializeToString()


def _is_picture(name):
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and name.lower().endswith(images.SUFFIXES)
