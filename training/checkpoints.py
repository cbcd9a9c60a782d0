"""Checkpoints of a stage that resume exactly.

A checkpoint holds the raw values of every variable by index: the whole
Colorizer (batch norm's moving statistics and the states of random generators
included), the optimizer, the moving average and the number of steps done.
Data order and noise are functions of (seed, step), and colour statistics of
the data, so nothing else is needed.
TensorFlow writes a checkpoint's files first and then renames its index, so a
run that is killed while writing resumes from the one before.  Every tensor in
a file has a checksum: a damaged checkpoint is noticed, and the one before it
taken.
"""

import contextlib
import re
import shutil
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm


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
        self._folder = Path(folder)
        # Two, should the newest turn out damaged.
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, folder, max_to_keep=2)

    def save(self, step):
        """Writes a checkpoint after `step` steps.

        Raises:
            OSError: if it cannot be written; the ones before are as they were.
        """
        self.step.assign(step)
        try:
            self._manager.save(checkpoint_number=self.step)
        except tf.errors.OpError as error:
            for part in self._folder.glob(f"ckpt-{step}.*"):
                with contextlib.suppress(OSError):
                    part.unlink()
            shutil.rmtree(
                self._folder / f"ckpt-{step}_temp", ignore_errors=True)
            kept = ", ".join(path.stem for path in self._found()) or "none"
            raise OSError(
                f"{self._folder}: must be a folder that checkpoints can be "
                f"written to; of before there are: {kept} "
                f"(received {_reason(error)})") from error

    def restore(self):
        """Restores the newest checkpoint that is whole, completely.

        Damaged ones are reported, and removed: a later one must not be taken
        for the newest again.

        Returns:
            int. Number of steps done, 0 if there is no checkpoint.

        Raises:
            AssertionError: if the checkpoint does not fit the model.
            ValueError: if there are checkpoints, and all of them are damaged.
        """
        found = self._found()
        for path in found:
            try:
                status = self._checkpoint.restore(str(path.with_suffix("")))
                status.assert_consumed()
            # What TensorFlow raises depends on the place of the damage.
            except (tf.errors.OpError, ValueError, RuntimeError,
                    LookupError, OSError) as error:
                tqdm.write(f"{path.with_suffix('')}: this checkpoint is "
                           f"damaged ({_reason(error)}); TRYING THE ONE BEFORE")
                damaged = path
                continue
            for other in found[:found.index(path)]:
                for part in self._folder.glob(f"{other.stem}.*"):
                    part.unlink()
            return int(self.step)
        if found:
            raise ValueError(
                f"{self._folder}: must hold one whole checkpoint; remove the "
                f"folder to begin its stage anew (received {len(found)} "
                f"damaged ones, down to {damaged.stem})")
        return 0

    def _found(self):
        """Paths of the checkpoints' index files, the newest first.

        By what is there: the file that lists them may itself be damaged.
        """
        def number(path):
            return int(re.fullmatch(r"ckpt-(\d+)", path.stem)[1])

        return sorted((path for path in self._folder.glob("ckpt-*.index")
                       if re.fullmatch(r"ckpt-\d+", path.stem)),
                      key=number, reverse=True)


def _reason(error):
    text = getattr(error, "message", None) or str(error)
    # Without the names of graph nodes around it.
    text = re.sub(r"\{\{.*?\}\} |\[Op:\w+\]", "", text)
    return text.strip().partition("\n")[0].strip()
