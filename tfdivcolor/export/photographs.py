"""Photographs of a call in the graph: reduced for the networks, then joined.

A function maps a row's number to a luminance.  It decodes the photograph again
each time, because the full size of all rows would take unlimited memory, and
decoding is a small part of the work.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfdivcolor.color import canvas
from tfdivcolor.export import graph_checks, rows

# A call may ask for this number of results of the largest picture, or for more
# of smaller ones. This limits the size of an answer.
RESULTS_OF_LARGEST = 8


def seen(luminance_of: Callable[[tf.Tensor], tf.Tensor], count: tf.Tensor,
         side: int, also: Callable[..., dict[str, Any]] | None = None,
         **more: rows.Row) -> dict[str, tf.Tensor]:
    """Reduces every photograph of a call to the size of the networks.

    Args:
        luminance_of: function from a row's number, int32 scalar, to a
            luminance, float32 [H, W, 1], 0..100.
        count: int32 scalar B.
        side: int s. The model's `luminance_size`.
        also: function from a luminance and its row's number to a dict of
            further tensors, or None. Defaults to None.
        **more: types and shapes of these tensors.

    Returns:
        dict of small: float32 [B, s, s, 1], 0..100; size: int32 [B, 2], height
        and width; and the tensors of `also`.
    """
    def one(row):
        luminance = luminance_of(row)
        return {"small": canvas.on_canvas(luminance, side),
                "size": tf.shape(luminance)[:2],
                **(also(luminance, row) if also else {})}

    return rows.each(count, one, {
        "small": (tf.float32, [side, side, 1]), "size": (tf.int32, [2]),
        **more})


def limited(name: str, found: dict[str, tf.Tensor],
            num_samples: int | tf.Tensor, max_pixels: int
            ) -> dict[str, tf.Tensor]:
    """Refuses calls whose results would have too many pixels.

    Args:
        name: str. The input that holds the photographs, for the message.
        found: dict of `seen`.
        num_samples: int, or int32 scalar.
        max_pixels: int. Of one photograph.

    Returns:
        dict as given.
    """
    pixels = tf.reduce_prod(tf.cast(found["size"], tf.int64), axis=1)
    pixels = tf.reduce_sum(pixels) * tf.cast(num_samples, tf.int64)
    limit = RESULTS_OF_LARGEST * max_pixels
    return {**found, "small": graph_checks.after(graph_checks.check(
        pixels <= limit, f"{name}: must have at most {limit} pixels, all rows "
        "times num_samples (received ", graph_checks.text(pixels), ")"),
        found["small"])}


def joined(luminance_of: Callable[[tf.Tensor], tf.Tensor], fields: tf.Tensor,
           finish: Callable[[tf.Tensor], tf.Tensor], result: rows.Row
           ) -> tf.Tensor:
    """Joins every photograph with its fields.

    Args:
        luminance_of: as in `seen`.
        fields: float32 [B, n, c, c, 2], CIE units.
        finish: function of a picture, uint8 [H, W, 3], to a result.
        result: type and shape of one result of `finish`.

    Returns:
        tensor [B, n, ...] of results.
    """
    dtype, shape = result
    samples = fields.shape[1]
    spec = rows.spec(result)

    def one(row):
        luminance = luminance_of(row)
        return {"pictures": tf.map_fn(
            lambda ab: finish(canvas.join(luminance, ab)), fields[row],
            # The graph encodes one picture while it joins the next.  More
            # would take memory and save no time.
            parallel_iterations=2, fn_output_signature=spec)}

    return rows.each(tf.shape(fields)[0], one, {"pictures": (dtype, [
        tf.shape(fields)[1] if samples is None else samples, *shape
        ])})["pictures"]


def encode(pixels: tf.Tensor, image_format: str) -> tf.Tensor:
    """Encodes a picture: uint8 [H, W, 3] -> string scalar."""
    if image_format == "jpeg":
        return tf.io.encode_jpeg(
            pixels, quality=95, chroma_downsampling=False)
    # A quarter of the default's time, for a tenth more bytes.
    return tf.io.encode_png(pixels, compression=1)
