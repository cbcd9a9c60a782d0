"""Floors: predictors without a model that a Colorizer must beat.

An error of colours means little on its own: most pixels are nearly grey, faces
resemble each other, and the best of many guesses is good for any method.
Floors show the error that takes no model.  `PrincipalComponents` gets the true
colours; all other floors have the interface of a Colorizer:

    sample(luminance, num_samples, seed) -> dict
        luminance: float32 [B, c, c, 1], 0..100
        num_samples: int S, 1 or more
        seed: int; has no effect, because floors are not random
        returns ab: float32 [B, S, c, c, 2], CIE units
"""

import numpy as np
import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.color.statistics import ColorStatistics
from tfdivcolor.data import PhotoSet
from tfdivcolor.models.base import check_canvas
from tfdivcolor.utils.types import Tensor

_BATCH_SIZE = 128


class Grey:
    """Grey fields: ab = 0."""

    def sample(self, luminance: Tensor, num_samples: int,
               seed: int = 0) -> dict[str, Tensor]:
        """Returns S fields of zeros; see the module.

        Raises:
            ValueError: if `num_samples` is below 1.
        """
        _check_samples(num_samples)
        batch, height, width, _ = luminance.shape
        return {"ab": tf.zeros([batch, num_samples, height, width, 2])}


class MeanField:
    """The mean of the training pictures' colour fields.

    Args:
        statistics: `ColorStatistics` of the training pictures.
    """

    def __init__(self, statistics: ColorStatistics):
        self.canvas = statistics.canvas
        self._field = tf.reshape(color.denormalize_ab(statistics.mean),
                                 [1, 1, self.canvas, self.canvas, 2])

    def sample(self, luminance: Tensor, num_samples: int,
               seed: int = 0) -> dict[str, Tensor]:
        """Returns the mean field S times; see the module.

        Raises:
            ValueError: if `num_samples` is below 1, or if `luminance` does not
                have the size of the canvas.
        """
        _check_samples(num_samples)
        check_canvas("luminance", luminance, self.canvas, 1)
        return {"ab": tf.tile(
            self._field, [luminance.shape[0], num_samples, 1, 1, 1])}


class Neighbours:
    """Copies of the colours of the most similar training pictures.

    The measure is the Euclidean distance of luminances on the canvas.  The
    training pictures stay in memory: 32 KB each at 64 x 64 pixels.

    Args:
        photos: `PhotoSet`. The training pictures, whole and not augmented.
    """

    def __init__(self, photos: PhotoSet):
        self.canvas = photos.canvas
        pixels = self.canvas**2
        luminance = np.empty([len(photos), pixels], np.float32)
        # float16 like a PhotoSet, which takes half the memory.
        self._ab = np.empty(
            [len(photos), self.canvas, self.canvas, 2], np.float16)
        start = 0
        for batch in photos.batches(
                _BATCH_SIZE, shuffle=False, drop_remainder=False):
            part = slice(start, start + len(batch["ab"]))
            luminance[part] = np.reshape(batch["luminance"], [-1, pixels])
            self._ab[part] = batch["ab"]
            start = part.stop
        # Centring keeps the distances, and their products keep more digits.
        self._centre = luminance.mean(axis=0)
        luminance -= self._centre
        self._luminance = tf.constant(luminance)
        self._half_square = 0.5 * tf.reduce_sum(
            tf.square(self._luminance), axis=1)

    def sample(self, luminance: Tensor, num_samples: int,
               seed: int = 0) -> dict[str, Tensor]:
        """Returns the colours of the S nearest pictures, nearest first.

        See the module. The earlier of two equally distant pictures comes first.

        Raises:
            ValueError: if `num_samples` is below 1 or above the number of
                training pictures, or if `luminance` does not have the size of
                the canvas.
        """
        _check_samples(num_samples, len(self._ab))
        check_canvas("luminance", luminance, self.canvas, 1)
        rows = tf.reshape(luminance, [-1, self.canvas**2]) - self._centre
        # |x - y|^2 / 2 without |x|^2, which is the same for every y.
        distance = self._half_square - tf.matmul(
            rows, self._luminance, transpose_b=True)  # [B, N]
        nearest = tf.math.top_k(-distance, num_samples).indices
        return {"ab": tf.constant(self._ab[nearest.numpy()], tf.float32)}


class PrincipalComponents:
    """The true colours through the first P principal components.

    A bound for latents of P numbers that are decoded linearly and without the
    grey picture. It receives the true colours.

    Args:
        statistics: `ColorStatistics` of the training pictures, with P
            components.
    """

    def __init__(self, statistics: ColorStatistics):
        self.canvas = statistics.canvas
        self._mean = statistics.mean
        self._components = tf.constant(statistics.components)  # [P, D0]

    def reconstruct(self, ab: Tensor) -> Tensor:
        """Projects colour fields to mean + span of the components.

        Args:
            ab: float32 [B, c, c, 2]. CIE units.

        Returns:
            float32 [B, c, c, 2], CIE units.

        Raises:
            ValueError: if `ab` does not have the size of the canvas.
        """
        check_canvas("ab", ab, self.canvas, 2)
        rows = color.normalize_ab(
            tf.reshape(ab, [-1, self._mean.size])) - self._mean
        latents = tf.matmul(rows, self._components, transpose_b=True)
        field = tf.matmul(latents, self._components) + self._mean
        return tf.reshape(color.denormalize_ab(field), tf.shape(ab))


def _check_samples(num_samples, largest=None):
    """Refuses an impossible number of samples."""
    if num_samples < 1:
        raise ValueError(
            f"num_samples must be 1 or more (received {num_samples})")
    if largest is not None and num_samples > largest:
        raise ValueError(
            "num_samples must be at most the number of training pictures, "
            f"{largest} (received {num_samples})")
