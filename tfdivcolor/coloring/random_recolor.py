"""RandomRecolor: training pictures in other plausible colours."""

import math
import numbers
import os
from collections.abc import Sequence
from typing import cast

import keras
import tensorflow as tf

from tfdivcolor.color import canvas
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.models.base import deserialize, full_precision, serialize
from tfdivcolor.models.blocks import PACKAGE
from tfdivcolor.settings import Sampling
from tfdivcolor.utils.types import Tensor

_PIXEL_RANGE = (0, 255)  # of uint8


@keras.saving.register_keras_serializable(PACKAGE)
class RandomRecolor(keras.layers.Layer):
    """Recolours training pictures at random, and keeps their luminance.

    Each picture is chosen with the given probability.  A chosen one gets one
    draw of P(z | its luminance), decoded and joined with its own luminance at
    its own size; the others pass as they are.  As Keras' own random layers, it
    acts unless it is called with `training=False`, as `evaluate` and `predict`
    do: call a model with it so yourself, and export one without it.  It belongs
    before normalisation.

    Random numbers are those of Keras' own layers: a generator that counts
    calls.  Two layers with one seed treat the same calls alike.  In `tf.data`
    that takes `map` without `num_parallel_calls`, as parallel calls count in
    any order; `recolor` takes seeds instead and counts nothing.

    Args:
        colorizer: `Colorizer`, or what `tdc.load` takes: a name of shipped
            weights, or a folder. The layer has its own frozen copy, which is
            saved with the model that contains it.
        probability: float, 0 to 1. Share of the pictures to recolour.
        temperature: float, 0 or more. Factor on the standard deviations of
            the mixture's components: 1 for P(z | luminance) as it is, less
            for likelier and paler colours.
        value_range: pair of numbers. What black and white are in pictures of
            floating point; they are rounded to 8 bits where they are
            recoloured. Those of uint8 are 0..255.
        seed: int, or None for a random one.
        **kwargs: `keras.layers.Layer`'s (name).

    Call arguments:
        images: [H, W, 3] or [B, H, W, 3], sRGB, uint8 or floating.
        training: bool. Whether to act.

    Returns (call):
        as `images`: shape, dtype and range.

    Raises:
        ValueError: if an argument is outside its range, or pictures are of
            another shape or dtype.

    Example:
        recolor = tdc.RandomRecolor("flowers", probability=0.5, seed=0)
        batches = batches.map(
            lambda images, labels: (recolor(images, training=True), labels))
    """

    def __init__(self, colorizer: Colorizer | str | os.PathLike,
                 probability: float = 0.5, temperature: float = 1.0,
                 value_range: Sequence[float] = _PIXEL_RANGE,
                 seed: int | None = None, **kwargs):
        # Pictures keep their dtype: bfloat16 has too few digits for pixels.
        super().__init__(autocast=False, **kwargs)
        _check_numbers(probability, temperature, value_range)
        self.probability = float(probability)
        self.temperature = float(temperature)
        self.value_range = tuple(value_range)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)
        with full_precision():
            self.colorizer = _own(colorizer)
            self.colorizer.trainable = False
            # Traced here, where no outer layer is being called: inside of one,
            # its precision would reach the colorizer, and the colorizer's
            # training=False the layers that come next.
            self._recolor = _recolor_function(
                self.colorizer, self.temperature).get_concrete_function()
        self.supports_jit = False  # XLA wants to know how many are chosen
        self.built = True

    @property
    def trainable(self):
        """False, also when the model that contains the layer is trainable."""
        return False

    @trainable.setter
    def trainable(self, value):
        pass

    def __call__(self, images, **kwargs):
        # Checked here, as Keras makes a page of what fails in `call`.
        if not hasattr(images, "shape"):
            images = tf.convert_to_tensor(images)
        self._check(images)
        return super().__call__(images, **kwargs)

    def call(self, images, training=True):
        if not training:
            return images
        pictures = images if len(images.shape) == 4 else images[None]
        count = tf.shape(pictures)[:1]
        choice_key, seed_key = tf.unstack(
            tf.random.split(self.generator.next(), 2))
        chosen = tf.where(tf.random.stateless_uniform(
            count, choice_key) < self.probability)  # [N, 1]
        # None: all of int64's range, which TensorFlow's stubs do not know.
        seed = tf.random.stateless_uniform(
            count, seed_key, dtype=tf.int64,
            minval=None, maxval=None)  # pyright: ignore[reportArgumentType]

        def update():
            recolored = self.recolor(
                self._to_pixels(tf.gather_nd(pictures, chosen)),
                tf.gather_nd(seed, chosen))
            return tf.tensor_scatter_nd_update(
                pictures, chosen, self._from_pixels(recolored, images.dtype))

        pictures = tf.cond(tf.size(chosen) > 0, update, lambda: pictures)
        return tf.ensure_shape(
            tf.reshape(pictures, tf.shape(images)), images.shape)

    def recolor(self, pixels: Tensor, seed: Tensor) -> Tensor:
        """Recolours pictures, all of them, each by its own seed.

        Args:
            pixels: uint8 [B, H, W, 3], sRGB; at least one picture.
            seed: int64 [B]. What a picture gets depends on its luminance and
                its seed alone.

        Returns:
            uint8 [B, H, W, 3].
        """
        return self._recolor(
            tf.convert_to_tensor(pixels, tf.uint8),
            tf.convert_to_tensor(seed, tf.int64))

    def _check(self, images):
        shape = tf.TensorShape(images.shape)
        if not (shape.rank in (3, 4) and shape[-1] in (None, 3)):
            raise ValueError(
                "images must have shape [H, W, 3] or [B, H, W, 3] "
                f"(received {shape})")
        dtype = tf.as_dtype(images.dtype)
        if not (dtype == tf.uint8 or dtype.is_floating):
            raise ValueError(
                f"images must be uint8 or floating (received {dtype.name})")
        if dtype == tf.uint8 and self.value_range != _PIXEL_RANGE:
            raise ValueError(
                f"images must be floating where value_range is not "
                f"{_PIXEL_RANGE} (received uint8 and {self.value_range})")

    def _to_pixels(self, images):
        if images.dtype == tf.uint8:
            return images
        black, white = self.value_range
        share = (tf.cast(images, tf.float32) - black) / (white - black)
        return tf.saturate_cast(tf.round(255.0 * share), tf.uint8)

    def _from_pixels(self, pixels, dtype):
        if dtype == tf.uint8:
            return pixels
        black, white = self.value_range
        share = tf.cast(pixels, tf.float32) / 255.0
        return tf.cast(black + (white - black) * share, dtype)

    def compute_output_spec(self, images, training=True):
        return keras.KerasTensor(images.shape, dtype=images.dtype)

    def get_config(self):
        return {**super().get_config(),
                "colorizer": serialize(self.colorizer),
                "probability": self.probability,
                "temperature": self.temperature,
                "value_range": self.value_range, "seed": self.seed}


def _check_numbers(probability, temperature, value_range):
    if not (isinstance(probability, numbers.Real)
            and 0 <= float(probability) <= 1):
        raise ValueError(
            "probability must be a number of 0 to 1 "
            f"(received {probability!r})")
    if not isinstance(temperature, numbers.Real):
        raise ValueError(
            f"temperature must be a number of 0 or more "
            f"(received {temperature!r})")
    Sampling(temperature=cast(float, temperature))
    ends = value_range if isinstance(value_range, (tuple, list)) else ()
    if not (len(ends) == 2
            and all(isinstance(end, numbers.Real) for end in ends)
            and -math.inf < ends[0] < ends[1] < math.inf):
        raise ValueError(
            "value_range must be two numbers, black below white "
            f"(received {value_range!r})")


def _own(colorizer):
    """A Colorizer that nobody else trains: a copy, or newly made."""
    if isinstance(colorizer, Colorizer):
        copy = deserialize(serialize(colorizer))
        copy.set_weights(colorizer.get_weights())
        return copy
    if isinstance(colorizer, dict):  # its configuration
        return deserialize(colorizer)
    if not isinstance(colorizer, (str, os.PathLike)):
        raise ValueError(
            "colorizer must be a Colorizer, or the name or folder of weights "
            f"(received {colorizer!r})")
    return Colorizer.load(colorizer)


def _recolor_function(colorizer, temperature):
    """tf.function: uint8 [B, H, W, 3], seed int64 [B] -> uint8 [B, H, W, 3]."""
    side = colorizer.luminance_size

    def look(pixels):
        luminance = canvas.luminance_of(pixels)
        return luminance, canvas.on_canvas(luminance, side)

    @tf.function(autograph=False, input_signature=[
        tf.TensorSpec([None, None, None, 3], tf.uint8),
        tf.TensorSpec([None], tf.int64)])
    def recolor(pixels, seed):
        luminance, small = tf.map_fn(
            look, pixels, fn_output_signature=(
                tf.TensorSpec([None, None, 1], tf.float32),
                tf.TensorSpec([side, side, 1], tf.float32)))
        drawn = colorizer.sample_fields(
            small, seed, tf.constant(temperature, tf.float32),
            tf.constant(1, tf.int32), "samples")
        return tf.map_fn(
            lambda one: canvas.join(*one), (luminance, drawn["ab"][:, 0]),
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))

    return recolor
