"""Photographs as they are, copied into TFRecord shards.

`sources.from_tfrecord` reads them.
"""

import contextlib
import glob
import os
from collections.abc import Callable

import tensorflow as tf

from tfdivcolor.data import sources
from tfdivcolor.data.photo_set import Skipped
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import reason


def write_tfrecords(
        path: str | os.PathLike, prefix: str | os.PathLike, num_shards: int,
        on_skip: sources.OnSkip = sources.say,
        on_picture: Callable[[], object] = lambda: None) -> list[str]:
    """Copies a folder's or archive's pictures, as they are, into TFRecords.

    One pass, a picture in memory at a time. Picture i of those that can be
    read goes to shard i modulo `num_shards`; the files appear under their
    names only when all are complete. (A process that is killed leaves a
    folder tmp* beside them.)

        skipped = []
        with tqdm(unit=" pictures") as bar:
            paths = write_tfrecords(
                "photos/", "shards/photos", 4, on_skip=skipped.append,
                on_picture=bar.update)

    Args:
        path: path of a folder, an archive, or a pattern of TFRecord files.
        prefix: str. Start of the files' names, with a folder that exists.
        num_shards: int, 1 to the number of pictures. All are open at once.
        on_skip: function of a `Skipped` (name, reason), called for every
            picture, folder or shard that cannot be read. Defaults to a line
            on standard error.
        on_picture: function without arguments, called after every picture
            that is written.

    Returns:
        list of the paths written, PREFIX-00000-of-00004.tfrecord and so on.

    Raises:
        ValueError: if there is nothing that can be read, fewer pictures than
            shards, or shards of another number are there.
        OSError: if the files cannot be written; then there is none of them.
    """
    if num_shards < 1:
        raise ValueError(
            f"num_shards must be 1 or more (received {num_shards})")
    items = sources.source_of(path)(path, on_skip)
    folder, base = os.path.split(os.fspath(prefix))
    pattern = glob.escape(os.fspath(prefix)) + "-?????-of-?????.tfrecord"
    others = sorted(set(glob.glob(pattern)) - set(glob.glob(
        pattern.replace("of-?????", f"of-{num_shards:05d}"))))
    if others:
        raise ValueError(
            f"{prefix}: must not be beside shards of another number, as a "
            f"pattern would find both; remove them (received {others[0]})")
    names = [f"{base}-{shard:05d}-of-{num_shards:05d}.tfrecord"
             for shard in range(num_shards)]
    try:
        with contextlib.ExitStack() as shards:
            parts = [shards.enter_context(files.whole_file(
                os.path.join(folder, name))) for name in names]
            number = 0
            with contextlib.ExitStack() as stack:
                writers = [
                    stack.enter_context(tf.io.TFRecordWriter(str(part)))
                    for part in parts]
                for name, encoded in _readable(items, on_skip):
                    writers[number % num_shards].write(_example(name, encoded))
                    number += 1
                    on_picture()
            if number < num_shards:
                raise ValueError(
                    f"{path}: must hold a picture that can be read for each "
                    f"of {num_shards} shards (received {number})")
    except (OSError, tf.errors.OpError) as error:
        # TensorFlow's begins with the path of a file that is gone by now.
        said = reason(error).rpartition("; ")[2]
        raise OSError(f"{prefix}: must be where files can be written "
                      f"(received {said})") from error
    return [os.path.join(folder, name) for name in names]


def _readable(items, on_skip):
    for name, _, read in items:
        try:
            encoded = read()
        except OSError as error:
            on_skip(Skipped(name, reason(error)))
        else:
            yield name, encoded


def _example(name, encoded):
    features = {"image/filename": name.encode(), "image/encoded": encoded}
    return tf.train.Example(features=tf.train.Features(feature={
        key: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in features.items()})).SerializeToString()
