"""Varies training pictures: geometry, film, then the tone curve."""

from dataclasses import asdict, dataclass

import numpy as np
import tensorflow as tf

from tfdivcolor import color
from tfdivcolor.latent import seeds

# Lowest and highest weights of red, green and blue in orthochromatic films,
# which are nearly blind to red and sensitive to blue.
_FILM = ((0.02, 0.35), (0.3, 0.7), (0.1, 0.6))


@dataclass(frozen=True)
class Augmentation:
    """How much training varies its pictures; 0 turns a variation off.

    Attributes:
        flip: bool. Mirror half of the pictures. Defaults to True.
        zoom: float, 0 to below 1. Largest share of the frame's side that is
            cropped away, at a random place. Defaults to 0.18.
        rotation: float. Standard deviation in radians. Defaults to 0.05.
        aspect: float. Standard deviation of log(width / height). Defaults to
            0.03.
        gamma: float. Standard deviation of the log of the luminance's
            exponent. This and the next two imitate the tone response of other
            cameras and of old plates; they do not change ab. Defaults to 0.15.
        contrast: float. Standard deviation of the log of the luminance's
            contrast about 50. Defaults to 0.08.
        brightness: float. Standard deviation of the shift, in units of L.
            Defaults to 2.
        orthochromatic: float, 0 to 1. Share of the pictures with the luminance
            of a film with other weights of red, green and blue. Defaults to 0.
        blur: float, 0 to 1. Share of the pictures blurred over 3 pixels.
            Defaults to 0.
        grain: float, 0 to 1. Share of the pictures with grain, of up to 5
            units of L. Defaults to 0.
    """

    flip: bool = True
    zoom: float = 0.18
    rotation: float = 0.05
    aspect: float = 0.03
    gamma: float = 0.15
    contrast: float = 0.08
    brightness: float = 2.0
    orthochromatic: float = 0.0
    blur: float = 0.0
    grain: float = 0.0

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not 0 <= value < float("inf"):
                raise ValueError(
                    f"{name} must be 0 or more (received {value})")
        if self.zoom >= 1:
            raise ValueError(f"zoom must be below 1 (received {self.zoom})")
        for name in ("orthochromatic", "blur", "grain"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} must be 0 to 1 "
                                 f"(received {getattr(self, name)})")

    @classmethod
    def film(cls) -> "Augmentation":
        """Settings for photographs of every kind and age.

        The luminance varies as films, lenses and prints do. The weights
        `photos` are trained with these settings.
        """
        return cls(zoom=0.3, aspect=0.12, gamma=0.2, contrast=0.12,
                   brightness=3.0, orthochromatic=0.25, blur=0.2, grain=0.3)


def augment(lab: tf.Tensor, seed: tf.Tensor, size: int,
            options: Augmentation) -> tf.Tensor:
    """Varies pictures for training, each with its own random numbers.

    One affine resampling per picture applies crop, rotation, aspect and
    mirror; reflections fill the part outside the frame. Film, tone curve, blur
    and grain then change the luminance alone, which only the network sees.

    Args:
        lab: float32 [B, side, side, 3]. L 0..100, a and b in CIE units.
        seed: int64 [B]. One per picture; a result does not depend on the
            other pictures of the batch.
        size: int s. Side of the result in pixels.
        options: `Augmentation`.

    Returns:
        float32 [B, s, s, 3], in the units of `lab`.
    """
    # All numbers of a picture come from one draw: normal and uniform draws
    # with the same key would repeat each other's bits.
    uniform = seeds.uniform(seeds.AUGMENT, seed, [9])
    normal = tf.math.ndtri(tf.clip_by_value(uniform, 1e-6, 1.0 - 1e-6))
    if (options.flip or options.zoom or options.rotation or options.aspect):
        lab = tf.raw_ops.ImageProjectiveTransformV3(
            images=lab,
            transforms=_transforms(
                uniform[:, :4], normal[:, 4:6], lab.shape[1], size, options),
            output_shape=[size, size], fill_value=0.0,
            interpolation="BILINEAR", fill_mode="REFLECT")
    else:
        lab = tf.image.resize(lab, [size, size], antialias=True)
    luminance, ab = tf.split(lab, [1, 2], axis=-1)
    film = seeds.uniform(seeds.FILM, seed, [7])
    if options.orthochromatic:
        luminance = _some(
            film[:, 0] < options.orthochromatic, luminance, _on_film, lab,
            film[:, 1:4])
    if options.gamma or options.contrast or options.brightness:
        luminance = _toned(luminance, normal[:, 6:], options)
    if options.blur:
        luminance = _some(
            film[:, 4] < options.blur, luminance, _blurred, luminance)
    if options.grain:
        luminance = _some(
            film[:, 5] < options.grain, luminance, _grainy, luminance, seed,
            film[:, 6])
    return tf.concat([luminance, ab], axis=-1)


def _some(chosen, luminance, change, *arguments):
    """Applies `change` to the luminance of the chosen pictures only."""
    rows = tf.where(chosen)
    return tf.tensor_scatter_nd_update(luminance, rows, change(
        *(tf.gather_nd(argument, rows) for argument in arguments)))


def _on_film(lab, uniform):
    """Luminance on a film with other weights of red, green and blue."""
    low, high = np.transpose(_FILM).astype(np.float32)
    weights = low + (high - low) * uniform
    weights /= tf.reduce_sum(weights, axis=-1, keepdims=True)
    rgb = tf.clip_by_value(color.lab_to_srgb(lab), 0.0, 1.0)
    return 100.0 * tf.reduce_sum(
        weights[:, None, None] * rgb, axis=-1, keepdims=True)


def _blurred(luminance):
    # At the edges, TensorFlow averages only the pixels inside the picture.
    return tf.nn.avg_pool2d(luminance, 3, 1, "SAME")


def _grainy(luminance, seed, uniform):
    noise = seeds.normal(seeds.GRAIN, seed, luminance.shape[1:])
    noise *= 5.0 * uniform[:, None, None, None]
    return tf.clip_by_value(luminance + noise, 0.0, 100.0)


def _toned(luminance, normal, options):
    tone = normal[:, :, None, None, None]
    luminance = tf.clip_by_value(luminance, 0.0, 100.0) / 100.0
    luminance = 100.0 * luminance ** tf.exp(options.gamma * tone[:, 0])
    luminance = (luminance - 50.0) * tf.exp(options.contrast * tone[:, 1])
    luminance += 50.0 + options.brightness * tone[:, 2]
    return tf.clip_by_value(luminance, 0.0, 100.0)


def _transforms(uniform, normal, side, size, options):
    """Maps output to input pixel indices: rows [a0 a1 a2 b0 b1 b2 0 0], [B, 8].

    With u, v in -1/2..1/2 across the output and the input frame,
    v = scale * rotation @ diag(aspect, mirrored) @ u + offset; pixel index i
    has its centre at (i + 1/2) / width - 1/2.
    """
    scale = 1.0 - options.zoom * uniform[:, 0]
    offset = (1.0 - scale)[:, None] * (uniform[:, 1:3] - 0.5)
    mirror = tf.where(
        uniform[:, 3] < 0.5, -1.0 if options.flip else 1.0, 1.0)
    angle = options.rotation * normal[:, 0]
    stretch = tf.exp(0.5 * options.aspect * normal[:, 1])
    across = scale * stretch * mirror * (side / size)
    down = scale / stretch * (side / size)
    cos, sin = tf.cos(angle), tf.sin(angle)
    rows = [(cos * across, -sin * down), (sin * across, cos * down)]
    transforms = []
    for axis, (x, y) in enumerate(rows):
        constant = ((x + y) * (0.5 - 0.5 * size) + side * offset[:, axis]
                    + 0.5 * side - 0.5)
        transforms += [x, y, constant]
    zero = tf.zeros_like(scale)
    return tf.stack([*transforms, zero, zero], axis=-1)
