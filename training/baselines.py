"""Trains the baseline models of the evaluation's table.

    python -m training.baselines --data data/lfw --out runs/baselines

The baselines train one after the other, four or five epochs each (9 to 16
minutes on two cores, shared with other programs).  They use the pictures,
augmentation and split of `--config lfw` of `training.train`.  With another
configuration and a limited number of steps:

    python -m training.baselines --config photos \\
        --data 'shards/photos-*.tfrecord' --steps 20000 \\
        --only regression cvae --out runs/photos_baselines

The baselines see the luminance at the size of the canvas, as in the
evaluation.  The program averages the larger luminance of a prepared folder.
The command writes OUT/NAME.keras (for `tfdivcolor.evaluation.baselines.load`)
and OUT/NAME.json.  It keeps a finished baseline of the same settings and
pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tfdivcolor.cli.common import positive
from tfdivcolor.utils import files

if TYPE_CHECKING:  # --help does not wait for TensorFlow
    from tfdivcolor.data import PhotoSet
    from tfdivcolor.evaluation.baselines import Baseline

SHOW_EVERY = 20  # steps


@dataclass(frozen=True)
class Settings:
    """Everything that a baseline's training depends on, besides the pictures.

    The class body gives the defaults.

    Attributes:
        model: str. A name in `tfdivcolor.evaluation.baselines.MODELS`.
        epochs: int.
        config: str. A configuration in `training.configs`; it sets the split,
            cropping, balance and augmentation of the pictures.
        steps: int or None. Largest number of batches in all epochs together.
        canvas: int. Side of the canvas, in pixels.
        batch_size: int. Pictures of a batch.
        seed: int. Seeds initial weights, order, augmentation and noise.
        learning_rate: float. Adam's peak learning rate; see `loop.schedule`.
        beta_1: float. Adam's momentum.
        warmup_steps: int. Steps of linear learning-rate warm-up.
        ema_momentum: float. Momentum of the moving average of the weights.
            The averaged weights are evaluated and saved.
        clip_norm: float. Largest global norm of the gradients.
    """

    model: str
    epochs: int
    config: str = "lfw"
    steps: int | None = None
    canvas: int = 64
    batch_size: int = 32
    seed: int = 0
    learning_rate: float = 1e-3
    beta_1: float = 0.9
    warmup_steps: int = 100
    ema_momentum: float = 0.99
    clip_norm: float = 20.0


# A step of the regression takes 0.6 times as long as a step of the CVAE.
SETTINGS = {
    "cvae": Settings("cvae", epochs=4),
    "regression": Settings("regression", epochs=5),
    # pix2pix's momentum.
    "cgan": Settings("cgan", epochs=4, beta_1=0.5),
}


def train(settings: Settings, photos: PhotoSet,
          validation: PhotoSet) -> tuple[Baseline, dict[str, float]]:
    """Trains one baseline.

    Args:
        settings: `Settings`.
        photos, validation: `PhotoSet`. Validation has no margin, unless it
            comes from a prepared folder.

    Returns:
        model: `tfdivcolor.evaluation.baselines.Baseline`.
        terms: dict from a validation term's name to float.

    Raises:
        FloatingPointError: if the loss is not finite.
        ValueError: if a setting does not fit the pictures.
    """
    import keras
    import tensorflow as tf
    from tqdm import tqdm

    from tfdivcolor.evaluation import baselines, pictures
    from training import configs, loop, steps

    total = settings.epochs * photos.steps_per_epoch(settings.batch_size)
    if settings.steps is not None:
        total = min(total, settings.steps)
    keras.utils.set_random_seed(settings.seed)
    model = baselines.MODELS[settings.model](settings.canvas)
    rate = loop.schedule(settings.learning_rate, settings.warmup_steps, total)
    # Keras declares float but accepts schedules, too.
    optimizer = keras.optimizers.Adam(
        rate,  # pyright: ignore[reportArgumentType]
        settings.beta_1)
    optimizer.build(model.trainable_variables)
    average = steps.MovingAverage(
        [v.value for v in model.trainable_variables], settings.ema_momentum)
    train_step = steps.make_train_step(
        model, optimizer, average, settings.clip_norm, settings.batch_size)

    def seen(batch):
        return pictures.shrunk_batch(batch, settings.canvas)

    validation_batches = validation.batches(
        settings.batch_size, shuffle=False, drop_remainder=False).map(seen)
    augment = configs.CONFIGS[settings.config].augmentation
    step, epoch, terms = 0, 0, {}
    evaluate = steps.make_evaluation(model)
    with tqdm(total=total, desc=settings.model, unit="step", mininterval=2,
              smoothing=0.05) as progress:
        while step < total:
            for batch in photos.batches(
                    settings.batch_size, settings.seed, epoch,
                    augment=augment).map(seen).take(total - step):
                means = train_step(batch, tf.constant(step, tf.int64))
                step += 1
                progress.update()
                if step % SHOW_EVERY == 0 or step == total:
                    _show(progress, settings, means, step)
            with average.swapped():
                terms = evaluate(validation_batches)
            epoch += 1
            progress.write(f"{settings.model}, epoch {epoch}: "
                           + _line(terms))
    average.finish()
    return model, terms


def _load(options, subset):
    """The pictures of a subset, with the configuration's options."""
    # Imported here so that --help does not wait for TensorFlow.
    from tfdivcolor import settings
    from tfdivcolor.data import sources
    from tfdivcolor.evaluation import pictures
    from training import configs

    config, source = configs.get(options.config), options.data
    is_prepared = pictures.is_prepared(source)
    on_demand = config.on_demand and not is_prepared and (
        sources.source_of(source) is sources.from_tfrecord)
    photos = pictures.load(
        source, options.canvas, options.canvas, subset,
        margin=(config.margin * options.canvas // settings.CANVAS
                if subset == "train" else 0),
        squash=config.squash,
        # A prepared folder is already split.
        validation_fraction=(
            None if is_prepared else config.validation_fraction),
        on_demand=on_demand,
        # The decoded pictures may not fit into memory.
        cache=(options.out / "fields"
               if config.on_demand and not on_demand else None))
    return replace(photos, balance=config.balance)


def _show(progress, settings, means, step):
    """Shows loss and rate in the bar; raises if a term is not finite."""
    from training import loop

    loop.add_terms({}, means, settings.model, step)
    rate = progress.format_dict["rate"] or 0.0
    progress.set_postfix_str(
        f"loss {float(means['loss']):.3f}, "
        f"{rate * settings.batch_size:.0f} pictures/s", refresh=False)


def _line(terms):
    return ", ".join(f"{name} {value:.4f}" for name, value in terms.items())


def make(settings: Settings, out: Path, photos: PhotoSet,
         validation: PhotoSet) -> bool:
    """Trains one baseline into a folder, unless the folder has it.

    Args:
        settings: `Settings`.
        out: pathlib.Path of the folder.
        photos, validation: `PhotoSet`.

    Returns:
        bool. True if this call trained it.

    Raises:
        ValueError: if the folder holds a baseline of the same name with other
            settings or pictures.
    """
    from tfdivcolor.evaluation import baselines
    from tfdivcolor.models import storage
    from training import checkpoints

    path, about = (out / f"{settings.model}{end}"
                   for end in (".keras", ".json"))
    wanted = {"settings": asdict(settings),
              # The baselines share this preset's sizes and loss weights.
              "preset": json.loads(json.dumps(asdict(baselines.REGIONS))),
              "pictures_sha256": checkpoints.fingerprint(photos, validation)}
    if _is_there(path, about, wanted):
        return False
    started = time.monotonic()
    model, terms = train(settings, photos, validation)
    _save(model, path)
    files.write_atomically(about, (json.dumps({
        **wanted,
        "pictures": len(photos), "validation_pictures": len(validation),
        "parameters": model.count_params(), "config": model.get_config(),
        "seconds": round(time.monotonic() - started),
        "validation": terms,
        "sha256": files.checksum(path),
        "versions": storage.versions(),
    }, indent=1) + "\n").encode())
    return True


def _is_there(path, about, wanted):
    """Whether the folder has the complete wanted baseline."""
    if not (path.is_file() and about.is_file()):
        return False
    try:
        found = json.loads(about.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{about}: must be JSON (received {error})") from None
    # Older files lack the newer settings. Older versions trained with these
    # values.
    defaults = {"config": "lfw", "steps": None}
    found["settings"] = defaults | found.get("settings", {})
    different = [key for key in wanted if found.get(key) != wanted[key]]
    if different:
        raise ValueError(
            f"{about}: must be of the same training; remove it or give another "
            f"--out (received one that differs in {', '.join(different)})")
    return found.get("sha256") == files.checksum(path)


def _save(model, path):
    """Writes the whole model or nothing."""
    with files.whole_file(path) as temporary:
        model.save(temporary)


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m training.baselines", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/lfw",
                        help="folder, .tar/.tgz archive, TFRecord pattern or "
                        "prepared folder (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("runs/baselines"),
                        metavar="DIR",
                        help="folder for the models (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=SETTINGS,
                        default=list(SETTINGS), metavar="NAME",
                        help="models to train: some of "
                        f"{', '.join(SETTINGS)} (default: all)")
    parser.add_argument("--config", default="lfw",
                        help="configuration of training.train; it sets the "
                        "split, cropping and augmentation of the pictures "
                        "(default: %(default)s)")
    parser.add_argument("--epochs", type=positive,
                        help="epochs of each model (default: its own number)")
    parser.add_argument("--steps", type=positive, metavar="N",
                        help="train each model on at most N batches")
    parser.add_argument("--batch-size", type=positive, default=32,
                        help="pictures per step (default: %(default)s)")
    parser.add_argument("--canvas", type=positive, default=64,
                        help="side of the colour fields in pixels, a multiple "
                        "of 16 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0,
                        help="seed of weights, order, augmentation and noise "
                        "(default: %(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    changes = {"canvas": options.canvas, "batch_size": options.batch_size,
               "seed": options.seed, "steps": options.steps,
               "config": options.config}
    if options.epochs:
        changes["epochs"] = options.epochs
    chosen = [replace(SETTINGS[name], **changes) for name in options.only]
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        photos, validation = (
            _load(options, subset) for subset in ("train", "validation"))
        for settings in chosen:
            made = make(settings, options.out, photos, validation)
            path = options.out / f"{settings.model}.keras"
            print(f"wrote {path} and {path.with_suffix('.json')}" if made
                  else f"{path}: already finished")
    except KeyboardInterrupt:
        print("baselines: stopped; run the same command to continue; it "
              "trains the unfinished model from the start", file=sys.stderr)
        return 130
    except (ValueError, FloatingPointError, OSError) as error:
        print(f"baselines: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
