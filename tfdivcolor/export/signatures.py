"""The functions of an exported model, one per signature.

    serving_default  image_bytes [B]
                     -> colorized_bytes, share and log_prob [B, N]
    colorize         the same, also with seed [B] and temperature [B]
    colorize_n       with scalars num_samples, seed, temperature: [B, n]
    colorize_hinted  the same, with hints [B, H, 5] and scalars saturation and
                     warmth: also hint_distance [B, n, H] and
                     hint_distance_before [B, H]; see `steered`
    colorize_pixels  pixels [B, H, W, 3] and the scalars of colorize_n
                     -> colorized [B, n, H, W, 3], share and log_prob [B, n]
    colorize_tensor  luminance [B, s, s, 1], seed [B], temperature [B]
                     -> ab [B, N, c, c, 2], share and log_prob [B, N]
    prior            luminance -> MixtureParameters (see `distributions`)
    decode           luminance, z [B, n, D] -> ab [B, n, c, c, 2]

The export sets N, the call sets n. s is the model's `luminance_size`, c its
canvas.  Units are the usual ones: luminance 0..100, ab in CIE units, log_prob
in nats, share 0..1 with the sum 1, distances in ab units.  All sampling is in
mode "diverse", by `Colorizer.sample_fields`, or `drawing.steered` with hints:
the mean comes first, the others by the number of draws that they represent.

`decode` is pure: it has no strings, random numbers or checks, so that other
runtimes can convert it.  The other signatures refuse bad inputs with
INVALID_ARGUMENT and a message that names input and row.  A server checks only
the names and types of inputs, not their shapes or values.
"""

from typing import Any

import tensorflow as tf

from tfdivcolor.color import canvas
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.export import (
    graph_checks,
    graph_decoding,
    photographs,
    rows,
    steered,
)
from tfdivcolor.settings import (
    DEFAULTS,
    MAX_SATURATION,
    MAX_WARMTH,
    ExportOptions,
)

# Ratings of the colourings: float32 [B, N] each.
_RATINGS = ("share", "log_prob")
_TEMPERATURE = "a finite number of 0 or more"


def names(options: ExportOptions) -> list[str]:
    """Lists the signatures of an export.

    Args:
        options: `settings.ExportOptions`.

    Returns:
        list of str.
    """
    every = ["serving_default", "colorize", "colorize_n", "colorize_hinted",
             "colorize_pixels", "colorize_tensor", "prior", "decode"]
    # A batch cannot merge scalars, or rows of different n.
    unbatchable = ("colorize_n", "colorize_hinted", "colorize_pixels", "decode")
    return [name for name in every
            if not (options.batchable and name in unbatchable)]


class Signatures:
    """The functions of one export.

    Args:
        colorizer: `Colorizer`.
        options: `settings.ExportOptions`.
    """

    def __init__(self, colorizer: Colorizer, options: ExportOptions):
        self.colorizer = colorizer
        self.options = options
        self.canvas = colorizer.canvas
        self.luminance_shape = [colorizer.luminance_size] * 2 + [1]
        # A separate function, so that the graph holds it once.
        self._luminance_of = tf.function(
            lambda data, row: canvas.luminance_of(
                graph_decoding.decode(data, row, options.max_pixels)),
            input_signature=[tf.TensorSpec([], tf.string),
                             tf.TensorSpec([], tf.int32)], autograph=False)

    def trace(self) -> dict[str, Any]:
        """Makes the graphs.

        Returns:
            dict from the name of a signature to its `ConcreteFunction`.
        """
        images = tf.TensorSpec([None], tf.string, "image_bytes")
        luminance = tf.TensorSpec(
            [None, *self.luminance_shape], tf.float32, "luminance")
        by_row = (tf.TensorSpec([None], tf.int64, "seed"),
                  tf.TensorSpec([None], tf.float32, "temperature"))
        scalars = (tf.TensorSpec([], tf.int32, "num_samples"),
                   tf.TensorSpec([], tf.int64, "seed"),
                   tf.TensorSpec([], tf.float32, "temperature"))
        hints = tf.TensorSpec(
            [None, None, len(steered.NUMBERS)], tf.float32, "hints")
        latents = tf.TensorSpec(
            [None, None, self.colorizer.latent_dim], tf.float32, "z")
        inputs = {
            "serving_default": (images,),
            "colorize": (images, *by_row),
            "colorize_n": (images, *scalars),
            "colorize_hinted": (
                images, hints, *scalars,
                tf.TensorSpec([], tf.float32, "saturation"),
                tf.TensorSpec([], tf.float32, "warmth")),
            "colorize_pixels": (
                tf.TensorSpec([None, None, None, 3], tf.uint8, "pixels"),
                *scalars),
            "colorize_tensor": (luminance, *by_row),
            "prior": (luminance,),
            "decode": (luminance, latents),
        }
        return {
            name: tf.function(getattr(self, name), autograph=False)
            .get_concrete_function(*specs)
            for name, specs in inputs.items() if name in names(self.options)}

    def serving_default(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        image_bytes = _images(image_bytes)
        return self._colorized(
            image_bytes, *_for_rows(
                image_bytes, tf.constant(DEFAULTS.seed, tf.int64),
                DEFAULTS.temperature), self.options.num_samples)

    def colorize(self, image_bytes: tf.Tensor, seed: tf.Tensor,
                 temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        image_bytes = _images(image_bytes)
        return self._colorized(
            image_bytes, *_by_row(image_bytes, seed, temperature),
            self.options.num_samples)

    def colorize_n(self, image_bytes: tf.Tensor, num_samples: tf.Tensor,
                   seed: tf.Tensor,
                   temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        image_bytes = _images(image_bytes)
        num_samples, seed, temperature = self._scalars(
            num_samples, seed, temperature)
        return self._colorized(
            image_bytes, *_for_rows(image_bytes, seed, temperature),
            num_samples)

    def colorize_hinted(self, image_bytes: tf.Tensor, hints: tf.Tensor,
                        num_samples: tf.Tensor, seed: tf.Tensor,
                        temperature: tf.Tensor, saturation: tf.Tensor,
                        warmth: tf.Tensor) -> dict[str, tf.Tensor]:
        image_bytes = _images(image_bytes)
        count = tf.shape(image_bytes)[0]
        hints = steered.shaped(hints, count)
        num_samples, seed, temperature = self._scalars(
            num_samples, seed, temperature)
        numbers = {
            "num_samples": num_samples, "seed": seed[None],
            "temperature": temperature,
            "saturation": graph_checks.number(
                "saturation", saturation, 0.0, MAX_SATURATION,
                f"a number of 0 to {MAX_SATURATION}"),
            "warmth": graph_checks.number(
                "warmth", warmth, -MAX_WARMTH, MAX_WARMTH,
                f"a number of -{MAX_WARMTH} to {MAX_WARMTH}")}
        luminance_of, size = self._files(image_bytes), self.canvas
        asked = tf.shape(hints)[1]
        seen = photographs.limited("image_bytes", photographs.seen(
            luminance_of, count, self.luminance_shape[0],
            lambda luminance, row: {"lightness": steered.lightness(
                luminance, steered.checked(hints[row], row, luminance))},
            lightness=(tf.float32, [asked, 1])),
            num_samples, self.options.max_pixels)
        small = self._few_results(seen["small"], num_samples)
        drawn = rows.each(
            count, lambda row: steered.draw(
                self.colorizer, small[row], seen["size"][row], hints[row],
                seen["lightness"][row], numbers),
            {"ab": (tf.float32, [num_samples, size, size, 2]),
             **{name: (tf.float32, [num_samples]) for name in _RATINGS},
             "hint_distance": (tf.float32, [num_samples, asked]),
             "hint_distance_before": (tf.float32, [asked])})
        return self._encoded(luminance_of, drawn)

    def colorize_pixels(self, pixels: tf.Tensor, num_samples: tf.Tensor,
                        seed: tf.Tensor,
                        temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        pixels = graph_checks.shape(
            "pixels", pixels, ["B", "H", "W", 3], "one picture per row")
        count, height, width, _ = tf.unstack(tf.shape(pixels))
        area = tf.cast(height, tf.int64) * tf.cast(width, tf.int64)
        limit = self.options.max_pixels
        pixels = graph_checks.after(graph_checks.check(
            (area >= 1) & (area <= limit) | (count == 0), "pixels: must have "
            f"1 to {limit} pixels per row (received ",
            graph_checks.text(width), " x ", graph_checks.text(height), ")"),
            pixels)
        num_samples, seed, temperature = self._scalars(
            num_samples, seed, temperature)

        def luminance_of(row):
            return canvas.luminance_of(pixels[row])

        seen = photographs.limited(
            "pixels", photographs.seen(
                luminance_of, count, self.luminance_shape[0]),
            num_samples, limit)
        drawn = self._sample(
            seen["small"], *_for_rows(pixels, seed, temperature), num_samples)
        fields = drawn.pop("ab")
        return {"colorized": photographs.joined(
            luminance_of, fields, tf.identity,
            (tf.uint8, [height, width, 3])), **drawn}

    def colorize_tensor(self, luminance: tf.Tensor, seed: tf.Tensor,
                        temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        luminance = self._luminance(luminance)
        return self._sample(
            luminance, *_by_row(luminance, seed, temperature),
            self.options.num_samples)

    def prior(self, luminance: tf.Tensor) -> dict[str, tf.Tensor]:
        return rows.at_least_one(
            self.colorizer.mdn, self._luminance(luminance))

    def decode(self, luminance: tf.Tensor,
               z: tf.Tensor) -> dict[str, tf.Tensor]:
        return rows.at_least_one(
            lambda luminance, z: {
                "ab": self.colorizer.vae.decode(z, luminance)},
            luminance, z)

    def _luminance(self, luminance):
        luminance = graph_checks.shape(
            "luminance", luminance, ["B", *self.luminance_shape],
            "one square per row")
        return graph_checks.values(
            "luminance", luminance, 0.0, 100.0, "numbers of 0 to 100")

    def _scalars(self, num_samples, seed, temperature):
        limit = self.options.max_samples
        return (graph_checks.number(
                    "num_samples", num_samples, 1, limit, f"1 to {limit}"),
                graph_checks.shape("seed", seed, [], "one number"),
                graph_checks.number(
                    "temperature", temperature, 0.0, tf.float32.max,
                    _TEMPERATURE))

    def _sample(self, luminance, seed, temperature, num_samples):
        luminance = self._few_results(luminance, num_samples)
        drawn = rows.at_least_one(
            lambda luminance, seed, temperature: self.colorizer.sample_fields(
                luminance, seed, temperature,
                tf.convert_to_tensor(num_samples), DEFAULTS.mode),
            luminance, seed, temperature)
        # For the contract: N, if it is fixed.
        fixed = num_samples if isinstance(num_samples, int) else None
        size = self.canvas
        return {"ab": tf.ensure_shape(
                    drawn["ab"], [None, fixed, size, size, 2]),
                **{name: tf.ensure_shape(drawn[name], [None, fixed])
                   for name in _RATINGS}}

    def _few_results(self, small, num_samples):
        """Refuses calls for too many results."""
        # A field takes about a megabyte during sampling.
        count = tf.shape(small)[0] * num_samples
        limit = self.options.max_results
        return graph_checks.after(graph_checks.check(
            count <= limit, "rows times num_samples: must be at most "
            f"{limit} (received ", graph_checks.text(count), ")"), small)

    def _files(self, image_bytes):
        """Photographs in files, as `photographs` takes them."""
        return lambda row: self._luminance_of(image_bytes[row], row)

    def _colorized(self, image_bytes, seed, temperature, num_samples):
        luminance_of = self._files(image_bytes)
        seen = photographs.limited(
            "image_bytes", photographs.seen(
                luminance_of, tf.shape(image_bytes)[0],
                self.luminance_shape[0]),
            num_samples, self.options.max_pixels)
        drawn = self._sample(seen["small"], seed, temperature, num_samples)
        return self._encoded(luminance_of, drawn)

    def _encoded(self, luminance_of, drawn):
        fields = drawn.pop("ab")
        return {"colorized_bytes": photographs.joined(
            luminance_of, fields, lambda pixels: photographs.encode(
                pixels, self.options.image_format), (tf.string, [])), **drawn}


def _images(image_bytes):
    return graph_checks.shape(
        "image_bytes", image_bytes, ["B"], "one picture per row")


def _by_row(pictures, seed, temperature):
    """The checked numbers of rows."""
    count = [tf.shape(pictures)[0]]
    seed = graph_checks.shape("seed", seed, count, "one number per row")
    temperature = graph_checks.shape(
        "temperature", temperature, count, "one number per row")
    return seed, graph_checks.values(
        "temperature", temperature, 0.0, tf.float32.max, _TEMPERATURE)


def _for_rows(pictures, seed, temperature):
    """The same numbers for every row."""
    count = tf.shape(pictures)[:1]
    return tf.fill(count, seed), tf.fill(count, temperature)
