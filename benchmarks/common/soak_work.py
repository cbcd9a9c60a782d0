"""The pieces of work that `benchmarks.soak` repeats."""

import contextlib
import io
import itertools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

import tfdivcolor as tdc
from tfdivcolor import color, data, images, plots, presets
from training import configs, loop, steps, synthetic
from training.checkpoints import Checkpoints
from training.logs import Log
from training.strategies import distribute

STEPS = 6  # training steps in a piece of work
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")
SMALLEST, LARGEST = 1e3, 1.5e6  # pixels of a photograph
# Few, so that the warm-up sees all pairs: oneDNN compiles about twenty
# operations for each pair and keeps the last 1024 of a kind.
BATCHES, NUMBERS = (1, 4, 8), (1, 8, 30, 100)  # for sampling
RESULTS, HINTS = (1, 4, 8), (0, 1, 3)  # for colouring


def make(options, folder, random):
    """Makes the pieces of work.

    Args:
        options: the options of `soak`, with data, weights and only.
        folder: path of an empty folder.
        random: `np.random.Generator`. Draws sizes, numbers and formats.

    Returns:
        dict from a name to a function of no arguments.

    Raises:
        ValueError: if a piece of work, the weights or the photographs do not
            exist.
    """
    folder = Path(folder)
    config = configs.CONFIGS["smoke"]
    source = options.data or synthetic.write_folder(folder / "pictures")
    photos, validation = (
        data.load(source, canvas=config.preset_options["canvas"],
                  margin=margin, subset=subset, progress=False,
                  validation_fraction=config.validation_fraction)
        for subset, margin in (("train", config.margin), ("validation", 0)))
    kept = {"colorizer": tdc.load(options.weights)}
    trained = training(config, photos, validation, folder / "run")

    def load():
        # Keras numbers unnamed objects, such as dropout's generators, and
        # TensorFlow keeps 36 kB for every new name of a variable, permanently.
        # Keras offers this call to programs that make models repeatedly.
        keras.utils.clear_session()
        kept["colorizer"] = tdc.load(options.weights)

    work = {
        "train": lambda: next(trained),
        "sample": lambda: sample(kept["colorizer"], random),
        "colorize": lambda: colorize(kept["colorizer"], random),
        "load": load,
        "broken": lambda: read_broken(folder / "broken"),
    }
    wanted = options.only or list(work)
    unknown = sorted(set(wanted) - set(work))
    if unknown:
        raise ValueError(f"only: must be some of {', '.join(work)} "
                         f"(received {', '.join(unknown)})")
    return {name: work[name] for name in wanted}


def training(config, photos, validation, folder):
    """Runs the joint stage of `training.loop` without end.

    Args:
        config: `configs.Config`.
        photos, validation: `PhotoSet`.
        folder: pathlib.Path of the run's folder, which must not exist.

    Yields:
        None, after every `STEPS` steps and after each epoch.
    """
    folder.mkdir()
    colorizer = presets.build(config.preset, **config.preset_options)
    colorizer.prepare(photos)
    strategy = tf.distribute.get_strategy()
    log = Log(folder)
    with colorizer.training_stage("joint") as (model, adapt):
        # A constant rate, because a schedule would end.
        optimizer = keras.optimizers.Adam(1e-4)
        optimizer.build(model.trainable_variables)
        average = steps.MovingAverage(
            [v.value for v in model.trainable_variables], config.ema_momentum)
        train_step = steps.make_train_step(
            model, optimizer, average, config.clip_norm, config.batch_size)
        evaluate = steps.make_evaluation(model)
        checkpoints = Checkpoints(
            folder / "checkpoints", colorizer, optimizer, average)
        batches = adapt(validation.batches(
            config.batch_size, shuffle=False, drop_remainder=False))
        step = 0
        for epoch in itertools.count():
            for batch in distribute(strategy, lambda shard: adapt(
                    photos.batches(config.batch_size, config.seed, epoch,
                                   augment=data.Augmentation(),
                                   shard=shard))):
                sums = {}
                loop.add_terms(sums, train_step(
                    batch, tf.constant(step, tf.int64)), "soak", step)
                log.scalars("soak", "train", step, {
                    name: value for name, (value,) in sums.items()})
                step += 1
                if step % STEPS == 0:
                    yield
            with average.swapped():
                log.scalars("soak", "validation", step,
                            evaluate(batches))
                log.picture("soak", step, _grid(
                    colorizer, validation, folder / "grid.png"))
            checkpoints.save(step)
            yield


def _grid(colorizer, photos, path):
    batch = next(iter(photos.batches(min(4, len(photos)), shuffle=False)))
    ab = colorizer.sample(batch["luminance"])["ab"]
    luminance = tf.image.resize(
        batch["luminance"], ab.shape[2:4], antialias=True)
    pixels = plots.grid(color.join(luminance[:, None], ab).numpy())
    images.write_png(path, pixels)
    return pixels


def sample(colorizer, random):
    """Samples a random number of fields for a random number of pictures."""
    size = colorizer.luminance_size
    luminance = random.uniform(
        0, 100, [random.choice(BATCHES), size, size, 1]).astype(np.float32)
    colorizer.sample(luminance, int(random.choice(NUMBERS)),
                     seed=int(random.integers(1000)))


def colorize(colorizer, random):
    """Colours a photograph of random size and format, with or without hints."""
    pixels, ratio = np.exp(random.uniform(
        *np.log([[SMALLEST, 1 / 3], [LARGEST, 3]])))
    width, height = (round((pixels * r) ** 0.5) for r in (ratio, 1 / ratio))
    picture = Image.fromarray(synthetic.picture(
        int(random.integers(1000)))).resize((width, height))
    image_format = str(random.choice(FORMATS))
    hints = [tdc.Hint(int(random.integers(width)),
                      int(random.integers(height)),
                      random.integers(0, 256, 3).tolist())
             for _ in range(random.choice(HINTS))]
    result = colorizer.colorize(
        images.encode(np.asarray(picture), image_format),
        int(random.choice(RESULTS)), seed=int(random.integers(1000)),
        hints=hints)
    images.encode(result.image(0), image_format)


def read_broken(folder):
    """Reads a folder and TFRecord files with some broken files."""
    if not folder.exists():
        _write_broken(folder)
    for path in (folder / "pictures", f"{folder}/shards-*"):
        # Each reading reports the broken files again.
        with contextlib.redirect_stderr(io.StringIO()):
            photos = data.load(path, canvas=32, progress=False)
        if not photos.skipped:
            raise ValueError(f"{path}: must be reported as broken")
    for path in (folder / "pictures").iterdir():
        try:
            images.read(path)
        except images.ImageError:
            continue


def _write_broken(folder):
    pictures = synthetic.write_folder(folder / "pictures", 6)
    shards = data.write_tfrecords(pictures, folder / "shards", 2)
    for path in (pictures / "picture001.png", Path(shards[1])):
        content = path.read_bytes()
        path.write_bytes(content[:len(content) // 2])
    (pictures / "picture002.png").write_bytes(b"")
    (pictures / "picture003.png").write_text("no picture")
    (pictures / "picture004.png").unlink()
    (pictures / "picture004.png").symlink_to("nothing")
