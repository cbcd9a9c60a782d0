"""Coloring: colourings of one photograph at its own size, and how they come.

`colorize` is what Python and the command line do to photographs; the
Colorizer's methods of the same names say how to call it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import tensorflow as tf

from tfdivcolor import color, images
from tfdivcolor.color import canvas
from tfdivcolor.coloring import drawing
from tfdivcolor.models.joint import JointModel
from tfdivcolor.settings import (
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

    Colour fields are kept at the canvas's size; the full-size pictures are
    made when asked for, one at a time with `image(i)`.  `coloring[i]`,
    `coloring[i:j]` and `coloring.pick([i, j])` are Colorings of some of the
    results.

    Attributes:
        photo: `images.Photo`, which has the picture as it came.
        luminance: float32 [H, W, 1], 0..100. The photograph's own.
        ab: float32 [S, canvas, canvas, 2]. Sampled fields, CIE units.
        log_prob: float32 [S]. log p(z | grey image), nats.
        component: int32 [S]. Mixture component of each.
        weight: float32 [S]. That component's weight.
        share: float32 [S]. Share of the model's belief that each stands for:
            of all colourings it holds possible, those nearest to this one.
        latents: float32 [S, D].
        sampling: `settings.Sampling` that made it.
        steering: `settings.Steering` that made it.
        hints_before: float32 [N]. How far the first result was from each hint
            without hints, and without a kept latent: distance in ab, CIE
            units, of what can be shown at the pixel's own luminance.
        hints_after: float32 [S, N]. How far every result is.
        rank: int32 [S]. Place of each in the order of its call, from 0: that
            of `coloring[3]` is 3.
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
        """Some of the results, by their ranks.

        Args:
            ranks: sequence of ints, of `rank`.

        Returns:
            `Coloring` of these, in the order given.

        Raises:
            ValueError: there is no result of such a rank.
        """
        places = {rank: place for place, rank in enumerate(self.rank.tolist())}
        for rank in ranks:
            if rank not in places:
                raise ValueError(
                    f"ranks must be of {', '.join(map(str, places))} "
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
        """Whether the photograph came without colour.

        Where not, its luminance was used.
        """
        return self.photo.is_grey

    @property
    def images(self) -> np.ndarray:
        """All colourings: uint8 [S, H, W, 3]."""
        return np.stack([self.image(i) for i in range(len(self))])

    @property
    def grey(self) -> np.ndarray:
        """The photograph without colour: uint8 [H, W, 3]."""
        return canvas.join(
            self.luminance, np.zeros([1, 1, 2], np.float32)).numpy()

    def image(self, index: int) -> np.ndarray:
        """One colouring at the photograph's size: uint8 [H, W, 3]."""
        return self._without_missing(
            canvas.join(self.luminance, self.ab[index]).numpy())

    def image_16(self, index: int) -> np.ndarray:
        """The same in 16 bits a channel: uint16 [H, W, 3]."""
        return self._without_missing(
            canvas.join_16(self.luminance, self.ab[index]).numpy())

    def _without_missing(self, pixels):
        """Leaves grey what a truncated file lacks."""
        if self.photo.missing is not None:
            pixels[self.photo.missing] = images.mid_grey(pixels.dtype)
        return pixels

    def luminance_error(self, pixels: np.ndarray) -> float:
        """Largest difference of L* between a picture and the photograph.

        Args:
            pixels: uint8 [H, W, 3].

        Returns:
            float.
        """
        return float(tf.reduce_max(tf.abs(
            canvas.luminance_of(pixels) - self.luminance)))


def colorize(
        colorizer: JointModel, photo: images.Photo, options: Sampling,
        steering: Steering = UNSTEERED, latents: np.ndarray | None = None
        ) -> Coloring:
    """Colourises a photograph.

    Args:
        colorizer: `Colorizer`.
        photo: `images.Photo`.
        options: `settings.Sampling`.
        steering: `settings.Steering`.
        latents: float32 [S, D], to decode instead of sampling, or None.

    Returns:
        `Coloring`.

    Raises:
        images.ImageError: a hint is outside of the picture.
        ValueError: the options are not for this model.
    """
    check_hints(photo, steering.hints)
    luminance = canvas.luminance_of(photo.finest)
    height, width, _ = photo.pixels.shape
    lightness = np.asarray(luminance)[
        [hint.y for hint in steering.hints], [hint.x for hint in steering.hints]
    ] if steering.hints else np.zeros([0, 1], np.float32)
    drawn = drawing.draw(
        colorizer, drawing.seen(colorizer, luminance), (width, height),
        lightness, options, steering, latents)
    return _coloring(photo, luminance, drawn, options, steering)


def check_hints(photo: images.Photo, hints: Sequence[Hint]) -> None:
    """Refuses hints outside of a picture.

    Raises:
        images.ImageError: naming the photograph and the hint.
    """
    height, width, _ = photo.pixels.shape
    for hint in hints:
        try:
            hint.check(width, height)
        except ValueError as error:
            raise images.ImageError(f"{photo.name}: {error}") from error


def interpolate(colorizer: JointModel, first: Coloring, last: Coloring,
                steps: int) -> Coloring:
    """Colourings on the way from one to another; see `Colorizer`."""
    check_whole("steps", steps, 2, MAX_SAMPLES)
    for name, end in (("first", first), ("last", last)):
        if not isinstance(end, Coloring):
            raise ValueError(f"{name} must be a Coloring "
                             f"(received {type(end).__name__})")
        if len(end) != 1:
            raise ValueError(f"{name} must be one result, such as result[2] "
                             f"(received {len(end)})")
    if not np.array_equal(first.luminance, last.luminance):
        raise ValueError("first and last must be results of one photograph "
                         f"(received {first.name} and {last.name})")
    if first.steering.saturation != last.steering.saturation:
        raise ValueError("first and last must have one saturation (received "
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
    """A photograph's own colours through the VAE; see `Colorizer`."""
    if photo.is_grey:
        raise ValueError(f"{photo.name}: must be in colour to be "
                         "reconstructed (received a grey picture)")
    luminance = canvas.luminance_of(photo.finest)
    small = drawing.seen(colorizer, luminance)
    ab = canvas.ab_on_canvas(photo.finest, colorizer.canvas)[None]
    grey, _ = colorizer.look(small[None])
    loc, _ = colorizer.vae.posterior(color.normalize_ab(ab), grey)
    return _coloring(
        photo, luminance, drawing.decode(colorizer, small, loc, 1.0),
        Sampling(num_samples=1), UNSTEERED)


def _coloring(photo, luminance, found, options, steering):
    """A Coloring of what sampling gave for one picture."""
    return Coloring(
        photo=photo, luminance=np.asarray(luminance),
        latents=found.pop("z"), sampling=options, steering=steering, **found)
