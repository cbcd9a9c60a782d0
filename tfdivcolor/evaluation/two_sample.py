"""Distances between results and photographs that need no downloads.

Both metrics compare a set of results with the true colours of the same
pictures.  Their values depend on the number of pictures, so compare only
values from the same pictures.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike

from tfdivcolor import color

# Bins of the ab histogram: squares of BIN_WIDTH CIE units, one centred at
# neutral grey.  They are finer than the bins of `statistics` for rare colours,
# because most colours of photographs lie within 30 units of grey.
BIN_WIDTH = 4.0
NUM_BINS = 55  # along a and along b: centres -108, -104, ..., 108

_STEPS = 200
_PICTURES = 32  # per step, each once with true and once with sampled colours
_WIDTHS = (16, 32, 64, 64)
_LEARNING_RATE = 2e-3
_WEIGHT_DECAY = 1e-2
_DROPOUT = 0.3
_AB_GAIN = 10.0  # ab / 128 of photographs has a spread of about 0.1


def two_sample_auc(luminance: ArrayLike, truth: ArrayLike,
                   results: ArrayLike, seed: int = 0) -> float:
    """Measures how well a small network separates results from true colours.

    A convolutional network is trained on one half of the pictures and tested
    on the other, then the reverse. Both versions of a picture are in the same
    half.  The work does not depend on the number of pictures: 200 steps of 32
    pictures, mirrored at random.  The caller's random state does not change.

    At 64 pixels, true chrominance has grain that smooth results lack.  To test
    the colours alone, average all three arrays over blocks first.

    Args:
        luminance: float array [N, H, W, 1], 0..100; N at least 4.
        truth: float array [N, H, W, 2], ab / 128.
        results: float array [N, H, W, 2], ab / 128. One result per picture.
        seed: int, 0 to 2^31 - 1. Determines halves, order and initial weights.
            Defaults to 0.

    Returns:
        float, the mean of two areas under the ROC curve: the probability that
        a result gets a higher score than a true field. It is 0.5 if they
        cannot be separated (chance makes it a little less or more), and 1 if
        they always can.
    Raises:
        ValueError: if there are fewer than 4 pictures, or if the shapes do not
            match.

    References:
        Lopez-Paz and Oquab (2017), Revisiting Classifier Two-Sample Tests,
        https://arxiv.org/abs/1610.06545
    """
    true, made = _inputs(luminance, truth, results)
    order = np.random.default_rng(seed).permutation(len(true))
    halves = np.split(order, [len(order) // 2])
    areas = []
    for seen, unseen in (halves, halves[::-1]):
        network = _trained(true[seen], made[seen], seed)
        areas.append(_area(_scores(network, true[unseen]),
                           _scores(network, made[unseen])))
    return float(np.mean(areas))


def histogram_distance(truth: ArrayLike, results: ArrayLike) -> float:
    """Total variation between the ab histograms of results and truth.

    Half the sum of the absolute differences of the frequencies in bins of
    4 x 4 CIE units, over all pixels of all pictures. This is the share of
    pixels that would have to change bins.

    Args:
        truth: float array [..., 2], ab / 128.
        results: float array [..., 2], ab / 128; any number of fields.

    Returns:
        float, 0 (equal histograms) to 1 (no colour in common).
    """
    return float(0.5 * np.abs(
        _frequencies(truth) - _frequencies(results)).sum())


def _inputs(luminance, truth, results):
    """Checks arrays; returns true and made pictures, float32 [N, H, W, 3]."""
    arrays = {"luminance": np.asarray(luminance, np.float32),
              "truth": np.asarray(truth, np.float32),
              "results": np.asarray(results, np.float32)}
    shape = arrays["luminance"].shape
    if len(shape) != 4 or shape[0] < 4 or shape[-1] != 1:
        raise ValueError(
            "luminance must be [N, H, W, 1] with N of 4 or more pictures "
            f"(received {list(shape)})")
    for name in ("truth", "results"):
        if arrays[name].shape != (*shape[:3], 2):
            raise ValueError(
                f"{name} must be {[*shape[:3], 2]} for luminance of "
                f"{list(shape)} (received {list(arrays[name].shape)})")
    grey = color.normalize_luminance(arrays["luminance"])
    return [np.concatenate([grey, _AB_GAIN * arrays[name]], axis=-1)
            for name in ("truth", "results")]


def _network(shape, seed):
    # A separate generator keeps the global ones unchanged.  Any, here and
    # below: pyright takes the types of Keras' defaults for the only ones.
    initializer: Any = keras.initializers.HeNormal(
        keras.random.SeedGenerator(seed))
    x = inputs = keras.Input(shape)
    for i, width in enumerate(_WIDTHS):
        x = keras.layers.Conv2D(
            width, 5 if i == 0 else 3, strides=2, padding="same",
            use_bias=False, kernel_initializer=initializer)(x)
        # The moving statistics of the default would lag behind 200 steps.
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(_DROPOUT, seed=seed)(x)
    logits = keras.layers.Dense(1, kernel_initializer=initializer)(x)
    return keras.Model(inputs, logits)


def _trained(true, made, seed):
    """Trains a network whose output is high for made pictures."""
    network = _network(true.shape[1:], seed)
    rate: Any = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, _STEPS)
    jit_compile: Any = False
    network.compile(
        keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=jit_compile)
    rng = np.random.default_rng(seed)
    count = min(_PICTURES, len(true))
    labels = np.repeat(np.array([[0], [1]], np.float32), count, axis=0)
    waiting = np.zeros([0], np.int64)
    for _ in range(_STEPS):
        if len(waiting) < count:
            waiting = rng.permutation(len(true))
        rows, waiting = waiting[:count], waiting[count:]
        # Both pictures of a pair are mirrored or not: only colours differ.
        mirrored = rng.random([count, 1, 1, 1]) < 0.5
        pictures = [np.where(mirrored, kind[rows, :, ::-1], kind[rows])
                    for kind in (true, made)]
        network.train_on_batch(np.concatenate(pictures), labels)
    return network


def _scores(network, pictures):
    """Returns the network's outputs: float32 [N]."""
    batches = [pictures[i:i + 2 * _PICTURES]
               for i in range(0, len(pictures), 2 * _PICTURES)]
    return np.concatenate([
        np.asarray(network(batch, training=False))[:, 0]
        for batch in batches])


def _area(low, high):
    """P(one of high > one of low) + P(equal) / 2, over all pairs."""
    low = np.sort(low)
    below = np.searchsorted(low, high, side="left")
    not_above = np.searchsorted(low, high, side="right")
    return (below + not_above).mean() / (2 * len(low))


def _frequencies(ab_norm):
    """Share of the pixels in every bin: float64 [NUM_BINS^2], sum 1."""
    ab = color.denormalize_ab(np.asarray(ab_norm, np.float32)).reshape([-1, 2])
    bins = np.floor(ab / BIN_WIDTH + 0.5 * NUM_BINS).astype(np.int32)
    bins = np.clip(bins, 0, NUM_BINS - 1)
    counts = np.bincount(
        bins[:, 0] * NUM_BINS + bins[:, 1], minlength=NUM_BINS ** 2)
    return counts / len(ab)
