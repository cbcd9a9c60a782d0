"""The shared pieces of networks."""

import keras
import numpy as np
import tensorflow as tf

from tfdivcolor.models.blocks import (
    JoinedConv2D,
    add_per_picture,
    residual_block,
)


def test_joined_convolution_equals_the_plain_one():
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(6, 5, 5, 3)), tf.float32)
    shared = tf.constant(rng.normal(size=(2, 5, 5, 4)), tf.float32)
    layer = JoinedConv2D(7, 3)
    got = layer(x, shared)  # three samples of each of two pictures
    plain = tf.nn.conv2d(
        tf.concat([x, tf.repeat(shared, 3, axis=0)], axis=-1),
        layer.kernel, 1, "SAME")
    np.testing.assert_allclose(got, plain, atol=1e-5)


def test_add_per_picture():
    x = tf.zeros([6, 1])
    np.testing.assert_array_equal(
        add_per_picture(x, tf.constant([[1.0], [2.0]]))[:, 0],
        [1, 1, 1, 2, 2, 2])
    assert add_per_picture(tf.zeros([0, 2, 3]), tf.zeros([0, 2, 3])
                           ).shape == (0, 2, 3)


def test_residual_block_begins_as_nothing_and_learns():
    x = keras.Input((4, 4, 3))
    block = keras.Model(x, residual_block(x, "block"))
    pictures = tf.random.stateless_normal([2, 4, 4, 3], (0, 0))
    np.testing.assert_array_equal(block(pictures), pictures)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(block(pictures, training=True) - 1.0))
    gamma = block.get_layer("block_2_norm").gamma
    assert np.abs(tape.gradient(loss, gamma.value)).max() > 0
