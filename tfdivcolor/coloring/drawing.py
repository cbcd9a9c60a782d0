"""Drawing: colour fields of one photograph, from its small luminance.

All colourings come from here, through `coloring.colorize`: the same
photograph, options and steering give the same bytes.  `Coloring` makes
full-size pictures from the fields.

TensorFlow traces each kind of call once (with or without hints, with or without
a kept latent), for any number of hints and results. Without traces a call takes
ten times as long.  A `Colorizer` has its own graphs; a `FrozenColorizer`, which
these functions take too, reads stored ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.color import fullsize
from tfdivcolor.coloring.frozen import AnyColorizer
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


def seen(colorizer: AnyColorizer, luminance: np.ndarray) -> np.ndarray:
    """Reduces a photograph's luminance to the size that the networks see.

    Args:
        colorizer: `Colorizer`.
        luminance: float32 [H, W, 1], 0..100.

    Returns:
        float32 [s, s, 1], 0..100; s is the colorizer's `luminance_size`.
    """
    return fullsize.on_canvas(luminance, colorizer.luminance_size)


def look(colorizer: AnyColorizer, small: Tensor
         ) -> tuple[Any, MixtureParameters]:
    """Runs the networks on one photograph: `JointModel.look`, traced.

    Args:
        colorizer, small: as in `draw`.

    Returns:
        grey, params: the outputs of `JointModel.look` for one picture.
    """
    small = _batch(small)
    return colorizer.graphs.trace(JointModel.look, _like([small]))(small)


def draw(colorizer: AnyColorizer, small: Tensor, size: tuple[int, int],
         lightness: Tensor, options: Sampling,
         steering: Steering = UNSTEERED, latents: np.ndarray | None = None
         ) -> dict[str, np.ndarray]:
    """Draws the results of one photograph.

    The function takes no batches, because the rounding of sums depends on a
    row's place in a batch. A photograph must always give the same bytes.

    Args:
        colorizer: `Colorizer`.
        small: float32 [s, s, 1], 0..100, from `seen`.
        size: (width, height) of the photograph in pixels.
        lightness: float32 [N, 1], 0..100. The photograph's luminance at the
            pixels of the N hints.
        options: `settings.Sampling`.
        steering: `settings.Steering`. Defaults to none.
        latents: float32 [S, D]. Latents to decode instead of sampling.
            Defaults to None.

    Returns:
        dict of ab: float32 [S, canvas, canvas, 2], CIE units; z: float32
        [S, D]; log_prob, weight, share: float32 [S]; component: int32 [S]; as
        in `Coloring`. With hints also hints_before: float32 [N], and
        hints_after: float32 [S, N].

    Raises:
        ValueError: if options, steering or latents do not suit this model, if
            latents come with steering other than saturation, or if a hint lies
            outside the photograph.
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
            raise ValueError(
                "latents must be finite numbers (received NaN or infinity)")
        return decode(
            colorizer, small, latents, steering.saturation, options.seed)
    if steering.moves_latents:
        found, _ = _by_steering(
            colorizer, small, size, lightness, options, steering)
        return _first_row(found)
    given = _batch(small), _numbers(options, steering)
    return _first_row(colorizer.graphs.trace(
        _sampled, _like(given), options.mode)(*given))


def pool(colorizer: AnyColorizer, small: Tensor, size: tuple[int, int],
         lightness: Tensor, options: Sampling, steering: Steering,
         count: int) -> np.ndarray:
    """Draws the pool that mode "diverse" clusters into results.

    Args:
        colorizer, small, size, lightness, options, steering: as in `draw`.
        count: int, 1 or more. Number of draws.

    Returns:
        float32 [count, canvas, canvas, 2], CIE units, in the order of drawing.

    Raises:
        ValueError: as in `draw`.
    """
    check(colorizer, options, steering)
    grey, mixture = look(colorizer, small)
    if steering.moves_latents:
        _, mixture = _by_steering(
            colorizer, small, size, lightness, options, steering)
    given = grey, mixture, _numbers(options, steering)
    return np.asarray(colorizer.graphs.trace(
        _pooled, _like(given), count)(*given)[0])


def check(colorizer: AnyColorizer, options: Sampling, steering: Steering
          ) -> None:
    """Refuses options and steering that do not suit this model.

    Args:
        colorizer: `Colorizer`.
        options: `settings.Sampling`.
        steering: `settings.Steering`.

    Raises:
        ValueError: if the call asks for more components than the model has, if
            `keep` is not a rank of the call, or if `kept` has not D numbers.
    """
    options.check(colorizer.num_components)
    steering.check(options)
    if steering.kept is not None and (
            len(steering.kept) != colorizer.latent_dim):
        raise ValueError(
            f"kept must be the {colorizer.latent_dim} latents of a result "
            f"(received {len(steering.kept)})")


def decode(colorizer: AnyColorizer, small: Tensor, z: Tensor, saturation: float,
           seed: int = DEFAULTS.seed) -> dict[str, np.ndarray]:
    """Decodes given latents.

    Args:
        colorizer, small: as in `draw`.
        z: float32 [S, D].
        saturation: float. Factor on the chroma.
        seed: int. Seed of the draws that shares count. Defaults to
            `settings.DEFAULTS.seed`.

    Returns:
        dict, as from `draw` without hints.
    """
    small, z = _batch(small), _batch(z)
    numbers = {"seed": tf.constant([seed], tf.int64),
               "saturation": tf.constant(saturation, tf.float32)}
    signature = (*_like([small]), tf.TensorSpec([1, None, z.shape[-1]]),
                 _like(numbers))
    return _first_row(colorizer.graphs.trace(
        _decoded, signature)(small, z, numbers))


def _by_steering(colorizer, small, size, lightness, options, steering):
    """Results of one photograph under steering, and the steered mixture."""
    grey, params = look(colorizer, small)
    numbers, hints = _numbers(options, steering), {}
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
        # The mixture has one component now, with one mean.
        mode = "samples" if options.mode == "samples" else "diverse"
        return drawn(
            mode, kept=latent, as_it_is=tf.constant(as_it_is),
            strength=tf.constant(steering.strength, tf.float32), **more)

    if steering.kept is not None:
        return varied(tf.constant([steering.kept], tf.float32), False)
    found, mixture = drawn(options.mode)
    if steering.keep is not None:
        before = {name: found[name] for name in ("hints_before",) if hints}
        # Hints and warmth have already moved the kept result.
        variations, mixture = varied(
            found["z"][:, steering.keep], True, warmth=tf.constant(0.0))
        found = {**variations, **before}
    return found, mixture


def steered(colorizer: AnyColorizer, mode: str, grey: Any,
            params: MixtureParameters, numbers: dict[str, Tensor],
            hints: dict[str, Tensor]) -> tuple[dict[str, Tensor], Any]:
    """Draws latents of a steered mixture and decodes them, as a graph.

    Python and the exported model share this graph.

    Args:
        colorizer: `Colorizer`.
        mode: str, one of `settings.MODES`.
        grey, params: from `colorizer.look`, for one picture.
        numbers: dict of seed: int64 [1]; num_samples: int32; temperature,
            saturation, warmth: float32. To vary a latent also kept: float32
            [1, D]; strength: float32; as_it_is: bool, whether the first result
            is this latent unmoved by hints and warmth.
        hints: dict of weights and targets from `hints.observations`, and
            lightness: float32 [N, 1]; {} without hints.

    Returns:
        found: dict of tensors, as in `draw`, with one row for the picture.
        mixture: the steered mixture.
    """
    seen = grey, params, numbers
    signature = (*_like(seen), _like(hints, any_number=True))
    return colorizer.graphs.trace(_chosen, signature, mode)(*seen, hints)


def _batch(value):
    """One picture's tensor as a batch of one."""
    return tf.convert_to_tensor(value, tf.float32)[None]


def _numbers(options, steering):
    """The numbers of a call as tensors."""
    return {"seed": tf.constant([options.seed], tf.int64),
            "num_samples": tf.constant(options.num_samples),
            "temperature": tf.constant(options.temperature, tf.float32),
            "saturation": tf.constant(steering.saturation, tf.float32),
            "warmth": tf.constant(steering.warmth, tf.float32)}


def _like(tensors, any_number=False):
    """Types of tensors for a graph, with or without the number of rows."""
    return tf.nest.map_structure(
        lambda tensor: tf.TensorSpec(
            [None, *tensor.shape[1:]] if any_number else tensor.shape,
            tensor.dtype), tensors)


def _first_row(tensors):
    return {name: np.asarray(value[0]) for name, value in tensors.items()}


# --- Traced ----------------------------------------------------------------


def _sampled(colorizer, mode, luminance, numbers):
    """Results without hints, warmth and kept latents."""
    drawn = JointModel.sample_fields(
        colorizer, luminance, numbers["seed"], numbers["temperature"],
        numbers["num_samples"], mode)
    return {**drawn, "ab": numbers["saturation"] * drawn["ab"]}


def _decoded(colorizer, luminance, z, numbers):
    """Results of given latents."""
    grey, params = JointModel.look(colorizer, luminance)
    decoder = colorizer.vae.decoder
    return {"ab": numbers["saturation"] * color.denormalize_ab(
        decoder(z, grey)), **sampling.rated(
            params, params, decoder.sensitivity(grey), numbers["seed"], z)}


def _pooled(colorizer, count, grey, mixture, numbers):
    """Fields of the draws of mode "diverse"."""
    z = plain_tensorflow.draw(
        mixture, numbers["seed"], count, tf.sqrt(numbers["temperature"]))
    return numbers["saturation"] * color.denormalize_ab(
        colorizer.vae.decoder(z, grey))


def _chosen(colorizer, mode, grey, params, numbers, hints):
    """The traced part of `steered`."""
    decoder = colorizer.vae.decoder
    saturation = numbers["saturation"]
    weights, targets = hints.get("weights"), hints.get("targets")
    if hints:
        # The colours agree with the hints after multiplication by saturation.
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
            colorizer.has_regions, steered=mixture, first=first)

    def fields(z):
        return saturation * color.denormalize_ab(decoder(z, grey))

    drawn = latents(mixture, first)
    found = {"ab": fields(drawn["z"]), **drawn}
    if hints:
        def distance(ab):
            # In the gamut: a black pixel has no colour.
            shown = color.map_to_gamut(
                hints["lightness"], hint_points.means(ab, weights))
            return tf.norm(shown - hints["targets"], axis=-1)

        before = latents(params)["z"][:, :1]
        found["hints_before"] = distance(fields(before))[:, 0]
        found["hints_after"] = distance(found["ab"])
    return found, mixture
