"""The train step, and the moving average of the weights.

There are two train steps.  Read and change `plain_train_step` first: it takes
one batch on one device.  `distributed_train_step` makes the same update, but
divides the batch among replicas, and the rows of each replica into parts, which
the replica computes one after the other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import keras
import tensorflow as tf

from tfdivcolor.models.base import LossTermsModel

Batch = dict[str, tf.Tensor]
# (batch, step int64) -> the mean of every loss term, and gradient_norm.
TrainStep = Callable[[Batch, tf.Tensor], dict[str, tf.Tensor]]


def plain_train_step(model: LossTermsModel,
                     optimizer: keras.optimizers.Optimizer,
                     average: MovingAverage, clip_norm: float,
                     batch_size: int) -> TrainStep:
    """The train step of one device; see `make_train_step`."""
    variables = model.trainable_variables

    # Parsing the code with AutoGraph would take a quarter of the tracing time.
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
    """The train step of several replicas or parts; see `make_train_step`."""
    strategy = tf.distribute.get_strategy()
    variables = model.trainable_variables
    replicas = strategy.num_replicas_in_sync

    def gradients_of(batch, part):
        if accumulate > 1:
            rows = batch_size // (replicas * accumulate)
            batch = {name: tf.reshape(
                value, [accumulate, rows, *value.shape[1:]])[part]
                for name, value in batch.items()}
        # Divide by the size of the whole batch, so that the parts of all
        # replicas sum to the batch's means.
        with tf.GradientTape() as tape:
            terms = model.loss_terms(batch, model(batch, training=True))
            loss = tf.reduce_sum(terms["loss"]) / batch_size
        shares = {name: tf.reduce_sum(values) / batch_size
                  for name, values in terms.items()}
        return tape.gradient(loss, variables), shares

    def add_gradients_of(batch, part, sums):
        # Wait for the previous part. Otherwise both are in memory at once.
        with tf.control_dependencies(tf.nest.flatten(sums)):
            part = tf.identity(part)
        return tf.nest.map_structure(tf.add, sums, gradients_of(batch, part))

    def update(gradients, shares):
        # Outputs of a loop have no device and cannot be reduced; copies can.
        gradients, shares = tf.nest.map_structure(
            tf.identity, (gradients, shares))
        if replicas > 1:
            # Clipping needs the whole batch's gradient.  The optimizer sums
            # over the replicas again, and the division below undoes this.
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
        # The average updates every replica itself.
        average.update(step)
        return {name: strategy.reduce(tf.distribute.ReduceOp.SUM, value, None)
                for name, value in terms.items()}

    return train_step


def make_train_step(model: LossTermsModel,
                    optimizer: keras.optimizers.Optimizer,
                    average: MovingAverage, clip_norm: float, batch_size: int,
                    accumulate: int = 1) -> TrainStep:
    """Makes the train step of any of the three models. It is traced once.

    Call this within the scope of the training strategy.

    Args:
        model: `LossTermsModel`, with its frozen parts already frozen.
        optimizer: Keras optimizer, built for `model.trainable_variables`.
        average: `MovingAverage` of the same variables.
        clip_norm: float. Largest global norm of the gradients.
        batch_size: int. Pictures of a batch, on all replicas together.
        accumulate: int. Each replica computes its rows in this number of
            parts, one after the other, and sums their gradients before the
            one update. Defaults to 1.

    Returns:
        tf.function: (batch, step int64) -> dict of float32 scalars: the mean
        of every loss term over the batch, and gradient_norm.
    """
    # A strategy of one replica still has variables of its own type.
    if accumulate == 1 and not tf.distribute.has_strategy():
        return plain_train_step(
            model, optimizer, average, clip_norm, batch_size)
    return distributed_train_step(
        model, optimizer, average, clip_norm, batch_size, accumulate)


class MovingAverage:
    """Exponential moving average of a model's trainable weights.

    After n steps the momentum is min(momentum, (1 + n) / (10 + n)). It starts
    low, so that the average of a short run forgets the random initial weights.
    Batch norm keeps the moving statistics of the raw weights. At the end of a
    run the learning rate falls to a hundredth, and both sets of weights agree.

    Make the average within the scope of the training strategy.

    Args:
        variables: list of tf.Variable.
        momentum: float, the largest momentum.
    """

    def __init__(self, variables: Sequence[tf.Variable], momentum: float):
        self.momentum = momentum
        self.variables = variables
        # During tracing get_strategy() would return the default strategy.
        self._strategy = tf.distribute.get_strategy()
        self.averages = [tf.Variable(v, trainable=False) for v in variables]

    def update(self, step: tf.Tensor) -> None:
        """Updates the averages, in cross-replica context.

        Args:
            step: int64 scalar. The optimizer's latest step, counted from 0.
        """
        n = tf.cast(step, tf.float32)
        rate = 1.0 - tf.minimum(self.momentum, (1.0 + n) / (10.0 + n))

        def move(average, variable):
            return average.assign_add(rate * (variable - average))

        for average, variable in zip(self.averages, self.variables):
            self._strategy.extended.update(
                average, move, args=(variable,), group=False)

    def finish(self) -> None:
        """Assigns the averages to the model's weights, permanently."""
        for average, variable in zip(self.averages, self.variables):
            variable.assign(average)

    @contextlib.contextmanager
    def swapped(self) -> Iterator[None]:
        """A context in which the averages are the model's weights."""
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
    """Makes a function that averages the loss terms over a data set.

    The function uses no dropout. The pictures' seeds determine the posterior's
    noise, so the same weights give the same numbers.

    Args:
        model: `LossTermsModel`.

    Returns:
        function: tf.data.Dataset of batch dicts -> dict from a term's name to
        float. It is traced once for each batch size.
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
