"""How much does an encoder tell of colours, and at which size of the picture?

    python -m benchmarks.quality.encoders --train 'shards/*.tfrecord' \\
        kodak=kodak/ faces=lfw.tgz

The program enlarges grey pictures of 128x128 pixels to several sizes.  From an
encoder's features at strides 8, 16 and 32, and the mean of the last, it
predicts the mean ab of 8x8 cells by ridge regression.  The table has the part
of the variance of ab (around grey) that the prediction explains in pictures
that the regression did not see, for two encoders:

    imagenet         the shipped EfficientNet-Lite0, trained on ImageNet alone
    WEIGHTS          the encoder of trained weights

The mean counts every set once.
"""

import argparse

from benchmarks import table
from benchmarks.quality.results import BATCH
from tfdivcolor.settings import DEFAULT_WEIGHTS

SIZES = (128, 192, 256)
CELLS = 8  # cells on each side
TAPS = (2, 3, 4)  # features at strides 8, 16 and 32
RIDGE = 0.01  # of the variance of a feature


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(
        description="Compares what encoders tell of colours.")
    parser.add_argument("data", nargs="+", metavar="NAME=PATH",
                        help="sets of photographs in colour")
    parser.add_argument("--train", required=True, metavar="PATTERN",
                        help="TFRecord files of photographs")
    parser.add_argument("--pictures", type=int, default=60, metavar="N",
                        help="use the first N pictures of each set (default: "
                        "%(default)s)")
    parser.add_argument("--train-pictures", type=int, default=6000,
                        metavar="N", help="number of training pictures "
                        "(default: %(default)s)")
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR",
        help="trained weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="seed of the choice of training pictures "
                        "(default: %(default)s)")
    options = parser.parse_args(arguments)

    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import numpy as np

    import tfdivcolor as tdc
    from tfdivcolor.models.encoder import ENCODERS, load_weights

    trained = tdc.load(options.weights)
    train = _batches(tdc, trained, options.train, options.train_pictures,
                     options.seed)
    sets = {}
    for given in options.data:
        name, _, path = given.rpartition("=")
        sets[name or path] = _batches(tdc, trained, path, options.pictures)
    rows = []
    for encoder in ("imagenet", options.weights):
        for size in SIZES:
            network = _resized(trained.vae.grey_encoder.encoder, size)
            if encoder == "imagenet":
                load_weights(
                    network.network, ENCODERS / f"{network.backbone}.npz")
            fit = _regression(network, train)
            explained = [_explained(network, fit, batches)
                         for batches in sets.values()]
            rows.append([encoder, str(size),
                         *(f"{value:.3f}" for value in explained),
                         f"{np.mean(explained):.3f}"])
    print(f"{options.train_pictures} training pictures, seed {options.seed}, "
          f"weights {options.weights}")
    print(table(["encoder", "size", *sets, "mean"], rows))


def _batches(tdc, colorizer, path, limit, seed=None):
    """Batches of a set's first pictures, or of a random choice by seed."""
    photos = tdc.data.load(
        path, canvas=colorizer.canvas, squash=True, progress=False,
        luminance_size=colorizer.luminance_size,
        **({"limit": limit} if seed is None else {"on_demand": True}))
    batches = photos.batches(
        min(BATCH, len(photos)), shuffle=seed is not None, seed=seed or 0,
        drop_remainder=False)
    return batches.take(-(-limit // BATCH))


def _resized(encoder, size):
    """A copy of an encoder for pictures of another size."""
    copy = type(encoder).from_config({**encoder.get_config(), "size": size})
    for weight, value in zip(copy.network.weights, encoder.network.weights):
        weight.assign(value)
    return copy


def _cells(network, batch):
    """Features and mean ab / 128 of the cells: [N, D + 1], [N, 2]."""
    import numpy as np
    import tensorflow as tf

    enlarged = tf.image.resize(
        batch["luminance"] / 50.0 - 1.0, [network.size] * 2)
    taps = network(enlarged)
    found = [tf.image.resize(taps[i], [CELLS] * 2, antialias=True)
             for i in TAPS]
    whole = tf.reduce_mean(taps[-1], [1, 2], keepdims=True)
    found += [tf.tile(whole, [1, CELLS, CELLS, 1]), tf.ones_like(
        found[0][..., :1])]
    features = tf.concat(found, -1).numpy()
    ab = tf.image.resize(
        batch["ab"], [CELLS] * 2, "area").numpy() / 128
    return (features.reshape(-1, features.shape[-1]).astype(np.float64),
            ab.reshape(-1, 2))


def _regression(network, batches):
    """The linear map from features to ab with the least squared error."""
    import numpy as np
    from tqdm import tqdm

    gram, moments = 0.0, 0.0
    for batch in tqdm(batches, unit="batch", desc=f"{network.size}"):
        features, ab = _cells(network, batch)
        gram = gram + features.T @ features
        moments = moments + features.T @ ab
    mean = gram[-1] / gram[-1, -1]
    ridge = RIDGE * (np.diag(gram) - gram[-1, -1] * mean ** 2)
    return np.linalg.solve(gram + np.diag(ridge), moments)


def _explained(network, fit, batches):
    import numpy as np

    missed = total = 0.0
    for batch in batches:
        features, ab = _cells(network, batch)
        missed += np.square(ab - features @ fit).sum()
        total += np.square(ab).sum()
    return 1.0 - missed / total


if __name__ == "__main__":
    main()
