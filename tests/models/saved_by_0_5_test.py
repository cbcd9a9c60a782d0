"""What 0.5.0 saved loads, and gives the same colours."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfdivcolor as tdc

SAVED = Path(__file__).parents[1] / "fixtures" / "v0_5_0"


@pytest.fixture(scope="module")
def expected():
    with np.load(SAVED / "expected.npz") as arrays:
        return dict(arrays)


def _check(colorizer, expected):
    # Of the same latents: which ones a call chooses is another matter.
    luminance, z = (tf.constant(expected[name])
                    for name in ("luminance", "regions_z"))
    np.testing.assert_allclose(
        colorizer.vae.decode(z, luminance), expected["regions_ab"],
        rtol=1e-3, atol=1e-3)
    log_prob = colorizer.prior(luminance).log_prob(
        tf.transpose(z, [1, 0, 2]))
    np.testing.assert_allclose(
        tf.transpose(log_prob), expected["regions_log_prob"], rtol=1e-3,
        atol=1e-3)


def test_a_folder_of_weights(expected):
    _check(tdc.load(SAVED / "regions"), expected)


def test_a_keras_file(expected):
    assert tdc.Colorizer  # registers the classes
    _check(keras.models.load_model(SAVED / "colorizer.keras"), expected)


def test_the_vae_alone(expected):
    vae = keras.models.load_model(SAVED / "vae.keras")
    ab = vae.decode(tf.constant(expected["regions_z"]), expected["luminance"])
    np.testing.assert_allclose(ab, expected["regions_ab"], atol=1e-3)


def test_a_recolouring_layer(expected):
    assert tdc.RandomRecolor
    model = keras.models.load_model(SAVED / "recolor.keras")
    pixels = model.layers[-1].recolor(expected["pixels"], [1, 2])
    difference = np.int32(pixels) - expected["recolored"]
    assert np.abs(difference).max() <= 1


@pytest.mark.parametrize("name", ["cvae", "regression", "cgan"])
def test_a_baseline(name, expected):
    model = tdc.baselines.load(SAVED / f"{name}.keras")
    ab = model.sample(expected["luminance"], 2, seed=1)["ab"]
    np.testing.assert_allclose(ab, expected[name], atol=1e-3)


def test_a_fresh_process_needs_the_class_and_no_more():
    program = ("import keras, tfdivcolor as tdc\n"
               "tdc.Colorizer\n"
               f"keras.models.load_model({str(SAVED / 'colorizer.keras')!r})")
    done = subprocess.run([sys.executable, "-c", program],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
