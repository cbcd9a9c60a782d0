"""Compares ways to enlarge colour fields from the canvas to full size.

    python -m benchmarks.quality.upsampling --data data/lfw.tgz

The program enlarges three fields of each colour photograph: the true
chrominance averaged on the canvas, the VAE's reconstruction of it, and the
best result of one default call for 8 results.  It uses these ways:

    bilinear   ignores the luminance
    bicubic    ignores the luminance
    filter     the fast guided filter (He & Sun, 2015), 3x3 cells, epsilon 20
    guided     `color.upsampling`, the library's way

It prints the mean absolute error of ab / 128 at full size, relative to
bilinear: at all pixels, and at the tenth of the pixels with the steepest
luminance and chrominance.  "Grain" is the change of the best result's colours,
in CIE units, after adding noise of standard deviation 6 to the luminance, like
a film's grain.
"""

import argparse

from benchmarks import add_pictures, photographs, table

FIELDS = ("true", "reconstruction", "best of 8")
GRAIN = 6.0


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(
        description="Compares ways to enlarge colour fields.")
    add_pictures(parser, 150)
    options = parser.parse_args(arguments)
    pictures = photographs(options)
    import numpy as np
    from tqdm import tqdm

    import tfdivcolor as tdc

    colorizer = tdc.load(options.weights)
    random = np.random.default_rng(options.seed)
    rows = [_measure(colorizer, pixels, options.seed, random)
            for pixels in tqdm(pictures, unit="picture")]
    errors = {key: np.mean([errors[key] for errors, _ in rows], axis=0)
              for key in rows[0][0]}
    grain = {name: np.mean([grain[name] for _, grain in rows])
             for name in rows[0][1]}
    print(f"{len(pictures)} photographs, seed {options.seed}, weights "
          f"{options.weights}: error / that of bilinear, all pixels and edges")
    print(table(["", *FIELDS, "grain"], [
        [name, *(" ".join(f"{value:.3f}" for value in
                          errors[name, field] / errors["bilinear", field])
                 for field in FIELDS), f"{grain[name]:.2f}"]
        for name in grain]))
    print("bilinear: " + ", ".join(
        "{} {:.4f} {:.4f}".format(field, *errors["bilinear", field])
        for field in FIELDS))


def _measure(colorizer, pixels, seed, random):
    """Measures the errors of one photograph.

    Returns:
        dict from (method, field) to [mean error, mean error at edges]; dict
        from a method to the change by grain.
    """
    import numpy as np
    import tensorflow as tf

    from tfdivcolor import color
    from tfdivcolor.color import canvas

    luminance, ab = color.split(pixels)
    size = colorizer.canvas
    small = canvas.on_canvas(luminance, size)
    seen = canvas.on_canvas(luminance, colorizer.luminance_size)
    true = tf.image.resize(ab, [size, size], antialias=True)
    batch = {"luminance": seen[tf.newaxis], "ab": true[tf.newaxis]}
    drawn = colorizer.sample(batch["luminance"], 8, seed=seed)["ab"][0]
    best = tf.argmin(tf.reduce_mean(tf.abs(drawn - true), [1, 2, 3]))
    fields = dict(zip(FIELDS, (
        true, colorizer.vae(batch)["ab_hat"][0], drawn[best])))
    edges = _edges(tf.concat([luminance / 2, ab], axis=-1).numpy())
    noise = random.normal(0, GRAIN, luminance.shape).astype(np.float32)
    noisy = tf.clip_by_value(luminance + noise, 0, 100)
    noisy_small = canvas.on_canvas(noisy, size)
    errors, grain = {}, {}
    for name, enlarge in _methods().items():
        for field, value in fields.items():
            enlarged = enlarge(luminance, small, value).numpy()
            error = np.abs(enlarged - ab).mean(axis=-1) / 128
            errors[name, field] = np.array([error.mean(), error[edges].mean()])
        grain[name] = np.abs(
            enlarge(noisy, noisy_small, value) - enlarged).mean()
    return errors, grain


def _edges(lab):
    """Mask [H, W] of the tenth of the pixels where [H, W, 3] is steepest."""
    import numpy as np

    steepness = sum(
        np.abs(np.gradient(lab, axis=axis)).sum(axis=-1) for axis in (0, 1))
    return steepness >= np.quantile(steepness, 0.9)


def _methods():
    """dict of functions (luminance, small luminance, ab) -> [H, W, 2]."""
    import tensorflow as tf

    from tfdivcolor.color import upsampling

    def plain(method):
        return lambda luminance, small, ab: tf.image.resize(
            ab, luminance.shape[:2], method)

    return {"bilinear": plain("bilinear"), "bicubic": plain("bicubic"),
            "filter": _guided_filter, "guided": upsampling.guided}


def _guided_filter(luminance, small, ab, epsilon=20.0):
    import tensorflow as tf

    def mean(field):
        return tf.nn.avg_pool2d(field[tf.newaxis], 3, 1, "SAME")[0]

    variance = mean(small**2) - mean(small)**2
    slope = (mean(small * ab) - mean(small) * mean(ab)) / (variance + epsilon)
    offset = mean(ab) - slope * mean(small)
    slope, offset = [tf.image.resize(mean(part), luminance.shape[:2])
                     for part in (slope, offset)]
    return slope * luminance + offset


if __name__ == "__main__":
    main()
