"""Conversions at full size: by TensorFlow, or by loops for large pictures.

    luminance_of   of `canvas`, for NumPy arrays
    join, join_16

The choice depends on the picture's size alone, so the same picture always
gives the same bytes. Graphs of models use `canvas` for every size.
"""

import functools

import numpy as np

from tfdivcolor.color import canvas, lab
from tfdivcolor.graphs.stored import StoredFunction

# From here on the loops save more time than Numba takes to start, for eight
# results or more pictures.
LARGE = 700_000  # pixels

_LUMINANCE_OF, _MODELS, _JOIN, _JOIN_16 = (
    {name: StoredFunction(f"luminance_of {name}", graph.get_concrete_function)
     for name, graph in canvas.LUMINANCE_OF.items()},
    StoredFunction("models", canvas.models.get_concrete_function),
    StoredFunction("join", canvas.join.get_concrete_function),
    StoredFunction("join_16", canvas.join_16.get_concrete_function))


def luminance_of(pixels: np.ndarray) -> np.ndarray:
    """Computes the luminance of a photograph.

    Args:
        pixels: uint8 or uint16 [H, W, 3], sRGB.

    Returns:
        float32 [H, W, 1], 0..100. Large pictures are within 1e-3 of
        `canvas.luminance_of`.

    Raises:
        ValueError: if `pixels` has another type.
    """
    if pixels.dtype.name not in _LUMINANCE_OF:
        return canvas.luminance_of(pixels).numpy()  # raises the error
    if pixels[..., 0].size < LARGE:
        return _LUMINANCE_OF[pixels.dtype.name](pixels)
    from tfdivcolor.color import kernels

    luminance = np.empty(pixels.shape[:2], np.float32)
    kernels.luminance_of(
        # Turned photographs are views, which Numba would compile for again.
        np.ascontiguousarray(pixels), _linear_light(pixels.dtype),
        _lightness(), luminance)
    return luminance[..., np.newaxis]


def on_canvas(luminance: np.ndarray, cells: int) -> np.ndarray | None:
    """Makes the argument `small` of `join`, for several fields.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        cells: int. Side of the fields.

    Returns:
        as of `canvas.on_canvas`; None for small pictures, which do without.
    """
    if luminance.size < LARGE:
        return None
    return canvas.on_canvas(luminance, cells).numpy()


def join(luminance: np.ndarray, ab: np.ndarray,
         small: np.ndarray | None = None) -> np.ndarray:
    """Joins a full-size luminance and a small colour field.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        ab: float32 [c, c, 2], CIE units.
        small: from `on_canvas`, or None (the default): the function makes it.

    Returns:
        uint8 [H, W, 3], sRGB. Large pictures are within one level of
        `canvas.join`; about 1 of 100,000 values differs.
    """
    if luminance.size < LARGE:
        return _JOIN(luminance, ab)
    return _joined(luminance, ab, small, np.uint8)


def join_16(luminance: np.ndarray, ab: np.ndarray,
            small: np.ndarray | None = None) -> np.ndarray:
    """Like `join`, in 16 bits: uint16 [H, W, 3], sRGB 0..65535.

    Large pictures are within 0.03 units of chroma of `canvas.join_16`.
    """
    if luminance.size < LARGE:
        return _JOIN_16(luminance, ab)
    return _joined(luminance, ab, small, np.uint16)


def _joined(luminance, ab, small, dtype):
    from tfdivcolor.color import kernels

    pixels = np.empty([*luminance.shape[:2], 3], dtype)
    if small is None:
        small = on_canvas(luminance, len(ab))
    planes, lowest, highest = _MODELS(small, ab, luminance.shape[1])
    kernels.join(luminance[..., 0], planes, lowest, highest,
                 _levels(np.dtype(dtype)), pixels)
    return pixels


@functools.cache
def _levels(dtype):
    """Levels of linear light from 0 to 1, with one cell more."""
    return lab.srgb_from_linear(_light()).numpy() * np.float32(
        np.iinfo(dtype).max)


@functools.cache
def _linear_light(dtype):
    """Linear light of every level."""
    most = np.iinfo(dtype).max
    levels = np.arange(most + 1, dtype=np.float32) / np.float32(most)
    return lab.linear_from_srgb(levels).numpy()


@functools.cache
def _lightness():
    """L of relative luminances from 0 to 1, with one cell more."""
    return np.clip(lab.lightness(_light()).numpy(), 0.0, 100.0)


def _light():
    """Light from 0 to 1 at the ends of a table's cells."""
    from tfdivcolor.color import kernels

    return np.arange(kernels.CELLS + 2, dtype=np.float32) / kernels.CELLS
