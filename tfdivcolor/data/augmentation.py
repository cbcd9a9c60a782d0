"""Variations of the training pictures: geometry, then the tone curve."""

from dataclasses import asdict, dataclass

import tensorflow as tf

from tfdivcolor.latent import seeds


@dataclass(frozen=True)
class Augmentation:
    """How much training varies its pictures; 0 turns a variation off.

    Attributes:
        flip: bool. Mirror half of the pictures.
        zoom: float, 0 to 1. Largest share of the frame's side cropped away;
            where the crop lies is random too.
        rotation: float. Standard deviation in radians.
        aspect: float. Standard deviation of log(width / height).
        gamma: float. Standard deviation of the log of the luminance's
            exponent. This and the next two imitate the tone response of other
            cameras and of old plates; they leave ab alone.
        contrast: float. Standard deviation of the log of the luminance's
            contrast about 50.
        brightness: float. Standard deviation of the shift, in units of L.
    """

    flip: bool = True
    zoom: float = 0.18
    rotation: float = 0.05
    aspect: float = 0.03
    gamma: float = 0.15
    contrast: float = 0.08
    brightness: float = 2.0

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not 0 <= value < float("inf"):
                raise ValueError(
                    f"{name} must be 0 or more (received {value})")
        if self.zoom >= 1:
            raise ValueError(f"zoom must be below 1 (received {self.zoom})")


def augment(lab: tf.Tensor, seed: tf.Tensor, canvas: int,
            options: Augmentation) -> tf.Tensor:
    """Varies pictures for training, each by its own stream of numbers.

    One affine resampling a picture (crop, rotation, aspect, mirror; what falls
    outside the frame is mirrored in), then the luminance's tone curve.

    Args:
        lab: float32 [B, size, size, 3]. L 0..100, a and b in CIE units.
        seed: int64 [B]. One a picture; batch mates do not matter.
        canvas: int c. Pixels a side of the result.
        options: `Augmentation`.

    Returns:
        float32 [B, c, c, 3], in the units of `lab`.
    """
    # All numbers of a picture come from one draw: normal and uniform draws
    # under the same key would repeat each other's bits.
    uniform = seeds.uniform(seeds.AUGMENT, seed, [9])
    normal = tf.math.ndtri(tf.clip_by_value(uniform, 1e-6, 1.0 - 1e-6))
    if (options.flip or options.zoom or options.rotation or options.aspect):
        lab = tf.raw_ops.ImageProjectiveTransformV3(
            images=lab,
            transforms=_transforms(
                uniform[:, :4], normal[:, 4:6], lab.shape[1], canvas, options),
            output_shape=[canvas, canvas], fill_value=0.0,
            interpolation="BILINEAR", fill_mode="REFLECT")
    else:
        lab = tf.image.resize(lab, [canvas, canvas], antialias=True)
    if options.gamma or options.contrast or options.brightness:
        tone = normal[:, 6:, None, None, None]
        luminance, ab = tf.split(lab, [1, 2], axis=-1)
        luminance = tf.clip_by_value(luminance, 0.0, 100.0) / 100.0
        luminance = 100.0 * luminance ** tf.exp(options.gamma * tone[:, 0])
        luminance = (luminance - 50.0) * tf.exp(options.contrast * tone[:, 1])
        luminance += 50.0 + options.brightness * tone[:, 2]
        lab = tf.concat(
            [tf.clip_by_value(luminance, 0.0, 100.0), ab], axis=-1)
    return lab


def _transforms(uniform, normal, size, canvas, options):
    """Rows [a0 a1 a2 b0 b1 b2 0 0] from output to input pixel indices, [B, 8].

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
    across = scale * stretch * mirror * (size / canvas)
    down = scale / stretch * (size / canvas)
    cos, sin = tf.cos(angle), tf.sin(angle)
    rows = [(cos * across, -sin * down), (sin * across, cos * down)]
    transforms = []
    for axis, (x, y) in enumerate(rows):
        constant = ((x + y) * (0.5 - 0.5 * canvas) + size * offset[:, axis]
                    + 0.5 * size - 0.5)
        transforms += [x, y, constant]
    zero = tf.zeros_like(scale)
    return tf.stack([*transforms, zero, zero], axis=-1)
