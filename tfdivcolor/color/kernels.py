"""Loops over the pixels of large pictures, compiled by Numba.

One pass over memory takes the place of TensorFlow's hundred operations. The
formulas are those of `lab` and `upsampling`; `fullsize` chooses. A value can
round the other way: about 1 in 100,000 of 8 bits then differs by one level.

Numba compiles each loop once per machine, in a few seconds, and keeps the code
beside this file or in the user's cache folder. The loops release Python's
global lock, so that threads run them side by side.
"""

import numba
import numpy as np

from tfdivcolor.color import lab

# Curves are read from tables, linearly interpolated: less than 0.1 levels of
# 16 bits beside the true value, or 1e-4 of L.
CELLS = 1 << 14

_F = np.float32
_LOWEST, _HIGHEST = _F(-lab.GAMUT_TOLERANCE), _F(1 + lab.GAMUT_TOLERANCE)
_CHROMA, _BISECTIONS = _F(lab.LARGEST_CHROMA), lab.BISECTIONS
_KNEE = _F(lab.DELTA)
_SLOPE, _OFFSET = _F(3 * lab.DELTA**2), _F(lab.DELTA**3 - 3 * lab.DELTA**3)
(_RX, _RY, _RZ), (_GX, _GY, _GZ), (_BX, _BY, _BZ) = (
    lab.RGB_FROM_XYZ.astype(_F))
_RED, _GREEN, _BLUE = lab.XYZ_FROM_RGB[1].astype(_F)

_compiled = numba.njit(cache=True, nogil=True, fastmath=True)
_inlined = numba.njit(cache=True, nogil=True, fastmath=True, inline="always")


@_inlined
def _cube(x):
    return x * x * x if x > _KNEE else _SLOPE * x + _OFFSET


@_inlined
def _linear(luminance, a, b):
    fy = (luminance + _F(16)) * _F(1 / 116)
    x = _cube(fy + a * _F(1 / 500))
    y = _cube(fy)
    z = _cube(fy - b * _F(1 / 200))
    return (_RX * x + _RY * y + _RZ * z, _GX * x + _GY * y + _GZ * z,
            _BX * x + _BY * y + _BZ * z)


@_inlined
def _is_inside(red, green, blue):
    return (min(red, green, blue) >= _LOWEST
            and max(red, green, blue) <= _HIGHEST)


@_inlined
def _read(table, x):
    position = min(max(x, _F(0)), _F(1)) * _F(CELLS)
    cell = np.int32(position)
    share = position - _F(cell)
    return table[cell] + share * (table[cell + 1] - table[cell])


@_compiled
def _search(luminance, a, b):
    """Linear light on the border of the gamut: as in `lab.map_to_gamut`."""
    factor, step = _F(0), min(_F(1), _CHROMA / np.sqrt(a * a + b * b))
    for _ in range(_BISECTIONS):
        step *= _F(0.5)
        trial = factor + step
        red, green, blue = _linear(luminance, trial * a, trial * b)
        if _is_inside(red, green, blue):
            factor = trial
    return _linear(luminance, factor * a, factor * b)


@_compiled
def join(luminance, planes, lowest, highest, table, pixels):
    """Joins luminance and chrominance, as `canvas.join`.

    Args:
        luminance: float32 [H, W], 0..100.
        planes: float32 [6, h, W]. As of `upsampling.widen`.
        lowest, highest: float32 [2]. As in `upsampling.Models`.
        table: float32. `levels` of the type of `pixels`.
        pixels: uint8 or uint16 [H, W, 3]. Gets the result.
    """
    height, width = luminance.shape
    cells = planes.shape[1]
    row = np.empty((6, width), np.float32)
    light = np.empty((3, width), np.float32)
    ab = np.empty((2, width), np.float32)
    for y in range(height):
        position = min(max((_F(y) + _F(0.5)) * (_F(cells) / _F(height))
                           - _F(0.5), _F(0)), _F(cells - 1))
        above = int(position)
        below = min(above + 1, cells - 1)
        share = position - _F(above)
        for plane in range(6):
            for x in range(width):
                upper = planes[plane, above, x]
                row[plane, x] = upper + share * (
                    planes[plane, below, x] - upper)
        for x in range(width):
            valid = min(max(luminance[y, x], row[4, x]), row[5, x])
            a = min(max(row[0, x] * valid + row[2, x], lowest[0]), highest[0])
            b = min(max(row[1, x] * valid + row[3, x], lowest[1]), highest[1])
            red, green, blue = _linear(luminance[y, x], a, b)
            ab[0, x], ab[1, x] = a, b
            light[0, x], light[1, x], light[2, x] = red, green, blue
        for x in range(width):
            if not _is_inside(light[0, x], light[1, x], light[2, x]):
                light[0, x], light[1, x], light[2, x] = _search(
                    luminance[y, x], ab[0, x], ab[1, x])
        for x in range(width):
            for channel in range(3):
                pixels[y, x, channel] = np.int32(
                    _read(table, light[channel, x]) + _F(0.5))


@_compiled
def luminance_of(pixels, linear, table, luminance):
    """Computes L, as `canvas.luminance_of`.

    Args:
        pixels: uint8 or uint16 [H, W, 3], sRGB.
        linear: float32. `linear_light` of the type of `pixels`.
        table: float32. `lightness()`.
        luminance: float32 [H, W]. Gets the result.
    """
    height, width = luminance.shape
    for y in range(height):
        for x in range(width):
            luminance[y, x] = _read(table, (
                _RED * linear[pixels[y, x, 0]]
                + _GREEN * linear[pixels[y, x, 1]]
                + _BLUE * linear[pixels[y, x, 2]]))
