"""The training loop: one linear pass through stages, epochs and steps.

Read and change the loop as you need.  Several workers (`strategies`) run it in
step, and only the chief writes.  A run's folder holds

    config.json           the configuration
    checkpoints/STAGE/    TensorFlow checkpoints, for resuming
    log.jsonl             every loss term, gradient norm, pictures per second
    tensorboard/          the same, and the picture grids
    grids/                grey | truth | results, after each epoch
    model/                the trained Colorizer, for `tdc.load`
"""

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfdivcolor import color, data, images, plots, presets
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.models import storage
from tfdivcolor.models.base import LossTermsModel
from tfdivcolor.models.optimizers import EncoderAdam
from training import strategies
from training.checkpoints import Checkpoints, claim, fingerprint
from training.configs import Config, Stage
from training.logs import Log
from training.steps import (
    MovingAverage,
    TrainStep,
    make_evaluation,
    make_train_step,
)
from training.strategies import Stopped, Workers, distribute

LOG_EVERY = 20  # steps
GRID_PICTURES = 12


@dataclass
class Run:
    """The objects that all stages of a run share.

    Attributes:
        config: `configs.Config`.
        workdir: pathlib.Path. The run's folder.
        train, validation: `PhotoSet`. Validation has no margin.
        strategy: tf.distribute.Strategy.
        workers: `Workers` of the strategy.
        log: `Log`.
        should_stop: function, called after every step.
        colorizer: `Colorizer`. The run trains it in place.
    """

    config: Config
    workdir: Path
    train: data.PhotoSet
    validation: data.PhotoSet
    strategy: tf.distribute.Strategy
    workers: Workers
    log: Log
    should_stop: Callable[[], bool]
    colorizer: Colorizer


@dataclass
class TrainState:
    """One stage of a run: the objects that a step changes, and the progress.

    Attributes:
        index: int. The stage's place in the configuration, from 0.
        name: str. Its name in folders, logs and messages.
        steps_per_epoch: int.
        total: int. Steps of the whole stage.
        adapt: function, dataset of pictures -> dataset for the step.
        optimizer: Keras optimizer.
        average: `MovingAverage` of the model's weights.
        train_step: see `steps.make_train_step`.
        evaluate: see `steps.make_evaluation`.
        checkpoints: `Checkpoints`.
        step: int. Steps done.
        saved: float. `time.monotonic()` of the last checkpoint, written or
            read.
    """

    index: int
    name: str
    steps_per_epoch: int
    total: int
    adapt: Callable[[tf.data.Dataset], tf.data.Dataset]
    optimizer: keras.optimizers.Optimizer
    average: MovingAverage
    train_step: TrainStep
    evaluate: Callable[[tf.data.Dataset], dict[str, float]]
    checkpoints: Checkpoints
    step: int = 0
    saved: float = 0.0

    @property
    def epoch_ended(self) -> bool:
        """Whether the latest step was the last of an epoch or of the stage."""
        return (self.step % self.steps_per_epoch == 0
                or self.step == self.total)

    def save(self) -> None:
        """Writes a checkpoint of the current step."""
        self.checkpoints.save(self.step)
        self.saved = time.monotonic()


def train_and_evaluate(
        config: Config, workdir: Path, train: data.PhotoSet,
        validation: data.PhotoSet,
        strategy: tf.distribute.Strategy | None = None,
        should_stop: Callable[[], bool] = lambda: False) -> dict[str, float]:
    """Runs all stages of a configuration; resumes if `workdir` has a run.

    Args:
        config: `configs.Config`.
        workdir: pathlib.Path. The run's folder.
        train, validation: `PhotoSet`. Validation has no margin.
        strategy: tf.distribute.Strategy, of `strategies.make`. Defaults to
            None, one device.
        should_stop: function () -> bool, called after every step. As soon as
            it returns True in any worker, the run saves a checkpoint and
            stops. Defaults to a function that returns False.

    Returns:
        dict of the last stage's final validation terms.

    Raises:
        ValueError: if `workdir` holds a run of another configuration or of
            other pictures, if replicas and parts do not divide the batch, or
            if the workers do not share one `workdir`.
        FloatingPointError: if the loss is not finite. The last checkpoint
            precedes that step.
        OSError: if a file cannot be written.
        Stopped: if `should_stop` returned True; the checkpoint is written.
    """
    # ---- Devices, seeds ----------------------------------------------------
    devices = strategy or strategies.make("none")
    workers = Workers(devices)
    _check_batch(config, devices.num_replicas_in_sync)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(config.seed)

    # ---- Model -------------------------------------------------------------
    with devices.scope(), _precision(config.precision):
        colorizer = presets.build(config.preset, **config.preset_options)
        if config.init:
            storage.begin_from(colorizer, presets.load(config.init))

    # ---- The run's folder --------------------------------------------------
    # The chief makes the folder. Then every worker checks that it sees the
    # same folder.
    pictures = fingerprint(train, validation)
    if workers.chief:
        claim(workdir, config, pictures)
    workers.wait()
    claim(workdir, config, pictures, make=False)

    # ---- Stages ------------------------------------------------------------
    colorizer.prepare(train)
    started, terms = time.time(), {}
    with contextlib.closing(Log(workdir, workers.chief)) as log:
        run = Run(config, workdir, train, validation, devices, workers, log,
                  should_stop, colorizer)
        for index, stage in enumerate(config.stages):
            terms = train_stage(run, index, stage)
        history = log.history()

    # ---- The trained model -------------------------------------------------
    if workers.chief:
        colorizer.save(
            workdir / "model", overwrite=True,
            config=dataclasses.asdict(config), pictures=len(train),
            validation_pictures=len(validation), validation=terms,
            history=history,
            last_session_seconds=round(time.time() - started))
    workers.wait()
    return terms


def train_stage(run: Run, index: int, stage: Stage) -> dict[str, float]:
    """Trains one stage to its end; returns its validation terms."""
    config = run.config
    with run.colorizer.training_stage(stage.name) as (model, adapt):
        # ---- Resume --------------------------------------------------------
        # 1. All variables must exist before their values can be restored.
        state = make_state(run, index, stage, model, adapt)
        # 2. A finished stage restores its last step and ends at once. The
        #    next stage's checkpoint restores the whole Colorizer again.
        restore(run, state)
        # 3. The data starts at the next batch; see `train_epoch`.

        # ---- Epochs --------------------------------------------------------
        validation_batches = adapt(run.validation.batches(
            config.batch_size, shuffle=False, drop_remainder=False))
        terms = {}
        with tqdm(total=state.total, initial=state.step, desc=state.name,
                  unit="step", mininterval=2, smoothing=0.05,
                  disable=not run.workers.chief) as progress:
            while state.step < state.total:
                stopping = train_epoch(run, state, progress)
                # Evaluate before saving. Otherwise a run that is killed
                # between the two resumes after the epoch, without its
                # validation.
                if state.epoch_ended:
                    terms = end_epoch(run, state, validation_batches)
                state.save()
                if stopping:
                    run.workers.wait()
                    raise Stopped(
                        f"{state.name}: stopped after step {state.step:,} of "
                        f"{state.total:,}; checkpoint saved")

        # ---- End of the stage ----------------------------------------------
        state.average.finish()
        if not terms and stage is config.stages[-1]:
            terms = state.evaluate(validation_batches)
        return terms


def make_state(
        run: Run, index: int, stage: Stage, model: LossTermsModel,
        adapt: Callable[[tf.data.Dataset], tf.data.Dataset]) -> TrainState:
    """Makes the state of a stage at step 0.

    Args:
        run: `Run`.
        index: int. The stage's place in the configuration.
        stage: `configs.Stage`.
        model, adapt: both from `Colorizer.training_stage`.

    Returns:
        `TrainState`.
    """
    config = run.config
    name = f"{index}-{stage.name}"
    steps_per_epoch = run.train.steps_per_epoch(config.batch_size)
    total = max(1, round(stage.epochs * steps_per_epoch))
    with run.strategy.scope():
        rate = schedule(stage.learning_rate, config.warmup_steps, total)
        optimizer = EncoderAdam(rate, config.encoder_rate)
        optimizer.build(model.trainable_variables)
        average = MovingAverage(
            [v.value for v in model.trainable_variables], config.ema_momentum)
        train_step = make_train_step(
            model, optimizer, average, config.clip_norm, config.batch_size,
            config.accumulate)
    return TrainState(
        index=index, name=name, steps_per_epoch=steps_per_epoch, total=total,
        adapt=adapt, optimizer=optimizer, average=average,
        train_step=train_step, evaluate=make_evaluation(model),
        checkpoints=Checkpoints(
            run.workdir / "checkpoints" / name, run.colorizer, optimizer,
            average, run.workers.chief))


def restore(run: Run, state: TrainState) -> None:
    """Restores the newest checkpoint, if the stage has one.

    Raises:
        ValueError: if the workers find checkpoints of different steps.
    """
    state.step = state.checkpoints.restore()
    state.saved = time.monotonic()
    steps = run.workers.gather(state.step)
    if any(other != steps[0] for other in steps):
        raise ValueError(
            f"{run.workdir}: must be one folder that all workers share "
            f"(received checkpoints of steps {steps})")
    if state.step:
        tqdm.write(f"{state.name}: resumed after step {state.step:,} "
                   f"of {state.total:,}")


def train_epoch(run: Run, state: TrainState, progress: tqdm) -> bool:
    """Trains to the end of the epoch that `state.step` belongs to.

    Returns:
        bool. True if the run must stop now, perhaps within the epoch.
    """
    config = run.config
    # Order and augmentation are functions of the seed and the epoch.
    epoch, done = divmod(state.step, state.steps_per_epoch)
    left = state.total - state.step

    def rows(shard):
        return state.adapt(run.train.batches(
            config.batch_size, seed=config.seed,
            epoch=state.index * 100_000 + epoch, start=done,
            augment=config.augmentation, shard=shard).take(left))

    sums, since, stopping = {}, time.monotonic(), False
    for batch in distribute(run.strategy, rows):
        # ---- Step ----------------------------------------------------------
        means = state.train_step(batch, tf.constant(state.step, tf.int64))
        state.step += 1
        progress.update()

        # ---- Log -----------------------------------------------------------
        add_terms(sums, means, state.name, state.step)
        if state.step % LOG_EVERY == 0 or state.epoch_ended:
            now = time.monotonic()
            _log_training(run, state, sums, now - since, progress)
            sums, since = {}, now

        # ---- Save, stop ----------------------------------------------------
        # All workers must do the same, but their clocks and signals differ.
        minutes = (time.monotonic() - state.saved) / 60
        due, stopping = run.workers.any(
            minutes > config.checkpoint_minutes, run.should_stop())
        if state.epoch_ended or stopping:
            break
        if due:
            state.save()
    return stopping


def end_epoch(run: Run, state: TrainState,
              validation_batches: tf.data.Dataset) -> dict[str, float]:
    """Evaluates the averaged weights on the validation pictures, and logs.

    Returns:
        dict of the validation terms.
    """
    with state.average.swapped():
        terms = state.evaluate(validation_batches)
        run.log.scalars(state.name, "validation", state.step, terms)
        if run.workers.chief:
            _save_grid(run, state)
    return terms


@contextlib.contextmanager
def _precision(policy):
    """New layers compute in this precision; existing layers keep theirs."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _check_batch(config, replicas):
    """Raises ValueError if replicas and parts do not divide the batch."""
    if config.batch_size % (replicas * config.accumulate):
        raise ValueError(
            f"batch_size must be a multiple of {replicas} replicas times "
            f"accumulate={config.accumulate} "
            f"(received {config.batch_size})")


def schedule(
        learning_rate: float, warmup_steps: int, total: int,
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Linear warm-up, then half a cosine down to a hundredth of the peak.

    Args:
        learning_rate: float. The peak.
        warmup_steps: int. Capped at half of all steps.
        total: int. All steps.

    Returns:
        Keras schedule: steps done -> learning rate.
    """
    warmup = min(warmup_steps, total // 2)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=learning_rate / 100,
        decay_steps=max(1, total - warmup), alpha=0.01,
        warmup_target=learning_rate, warmup_steps=warmup)


def add_terms(sums: dict[str, list[float]], means: Mapping[str, tf.Tensor],
              name: str, step: int) -> None:
    """Adds a step's terms to the running sums.

    Args:
        sums: dict from a term's name to its values so far; changed in place.
        means: dict from a term's name to a scalar.
        name: str. The stage, for the error.
        step: int. The step, for the error.

    Raises:
        FloatingPointError: if a term is not finite; names it and the step.
    """
    for key, value in means.items():
        value = float(value)
        if not math.isfinite(value):
            raise FloatingPointError(
                f"{name}: {key} must be finite (received {value} at step "
                f"{step:,}); try a lower learning rate")
        sums.setdefault(key, []).append(value)


def _log_training(run, state, sums, seconds, progress):
    """Logs the terms' means over the steps since the last log."""
    values = {key: float(np.mean(value)) for key, value in sums.items()}
    count = len(sums["loss"])
    values["parameter_norm"] = float(
        tf.linalg.global_norm(state.average.variables))
    values["learning_rate"] = float(state.optimizer.learning_rate)
    values["pictures_per_second"] = count * run.config.batch_size / seconds
    run.log.scalars(state.name, "train", state.step, values)
    progress.set_postfix_str(
        f"loss {values['loss']:.3f}, "
        f"{values['pictures_per_second']:.0f} pictures/s", refresh=False)


def _save_grid(run, state):
    """Writes a grid of the first validation pictures: grey, truth, results."""
    count = min(GRID_PICTURES, len(run.validation))
    batch = next(iter(run.validation.batches(count, shuffle=False)))
    results = run.colorizer.sample(batch["luminance"])["ab"]
    fields = tf.concat(
        [tf.zeros_like(results[:, :1]), batch["ab"][:, None], results], axis=1)
    # The luminance may be finer than the fields.
    luminance = tf.image.resize(
        batch["luminance"], fields.shape[2:4], antialias=True)[:, None]
    pixels = plots.grid(color.join(luminance, fields).numpy())
    folder = run.workdir / "grids"
    folder.mkdir(exist_ok=True)
    images.write_png(folder / f"{state.name}-{state.step:07d}.png", pixels)
    run.log.picture(state.name, state.step, pixels)
