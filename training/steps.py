"""The train step, and the moving average of the weights.

The step stands here twice.  `plain_train_step` is the one to read, and to
change first: one device, a batch at a time.  `distributed_train_step` makes
the same update from a batch whose rows are divided among replicas, and from
parts of them one after the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
import tensorflow as tf

from tfdivcolor.models.base import LossTermsModel

Batch = dict[str, tf.Tensor]
# (batch, step int64) -> every loss term's mean, and gradient_norm.
TrainStep = Callable[[Batch, tf.Tensor], dict[str, tf.Tensor]]


def plain_train_step(model: LossTermsModel,
                     optimizer: keras.optimizers.Optimizer,
                     average: MovingAverage, clip_norm: float,
                     batch_size: int) -> TrainStep:
    """The train step of one device; see `make_train_step`."""
    variables = model.trainable_variables

    # Without AutoGraph, whose reading of all the code is a quarter of a trace.
    @tf.function(autograph=False)
    def train_step(batch, step):
        # ---- Losses --------------------------------------------------------
        with tf.GradientTape() as tape:
            outputs = model(batch, training=True)
            terms = model.loss_terms(batch, outputs)
            means = {name: tf.reduce_sum(values) / batch_size
                     for name, values in terms.items()}

        # ---- Gradients -----------------------------------------------------
        gradients = tape.gradient(means["loss"], variables)
        gradients, norm = tf.clip_by_global_norm(gradients, clip_norm)

        # ---- Update --------------------------------------------------------
        optimizer.apply(gradients, variables)
        average.update(step)
        return {**means, "gradient_norm": norm}

    return train_step


def distributed_train_step(model: LossTermsModel,
                           optimizer: keras.optimizers.Optimizer,
                           average: MovingAverage, clip_norm: float,
                           batch_size: int, accumulate: int = 1) -> TrainStep:
    """The train step of several replicas, or parts; see `make_train_step`."""
    strategy = tf.distribute.get_strategy()
    variables = model.trainable_variables
    replicas = strategy.num_replicas_in_sync

    def gradients_of(batch, part):
        if accumulate > 1:
            rows = batch_size // (replicas * accumulate)
            batch = {name: tf.reshape(
                value, [accumulate, rows, *value.shape[1:]])[part]
                for name, value in batch.items()}
        # Shares of the whole batch's means: all replicas' and parts' add up.
        with tf.GradientTape() as tape:
            terms = model.loss_terms(batch, model(batch, training=True))
            loss = tf.reduce_sum(terms["loss"]) / batch_size
        shares = {name: tf.reduce_sum(values) / batch_size
                  for name, values in terms.items()}
        return tape.gradient(loss, variables), shares

    def add_gradients_of(batch, part, sums):
        # Not before the part before is done: both would be in memory.
        with tf.control_dependencies(tf.nest.flatten(sums)):
            part = tf.identity(part)
        return tf.nest.map_structure(tf.add, sums, gradients_of(batch, part))

    def update(gradients, shares):
        # What comes out of a loop has no device, and cannot be reduced.
        gradients, shares = tf.nest.map_structure(
            tf.identity, (gradients, shares))
        if replicas > 1:
            # Clipping needs the whole batch's gradient.  The optimizer will
            # sum over replicas once more, hence the division.
            gradients = tf.distribute.get_replica_context().all_reduce(
                tf.distribute.ReduceOp.SUM, gradients)
        gradients, norm = tf.clip_by_global_norm(gradients, clip_norm)
        optimizer.apply([g / replicas for g in gradients], variables)
        return {**shares, "gradient_norm": norm / replicas}

    @tf.function(autograph=False)
    def train_step(batch, step):
        # ---- Losses and gradients ------------------------------------------
        sums = strategy.run(gradients_of, args=(batch, 0))
        if accumulate > 1:
            def unfinished(part, sums):
                return part < accumulate

            def add_part(part, sums):
                return part + 1, strategy.run(
                    add_gradients_of, args=(batch, part, sums))

            _, sums = tf.while_loop(unfinished, add_part, (1, sums))

        # ---- Update --------------------------------------------------------
        terms = strategy.run(update, args=sums)
        # It looks after the replicas itself.
        average.update(step)
        return {name: strategy.reduce(tf.distribute.ReduceOp.SUM, value, None)
                for name, value in terms.items()}

    return train_step


def make_train_step(model: LossTermsModel,
                    optimizer: keras.optimizers.Optimizer,
                    average: MovingAverage, clip_norm: float, batch_size: int,
                    accumulate: int = 1) -> TrainStep:
    """The train step of any of the three models; traced once.

    Make it within the scope of the strategy that trains.

    Args:
        model: `LossTermsModel`, its frozen parts frozen.
        optimizer: Keras optimizer, built for `model.trainable_variables`.
        average: `MovingAverage` of the same variables.
        clip_norm: float. Largest global norm of the gradients.
        batch_size: int. Over all replicas.
        accumulate: int. Parts that a replica's rows are computed in, one after
            the other; their gradients are summed before the one update.

    Returns:
        tf.function: (batch, step int64) -> dict of float32 scalars: every
        loss term's mean over the batch, and gradient_norm.
    """
    # A strategy of one replica still keeps its variables in its own way.
    if accumulate == 1 and not tf.distribute.has_strategy():
        return plain_train_step(
            model, optimizer, average, clip_norm, batch_size)
    return distributed_train_step(
        model, optimizer, average, clip_norm, batch_size, accumulate)


class MovingAverage:
    """Exponential moving average of a model's trainable weights.

    The momentum grows from 0 to its final value, so that a short run is not
    an average with its random start:  min(momentum, (1 + n) / (10 + n)).
    Batch norm's moving statistics stay those of the raw weights; at the end of
    a run, where the learning rate goes down to a hundredth, both agree.

    Make it within the scope of the strategy that trains.

    Args:
        variables: list of tf.Variable.
        momentum: float.
    """

    def __init__(self, variables: Sequence[tf.Variable], momentum: float):
        self.momentum = momentum
        self.variables = variables
        # While a step is traced, get_strategy() would name the default one.
        self._strategy = tf.distribute.get_strategy()
        self.averages = [tf.Variable(v, trainable=False) for v in variables]

    def update(self, step: tf.Tensor) -> None:
        """Moves the averages; in cross-replica context, after `step` (from
        0) of the optimizer."""
        n = tf.cast(step, tf.float32)
        rate = 1.0 - tf.minimum(self.momentum, (1.0 + n) / (10.0 + n))

        def move(average, variable):
            return average.assign_add(rate * (variable - average))

        for average, variable in zip(self.averages, self.variables):
            self._strategy.extended.update(
                average, move, args=(variable,), group=False)

    def finish(self) -> None:
        """Makes the averages the model's weights, for good."""
        for average, variable in zip(self.averages, self.variables):
            variable.assign(average)

    @contextlib.contextmanager
    def swapped(self) -> Iterator[None]:
        """Within the context the model has the averages as its weights."""
        trained = [v.numpy() for v in self.variables]
        self.finish()
        try:
            yield
        finally:
            for value, variable in zip(trained, self.variables):
                variable.assign(value)


def make_evaluation(
        model: LossTermsModel,
) -> Callable[[Iterable[Batch]], dict[str, float]]:
    """The mean loss terms over a data set, without dropout.

    The posterior's noise is keyed by the pictures' seeds, so the same weights
    give the same numbers.

    Args:
        model: `LossTermsModel`.

    Returns:
        function: tf.data.Dataset of batch dicts -> dict from a term's name to
        float. It is traced once for each size of batch.
    """
    @tf.function(autograph=False)
    def step(batch):
        return model.loss_terms(batch, model(batch, training=False))

    def evaluation(dataset):
        sums, count = {}, 0
        for batch in dataset:
            terms = step(batch)
            count += len(terms["loss"])
            for name, values in terms.items():
                sums[name] = sums.get(name, 0.0) + float(
                    tf.reduce_sum(values))
        return {name: value / count for name, value in sums.items()}

    return evaluation
