"""Conversions at full size: by TensorFlow, or by loops for large pictures.

    luminance_of, on_canvas, join, join_16   of `canvas`, for NumPy arrays
    luminance_error

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
    kernels.luminance_of(*_curves(pixels), luminance)
    return luminance[..., np.newaxis]


def luminance_error(pixels: np.ndarray, luminance: np.ndarray) -> float:
    """Computes the largest difference in L from a luminance.

    Args:
        pixels: uint8 or uint16 [H, W, 3], sRGB.
        luminance: float32 [H, W, 1], 0..100.

    Returns:
        float, 0..100.
    """
    if luminance.size < LARGE:
        return float(np.abs(luminance_of(pixels) - luminance).max())
    from tfdivcolor.color import kernels

    return float(kernels.largest_error(*_curves(pixels), luminance[..., 0]))


def _curves(pixels):
    """The first arguments of the loops from pixels to L."""
    # Turned photographs are views, which Numba would compile for again.
    return (np.ascontiguousarray(pixels), _linear_light(pixels.dtype),
            _lightness())


def on_canvas(luminance: np.ndarray, size: int) -> np.ndarray:
    """Squashes a luminance to a square, as `canvas.on_canvas`.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        size: int. Side of the square.

    Returns:
        float32 [size, size, 1], 0..100. Large pictures are within 1e-3 of
        `canvas.on_canvas`.
    """
    if luminance.size < LARGE:
        return canvas.on_canvas(luminance, size).numpy()
    from tfdivcolor.color import kernels

    small = np.empty([size, size], np.float32)
    kernels.shrink(luminance[..., 0], *_weights(len(luminance), size),
                   *_weights(luminance.shape[1], size), small)
    return np.clip(small, 0.0, 100.0)[..., np.newaxis]


def _weights(length, size):
    """Weights of an antialiased bilinear resize along one direction.

    Returns:
        weights: float32 [size, n], which sum to 1 for each result.
        first: int32 [size]. Place of the first weight.
    """
    scale = length / size
    reach = max(scale, 1.0)  # of a triangle, in pixels
    centres = (np.arange(size) + 0.5) * scale
    first = np.maximum(np.ceil(centres - reach - 0.5), 0).astype(np.int32)
    places = first[:, None] + np.arange(int(2 * reach) + 2)
    weights = np.maximum(
        1 - np.abs(places + 0.5 - centres[:, None]) / reach, 0)
    weights[places >= length] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32), first


def join(luminance: np.ndarray, ab: np.ndarray,
         small: np.ndarray | None = None) -> np.ndarray:
    """Joins a full-size luminance and a small colour field.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        ab: float32 [c, c, 2], CIE units.
        small: float32 [c, c, 1]. `luminance` from `on_canvas`, for callers
            that join several fields. Defaults to None: the function makes it.

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
