"""Runs the `evaluate` command: reads sets of pictures, makes a table.

One set without a name gives a table with every metric and a row per method.
Named sets give a table with a row per set, one for each kind of picture.
"""

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdivcolor.data import GREY, sources
from tfdivcolor.evaluation import (
    figures,
    illustrations,
    measurement,
    metrics,
    pictures,
    stability,
    tables,
)
from tfdivcolor.evaluation.bench import Bench, Training
from tfdivcolor.evaluation.contenders import Contenders
from tfdivcolor.evaluation.tables import Report, by_kind, by_method
from tfdivcolor.models import storage
from tfdivcolor.settings import (
    DEFAULT_WEIGHTS,
    DEFAULTS,
    MODES,
    Sampling,
)
from tfdivcolor.utils import files

# Training pictures for the floors: 32 kB each in memory.
TRAINING = 20_000


@dataclass(frozen=True)
class Request:
    """What to measure, and where to write it.

    Attributes:
        sets: str, for the table by method: a folder, archive, TFRecord
            pattern or prepared folder. Or dict from the name of a kind to such
            a str, for the table by kind, without the slow metrics.
        weights: str or path. Shipped name or folder. Defaults to
            `settings.DEFAULT_WEIGHTS`.
        others: strs or paths. Other weights for comparison. Defaults to ().
        baselines: str or None. Folder written by `training.baselines`. The
            components of Colorizers saved in it are measured too. Defaults to
            None.
        training: str or None. Training pictures for the floors. Defaults to
            None.
        training_limit: int. Use this many of them, evenly spaced. Defaults to
            20,000.
        subset: "train", "validation" or None for all pictures. Defaults to
            None.
        limit: int or None. Use only the first `limit` pictures of each set.
            Defaults to None.
        sampling: `settings.Sampling`; only temperature and seed count.
            Defaults to `settings.DEFAULTS`.
        num_seeds: int, 1 or more. Sampling seeds: seed, seed + 1, ... Defaults
            to 1.
        subset_size: int. Evenly spaced pictures of a set for the slow metrics:
            100 results, field likelihood, stability. Defaults to 200.
        stability: bool. Whether to measure the stability of the first result;
            only for named sets. Defaults to False.
        json, csv, markdown: str, path or None. Files for the record (means,
            settings, names of the pictures) and for the table. Default to
            None.
        plots: str, path or None. Folder for figures. Defaults to None.

    Raises:
        ValueError: if a setting is wrong, or if a file cannot be written.
    """

    sets: str | Mapping[str, str]
    weights: str | Path = DEFAULT_WEIGHTS
    others: Sequence[str | Path] = ()
    baselines: str | None = None
    training: str | None = None
    training_limit: int = TRAINING
    subset: str | None = None
    limit: int | None = None
    sampling: Sampling = DEFAULTS
    num_seeds: int = 1
    subset_size: int = measurement.SUBSET
    stability: bool = False
    json: str | Path | None = None
    csv: str | Path | None = None
    markdown: str | Path | None = None
    plots: str | Path | None = None

    def __post_init__(self):
        Sampling(seed=self.seeds[-1])
        if self.stability:
            if not self.by_kind:
                raise ValueError("stability must go with named sets "
                                 "(received a set without a name)")
            for path in self.paths.values():
                stability.check(path)
        for path in (self.json, self.csv, self.markdown):
            if path and not Path(path).parent.is_dir():
                raise ValueError(f"{path}: must be in a folder that exists")

    @property
    def by_kind(self) -> bool:
        """Whether the sets have names."""
        return not isinstance(self.sets, str)

    @property
    def paths(self) -> dict[str, str]:
        """dict from the name of a set to its path; names default to paths."""
        if isinstance(self.sets, str):
            return {Path(self.sets).name: self.sets}
        return dict(self.sets)

    @property
    def seeds(self) -> list[int]:
        """The sampling seeds."""
        return [self.sampling.seed + i for i in range(self.num_seeds)]


def run(request: Request) -> str:
    """Measures all methods on all sets and writes the files.

    Args:
        request: `Request`.

    Returns:
        str, the table.

    Raises:
        ValueError: if the data or the weights are wrong.
    """
    if request.plots:
        Path(request.plots).mkdir(parents=True, exist_ok=True)
    models = Contenders.load(
        request.weights, request.others, request.baselines)
    training = _load_training(request, models)
    benches = {name: Bench(
        _load_photos(request, path, models, training), request.sampling,
        request.num_seeds, request.subset_size, training,
        thorough=not request.by_kind)
        for name, path in request.paths.items()}
    moved = {}
    for name, bench in benches.items():
        models.measure(bench, (DEFAULTS.mode,) if request.by_kind else MODES)
        if request.stability:
            moved[name] = _stability(
                request, models, request.paths[name], bench.photos)
    record = {
        **_protocol(request, models, training),
        "sets": {name: _found(
            request.paths[name], bench, models.label, moved.get(name))
            for name, bench in benches.items()},
        "shares": _calibration(benches.values(), models.label)}
    report = _report(request, models, record)
    _write(request, record, report)
    if request.plots:
        _draw(Path(request.plots), models, record, benches, request.by_kind)
    return tables.text(report)


# --- Preparation ------------------------------------------------------------


def _load_training(request, models):
    """Reads the training pictures for the floors, or returns None."""
    if not request.training:
        return None
    # There may be more pictures than memory holds, and only a few are used.
    on_demand = sources.source_of(request.training) is sources.from_tfrecord
    photos = pictures.load(
        request.training, models.canvas, models.canvas, "train",
        validation_fraction=models.validation_fraction, on_demand=on_demand)
    return Training.of(pictures.at_canvas(photos, request.training_limit),
                       thorough=not request.by_kind)


def _load_photos(request, path, models, training):
    """Loads a set, and refuses unusable sets before hours of measuring."""
    photos = pictures.load(
        path, models.canvas, models.luminance_size, request.subset,
        validation_fraction=models.validation_fraction, limit=request.limit)
    if len(photos) < measurement.FEWEST:
        raise ValueError(
            f"{path}: must have {measurement.FEWEST} usable pictures or more "
            f"(received {len(photos)})")
    if path == request.training and set(photos.names) & set(training.names):
        raise ValueError(
            "data and train-data must share no picture, or the copies of "
            "neighbours would be the pictures themselves (received the same "
            "path; measure --subset validation)")
    return photos


# --- The record ------------------------------------------------------------


def _protocol(request, models, training):
    """The protocol: settings that another run needs to reproduce the table."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {
            "by": "kind" if request.by_kind else "method",
            "seeds": request.seeds,
            "temperature": request.sampling.temperature,
            "num_samples": [8] if request.by_kind else [8, 100],
            "subset_size": request.subset_size, "subset": request.subset,
            "limit": request.limit, "luminance_size": models.luminance_size,
            "validation_fraction": models.validation_fraction},
        "weights": {"name": models.label,
                    "sha256": models.described["sha256"]},
        "others": {name: checksum
                   for name, (_, checksum) in models.others.items()},
        "baselines": sorted(models.rivals),
        "training": None if training is None else {
            "path": request.training, "pictures": len(training.names),
            "files_sha256": _hash(training.names)},
        "versions": storage.versions(), "hardware": _hardware()}


def _hardware():
    """The hardware, which the seconds depend on."""
    processor = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        named = [line.partition(":")[2].strip() for line in lines
                 if line.startswith("model name")]
        processor = named[0] if named else processor
    return {"platform": platform.platform(), "processor": processor,
            "cores": os.cpu_count(),
            "gpus": [device.name
                     for device in tf.config.list_physical_devices("GPU")]}


def _found(path, bench, label, moved):
    """The results of one set."""
    photos = bench.photos
    grey = sum(reason == GREY for _, reason in photos.skipped)
    return {
        "path": path, "pictures": len(photos),
        "unreadable": len(photos.skipped) - grey, "grey": grey,
        "summary": bench.summary(), "shares": _calibration([bench], label),
        "stability": moved, "files_sha256": _hash(photos.names),
        "files": photos.names,
        "skipped": [tuple(one) for one in photos.skipped]}


def _stability(request, models, path, photos):
    """dict from a condition to its `Cell`."""
    chosen = measurement.in_subset(
        0, len(photos), len(photos), request.subset_size)
    moved = stability.measure(
        models.colorizer, path, [photos.names[i] for i in chosen],
        Sampling(8, request.sampling.seed, request.sampling.temperature))
    return {condition: tables.cell_of([row])
            for condition, row in moved.items()}


def _calibration(benches, label):
    """`metrics.share_calibration` of several sets, with all seeds."""
    measured = [one for bench in benches for one in bench.rows[label]]
    return metrics.share_calibration(
        np.concatenate([one.share for one in measured]),
        np.concatenate([one.nearest for one in measured]))


def _hash(names):
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


# --- Output -----------------------------------------------------------------


def _report(request, models, record) -> Report:
    settings, hardware = record["settings"], record["hardware"]
    heading = [
        f"weights {models.label}, {record['weights']['sha256'][:12]}...; "
        f"temperature {settings['temperature']}; seeds "
        f"{', '.join(map(str, settings['seeds']))}; {record['date'][:10]}; "
        f"{hardware['cores']} cores of {hardware['processor'] or 'no name'}"
        f"; {len(hardware['gpus']) or 'no'} GPU"]
    missing = []
    if record["training"] is not None:
        heading.append(
            f"floors: {record['training']['pictures']:,} training pictures of "
            f"{request.training}, at most {request.training_limit:,} evenly "
            "spaced")
    else:
        missing.append("floors from training pictures, weighted errors: not "
                       "run (--train-data PATH)")
    if not models.rivals:
        missing.append("baselines: not run (--baselines DIR)")
    if request.by_kind:
        return by_kind.report(record["sets"], models.label, heading, missing)
    found, = record["sets"].values()
    heading.append(
        f"{found['path']}" + (f", {request.subset}" if request.subset else "")
        + f": {found['pictures']:,} pictures; {found['unreadable']:,} "
        f"unreadable, {found['grey']:,} grey")
    return by_method.report(
        found["summary"], heading,
        min(request.subset_size, found["pictures"]), missing)


def _write(request, record, report):
    for path, contents in (
            (request.json, json.dumps(record, indent=1) + "\n"),
            (request.csv, tables.as_csv(report)),
            (request.markdown, tables.markdown(report))):
        if path:
            files.write_atomically(path, contents.encode())


def _draw(folder, models, record, benches, is_by_kind):
    named = {name: found["shares"] for name, found in record["sets"].items()}
    figures.share_calibration(record["shares"], named, folder / "shares.png")
    if not is_by_kind:
        bench, = benches.values()
        illustrations.draw(folder, models.colorizer, bench,
                           models.described["about"].get("history"))
