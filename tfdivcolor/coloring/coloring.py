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
from tfdivcolor.latent import hints as hint_points, sampling, steering as steer
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
from tfdivcolor.utils.types import Tensor


@dataclass(frozen=True, eq=False)
class Coloring:
    """S colourings of one photograph, the safest first.

    Colour fields are kept at the canvas's size; the full-size pictures are
    made when asked for, one at a time with `image(i)`.  `coloring[i]` and
    `coloring[i:j]` are Colorings of some of the results.

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
            without hints: distance in ab, CIE units, of what can be shown at
            the pixel's own luminance.
        hints_after: float32 [S, N]. How far every result is.
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
        default_factory=lambda: np.zeros([0, 0], np.float32), repr=False)

    def __len__(self) -> int:
        return len(self.ab)

    def __getitem__(self, index: int | slice) -> Coloring:
        if not isinstance(index, slice):
            if not -len(self) <= index < len(self):
                raise IndexError(
                    f"a result's rank must be below {len(self)} "
                    f"(received {index})")
            index = slice(index % len(self), index % len(self) + 1)
        return replace(self, **{
            name: getattr(self, name)[index] for name in (
                "ab", "log_prob", "component", "weight", "share",
                "latents", "hints_after")})

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

    One at a time: how sums are rounded depends on a row's place in a batch,
    and the same photograph is to give the same bytes in any company.

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
    colorizer.check_sampling(options)
    steering.check(options)
    check_hints(photo, steering.hints)
    luminance = canvas.luminance_of(photo.finest)
    small = _seen(colorizer, luminance)[None]
    if latents is not None:
        if steering.moves_latents:
            raise ValueError("latents must come without hints, keep and "
                             f"warmth (received {steering})")
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != colorizer.latent_dim:
            raise ValueError(
                f"latents must have shape [S, {colorizer.latent_dim}] "
                f"(received {list(latents.shape)})")
        if not np.isfinite(latents).all():
            raise ValueError("latents must be finite numbers (received others)")
        drawn = _decoded(
            colorizer, small, latents, steering.saturation, options.seed)
    elif steering.moves_latents:
        drawn = _steered(colorizer, luminance, small, options, steering)
    else:
        drawn = colorizer.sample(small, **vars(options))
        drawn["ab"] *= steering.saturation
        drawn = _first_row(drawn)
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
        _decoded(colorizer, _seen(colorizer, first.luminance)[None], z,
                 first.steering.saturation),
        first.sampling, replace(first.steering, hints=(), keep=None))


def reconstruct(colorizer: JointModel, photo: images.Photo) -> Coloring:
    """A photograph's own colours through the VAE; see `Colorizer`."""
    if photo.is_grey:
        raise ValueError(f"{photo.name}: must be in colour to be "
                         "reconstructed (received a grey picture)")
    luminance = canvas.luminance_of(photo.finest)
    small = _seen(colorizer, luminance)[None]
    ab = canvas.ab_on_canvas(photo.finest, colorizer.canvas)[None]
    grey, _ = colorizer.look(small)
    loc, _ = colorizer.vae.posterior(color.normalize_ab(ab), grey)
    return _coloring(photo, luminance, _decoded(colorizer, small, loc, 1.0),
                     Sampling(num_samples=1), UNSTEERED)


def _seen(colorizer, luminance):
    return canvas.on_canvas(luminance, colorizer.luminance_size)


def _decoded(colorizer, small, z, saturation, seed=DEFAULTS.seed):
    """Given latents in place of sampled ones."""
    grey, params = colorizer.look(small)
    decoder = colorizer.vae.decoder
    z = tf.convert_to_tensor(z)[None]
    field = color.denormalize_ab(decoder(z, grey))
    return _first_row({"ab": saturation * field, **sampling.rated(
        params, params, decoder.sensitivity(grey),
        tf.constant([seed], tf.int64), z)})


def _steered(colorizer, luminance, small, options, steering):
    """One photograph's results under steering."""
    grey, params = colorizer.look(small)
    decoder = colorizer.vae.decoder
    height, width, _ = luminance.shape
    weights: Tensor = None
    targets: Tensor = None
    if steering.hints:
        weights, targets = hint_points.observations(
            steering.hints, width, height, colorizer.canvas)
    wanted = targets

    def steered(**more):
        return steer.apply(decoder, grey, params, weights, targets, **more)[0]

    def chosen(mixture, mode, first=None):
        return sampling.latents(
            params, decoder.sensitivity(grey),
            tf.constant([options.seed], tf.int64),
            tf.constant(options.num_samples),
            tf.constant(options.temperature, tf.float32), mode,
            decoder.latent_is_palette, steered=mixture, first=first)

    def field(z):
        return color.denormalize_ab(decoder(z, grey))

    saturation = steering.saturation
    if steering.hints and saturation:
        # So that the hints are met in the picture, with its saturation.
        targets = targets / saturation
    drawn = chosen(steered(warmth=steering.warmth or None), options.mode)
    if steering.keep is not None:
        # It is as warm as it shall be.
        kept = drawn["z"][:, steering.keep]
        # There is one component now: its mean would be the only result.
        mode = "samples" if options.mode == "samples" else "diverse"
        drawn = chosen(steered(kept=kept, strength=steering.strength),
                       mode, first=kept)
    found = {"ab": saturation * field(drawn["z"]), **drawn}
    if steering.hints:
        lightness = tf.stack([luminance[hint.y, hint.x]
                              for hint in steering.hints])  # [N, 1]

        def distance(fields):
            # As it can be shown: a black pixel has no colour.
            ab = color.map_to_gamut(
                lightness, hint_points.means(fields, weights))
            return tf.norm(ab - wanted, axis=-1)

        before = chosen(params, options.mode)["z"][:, :1]
        found["hints_before"] = distance(saturation * field(before))[:, 0]
        found["hints_after"] = distance(found["ab"])
    return _first_row(found)


def _first_row(tensors):
    return {name: value[0].numpy() for name, value in tensors.items()}


def _coloring(photo, luminance, found, options, steering):
    """A Coloring of what sampling gave for one picture."""
    return Coloring(
        photo=photo, luminance=np.asarray(luminance),
        latents=found.pop("z"), sampling=options, steering=steering, **found)
