"""The `evaluate` command: methods side by side, as one table.

Rows are methods: the Colorizer in its three modes, floors, baselines; columns
are `evaluation.METRICS`, all measured in one run on the same pictures.
"""

import hashlib
import json
import platform
from pathlib import Path

import numpy as np

from tfdivcolor import data, presets
from tfdivcolor.color import statistics
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.data import photo_cache
from tfdivcolor.evaluation import baselines, floors, illustrations, measurement
from tfdivcolor.evaluation.measurement import METRICS, Measured, Method
from tfdivcolor.models import storage
from tfdivcolor.settings import DEFAULTS, MODES, Sampling
from tfdivcolor.utils import files

# The table is wide; it is printed as blocks of columns that belong together.
BLOCKS = {
    "Error of the results, ab / 128": (
        "one", "best_of_5", "best_of_8", "best_of_100", "pixel_of_5",
        "pixel_of_8", "pixel_of_100", "rgb_of_8"),
    "Diversity, colour, likeness to photographs": (
        "variance", "ms_ssim", "chroma", "chroma_first", "colourfulness",
        "auc", "auc_coarse", "histogram"),
    "Autoencoder and likelihood": (
        "reconstruction", "reconstruction_rmse", "reconstruction_weighted",
        "field_nll", "nll"),
}
COMPONENTS = 64  # of the principal components' floor: the size of z

PUBLISHED = """\
Published for LFW (Deshpande et al. 2017, table 2):
                     error of best    variance
CVAE                          .031     .00010
cGAN                          .047     .0000084
VAE + MDN                     .030     .0011
VAE + MDN, skip               .031     .00044
The paper does not say how many samples entered, in which norm and unit, or
whether the best was taken by picture or by pixel, and its 1,000 test pictures
are others: these numbers and the table's cannot be compared."""


def run(path, weights="lfw", subset=None, limit=None, sampling=DEFAULTS,
        num_seeds=1, subset_size=measurement.SUBSET, train_data=None,
        baselines_folder=None, json_path=None, plots_folder=None):
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
        json_path: str or None. File for summary, settings and file list.
        plots_folder: str or None. Folder for figures.

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
    train = train_data and _load_photos(
        train_data, colorizer, described, "train")
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
        "train_files_sha256": train and _hash(train.names),
        "versions": storage.versions(), "platform": platform.platform(),
        "files_sha256": _hash(photos.names), "files": photos.names,
        "skipped": [tuple(item) for item in photos.skipped]}
    if json_path:
        files.write_atomically(
            json_path, (json.dumps(record, indent=1) + "\n").encode())
    if plots_folder:
        illustrations.draw(Path(plots_folder), colorizer, bench,
                           described["about"].get("history"))
    return table(summary, photos, bench, rivals, train)


class Bench:
    """Measures methods on the same pictures and keeps what came out."""

    def __init__(self, photos, sampling, num_seeds, subset_size, train):
        self.photos = photos
        self.temperature = sampling.temperature
        self.seeds = [sampling.seed + i for i in range(num_seeds)]
        self.subset_size = min(subset_size, len(photos))
        self.train = train
        self.statistics = train and statistics.compute(
            train, min(COMPONENTS, len(train) - 1))
        self.rows = {}  # label -> list of `Measured`, one a seed

    def add_colorizer(self, name, model, modes):
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

    def add_baseline(self, name, model):
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

    def add_floors(self):
        """Measures what needs no model, and the truth itself."""
        if self.train:
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
        weights = self.statistics and self.statistics.pixel_weights
        self.rows[label][0].values.update(measurement.measure_autoencoder(
            model, self.photos, self.subset_size, weights))

    def summary(self):
        """dict from a row's label to `summarize`'s dict."""
        return {label: summarize(measured)
                for label, measured in self.rows.items()}


def summarize(measured):
    """Means, standard errors and spread over seeds of one row.

    Args:
        measured: list of `Measured`, one a seed.

    Returns:
        dict from a name in `METRICS` to dict of mean; standard_error over
        pictures, None for one number; spread: standard deviation of the means
        over seeds, None for one seed; pictures.
    """
    summary = {}
    for name in METRICS:
        rows = [one.values[name] for one in measured if name in one.values]
        if not rows:
            continue
        by_picture = np.mean(rows, axis=0)
        count = len(by_picture)
        means = [row.mean() for row in rows]
        summary[name] = {
            "mean": float(by_picture.mean()),
            "standard_error": float(
                by_picture.std(ddof=1) / np.sqrt(count)) if count > 1
            else None,
            "spread": float(np.std(means, ddof=1)) if len(means) > 1
            else None,
            "pictures": count}
    return summary


def table(summary, photos, bench, rivals, train):
    """The summary as text."""
    lines = [
        f"{len(photos):,} pictures; temperature {bench.temperature}; seeds "
        f"{', '.join(map(str, bench.seeds))}",
        f"Columns of 100 results and field NLL: {bench.subset_size:,} "
        "pictures at even distances; these and AUC: the first seed"]
    width = max(map(len, summary))
    for title, names in BLOCKS.items():
        lines += ["", title, ""]
        lines.append(" " * width + "".join(
            f"{METRICS[name][0]:>11}" for name in names))
        for label, row in summary.items():
            if any(name in row for name in names):
                lines.append(f"{label:{width}}" + "".join(
                    _cell(row.get(name)) for name in names))
            if any(row.get(name, {}).get("spread") for name in names):
                lines.append(f"{'  +- over seeds':{width}}" + "".join(
                    _spread(row.get(name)) for name in names))
    lines += ["", *(f"{heading:10} {meaning}"
                    for heading, meaning in METRICS.values()), ""]
    if not train:
        lines.append("floors from training pictures, weighted errors: not "
                     "run (--train-data PATH)")
    if not rivals:
        lines.append("baselines: not run (--baselines DIR)")
    return "\n".join([*lines, PUBLISHED])


def _cell(value):
    return f"{value['mean']:11.5f}" if value else f"{'-':>11}"


def _spread(value):
    shown = value and value["spread"] is not None
    return f"{value['spread']:11.5f}" if shown else " " * 11


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
    if train and same_path and set(photos.names) & set(train.names):
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
