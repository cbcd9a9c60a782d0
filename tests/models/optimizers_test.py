"""Adam with a lower rate for pretrained weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfdivcolor.models.optimizers import EncoderAdam


def made(pretrained):
    variable = keras.Variable(np.ones([3], np.float32))
    variable.pretrained = pretrained
    return variable


@pytest.mark.parametrize("strategy", [
    tf.distribute.get_strategy(),
    tf.distribute.OneDeviceStrategy("/cpu:0")], ids=["none", "one_device"])
def test_pretrained_weights_move_by_a_part(strategy):
    with strategy.scope():
        variables = [made(False), made(True)]
        optimizer = EncoderAdam(0.1, encoder_rate=0.25)
        optimizer.build(variables)

    @tf.function
    def step():
        strategy.run(lambda: optimizer.apply(
            [tf.constant([1.0, -2.0, 3.0])] * 2, variables))

    expected = keras.Variable(np.ones([3], np.float32))
    plain = keras.optimizers.Adam(0.1)
    for _ in range(3):
        step()
        plain.apply([tf.constant([1.0, -2.0, 3.0])], [expected])
    moved = np.asarray(expected) - 1
    np.testing.assert_allclose(variables[0] - 1, moved, rtol=1e-5)
    np.testing.assert_allclose(variables[1] - 1, moved / 4, rtol=1e-4)


def test_a_compiled_model_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(EncoderAdam(0.1, encoder_rate=0.5), "mse")
    model.fit(np.ones([4, 2]), np.ones([4, 1]), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.optimizer.encoder_rate == 0.5
