"""Colour statistics of a data set, computed in one streaming pass.

The mean colour field and the principal components around it serve the
Mahalanobis loss of Deshpande et al. (2017). The histogram of ab values gives
weights for rare colours (Zhang et al. 2016, section 2.2).
"""

import functools
import math
import os
import zipfile
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import tensorflow as tf

from tfdivcolor.color import lab
from tfdivcolor.utils import files

# Bins of the ab histogram: squares of BIN_WIDTH CIE units, centred at its
# multiples, so that neutral grey lies in the middle of a bin.
BIN_WIDTH = 10.0
NUM_BINS = 23  # along a and along b: centres -110, -100, ..., 110

_SMOOTHING = 5.0  # CIE units, standard deviation
_UNIFORM_SHARE = 0.5  # lambda in Zhang et al. (2016), Eq. 4
_BATCH_SIZE = 128

# The incremental solver truncates after every batch. Keeping more directions
# than requested brings its result close to the exact one.
_OVERSAMPLING = 3


@dataclass(frozen=True, eq=False)
class ColorStatistics:
    """Statistics of the colour fields of a data set.

    With P components and D0 = canvas * canvas * 2. A field is ab/128,
    flattened row by row, with a and b of each pixel side by side.

    Attributes:
        mean: float32 [D0]. The mean field.
        components: float32 [P, D0]. Principal components, orthonormal rows,
            largest variance first.
        stddev: float32 [P]. Standard deviation of the fields along each
            component.
        ab_weights: float32 [23, 23]. Weight of a pixel by its bin of a
            (first axis) and b, > 0, with mean 1 over the data's pixels.

    Raises:
        ValueError: if the shapes contradict each other.

    References:
        Deshpande et al. (2017), Learning Diverse Image Colorization,
        https://arxiv.org/abs/1612.01958
        Zhang et al. (2016), Colorful Image Colorization,
        https://arxiv.org/abs/1603.08511
    """

    mean: np.ndarray
    components: np.ndarray
    stddev: np.ndarray
    ab_weights: np.ndarray

    def __post_init__(self):
        size = self.mean.size
        expected = {
            "mean": (2 * math.isqrt(size // 2) ** 2,),
            "components": (len(self.components), size),
            "stddev": (len(self.components),),
            "ab_weights": (NUM_BINS, NUM_BINS),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name} must have the shape {shape} "
                    f"(received {getattr(self, name).shape})")

    @property
    def canvas(self) -> int:
        """Side of the fields in pixels."""
        return math.isqrt(self.mean.size // 2)

    def pixel_weights(self, ab: tf.Tensor | np.ndarray) -> tf.Tensor:
        """Rebalancing weight of every pixel.

        Args:
            ab: float32 tensor [..., 2]. CIE units; values beyond the histogram
                use the nearest bin.

        Returns:
            float32 tensor [...]. > 0, 1 on average over the data.
        """
        # Not tf.round: a border belongs to the bin above, as in NumPy.
        bins = tf.floor(
            tf.convert_to_tensor(ab) / BIN_WIDTH + 0.5 * NUM_BINS)
        bins = tf.cast(tf.clip_by_value(bins, 0.0, NUM_BINS - 1.0), tf.int32)
        return tf.gather_nd(tf.constant(self.ab_weights, tf.float32), bins)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the arrays as .npz, completely or not at all."""
        with files.whole_file(path) as new, open(new, "wb") as file:
            np.savez(file, **{field.name: getattr(self, field.name)
                              for field in fields(self)})

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Reads a file written by `save`.

        Raises:
            ValueError: if the file is missing or damaged, or lacks an array.
        """
        names = [field.name for field in fields(cls)]
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(**{name: stored[name] for name in names})
        except (OSError, EOFError, KeyError, TypeError, ValueError,
                zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path}: not a file of colour statistics ({error})"
            ) from error


def compute(photographs: Any, num_components: int = 20) -> ColorStatistics:
    """Computes statistics of a data set in one pass, with bounded memory.

    Args:
        photographs: `data.PhotoSet`, or an iterable of batches as dicts with
            ab: float32 [B, canvas, canvas, 2], CIE units.
        num_components: int P, 1 or more. Number of principal components.
            Defaults to 20.

    Returns:
        `ColorStatistics`.

    Raises:
        ValueError: if `num_components` is below 1 or not below the number of
            pictures.
        ImportError: if scikit-learn is not installed.
    """
    if num_components < 1:
        raise ValueError(
            f"num_components must be 1 or more (received {num_components})")
    decomposition = _IncrementalComponents(num_components)
    histogram = np.zeros([NUM_BINS, NUM_BINS])
    for ab in _fields(photographs):
        decomposition.add(
            np.asarray(lab.normalize_ab(ab)).reshape([len(ab), -1]))
        histogram += _histogram(ab)
    mean, components, stddev = decomposition.result()
    return ColorStatistics(
        mean=mean.astype(np.float32), components=components.astype(np.float32),
        stddev=stddev.astype(np.float32),
        ab_weights=rebalancing_weights(histogram).astype(np.float32))


def rebalancing_weights(histogram: np.ndarray) -> np.ndarray:
    """Computes larger weights for rarer colours.

    p is the histogram as frequencies, smoothed with a Gaussian of 5 CIE units;
    w = 1 / (p / 2 + 1 / (2 Q)), with Q the number of bins that occur, then
    scaled to a mean of 1 under the histogram (Zhang et al. 2016, Eq. 4).

    Differs from reference: frequencies are those at the resolution of the
    canvas, and the mean is 1 under the unsmoothed frequencies.

    Args:
        histogram: float [23, 23]. Number of pixels in each bin.

    Returns:
        float64 [23, 23].
    """
    from scipy import ndimage  # comes with scikit-learn

    frequency = histogram / histogram.sum()
    smooth = ndimage.gaussian_filter(
        frequency, _SMOOTHING / BIN_WIDTH, mode="constant")
    smooth /= smooth.sum()
    uniform = 1.0 / np.count_nonzero(histogram)
    weights = 1.0 / (
        (1.0 - _UNIFORM_SHARE) * smooth + _UNIFORM_SHARE * uniform)
    return weights / (frequency * weights).sum()


def _fields(photographs):
    """Yields ab fields [B, canvas, canvas, 2] in CIE units, B > 0."""
    if hasattr(photographs, "batches"):
        photographs = photographs.batches(
            min(_BATCH_SIZE, len(photographs)), drop_remainder=False)
    for batch in photographs:
        yield np.asarray(batch["ab"], np.float32)


def _histogram(ab):
    edges = (np.arange(NUM_BINS + 1) - NUM_BINS / 2) * BIN_WIDTH
    ab = np.clip(ab.reshape([-1, 2]), edges[0], edges[-1])
    return np.histogram2d(ab[:, 0], ab[:, 1], bins=[edges, edges])[0]


class _IncrementalComponents:
    """Principal components of rows that arrive in batches of any size."""

    def __init__(self, num_components):
        try:
            from sklearn.decomposition import IncrementalPCA
            from threadpoolctl import threadpool_limits  # scikit-learn's own
        except ImportError as error:
            raise ImportError(
                "computing statistics needs scikit-learn: "
                "pip install 'tfdivcolor[train]'") from error
        self._wanted = num_components
        self._kept = _OVERSAMPLING * num_components
        self._solver = IncrementalPCA(self._kept)
        # Next to other programs, waiting BLAS threads made these small
        # decompositions 20 times slower than a single thread.
        self._one_thread = functools.partial(
            threadpool_limits, limits=1, user_api="blas")
        self._waiting = None

    def add(self, rows):
        if self._waiting is not None:
            rows = np.concatenate([self._waiting, rows])
        else:
            self._kept = min(self._kept, rows.shape[1])
            self._solver.n_components = self._kept
        # The solver refuses batches with fewer rows than components. Enough
        # rows stay behind to make the last batch large enough.
        batch = max(self._kept, _BATCH_SIZE)
        while len(rows) >= batch + self._kept:
            with self._one_thread():
                self._solver.partial_fit(rows[:batch])
            rows = rows[batch:]
        self._waiting = rows

    def result(self):
        """Returns mean [D0], components [P, D0] and stddev [P]."""
        rows = self._waiting
        largest = 0 if rows is None else min(len(rows) - 1, rows.shape[1])
        if rows is None or self._wanted > largest:
            raise ValueError(
                "num_components must be below the number of pictures and at "
                f"most the number of values of a field, {largest} here "
                f"(received {self._wanted})")
        self._solver.n_components = min(self._kept, len(rows))
        with self._one_thread():
            self._solver.partial_fit(rows)
        mean, components, variance = (np.asarray(found) for found in (
            self._solver.mean_, self._solver.components_,
            self._solver.explained_variance_))
        return (mean, components[:self._wanted],
                np.sqrt(variance[:self._wanted]))
