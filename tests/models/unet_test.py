"""The U-Net that the grey network and the baselines share."""

import keras
import pytest

from tfdivcolor.models.unet import unet

WIDTHS = (4, 6, 8, 10)


@pytest.mark.parametrize("noise_dim", [0, 5])
def test_shapes(noise_dim):
    net = unet(32, WIDTHS, 7, depth=1, noise_dim=noise_dim)
    inputs = keras.tree.flatten(net.inputs)
    assert [tensor.shape[1:] for tensor in inputs] == (
        [(32, 32, 1), (5,)] if noise_dim else [(32, 32, 1)])
    assert net.features.shape[1:] == (32, 32, 7)
    assert net.bottleneck.shape[1:] == (2, 2, 10)


def test_convolutions_have_the_names_and_order_of_saved_weights():
    net = unet(32, WIDTHS, 7, depth=1, noise_dim=5)
    network = keras.Model(net.inputs, net.features)
    names = [layer.name for layer in network.layers
             if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense))]
    assert names == [
        "down_0", "down_1", "down_2",
        "down_2_residual_0_1", "down_2_residual_0_2",
        "down_3", "down_3_residual_0_1", "down_3_residual_0_2", "noise",
        "bottleneck", "up_2", "up_1", "up_0", "features"]
