"""Measures the effect of hints: true colours at a few pixels of photographs.

    python -m benchmarks.quality.hints --data data/lfw.tgz

The program colourises each photograph without hints, and with its own colours
as hints at 1, 3 and 10 random pixels.  The table has, without and with hints,
in CIE units on the canvas:

    at hints   mean distance in the ab plane of the 8 results from the hints
    first      MAE of the first result, over the whole picture
    best of 8  MAE of the best of 8
    variety    root mean variance of the 8 results at pixels farther than 8
               pixels from every hint
"""

import argparse

import numpy as np

from benchmarks import add_pictures, photographs, table

NUM_HINTS = (1, 3, 10)
NEAR = 8.0  # pixels of the canvas
COLUMNS = ("at hints", "first", "best of 8", "variety")


def measure(colorizer, pixels, num_hints, random, seed=0):
    """Colourises a photograph without and with hints from the truth.

    Args:
        colorizer: `Colorizer`.
        pixels: uint8 [H, W, 3]. The photograph in colour.
        num_hints: int, 1 or more.
        random: `np.random.Generator`. Draws the pixels.
        seed: int. Seed of the results. Defaults to 0.

    Returns:
        float array [2, len(COLUMNS)]: without hints, with hints.
    """
    import tensorflow as tf

    from tfdivcolor import color, settings
    from tfdivcolor.latent import hints as hint_points

    height, width, _ = pixels.shape
    size = colorizer.canvas
    truth = tf.image.resize(
        color.split(pixels)[1], [size, size], antialias=True).numpy()
    points = random.integers(0, [width, height], [num_hints, 2])
    asked = [settings.Hint(int(x), int(y), pixels[y, x].tolist())
             for x, y in points]
    weights, targets = hint_points.observations(asked, width, height, size)
    places = np.array([
        hint_points.canvas_position(x, y, width, height, size)
        for x, y in points])
    grid = np.stack(np.meshgrid(*[np.arange(size)] * 2), axis=-1)
    far = (np.linalg.norm(grid[:, :, None] - places, axis=-1)
           > NEAR).all(axis=-1)
    rows = []
    for steered in ((), asked):
        ab = colorizer.colorize(pixels, 8, seed=seed, hints=steered).ab
        at_hints = np.linalg.norm(
            hint_points.means(ab[None], weights)[0] - targets, axis=-1)
        errors = np.abs(ab - truth).mean(axis=(1, 2, 3))
        variety = np.sqrt(ab.var(axis=0)[far].mean())
        rows.append([at_hints.mean(), errors[0], errors.min(), variety])
    return np.array(rows)


def main(arguments=None):
    """Prints the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.hints",
        description="Measures the effect of hints.")
    add_pictures(parser, 50)
    options = parser.parse_args(arguments)
    pictures = photographs(options)
    from tqdm import tqdm

    import tfdivcolor as tdc

    colorizer = tdc.load(options.weights)
    means = {}
    with tqdm(total=len(NUM_HINTS) * len(pictures), unit="picture") as bar:
        for num_hints in NUM_HINTS:
            random = np.random.default_rng(options.seed)
            found = []
            for pixels in pictures:
                found.append(measure(
                    colorizer, pixels, num_hints, random, options.seed))
                bar.update()
            means[num_hints] = np.mean(found, axis=0)
    print(f"{len(pictures)} photographs, seed {options.seed}, weights "
          f"{options.weights}: without -> with hints, CIE units")
    print(table(["hints", *COLUMNS], [
        [str(num_hints), *(f"{before:.1f} -> {after:.1f}"
                           for before, after in zip(*rows))]
        for num_hints, rows in means.items()]))


if __name__ == "__main__":
    main()
