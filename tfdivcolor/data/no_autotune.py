"""`tf.data` without its autotuner, whose end can take a minute.

The autotuner's thread looks at a pipeline now and then, after ten milliseconds
first and twice as long each time, up to a minute.  An iterator that goes away
wakes it and waits for it; but in TensorFlow 2.21 the thread may find that it is
not cancelled yet, and sleeps on for what is left of its time.  On two cores 6
of 16 epochs ended late by it (docs/performance.md).
"""

import os

import tensorflow as tf

# Of a pipeline's steps that may run in parallel: half the cores are for the
# training.
PARALLEL = max(1, (os.cpu_count() or 1) // 2)
# Batches made ahead.
AHEAD = 2


def untuned(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The dataset without the autotuner, and all that is made from it.

    Whatever runs in parallel or ahead in it must say how much; see `PARALLEL`
    and `AHEAD`.

    Args:
        dataset: tf.data.Dataset.

    Returns:
        tf.data.Dataset.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
