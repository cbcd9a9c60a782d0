"""Writes photographs to TFRecord shards: unchanged, or small for training.

`sources.from_tfrecord` and `encoded.from_shards` read them.
"""

import contextlib
import glob
import io
import itertools
import os
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from PIL import Image

from tfdivcolor import color, images
from tfdivcolor.data import sources
from tfdivcolor.data.encoded import square
from tfdivcolor.data.photo_set import GREY, MIN_CHROMA, Skipped
from tfdivcolor.utils import files
from tfdivcolor.utils.arguments import check_whole
from tfdivcolor.utils.errors import reason

TONED = "toned in one colour"


def write_tfrecords(
        paths: str | os.PathLike | Mapping[str, str | os.PathLike],
        prefix: str | os.PathLike, num_shards: int,
        on_skip: sources.OnSkip = sources.say,
        on_picture: Callable[[], object] = lambda: None,
        size: int | None = None) -> list[str]:
    """Writes pictures of folders, archives and packs into TFRecord shards.

    Without `size` the files are copied unchanged. With a size, the pictures
    are squashed to small squares, and pictures that training cannot use are
    dropped: unreadable, grey and toned ones (`colour_fault`).

    The function makes one pass, with one picture in memory at a time. Readable
    picture i goes to shard i modulo `num_shards`. The files appear under their
    names only when all are complete. (A killed process leaves a folder tmp*
    next to them.)

        skipped = []
        with tqdm(unit=" pictures") as bar:
            paths = write_tfrecords(
                "photos/", "shards/photos", 4, on_skip=skipped.append,
                on_picture=bar.update)

    Args:
        paths: path of a folder, an archive, a pack, or a pattern of TFRecord
            files; or a dict of several. The keys name the sources, and the
            names of their pictures begin with NAME/.
        prefix: str. Start of the files' names, with a folder that exists.
        num_shards: int, 1 to the number of pictures. All are open at once.
        on_skip: function of a `Skipped` (name, reason), called for every
            unreadable picture, folder or shard. Defaults to `sources.say`, a
            line on standard error.
        on_picture: function without arguments, called after every picture
            that is written. Defaults to a function that does nothing.
        size: int or None. Side of the small squares in pixels, in WebP of
            quality 90 (about 4 kB at 128). A square is never larger than the
            shorter side of its picture. Defaults to None: the files are
            copied.

    Returns:
        list of the paths written, PREFIX-00000-of-00004.tfrecord and so on.

    Raises:
        ValueError: if nothing can be read, if there are fewer pictures than
            shards, or if shards of another number exist.
        OSError: if the files cannot be written; none of them then remains.
    """
    check_whole("num_shards", num_shards, 1)
    if size is not None:
        check_whole("size", size, 1)
    if not isinstance(paths, Mapping):
        paths = {"": paths}
    if not paths:
        raise ValueError("paths must name a source (received none)")
    # Finds all of them before it reads the first.
    found = {name: (sources.source_of(path), path)
             for name, path in paths.items()}
    items = itertools.chain.from_iterable(
        _named(name, source(path, on_skip))
        for name, (source, path) in found.items())
    if size is not None:
        items = _small(items, size, on_skip)
    folder, base = os.path.split(os.fspath(prefix))
    pattern = glob.escape(os.fspath(prefix)) + "-?????-of-?????.tfrecord"
    others = sorted(set(glob.glob(pattern)) - set(glob.glob(
        pattern.replace("of-?????", f"of-{num_shards:05d}"))))
    if others:
        raise ValueError(
            f"{prefix}: must not stand next to shards of another number, "
            f"because a pattern finds both; remove them "
            f"(received {others[0]})")
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
                    f"{' '.join(map(str, paths.values()))}: must hold a "
                    "readable picture for each "
                    f"of {num_shards} shards (received {number})")
    except (OSError, tf.errors.OpError) as error:
        # TensorFlow's message begins with the path of a temporary file.
        said = reason(error).rpartition("; ")[2]
        raise OSError(f"{prefix}: must be a writable path "
                      f"(received {said})") from error
    return [os.path.join(folder, name) for name in names]


def _named(source, items):
    for name, size, read in items:
        yield (f"{source}/{name}" if source else name), size, read


def _small(items, size, on_skip):
    """Yields the usable items as small squares in WebP."""
    for name, encoded in _readable(items, on_skip):
        try:
            pixels = images.read(encoded).pixels
        except images.ImageError as error:
            on_skip(Skipped(name, str(error).removeprefix("image: ")))
            continue
        pixels = square(pixels, min(size, *pixels.shape[:2]), squash=True)
        if fault := colour_fault(pixels):
            on_skip(Skipped(name, fault))
            continue
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "WEBP", quality=90, method=2)
        yield name, 0, file.getvalue


def colour_fault(pixels: np.ndarray) -> str | None:
    """Why a picture's colours teach nothing, or None if they do.

    A picture is grey if its mean chroma is below 1.  It is toned, like a sepia
    print, if a and b follow from L alone, within 1.5 units of a parabola.

    Args:
        pixels: uint8 [H, W, 3], sRGB.

    Returns:
        `GREY`, `TONED` or None.
    """
    luminance, ab = color.split(np.reshape(pixels, [-1, 3]))
    luminance, ab = luminance.numpy(), ab.numpy()
    if np.hypot(*np.transpose(ab)).mean() < MIN_CHROMA:
        return GREY
    by_luminance = np.concatenate(
        [luminance ** 0, luminance / 100, (luminance / 100) ** 2], axis=1)
    fitted, *_ = np.linalg.lstsq(by_luminance, ab, rcond=None)
    rest = ab - by_luminance @ fitted
    return TONED if rest.std(axis=0).max() < 1.5 else None


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
