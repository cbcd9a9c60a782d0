"""Does another loss of the mixture give better or more colourful results?

    python -m benchmarks.quality.mixture_losses --train 'shards/*.tfrecord' \\
        kodak=kodak/ faces=lfw.tgz

The program trains only the mixture's head, with several losses, each time from
the same weights, on the same pictures, for the same number of steps:

    unchanged        the weights without further training
    likelihood       the negative log-likelihood of `training.train`
    rarity P         the same, weighted by the rarity of the picture's chroma:
                     the frequency of this chroma to the power of -P (the
                     paper's idea of rebalancing, Deshpande et al. 2017,
                     section 3.1)
    adversarial W    the likelihood, plus W times the hinge loss of a
                     discriminator, which sees drawn palettes and the grey
                     picture

Errors are mean absolute differences of ab / 128 on the canvas, and chroma is
relative to the truth.  Figures are means over the sets, each counted once.
"""

import argparse

from benchmarks import table
from benchmarks.quality.results import BATCH, figures
from tfdivcolor.settings import DEFAULT_WEIGHTS

BATCH_SIZE = 64
CHROMA_BINS = 12
TOP_CHROMA = 60.0  # CIE units; larger chroma counts as this value
VARIANTS = [("likelihood", 0, 0), ("rarity", 0.5, 0), ("rarity", 1, 0),
            ("adversarial", 0, 0.3), ("adversarial", 0, 1.0),
            ("adversarial", 0, 3.0)]


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(
        description="Compares losses of the mixture.")
    parser.add_argument("data", nargs="+", metavar="NAME=PATH",
                        help="sets of photographs in colour")
    parser.add_argument("--train", required=True, metavar="PATTERN",
                        help="TFRecord files of photographs")
    parser.add_argument("--pictures", type=int, default=60, metavar="N",
                        help="use the first N pictures of each set (default: "
                        "%(default)s)")
    parser.add_argument("--train-pictures", type=int, default=16000,
                        metavar="N", help="number of training pictures "
                        "(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=1500, metavar="N",
                        help=f"training steps of {BATCH_SIZE} pictures "
                        "(default: %(default)s)")
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR",
        help="trained weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="seed of training and results (default: "
                        "%(default)s)")
    options = parser.parse_args(arguments)

    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import tfdivcolor as tdc

    colorizer = tdc.load(options.weights)
    seen = _features(colorizer, options.train, options.train_pictures,
                     options.seed)
    head = colorizer.mdn.head
    before = [weight.numpy() for weight in head.weights]
    rows = [["unchanged", *_measure(colorizer, options)]]
    for loss, rarity, adversarial in VARIANTS:
        for weight, value in zip(head.weights, before):
            weight.assign(value)
        _train(colorizer, seen, rarity, adversarial, options)
        name = f"{loss} {rarity or adversarial or ''}".strip()
        rows.append([name, *_measure(colorizer, options)])
        print(*rows[-1], flush=True)
    print(f"{options.steps} steps, {len(seen['loc'])} pictures, seed "
          f"{options.seed}, weights {options.weights}")
    print(table(["loss", "first", "best of 8", "chroma, first",
                 "chroma, all"], rows))


# --- Training data of the head -----------------------------------------------


def _features(colorizer, pattern, number, seed):
    """The frozen model's features of some pictures, and their palettes.

    Returns:
        dict of tokens, bottleneck, loc, scale and chroma: arrays with a row
        per picture.
    """
    import dataclasses

    import numpy as np
    from tqdm import tqdm

    import tfdivcolor as tdc
    from tfdivcolor import color

    photos = dataclasses.replace(tdc.data.load(
        pattern, canvas=colorizer.canvas, squash=True, on_demand=True,
        luminance_size=colorizer.luminance_size, progress=False), balance=0.5)
    found = {}
    batches = photos.epochs(BATCH, seed=seed, augment=tdc.data.Augmentation())
    for batch in tqdm(batches.take(-(-number // BATCH)),
                      total=-(-number // BATCH), unit="batch"):
        grey, _ = colorizer.look(batch["luminance"])
        loc, scale = colorizer.vae.posterior(
            color.normalize_ab(batch["ab"]), grey)
        ab = batch["ab"].numpy()
        chroma = np.hypot(ab[..., 0], ab[..., 1]).mean((1, 2))
        for name, value in (
                ("tokens", grey["tokens"]), ("loc", loc), ("scale", scale),
                ("bottleneck", grey["bottleneck"]), ("chroma", chroma)):
            found.setdefault(name, []).append(np.asarray(value, np.float32))
    return {name: np.concatenate(rows) for name, rows in found.items()}


def _rarity(chroma, power):
    """Weights of pictures: frequency of their chroma ^ -power, with mean 1."""
    import numpy as np

    place = np.minimum(chroma / TOP_CHROMA * CHROMA_BINS,
                       CHROMA_BINS - 1).astype(int)
    frequency = np.bincount(place, minlength=CHROMA_BINS) / len(chroma)
    weights = frequency[place] ** -power
    return (weights / weights.mean()).astype(np.float32)


# --- Training ----------------------------------------------------------------


def _train(colorizer, seen, rarity, adversarial, options):
    import keras
    import numpy as np
    import tensorflow as tf
    from tqdm import trange

    from tfdivcolor.latent import distributions
    from tfdivcolor.models import losses

    keras.utils.set_random_seed(options.seed)
    head = colorizer.mdn.head
    schedule = keras.optimizers.schedules.CosineDecay(3e-4, options.steps)
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=20.0)
    critic = _discriminator(seen)
    critic_optimizer = keras.optimizers.Adam(3e-4, beta_1=0.5)
    weights = _rarity(seen["chroma"], rarity)
    latent_dim = seen["loc"].shape[1]

    @tf.function(autograph=False)
    def step(tokens, bottleneck, loc, scale, weight):
        z = loc + scale * tf.random.normal(tf.shape(loc))
        with tf.GradientTape(persistent=True) as tape:
            params = head({"tokens": tokens, "bottleneck": bottleneck},
                          training=True)
            nll = losses.mdn_nll(distributions.mixture(params), z)
            loss = tf.reduce_mean(weight * nll)
            if adversarial:
                k, rank = params["locs"].shape[1], params["factors"].shape[-1]
                draws = distributions.component_draws(
                    params, tf.random.normal(
                        [BATCH_SIZE, 1, k, latent_dim + rank]))[:, 0]
                share = tf.nn.softmax(params["mixture_logits"])
                said = tf.stack([critic([draws[:, i], tokens, bottleneck])
                                 for i in range(k)], axis=1)[..., 0]
                real = critic([z, tokens, bottleneck])[..., 0]
                loss -= adversarial * tf.reduce_mean(
                    tf.reduce_sum(share * said, axis=1))
                share = tf.stop_gradient(share)
                critic_loss = tf.reduce_mean(tf.nn.relu(1 - real)) + (
                    tf.reduce_mean(tf.reduce_sum(
                        share * tf.nn.relu(1 + said), axis=1)))
        optimizer.apply(tape.gradient(loss, head.trainable_variables),
                        head.trainable_variables)
        if adversarial:
            critic_optimizer.apply(
                tape.gradient(critic_loss, critic.trainable_variables),
                critic.trainable_variables)
        return loss

    random = np.random.default_rng(options.seed)
    for _ in trange(options.steps, unit="step"):
        rows = random.choice(len(weights), BATCH_SIZE, replace=False)
        step(*(tf.constant(seen[name][rows]) for name in
               ("tokens", "bottleneck", "loc", "scale")),
             tf.constant(weights[rows]))


def _discriminator(seen):
    """Makes a network that judges palettes, given features of the picture."""
    import keras
    from keras import layers

    regions, channels = seen["tokens"].shape[1:]
    z = keras.Input((2 * regions,))
    tokens = keras.Input((regions, channels))
    bottleneck = keras.Input(seen["bottleneck"].shape[1:])
    x = layers.Concatenate()([layers.Reshape((regions, 2))(z), tokens])
    for _ in range(2):
        x = layers.Dense(128, activation="leaky_relu")(x)
    x = layers.Concatenate()([
        layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x),
        layers.Dense(128, activation="leaky_relu")(
            layers.GlobalAveragePooling2D()(bottleneck))])
    x = layers.Dense(256, activation="leaky_relu")(x)
    return keras.Model([z, tokens, bottleneck], layers.Dense(1)(x))


# --- Measuring ---------------------------------------------------------------


def _measure(colorizer, options):
    """Makes a row of the table: errors and chroma, means over the sets."""
    import numpy as np

    import tfdivcolor as tdc

    means = []
    for given in options.data:
        photos = tdc.data.load(
            given.partition("=")[2] or given, canvas=colorizer.canvas,
            luminance_size=colorizer.luminance_size, squash=True,
            limit=options.pictures, progress=False)
        rows = np.concatenate([
            figures(colorizer.sample(batch["luminance"], 8, options.seed)[
                "ab"].numpy() / 128, batch["ab"].numpy() / 128)
            for batch in photos.batches(min(BATCH, len(photos)),
                                        shuffle=False, drop_remainder=False)])
        first, best, *chroma, true = rows.mean(0)
        means.append([first, best, *(value / true for value in chroma)])
    first, best, *chroma = np.mean(means, axis=0)
    return [f"{first:.4f}", f"{best:.4f}", *(f"{part:.2f}" for part in chroma)]


if __name__ == "__main__":
    main()
