"""PhotoSet: decoded photographs, and the batches drawn from them.

The content of an epoch is a stateless function of (seed, epoch): a run that
resumes at any step sees the same data.
"""

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np
import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.data import augmentation, no_autotune
from tfdivcolor.latent import seeds
from tfdivcolor.utils.arguments import check_number, check_whole

GREY = "grey"
MIN_CHROMA = 1.0  # mean |ab| in CIE units below which a picture is grey

_SEED_STRIDE = 2**40  # examples that one seed can number


class Skipped(NamedTuple):
    """A skipped picture, folder or shard.

    Attributes:
        name: str.
        reason: str. `GREY`, or why it is unreadable.
    """

    name: str
    reason: str


class Batch(TypedDict):
    """Pictures for one training step.

    Attributes:
        luminance: float32 [B, s, s, 1]. 0..100, at the size that the network
            sees.
        ab: float32 [B, c, c, 2]. CIE units, at the size of the canvas.
        seed: int64 [B]. Keys of the random numbers. Every batch of a
            `PhotoSet` has them.
    """

    luminance: tf.Tensor
    ab: tf.Tensor
    seed: NotRequired[tf.Tensor]


@dataclass(frozen=True, eq=False, repr=False)
class PhotoSet:
    """Decoded photographs and the batches that training draws from them.

    Attributes:
        lab: float16 [N, side, side, 3] with side = luminance_size + margin: an
            array in memory, a read-only memory map, or `EncodedPictures`
            that are decoded for each batch. L 0..100, a and b in CIE units.
        names: list of N str. Paths within the folder or archive, or the
            `image/filename` of TFRecords. The first folder is the picture's
            source; pictures without a folder form one source.
        skipped: list of `Skipped`. Pictures that were found but not used, and
            damaged folders and shards.
        canvas: int. Side of the fields in a batch, in pixels.
        margin: int. Extra pixels per side beyond the luminance, for random
            crops. Defaults to 0.
        luminance_size: int. Side of the luminance in a batch, in pixels, a
            multiple of the canvas. Defaults to 0: the canvas.
        balance: float, 0 to 1. How evenly shuffled epochs draw from the
            sources: a source of n pictures gets a share proportional to
            n^(1 - balance) of the N pictures of an epoch. Defaults to 0: every
            picture comes once.

    Raises:
        ValueError: if the shapes contradict each other, or a value is out of
            range.
    """

    lab: Any
    names: list[str]
    skipped: list[Skipped]
    canvas: int
    margin: int = 0
    luminance_size: int = 0
    balance: float = 0.0

    def __post_init__(self):
        object.__setattr__(self, "luminance_size", whole_luminance_size(
            self.luminance_size, self.canvas))
        check_whole("margin", self.margin, 0)
        check_number("balance", self.balance, 0, 1)
        size = self.luminance_size + self.margin
        expected = (len(self.names), size, size, 3)
        shape = getattr(self.lab, "shape", type(self.lab).__name__)
        if shape != expected:
            raise ValueError(
                f"lab must have the shape {expected}, from names, "
                f"luminance_size and margin (received {shape})")

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        parts = [f"{len(self):,} picture{'s' * (len(self) != 1)}",
                 f"canvas {self.canvas}"]
        if self.luminance_size != self.canvas:
            parts.append(f"luminance {self.luminance_size}")
        parts += [f"{name} {value}" for name, value in (
            ("margin", self.margin), ("balance", self.balance)) if value]
        return f"PhotoSet({', '.join(parts)}, {len(self.skipped):,} skipped)"

    def report(self) -> str:
        """One line: how many pictures were read and skipped, and why."""
        return report(self.names, self.skipped)

    def steps_per_epoch(self, batch_size: int) -> int:
        """Number of full batches in an epoch.

        Raises:
            ValueError: if there are no pictures, or if `batch_size` is not 1 to
                their number.
        """
        if not len(self):
            raise ValueError("a PhotoSet must hold a picture to make batches "
                             f"(received {self!r})")
        check_whole("batch_size", batch_size)
        if not 1 <= batch_size <= len(self):
            raise ValueError(
                f"batch_size must be 1 to {len(self)}, the number of pictures "
                f"(received {batch_size})")
        return len(self) // batch_size

    def batches(
            self, batch_size: int, seed: int = 0, epoch: int = 0,
            start: int = 0, shuffle: bool = True,
            augment: augmentation.Augmentation | None = None,
            shard: tuple[int, int] = (0, 1),
            drop_remainder: bool = True) -> tf.data.Dataset:
        """The batches of one epoch.

        Args:
            batch_size: int B. Size of the global batch, over all shards.
            seed: int, 0 to 2^23 - 1. Determines the order of the pictures and
                the numbers of the examples. Defaults to 0.
            epoch: int, 0 or more. Each epoch has its own order. Defaults to 0.
            start: int. Number of batches to skip, for a run that resumes.
                Defaults to 0.
            shuffle: bool. False keeps the order of `names`. Defaults to True.
            augment: `augmentation.Augmentation` or None. Defaults to None.
            shard: (index, count). Take the rows index, index + count, ... of
                every global batch, as worker `index` of `count`. Defaults to
                (0, 1): all rows.
            drop_remainder: bool. Drop a last batch that is not full. Defaults
                to True.

        Returns:
            `tf.data.Dataset` of `Batch`, with c = canvas, s = luminance_size
            and B divided by the number of shards. The seed of an example is
            seed * 2^40 + epoch * N + position in the epoch. It keys the
            augmentation and the model's noise, whatever the batch size, shard
            or starting point.

        Raises:
            ValueError: if an argument is out of range.
        """
        check_whole("epoch", epoch, 0)
        check_whole("start", start)
        if not drop_remainder:
            check_whole("batch_size", batch_size)
            # All pictures fit into one batch that is not full.
            batch_size = min(batch_size, len(self))
        steps = self.steps_per_epoch(batch_size)
        if not drop_remainder:
            steps = -(-len(self) // batch_size)
        if not 0 <= start <= steps:
            raise ValueError(
                f"start must be 0 to {steps}, the number of batches "
                f"(received {start})")
        index, count = shard
        if not 0 <= index < count or batch_size % count:
            raise ValueError(
                "shard must be (index, count) with index below count and "
                f"count a divisor of batch_size {batch_size} "
                f"(received {shard})")
        if count > 1 and not drop_remainder:
            raise ValueError("drop_remainder must be True with several shards, "
                             "which must be equal (received False)")
        dataset = self._chain(
            tf.data.Dataset.range(epoch, epoch + 1), batch_size, seed, start,
            shuffle, augment, shard, drop_remainder)
        return dataset.apply(
            tf.data.experimental.assert_cardinality(steps - start))

    def epochs(self, batch_size: int, seed: int = 0,
               augment: augmentation.Augmentation | None = None
               ) -> tf.data.Dataset:
        """Endless dataset: the `batches` of epochs 0, 1, 2, ... for `fit`.

        Pass `steps_per_epoch(batch_size)` to `fit` as `steps_per_epoch`.
        """
        self.steps_per_epoch(batch_size)
        dataset = self._chain(
            tf.data.Dataset.range(np.iinfo(np.int64).max), batch_size, seed, 0,
            True, augment, (0, 1), True)
        return dataset.apply(tf.data.experimental.assert_cardinality(
            tf.data.experimental.INFINITE_CARDINALITY))

    def _chain(self, epochs, batch_size, seed, start, shuffle, augment, shard,
               drop_remainder):
        check_whole("seed", seed, 0, 2**23 - 1)
        if not isinstance(augment, augmentation.Augmentation | None):
            raise ValueError("augment must be an Augmentation or None "
                             f"(received {augment!r})")
        side = self.luminance_size + self.margin
        size = self.luminance_size

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
            if isinstance(self.lab, np.ndarray):
                lab = tf.numpy_function(
                    lambda rows: self.lab[rows].astype(np.float32), [rows],
                    tf.float32)
            else:
                pixels = tf.numpy_function(self.lab.decode, [rows], tf.uint8)
                lab = tf.concat(color.split(pixels), axis=-1)
            lab.set_shape([rows.shape[0], side, side, 3])
            if augment is None:
                lab = tf.image.resize(lab, [size, size], antialias=True)
            else:
                lab = augmentation.augment(lab, keys, size, augment)
            luminance, ab = tf.split(lab, [1, 2], axis=-1)
            factor = size // self.canvas
            if factor > 1:
                ab = tf.nn.avg_pool2d(ab, factor, factor, "VALID")
            return Batch(luminance=luminance, ab=ab, seed=keys)

        options = tf.data.Options()
        # `shard` already gives every worker its own rows.
        options.experimental_distribute.auto_shard_policy = (
            tf.data.experimental.AutoShardPolicy.OFF)
        return no_autotune.untuned(
            epochs.flat_map(plan).map(fetch, no_autotune.PARALLEL)
            .prefetch(no_autotune.AHEAD)).with_options(options)

    def _plan(self, seed, shuffle, epoch):
        position = np.arange(len(self))
        order = position
        if shuffle:
            rng = np.random.default_rng([seeds.SHUFFLE, seed, epoch])
            if self.balance:
                order = np.concatenate([
                    _drawn(rng, rows, count)
                    for rows, count in zip(*self._sources)])
            order = rng.permutation(order)
        return order, seed * _SEED_STRIDE + epoch * len(self) + position

    @functools.cached_property
    def _sources(self):
        """Rows of each source, and how many of an epoch they provide."""
        _, source = np.unique(
            [first_folder(name) for name in self.names], return_inverse=True)
        share = np.bincount(source).astype(float) ** (1 - self.balance)
        ends = np.rint(
            np.cumsum(share) / share.sum() * len(self)).astype(int)
        return ([np.flatnonzero(source == s) for s in range(len(share))],
                np.diff(ends, prepend=0))


def first_folder(name: str) -> str:
    """Returns the source of a picture: its first folder, or ""."""
    return name.rpartition("/")[0].partition("/")[0]


def whole_luminance_size(size: int, canvas: int) -> int:
    """Side of the luminance in pixels; 0 means that of the canvas.

    Raises:
        ValueError: if the size is not a multiple of the canvas.
    """
    check_whole("canvas", canvas, 1)
    size = size or canvas
    check_whole("luminance_size", size)
    if size < 1 or size % canvas:
        raise ValueError(f"luminance_size must be a multiple of {canvas}, the "
                         f"canvas (received {size})")
    return size


def _drawn(rng, rows, count):
    """Draws `count` of the rows: each equally often, then some once more."""
    whole, rest = divmod(count, len(rows))
    return np.concatenate(
        [np.tile(rows, whole), rng.permutation(rows)[:rest]])


def report(names: list[str], skipped: list[Skipped]) -> str:
    """One line: how many pictures were read and skipped, and why."""
    line = f"{len(names):,} pictures read, {len(skipped):,} skipped"
    if not skipped:
        return line
    grey = sum(reason == GREY for _, reason in skipped)
    name, reason = skipped[0]
    return (f"{line}: {len(skipped) - grey:,} unreadable, {grey:,} grey "
            f"(first: {name}: {reason})")
