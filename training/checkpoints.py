"""Checkpoints that resume a stage exactly, and the check of a run's folder.

A checkpoint holds the raw values of every variable by index: the whole
Colorizer (with batch norm's moving statistics and the states of the random
generators), the optimizer, the moving average and the number of steps done.
It needs nothing else: (seed, step) determines data order and noise, and the
data determines the colour statistics.

A new checkpoint is written to the subfolder `new`; its files then move into
place, the index last.  TensorFlow ignores a checkpoint without an index, so a
run that is killed while it writes resumes from the previous checkpoint.
(TensorFlow alone would write the index in place.)  Every tensor in a file has
a checksum, so a damaged checkpoint is detected, and the previous one is used.
"""

import dataclasses
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import keras
import tensorflow as tf
from tqdm import tqdm

from tfdivcolor.data import PhotoSet
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import reason
from training.configs import Config
from training.steps import MovingAverage


def fingerprint(train: PhotoSet, validation: PhotoSet) -> str:
    """SHA-256 of the names of all pictures in both sets, in hexadecimal."""
    names = "\n".join([*train.names, "", *validation.names])
    return hashlib.sha256(names.encode()).hexdigest()


def claim(workdir: Path, config: Config, pictures: str,
          make: bool = True) -> None:
    """Makes the run's folder, or checks that it belongs to this run.

    A folder belongs to the run if its configuration and its pictures are the
    same.

    Args:
        workdir: pathlib.Path.
        config: `configs.Config`.
        pictures: str, the result of `fingerprint`.
        make: bool. False requires that the folder exists. Defaults to True.

    Raises:
        ValueError: if the folder belongs to another run, or if it is missing
            and `make` is False.
    """
    path = workdir / "config.json"
    wanted = json.loads(json.dumps({
        **dataclasses.asdict(config),
        "pictures_sha256": pictures}))
    if path.exists():
        # Older runs lack the newer fields. Older versions trained with the
        # defaults of these fields.
        defaults = dataclasses.asdict(Config(config.name, config.stages))
        found = {**defaults, **json.loads(path.read_text())}
        different = sorted(key for key in wanted
                           if found.get(key) != wanted[key])
        if different:
            raise ValueError(
                f"{workdir}: must be the folder of the same run; give another "
                "--workdir (received one that differs in "
                f"{', '.join(different)})")
    elif make:
        workdir.mkdir(parents=True, exist_ok=True)
        files.write_atomically(
            path, (json.dumps(wanted, indent=1) + "\n").encode())
    else:
        raise ValueError(
            f"{workdir}: must be one folder that all workers share "
            "(received one without the chief's config.json)")


class Checkpoints:
    """Saves and restores one stage.

    Args:
        folder: path. One folder for each stage.
        model: keras.Model. All its variables are saved.
        optimizer: Keras optimizer, built.
        average: `steps.MovingAverage`.
        writes: bool. True in the one process that changes the folder; the
            others only restore.  (No variable is divided among processes.)
            Defaults to True.
    """

    def __init__(self, folder: str | Path, model: keras.Model,
                 optimizer: keras.optimizers.Optimizer,
                 average: MovingAverage, writes: bool = True):
        self.step = tf.Variable(tf.zeros([], tf.int64), trainable=False)
        values = [getattr(v, "value", v) for v in
                  [*model.variables, *optimizer.variables]]
        self._checkpoint = tf.train.Checkpoint(
            step=self.step, values=values, averages=average.averages)
        # Created here so that the first checkpoint has the counter, too.
        self._checkpoint.save_counter
        self._folder = Path(folder)
        self._writes = writes

    def save(self, step: int) -> None:
        """Writes a checkpoint after `step` steps.

        Raises:
            OSError: if the checkpoint cannot be written. Earlier checkpoints
                stay unchanged.
        """
        if not self._writes:
            return
        self.step.assign(step)
        new = self._folder / "new"
        # A killed run may leave this folder.
        shutil.rmtree(new, ignore_errors=True)
        try:
            self._checkpoint.write(str(new / f"ckpt-{step}"))
            for part in sorted(new.iterdir(), key=_is_index):
                os.replace(part, self._folder / part.name)
            new.rmdir()
        except (tf.errors.OpError, OSError) as error:
            shutil.rmtree(new, ignore_errors=True)
            kept = ", ".join(path.stem for path in self._found()) or "none"
            raise OSError(
                f"{self._folder}: must be writable; earlier checkpoints: "
                f"{kept} (received {reason(error)})") from error
        # Keep two, in case the newest is damaged.
        self._keep(self._found()[:2])

    def restore(self) -> int:
        """Restores every value of the newest undamaged checkpoint.

        The method reports and removes damaged checkpoints, so that none of
        them counts as the newest at the next start.

        Returns:
            int. Number of steps done, 0 without a checkpoint.

        Raises:
            ValueError: if a checkpoint does not fit the model, or if every
                checkpoint is damaged.
        """
        found = self._found()
        for path in found:
            try:
                status = self._checkpoint.restore(str(path.with_suffix("")))
                status.assert_consumed()
            except AssertionError as error:
                raise ValueError(
                    f"{path.with_suffix('')}: must be a checkpoint of this "
                    "model, written by this version (received another)"
                    ) from error
            # TensorFlow's exception depends on where the damage is.
            except (tf.errors.OpError, ValueError, RuntimeError,
                    LookupError, OSError) as error:
                tqdm.write(f"{path.with_suffix('')}: this checkpoint is "
                           f"damaged ({reason(error)}); TRYING THE PREVIOUS "
                           "ONE")
                damaged = path
                continue
            if self._writes:
                self._keep(found[found.index(path):])
            return int(self.step)
        if found:
            raise ValueError(
                f"{self._folder}: must hold an undamaged checkpoint; remove "
                f"the folder to start its stage again (received {len(found)} "
                f"damaged ones, the oldest {damaged.stem})")
        return 0

    def _keep(self, indices):
        """Removes all other checkpoints, and parts of them."""
        kept = {path.stem for path in indices}
        for part in sorted(self._folder.glob("ckpt-*.*"), key=_is_index,
                           reverse=True):
            if part.name.partition(".")[0] not in kept:
                part.unlink()

    def _found(self):
        """Paths of the checkpoints' index files, the newest first."""
        found = []
        for path in self._folder.glob("ckpt-*.index"):
            if match := re.fullmatch(r"ckpt-(\d+)", path.stem):
                found.append((int(match[1]), path))
        return [path for _, path in sorted(found, reverse=True)]


def _is_index(path):
    return path.suffix == ".index"
