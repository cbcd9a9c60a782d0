"""The functions of an exported model, one per signature.

    serving_default  image_bytes [B]
                     -> colorized_bytes, share and log_prob [B, N]
    colorize         the same, also with seed [B] and temperature [B]
    colorize_n       with scalars num_samples, seed, temperature: [B, n]
    colorize_tensor  luminance [B, s, s, 1], seed [B], temperature [B]
                     -> ab [B, N, c, c, 2], share and log_prob [B, N]
    prior            luminance -> MixtureParameters (see `distributions`)
    decode           luminance, z [B, n, D] -> ab [B, n, c, c, 2]

N is fixed at export, n by the call. s is the model's `luminance_size`, c its
canvas.  Units are the usual ones: luminance 0..100, ab in CIE units, log_prob
in nats, share 0..1 with the sum 1.  All sampling is `Colorizer.sample_fields`
in mode "diverse": the mean comes first, the others by the draws that they
represent.

`decode` is pure: it has no strings, random numbers or checks, so that other
runtimes can convert it.  The other signatures refuse bad inputs with
INVALID_ARGUMENT and a message that names input and row, because a server checks
names and types of inputs but not their shapes or values.
"""

from typing import Any

import tensorflow as tf

from tfdivcolor.color import canvas
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.export import graph_checks, graph_decoding
from tfdivcolor.settings import DEFAULTS, ExportOptions

# A call may ask for this number of results of the largest picture, or for more
# of smaller ones. This limits the size of an answer.
RESULTS_OF_LARGEST = 8

# Ratings of the colourings: float32 [B, N] each.
_RATINGS = ("share", "log_prob")


def names(options: ExportOptions) -> list[str]:
    """Lists the signatures of an export.

    Args:
        options: `settings.ExportOptions`.

    Returns:
        list of str.
    """
    every = ["serving_default", "colorize", "colorize_n", "colorize_tensor",
             "prior", "decode"]
    # Neither scalars nor rows of different n can be merged into a batch.
    unbatchable = ("colorize_n", "decode") if options.batchable else ()
    return [name for name in every if name not in unbatchable]


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
        rows = (tf.TensorSpec([None], tf.int64, "seed"),
                tf.TensorSpec([None], tf.float32, "temperature"))
        scalars = (tf.TensorSpec([], tf.int32, "num_samples"),
                   tf.TensorSpec([], tf.int64, "seed"),
                   tf.TensorSpec([], tf.float32, "temperature"))
        latents = tf.TensorSpec(
            [None, None, self.colorizer.latent_dim], tf.float32, "z")
        inputs = {
            "serving_default": (images,),
            "colorize": (images, *rows),
            "colorize_n": (images, *scalars),
            "colorize_tensor": (luminance, *rows),
            "prior": (luminance,),
            "decode": (luminance, latents),
        }
        return {
            name: tf.function(getattr(self, name), autograph=False)
            .get_concrete_function(*specs)
            for name, specs in inputs.items() if name in names(self.options)}

    def serving_default(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        image_bytes = _images(image_bytes)
        rows = tf.shape(image_bytes)
        return self._colorized(
            image_bytes, tf.fill(rows, tf.constant(DEFAULTS.seed, tf.int64)),
            tf.fill(rows, DEFAULTS.temperature), self.options.num_samples)

    def colorize(self, image_bytes: tf.Tensor, seed: tf.Tensor,
                 temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        image_bytes = _images(image_bytes)
        return self._colorized(
            image_bytes, *_rows(image_bytes, seed, temperature),
            self.options.num_samples)

    def colorize_n(self, image_bytes: tf.Tensor, num_samples: tf.Tensor,
                   seed: tf.Tensor,
                   temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        image_bytes = _images(image_bytes)
        num_samples, seed, temperature = (
            graph_checks.shape(name, value, [], "one number")
            for name, value in (
                ("num_samples", num_samples), ("seed", seed),
                ("temperature", temperature)))
        limit = self.options.max_samples
        num_samples = graph_checks.after(graph_checks.check(
            (num_samples >= 1) & (num_samples <= limit),
            f"num_samples: must be 1 to {limit} (received ",
            graph_checks.text(num_samples), ")"), num_samples)
        rows = tf.shape(image_bytes)
        return self._colorized(
            image_bytes, tf.fill(rows, seed),
            _temperature(tf.fill(rows, temperature)), num_samples)

    def colorize_tensor(self, luminance: tf.Tensor, seed: tf.Tensor,
                        temperature: tf.Tensor) -> dict[str, tf.Tensor]:
        luminance = self._luminance(luminance)
        return self._sample(
            luminance, *_rows(luminance, seed, temperature),
            self.options.num_samples)

    def prior(self, luminance: tf.Tensor) -> dict[str, tf.Tensor]:
        return _with_rows(self.colorizer.mdn, self._luminance(luminance))

    def decode(self, luminance: tf.Tensor,
               z: tf.Tensor) -> dict[str, tf.Tensor]:
        return _with_rows(
            lambda luminance, z: {
                "ab": self.colorizer.vae.decode(z, luminance)},
            luminance, z)

    def _luminance(self, luminance):
        luminance = graph_checks.shape(
            "luminance", luminance, [None, *self.luminance_shape],
            "one square per row")
        return graph_checks.values(
            "luminance", luminance, 0.0, 100.0, "numbers of 0 to 100")

    def _sample(self, luminance, seed, temperature, num_samples):
        # A field takes about a megabyte during sampling.
        count = tf.shape(luminance)[0] * num_samples
        limit = self.options.max_results
        luminance = graph_checks.after(graph_checks.check(
            count <= limit, "rows times num_samples: must be at most "
            f"{limit} (received ", graph_checks.text(count), ")"), luminance)
        drawn = _with_rows(
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

    def _bounded(self, small, pixels, num_samples):
        """Refuses calls whose results would have too many pixels."""
        count = tf.reduce_sum(pixels) * tf.cast(num_samples, tf.int64)
        limit = RESULTS_OF_LARGEST * self.options.max_pixels
        return graph_checks.after(graph_checks.check(
            count <= limit, "image_bytes: must have at most "
            f"{limit} pixels, all rows times num_samples (received ",
            graph_checks.text(count), ")"), small)

    def _colorized(self, image_bytes, seed, temperature, num_samples):
        def encoded(row):
            # Decoded again, because the full size of every row would take
            # unlimited memory, and decoding is a small part of the work.
            luminance = self._luminance_of(image_bytes[row], row)
            return tf.map_fn(
                lambda ab: _encode(
                    canvas.join(luminance, ab), self.options.image_format),
                # Two: one is encoded while the next is joined.  More would
                # take memory and save no time.
                drawn["ab"][row], parallel_iterations=2,
                fn_output_signature=tf.TensorSpec([], tf.string))

        def seen(row):
            luminance = self._luminance_of(image_bytes[row], row)
            return (canvas.on_canvas(luminance, self.luminance_shape[0]),
                    tf.size(luminance, tf.int64))

        rows = tf.range(tf.shape(image_bytes)[0])
        small, pixels = tf.map_fn(
            seen, rows, parallel_iterations=1, fn_output_signature=(
                tf.TensorSpec(self.luminance_shape),
                tf.TensorSpec([], tf.int64)))
        small = self._bounded(small, pixels, num_samples)
        drawn = self._sample(small, seed, temperature, num_samples)
        counted = drawn["share"]
        # Without rows the loop does not know the number of samples.
        pictures = tf.cond(
            tf.size(rows) > 0,
            lambda: tf.map_fn(
                encoded, rows, parallel_iterations=1,
                fn_output_signature=tf.TensorSpec(
                    counted.shape[1:], tf.string)),
            lambda: tf.zeros(tf.shape(counted), tf.string))
        return {"colorized_bytes": tf.ensure_shape(pictures, counted.shape),
                **{name: drawn[name] for name in _RATINGS}}


def _with_rows(function, *rows):
    """Calls a function of rows, or with a row of zeros if there are none.

    oneDNN's convolutions return outputs of a wrong size for an empty batch.
    """
    count = tf.shape(rows[0])[0]
    missing = tf.cast(count == 0, tf.int32)
    outputs = function(*(
        tf.pad(value, tf.convert_to_tensor(
            [[0, missing], *[[0, 0]] * (value.shape.rank - 1)]))
        for value in rows))
    return {name: value[:count] for name, value in outputs.items()}


def _images(image_bytes):
    return graph_checks.shape(
        "image_bytes", image_bytes, [None], "one picture per row")


def _rows(pictures, seed, temperature):
    count = [tf.shape(pictures)[0]]
    seed = graph_checks.shape("seed", seed, count, "one number per row")
    temperature = graph_checks.shape(
        "temperature", temperature, count, "one number per row")
    return seed, _temperature(temperature)


def _temperature(temperature):
    return graph_checks.values(
        "temperature", temperature, 0.0, tf.float32.max,
        "a finite number of 0 or more")


def _encode(pixels, image_format):
    if image_format == "jpeg":
        return tf.io.encode_jpeg(
            pixels, quality=95, chroma_downsampling=False)
    # A quarter of the default's time, for a tenth more bytes.
    return tf.io.encode_png(pixels, compression=1)
