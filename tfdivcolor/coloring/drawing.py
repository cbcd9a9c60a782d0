"""Drawing: colour fields of one photograph, of its small luminance alone.

`coloring.colorize` draws here, whoever calls it: the same photograph, options
and steering give the same bytes.  Full-size pictures are `Coloring`'s.

Steering is traced once for each kind of it (hints or none, a kept latent or
none), for any number of hints and results: without that a call takes ten times
as long.  The graphs are the colorizer's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.color import canvas
from tfdivcolor.latent import (
    hints as hint_points,
    plain_tensorflow,
    sampling,
    steering as steer,
)
from tfdivcolor.latent.distributions import MixtureParameters
from tfdivcolor.models.joint import JointModel
from tfdivcolor.settings import DEFAULTS, UNSTEERED, Sampling, Steering
from tfdivcolor.utils.types import Tensor


def seen(colorizer: JointModel, luminance: Tensor) -> Tensor:
    """A photograph's luminance as the networks see it.

    Args:
        colorizer: `Colorizer`.
        luminance: float32 [H, W, 1], 0..100.

    Returns:
        float32 [s, s, 1], 0..100, with s its `luminance_size`.
    """
    return canvas.on_canvas(luminance, colorizer.luminance_size)


def look(colorizer: JointModel, small: Tensor
         ) -> tuple[Any, MixtureParameters]:
    """What the networks see in a photograph: `JointModel.look`, traced.

    Args:
        colorizer, small: as in `draw`.

    Returns:
        grey, params: as of `JointModel.look`, for one picture.
    """
    small = tf.convert_to_tensor(small, tf.float32)[None]
    return colorizer.graphs.trace(
        type(colorizer).look, _like([small]))(small)


def draw(colorizer: JointModel, small: Tensor, size: tuple[int, int],
         lightness: Tensor, options: Sampling,
         steering: Steering = UNSTEERED, latents: np.ndarray | None = None
         ) -> dict[str, np.ndarray]:
    """Draws the results of one photograph.

    One at a time: how sums are rounded depends on a row's place in a batch,
    and the same photograph is to give the same bytes in any company.

    Args:
        colorizer: `Colorizer`.
        small: float32 [s, s, 1], 0..100. Of `seen`.
        size: two ints. Width and height of the photograph.
        lightness: float32 [N, 1], 0..100. The photograph's own luminance at
            the pixels of the N hints.
        options: `settings.Sampling`.
        steering: `settings.Steering`.
        latents: float32 [S, D], to decode instead of sampling, or None.

    Returns:
        dict of ab: float32 [S, canvas, canvas, 2], CIE units; z: float32
        [S, D]; log_prob, weight, share: float32 [S]; component: int32 [S]; as
        in `Coloring`. With hints also hints_before: float32 [N], and
        hints_after: float32 [S, N].

    Raises:
        ValueError: the options or the steering are not for this model, or a
            hint lies outside of the photograph.
    """
    check(colorizer, options, steering)
    if latents is not None:
        if steering.moves_latents:
            raise ValueError("latents must come without hints, keep, kept and "
                             f"warmth (received {steering})")
        latents = np.asarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != colorizer.latent_dim:
            raise ValueError(
                f"latents must have shape [S, {colorizer.latent_dim}] "
                f"(received {list(latents.shape)})")
        if not np.isfinite(latents).all():
            raise ValueError("latents must be finite numbers (received others)")
        return decode(
            colorizer, small, latents, steering.saturation, options.seed)
    if steering.moves_latents:
        found, _ = _by_steering(
            colorizer, small, size, lightness, options, steering)
        return _first_row(found)
    drawn = colorizer.sample(small[None], **vars(options))
    drawn["ab"] *= steering.saturation
    return _first_row(drawn)


def pool(colorizer: JointModel, small: Tensor, size: tuple[int, int],
         lightness: Tensor, options: Sampling, steering: Steering,
         count: int) -> np.ndarray:
    """Draws what results of mode "diverse" sum up, in the order of drawing.

    Args:
        colorizer, small, size, lightness, options, steering: as in `draw`.
        count: int. How many draws.

    Returns:
        float32 [count, canvas, canvas, 2], CIE units.

    Raises:
        ValueError: as `draw`.
    """
    check(colorizer, options, steering)
    grey, mixture = look(colorizer, small)
    if steering.moves_latents:
        _, mixture = _by_steering(
            colorizer, small, size, lightness, options, steering)
    # As "diverse" draws.
    z = plain_tensorflow.draw(
        mixture, tf.constant([options.seed], tf.int64), count,
        tf.constant(options.temperature ** 0.5, tf.float32))
    field = color.denormalize_ab(colorizer.vae.decoder(z, grey))
    return (steering.saturation * field)[0].numpy()


def check(colorizer: JointModel, options: Sampling, steering: Steering
          ) -> None:
    """Refuses what cannot be drawn from this model.

    Raises:
        ValueError: more components are asked for than there are, the kept
            result is none of the call, or the kept latent is another model's.
    """
    colorizer.check_sampling(options)
    steering.check(options)
    if steering.kept is not None and (
            len(steering.kept) != colorizer.latent_dim):
        raise ValueError(
            f"kept must be the {colorizer.latent_dim} latents of a result "
            f"(received {len(steering.kept)})")


def decode(colorizer: JointModel, small: Tensor, z: Tensor, saturation: float,
           seed: int = DEFAULTS.seed) -> dict[str, np.ndarray]:
    """Results of given latents.

    Args:
        colorizer, small: as in `draw`.
        z: float32 [S, D].
        saturation: float. Factor on the chroma.
        seed: int. Of the draws that shares are counted among.

    Returns:
        dict as of `draw` without hints.
    """
    grey, params = colorizer.look(small[None])
    decoder = colorizer.vae.decoder
    z = tf.convert_to_tensor(z)[None]
    field = color.denormalize_ab(decoder(z, grey))
    return _first_row({"ab": saturation * field, **sampling.rated(
        params, params, decoder.sensitivity(grey),
        tf.constant([seed], tf.int64), z)})


def _by_steering(colorizer, small, size, lightness, options, steering):
    """The results of one photograph under steering, and the mixture."""
    grey, params = look(colorizer, small)
    numbers = {
        "seed": tf.constant([options.seed], tf.int64),
        "num_samples": tf.constant(options.num_samples),
        "temperature": tf.constant(options.temperature, tf.float32),
        "saturation": tf.constant(steering.saturation, tf.float32),
        "warmth": tf.constant(steering.warmth, tf.float32)}
    hints = {}
    if steering.hints:
        width, height = size
        weights, targets = hint_points.observations(
            steering.hints, width, height, colorizer.canvas)
        hints = {"weights": weights, "targets": targets,
                 "lightness": tf.convert_to_tensor(lightness, tf.float32)}

    def drawn(mode, **kept):
        return steered(
            colorizer, mode, grey, params, {**numbers, **kept}, hints)

    def varied(latent, as_it_is, **more):
        # There is one component now: its mean would be the only result.
        mode = "samples" if options.mode == "samples" else "diverse"
        return drawn(
            mode, kept=latent, as_it_is=tf.constant(as_it_is),
            strength=tf.constant(steering.strength, tf.float32), **more)

    if steering.kept is not None:
        return varied(tf.constant([steering.kept], tf.float32), False)
    found, mixture = drawn(options.mode)
    if steering.keep is not None:
        before = {name: found[name] for name in ("hints_before",) if hints}
        # It meets the hints, and is as warm as it shall be.
        variations, mixture = varied(
            found["z"][:, steering.keep], True, warmth=tf.constant(0.0))
        found = {**variations, **before}
    return found, mixture


def steered(colorizer: JointModel, mode: str, grey: Any,
            params: MixtureParameters, numbers: dict[str, Tensor],
            hints: dict[str, Tensor]) -> tuple[dict[str, Tensor], Any]:
    """Latents of a steered mixture, and their fields.

    A graph, which an exported model has too.

    Args:
        colorizer: `Colorizer`.
        mode: str, one of `settings.MODES`.
        grey, params: of `colorizer.look`, for one picture.
        numbers: dict of seed: int64 [1]; num_samples: int32; temperature,
            saturation, warmth: float32. With a latent to vary also of kept:
            float32 [1, D]; strength: float32; as_it_is: bool, whether hints
            and warmth leave it alone, though not its variations.
        hints: dict of weights and targets, as of `hints.observations`, and
            lightness: float32 [N, 1]; or {} without any.

    Returns:
        found: dict of tensors, as of `draw`, with one row for the picture.
        mixture: the steered mixture.
    """
    seen = grey, params, numbers
    signature = (*_like(seen), _like(hints, any_number=True))
    return colorizer.graphs.trace(_chosen, signature, mode)(*seen, hints)


def _like(tensors, any_number=False):
    """Their types, for a graph: of their shapes, or for any number of rows."""
    return tf.nest.map_structure(
        lambda tensor: tf.TensorSpec(
            [None, *tensor.shape[1:]] if any_number else tensor.shape,
            tensor.dtype), tensors)


def _chosen(colorizer, mode, grey, params, numbers, hints):
    """`steered`, as it is traced."""
    decoder = colorizer.vae.decoder
    saturation = numbers["saturation"]
    weights, targets = hints.get("weights"), hints.get("targets")
    if hints:
        # So that the hints are met in the picture, with its saturation.
        targets /= tf.where(saturation > 0.0, saturation, 1.0)
    mixture, first = steer.apply(
        decoder, grey, params, weights, targets, warmth=numbers["warmth"],
        kept=numbers.get("kept"), strength=numbers.get("strength", 1.0))
    if first is not None:
        first = tf.where(numbers["as_it_is"], numbers["kept"], first)

    def latents(mixture, first=None):
        return sampling.latents(
            params, decoder.sensitivity(grey), numbers["seed"],
            numbers["num_samples"], numbers["temperature"], mode,
            decoder.latent_is_palette, steered=mixture, first=first)

    def fields(z):
        return saturation * color.denormalize_ab(decoder(z, grey))

    drawn = latents(mixture, first)
    found = {"ab": fields(drawn["z"]), **drawn}
    if hints:
        def distance(ab):
            # As it can be shown: a black pixel has no colour.
            shown = color.map_to_gamut(
                hints["lightness"], hint_points.means(ab, weights))
            return tf.norm(shown - hints["targets"], axis=-1)

        before = latents(params)["z"][:, :1]
        found["hints_before"] = distance(fields(before))[:, 0]
        found["hints_after"] = distance(found["ab"])
    return found, mixture


def _first_row(tensors):
    return {name: value[0].numpy() for name, value in tensors.items()}
