"""Compares RandomRecolor with other colour augmentation of a classifier.

    python -m training.examples.recolor --data flowers-train.tgz

The command trains a small classifier on a few pictures of each kind, once for
each colour augmentation and seed; all else is equal.  It tests each classifier
on the unchanged validation pictures and on versions with other colours.
`--data` is a folder or an archive with KIND/*.jpg.  The split is tfdivcolor's
(`data.is_validation`), so a colorizer trained on the same archive has not seen
the test pictures either.  The command prints two tables.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # --help does not wait for TensorFlow
    import keras
    import numpy as np

SIDE = 64  # side of the classifier's pictures, in pixels
BATCH_SIZE = 32
COLOURS = ("none", "jitter", "grey", "recolour")

# Name in COLOURS -> name of the test -> one accuracy per seed.
Results = dict[str, dict[str, list[float]]]


def load(path: str) -> tuple[
        list[str], dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Loads pictures. A picture's kind is the name of its folder.

    Args:
        path: str. A folder or an archive.

    Returns:
        kinds: list of str, sorted.
        dict from "train" and "validation" to (images uint8
            [N, SIDE, SIDE, 3], labels int32 [N]).

    Raises:
        ValueError: if `path` has no pictures, only one kind or no validation
            pictures, or if a picture is unreadable.
    """
    import numpy as np
    from PIL import Image, ImageOps

    from tfdivcolor import data, images
    from tfdivcolor.data import sources

    found = {"train": [], "validation": []}
    for name, _, read in sources.source_of(path)(path):
        picture = Image.fromarray(images.read(read()).pixels)
        subset = "validation" if data.is_validation(name) else "train"
        found[subset].append((
            posixpath.basename(posixpath.dirname(name)),
            ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.BOX)))
    kinds = sorted({kind for kind, _ in found["train"]})
    if len(kinds) < 2 or not found["validation"]:
        raise ValueError(
            f"{path}: must have folders of two kinds or more, with validation "
            f"pictures (received {', '.join(kinds) or 'none'})")
    return kinds, {
        subset: (np.stack([np.asarray(picture) for _, picture in pictures]),
                 np.array([kinds.index(kind) for kind, _ in pictures],
                          np.int32))
        for subset, pictures in found.items()}


def few(labels: np.ndarray, per_kind: int, seed: int) -> np.ndarray:
    """Draws `per_kind` random pictures of each kind; returns their indices.

    Raises:
        ValueError: if a kind has fewer pictures.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    by_kind = [np.flatnonzero(labels == kind) for kind in np.unique(labels)]
    if min(map(len, by_kind)) < per_kind:
        raise ValueError(
            f"per_kind must be at most {min(map(len, by_kind))}, the number "
            f"of pictures of the rarest kind (received {per_kind})")
    return np.concatenate(
        [rng.choice(indices, per_kind, replace=False) for indices in by_kind])


def colour_layers(colours: str, weights: str, probability: float,
                  temperature: float, seed: int) -> list[keras.Layer]:
    """Makes the Keras layers of one colour augmentation.

    Args:
        colours: one of `COLOURS`.
        weights: str. Weights of the colorizer.
        probability: float, 0 to 1. Share of the pictures that "recolour" and
            "grey" change.
        temperature: float. Temperature of "recolour".
        seed: int.
    """
    from keras import layers

    from tfdivcolor.coloring.random_recolor import RandomRecolor

    if colours == "jitter":
        return [layers.RandomHue(0.4, seed=seed),
                layers.RandomSaturation((0.25, 0.75), seed=seed + 1),
                layers.RandomBrightness(0.2, seed=seed + 2)]
    if colours == "grey":
        return [layers.RandomGrayscale(probability, seed=seed)]
    if colours == "recolour":
        return [RandomRecolor(weights, probability, temperature, seed=seed)]
    return []


def classifier(colours: Sequence[keras.Layer], num_kinds: int,
               seed: int) -> keras.Model:
    """Makes a network: pictures 0..255 -> logits of the kinds.

    Args:
        colours: list of layers, applied after mirroring and shifting.
        num_kinds: int.
        seed: int. Seeds mirroring and shifting.
    """
    import keras
    from keras import layers

    from tfdivcolor.models.blocks import conv_block

    inputs = x = keras.Input([SIDE, SIDE, 3])
    for layer in [layers.RandomFlip("horizontal", seed=seed + 3),
                  layers.RandomTranslation(0.1, 0.1, seed=seed + 4), *colours,
                  layers.Rescaling(1 / 127.5, offset=-1.0)]:
        x = layer(x)
    for number, filters in enumerate((32, 64, 128, 128)):
        x = conv_block(x, filters, 3, strides=2, name=f"conv_{number}")
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3, seed=seed + 5)(x)
    return keras.Model(inputs, layers.Dense(num_kinds)(x))


def train(model: keras.Model, images: np.ndarray, labels: np.ndarray,
          steps: int, seed: int) -> None:
    """Trains `model` in place, on float32 batches in random order."""
    import keras
    import tensorflow as tf

    batches = tf.data.Dataset.from_tensor_slices(
        (images.astype("float32"), labels))
    batches = batches.shuffle(len(labels), seed=seed).repeat().batch(BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(
        # Keras declares float but accepts schedules, too.
        keras.optimizers.AdamW(
            rate,  # pyright: ignore[reportArgumentType]
            weight_decay=0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(
        batches, steps_per_epoch=steps, shuffle=False,
        verbose=0)  # pyright: ignore[reportArgumentType] - Keras says str


def shifted(pixels: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Makes versions of the test pictures with other colours.

    Args:
        pixels: uint8 [N, H, W, 3].

    Returns:
        dict from the name of a change to a list of uint8 [N, H, W, 3]:
            unchanged; grey: luminance only; hue: ab rotated by 90 degrees,
            once to either side, with the same luminance; light: a redder
            light (red x 1.2, blue x 0.75) and a bluer light (red x 0.75,
            blue x 1.2).
    """
    import numpy as np

    from tfdivcolor import color

    luminance, ab = (part.numpy() for part in color.split(pixels))
    turned = np.stack([-ab[..., 1], ab[..., 0]], axis=-1)
    lights = [np.array(gains) for gains in ((1.2, 1.0, 0.75),
                                            (0.75, 1.0, 1.2))]
    return {
        "unchanged": [pixels],
        "grey": [color.join(luminance, 0.0 * ab).numpy()],
        "hue": [color.join(luminance, sign * turned).numpy()
                for sign in (1, -1)],
        "light": [np.clip(np.round(pixels * gains), 0, 255).astype(np.uint8)
                  for gains in lights]}


def accuracy(model: keras.Model, pictures: Sequence[np.ndarray],
             labels: np.ndarray) -> float:
    """Share of right answers over all versions of the same pictures."""
    import numpy as np

    logits = model.predict(
        np.concatenate(pictures).astype("float32"), batch_size=256,
        verbose=0)  # pyright: ignore[reportArgumentType] - Keras says str
    return float(np.mean(
        logits.argmax(axis=-1) == np.tile(labels, len(pictures))))


def run(options: argparse.Namespace,
        report: Callable[[str], None]) -> Results:
    """Trains and tests every augmentation with every seed.

    Args:
        options: the command's options.
        report: function, str -> None. Receives a line after each training.

    Returns:
        dict from a name in `COLOURS` to a dict from a test's name to the
        accuracies, one per seed.
    """
    import keras

    kinds, subsets = load(options.data)
    images, labels = subsets["train"]
    tests = shifted(subsets["validation"][0])
    truth = subsets["validation"][1]
    report(f"{len(labels)} training pictures, {options.per_kind} used per "
           f"kind; {len(truth)} test pictures; kinds: {', '.join(kinds)}")
    results = {colours: {test: [] for test in tests} for colours in COLOURS}
    for seed in range(options.seeds):
        chosen = few(labels, options.per_kind, seed)
        for colours in COLOURS:
            keras.utils.set_random_seed(seed)
            layers = colour_layers(
                colours, options.weights, options.probability,
                options.temperature, 10 * seed)
            # Seed again, so that every classifier has the same first weights.
            keras.utils.set_random_seed(seed)
            model = classifier(layers, len(kinds), 10 * seed)
            train(model, images[chosen], labels[chosen], options.steps, seed)
            for test, pictures in tests.items():
                results[colours][test].append(
                    accuracy(model, pictures, truth))
            report(f"seed {seed}, {colours}: " + ", ".join(
                f"{test} {values[-1]:.3f}"
                for test, values in results[colours].items()))
    return results


def table(title: str, results: Results) -> str:
    """A text table of mean and standard deviation over the seeds, per cent."""
    import numpy as np

    tests = list(next(iter(results.values())))
    lines = [f"{title:22}" + "".join(f"{test:>15}" for test in tests)]
    for colours, by_test in results.items():
        cells = [f"{100 * np.mean(values):.1f} +- "
                 f"{100 * np.std(values, ddof=1):.1f}"
                 for values in by_test.values()]
        lines.append(f"{colours:22}" + "".join(f"{c:>15}" for c in cells))
    return "\n".join(lines)


def gains(results: Results) -> Results:
    """Subtracts the accuracies of "none" with the same seed."""
    return {colours: {
        test: [value - base for value, base in zip(
            values, results["none"][test])]
        for test, values in by_test.items()}
        for colours, by_test in results.items() if colours != "none"}


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m training.examples.recolor",
        description="Trains a small classifier with and without RandomRecolor "
        "and tests it on pictures with changed colours.")
    parser.add_argument("--data", required=True,
                        help="folder or archive with KIND/*.jpg")
    parser.add_argument("--weights", default="flowers",
                        help="shipped weights by name, or a folder "
                        "(default: %(default)s)")
    parser.add_argument("--per-kind", type=int, default=40,
                        help="training pictures of each kind "
                        "(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=600,
                        help=f"training steps of {BATCH_SIZE} pictures "
                        "(default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=3,
                        help="number of seeds, 2 or more "
                        "(default: %(default)s)")
    parser.add_argument("--probability", type=float, default=0.5,
                        help="share of the pictures to recolour "
                        "(default: %(default)s)")
    parser.add_argument("--temperature", type=float, default=1.0,
                        help="temperature of the recolouring "
                        "(default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="write every accuracy to FILE")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    if options.seeds < 2:
        print("recolor: --seeds must be 2 or more "
              f"(received {options.seeds})", file=sys.stderr)
        return 2
    try:
        results = run(
            options, lambda line: print(line, file=sys.stderr, flush=True))
    except ValueError as error:
        print(f"recolor: {error}", file=sys.stderr)
        return 1
    print(table("accuracy, per cent", results))
    print()
    print(table("gain over none", gains(results)))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
