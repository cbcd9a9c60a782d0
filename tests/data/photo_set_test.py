"""Batches of decoded photographs: order, seeds, resuming, shards."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings as hypothesis_settings, strategies as st
from PIL import Image

from tfdivcolor.data.augmentation import Augmentation
from tfdivcolor.data.photo_set import PhotoSet

CANVAS = 8


@pytest.fixture(scope="module")
def photographs():
    rng = np.random.default_rng(0)
    lab = rng.uniform([0, -80, -80], [100, 80, 80],
                      [24, CANVAS + 2, CANVAS + 2, 3])
    return PhotoSet(lab.astype(np.float16), [f"{i}.png" for i in range(24)],
                    [], CANVAS, margin=2)


def numpy_batches(dataset):
    return [{key: value.numpy() for key, value in batch.items()}
            for batch in dataset]


def equal_batches(ones, others):
    assert len(ones) == len(others)
    for one, other in zip(ones, others):
        for key in ("luminance", "ab", "seed"):
            np.testing.assert_array_equal(one[key], other[key])


def test_arrays_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="lab must have the shape"):
        PhotoSet(np.zeros([1, 8, 8, 3]), ["a"], [], canvas=8, margin=1)


def test_batches_are_the_fields_in_the_units_promised(photographs):
    plain = PhotoSet(photographs.lab, photographs.names, [], CANVAS + 2)
    batch, = numpy_batches(plain.batches(24, shuffle=False))
    assert batch["luminance"].dtype == batch["ab"].dtype == np.float32
    np.testing.assert_array_equal(
        np.concatenate([batch["luminance"], batch["ab"]], -1),
        photographs.lab.astype(np.float32))
    np.testing.assert_array_equal(batch["seed"], np.arange(24))


def test_the_margin_is_resized_away(photographs):
    dataset = photographs.batches(4)
    assert dataset.element_spec["luminance"].shape == [4, CANVAS, CANVAS, 1]
    assert dataset.element_spec["ab"].shape == [4, CANVAS, CANVAS, 2]
    assert dataset.element_spec["seed"].dtype == tf.int64
    batch = numpy_batches(photographs.batches(24, shuffle=False))[0]
    expected = Image.fromarray(
        photographs.lab[3, ..., 1].astype(np.float32)).resize(
            [CANVAS, CANVAS], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(batch["ab"][3, ..., 0], expected, atol=1e-3)


def test_an_epoch_holds_every_picture_once_in_its_own_order(photographs):
    orders = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0)):
        batches = numpy_batches(photographs.batches(
            5, seed=seed, epoch=epoch, drop_remainder=False))
        assert [len(batch["seed"]) for batch in batches] == [5] * 4 + [4]
        keys = np.concatenate([batch["seed"] for batch in batches])
        np.testing.assert_array_equal(
            keys, seed * 2**40 + epoch * 24 + np.arange(24))
        orders.append(np.concatenate(
            [batch["ab"].mean(axis=(1, 2, 3)) for batch in batches]))
        np.testing.assert_array_equal(np.sort(orders[-1]), np.sort(orders[0]))
    assert np.any(orders[0] != orders[1]) and np.any(orders[0] != orders[2])
    np.testing.assert_array_equal(orders[0], orders[3])


@hypothesis_settings(deadline=None, max_examples=6)
@given(st.integers(1, 9), st.integers(0, 2**23 - 1), st.integers(0, 1000),
       st.data())
def test_resuming_gives_the_tail(photographs, batch_size, seed, epoch, draw):
    start = draw.draw(st.integers(0, 24 // batch_size))
    options = {"seed": seed, "epoch": epoch, "augment": Augmentation()}
    whole = numpy_batches(photographs.batches(batch_size, **options))
    resumed = photographs.batches(batch_size, start=start, **options)
    assert len(resumed) == 24 // batch_size - start
    equal_batches(whole[start:], numpy_batches(resumed))


def test_batches_have_no_autotuner(photographs):
    for dataset in (photographs.batches(6), photographs.epochs(6)):
        assert dataset.options().autotune.enabled is False


def test_shards_are_the_rows_of_the_whole_batch(photographs):
    options = {"seed": 3, "augment": Augmentation(), "start": 1}
    whole = numpy_batches(photographs.batches(6, **options))
    for index in range(3):
        shard = photographs.batches(6, shard=(index, 3), **options)
        assert shard.element_spec["ab"].shape[0] == 2
        equal_batches(numpy_batches(shard), [
            {key: value[index::3] for key, value in batch.items()}
            for batch in whole])


def test_epochs_chains_the_batches_without_end(photographs):
    augment = Augmentation()
    chained = photographs.epochs(7, seed=2, augment=augment)
    assert int(chained.cardinality()) == tf.data.INFINITE_CARDINALITY
    steps = photographs.steps_per_epoch(7)
    assert steps == 3
    expected = [
        batch for epoch in range(3) for batch in numpy_batches(
            photographs.batches(7, seed=2, epoch=epoch, augment=augment))]
    equal_batches(numpy_batches(chained.take(3 * steps)), expected)


@pytest.mark.parametrize("options, rule", [
    ({"batch_size": 25}, "batch_size must be 1 to 24"),
    ({"batch_size": 0}, "batch_size must be 1 to 24"),
    ({"batch_size": 8, "start": 4}, "start must be 0 to 3"),
    ({"batch_size": 8, "seed": -1}, "seed must be 0 to 8388607"),
    ({"batch_size": 8, "epoch": -1}, "epoch must be 0 or more"),
    ({"batch_size": 8, "shard": (0, 3)}, "a divisor of batch_size 8"),
    ({"batch_size": 8, "shard": (2, 2)}, "index below count"),
    ({"batch_size": 8, "shard": (0, 2), "drop_remainder": False},
     "drop_remainder must be True"),
])
def test_batches_out_of_range_are_errors(photographs, options, rule):
    with pytest.raises(ValueError, match=rule):
        photographs.batches(**options)


def test_fewer_pictures_than_a_batch_are_one_batch_for_checking(photographs):
    more = len(photographs) + 5
    batches = list(photographs.batches(
        more, shuffle=False, drop_remainder=False))
    assert [len(b["ab"]) for b in batches] == [len(photographs)]
