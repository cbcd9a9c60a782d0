"""The training loop: one linear pass through stages, epochs and steps.

Written to be read and changed.  With several workers (`strategies`) all go
through it in step; the chief alone writes.  A run's folder holds

    config.json           the configuration
    checkpoints/STAGE/    TensorFlow checkpoints, for resuming
    log.jsonl             every loss term, gradient norm, pictures a second
    tensorboard/          the same, and the picture grids
    grids/                grey | truth | results, each epoch
    model/                the trained Colorizer, for `tdc.load`
"""

import contextlib
import dataclasses
import hashlib
import json
import math
import time

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfdivcolor import color, data, images, plots, presets
from tfdivcolor.models import storage
from tfdivcolor.utils import files
from training.checkpoints import Checkpoints
from training.logs import Log
from training.steps import MovingAverage, make_evaluation, make_train_step
from training.strategies import Stopped, Workers, distribute

LOG_EVERY = 20  # steps
GRID_PICTURES = 12


def train_and_evaluate(config, workdir, train, validation, strategy=None,
                       should_stop=lambda: False):
    """Runs all stages of a configuration; resumes if `workdir` has a run.

    Args:
        config: `configs.Config`.
        workdir: pathlib.Path. The run's folder.
        train, validation: `PhotoSet`. Validation has no margin.
        strategy: tf.distribute.Strategy, of `strategies.make`, or None for
            one device.
        should_stop: function, asked after every step. Where it says yes, in
            any worker, the run saves a checkpoint and stops.

    Returns:
        dict of the last stage's final validation terms.

    Raises:
        ValueError: if `workdir` holds a run of another configuration or of
            other pictures, the batch cannot be divided, or the workers do not
            share one `workdir`.
        FloatingPointError: if the loss is not a number; the last checkpoint
            is from before.
        OSError: if a file cannot be written.
        Stopped: if it was asked to stop.
    """
    strategy = strategy or tf.distribute.get_strategy()
    workers = Workers(strategy)
    _check_batch(config, strategy.num_replicas_in_sync)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.seed)
    with strategy.scope():
        colorizer = presets.build(config.preset, **config.preset_options)
        if config.init:
            storage.begin_from(colorizer, presets.load(config.init))
    pictures = fingerprint(train, validation)
    if workers.chief:
        _claim(workdir, config, pictures)
    workers.wait()
    _claim(workdir, config, pictures, make=False)
    colorizer.prepare(train)
    started, terms = time.time(), {}
    with contextlib.closing(Log(workdir, workers.chief)) as log:
        for index, stage in enumerate(config.stages):
            terms = _run_stage(index, stage, config, colorizer, workdir,
                               train, validation, strategy, workers, log,
                               should_stop)
        history = log.history()
    if workers.chief:
        colorizer.save(
            workdir / "model", overwrite=True,
            config=dataclasses.asdict(config), pictures=len(train),
            validation_pictures=len(validation), validation=terms,
            history=history,
            last_session_seconds=round(time.time() - started))
    workers.wait()
    return terms


def _run_stage(index, stage, config, colorizer, workdir, train, validation,
               strategy, workers, log, should_stop):
    """Trains one stage to its end; returns its validation terms."""
    name = f"{index}-{stage.name}"
    with colorizer.training_stage(stage.name) as (model, adapt):
        # ---- What a step changes -------------------------------------------
        steps_per_epoch = train.steps_per_epoch(config.batch_size)
        total = max(1, round(stage.epochs * steps_per_epoch))
        with strategy.scope():
            optimizer = keras.optimizers.Adam(schedule(stage, config, total))
            optimizer.build(model.trainable_variables)
            average = MovingAverage(
                [v.value for v in model.trainable_variables],
                config.ema_momentum)
            train_step = make_train_step(
                model, optimizer, average, config.clip_norm,
                config.batch_size, config.accumulate)
        evaluate = make_evaluation(model)

        # ---- Resume --------------------------------------------------------
        # 1. Everything above exists, built, before values are restored.
        # 2. A finished stage restores its last step and ends at once; the
        #    next one's checkpoint then holds the whole Colorizer again.
        # 3. The data starts at the batch after the last one done.
        checkpoints = Checkpoints(
            workdir / "checkpoints" / name, colorizer, optimizer, average,
            workers.chief)
        step = checkpoints.restore()
        steps = workers.gather(step)
        if any(other != steps[0] for other in steps):
            raise ValueError(
                f"{workdir}: must be one folder that all workers share "
                f"(received checkpoints of steps {steps})")
        if step:
            tqdm.write(f"{name}: resumed after step {step:,} of {total:,}")

        # ---- Epochs --------------------------------------------------------
        validation_batches = adapt(validation.batches(
            config.batch_size, shuffle=False, drop_remainder=False))
        terms = {}
        progress = tqdm(total=total, initial=step, desc=name, unit="step",
                        mininterval=2, smoothing=0.05,
                        disable=not workers.chief)
        saved = time.monotonic()
        while step < total:
            epoch, done = divmod(step, steps_per_epoch)
            batches = distribute(strategy, lambda shard: adapt(
                train.batches(config.batch_size, seed=config.seed,
                              epoch=index * 100_000 + epoch, start=done,
                              augment=data.Augmentation(),
                              shard=shard).take(total - step)))
            sums, since = {}, time.monotonic()
            for batch in batches:
                means = train_step(batch, tf.constant(step, tf.int64))
                step += 1
                progress.update()
                add_terms(sums, means, name, step)
                if (step % LOG_EVERY == 0 or step % steps_per_epoch == 0
                        or step == total):
                    now = time.monotonic()
                    _log_training(log, name, step, sums, optimizer, average,
                                  config, now - since, progress)
                    sums, since = {}, now
                ended = step % steps_per_epoch == 0 or step == total
                minutes = (time.monotonic() - saved) / 60
                due, stopping = workers.any(
                    minutes > config.checkpoint_minutes, should_stop())
                if ended or stopping:
                    break
                if due:
                    checkpoints.save(step)
                    saved = time.monotonic()
            # ---- End of the epoch: look, with the averaged weights ---------
            # Before it is saved: a run that is killed in between, and resumed
            # behind the epoch, would never look at it.
            if ended:
                with average.swapped():
                    terms = evaluate(validation_batches)
                    log.scalars(name, "validation", step, terms)
                    if workers.chief:
                        _save_grid(
                            colorizer, validation, workdir, name, step, log)
            checkpoints.save(step)
            saved = time.monotonic()
            if stopping:
                progress.close()
                workers.wait()
                raise Stopped(f"{name}: stopped after step {step:,} of "
                              f"{total:,}, and saved")
        progress.close()
        average.finish()
        if not terms and stage is config.stages[-1]:
            terms = evaluate(validation_batches)
        return terms


def _check_batch(config, replicas):
    if config.batch_size % (replicas * config.accumulate):
        raise ValueError(
            f"batch_size must be a multiple of {replicas} replicas times "
            f"{config.accumulate}, accumulate "
            f"(received {config.batch_size})")


def schedule(stage, config, total):
    """Linear warm-up, then half a cosine down to a hundredth."""
    warmup = min(config.warmup_steps, total // 2)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=stage.learning_rate / 100,
        decay_steps=max(1, total - warmup), alpha=0.01,
        warmup_target=stage.learning_rate, warmup_steps=warmup)


def add_terms(sums, means, name, step):
    """Adds a step's terms to the running sums; stops where one is no number."""
    for key, value in means.items():
        value = float(value)
        if not math.isfinite(value):
            raise FloatingPointError(
                f"{name}: {key} must be finite (received {value} in step "
                f"{step:,}); try a lower learning rate")
        sums.setdefault(key, []).append(value)


def _log_training(log, name, step, sums, optimizer, average, config, seconds,
                  progress):
    values = {key: float(np.mean(value)) for key, value in sums.items()}
    count = len(sums["loss"])
    values["parameter_norm"] = float(tf.linalg.global_norm(average.variables))
    values["learning_rate"] = float(optimizer.learning_rate)
    values["pictures_per_second"] = count * config.batch_size / seconds
    log.scalars(name, "train", step, values)
    progress.set_postfix_str(
        f"loss {values['loss']:.3f}, "
        f"{values['pictures_per_second']:.0f} pictures/s", refresh=False)


def _save_grid(colorizer, validation, workdir, name, step, log):
    """Grey | truth | results of the first validation pictures."""
    count = min(GRID_PICTURES, len(validation))
    batch = next(iter(validation.batches(count, shuffle=False)))
    results = colorizer.sample(batch["luminance"])["ab"]
    luminance = batch["luminance"][:, None]
    fields = tf.concat(
        [tf.zeros_like(results[:, :1]), batch["ab"][:, None], results], axis=1)
    pixels = plots.grid(color.join(luminance, fields).numpy())
    folder = workdir / "grids"
    folder.mkdir(exist_ok=True)
    images.write_png(folder / f"{name}-{step:07d}.png", pixels)
    log.picture(name, step, pixels)


def fingerprint(train, validation):
    """SHA-256 of the names of the pictures of both sets, in hexadecimal."""
    names = "\n".join([*train.names, "", *validation.names])
    return hashlib.sha256(names.encode()).hexdigest()


def _claim(workdir, config, pictures, make=True):
    """Makes the run's folder, or checks that it is this run's: the same
    configuration and pictures, without which a resumed run is another."""
    path = workdir / "config.json"
    wanted = json.loads(json.dumps({
        **dataclasses.asdict(config),
        "pictures_sha256": pictures}))
    if path.exists():
        # Runs of 0.4 have batches in one part.
        found = {"accumulate": 1, **json.loads(path.read_text())}
        different = sorted(key for key in wanted
                           if found.get(key) != wanted[key])
        if different:
            raise ValueError(
                f"{workdir}: holds another run ({', '.join(different)} "
                "differ); give another --workdir")
    elif make:
        workdir.mkdir(parents=True, exist_ok=True)
        files.write_atomically(
            path, (json.dumps(wanted, indent=1) + "\n").encode())
    else:
        raise ValueError(
            f"{workdir}: must be one folder that all workers share "
            "(received one without the chief's config.json)")
