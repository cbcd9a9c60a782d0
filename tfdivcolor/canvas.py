"""The way to the networks' canvas, and back to a photograph's own size.

Python, the command line and the exported model share it.
"""

import tensorflow as tf

from tfdivcolor import color

# Pixels converted at a time: bounds the float32 temporaries of the Lab
# conversion to some 100 MB whatever the picture's size.
STRIP_PIXELS = 1 << 20


@tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)],
             autograph=False)
def luminance_of(pixels):
    """Luminance of a photograph: uint8 [H, W, 3] -> float32 [H, W, 1]."""
    return _in_strips(
        lambda pixels: color.split(pixels)[0], tf.float32, 1, pixels)


def on_canvas(luminance, canvas):
    """A photograph's luminance as the networks see it.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        canvas: int. The whole picture is squashed to canvas x canvas.

    Returns:
        float32 [canvas, canvas, 1], 0..100, antialiased.
    """
    small = tf.image.resize(
        luminance, [canvas, canvas], "bilinear", antialias=True)
    # The antialiasing filter's rounding may overshoot by 1e-5.
    return tf.clip_by_value(small, 0.0, 100.0)


@tf.function(input_signature=[tf.TensorSpec([None, None, 1], tf.float32),
                              tf.TensorSpec([None, None, 2], tf.float32)],
             autograph=False)
def join(luminance, ab):
    """Full-size picture of a luminance and a small colour field.

    Chrominance is enlarged bilinearly and joined with the photograph's own
    luminance; colours outside sRGB lose chroma, never luminance.

    Args:
        luminance: float32 [H, W, 1], 0..100.
        ab: float32 [h, w, 2], CIE units.

    Returns:
        uint8 [H, W, 3], sRGB.
    """
    full = tf.image.resize(ab, tf.shape(luminance)[:2], "bilinear")
    return _in_strips(color.join, tf.uint8, 3, luminance, full)


def _in_strips(function, dtype, channels, *pictures):
    """Applies a function of single pixels to STRIP_PIXELS at a time.

    Args:
        function: strips [L, C], ... -> [L, channels] of type dtype.
        pictures: tensors [H, W, C].

    Returns:
        tensor [H, W, channels].
    """
    height, width = tf.unstack(tf.shape(pictures[0])[:2])
    pixels = height * width
    count = -(-pixels // STRIP_PIXELS)
    length = -(-pixels // count)

    def strips(picture):
        flat = tf.reshape(picture, [pixels, picture.shape[-1]])
        flat = tf.pad(flat, [[0, count * length - pixels], [0, 0]])
        return tf.reshape(flat, [count, length, picture.shape[-1]])

    done = tf.map_fn(
        lambda strip: function(*strip), tuple(map(strips, pictures)),
        parallel_iterations=1,
        fn_output_signature=tf.TensorSpec([None, channels], dtype))
    done = tf.reshape(done, [count * length, channels])[:pixels]
    return tf.reshape(done, [height, width, channels])
