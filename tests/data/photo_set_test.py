"""Batches of decoded photographs: order, sources, seeds, resuming, shards."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings as hypothesis_settings, strategies as st
from PIL import Image

from tfdivcolor.data.augmentation import Augmentation
from tfdivcolor.data.photo_set import PhotoSet, Skipped

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


@pytest.mark.parametrize("options, rule", [
    ({"margin": 1}, "lab must have the shape"),
    ({"luminance_size": 16}, "lab must have the shape"),
    ({"luminance_size": 12}, r"a multiple of 8, the canvas \(received 12\)"),
    ({"luminance_size": -8}, r"a multiple of 8, the canvas \(received -8\)"),
    ({"canvas": 0}, "canvas must be 1 or more"),
    ({"canvas": "8"}, r"canvas must be a whole number \(received '8'\)"),
    ({"balance": 1.5}, r"balance must be a number of 0 to 1 \(received 1.5\)"),
    ({"balance": float("nan")}, r"a number of 0 to 1 \(received nan\)"),
])
def test_what_does_not_fit_is_an_error(options, rule):
    with pytest.raises(ValueError, match=rule):
        PhotoSet(np.zeros([1, 8, 8, 3]), ["a"], [], **{"canvas": 8, **options})


def test_its_name_is_short():
    lab = np.broadcast_to(np.float16(0), [12345, 144, 144, 3])
    assert repr(PhotoSet(
        lab, ["x"] * 12345, [Skipped("y", "grey")] * 3, 64, 16, 128, 0.5)) == (
            "PhotoSet(12,345 pictures, canvas 64, luminance 128, margin 16, "
            "balance 0.5, 3 skipped)")
    assert repr(PhotoSet(np.zeros([1, 8, 8, 3]), ["a"], [], 8)) == (
        "PhotoSet(1 picture, canvas 8, 0 skipped)")


def test_none_has_no_batches():
    photos = PhotoSet(np.zeros([0, 8, 8, 3]), [], [], 8)
    for call in (photos.batches, photos.epochs, photos.steps_per_epoch):
        with pytest.raises(ValueError, match="must hold a picture to make"):
            call(2)


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


@pytest.mark.parametrize("augment", [None, Augmentation.film()])
def test_a_larger_luminance_has_the_means_of_blocks_as_colours(
        photographs, augment):
    lab = np.tile(photographs.lab, [1, 2, 2, 1])  # 20 pixels a side
    options = {"shuffle": False, "augment": augment}
    whole, = numpy_batches(
        PhotoSet(lab, photographs.names, [], 16, margin=4).batches(
            24, **options))
    small, = numpy_batches(
        PhotoSet(lab, photographs.names, [], 4, margin=4, luminance_size=16)
        .batches(24, **options))
    np.testing.assert_array_equal(small["luminance"], whole["luminance"])
    np.testing.assert_array_equal(small["seed"], whole["seed"])
    assert small["ab"].shape == (24, 4, 4, 2)
    np.testing.assert_allclose(
        small["ab"], whole["ab"].reshape(24, 4, 4, 4, 4, 2).mean((2, 4)),
        atol=1e-3)


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


def sourced(balance, counts=(41, 10, 2, 1)):
    """A set of so many pictures of each source; a is the picture's number."""
    number = np.arange(sum(counts))
    names = [f"{source}/{i}.png" for source, count in enumerate(counts)
             for i in range(count)]
    # In no order, as TFRecord shards have them.
    names = np.random.default_rng(0).permutation(names).tolist()
    lab = np.zeros([len(names), 2, 2, 3], np.float16)
    lab[..., 1] = number[:, None, None]
    return PhotoSet(lab, names, [], 2, balance=balance)


def drawn(photographs, **options):
    """The numbers of an epoch's pictures, in its order."""
    batches = numpy_batches(photographs.batches(
        10, drop_remainder=False, **options))
    return np.concatenate(
        [batch["ab"][:, 0, 0, 0] for batch in batches]).astype(int)


@pytest.mark.parametrize("balance", [0.25, 0.5, 1.0])
def test_sources_are_drawn_in_balance(balance):
    photographs = sourced(balance)
    order = drawn(photographs, seed=3, epoch=7)
    assert len(order) == len(photographs) == 54
    source = np.array([int(name[0]) for name in photographs.names])
    sizes = np.array([41, 10, 2, 1])
    share = sizes ** (1 - balance) / np.sum(sizes ** (1 - balance))
    found = np.bincount(source[order], minlength=4)
    assert np.all(np.abs(found - 54 * share) <= 1)
    # Within a source, every picture as often as any other, but for one.
    times = np.bincount(order, minlength=54)
    for one in range(4):
        assert np.ptp(times[source == one]) <= 1
    # Mixed, not source after source.
    assert np.mean(np.diff(source[order]) != 0) > 0.3


def test_balanced_epochs_are_functions_of_seed_and_epoch():
    photographs = sourced(0.5)
    order = drawn(photographs, seed=3, epoch=7)
    np.testing.assert_array_equal(
        order, drawn(sourced(0.5), seed=3, epoch=7))
    assert np.any(order != drawn(photographs, seed=3, epoch=8))
    assert np.any(order != drawn(photographs, seed=4, epoch=7))
    # Which pictures of a large source are left out differs too.
    assert set(order) != set(drawn(photographs, seed=3, epoch=8))
    np.testing.assert_array_equal(
        order[20:], drawn(photographs, seed=3, epoch=7, start=2))
    batch = numpy_batches(photographs.batches(10, seed=3, epoch=7))[2]
    np.testing.assert_array_equal(
        batch["seed"], 3 * 2**40 + 7 * 54 + np.arange(20, 30))
    # Unshuffled, for validation, every picture comes once.
    np.testing.assert_array_equal(
        drawn(photographs, shuffle=False), np.arange(54))


def test_without_balance_the_order_is_that_of_release_0_5():
    # Its numbers: a run that it began goes on with the same pictures.
    for seed, epoch in ((0, 0), (3, 7)):
        expected = np.random.default_rng([6, seed, epoch]).permutation(54)
        np.testing.assert_array_equal(
            drawn(sourced(0.0), seed=seed, epoch=epoch), expected)
    np.testing.assert_array_equal(
        drawn(replace(sourced(0.5), balance=0.0), seed=3, epoch=7), expected)


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
    ({"batch_size": 0, "drop_remainder": False}, "must be 1 to 24"),
    ({"batch_size": None}, "batch_size must be a whole number"),
    ({"batch_size": 2.0}, r"batch_size must be a whole number \(received 2.0"),
    ({"batch_size": 8, "seed": 1.5}, "seed must be a whole number"),
    ({"batch_size": 8, "start": None}, "start must be a whole number"),
    ({"batch_size": 8, "augment": True},
     r"augment must be an Augmentation or None \(received True\)"),
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
