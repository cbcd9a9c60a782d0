"""`tf.data` without its autotuner, whose shutdown can take a minute.

The autotuner's thread looks at a pipeline after ten milliseconds, and then
after twice as long each time, up to a minute.  An iterator that is destroyed
wakes the thread and waits for it. In TensorFlow 2.21 the thread may still find
itself not cancelled, and sleeps for the rest of its interval.  On two cores
this delayed the end of 6 of 16 epochs (docs/performance.md).
"""

import os

import tensorflow as tf

# Parallel calls in a pipeline: half of the cores, which leaves the other half
# to the training.
PARALLEL = max(1, (os.cpu_count() or 1) // 2)
# Batches prepared ahead.
AHEAD = 2


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Disables the autotuner for a dataset and all datasets made from it.

    Parallel and prefetching steps then need explicit numbers; see `PARALLEL`
    and `AHEAD`.

    Args:
        dataset: tf.data.Dataset.

    Returns:
        tf.data.Dataset.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
