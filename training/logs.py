"""A run's log: numbers as JSON lines, numbers and pictures in TensorBoard."""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf


class Log:
    """Writes `log.jsonl` and TensorBoard summaries into a run's folder.

    Args:
        folder: pathlib.Path. The run's folder.
        writes: bool. False writes nothing and keeps no history. Defaults to
            True.
    """

    def __init__(self, folder: Path, writes: bool = True):
        self._path = folder / "log.jsonl" if writes else Path(os.devnull)
        # A killed session may leave part of a line.
        whole = not self._path.exists() or self._path.read_bytes()[-1:] in (
            b"", b"\n")
        self._file = open(self._path, "a", buffering=1)
        if not whole:
            self._file.write("\n")
        self._summaries = (
            tf.summary.create_file_writer(str(folder / "tensorboard"))
            if writes else tf.summary.create_noop_writer())

    def scalars(self, stage: str, kind: str, step: int,
                values: Mapping[str, float]) -> None:
        """Logs numbers.

        Args:
            stage: str. The stage's name.
            kind: str, "train" or "validation".
            step: int. Steps done in this stage.
            values: dict of floats.
        """
        values = {name: float(value) for name, value in values.items()}
        self._file.write(json.dumps(
            {"time": round(time.time(), 1), "stage": stage, "kind": kind,
             "step": step, **values}) + "\n")
        with self._summaries.as_default():
            for name, value in values.items():
                tf.summary.scalar(f"{stage}/{kind}/{name}", value, step)

    def picture(self, stage: str, step: int, pixels: np.ndarray) -> None:
        """Logs a picture, uint8 [H, W, 3], to TensorBoard."""
        with self._summaries.as_default():
            tf.summary.image(f"{stage}/results", pixels[None], step)

    def history(self) -> list[dict[str, Any]]:
        """The records at the ends of epochs, earlier sessions included.

        Returns:
            list of dicts as `scalars` writes them, of both kinds.
        """
        # A resumed run repeats some steps. Newer records of a step replace
        # older ones.
        records = {}
        for line in self._path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # partial line
                record = json.loads(line)
                records[record["stage"], record["step"],
                        record["kind"]] = record
        return [record for (stage, step, _), record in records.items()
                if (stage, step, "validation") in records]

    def close(self) -> None:
        """Closes the file and the TensorBoard writer."""
        self._file.close()
        self._summaries.close()
