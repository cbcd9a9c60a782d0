"""RandomRecolor: gives training pictures other plausible colours."""

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

    The layer chooses each picture with the given probability. A chosen picture
    gets one draw of P(z | its luminance), decoded and joined with its own
    luminance at its own size. The others do not change.  Like Keras' own random
    layers, it works unless a model is called with `training=False`, as
    `evaluate` and `predict` do. Pass that argument in your own calls, and
    export models without the layer.  Put it before normalisation.

    Random numbers come from a generator that counts calls, as in Keras' own
    layers: two layers with the same seed treat equal calls alike.  In
    `tf.data`, use `map` without `num_parallel_calls`, because parallel calls
    count in any order. Or use `recolor`, which takes seeds.

    Args:
        colorizer: `Colorizer`, or an argument of `tdc.load`: a name of shipped
            weights, or a folder. The layer makes a frozen copy, and models
            that contain the layer save this copy.
        probability: float, 0 to 1. Share of the pictures to recolour. Defaults
            to 0.5.
        temperature: float, 0 or more. Factor on the standard deviations of
            the mixture's components: 1 for P(z | luminance) itself, less for
            likelier and paler colours. Defaults to 1.
        value_range: pair of numbers, black and white in pictures of floating
            point. The layer rounds recoloured pictures to 8 bits. Defaults to
            (0, 255), which uint8 pictures need.
        seed: int. Defaults to None: a random seed.
        **kwargs: arguments of `keras.layers.Layer`, such as name.

    Call arguments:
        images: [H, W, 3] or [B, H, W, 3], sRGB, uint8 or floating.
        training: bool. Whether to recolour. Defaults to True.

    Returns (call):
        pictures with the shape, dtype and range of `images`.

    Raises:
        ValueError: if an argument is outside its range, or if pictures have
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
            # Traced outside any call of an outer layer. Within one, its
            # precision would affect the colorizer, and the colorizer's
            # training=False would affect later layers.
            self._recolor = _recolor_function(
                self.colorizer, self.temperature).get_concrete_function()
        self.supports_jit = False  # the number of chosen pictures varies
        self.built = True

    @property
    def trainable(self):
        """Always False, even if the model that contains the layer trains."""
        return False

    @trainable.setter
    def trainable(self, value):
        pass

    def __call__(self, images, **kwargs):
        # Errors from `call` itself would fill a page: Keras adds to them.
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
        # None means all of int64's range. TensorFlow's stubs lack it.
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
        """Recolours all given pictures, each with its own seed.

        Args:
            pixels: uint8 [B, H, W, 3], sRGB; B is at least 1.
            seed: int64 [B]. The new colours of a picture depend only on its
                luminance and its seed.

        Returns:
            uint8 [B, H, W, 3], sRGB.
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
                f"images must be floating if value_range is not "
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
    """Makes a Colorizer that no other program trains: a copy, or a new one."""
    if isinstance(colorizer, Colorizer):
        copy = deserialize(serialize(colorizer))
        copy.set_weights(colorizer.get_weights())
        return copy
    if isinstance(colorizer, dict):  # a configuration
        return deserialize(colorizer)
    if not isinstance(colorizer, (str, os.PathLike)):
        raise ValueError(
            "colorizer must be a Colorizer, or the name or folder of weights "
            f"(received {colorizer!r})")
    return Colorizer.load(colorizer)


def _recolor_function(colorizer, temperature):
    """Makes a graph from uint8 [B, H, W, 3] and int64 [B] to new pictures."""
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
