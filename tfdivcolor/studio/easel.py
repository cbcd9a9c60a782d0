"""One open photograph: its pictures for the screen, and its results.

The easel keeps the photograph at full size and its results as colour fields
of the canvas.  A result becomes a picture when the page requests it, in the
part and at the size that the page shows.
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
from tfdivcolor.settings import Hint, Steering
from tfdivcolor.studio.states import State

if TYPE_CHECKING:  # it imports TensorFlow
    from tfdivcolor.coloring.colorizer import Colorizer

SIZES = (128, 384, 1024, 2048)  # longer sides of whole pictures, in pixels
REDUCTIONS = (1, 2, 4, 8)  # allowed factors for parts
MAX_PART_PIXELS = 4_200_000
POOL = 96  # draws that give the possible colours of a point
_RESULTS = 32  # states per photograph whose results stay in memory
_POOLS = 4

_SCREEN = {"quality": 90, "subsampling": 0}


def warm_ups(colorizer: Colorizer) -> list[Callable[[], None]]:
    """Calls that compile a graph for every kind of request.

    Each call takes a second or two.  A user waits for it at the first request
    of its kind unless the server makes the call earlier.

    Args:
        colorizer: `Colorizer`.

    Returns:
        list of functions without arguments, the most frequent kind first.
    """
    from tfdivcolor.coloring import coloring

    hint, kept = (Hint(0, 0, (128, 100, 90)),), (0.0,) * colorizer.latent_dim
    return [functools.partial(coloring.warm_up, colorizer, steering=steering)
            for steering in (
                Steering(), Steering(hints=hint), Steering(warmth=1.0),
                Steering(kept=kept), Steering(hints=hint, kept=kept))]


class Gone(Exception):
    """The requested results are not in memory."""


@dataclass(frozen=True)
class Part:
    """A rectangle of a photograph that is reduced to some size.

    Attributes:
        left, top, right, bottom: ints. The rectangle, in reduced pixels.
        width, height: ints. The whole photograph, in reduced pixels.
    """

    left: int
    top: int
    right: int
    bottom: int
    width: int
    height: int

    @property
    def is_whole(self) -> bool:
        """Whether the part is the whole photograph."""
        return (self.right - self.left, self.bottom - self.top) == (
            self.width, self.height)


class Easel:
    """A photograph, and the results of recent states.

    Args:
        photo: `images.Photo`.
        checksum: str. SHA-256 of its file.

    Attributes:
        photo, checksum: as given.
        width, height: ints. Pixels of the photograph.
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
        self._luminances: dict[Part, Any] = {}  # whole pictures, by size

    # --- On the networks' thread -------------------------------------------

    def seen(self, colorizer: Colorizer) -> tuple[Any, Any]:
        """The luminance for the networks, and on the canvas of the fields.

        Args:
            colorizer: `Colorizer`.

        Returns:
            as of `drawing.seen`, and as of `fullsize.on_canvas`.
        """
        if self._seen is None:
            from tfdivcolor.color import fullsize
            from tfdivcolor.coloring import drawing

            luminance = fullsize.luminance_of(self.photo.finest)
            self._seen = (drawing.seen(colorizer, luminance),
                          fullsize.on_canvas(luminance, colorizer.canvas))
        return self._seen

    def results(self, colorizer: Colorizer, state: State, key: str
                ) -> dict[str, Any]:
        """Draws the results of a state, or finds them in memory.

        Args:
            colorizer: `Colorizer`.
            state: `State`.
            key: str, its key.

        Returns:
            dict as of `drawing.draw`.

        Raises:
            ValueError: a hint is outside the photograph.
        """
        from tfdivcolor.coloring import drawing

        return self._drawn(self._results, _RESULTS, key, lambda: drawing.draw(
            *self._arguments(colorizer, state)))

    def pool(self, colorizer: Colorizer, state: State, key: str
             ) -> np.ndarray:
        """Draws the fields behind a state's results, or finds them in memory.

        Args:
            colorizer: `Colorizer`.
            state: `State`.
            key: str, its key.

        Returns:
            float32 [POOL, canvas, canvas, 2], as of `drawing.pool`.

        Raises:
            ValueError: a hint is outside the photograph.
        """
        from tfdivcolor.coloring import drawing

        return self._drawn(self._pools, _POOLS, key, lambda: drawing.pool(
            *self._arguments(colorizer, state), count=POOL))

    def _arguments(self, colorizer, state):
        """The arguments of `drawing.draw` and `drawing.pool`."""
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
        """The luminance of a pixel.

        Args:
            x, y: ints. A pixel of the photograph.

        Returns:
            float, L* from 0 to 100.
        """
        from tfdivcolor.color import canvas

        return float(canvas.luminance_of(
            self.photo.finest[y:y + 1, x:x + 1])[0, 0, 0])

    # --- On any thread -----------------------------------------------------

    def whole(self, size: int) -> Part:
        """The whole photograph, reduced.

        Args:
            size: int. Limit for the longer side, in pixels.

        Returns:
            `Part`.
        """
        factor = min(1.0, size / max(self.width, self.height))
        width, height = (max(1, round(factor * side))
                         for side in (self.width, self.height))
        return Part(0, 0, width, height, width, height)

    def part(self, left: int, top: int, width: int, height: int,
             reduction: int) -> Part:
        """A rectangle of the photograph, reduced.

        Args:
            left, top, width, height: ints. Pixels of the photograph.
            reduction: int, one of `REDUCTIONS`.

        Returns:
            `Part`.

        Raises:
            ValueError: the rectangle is not inside the photograph, or has more
                than `MAX_PART_PIXELS` reduced pixels; or another reduction.
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
                f"box must have at most {MAX_PART_PIXELS} reduced pixels "
                f"(received {pixels})")
        return Part(*starts, *edges, *sides)

    def grey(self, part: Part) -> bytes:
        """A part of the grey picture: bytes of a JPEG file."""
        return previews.jpeg(previews.grey(self._image(part)), quality=90)

    def original(self, part: Part) -> bytes:
        """A part of the photograph itself: bytes of a JPEG file."""
        return previews.jpeg(self._image(part), **_SCREEN)

    def result(self, key: str, rank: int, part: Part) -> bytes:
        """A part of a result.

        Args:
            key: str. The key of the state.
            rank: int. The rank of the result.
            part: `Part`.

        Returns:
            bytes of a JPEG file.

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

        # The page requests whole pictures for every state, and parts rarely.
        if not part.is_whole:
            return found()
        with self._lock:
            if part not in self._luminances:
                self._luminances[part] = found()
            return self._luminances[part]

    def _image(self, part):
        """The pixels of the photograph in a part: PIL image, RGB."""
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
