"""One opened photograph: its pictures for the screen, and its results.

The photograph is read once and kept as it is; its results are colour fields
of the canvas, which become pictures only where the screen asks for them, at
the size that it asks for.
"""

from __future__ import annotations

import collections
import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tfdivcolor import images
from tfdivcolor.gallery import previews
from tfdivcolor.settings import Hint, Sampling, Steering
from tfdivcolor.studio.states import State

if TYPE_CHECKING:  # it imports TensorFlow
    from tfdivcolor.coloring.colorizer import Colorizer

SIZES = (128, 384, 1024, 2048)  # longer sides of whole pictures
REDUCTIONS = (1, 2, 4, 8)  # of parts
MAX_PART_PIXELS = 4_200_000
POOL = 96  # draws that show what is possible at a point
_RESULTS = 32  # states whose results are kept, of one photograph
_POOLS = 4

_SCREEN = {"quality": 90, "subsampling": 0}


def warm_ups(colorizer: Colorizer) -> list[Callable[[], None]]:
    """Calls that make the graphs of all that a page may ask for.

    Each takes a second or two, which a person would wait for otherwise.

    Args:
        colorizer: `Colorizer`.

    Returns:
        list of functions without arguments, the most needed first.
    """
    from tfdivcolor.coloring import drawing

    small = np.full([colorizer.luminance_size] * 2 + [1], 50, np.float32)
    hint, kept = (Hint(0, 0, (128, 100, 90)),), (0.0,) * colorizer.latent_dim

    def drawn(steering):
        drawing.draw(colorizer, small, (64, 64),
                     np.full([len(steering.hints), 1], 50, np.float32),
                     Sampling(), steering)

    return [functools.partial(drawn, steering) for steering in (
        Steering(), Steering(hints=hint), Steering(warmth=1.0),
        Steering(kept=kept), Steering(hints=hint, kept=kept))]


class Gone(Exception):
    """Results are asked for that are not in memory (any more)."""


@dataclass(frozen=True)
class Part:
    """A piece of a photograph at one of its sizes, in pixels of that size."""

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the photograph."""
        return (self.right - self.left, self.bottom - self.top) == (
            self.width, self.height)


class Easel:
    """A photograph, and the results of the states that were asked for.

    Args:
        photo: `images.Photo`.
        checksum: str. SHA-256 of its file.

    Attributes:
        photo, checksum: as given.
        width, height: ints. Of the photograph.
    """

    def __init__(self, photo: images.Photo, checksum: str):
        self.photo, self.checksum = photo, checksum
        self.height, self.width, _ = photo.pixels.shape
        self._lock = threading.Lock()
        self._results: collections.OrderedDict[str, dict[str, Any]] = (
            collections.OrderedDict())
        self._pools: collections.OrderedDict[str, np.ndarray] = (
            collections.OrderedDict())
        self._seen: Any = None
        self._luminances: dict[Part, Any] = {}  # at most one of each size

    # --- On the networks' thread -------------------------------------------

    def seen(self, colorizer: Colorizer) -> tuple[Any, Any]:
        """Luminance as the networks see it, and on the canvas of the fields."""
        if self._seen is None:
            from tfdivcolor.color import canvas
            from tfdivcolor.coloring import drawing

            luminance = canvas.luminance_of(self.photo.finest)
            self._seen = (drawing.seen(colorizer, luminance),
                          canvas.on_canvas(luminance, colorizer.canvas))
        return self._seen

    def results(self, colorizer: Colorizer, state: State, key: str
                ) -> dict[str, Any]:
        """Draws the results of a state, or finds them again.

        Args:
            colorizer: `Colorizer`.
            state: `State`.
            key: str, its key.

        Returns:
            dict as of `drawing.draw`.

        Raises:
            ValueError: a hint is outside of the photograph.
        """
        from tfdivcolor.coloring import drawing

        return self._drawn(self._results, _RESULTS, key, lambda: drawing.draw(
            *self._arguments(colorizer, state)))

    def pool(self, colorizer: Colorizer, state: State, key: str
             ) -> np.ndarray:
        """The fields that a state's results sum up: as of `drawing.pool`."""
        from tfdivcolor.coloring import drawing

        return self._drawn(self._pools, _POOLS, key, lambda: drawing.pool(
            *self._arguments(colorizer, state), count=POOL))

    def _arguments(self, colorizer, state):
        """Those of `drawing`'s functions."""
        from tfdivcolor.coloring import coloring

        hints = state.steering.hints
        coloring.check_hints(self.photo, hints)
        small, _ = self.seen(colorizer)
        lightness = [self.lightness(hint.x, hint.y) for hint in hints]
        return (colorizer, small, (self.width, self.height),
                np.asarray(lightness, np.float32).reshape(-1, 1),
                state.sampling, state.steering)

    def _drawn(self, kept, limit, key, draw):
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        found = draw()
        with self._lock:
            kept[key] = found
            while len(kept) > limit:
                kept.popitem(last=False)
        return found

    def lightness(self, x: int, y: int) -> float:
        """L of a pixel, 0..100."""
        from tfdivcolor.color import canvas

        return float(canvas.luminance_of(
            self.photo.finest[y:y + 1, x:x + 1])[0, 0, 0])

    # --- On any thread -----------------------------------------------------

    def whole(self, size: int) -> Part:
        """All of the photograph, its longer side at most `size`."""
        factor = min(1.0, size / max(self.width, self.height))
        width, height = (max(1, round(factor * side))
                         for side in (self.width, self.height))
        return Part(0, 0, width, height, width, height)

    def part(self, left: int, top: int, width: int, height: int,
             reduction: int) -> Part:
        """A part, given in the photograph's pixels, reduced.

        Raises:
            ValueError: it is not inside the photograph, or too large.
        """
        if not (0 <= left < left + width <= self.width
                and 0 <= top < top + height <= self.height):
            raise ValueError(
                f"box must lie inside the picture, {self.width} x "
                f"{self.height} (received {left},{top},{width},{height})")
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduce must be one of {REDUCTIONS} "
                             f"(received {reduction})")
        sides = [max(1, side // reduction)
                 for side in (self.width, self.height)]
        edges = [min(-(-edge // reduction), side) for edge, side in
                 ((left + width, sides[0]), (top + height, sides[1]))]
        starts = [min(start // reduction, edge - 1)
                  for start, edge in zip((left, top), edges)]
        pixels = (edges[0] - starts[0]) * (edges[1] - starts[1])
        if pixels > MAX_PART_PIXELS:
            raise ValueError(
                f"box must have at most {MAX_PART_PIXELS} pixels once reduced "
                f"(received {pixels})")
        return Part(*starts, *edges, *sides)

    def grey(self, part: Part) -> bytes:
        """The picture without colours, a JPEG file."""
        return previews.jpeg(previews.grey(self._image(part)), quality=90)

    def original(self, part: Part) -> bytes:
        """The picture as it came, a JPEG file."""
        return previews.jpeg(self._image(part), **_SCREEN)

    def result(self, key: str, rank: int, part: Part) -> bytes:
        """A result, a JPEG file.

        Raises:
            Gone: the state's results are not in memory.
        """
        from tfdivcolor.color import canvas

        with self._lock:
            if key not in self._results:
                raise Gone(key)
            field = self._results[key]["ab"]
        if rank >= len(field):
            raise Gone(f"{key}/{rank}")
        _, small = self._seen
        pixels = canvas.join_part(
            self._luminance(part), field[rank], small, part.left, part.top,
            part.width, part.height).numpy()
        return previews.jpeg(Image.fromarray(pixels), **_SCREEN)

    def _luminance(self, part):
        from tfdivcolor.color import canvas

        def found():
            return canvas.luminance_of(np.asarray(self._image(part)))

        # Whole pictures come again with every state, parts seldom.
        if not part.is_whole:
            return found()
        with self._lock:
            if part not in self._luminances:
                self._luminances[part] = found()
            return self._luminances[part]

    def _image(self, part):
        """The photograph's own pixels there: PIL image, RGB."""
        pixels = self.photo.pixels
        across, down = self.width / part.width, self.height / part.height
        box = (part.left * across, part.top * down,
               min(part.right * across, self.width),
               min(part.bottom * down, self.height))
        left, top = int(box[0]), int(box[1])
        right, bottom = -int(-box[2] // 1), -int(-box[3] // 1)
        image = Image.fromarray(np.ascontiguousarray(
            pixels[top:bottom, left:right]))
        size = part.right - part.left, part.bottom - part.top
        if image.size == size:
            return image
        return image.resize(
            size, Image.Resampling.BOX, reducing_gap=2.0,
            box=(box[0] - left, box[1] - top, box[2] - left, box[3] - top))
