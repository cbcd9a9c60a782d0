"""Sampling without random numbers of its own, for other runtimes.

The core takes the random numbers as inputs, because every runtime has another
generator. The same numbers give the same results everywhere:

    luminance [B, s, s, 1], uniform [B, N], normal [B, N, D + R],
    num_samples, temperature
    -> ab [B, S, c, c, 2], z [B, S, D], log_prob, component, weight and
       share [B, S]

N is the number of the draws: those of the results (`sampling.num_draws`), then
those for the shares. A draw takes one uniform number for its component, and
D + R normal ones for the diagonal and the low-rank part of the covariance. The
graph is that of `Colorizer.sample_fields`, which takes `seeds.Given` for a
seed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.latent import sampling, seeds
from tfdivcolor.models.base import picture_seeds
from tfdivcolor.models.joint import JointModel
from tfdivcolor.settings import DEFAULTS, Sampling

OUTPUTS = ("ab", "z", "log_prob", "component", "weight", "share")


def noise(colorizer: Colorizer, seed: int | Sequence[int] = DEFAULTS.seed,
          num_samples: int = DEFAULTS.num_samples,
          mode: str = DEFAULTS.mode) -> dict[str, np.ndarray]:
    """Computes the random numbers of a seed, as inputs of the ONNX file.

    With them, the file gives the results of `Colorizer.sample` with this seed.

    Args:
        colorizer: `Colorizer`.
        seed: int for one picture, or B ints. Defaults to
            `settings.DEFAULTS.seed`, as do the next two to theirs.
        num_samples: int S, 1 to `settings.MAX_SAMPLES`.
        mode: one of `settings.MODES`. The mode of the export.

    Returns:
        dict of uniform: float32 [B, N], at least 0 and below 1; and normal:
        float32 [B, N, D + R], standard normal.

    Raises:
        ValueError: if an argument is outside its range.

    Example:
        tdc.export.noise(tdc.load(), seed=7)["uniform"].shape  # (1, 384)
    """
    Sampling(num_samples, mode=mode).check(colorizer.num_components)
    seed = picture_seeds(np.atleast_1d(seed), np.size(seed))
    uniform, normal = [], []
    for streams, count in (
            (seeds.RESULTS, int(sampling.num_draws(mode, num_samples))),
            (seeds.SHARES, sampling.SHARE_DRAWS)):
        of_component, of_latent, of_factor = streams
        uniform.append(seeds.uniform(of_component, seed, [count]))
        normal.append(tf.concat([
            seeds.normal(of_latent, seed, [count, colorizer.latent_dim]),
            seeds.normal(of_factor, seed, [count, rank(colorizer)])], -1))
    return {"uniform": tf.concat(uniform, 1).numpy(),
            "normal": tf.concat(normal, 1).numpy()}


def rank(colorizer: Colorizer) -> int:
    """Returns the rank R of the mixture's covariances, 0 for diagonal ones."""
    # The paper's head has no low-rank part.
    return getattr(colorizer.mdn.head, "rank", 0)


def function(colorizer: Colorizer, mode: str = DEFAULTS.mode
             ) -> tuple[Callable[..., dict[str, Any]], list[tf.TensorSpec]]:
    """Makes the core as a TensorFlow function.

    Args:
        colorizer: `Colorizer`.
        mode: one of `settings.MODES`. Defaults to `settings.DEFAULTS.mode`.

    Returns:
        function: `tf.function` of the inputs, which returns a dict of
            `OUTPUTS`.
        signature: list of `tf.TensorSpec`, one per input.
    """
    latent_dim = colorizer.latent_dim
    numbers = latent_dim + rank(colorizer)
    size = colorizer.luminance_size

    def core(luminance, uniform, normal, num_samples, temperature):
        batch = tf.shape(luminance)[0]
        results = sampling.num_draws(mode, num_samples)
        count = results + sampling.SHARE_DRAWS
        # Too few or too many numbers fail here. Without this, the first of
        # them would give results that look right.
        uniform = tf.reshape(uniform, [batch, count])
        normal = tf.reshape(normal, [batch, count, numbers])
        given = {}
        for streams, part in ((seeds.RESULTS, slice(results)),
                              (seeds.SHARES, slice(results, None))):
            given.update(zip(streams, (
                uniform[:, part], normal[:, part, :latent_dim],
                normal[:, part, latent_dim:])))
        # Not the Colorizer's own graph, which takes only tensors.
        return JointModel.sample_fields(
            colorizer, luminance, seeds.Given(given), temperature,
            num_samples, mode)

    return tf.function(core, autograph=False), [
        tf.TensorSpec([None, size, size, 1], tf.float32, "luminance"),
        tf.TensorSpec([None, None], tf.float32, "uniform"),
        tf.TensorSpec([None, None, numbers], tf.float32, "normal"),
        tf.TensorSpec([], tf.int32, "num_samples"),
        tf.TensorSpec([], tf.float32, "temperature")]
