"""What hints are worth: true colours at a few random pixels of photographs.

    python -m benchmarks.hints --data photos/
    python -m benchmarks.hints --data lfw.tgz --limit 900 --pictures 50

Each of some photographs of the validation part is colourised without hints
and with its own colours at 1, 3 and 10 random pixels.  The table has, with and
without the hints:

    at hints   mean distance in the ab plane of the 8 results from the hints
    first      MAE of the first result, over the whole picture
    best of 8  MAE of the best of 8
    variety    root mean variance of the 8 results, pixels further than 8 from
               every hint

all in CIE units on the canvas.
"""

import argparse

import numpy as np
import tensorflow as tf

from tfdivcolor import color, data, presets, sampling, steering
from tfdivcolor.settings import DEFAULTS

NUM_HINTS = (1, 3, 10)
NEAR = 8.0  # pixels of the canvas
COLUMNS = ("at hints", "first", "best of 8", "variety")


def measure(colorizer, photos, num_hints, noise=steering.HINT_NOISE, seed=0):
    """Colourises photographs with and without hints from the truth.

    Args:
        colorizer: `Colorizer`.
        photos: list of dicts of luminance: float32 [c, c, 1] and ab:
            float32 [c, c, 2].
        num_hints: int, 1 or more. Hints a photograph.
        noise: float. As in `steering.toward`.
        seed: int. Of the pixels and of the results.

    Returns:
        float array [number of photographs, 2, len(COLUMNS)]: without hints,
        with hints.
    """
    canvas, decoder = colorizer.canvas, colorizer.vae.decoder
    random = np.random.default_rng(seed)

    @tf.function(autograph=False)
    def colorize(luminance, positions, targets):
        luminance_norm = color.normalize_luminance(luminance[None])
        grey = colorizer.vae.grey_encoder(luminance_norm, training=False)
        params = colorizer.mdn.head(
            grey if colorizer.shares_grey else colorizer.mdn.features(
                luminance_norm, training=False), training=False)
        weights = steering.pixel_weights(positions, canvas)
        steered = steering.toward(
            decoder, grey, params, weights, targets, noise)
        fields = []
        for mixture in (params, steered):
            chosen = sampling.latents(
                params, decoder.sensitivity(grey),
                tf.constant([seed], tf.int64), 8,
                tf.constant(DEFAULTS.temperature), DEFAULTS.mode,
                steered=mixture if mixture is steered else None)
            fields.append(decoder(chosen["z"], grey, training=False)[0])
        return color.denormalize_ab(tf.stack(fields))  # [2, 8, c, c, 2]

    def rows(photo):
        points = random.integers(0, canvas, [num_hints, 2])  # column, row
        targets = photo["ab"][points[:, 1], points[:, 0]]
        fields = colorize(
            photo["luminance"], points.astype(np.float32), targets).numpy()
        at_hints = np.linalg.norm(
            fields[:, :, points[:, 1], points[:, 0]] - targets,
            axis=-1).mean(axis=(1, 2))
        errors = np.abs(fields - photo["ab"]).mean(axis=(2, 3, 4))  # [2, 8]
        grid = np.stack(np.meshgrid(*[np.arange(canvas)] * 2), axis=-1)
        far = (np.linalg.norm(grid[:, :, None] - points, axis=-1)
               > NEAR).all(axis=-1)
        variety = np.sqrt(fields.var(axis=1)[:, far].mean(axis=(1, 2)))
        return np.stack(
            [at_hints, errors[:, 0], errors.min(axis=1), variety], axis=-1)

    return np.stack([rows(photo) for photo in photos])


def main(arguments=None):
    """Prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.hints", description="What hints are worth.")
    parser.add_argument("--data", required=True, metavar="DIR_OR_TGZ")
    parser.add_argument("--weights", default="lfw", metavar="NAME_OR_DIR")
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--limit", type=int, default=None, metavar="N",
                        help="look at the first N pictures of the data only")
    options = parser.parse_args(arguments)
    colorizer = presets.load(options.weights)
    photos = data.load(
        options.data, canvas=colorizer.canvas, subset="validation",
        limit=options.limit)
    batch = next(photos.batches(
        min(options.pictures, len(photos)), shuffle=False).as_numpy_iterator())
    photos = [{"luminance": luminance, "ab": ab}
              for luminance, ab in zip(batch["luminance"], batch["ab"])]
    print(f"{len(photos)} pictures; without -> with hints, CIE units")
    print("hints" + "".join(f"{name:>16}" for name in COLUMNS))
    for num_hints in NUM_HINTS:
        without, with_hints = measure(
            colorizer, photos, num_hints).mean(axis=0)
        print(f"{num_hints:5}" + "".join(
            f"{before:8.1f} -> {after:4.1f}"
            for before, after in zip(without, with_hints)))


if __name__ == "__main__":
    main()
