"""Datasets of batches, checked in a line and divided among devices.

How devices divide them: `tests/models/mirrored_fit_test.py`.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdivcolor.data import PhotoSet, batches

SHAPES = {"luminance": (8, 8, 1), "ab": (4, 4, 2)}
RULE = (r"fit: data must be a tf.data.Dataset of dicts of luminance, ab \(and "
        r"seed\), as photos.batches\(32\) gives")


def arrays(count=3):
    return {"luminance": np.zeros([count, 8, 8, 1], np.float32),
            "ab": np.zeros([count, 4, 4, 2], np.float32),
            "seed": np.arange(count)}


def dataset(**changes):
    return tf.data.Dataset.from_tensors({**arrays(), **changes})


def photos(count=3):
    return PhotoSet(np.zeros([count, 8, 8, 3]), list("abc")[:count], [],
                    canvas=4, luminance_size=8)


class Sequence(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return arrays()


@pytest.mark.parametrize("data", [
    dataset(), dataset(seed=np.arange(3, dtype=np.int32)),
    dataset().map(lambda batch: {**batch, "name": "more"}),
    tf.data.Dataset.from_tensor_slices(arrays()).batch(2),
    photos().batches(2), photos().epochs(2),
    arrays(), {**arrays(), "ab": np.zeros([3, 4, 4, 2])},
    iter([arrays()]), Sequence()])
def test_what_fit_takes(data):
    batches.check("fit: data", data, SHAPES)


@pytest.mark.parametrize("data, rule", [
    (np.zeros([3, 8, 8, 3]),
     RULE + r" \(received ndarray of shape \(3, 8, 8, 3\)\)"),
    (tf.zeros([3, 8]), RULE + r" \(received EagerTensor of shape \(3, 8\)\)"),
    (None, RULE + r" \(received NoneType\)"),
    ("photos/", RULE + r" \(received str\)"),
    ([arrays()], RULE + r" \(received list\)"),
    ((arrays(), None), RULE + r" \(received tuple\)"),
    (photos(), RULE + r" \(received PhotoSet\)"),
    (tf.data.Dataset.from_tensors(np.zeros([3, 8], np.float32)),
     RULE + r" \(received a dataset of float32 of shape \(3, 8\)\)"),
    (dataset().map(lambda batch: (batch["luminance"], batch["ab"])),
     RULE + r" \(received a dataset of tuples\)"),
    (dataset().map(lambda batch: {"luminance": batch["luminance"]}),
     RULE + r" \(received dicts of luminance: ab missing\)"),
    ({"image": np.zeros(3)},
     RULE + r" \(received dicts of image: luminance, ab missing\)"),
    # Not batched, batched twice, of another size, in other units.
    (tf.data.Dataset.from_tensor_slices(arrays()),
     r"luminance as float32 of shape \(None, 8, 8, 1\) \(received float32 of "
     r"shape \(8, 8, 1\)\)"),
    (dataset().batch(2), r"received float32 of shape \(None, 3, 8, 8, 1\)"),
    (dataset(ab=np.zeros([3, 8, 8, 2], np.float32)),
     r"ab as float32 of shape \(None, 4, 4, 2\) \(received float32 of shape "
     r"\(3, 8, 8, 2\)\)"),
    (dataset(ab=np.zeros([3, 4, 4, 2])), r"received float64 of shape"),
    (dataset(luminance=np.zeros([3, 8, 8, 1], np.uint8)), "received uint8"),
    ({**arrays(), "luminance": np.zeros([3, 8, 8, 1], np.uint8)},
     "received uint8"),
    (dataset(seed=np.zeros(3)), r"seed as integers of shape \(None,\) "
     r"\(received float64"),
    (dataset(seed=np.zeros([3, 1], int)), "seed as integers"),
    (dataset().map(lambda batch: {**batch, "ab": {"a": batch["ab"]}}),
     r"ab as float32 of shape \(None, 4, 4, 2\) \(received dict\)"),
    ({**arrays(), "ab": [[[[0.0, 0.0]]]]}, r"\(received list\)"),
])
def test_what_fit_does_not_take_is_one_line(data, rule):
    with pytest.raises(ValueError, match=rule) as error:
        batches.check("fit: data", data, SHAPES)
    assert str(error.value).startswith("fit: data must ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [arrays(), iter([arrays()]), None])
def test_where_photos_are_taken_only_a_dataset_is_too(data):
    batches.check("fit: data", dataset(), SHAPES, or_photos=True)
    with pytest.raises(ValueError, match="must be a PhotoSet or a tf.data.D"):
        batches.check("fit: data", data, SHAPES, or_photos=True)


def test_no_batches_and_endless_ones():
    one = dataset()
    batches.check_number("fit: data", one, None)
    batches.check_number("fit: data", one.repeat(), 5)
    # Their number is not known.
    batches.check_number("fit: data", one.filter(lambda batch: True), None)
    with pytest.raises(ValueError, match=r"have one batch or more \(received "):
        batches.check_number("fit: data", one.take(0), None)
    with pytest.raises(ValueError, match="must have an end.*an endless datas"):
        batches.check_number("fit: data", one.repeat(), None)


def test_divisible_leaves_batches_large_enough_as_they_are():
    whole = dataset()
    divided, = batches.divisible(whole, 3)
    np.testing.assert_array_equal(divided.pop(batches.WEIGHT), np.ones(3))
    for name, values in divided.items():
        np.testing.assert_array_equal(values, arrays()[name])
    divided, = batches.divisible(whole, 4)
    weights = divided.pop(batches.WEIGHT)
    assert weights.shape[0] % 3 == 0 and np.sum(weights) == pytest.approx(3)
    for name, values in divided.items():
        np.testing.assert_array_equal(
            values, np.concatenate([arrays()[name]] * (len(weights) // 3)))
