"""Coloring: colourings of one photograph at full size.

Python and the command line both call `colorize`.  The docstrings of
`Colorizer`'s methods describe the arguments of the functions here.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tfdivcolor import color, images
from tfdivcolor.color import canvas, fullsize
from tfdivcolor.coloring import drawing
from tfdivcolor.coloring.frozen import AnyColorizer
from tfdivcolor.latent import hints as hint_points
from tfdivcolor.models.joint import JointModel
from tfdivcolor.settings import (
    DEFAULTS,
    MAX_SAMPLES,
    UNSTEERED,
    Hint,
    Sampling,
    Steering,
)
from tfdivcolor.utils.arguments import check_whole


@dataclass(frozen=True, eq=False)
class Coloring:
    """S colourings of one photograph, the safest first.

    The object stores colour fields at the size of the canvas. `image(i)` makes
    one full-size picture on each call.  `coloring[i]`, `coloring[i:j]` and
    `coloring.pick([i, j])` are Colorings with some of the results.

    Attributes:
        photo: `images.Photo`, the picture as read.
        luminance: float32 [H, W, 1], 0..100. L* of the photograph.
        ab: float32 [S, canvas, canvas, 2]. Colour fields, CIE units.
        log_prob: float32 [S]. log p(z | grey image), nats.
        component: int32 [S]. The mixture component of each result.
        weight: float32 [S], 0 to 1. Weight of that component.
        share: float32 [S], 0 to 1. Part of the mixture's draws that are
            nearer to a result than to the call's other results.
        latents: float32 [S, D].
        sampling: `settings.Sampling` of the call.
        steering: `settings.Steering` of the call. Defaults to none.
        hints_before: float32 [N]. Distance of the first result from each hint
            if the call had neither hints nor a kept latent: in ab, CIE units,
            after the gamut limits the colour at the pixel's luminance.
        hints_after: float32 [S, N]. The same distance for every result of the
            call.
        rank: int32 [S]. Rank of each result in its call, from 0. Selection
            does not change it: the rank of `coloring[3]` is 3.
    """

    photo: images.Photo = field(repr=False)
    luminance: np.ndarray = field(repr=False)
    ab: np.ndarray = field(repr=False)
    log_prob: np.ndarray
    component: np.ndarray
    weight: np.ndarray
    share: np.ndarray
    latents: np.ndarray = field(repr=False)
    sampling: Sampling
    steering: Steering = UNSTEERED
    hints_before: np.ndarray = field(
        default_factory=lambda: np.zeros([0], np.float32), repr=False)
    hints_after: np.ndarray = field(
        default=None, repr=False)  # pyright: ignore[reportAssignmentType]
    rank: np.ndarray = None  # pyright: ignore[reportAssignmentType]

    def __post_init__(self):
        for name, value in (
                ("hints_after", np.zeros([len(self), 0], np.float32)),
                ("rank", np.arange(len(self), dtype=np.int32))):
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.ab)

    def __getitem__(self, index: int | slice) -> Coloring:
        if not isinstance(index, slice):
            if not -len(self) <= index < len(self):
                raise IndexError(
                    f"a result's rank must be below {len(self)} "
                    f"(received {index})")
            index = slice(index % len(self), index % len(self) + 1)
        return self._some(index)

    def pick(self, ranks: Sequence[int]) -> Coloring:
        """Selects results by their ranks.

        Args:
            ranks: sequence of ints, each in `rank`.

        Returns:
            `Coloring` of these results, in the given order.

        Raises:
            ValueError: if no result has one of the ranks.
        """
        places = {rank: place for place, rank in enumerate(self.rank.tolist())}
        for rank in ranks:
            if rank not in places:
                raise ValueError(
                    f"ranks must be among {', '.join(map(str, places))} "
                    f"(received {rank})")
        return self._some([places[rank] for rank in ranks])

    def _some(self, index):
        return replace(self, **{
            name: getattr(self, name)[index] for name in (
                "ab", "log_prob", "component", "weight", "share", "latents",
                "hints_after", "rank")})

    @property
    def name(self) -> str:
        """The photograph's name."""
        return self.photo.name

    @property
    def is_grey(self) -> bool:
        """Whether the photograph is grey.

        `colorize` uses only the luminance of a colour photograph.
        """
        return self.photo.is_grey

    @property
    def images(self) -> np.ndarray:
        """All colourings: uint8 [S, H, W, 3], sRGB."""
        return np.stack([self.image(i) for i in range(len(self))])

    def hints_beyond_gamut(self) -> np.ndarray:
        """Computes how much of each hint's colour its pixel cannot show.

        Returns:
            float32 [N], ab units, from `latent.hints.beyond_gamut`.
        """
        hints = self.steering.hints
        height, width, _ = self.luminance.shape
        _, targets = hint_points.observations(hints, width, height, 1)
        lightness = self.luminance[
            [hint.y for hint in hints], [hint.x for hint in hints]]
        return hint_points.beyond_gamut(lightness, targets).numpy()

    @property
    def grey(self) -> np.ndarray:
        """The photograph without colour: uint8 [H, W, 3], sRGB."""
        return fullsize.join(
            self.luminance, np.zeros([1, 1, 2], np.float32))

    def image(self, index: int) -> np.ndarray:
        """One colouring at the photograph's size: uint8 [H, W, 3], sRGB."""
        return self._without_missing(
            fullsize.join(self.luminance, self.ab[index], self._small))

    def image_16(self, index: int) -> np.ndarray:
        """The same with 16 bits a channel: uint16 [H, W, 3], sRGB."""
        return self._without_missing(
            fullsize.join_16(self.luminance, self.ab[index], self._small))

    @functools.cached_property
    def _small(self):
        """The luminance for `fullsize.join`, which small ones do without."""
        if self.luminance.size < fullsize.LARGE:
            return None
        return fullsize.on_canvas(self.luminance, self.ab.shape[1])

    def _without_missing(self, pixels):
        """Makes the missing pixels of a truncated file grey."""
        if self.photo.missing is not None:
            pixels[self.photo.missing] = images.mid_grey(pixels.dtype)
        return pixels

    def luminance_error(self, pixels: np.ndarray) -> float:
        """Computes the largest difference in L* from the photograph.

        Args:
            pixels: uint8 [H, W, 3], sRGB.

        Returns:
            float, 0..100.
        """
        return fullsize.luminance_error(pixels, self.luminance)


def colorize(
        colorizer: AnyColorizer, photo: images.Photo, options: Sampling,
        steering: Steering = UNSTEERED, latents: np.ndarray | None = None
        ) -> Coloring:
    """Colours a photograph.

    Args:
        colorizer: `Colorizer`.
        photo: `images.Photo`.
        options: `settings.Sampling`.
        steering: `settings.Steering`. Defaults to none.
        latents: float32 [S, D]. Latents to decode instead of sampling.
            Defaults to None.

    Returns:
        `Coloring`.

    Raises:
        images.ImageError: if a hint lies outside the picture.
        ValueError: if the options do not suit this model.
    """
    check_hints(photo, steering.hints)
    luminance = fullsize.luminance_of(photo.finest)
    height, width, _ = photo.pixels.shape
    lightness = luminance[
        [hint.y for hint in steering.hints], [hint.x for hint in steering.hints]
    ] if steering.hints else np.zeros([0, 1], np.float32)
    drawn = drawing.draw(
        colorizer, drawing.seen(colorizer, luminance), (width, height),
        lightness, options, steering, latents)
    return _coloring(photo, luminance, drawn, options, steering)


def warm_up(colorizer: AnyColorizer, options: Sampling = DEFAULTS,
            steering: Steering = UNSTEERED) -> None:
    """Colours a small grey picture, so that the next call of its kind is fast.

    The first call loads or compiles graphs. A program that waits for something
    else calls this function in a thread.

    Args:
        colorizer: `Colorizer`.
        options, steering: as in `colorize`.
    """
    small = np.full([colorizer.luminance_size] * 2 + [1], 50, np.float32)
    beside = [replace(hint, x=0, y=0) for hint in steering.hints]
    drawn = drawing.draw(
        colorizer, small, (64, 64), np.full([len(beside), 1], 50, np.float32),
        options, replace(steering, hints=tuple(beside)))
    fullsize.join(small, drawn["ab"][0])


def check_hints(photo: images.Photo, hints: Sequence[Hint]) -> None:
    """Refuses hints outside a picture.

    Args:
        photo: `images.Photo`.
        hints: sequence of `settings.Hint`.

    Raises:
        images.ImageError: with the names of the photograph and the hint.
    """
    height, width, _ = photo.pixels.shape
    for hint in hints:
        try:
            hint.check(width, height)
        except ValueError as error:
            raise images.ImageError(f"{photo.name}: {error}") from error


def interpolate(colorizer: AnyColorizer, first: Coloring, last: Coloring,
                steps: int) -> Coloring:
    """Interpolates between two results; see `Colorizer.interpolate`."""
    check_whole("steps", steps, 2, MAX_SAMPLES)
    for name, end in (("first", first), ("last", last)):
        if not isinstance(end, Coloring):
            raise ValueError(f"{name} must be a Coloring "
                             f"(received {type(end).__name__})")
        if len(end) != 1:
            raise ValueError(f"{name} must be one result, such as result[2] "
                             f"(received {len(end)})")
    if not np.array_equal(first.luminance, last.luminance):
        raise ValueError("first and last must be results of the same "
                         "photograph "
                         f"(received {first.name} and {last.name})")
    if first.steering.saturation != last.steering.saturation:
        raise ValueError("first and last must have the same saturation "
                         "(received "
                         f"{first.steering.saturation} and "
                         f"{last.steering.saturation})")
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    z = (1 - share) * first.latents + share * last.latents
    return _coloring(
        first.photo, first.luminance,
        drawing.decode(colorizer, drawing.seen(colorizer, first.luminance), z,
                       first.steering.saturation),
        first.sampling, replace(first.steering, hints=(), keep=None, kept=None))


def reconstruct(colorizer: JointModel, photo: images.Photo) -> Coloring:
    """Reconstructs a photograph's own colours; see `Colorizer.reconstruct`."""
    if photo.is_grey:
        raise ValueError(f"{photo.name}: must be in colour to be "
                         "reconstructed (received a grey picture)")
    luminance = fullsize.luminance_of(photo.finest)
    small = drawing.seen(colorizer, luminance)
    ab = canvas.ab_on_canvas(photo.finest, colorizer.canvas)[None]
    grey, _ = colorizer.look(small[None])
    loc, _ = colorizer.vae.posterior(color.normalize_ab(ab), grey)
    return _coloring(
        photo, luminance, drawing.decode(colorizer, small, loc, 1.0),
        Sampling(num_samples=1), UNSTEERED)


def _coloring(photo, luminance, found, options, steering):
    """Makes the Coloring of a photograph from the dict of `drawing.draw`."""
    return Coloring(
        photo=photo, luminance=luminance,
        latents=found.pop("z"), sampling=options, steering=steering, **found)
