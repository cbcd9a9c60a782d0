"""How should a picture that is not square reach the square canvas?

    python -m benchmarks.quality.shapes --data data/lfw.tgz

The program colours centred crops of photographs, wide and tall, with one
default call for 8 results in each of several ways:

    squash         the whole picture, with each side scaled to the canvas
    pad edge       made square by repeating the outermost pixels
    pad reflect    made square by mirroring
    pad mean       made square with the mean luminance
    tiles          overlapping squares, coloured one by one and blended

Errors are mean absolute differences of ab / 128 at the crop's own size, for
the first result and the best of 8.  A second table shows how much the results
change with the size of the photographs.
"""

import argparse

from benchmarks import add_pictures, photographs, table

RATIOS = {"3:2": 1.5, "2:1": 2.0, "3:1": 3.0}
PADDINGS = {"pad edge": "edge", "pad reflect": "symmetric", "pad mean": "mean"}
STRATEGIES = ("squash", *PADDINGS, "tiles")
SIZES = (256, 1024, 4096)  # sides in pixels


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(
        description="Compares ways to bring a picture to the canvas.")
    add_pictures(parser, 150)
    parser.add_argument(
        "--enlarged", type=int, default=10, metavar="N",
        help="photographs for the second table (default: %(default)s)")
    options = parser.parse_args(arguments)
    pictures = photographs(options)
    from tqdm import tqdm

    import tfdivcolor as tdc

    colorizer = tdc.load(options.weights)
    crops = [(f"{name} {way}", ratio, way == "wide")
             for name, ratio in RATIOS.items() for way in ("wide", "tall")]
    errors = {}
    with tqdm(total=len(crops) * len(STRATEGIES) * len(pictures),
              unit="picture") as bar:
        for name, ratio, wide in crops:
            for strategy in STRATEGIES:
                errors[name, strategy] = [
                    _errors(colorizer, strategy, _crop(pixels, ratio, wide),
                            options.seed, bar) for pixels in pictures]
    print(f"{len(pictures)} photographs, seed {options.seed}, weights "
          f"{options.weights}: MAE in ab/128, one / best of 8; "
          "(ratio to squash, best of 8)")
    print(table(["crop", *STRATEGIES], [
        [name, *(_cell(errors[name, s], errors[name, "squash"])
                 for s in STRATEGIES)] for name, _, _ in crops]))
    changes = _changes(colorizer, pictures[:options.enlarged], options.seed)
    print(f"\n{len(pictures[:options.enlarged])} photographs scaled to squares"
          f" with sides of N pixels: mean difference of the results from those "
          f"at {SIZES[0]}, CIE units")
    print(table(["N", "mean", "largest"],
                [[str(size), f"{mean:.2f}", f"{largest:.2f}"]
                 for size, mean, largest in changes]))


def _cell(errors, reference):
    import numpy as np

    one, best = np.mean(errors, axis=0)
    return (f"{one:.4f} / {best:.4f} "
            f"({best / np.mean(reference, axis=0)[1]:.3f})")


def _crop(pixels, ratio, wide):
    """Largest centred crop of a ratio: uint8 [h, w, 3]."""
    height, width, _ = pixels.shape
    side = min(height, width)
    short = round(side / ratio)
    size = (short, side) if wide else (side, short)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return pixels[top:top + size[0], left:left + size[1]]


def _errors(colorizer, strategy, pixels, seed, bar):
    """MAE of the first result and of the best of 8."""
    import numpy as np

    from tfdivcolor import color

    luminance, ab = [part.numpy() for part in color.split(pixels)]
    if strategy == "squash":
        fields = _fields(colorizer, luminance[None], seed)[0]
    elif strategy == "tiles":
        fields = _tiled(colorizer, luminance, seed)
    else:
        fields = _padded(colorizer, luminance, PADDINGS[strategy], seed)
    errors = np.abs(fields - ab).mean(axis=(1, 2, 3)) / 128
    bar.update()
    return errors[0], errors.min()


def _fields(colorizer, luminance, seed):
    """Results for luminance [N, H, W, 1]: float32 [N, 8, H, W, 2]."""
    import tensorflow as tf

    from tfdivcolor.color import canvas

    small = tf.stack([canvas.on_canvas(picture, colorizer.luminance_size)
                      for picture in luminance])
    fields = colorizer.sample(small, 8, seed=seed)["ab"]
    full = [tf.image.resize(rows, luminance.shape[1:3]) for rows in fields]
    return tf.stack(full).numpy()


def _padded(colorizer, luminance, mode, seed):
    import numpy as np

    height, width, _ = luminance.shape
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.pad(luminance, [
        [top, side - height - top], [left, side - width - left], [0, 0]],
        **({"mode": "constant", "constant_values": luminance.mean()}
           if mode == "mean" else {"mode": mode}))
    fields = _fields(colorizer, square[None], seed)[0]
    return fields[:, top:top + height, left:left + width]


def _tiled(colorizer, luminance, seed):
    """Colours squares that overlap by a half or more, and blends linearly."""
    import numpy as np

    if luminance.shape[0] > luminance.shape[1]:
        turned = _tiled_wide(
            colorizer, luminance.transpose(1, 0, 2), True, seed)
        return turned.transpose(0, 2, 1, 3)
    return _tiled_wide(colorizer, np.asarray(luminance), False, seed)


def _tiled_wide(colorizer, luminance, turned, seed):
    import numpy as np

    side, width, _ = luminance.shape
    count = int(np.ceil(2 * width / side)) - 1
    starts = np.linspace(0, width - side, count).round().astype(int)
    tiles = np.stack([luminance[:, x:x + side] for x in starts])
    if turned:  # the networks expect upright pictures
        fields = _fields(colorizer, tiles.transpose(0, 2, 1, 3), seed)
        fields = fields.transpose(0, 1, 3, 2, 4)
    else:
        fields = _fields(colorizer, tiles, seed)
    weight = side / 2 + 1 - np.abs(np.arange(side) + 0.5 - side / 2)
    total = np.zeros([fields.shape[1], side, width, 2])
    weights = np.zeros(width)
    for x, tile in zip(starts, fields):
        total[:, :, x:x + side] += weight[:, np.newaxis] * tile
        weights[x:x + side] += weight
    return total / weights[:, np.newaxis]


def _changes(colorizer, pictures, seed):
    """Yields size, and mean and largest of the pictures' mean differences."""
    import numpy as np
    from PIL import Image

    from tfdivcolor.color import canvas

    fields = {}
    for size in SIZES:
        for i, pixels in enumerate(pictures):
            scaled = Image.fromarray(pixels).resize(
                [size, size], Image.Resampling.BICUBIC)
            small = canvas.on_canvas(
                canvas.luminance_of(np.asarray(scaled)),
                colorizer.luminance_size)
            fields[size, i] = colorizer.sample(
                small[np.newaxis], 8, seed=seed)["ab"].numpy()
    for size in SIZES[1:]:
        differences = [np.abs(fields[size, i] - fields[SIZES[0], i]).mean()
                       for i in range(len(pictures))]
        yield size, np.mean(differences), np.max(differences)


if __name__ == "__main__":
    main()
