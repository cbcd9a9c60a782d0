"""What models are trained on: datasets of batch dicts, checked and divided."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfdivcolor.data import no_autotune

WEIGHT = "weight_of_a_copy"  # name of the rows' weights, from `divisible`
# What Keras takes batches from without saying of what kind they are.
_UNKNOWN = (Iterator, keras.utils.PyDataset, tf.distribute.DistributedDataset)


def check(what: str, data: Any, shapes: Mapping[str, Sequence[int | None]],
          or_photos: bool = False) -> None:
    """Refuses in a line what Keras would refuse in a hundred.

    Args:
        what: str. Begins the message, "METHOD: ARGUMENT".
        data: `tf.data.Dataset` of batch dicts, or a dict of arrays. Of
            generators and the like nothing is known before they are used.
        shapes: dict from a name to the shape of one picture's tensor.
        or_photos: bool. Whether a `PhotoSet` would do as well, and of the
            others only a dataset.

    Raises:
        ValueError: naming the rule, and what was received.
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
    """Refuses no batches, and an endless number of them.

    Args:
        what: str. Begins the message.
        data: `tf.data.Dataset`.
        steps: int or None. Number of batches that are taken.

    Raises:
        ValueError: if there are none, or all of them are taken without end.
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
            # Keras makes float32 of arrays.
            dtype.is_floating and (dtype == tf.float32 or not exactly))
        right = right and shape.is_compatible_with(value.shape)
    if not right:
        raise ValueError(f"{what} must have {name} as {kind} of shape {shape} "
                         f"(received {received})")


def _described(data):
    """What was given in place of batch dicts, for a message."""
    if isinstance(data, tf.data.Dataset):
        spec = data.element_spec
        if isinstance(spec, tf.TensorSpec):
            return f"a dataset of {spec.dtype.name} of shape {spec.shape}"
        return f"a dataset of {type(spec).__name__}s"
    shape = getattr(data, "shape", None)
    return (type(data).__name__ if shape is None
            else f"{type(data).__name__} of shape {tuple(shape)}")


def divisible(data: tf.data.Dataset, devices: int) -> tf.data.Dataset:
    """Batches such that every device gets a row of each.

    A batch that would leave a device without comes in several copies, whose
    rows count less: oneDNN's convolutions of no rows have wrong shapes
    (TensorFlow 2.21).

    Args:
        data: `tf.data.Dataset` of batch dicts.
        devices: int. Number of those that a strategy divides a batch among.

    Returns:
        `tf.data.Dataset` of batch dicts, with the rows' weights as `WEIGHT`:
        float32 [B], 1 but for copies.
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
