"""Checkpoints that are whole, damaged, or cannot be written."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from training import steps
from training.checkpoints import Checkpoints


@pytest.fixture
def make(tmp_path):
    """Makes a small model and its checkpoints in one folder."""
    def made():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(50)])
        optimizer = keras.optimizers.Adam()
        optimizer.build(model.trainable_variables)
        average = steps.MovingAverage(
            [v.value for v in model.trainable_variables], 0.9)
        return model, Checkpoints(
            tmp_path / "stage", model, optimizer, average)
    return made


@pytest.fixture
def saved(make, tmp_path):
    """A folder of checkpoints after 10 steps, all ones, and 20, all twos."""
    model, checkpoints = make()
    for step in (10, 20):
        for variable in model.variables:
            variable.assign(tf.fill(variable.shape, step / 10.0))
        checkpoints.save(step)
    return tmp_path / "stage"


def values(model):
    return np.unique(np.concatenate(
        [np.ravel(v.numpy()) for v in model.variables])).tolist()


def test_the_newest_is_restored(make, saved):
    model, checkpoints = make()
    assert checkpoints.restore() == 20 and values(model) == [2.0]


def test_none_is_the_beginning(make):
    assert make()[1].restore() == 0


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


DAMAGES = {
    "a byte of the values": lambda folder: flip(
        folder / "ckpt-20.data-00000-of-00001"),
    "no values": lambda folder: (
        folder / "ckpt-20.data-00000-of-00001").unlink(),
    "half of the values": lambda folder: (
        folder / "ckpt-20.data-00000-of-00001").write_bytes(
            (folder / "ckpt-20.data-00000-of-00001").read_bytes()[:400]),
    "a byte of the index": lambda folder: flip(folder / "ckpt-20.index"),
    "an empty index": lambda folder: (
        folder / "ckpt-20.index").write_bytes(b""),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_one_the_one_before_is_taken(
        make, saved, damage, capsys):
    DAMAGES[damage](saved)
    model, checkpoints = make()
    assert checkpoints.restore() == 10 and values(model) == [1.0]
    said = capsys.readouterr().out
    assert f"{saved / 'ckpt-20'}: this checkpoint is damaged (" in said
    assert len(said.splitlines()) == 1
    # It is not in the way of what follows.
    checkpoints.save(15)
    assert make()[1].restore() == 15


def test_all_damaged(make, saved, capsys):
    for step in (10, 20):
        flip(saved / f"ckpt-{step}.data-00000-of-00001")
    with pytest.raises(ValueError, match="2 damaged ones"):
        make()[1].restore()
    assert len(list(saved.glob("*.index"))) == 2  # for whoever can mend them


def test_what_a_killed_run_left_is_not_in_the_way(make, saved):
    (saved / "new").mkdir()
    (saved / "new" / "ckpt-30.index").write_bytes(b"a part")
    (saved / "ckpt-30.data-00000-of-00001").write_bytes(b"a part")
    model, checkpoints = make()
    assert checkpoints.restore() == 20
    checkpoints.save(30)
    assert make()[1].restore() == 30
    assert sorted(path.name for path in saved.iterdir()) == [
        "ckpt-20.data-00000-of-00001", "ckpt-20.index",
        "ckpt-30.data-00000-of-00001", "ckpt-30.index"]


def test_a_full_disk_leaves_the_last_good_one(make, saved, monkeypatch):
    model, checkpoints = make()
    checkpoints.restore()

    def full(self, prefix):
        assert prefix == str(saved / "new" / "ckpt-30")
        (saved / "new").mkdir()
        (saved / "new" / "ckpt-30.data-00000-of-00001").write_bytes(b"a part")
        raise tf.errors.ResourceExhaustedError(
            None, None, "ckpt-30; No space left on device")
    with monkeypatch.context() as patched:
        patched.setattr(tf.train.Checkpoint, "write", full)
        with pytest.raises(OSError, match="ckpt-20, ckpt-10 .received .*No sp"):
            checkpoints.save(30)
    assert not (saved / "new").exists()
    assert make()[1].restore() == 20
