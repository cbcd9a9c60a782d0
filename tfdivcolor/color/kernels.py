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
def _search(luminance, ab, light, outside, work):
    """Puts pixels on the border of the gamut, as `lab.map_to_gamut`.

    Every step runs over all pixels, so that the processor computes several at
    once.

    Args:
        luminance: float32 [W], 0..100.
        ab: float32 [2, W].
        light: float32 [3, W]. The pixels outside get new values.
        outside: int32 [n]. Their columns.
        work: float32 [5, at least n].
    """
    count = len(outside)
    for i in range(count):
        x = outside[i]
        a, b = ab[0, x], ab[1, x]
        work[0, i], work[1, i], work[2, i] = luminance[x], a, b
        work[3, i] = _F(0)
        work[4, i] = min(_F(1), _CHROMA / np.sqrt(a * a + b * b))
    for _ in range(_BISECTIONS):
        for i in range(count):
            step = work[4, i] * _F(0.5)
            trial = work[3, i] + step
            red, green, blue = _linear(
                work[0, i], trial * work[1, i], trial * work[2, i])
            work[3, i] = trial if _is_inside(red, green, blue) else work[3, i]
            work[4, i] = step
    for i in range(count):
        x, factor = outside[i], work[3, i]
        light[0, x], light[1, x], light[2, x] = _linear(
            luminance[x], factor * ab[0, x], factor * ab[1, x])


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
    outside = np.empty(width, np.int32)
    work = np.empty((5, width), np.float32)
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
        count = 0
        for x in range(width):
            outside[count] = x
            count += not _is_inside(light[0, x], light[1, x], light[2, x])
        _search(luminance[y], ab, light, outside[:count], work)
        for x in range(width):
            for channel in range(3):
                pixels[y, x, channel] = np.int32(
                    _read(table, light[channel, x]) + _F(0.5))


@_inlined
def _lightness(pixel, linear, table):
    return _read(table, (_RED * linear[pixel[0]] + _GREEN * linear[pixel[1]]
                         + _BLUE * linear[pixel[2]]))


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
            luminance[y, x] = _lightness(pixels[y, x], linear, table)


@_compiled
def largest_error(pixels, linear, table, luminance):
    """Computes the largest difference of L; arguments as in `luminance_of`."""
    height, width = luminance.shape
    largest = _F(0)
    for y in range(height):
        for x in range(width):
            found = _lightness(pixels[y, x], linear, table)
            largest = max(largest, abs(found - luminance[y, x]))
    return largest


@_compiled
def shrink(luminance, rows, first_rows, columns, first_columns, small):
    """Computes weighted means of rectangles: both directions of a resize.

    Args:
        luminance: float32 [H, W].
        rows, columns: float32 [h, n] and [w, m]. Weights of the rows and
            columns that a result is the mean of.
        first_rows, first_columns: int32 [h] and [w]. Where they begin.
        small: float32 [h, w]. Gets the result.
    """
    width = luminance.shape[1]
    row = np.empty(width, np.float32)
    for i in range(small.shape[0]):
        row[:] = 0
        for k in range(rows.shape[1]):
            weight, y = rows[i, k], first_rows[i] + k
            if weight > 0:
                for x in range(width):
                    row[x] += weight * luminance[y, x]
        for j in range(small.shape[1]):
            total, start = _F(0), first_columns[j]
            for k in range(min(columns.shape[1], width - start)):
                total += columns[j, k] * row[start + k]
            small[i, j] = total
