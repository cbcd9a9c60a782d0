"""Checkpoints of a stage that resume exactly.

A checkpoint holds the raw values of every variable by index: the whole
Colorizer (batch norm's moving statistics and the states of random generators
included), the optimizer, the moving average and the number of steps done.
Data order and noise are functions of (seed, step), and colour statistics of
the data, so nothing else is needed.
TensorFlow writes a checkpoint's files first and then renames its index, so a
run that is killed while writing resumes from the one before.
"""

import tensorflow as tf


class Checkpoints:
    """Saves and restores one stage.

    Args:
        folder: path. One folder a stage.
        model: keras.Model, all of whose variables are saved.
        optimizer: Keras optimizer, built.
        average: `steps.MovingAverage`.
    """

    def __init__(self, folder, model, optimizer, average):
        self.step = tf.Variable(0, dtype=tf.int64, trainable=False)
        values = [getattr(v, "value", v) for v in
                  [*model.variables, *optimizer.variables]]
        self._checkpoint = tf.train.Checkpoint(
            step=self.step, values=values, averages=average.averages)
        # Two: should the newest turn out damaged, one can be restored by hand.
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, folder, max_to_keep=2)

    def save(self, step):
        """Writes a checkpoint after `step` steps."""
        self.step.assign(step)
        self._manager.save(checkpoint_number=self.step)

    def restore(self):
        """Restores the newest checkpoint, completely.

        Returns:
            int. Number of steps done, 0 if there is no checkpoint.

        Raises:
            AssertionError: if the checkpoint does not fit the model.
        """
        if self._manager.latest_checkpoint:
            status = self._checkpoint.restore(self._manager.latest_checkpoint)
            status.assert_consumed()
        return int(self.step)
