"""The `evaluate` command: methods side by side, as one table.

Rows are methods: the Colorizer in its three modes, floors, baselines; columns
are `evaluation.METRICS`, all measured in one run on the same pictures.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfdivcolor import (
    baselines,
    curves,
    data,
    evaluation,
    figures,
    floors,
    images,
    photo_cache,
    presets,
    statistics,
    storage,
)
from tfdivcolor.evaluation import METRICS, Measured, Method
from tfdivcolor.settings import DEFAULTS, MODES

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
Published for LFW (Deshpande et al. 2017, table 2): error of best .031 (CVAE),
.047 (cGAN), .030 (VAE + MDN), .031 (with skips); variance .00010, .0000084,
.0011, .00044. The paper does not say how many samples entered, in which norm
and unit, or whether the best was taken by picture or by pixel, and its 1,000
test pictures are others: these numbers and the table's cannot be compared."""


def run(path, weights="lfw", subset=None, limit=None, sampling=DEFAULTS,
        num_seeds=1, hundred=evaluation.HUNDRED_PICTURES, train_data=None,
        baselines_folder=None, json_path=None, plots_folder=None):
    """Measures everything and writes it.

    Args:
        path: str. Folder, archive, TFRecord pattern or prepared folder.
        weights: str or path. Shipped name or folder.
        subset: "train", "validation" or None for all pictures.
        limit: int or None. Only so many pictures.
        sampling: `settings.Sampling`; its temperature and seed count.
        num_seeds: int, 1 or more. Sampling seeds: seed, seed + 1, ...
        hundred: int. Pictures for the columns of 100 results and the field
            likelihood.
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
    folder = presets.find(weights)
    colorizer = presets.load(folder)
    rivals = _load_rivals(baselines_folder, colorizer.canvas)
    described = storage.describe(folder)
    selection = _split(described)
    photos = data.load(path, canvas=colorizer.canvas, subset=subset,
                       limit=limit, **selection)
    train = train_data and data.load(
        train_data, canvas=colorizer.canvas, subset="train", **selection,
        margin=photo_cache.margin_of(train_data, "train", colorizer.canvas))
    bench = _Bench(photos, sampling, num_seeds, hundred, train)
    bench.colorizer(folder.resolve().name, colorizer, MODES)
    for name, model in rivals.items():
        if hasattr(model, "mdn"):
            bench.colorizer(name, model, MODES[:1])
        else:
            bench.baseline(name, model)
    bench.floors()
    summary = bench.summary()
    record = {
        "summary": summary,
        "settings": {
            "seeds": bench.seeds, "temperature": sampling.temperature,
            "num_samples": [8, 100], "hundred_pictures": hundred,
            "subset": subset, "limit": limit, **selection},
        "weights": {"name": folder.resolve().name,
                    "sha256": described["sha256"]},
        "baselines": sorted(rivals), "train_data": train and len(train),
        "versions": storage.versions(),
        "files_sha256": _hash(photos.names), "files": photos.names,
        "skipped": [tuple(item) for item in photos.skipped]}
    if json_path:
        images.write_atomically(
            json_path, (json.dumps(record, indent=1) + "\n").encode())
    if plots_folder:
        _plot(Path(plots_folder), colorizer, bench,
              described["about"].get("history"))
    return table(summary, photos, bench, rivals, train)


class _Bench:
    """Measures methods on the same pictures and keeps what came out."""

    def __init__(self, photos, sampling, num_seeds, hundred, train):
        self.photos = photos
        self.temperature = sampling.temperature
        self.seeds = [sampling.seed + i for i in range(num_seeds)]
        self.hundred = hundred
        self.train = train
        self.statistics = train and statistics.compute(train, COMPONENTS)
        self.rows = {}  # label -> list of `Measured`, one a seed

    def colorizer(self, name, model, modes):
        """Measures a Colorizer in some modes; its autoencoder once.

        With one mode it is one to compare with, which may be as slow as the
        paper's: one seed, and a quarter of the pictures for what takes long.
        """
        hundred = self.hundred if len(modes) > 1 else -(-self.hundred // 4)
        seeds = self.seeds if len(modes) > 1 else self.seeds[:1]
        for mode in modes:
            self._add(Method(
                name if mode == DEFAULTS.mode else f"{name}, {mode}", model,
                most=(model.num_components if mode == "components"
                      else evaluation.MAX_SAMPLES),
                options={"mode": mode, "temperature": self.temperature}),
                seeds[:1] if mode == "components" else seeds, hundred)
        self._add_autoencoder(name, model, hundred)

    def baseline(self, name, model):
        """Measures one of `baselines`."""
        one_answer = isinstance(model, baselines.RegressionCNN)
        self._add(Method(
            name, model, most=1 if one_answer else evaluation.MAX_SAMPLES),
            self.seeds[:1] if one_answer else self.seeds, self.hundred)
        if hasattr(model, "vae"):
            self._add_autoencoder(name, model, self.hundred)

    def floors(self):
        """Measures what needs no model, and the truth itself."""
        if self.train:
            self._add_floor(
                "copies of neighbours", floors.Neighbours(self.train),
                min(evaluation.MAX_SAMPLES, len(self.train)))
            self._add_floor(
                "mean field", floors.MeanField(self.statistics), 1)
            self.rows[f"{COMPONENTS} principal components"] = [Measured(
                evaluation.measure_reconstruction(
                    floors.PrincipalComponents(self.statistics), self.photos,
                    self.statistics.pixel_weights))]
        self._add_floor("grey", floors.Grey(), 1)
        self.rows["truth"] = [
            Measured(evaluation.truth_rows(self.photos))]

    def _add_floor(self, label, model, most):
        self._add(Method(label, model, most), self.seeds[:1], self.hundred)

    def _add(self, method, seeds, hundred):
        # What takes long is measured with the first seed only.
        self.rows[method.label] = [
            evaluation.measure(
                method, self.photos, seed, hundred if i == 0 else 0,
                test_realism=i == 0)
            for i, seed in enumerate(seeds)]

    def _add_autoencoder(self, name, model, hundred):
        weights = self.statistics and self.statistics.pixel_weights
        self.rows[name][0].values.update(evaluation.measure_autoencoder(
            model, self.photos, hundred, weights))

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
    hundred = min(bench.hundred, len(photos))
    lines = [
        f"{len(photos):,} pictures; temperature {bench.temperature}; seeds "
        f"{', '.join(map(str, bench.seeds))}",
        f"Columns of 100 results and field NLL: the first {hundred:,} "
        f"pictures (other Colorizers: {-(-hundred // 4):,}, and one seed); "
        "these and AUC: the first seed"]
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
        lines.append("floors from training pictures: not run "
                     "(--train-data PATH)")
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


def _load_rivals(folder, canvas):
    """Baselines and Colorizers in a folder, by name.

    Raises:
        ValueError: if there is none, or one has another canvas.
    """
    if folder is None:
        return {}
    folder = Path(folder)
    found = {file.stem: baselines.load(file)
             for file in sorted(folder.glob("*.keras"))}
    for about in sorted(folder.glob(f"*/{storage.ABOUT}")):
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


# --- Figures ---------------------------------------------------------------

SHEET_ROWS = 4  # pictures on each of the sheets of the best, middle and worst


def _plot(folder, colorizer, bench, history):
    """Writes the figures; see `figures`."""
    label = next(iter(bench.rows))
    folder.mkdir(parents=True, exist_ok=True)
    errors = {name: measured[0].errors
              for name, measured in bench.rows.items()
              if measured[0].errors is not None
              and measured[0].errors.shape[1] == 8}
    figures.error_by_rank(
        {name: row for name, row in errors.items() if "copies" not in name},
        folder / "error_by_rank.png")
    figures.error_against_k(
        {name: measured[0].errors_of_100
         for name, measured in bench.rows.items()
         if measured[0].errors_of_100 is not None},
        {name: measured[0].values["one"][:bench.hundred].mean()
         for name, measured in bench.rows.items()
         if measured[0].errors is not None
         and measured[0].errors.shape[1] == 1},
        folder / "error_against_k.png")
    order = np.argsort(errors[label].min(axis=1), kind="stable")
    middle = (len(order) - SHEET_ROWS) // 2
    for name, chosen in (
            ("best", order[:SHEET_ROWS]),
            ("median", order[max(middle, 0):][:SHEET_ROWS]),
            ("worst", order[::-1][:SHEET_ROWS])):
        _sheet(folder / f"sheet_{name}.png", colorizer, bench, chosen,
               errors[label])
    weights = [tf.nn.softmax(
        colorizer.mdn(batch["luminance"])["mixture_logits"]).numpy()
        for batch in bench.photos.batches(
            evaluation.BATCH, shuffle=False, drop_remainder=False)]
    figures.mixture_weights(
        np.concatenate(weights), folder / "mixture_weights.png")
    figures.latent_walk(
        colorizer, _pictures(bench.photos, order[[len(order) // 2]])[0],
        folder / "latent_walk.png")
    if history:
        curves.training_curves(history, folder / "training.png")


def _sheet(path, colorizer, bench, chosen, errors):
    """Some pictures with their results."""
    luminance, ab = _pictures(bench.photos, chosen)
    results = colorizer.sample(
        luminance, 8, bench.seeds[0], bench.temperature)["ab"].numpy()
    captions = [[bench.photos.names[i].rpartition("/")[2],
                 *(f"{error:.3f}" for error in errors[i])] for i in chosen]
    figures.picture_sheet(luminance, ab, results, captions, path)


def _pictures(photos, chosen):
    """Luminance [R, c, c, 1] and ab [R, c, c, 2] of some pictures."""
    lab = photos.lab[chosen].astype(np.float32)
    return lab[..., :1], lab[..., 1:]
