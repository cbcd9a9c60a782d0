"""Checks and divides the datasets of batch dicts for training."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfdivcolor.data import no_autotune

WEIGHT = "weight_of_a_copy"  # name of the row weights of `divisible`
# Sources of batches whose element types Keras cannot know beforehand.
_UNKNOWN = (Iterator, keras.utils.PyDataset, tf.distribute.DistributedDataset)


def check(what: str, data: Any, shapes: Mapping[str, Sequence[int | None]],
          or_photos: bool = False) -> None:
    """Replaces the long errors of Keras by one line.

    Args:
        what: str. Begins the message, "METHOD: ARGUMENT".
        data: `tf.data.Dataset` of batch dicts, or a dict of arrays. The
            elements of generators and similar sources are not checked.
        shapes: dict from a name to the shape of one picture's tensor.
        or_photos: bool. Whether the method also accepts a `PhotoSet`, and no
            other source than a dataset. Defaults to False.

    Raises:
        ValueError: if `data` or its elements have a wrong type or shape.
    """
    rule = (f"{what} must be {'a PhotoSet or ' * or_photos}a tf.data.Dataset "
            f"of dicts of {', '.join(shapes)}")
    if "ab" in shapes:
        rule += " (and seed), as photos.batches(32) gives"
    kinds = (tf.data.Dataset, *(() if or_photos else (dict, *_UNKNOWN)))
    if not isinstance(data, kinds):
        raise ValueError(f"{rule} (received {_described(data)})")
    if isinstance(data, _UNKNOWN):
        return
    batch: Any = data
    if isinstance(data, tf.data.Dataset):
        batch = data.element_spec
    if not isinstance(batch, dict):
        raise ValueError(f"{rule} (received {_described(data)})")
    if missing := [name for name in shapes if name not in batch]:
        raise ValueError(
            f"{rule} (received dicts of {', '.join(map(str, batch))}: "
            f"{', '.join(missing)} missing)")
    for name, shape in {**shapes, "seed": ()}.items():
        if name in batch:
            _check_tensor(what, name, batch[name], shape,
                          exactly=batch is not data)


def check_number(what: str, data: tf.data.Dataset, steps: int | None) -> None:
    """Refuses empty datasets, and endless ones without a number of steps.

    Args:
        what: str. Begins the message.
        data: `tf.data.Dataset`.
        steps: int or None. Number of batches to use.

    Raises:
        ValueError: if the dataset is empty, or endless without `steps`.
    """
    number = int(data.cardinality())
    if number == 0:
        raise ValueError(
            f"{what} must have one batch or more (received an empty dataset)")
    if number == tf.data.INFINITE_CARDINALITY and not steps:
        raise ValueError(
            f"{what} must have an end, or come with a number of steps "
            "(received an endless dataset)")


def _check_tensor(what, name, value, shape, exactly):
    shape = tf.TensorShape([None, *shape])
    kind = "integers" if name == "seed" else "float32"
    received, right = type(value).__name__, False
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        dtype = tf.as_dtype(value.dtype)
        received = f"{dtype.name} of shape {tf.TensorShape(value.shape)}"
        right = dtype.is_integer if name == "seed" else (
            # Keras converts arrays to float32.
            dtype.is_floating and (dtype == tf.float32 or not exactly))
        right = right and shape.is_compatible_with(value.shape)
    if not right:
        raise ValueError(f"{what} must have {name} as {kind} of shape {shape} "
                         f"(received {received})")


def _described(data):
    """Describes a wrong argument, for a message."""
    if isinstance(data, tf.data.Dataset):
        spec = data.element_spec
        if isinstance(spec, tf.TensorSpec):
            return f"a dataset of {spec.dtype.name} of shape {spec.shape}"
        return f"a dataset of {type(spec).__name__}s"
    shape = getattr(data, "shape", None)
    return (type(data).__name__ if shape is None
            else f"{type(data).__name__} of shape {tuple(shape)}")


def divisible(data: tf.data.Dataset, devices: int) -> tf.data.Dataset:
    """Makes batches that give every device at least one row.

    A batch with too few rows is repeated, and the rows of the copies count
    less: oneDNN's convolutions of zero rows have wrong shapes (TensorFlow
    2.21).

    Args:
        data: `tf.data.Dataset` of batch dicts.
        devices: int. Number of devices that a strategy divides a batch among.

    Returns:
        `tf.data.Dataset` of batch dicts, with the row weights as `WEIGHT`:
        float32 [B], 1 except in copies.
    """
    def copied(batch):
        rows = tf.shape(tf.nest.flatten(batch)[0])[0]
        copies = tf.range(1, devices + 1)
        # TensorFlow fills one device after the other.
        most = -(-rows * copies // devices)
        copies = copies[tf.argmax(most * (devices - 1) < rows * copies)]
        values = {name: tf.reshape(
            tf.repeat(value[None], copies, axis=0), [-1, *value.shape[1:]])
            for name, value in batch.items()}
        weight = 1 / tf.cast(copies, tf.float32)
        return {**values, WEIGHT: tf.fill([rows * copies], weight)}

    return no_autotune.untuned(data.map(copied))
