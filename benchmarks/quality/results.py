"""Which result comes first, in which order, and how colourful are they?

    python -m benchmarks.quality.results kodak=kodak/ faces=lfw.tgz

The program colours photographs with one call for 8 results, and chooses and
orders the results of the same draws in several ways:

    density          clusters of the draws, the densest first
    share            the same, the largest first
    chroma           by share, with the mean chroma of the cluster's members
    chroma 3         the same, with at most three times the chroma, not twice
    mean first       the mixture's mean as a centre and as the first result
    if probable      the same, if the mean is more probable than any draw
    drawn in 2       the mean first, and results of few draws moved towards it:
                     each counts two extra draws at the mean
    drawn in         as tfdivcolor does: four extra draws, and at most 1.5 times
                     the chroma in all results but the mean
    heaviest         only the mean of the heaviest component

Errors are mean absolute differences of ab / 128 on the canvas, and chroma is
relative to the truth.  "Tinted" is the share of the last two results whose mean
colour is more than 20 CIE units from that of the first.  Figures are means over
the sets, each counted once.  A second table shows how often results of a share
are nearest to the truth.
"""

import argparse
from unittest import mock

from benchmarks import table
from tfdivcolor.settings import DEFAULT_WEIGHTS

BATCH = 20
TINT = 20.0  # CIE units
BINS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(
        description="Compares ways of choosing and ordering results.")
    parser.add_argument("data", nargs="+", metavar="NAME=PATH",
                        help="sets of photographs in colour")
    parser.add_argument("--pictures", type=int, default=60, metavar="N",
                        help="use the first N pictures of each set (default: "
                        "%(default)s)")
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR",
        help="trained weights (default: %(default)s)")
    parser.add_argument("--draws", type=int, metavar="N",
                        help="draws that the results represent (default: "
                        "those of tfdivcolor)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="seed of the results (default: %(default)s)")
    options = parser.parse_args(arguments)

    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import numpy as np
    from tqdm import tqdm

    import tfdivcolor as tdc
    from tfdivcolor.latent import sampling

    if options.draws:
        sampling.SMALLEST_POOL = options.draws
    colorizer = tdc.load(options.weights)
    means, shares, nearest, count = {}, [], [], 0
    for given in tqdm(options.data, unit="set"):
        photos = tdc.data.load(
            given.partition("=")[2] or given, canvas=colorizer.canvas,
            luminance_size=colorizer.luminance_size, squash=True,
            limit=options.pictures, progress=False)
        found = {}
        for batch in photos.batches(
                min(BATCH, len(photos)), shuffle=False, drop_remainder=False):
            truth = batch["ab"].numpy() / 128
            fields, share = _fields(
                colorizer, batch["luminance"], options.seed)
            for way, field in fields.items():
                found.setdefault(way, []).append(np.column_stack(
                    [figures(field, truth), tinted(field)]))
            distance = np.square(
                fields["drawn in"] - truth[:, None]).sum((2, 3, 4))
            shares.append(share)
            nearest.append(np.eye(share.shape[1])[distance.argmin(1)])
        for way, rows in found.items():
            first, best, *chroma, true, tint = np.concatenate(rows).mean(0)
            means.setdefault(way, []).append(
                [first, best, *(value / true for value in chroma), tint])
        count += len(photos)
    print(f"{count} pictures of {len(options.data)} sets, "
          f"{sampling.SMALLEST_POOL} draws, seed {options.seed}, weights "
          f"{options.weights}")
    print(table(
        ["way", "first", "best of 8", "chroma, first", "chroma, all",
         "tinted"],
        [[way, *(f"{value:.4f}" for value in row[:2]),
          *(f"{value:.2f}" for value in row[2:4]), f"{row[4]:.3f}"]
         for way, rows in means.items() for row in [np.mean(rows, 0)]]))
    print(_calibration(np.concatenate(shares), np.concatenate(nearest)))


def figures(field, truth):
    """Errors, chroma and true chroma of each picture's results: [B, 5]."""
    import numpy as np

    error = np.abs(field - truth[:, None]).mean((2, 3, 4))
    chroma = np.hypot(field[..., 0], field[..., 1]).mean((2, 3))
    true = np.hypot(truth[..., 0], truth[..., 1]).mean((1, 2))
    return np.stack([error[:, 0], error.min(1), chroma[:, 0], chroma.mean(1),
                     true], axis=1)


def tinted(field):
    """Which share of the last two results is strongly tinted: [B]."""
    import numpy as np

    mean = 128 * field.mean((2, 3))
    apart = np.hypot(*np.moveaxis(mean - mean[:, :1], -1, 0))
    return (apart[:, -2:] > TINT).mean(1)


def _fields(colorizer, luminance, seed):
    """Fields [B, S, h, w, 2] for every way, and tfdivcolor's shares."""
    import tensorflow as tf

    from tfdivcolor.latent import (
        clustering,
        palettes,
        plain_tensorflow,
        sampling,
    )

    grey, params = colorizer.look(luminance)
    decoder = colorizer.vae.decoder
    seed = tf.fill([len(luminance)], tf.constant(seed, tf.int64))
    number = sampling.SMALLEST_POOL
    draws = plain_tensorflow.draw(params, seed, number, 0.5 ** 0.5)
    log_prob, probable = tf.math.top_k(
        plain_tensorflow.log_prob(params, draws),
        int(sampling.PROBABLE * number))
    draws = tf.gather(draws, probable, batch_dims=1)
    scale = tf.maximum(decoder.sensitivity(grey), 1e-6)[:, None]
    weights = tf.nn.softmax(params["mixture_logits"])
    mean = tf.matmul(weights[:, None], params["locs"])
    likely = plain_tensorflow.log_prob(params, mean) > log_prob[:, :1]

    def chosen(middle, anchored, cap=0.0):
        points = (draws - middle) * scale
        centres, own = clustering.centres(
            points, clustering.spread_out(points, 8), anchored[..., None])
        size = tf.reduce_sum(own, axis=1)
        z = centres / scale + middle
        if cap:
            z = palettes.restore_chroma(
                z, draws, own, tf.ones_like(size)[:, :, None], cap)
        first = tf.where(anchored, 1e6, size[:, :1])
        return z, size, tf.concat([first, size[:, 1:]], 1)

    def painted(z, order):
        rank = tf.argsort(order, axis=-1, direction="DESCENDING", stable=True)
        return decoder(tf.gather(z, rank, batch_dims=1), grey).numpy()

    average = tf.reduce_mean(draws, axis=1, keepdims=True)
    everywhere = tf.fill(tf.shape(likely), True)
    plain, size, _ = chosen(average, everywhere)
    restored, _, _ = chosen(average, everywhere, 2.0)
    more, _, _ = chosen(average, everywhere, 3.0)

    def product():
        return sampling.latents(
            params, decoder.sensitivity(grey), seed, tf.constant(8),
            tf.constant(0.5), "diverse", decoder.latent_is_palette)

    drawn_in = product()
    with mock.patch.multiple(sampling, MIDDLE_DRAWS=2.0, CLUSTER_FACTOR=2.0):
        drawn_in_2 = product()
    heaviest = tf.gather(params["locs"], tf.argmax(weights, -1),
                         batch_dims=1)[:, None]

    def by_place(way):
        z, _, order = way
        return painted(z, order)

    return {
        "density": painted(plain, plain_tensorflow.log_prob(params, plain)),
        "share": painted(plain, size),
        "chroma": painted(restored, size),
        "chroma 3": painted(more, size),
        "mean first": by_place(chosen(mean, everywhere, 2.0)),
        "if probable": by_place(chosen(mean, likely, 2.0)),
        "drawn in 2": decoder(drawn_in_2["z"], grey).numpy(),
        "drawn in": decoder(drawn_in["z"], grey).numpy(),
        "heaviest": decoder(heaviest, grey).numpy(),
    }, drawn_in["share"].numpy()


def _calibration(share, nearest):
    """Table of how often results of a share are nearest to the truth."""
    rows = []
    for low, high in zip(BINS, BINS[1:]):
        inside = (share >= low) & (share < high + (high == 1.0))
        if inside.any():
            rows.append([f"{low:g} to {high:g}", str(inside.sum()),
                         f"{share[inside].mean():.3f}",
                         f"{nearest[inside].mean():.3f}"])
    return table(["share", "results", "promised", "came true"], rows)


if __name__ == "__main__":
    main()
