"""Photographs -> colour fields of the canvas's size -> `tf.data`.

    photographs = from_directory("photos/", cache="cache/")
    for batch in photographs.batches(32, seed=0, augment=Augmentation()):
        batch["luminance"], batch["ab"], batch["seed"]

Photographs come from a folder, an archive or TFRecord shards.  Each is decoded
once, into Lab at `canvas + margin` pixels a side; the margin leaves room for
the random crops of training.  What an epoch holds is a stateless function of
(seed, epoch): a run that resumes at any step sees the data it would have seen.
"""

import collections
import concurrent.futures
import contextlib
import functools
import hashlib
import io
import itertools
import json
import os
import pathlib
import posixpath
import re
import sys
import tarfile
import tempfile
import zlib
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from PIL import Image

from tfdivcolor import color, images, seeds, settings

ARCHIVE_SUFFIXES = (".tar", ".tgz", ".tar.gz")
TFRECORD_SUFFIXES = (".tfrecord", ".tfrecords")
SUBSETS = ("train", "validation")
GREY = "grey"

_MIN_CHROMA = 1.0  # mean |ab| in CIE units below which a picture is grey
_WORKERS = 2
_CACHE_VERSION = 1  # raise it when the same picture would decode differently
_SEED_STRIDE = 2**40  # examples that one seed can number

# NAME_0001.jpg names a person, unless NAME is what cameras and programs call
# every picture: one group of those would put the whole folder on one side.
_NUMBERED = re.compile(r"(.+)_\d{4}\.\w+")
_SERIES = frozenset({
    "dsc", "dscf", "dscn", "frame", "image", "img", "photo", "pic", "pict",
    "picture", "scan"})


class Skipped(NamedTuple):
    """A picture left out: its name, and `GREY` or why it is unreadable."""

    name: str
    reason: str


@dataclass(frozen=True)
class Augmentation:
    """How much training varies its pictures; 0 turns a variation off.

    Attributes:
        flip: bool. Mirror half of the pictures.
        zoom: float, 0 to 1. Largest share of the frame's side cropped away;
            where the crop lies is random too.
        rotation: float. Standard deviation in radians.
        aspect: float. Standard deviation of log(width / height).
        gamma: float. Standard deviation of the log of the luminance's
            exponent. This and the next two imitate the tone response of other
            cameras and of old plates; they leave ab alone.
        contrast: float. Standard deviation of the log of the luminance's
            contrast about 50.
        brightness: float. Standard deviation of the shift, in units of L.
    """

    flip: bool = True
    zoom: float = 0.18
    rotation: float = 0.05
    aspect: float = 0.03
    gamma: float = 0.15
    contrast: float = 0.08
    brightness: float = 2.0

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not 0 <= value < float("inf"):
                raise ValueError(
                    f"{name} must be 0 or more (received {value})")
        if self.zoom >= 1:
            raise ValueError(f"zoom must be below 1 (received {self.zoom})")


@dataclass(frozen=True, eq=False)
class PhotoSet:
    """Decoded photographs and the batches that training draws from them.

    Attributes:
        lab: float16 [N, canvas + margin, canvas + margin, 3], an array in
            memory or a read-only memory map. L 0..100, a and b in CIE units.
        names: list of N str. Paths within the folder or archive, or the
            TFRecords' `image/filename`.
        skipped: list of `Skipped`. Pictures found but not used.
        canvas: int. Pixels a side of the fields in a batch.
        margin: int. Pixels a side beyond the canvas, for random crops.

    Raises:
        ValueError: if the shapes contradict each other.
    """

    lab: np.ndarray
    names: list
    skipped: list
    canvas: int
    margin: int = 0

    def __post_init__(self):
        size = self.canvas + self.margin
        expected = (len(self.names), size, size, 3)
        if self.lab.shape != expected:
            raise ValueError(
                f"lab must have the shape {expected}, from names, canvas and "
                f"margin (received {self.lab.shape})")

    def __len__(self):
        return len(self.names)

    def report(self):
        """One line: how many pictures were read and skipped, and why."""
        return _report(self.names, self.skipped)

    def steps_per_epoch(self, batch_size):
        """Number of whole batches in an epoch.

        Raises:
            ValueError: if `batch_size` is not 1 to the number of pictures.
        """
        if not 1 <= batch_size <= len(self):
            raise ValueError(
                f"batch_size must be 1 to {len(self)}, the number of pictures "
                f"(received {batch_size})")
        return len(self) // batch_size

    def batches(self, batch_size, seed=0, epoch=0, start=0, shuffle=True,
                augment=None, shard=(0, 1), drop_remainder=True):
        """The batches of one epoch.

        Args:
            batch_size: int B. Size of the global batch, over all shards.
            seed: int, 0 to 2^23 - 1. Orders the pictures, numbers the examples.
            epoch: int, 0 or more. Every epoch has an order of its own.
            start: int. Batches to leave out, for a run that resumes.
            shuffle: bool. False keeps the order of `names`.
            augment: `Augmentation` or None.
            shard: (index, count). Take the rows index, index + count, ... of
                every global batch, as worker `index` of `count`.
            drop_remainder: bool. Leave out a last batch that is not full.

        Returns:
            `tf.data.Dataset` of dicts, with c = canvas and B divided by the
            number of shards:
            luminance: float32 [B, c, c, 1]. 0..100.
            ab: float32 [B, c, c, 2]. CIE units.
            seed: int64 [B]. seed * 2^40 + epoch * N + position in the epoch;
                it keys the augmentation and the model's noise, whatever the
                batch size, shard or starting point.

        Raises:
            ValueError: if an argument is out of range.
        """
        steps = self.steps_per_epoch(batch_size)
        if not drop_remainder:
            steps = -(-len(self) // batch_size)
        if not 0 <= start <= steps:
            raise ValueError(
                f"start must be 0 to {steps}, the number of batches "
                f"(received {start})")
        if epoch < 0:
            raise ValueError(f"epoch must be 0 or more (received {epoch})")
        index, count = shard
        if not 0 <= index < count or batch_size % count:
            raise ValueError(
                "shard must be (index, count) with index below count and "
                f"count a divisor of batch_size {batch_size} "
                f"(received {shard})")
        if count > 1 and not drop_remainder:
            raise ValueError("shards of a batch that is not full would be "
                             "unequal: drop_remainder must be True")
        dataset = self._chain(
            tf.data.Dataset.range(epoch, epoch + 1), batch_size, seed, start,
            shuffle, augment, shard, drop_remainder)
        return dataset.apply(
            tf.data.experimental.assert_cardinality(steps - start))

    def epochs(self, batch_size, seed=0, augment=None):
        """Endless dataset: the `batches` of epochs 0, 1, 2, ... (for `fit`).

        Use `steps_per_epoch(batch_size)` for the argument of that name.
        """
        self.steps_per_epoch(batch_size)
        dataset = self._chain(
            tf.data.Dataset.range(np.iinfo(np.int64).max), batch_size, seed, 0,
            True, augment, (0, 1), True)
        return dataset.apply(tf.data.experimental.assert_cardinality(
            tf.data.experimental.INFINITE_CARDINALITY))

    def _chain(self, epochs, batch_size, seed, start, shuffle, augment, shard,
               drop_remainder):
        if not 0 <= seed < 2**23:
            raise ValueError(
                f"seed must be 0 to {2**23 - 1} (received {seed})")
        size = self.canvas + self.margin

        def plan(epoch):
            rows, keys = tf.numpy_function(
                functools.partial(self._plan, seed, shuffle), [epoch],
                [tf.int64, tf.int64])
            rows.set_shape([len(self)])
            keys.set_shape([len(self)])
            return tf.data.Dataset.from_tensor_slices((rows, keys)).batch(
                batch_size, drop_remainder=drop_remainder).skip(start)

        def fetch(rows, keys):
            rows, keys = rows[shard[0]::shard[1]], keys[shard[0]::shard[1]]
            lab = tf.numpy_function(
                lambda rows: self.lab[rows].astype(np.float32), [rows],
                tf.float32)
            lab.set_shape([rows.shape[0], size, size, 3])
            lab = _at_canvas(lab, keys, self.canvas, augment)
            return {"luminance": lab[..., :1], "ab": lab[..., 1:],
                    "seed": keys}

        options = tf.data.Options()
        # `shard` has already given every worker its own rows.
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.OFF)
        return (epochs.flat_map(plan).map(fetch, tf.data.AUTOTUNE)
                .prefetch(tf.data.AUTOTUNE).with_options(options))

    def _plan(self, seed, shuffle, epoch):
        position = np.arange(len(self))
        order = position
        if shuffle:
            order = np.random.default_rng(
                [seeds.SHUFFLE, seed, epoch]).permutation(len(self))
        return order, seed * _SEED_STRIDE + epoch * len(self) + position


def _report(names, skipped):
    line = f"{len(names):,} pictures read, {len(skipped):,} skipped"
    if not skipped:
        return line
    grey = sum(reason == GREY for _, reason in skipped)
    name, reason = skipped[0]
    return (f"{line}: {len(skipped) - grey:,} unreadable, {grey:,} grey "
            f"(first: {name}: {reason})")


def _at_canvas(lab, keys, canvas, options):
    if options is None:
        return tf.image.resize(lab, [canvas, canvas], antialias=True)
    return augment(lab, keys, canvas, options)


def augment(lab, seed, canvas, options):
    """Varies pictures for training, each by its own stream of numbers.

    One affine resampling a picture (crop, rotation, aspect, mirror; what falls
    outside the frame is mirrored in), then the luminance's tone curve.

    Args:
        lab: float32 [B, size, size, 3]. L 0..100, a and b in CIE units.
        seed: int64 [B]. One a picture; batch mates do not matter.
        canvas: int c. Pixels a side of the result.
        options: `Augmentation`.

    Returns:
        float32 [B, c, c, 3], in the units of `lab`.
    """
    # All numbers of a picture come from one draw: normal and uniform draws
    # under the same key would repeat each other's bits.
    uniform = seeds.uniform(seeds.AUGMENT, seed, [9])
    normal = tf.math.ndtri(tf.clip_by_value(uniform, 1e-6, 1.0 - 1e-6))
    if (options.flip or options.zoom or options.rotation or options.aspect):
        lab = tf.raw_ops.ImageProjectiveTransformV3(
            images=lab,
            transforms=_transforms(
                uniform[:, :4], normal[:, 4:6], lab.shape[1], canvas, options),
            output_shape=[canvas, canvas], fill_value=0.0,
            interpolation="BILINEAR", fill_mode="REFLECT")
    else:
        lab = tf.image.resize(lab, [canvas, canvas], antialias=True)
    if options.gamma or options.contrast or options.brightness:
        tone = normal[:, 6:, None, None, None]
        luminance = tf.clip_by_value(lab[..., :1], 0.0, 100.0) / 100.0
        luminance = 100.0 * luminance ** tf.exp(options.gamma * tone[:, 0])
        luminance = (luminance - 50.0) * tf.exp(options.contrast * tone[:, 1])
        luminance += 50.0 + options.brightness * tone[:, 2]
        lab = tf.concat(
            [tf.clip_by_value(luminance, 0.0, 100.0), lab[..., 1:]], axis=-1)
    return lab


def _transforms(uniform, normal, size, canvas, options):
    """Rows [a0 a1 a2 b0 b1 b2 0 0] from output to input pixel indices, [B, 8].

    With u, v in -1/2..1/2 across the output and the input frame,
    v = scale * rotation @ diag(aspect, mirrored) @ u + offset; pixel index i
    has its centre at (i + 1/2) / width - 1/2.
    """
    scale = 1.0 - options.zoom * uniform[:, 0]
    offset = (1.0 - scale)[:, None] * (uniform[:, 1:3] - 0.5)
    mirror = tf.where(
        uniform[:, 3] < 0.5, -1.0 if options.flip else 1.0, 1.0)
    angle = options.rotation * normal[:, 0]
    stretch = tf.exp(0.5 * options.aspect * normal[:, 1])
    across = scale * stretch * mirror * (size / canvas)
    down = scale / stretch * (size / canvas)
    cos, sin = tf.cos(angle), tf.sin(angle)
    rows = [(cos * across, -sin * down), (sin * across, cos * down)]
    transforms = []
    for axis, (x, y) in enumerate(rows):
        constant = ((x + y) * (0.5 - 0.5 * canvas) + size * offset[:, axis]
                    + 0.5 * size - 0.5)
        transforms += [x, y, constant]
    zero = tf.zeros_like(scale)
    return tf.stack([*transforms, zero, zero], axis=-1)


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


def is_validation(name, validation_fraction=0.08):
    """Whether a picture belongs to the validation subset.

    It depends on the picture's group alone (see `group_of`), so it never
    moves when other pictures are added or the folder is renamed.
    """
    digest = hashlib.sha256(group_of(name).encode()).hexdigest()
    return int(digest[:8], 16) / 2**32 < validation_fraction


# Sources: generators of (name, size in bytes, function that reads the bytes),
# always in the same order.  The function is called at once or not at all.


def _folder_items(path):
    if not os.path.isdir(path):
        raise ValueError(f"{path}: no such folder")
    for file, _ in images.find([path]):
        # A link to nothing counts among the unreadable pictures.
        size = file.stat().st_size if file.exists() else 0
        yield file.relative_to(path).as_posix(), size, file.read_bytes


def _archive_items(path):
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


def _tfrecord_items(pattern):
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


def _is_picture(name):
    hidden = any(part.startswith(".") for part in name.split("/"))
    return not hidden and name.lower().endswith(images.SUFFIXES)


def _items(path):
    """The source that `path` names, by what is there."""
    if os.path.isdir(path):
        return functools.partial(_folder_items, path)
    if any(mark in os.fspath(path) for mark in "*?[") or (
            os.fspath(path).endswith(TFRECORD_SUFFIXES)):
        return functools.partial(_tfrecord_items, path)
    if os.path.exists(path):
        return functools.partial(_archive_items, path)
    raise ValueError(f"{path}: no such folder, archive or TFRecord file")


def names_in(path):
    """Names of the pictures at `path` (as in `load`), in their order."""
    return [name for name, _, _ in _items(path)()]


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
    items = _items(path)
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
            for number, (name, _, read) in enumerate(items()):
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


# Decoding, once a picture.


def _field_function(size):
    """Function: uint8 [side, side, 3] -> Lab float32 [size, size, 3]."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    def convert(rgb):
        lab = tf.concat(color.split(rgb), axis=-1)
        return tf.image.resize(lab, [size, size], antialias=True)

    def field(pixels):
        height, width, _ = pixels.shape
        side = min(height, width)
        # Bounds the memory of large photographs; what is left still has
        # 8 pixels for each of the field's.
        factor = max(side // (8 * size), 1)
        side -= side % factor
        top, left = (height - side) // 2, (width - side) // 2
        pixels = pixels[top:top + side, left:left + side]
        if factor > 1:
            pixels = np.asarray(Image.fromarray(pixels).reduce(factor))
        return convert(pixels).numpy()

    return field


def _decode_one(field, contents):
    """Returns (Lab field, None), or (None, reason to skip the picture)."""
    if isinstance(contents, OSError):
        return None, str(contents)
    try:
        lab = field(images.read(contents).pixels)
    except images.ImageError as error:
        return None, str(error).removeprefix("image: ")
    if np.hypot(lab[..., 1], lab[..., 2]).mean() < _MIN_CHROMA:
        return None, GREY
    return lab, None


def _decode(path, items, total, size, file, progress):
    """Appends the fields, float16, to `file`; returns (names, skipped)."""
    decode = functools.partial(_decode_one, _field_function(size))
    results = _in_order(decode, items)
    if progress:
        # tqdm is of the extra [train]; only the bar is lost without it.
        with contextlib.suppress(ImportError):
            from tqdm import tqdm
            results = tqdm(results, total=total, unit=" pictures")
    names, skipped = [], []
    for name, (field, reason) in results:
        if reason is None:
            file.write(field.astype(np.float16).tobytes())
            names.append(name)
        else:
            skipped.append(Skipped(name, reason))
    if not names:
        raise ValueError(
            f"{path}: no usable pictures: {_report(names, skipped)}")
    return names, skipped


def _in_order(function, items):
    """`map` over (name, contents) on threads, with few of them waiting."""
    waiting = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
        for name, contents in items:
            waiting.append((name, pool.submit(function, contents)))
            if len(waiting) > 4 * _WORKERS:
                name, future = waiting.popleft()
                yield name, future.result()
        for name, future in waiting:
            yield name, future.result()


# Loading.


def load(path, canvas=settings.CANVAS, margin=0, subset=None,
         validation_fraction=0.08, cache=None, limit=None, progress=True):
    """Decodes photographs to colour fields: largest centred square, resized.

    Pictures that cannot be read or are grey (mean chroma below 1) are skipped,
    listed in the result and counted in a message.

    Args:
        path: path of a folder (searched recursively, sorted by name), an
            archive (.tar, .tgz, .tar.gz, in its own order), a pattern of
            TFRecord files ("photos-*.tfrecord", with the features
            image/encoded and image/filename), or a folder that an earlier
            call filled as its `cache`.
        canvas: int. Pixels a side of the fields in a batch.
        margin: int. Pixels a side to keep beyond it, for random crops.
        subset: None for all, or "train" or "validation", which share no
            person and no file name; see `is_validation`.
        validation_fraction: float, 0 to 1. Share of the groups that
            "validation" takes.
        cache: path of a folder, or None. Keeps the fields there, and reads
            them as a memory map when the same pictures are asked for again.
            Without it they stay in memory.
        limit: int or None. Look at no more than the first so many pictures.
        progress: bool. Show a bar, and the report on standard error.

    Returns:
        `PhotoSet`.

    Raises:
        ValueError: if there is nothing at `path`, nothing usable in it, or an
            argument is out of range.
    """
    options = {
        "canvas": canvas, "margin": margin, "subset": subset,
        "validation_fraction": validation_fraction, "limit": limit}
    if cache is None and os.path.isdir(path) and _prepared(path):
        return from_cache(path, **options)
    return _load(path, _items(path), cache=cache, progress=progress, **options)


def from_directory(path, **options):
    """Photographs of a folder and the folders in it; options as in `load`."""
    return _load(path, functools.partial(_folder_items, path), **options)


def from_archive(path, **options):
    """Photographs of a .tar, .tgz or .tar.gz; options as in `load`."""
    return _load(path, functools.partial(_archive_items, path), **options)


def from_tfrecord(pattern, **options):
    """Photographs of TFRecord files; options as in `load`."""
    return _load(pattern, functools.partial(_tfrecord_items, pattern),
                 **options)


def from_cache(folder, canvas=settings.CANVAS, margin=0, subset=None,
               validation_fraction=0.08, limit=None):
    """What `load` kept in its cache, without the photographs themselves.

    Args and Returns as in `load`.

    Raises:
        ValueError: if the cache holds no fields of these settings.
    """
    fields, about = _cache_files(folder, canvas, margin, subset)
    if not about.exists():
        raise ValueError(
            f"{folder}: no fields {about.stem} in this cache (it has: "
            f"{', '.join(_prepared(folder)) or 'none'})")
    photographs, description = _open_cache(fields, about)
    if subset and description["validation_fraction"] != validation_fraction:
        raise ValueError(
            f"{about}: validation_fraction is "
            f"{description['validation_fraction']} in this cache (received "
            f"{validation_fraction})")
    return PhotoSet(photographs.lab[:limit], photographs.names[:limit],
                    photographs.skipped, canvas, margin)


def _load(path, items, canvas=settings.CANVAS, margin=0, subset=None,
          validation_fraction=0.08, cache=None, limit=None, progress=True):
    if canvas < 1 or margin < 0:
        raise ValueError("canvas must be 1 or more and margin 0 or more "
                         f"(received {canvas} and {margin})")
    if subset is not None and subset not in SUBSETS:
        raise ValueError(f"subset must be None, {' or '.join(SUBSETS)} "
                         f"(received {subset!r})")
    if not 0 <= validation_fraction <= 1:
        raise ValueError("validation_fraction must be 0 to 1 "
                         f"(received {validation_fraction})")
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be 1 or more (received {limit})")

    def wanted():
        chosen = (item for item in items() if subset is None
                  or is_validation(item[0], validation_fraction)
                  == (subset == "validation"))
        return itertools.islice(chosen, limit)

    members = [(name, size) for name, size, _ in wanted()]
    if not members:
        raise ValueError(f"{path}: no pictures found"
                         + (f" for the subset {subset!r}" if subset else ""))
    description = {
        "version": _CACHE_VERSION, "canvas": canvas, "margin": margin,
        "subset": subset, "validation_fraction": validation_fraction,
        "limit": limit}
    # Neither the path nor dates: a copy of the pictures has the same cache.
    description["fingerprint"] = hashlib.sha256(
        json.dumps([description, members]).encode()).hexdigest()
    decode = functools.partial(
        _decode, path, ((name, _contents(read)) for name, _, read in wanted()),
        len(members), canvas + margin, progress=progress)
    if cache is None:
        buffer = io.BytesIO()
        names, skipped = decode(buffer)
        lab = np.frombuffer(buffer.getbuffer(), np.float16)
        photographs = PhotoSet(
            lab.reshape(-1, canvas + margin, canvas + margin, 3), names,
            skipped, canvas, margin)
    else:
        photographs = _from_cache_or(decode, cache, description, progress)
    _say(photographs.report(), progress or photographs.skipped)
    return photographs


def _contents(read):
    try:
        return read()
    except OSError as error:
        return error


def _say(message, aloud):
    if aloud:
        print(message, file=sys.stderr)


# The cache: NAME.npy with the fields, NAME.json with everything else.


def _cache_files(folder, canvas, margin, subset):
    base = pathlib.Path(folder, f"{subset or 'all'}_{canvas}_{margin}")
    return base.with_suffix(".npy"), base.with_suffix(".json")


def _prepared(folder):
    """Names of the field sets that a cache holds."""
    return sorted(
        about.stem for about in pathlib.Path(folder).glob("*_*_*.json")
        if about.with_suffix(".npy").exists())


def _open_cache(fields, about):
    """Returns (PhotoSet, description)."""
    try:
        description = json.loads(about.read_text())
        skipped = [Skipped(*entry) for entry in description["skipped"]]
        photographs = PhotoSet(
            np.load(fields, mmap_mode="r"), description["names"], skipped,
            description["canvas"], description["margin"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{fields}: this cache is damaged ({error})") from error
    return photographs, description


def _from_cache_or(decode, folder, description, progress):
    fields, about = _cache_files(
        folder, *(description[key] for key in ("canvas", "margin", "subset")))
    if about.exists():
        try:
            photographs, found = _open_cache(fields, about)
            if found["fingerprint"] == description["fingerprint"]:
                return photographs
            _say(f"{fields}: made of other pictures or settings; making it "
                 "again", progress)
        except ValueError as error:
            _say(f"{error}; making it again", True)
    os.makedirs(folder, exist_ok=True)
    _write_cache(decode, fields, about, description)
    return _open_cache(fields, about)[0]


def _write_cache(decode, fields, about, description):
    size = description["canvas"] + description["margin"]

    def write_header(file, count):
        np.lib.format.write_array_header_1_0(file, {
            "descr": "<f2", "fortran_order": False,
            "shape": (count, size, size, 3)})

    with tempfile.TemporaryDirectory(dir=about.parent) as temporary:
        new_fields = pathlib.Path(temporary, fields.name)
        new_about = pathlib.Path(temporary, about.name)
        with open(new_fields, "wb") as file:
            write_header(file, 0)
            names, skipped = decode(file)
            # NumPy pads its headers so that the first axis can grow in place.
            file.seek(0)
            write_header(file, len(names))
        new_about.write_text(json.dumps(
            {**description, "names": names, "skipped": skipped}))
        # A stop in between must not leave new fields with an old description.
        about.unlink(missing_ok=True)
        os.replace(new_fields, fields)
        os.replace(new_about, about)
