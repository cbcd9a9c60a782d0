"""The `evaluate` command: methods side by side, as one table.

Rows are methods: the Colorizer in its three modes, floors, baselines; columns
are `evaluation.METRICS`, all measured in one run on the same pictures.
"""

import hashlib
import json
import platform
from collections.abc import Sequence
from pathlib import Path

from tfdivcolor import data, presets
from tfdivcolor.color import statistics
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.data import PhotoSet, photo_cache
from tfdivcolor.evaluation import baselines, floors, illustrations, measurement
from tfdivcolor.evaluation.measurement import Measured, Method
from tfdivcolor.evaluation.table import Cell, summarize, table
from tfdivcolor.models import storage
from tfdivcolor.settings import DEFAULTS, MODES, Sampling
from tfdivcolor.utils import files

COMPONENTS = 64  # of the principal components' floor: the size of z


def run(path: str, weights: str | Path = "lfw", subset: str | None = None,
        limit: int | None = None, sampling: Sampling = DEFAULTS,
        num_seeds: int = 1, subset_size: int = measurement.SUBSET,
        train_data: str | None = None, baselines_folder: str | None = None,
        json_path: str | Path | None = None,
        plots_folder: str | Path | None = None) -> str:
    """Measures everything and writes it.

    Args:
        path: str. Folder, archive, TFRecord pattern or prepared folder.
        weights: str or path. Shipped name or folder.
        subset: "train", "validation" or None for all pictures.
        limit: int or None. Only so many pictures.
        sampling: `settings.Sampling`, of which temperature and seed are used.
        num_seeds: int, 1 or more. Sampling seeds: seed, seed + 1, ...
        subset_size: int. Pictures for the columns of 100 results and the
            field likelihood.
        train_data: str or None. Training pictures, for the floors.
        baselines_folder: str or None. What `training.baselines` wrote, and
            folders of other Colorizers.
        json_path: str, path or None. File for summary, settings and file
            list.
        plots_folder: str, path or None. Folder for figures.

    Returns:
        str, the table.

    Raises:
        ValueError: if the data, the weights or a setting are wrong.
    """
    Sampling(seed=sampling.seed + num_seeds - 1)
    _check_targets(json_path, plots_folder)
    folder = presets.find(weights)
    colorizer = presets.load(folder)
    rivals = _load_rivals(baselines_folder, colorizer.canvas)
    described = storage.describe(folder)
    photos = _load_photos(path, colorizer, described, subset, limit)
    train = None
    if train_data:
        train = _load_photos(train_data, colorizer, described, "train")
    _check_photos(photos, train, path == train_data)
    bench = Bench(photos, sampling, num_seeds, subset_size, train)
    bench.add_colorizer(folder.resolve().name, colorizer, MODES)
    for name, model in rivals.items():
        if isinstance(model, Colorizer):
            bench.add_colorizer(name, model, ("components",))
        else:
            bench.add_baseline(name, model)
    bench.add_floors()
    summary = bench.summary()
    record = {
        "summary": summary,
        "settings": {
            "seeds": bench.seeds, "temperature": sampling.temperature,
            "num_samples": [8, 100], "subset_size": bench.subset_size,
            "data": str(path), "subset": subset, "limit": limit,
            **_split(described)},
        "weights": {"name": folder.resolve().name,
                    "sha256": described["sha256"]},
        "baselines": sorted(rivals),
        "train_files_sha256": _hash(train.names) if train else None,
        "versions": storage.versions(), "platform": platform.platform(),
        "files_sha256": _hash(photos.names), "files": photos.names,
        "skipped": [tuple(item) for item in photos.skipped]}
    if json_path:
        files.write_atomically(
            json_path, (json.dumps(record, indent=1) + "\n").encode())
    if plots_folder:
        illustrations.draw(Path(plots_folder), colorizer, bench,
                           described["about"].get("history"))
    return table(
        summary, pictures=len(photos), temperature=bench.temperature,
        seeds=bench.seeds, subset_size=bench.subset_size,
        has_train=train is not None, has_rivals=bool(rivals))


class Bench:
    """Measures methods on the same pictures and keeps what came out.

    Args:
        photos: `PhotoSet`, with margin 0.
        sampling: `settings.Sampling`, of which temperature and seed are used.
        num_seeds: int, 1 or more. Sampling seeds: seed, seed + 1, ...
        subset_size: int. Pictures for the columns of 100 results and the
            field likelihood.
        train: `PhotoSet` of training pictures, for the floors; or None.

    Attributes:
        rows: dict from a row's label to list of `Measured`, one a seed.
    """

    def __init__(self, photos: PhotoSet, sampling: Sampling, num_seeds: int,
                 subset_size: int, train: PhotoSet | None):
        self.photos = photos
        self.temperature = sampling.temperature
        self.seeds = [sampling.seed + i for i in range(num_seeds)]
        self.subset_size = min(subset_size, len(photos))
        self.train = train
        self.statistics = None
        if train is not None:
            self.statistics = statistics.compute(
                train, min(COMPONENTS, len(train) - 1))
        self.rows: dict[str, list[Measured]] = {}

    def add_colorizer(self, name: str, model: Colorizer,
                      modes: Sequence[str]) -> None:
        """Measures a Colorizer in some modes; its autoencoder once."""
        labels = [name if mode == DEFAULTS.mode else f"{name}, {mode}"
                  for mode in modes]
        for label, mode in zip(labels, modes):
            options = {"mode": mode, "temperature": self.temperature}
            if mode == "components":
                self._add(Method(label, model, min(8, model.num_components),
                                 options), self.seeds[:1])
            else:
                self._add(Method(label, model, options=options))
        self._add_autoencoder(labels[0], model)

    def add_baseline(self, name: str, model: baselines.Baseline) -> None:
        """Measures one of `baselines`."""
        if isinstance(model, baselines.RegressionCNN):
            self._add(Method(name, model, most=1), self.seeds[:1])
        else:
            self._add(Method(name, model))
        if isinstance(model, baselines.ConditionalVAE):
            self._add(Method(
                f"{name}, clustered", baselines.ClusteredPrior(model),
                options={"temperature": self.temperature}))
            self._add_autoencoder(name, model)

    def add_floors(self) -> None:
        """Measures what needs no model, and the truth itself."""
        if self.train is not None and self.statistics is not None:
            self._add(Method(
                "copies of neighbours", floors.Neighbours(self.train),
                most=min(measurement.MAX_SAMPLES, len(self.train))),
                self.seeds[:1])
            self._add(Method(
                "mean field", floors.MeanField(self.statistics), most=1),
                self.seeds[:1])
            count = len(self.statistics.components)
            self._put(f"{count} principal components", [Measured(
                measurement.measure_reconstruction(
                    floors.PrincipalComponents(self.statistics), self.photos,
                    self.statistics.pixel_weights))])
        self._add(Method("grey", floors.Grey(), most=1), self.seeds[:1])
        self._put("truth", [Measured(measurement.truth_rows(self.photos))])

    def _add(self, method, seeds=None):
        # What takes long is measured with the first seed only.
        self._put(method.label, [
            measurement.measure(
                method, self.photos, seed, self.subset_size if i == 0 else 0,
                test_realism=i == 0)
            for i, seed in enumerate(seeds or self.seeds)])

    def _put(self, label, measured):
        if label in self.rows:
            raise ValueError(
                "weights and baselines must have different names, none that "
                f"of a floor (received {label!r} twice)")
        self.rows[label] = measured

    def _add_autoencoder(self, label, model):
        weights = None
        if self.statistics is not None:
            weights = self.statistics.pixel_weights
        self.rows[label][0].values.update(measurement.measure_autoencoder(
            model, self.photos, self.subset_size, weights))

    def summary(self) -> dict[str, dict[str, Cell]]:
        """dict from a row's label to `summarize`'s dict."""
        return {label: summarize(measured)
                for label, measured in self.rows.items()}


def _split(described):
    """The share of the pictures that the weights have not seen."""
    config = described["about"].get("config", {})
    fraction = config.get("validation_fraction")
    return {} if fraction is None else {"validation_fraction": fraction}


def _load_photos(path, colorizer, described, subset, limit=None):
    canvas = colorizer.canvas
    return data.load(
        path, canvas=canvas, subset=subset, limit=limit,
        margin=photo_cache.margin_of(path, subset, canvas),
        **_split(described))


def _check_photos(photos, train, same_path):
    """Refuses pictures that cannot be measured, before hours of measuring."""
    if len(photos) < measurement.FEWEST:
        raise ValueError(
            f"data must have {measurement.FEWEST} usable pictures or more "
            f"(received {len(photos)})")
    if train is not None and same_path and set(photos.names) & set(train.names):
        raise ValueError(
            "data and train-data must share no picture: copies of neighbours "
            "would be the pictures themselves (received the same path; "
            "measure --subset validation)")


def _check_targets(json_path, plots_folder):
    """Refuses to begin what could not be written in the end."""
    if json_path and not Path(json_path).parent.is_dir():
        raise ValueError(
            f"{json_path}: must be in a folder that exists")
    if plots_folder:
        Path(plots_folder).mkdir(parents=True, exist_ok=True)


def _load_rivals(folder, canvas):
    """Baselines and Colorizers in a folder, by name.

    Raises:
        ValueError: if there is none, or one has another canvas.
    """
    if folder is None:
        return {}
    folder = Path(folder)
    found = {file.stem: baselines.load(file)
             for file in sorted(folder.glob("[!.]*.keras"))}
    for about in sorted(folder.glob(f"[!.]*/{storage.ABOUT}")):
        found[about.parent.name] = storage.load(about.parent)
    if not found:
        raise ValueError(
            f"baselines: must be a folder with .keras files of "
            f"training.baselines or saved Colorizers (received {folder})")
    for name, model in found.items():
        if model.canvas != canvas:
            raise ValueError(
                f"{folder / name}: canvas must be {canvas}, as the weights' "
                f"(received {model.canvas})")
    return found


def _hash(names):
    return hashlib.sha256("\n".join(names).encode()).hexdigest()
