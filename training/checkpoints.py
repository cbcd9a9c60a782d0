"""Checkpoints of a stage that resume exactly, and whose folder a run's is.

A checkpoint holds the raw values of every variable by index: the whole
Colorizer (batch norm's moving statistics and the states of random generators
included), the optimizer, the moving average and the number of steps done.
Data order and noise are functions of (seed, step), and colour statistics of
the data, so nothing else is needed.
A checkpoint is written to a folder beside, and its index, without which there
is none, is moved last: a run that is killed while writing resumes from the one
before.  (TensorFlow itself writes the index in its place.)  Every tensor in a
file has a checksum: a damaged checkpoint is noticed, and the one before it
taken.
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
    """SHA-256 of the names of the pictures of both sets, in hexadecimal."""
    names = "\n".join([*train.names, "", *validation.names])
    return hashlib.sha256(names.encode()).hexdigest()


def claim(workdir: Path, config: Config, pictures: str,
          make: bool = True) -> None:
    """Makes the run's folder, or checks that it is this run's.

    That is one of the same configuration and pictures: a resumed run of
    others would be another.

    Args:
        workdir: pathlib.Path.
        config: `configs.Config`.
        pictures: str, of `fingerprint`.
        make: bool. False: the folder must be there.

    Raises:
        ValueError: if it is of another run, or not there.
    """
    path = workdir / "config.json"
    wanted = json.loads(json.dumps({
        **dataclasses.asdict(config),
        "pictures_sha256": pictures}))
    if path.exists():
        # Runs of before lack the newer fields, whose defaults are what was
        # done then.
        defaults = dataclasses.asdict(Config(config.name, config.stages))
        found = {**defaults, **json.loads(path.read_text())}
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


class Checkpoints:
    """Saves and restores one stage.

    Args:
        folder: path. One folder a stage.
        model: keras.Model, all of whose variables are saved.
        optimizer: Keras optimizer, built.
        average: `steps.MovingAverage`.
        writes: bool. Whether this process is the one that changes the folder;
            the others only restore.  (None of the variables has parts in
            several processes.)
    """

    def __init__(self, folder: str | Path, model: keras.Model,
                 optimizer: keras.optimizers.Optimizer,
                 average: MovingAverage, writes: bool = True):
        self.step = tf.Variable(tf.zeros([], tf.int64), trainable=False)
        values = [getattr(v, "value", v) for v in
                  [*model.variables, *optimizer.variables]]
        self._checkpoint = tf.train.Checkpoint(
            step=self.step, values=values, averages=average.averages)
        # Made now: every checkpoint is to have it, the first one too.
        self._checkpoint.save_counter
        self._folder = Path(folder)
        self._writes = writes

    def save(self, step: int) -> None:
        """Writes a checkpoint after `step` steps.

        Raises:
            OSError: if it cannot be written; the ones before are as they were.
        """
        if not self._writes:
            return
        self.step.assign(step)
        new = self._folder / "new"
        # What a killed run left.
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
                f"{self._folder}: must be a folder that checkpoints can be "
                f"written to; of before there are: {kept} "
                f"(received {reason(error)})") from error
        # Two, should the newest turn out damaged.
        self._keep(self._found()[:2])

    def restore(self) -> int:
        """Restores the newest checkpoint that is whole, completely.

        Damaged ones are reported, and removed: a later one must not be taken
        for the newest again.

        Returns:
            int. Number of steps done, 0 if there is no checkpoint.

        Raises:
            ValueError: if a checkpoint does not fit the model, or there are
                checkpoints, and all of them are damaged.
        """
        found = self._found()
        for path in found:
            try:
                status = self._checkpoint.restore(str(path.with_suffix("")))
                status.assert_consumed()
            except AssertionError as error:
                raise ValueError(
                    f"{path.with_suffix('')}: must be a checkpoint of this "
                    "model, as this version makes it (received another)"
                    ) from error
            # What TensorFlow raises depends on the place of the damage.
            except (tf.errors.OpError, ValueError, RuntimeError,
                    LookupError, OSError) as error:
                tqdm.write(f"{path.with_suffix('')}: this checkpoint is "
                           f"damaged ({reason(error)}); TRYING THE ONE BEFORE")
                damaged = path
                continue
            if self._writes:
                self._keep(found[found.index(path):])
            return int(self.step)
        if found:
            raise ValueError(
                f"{self._folder}: must hold one whole checkpoint; remove the "
                f"folder to begin its stage anew (received {len(found)} "
                f"damaged ones, down to {damaged.stem})")
        return 0

    def _keep(self, indices):
        """Removes all but some checkpoints, parts of others too."""
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
