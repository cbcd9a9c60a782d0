"""The way to the canvas and back to full size."""

import numpy as np
from skimage import color as skcolor, data

from tfdivcolor import canvas


def test_strips_do_not_show(monkeypatch):
    pixels = data.astronaut()[::2, ::3]
    luminance = canvas.luminance_of(pixels)
    ab = np.random.default_rng(0).normal(0, 30, (8, 8, 2)).astype(np.float32)
    joined = canvas.join(luminance, ab)
    monkeypatch.setattr(canvas, "STRIP_PIXELS", 1000)
    # Vectorised and left-over elements may round differently.
    np.testing.assert_allclose(
        canvas.luminance_of.python_function(pixels), luminance, atol=1e-4)
    again = canvas.join.python_function(luminance, ab)
    assert np.abs(joined.numpy().astype(int) - again).max() <= 1


def test_luminance_is_that_of_skimage():
    pixels = data.astronaut()[::4, ::4]
    luminance = canvas.luminance_of(pixels).numpy()
    small = canvas.on_canvas(luminance, 32).numpy()
    np.testing.assert_allclose(
        luminance[..., 0], skcolor.rgb2lab(pixels)[..., 0], atol=6e-3)
    assert small.shape == (32, 32, 1)
    # Antialiased: the canvas keeps the mean.
    assert abs(small.mean() - luminance.mean()) < 0.5
