"""Possible colours of a point, regions, and notes about hints.

The page shows them beside a hint.  The colours come from the same draws and
the same conversion as the results.
"""

from __future__ import annotations

import base64
import functools
import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tfdivcolor.studio.easel import Easel
from tfdivcolor.studio.states import State

if TYPE_CHECKING:  # it imports TensorFlow
    from tfdivcolor.coloring.colorizer import Colorizer

NUM_COLORS = 6  # limit for the colours of a point
_ALIKE = 7.0  # CIE units; nearer colours count as one
_LEAST_SHARE = 0.02  # colours with a smaller share are not shown
# Results at this distance or more miss a hint, in CIE units: three standard
# deviations of a hint (`steering.HINT_NOISE`).
_MISSED = 7.5
_ONE_REGION = 0.3  # overlap from which two hints share a region
_GAMUT_PIXELS = 257


def colors(easel: Easel, colorizer: Colorizer, state: State, key: str,
           x: int, y: int) -> dict[str, Any]:
    """The possible colours of a point, with shares.

    The function groups the colours that the draws behind the state's results
    have at the point.

    Args:
        easel: `Easel`.
        colorizer: `Colorizer`.
        state: `State`.
        key: str, its key.
        x, y: ints. A pixel of the photograph.

    Returns:
        dict of lightness (0 to 100), grey ("#rrggbb"), colors (at most
        `NUM_COLORS` dicts of rgb and share, the largest share first) and
        results (the colour of each result).

    Raises:
        ValueError: a hint is outside the photograph.
    """
    draws = easel.pool(colorizer, state, key)
    found = easel.results(colorizer, state, key)["ab"]
    lightness = easel.lightness(x, y)
    groups = _groups(_at(draws, easel, colorizer, x, y))
    return {
        "lightness": lightness,
        "grey": _hex(lightness, np.zeros([1, 2]))[0],
        "colors": [
            {"rgb": rgb, "share": share} for rgb, (_, share) in zip(
                _hex(lightness, np.stack([ab for ab, _ in groups])), groups)],
        "results": _hex(lightness, _at(found, easel, colorizer, x, y))}


def _at(fields, easel, colorizer, x, y):
    """The ab of S fields at a pixel: float32 [S, 2]."""
    from tfdivcolor.latent import hints

    position = hints.canvas_position(
        x, y, easel.width, easel.height, colorizer.canvas)
    weights = hints.pixel_weights(
        np.asarray([position], np.float32), colorizer.canvas)
    return hints.means(fields[None], weights)[0, :, 0].numpy()


def _groups(ab):
    """Groups ab [S, 2]: list of (mean ab, share), the largest share first."""
    import tensorflow as tf

    from tfdivcolor.latent import clustering

    points = tf.constant(ab)[None]
    centres, own = clustering.centres(
        points, clustering.spread_out(points, tf.constant(NUM_COLORS)),
        tf.constant([[[False]]]))
    share = tf.reduce_mean(own, axis=1)[0].numpy()
    groups = [(centre, part) for centre, part in zip(
        centres[0].numpy(), share) if part]
    while len(groups) > 1:
        pairs = [(float(np.hypot(*(one[0] - other[0]))), i, j)
                 for i, one in enumerate(groups)
                 for j, other in enumerate(groups[:i])]
        distance, i, j = min(pairs)
        if distance > _ALIKE:
            break
        one, other = groups.pop(i), groups.pop(j)
        total = one[1] + other[1]
        groups.append(((one[0] * one[1] + other[0] * other[1]) / total, total))
    groups.sort(key=lambda group: -group[1])
    return [(ab, float(part)) for place, (ab, part) in enumerate(groups)
            if not place or part >= _LEAST_SHARE]


def _hex(lightness, ab):
    """Colours of one lightness in sRGB: list of "#rrggbb"."""
    from tfdivcolor import color

    pixels = color.join(np.full([len(ab), 1], lightness, np.float32),
                        np.asarray(ab, np.float32)).numpy()
    return ["#" + bytes(pixel).hex() for pixel in pixels]


def regions(easel: Easel, colorizer: Colorizer) -> dict[str, Any] | None:
    """The regions of a photograph.

    Args:
        easel: `Easel`.
        colorizer: `Colorizer`.

    Returns:
        dict of size (of the canvas), regions (their number M) and assignment
        (base64 of uint8 [size * size, M]; each row sums to about 255). None
        for weights without regions.
    """
    assignment = _assignment(easel, colorizer)
    if assignment is None:
        return None
    levels = np.round(255 * assignment).astype(np.uint8)
    return {"size": colorizer.canvas, "regions": levels.shape[1],
            "assignment": base64.b64encode(levels.tobytes()).decode()}


def _assignment(easel, colorizer):
    """float32 [canvas * canvas, M], rows sum to 1; or None."""
    from tfdivcolor.coloring import drawing

    if not colorizer.has_regions:
        return None
    small, _ = easel.seen(colorizer)
    grey, _ = drawing.look(colorizer, small)
    return np.asarray(grey["assignment"][0])


def of_hints(easel: Easel, colorizer: Colorizer, state: State,
             found: dict[str, Any]) -> list[dict[str, Any] | None]:
    """How well the results follow each hint, and why they miss it.

    Args:
        easel: `Easel`.
        colorizer: `Colorizer`.
        state: `State`.
        found: dict. The state's results.

    Returns:
        list with an item for each hint of the page: None for a muted hint,
        otherwise a dict of ab (the hint's colour), before and after (distances
        to the hint in CIE units, without hints and for each result), note
        (None, "contradicted", "missed" or "lightness") and against (the place
        of the contradicting hint, or None).
    """
    hints = state.steering.hints
    answers: list[dict[str, Any] | None] = [None] * state.num_hints
    if not hints:
        return answers
    from tfdivcolor.latent import hints as points

    weights, targets = points.observations(
        hints, easel.width, easel.height, colorizer.canvas)
    lightness = np.asarray([[easel.lightness(hint.x, hint.y)]
                            for hint in hints], np.float32)
    beyond = points.beyond_gamut(lightness, targets).numpy()
    targets = targets.numpy()
    together = _overlap(easel, colorizer, weights.numpy())
    for index, place in enumerate(state.places):
        after = found["hints_after"][:, index]
        note, against = None, None
        apart = np.hypot(*(targets - targets[index]).T) * (
            together[index] >= _ONE_REGION)
        if float(np.median(after)) > _MISSED and apart.max() > _MISSED:
            against = state.places[int(apart.argmax())]
            note = "contradicted"
        elif float(np.median(after)) > _MISSED:
            note = "missed"
        elif beyond[index] > 2 * _MISSED:
            note = "lightness"
        answers[place] = {
            "ab": [float(value) for value in targets[index]],
            "before": float(found["hints_before"][index]),
            "after": [float(value) for value in after],
            "note": note, "against": against}
    return answers


def _overlap(easel, colorizer, weights):
    """How much N hints share regions: [N, N], 1 for the same region."""
    assignment = _assignment(easel, colorizer)
    # Without regions, compare the hints' own pixels.
    parts = weights if assignment is None else weights @ assignment
    parts = parts / np.maximum(np.linalg.norm(parts, axis=1, keepdims=True),
                               1e-9)
    return parts @ parts.T


@functools.cache
def gamut(lightness: int) -> dict[str, Any]:
    """A picture of the ab plane at one lightness.

    Args:
        lightness: int, 0 to 100.

    Returns:
        dict of lightness, radius (CIE units at the picture's edge) and
        picture (data URI of a PNG file; a increases to the right, b upwards;
        colours outside sRGB are transparent).
    """
    from tfdivcolor import color

    angles = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    far = 200 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    edge = color.map_to_gamut(
        np.full([len(far), 1], lightness, np.float32), far).numpy()
    radius = max(1.0, float(np.hypot(*edge.T).max()))
    steps = np.linspace(-radius, radius, _GAMUT_PIXELS, dtype=np.float32)
    ab = np.stack(np.meshgrid(steps, steps[::-1]), axis=-1).reshape(-1, 2)
    planes = np.full([len(ab), 1], lightness, np.float32)
    outside = np.hypot(*(color.map_to_gamut(planes, ab).numpy() - ab).T) > 0.5
    pixels = np.concatenate([
        color.join(planes, ab).numpy(),
        np.where(outside, 0, 255).astype(np.uint8)[:, None]], axis=1)
    file = io.BytesIO()
    Image.fromarray(pixels.reshape(
        _GAMUT_PIXELS, _GAMUT_PIXELS, 4)).save(file, "PNG")
    picture = base64.b64encode(file.getvalue()).decode()
    return {"lightness": lightness, "radius": radius,
            "picture": f"data:image/png;base64,{picture}"}
