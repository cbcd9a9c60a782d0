"""What is measured of a method that colourises, and how.

A method is anything with `sample(luminance, num_samples, seed)`: a Colorizer
in one of its modes, a baseline, a floor.  All are measured on the same
pictures at the canvas's size, fields in ab / 128.  One call with 8 results
gives "one" (its first), "best of 5" (its first five), "best of 8" and what is
said of the 8; one call with 100 on some of the pictures gives "best of 100".
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfdivcolor import color
from tfdivcolor.data import PhotoSet
from tfdivcolor.evaluation import likelihood, metrics, two_sample
from tfdivcolor.models import losses
from tfdivcolor.models.joint import JointModel
from tfdivcolor.settings import DEFAULTS, MAX_SAMPLES
from tfdivcolor.utils.types import Tensor

BATCH = 16
# What needs a hundred fields a picture, or 64 draws of the posterior, is
# measured on so many of them, unless told otherwise.
SUBSET = 200
FEWEST = 4  # pictures; the two-sample test needs them

# The table's columns: heading, and what it means.
METRICS = {
    "reconstruction": ("recon", "MAE of the autoencoder's reconstruction"),
    "reconstruction_rmse": ("rmse", "RMSE of the reconstruction"),
    "reconstruction_weighted": (
        "weighted", "MAE of the reconstruction, rare colours weighing more"),
    "one": ("one", "MAE of the first result"),
    "best_of_5": ("best 5", "MAE of the best of the first 5"),
    "best_of_8": ("best 8", "MAE of the best of 8"),
    "best_of_100": ("best 100", "MAE of the best of 100"),
    "pixel_of_5": (
        "pixel 5", "MAE, the best of 5 chosen at every pixel and channel"),
    "pixel_of_8": ("pixel 8", "the same of 8"),
    "pixel_of_100": ("pixel 100", "the same of 100"),
    "rgb_of_8": (
        "RGB 8", "RMSE x 100 of RGB, best of 8 at every pixel and channel"),
    "variance": ("variance", "population variance over the 8"),
    "ms_ssim": ("MS-SSIM", "likeness of pairs of results; lower is diverser"),
    "chroma": ("chroma", "mean chroma of the 8"),
    "chroma_first": ("first", "mean chroma of the first result"),
    "colourfulness": ("M3", "colourfulness (Hasler and Suesstrunk)"),
    "auc": ("AUC", "two-sample test: a network tells results from truth; "
            ".5 is perfect"),
    "auc_coarse": ("AUC 4x4", "the same on means of 4x4 pixels, without the "
                   "grain of photographs"),
    "histogram": ("histogram", "distance between the ab histograms of "
                  "results and truth"),
    "field_nll": ("field NLL", "-log p(colours | grey), nats per ab value; "
                  "with a latent an upper bound by 64 draws"),
    "nll": ("z NLL", "-log P(z | grey), nats per latent dimension; only for "
            "one model's own comparison"),
}


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        label: str.
        model: object with `sample(luminance, num_samples, seed=..., ...)`
            giving a dict with ab: [B, S, c, c, 2], CIE units.
        most: int. How many different results it can give.
        options: dict. Further arguments of `sample`.
    """

    label: str
    model: Any
    most: int = MAX_SAMPLES
    options: dict[str, Any] = field(default_factory=dict)

    def fields(self, luminance: Tensor, num_samples: int,
               seed: int) -> np.ndarray:
        """float32 array [B, min(S, most), c, c, 2], ab / 128."""
        drawn = self.model.sample(
            luminance, min(num_samples, self.most), seed=seed, **self.options)
        return color.normalize_ab(drawn["ab"]).numpy()


@dataclass
class Measured:
    """What `measure` found out of one method with one seed.

    Attributes:
        values: dict from a name in `METRICS` to float64 [n]: one number a
            picture, or one for all of them (auc, histogram).
        errors: float64 [N, S]. MAE of every result of the call with 8, or
            None where there are no results.
        errors_of_100: float64 [n, 100] or None.
    """

    values: dict[str, np.ndarray]
    errors: np.ndarray | None = None
    errors_of_100: np.ndarray | None = None


def measure(method: Method, photos: PhotoSet, seed: int = DEFAULTS.seed,
            subset: int = SUBSET, test_realism: bool = True,
            progress: bool = True) -> Measured:
    """Measures a method's results.

    Args:
        method: `Method`.
        photos: `PhotoSet` of true colours, with margin 0.
        seed: int. Of the results.
        subset: int. Pictures, at even distances, to measure with 100 results
            each; 0: none.
        test_realism: bool. Whether to measure "auc" and "auc_coarse", which
            take the longest.
        progress: bool. Whether to show a bar.

    Returns:
        `Measured`.
    """
    values, kept, done = defaultdict(list), defaultdict(list), 0
    with tqdm(total=len(photos), unit="picture", desc=method.label,
              disable=not progress, leave=False) as bar:
        for batch in _batches(photos):
            luminance = batch["luminance"]
            truth = color.normalize_ab(batch["ab"]).numpy()
            fields = method.fields(luminance, 8, seed)
            _append(values, _result_rows(fields, truth, luminance))
            count = len(truth)
            # Not always the most probable result: a draw of the method.
            which = np.arange(done, done + count) % fields.shape[1]
            _append(kept, {
                "errors": metrics.errors_by_result(fields, truth),
                "luminance": luminance.numpy(), "truth": truth,
                "results": fields[np.arange(count), which]})
            part = in_subset(done, count, len(photos), subset)
            if method.most >= 100 and len(part):
                errors, pixels = _hundred(
                    method, tf.gather(luminance, part), truth[part], seed)
                _append(kept, {"errors_of_100": errors})
                _append(values, {"best_of_100": errors.min(axis=1),
                                 "pixel_of_100": pixels})
            done += count
            bar.update(count)
    values, kept = _joined(values), _joined(kept)
    for name, k in (("one", 1), ("best_of_5", 5), ("best_of_8", 8)):
        if k <= method.most:
            values[name] = kept["errors"][:, :k].min(axis=1)
    results, truth = kept["results"], kept["truth"]
    values["histogram"] = np.array(
        [two_sample.histogram_distance(truth, results)])
    if test_realism:
        pictures = kept["luminance"], truth, results
        values["auc"] = np.array([two_sample.two_sample_auc(*pictures)])
        values["auc_coarse"] = np.array(
            [two_sample.two_sample_auc(*map(_block_means, pictures))])
    if method.most == 1:
        part = in_subset(0, done, done, subset)
        if len(part) > 1:
            squared = np.square(np.float64(results[part]) - truth[part])
            values["field_nll"] = likelihood.gaussian_nll(
                squared.sum(axis=(1, 2, 3)), photos.canvas ** 2 * 2)
    return Measured(values, kept["errors"], kept.get("errors_of_100"))


def in_subset(start: int, count: int, total: int, subset: int) -> np.ndarray:
    """Which pictures of a batch are of the subset, for what takes long.

    The subset lies at even distances: data sets are sorted by name.

    Args:
        start, count: int. The batch is `count` pictures from `start` on.
        total: int. Number of all pictures.
        subset: int. Size of the subset.

    Returns:
        int array [n], positions in the batch.
    """
    chosen = np.linspace(0, total - 1, min(subset, total)).astype(int)
    return chosen[(chosen >= start) & (chosen < start + count)] - start


def _block_means(fields, side=4):
    """[N, H, W, C] -> [N, H / side, W / side, C]."""
    count, height, width, channels = fields.shape
    return fields.reshape(
        count, height // side, side, width // side, side, channels
    ).mean(axis=(2, 4))


def _result_rows(fields, truth, luminance):
    """What is measured of the results of one call."""
    rgb = _rgb(luminance, fields)
    rows = {
        "chroma": metrics.chroma(fields),
        "chroma_first": metrics.chroma(fields[:, 0]),
        "colourfulness": metrics.colourfulness(rgb),
    }
    if fields.shape[1] >= 5:
        rows["pixel_of_5"] = metrics.error_of_best_pixel(fields, truth, 5)
    if fields.shape[1] >= 8:
        rows |= {
            "pixel_of_8": metrics.error_of_best_pixel(fields, truth, 8),
            "rgb_of_8": metrics.rgb_error_best_pixel(
                rgb, _rgb(luminance, truth[:, None])[:, 0], 8),
            "variance": metrics.variance(fields),
            "ms_ssim": metrics.ms_ssim(fields),
        }
    return rows


def _rgb(luminance, fields):
    """uint8 [B, S, c, c, 3] of fields [B, S, c, c, 2] in ab / 128."""
    return color.join(
        luminance[:, None], color.denormalize_ab(fields)).numpy()


def _hundred(method, luminance, truth, seed):
    """Errors of 100 results, and of their best at every pixel.

    A few pictures at a time: a hundred fields each are many.
    """
    errors, pixels = [], []
    for start in range(0, len(truth), 4):
        part = slice(start, start + 4)
        fields = method.fields(luminance[part], 100, seed)
        errors.append(metrics.errors_by_result(fields, truth[part]))
        pixels.append(metrics.error_of_best_pixel(fields, truth[part], 100))
    return np.concatenate(errors), np.concatenate(pixels)


def measure_autoencoder(
        model: Any, photos: PhotoSet, subset: int = SUBSET,
        pixel_weights: Callable[[Tensor], Tensor] | None = None
        ) -> dict[str, np.ndarray]:
    """Measures what a method's autoencoder keeps, and its likelihoods.

    Args:
        model: object with `vae` (`ColorVAE`) and `prior(luminance)`.
        photos: `PhotoSet`, with margin 0.
        subset: int. Pictures, at even distances, for the field's likelihood,
            which needs two.
        pixel_weights: function, ab in CIE units [..., 2] -> weights [...]
            (`ColorStatistics.pixel_weights`), or None.

    Returns:
        dict from a name in `METRICS` to float64 [n].
    """
    values, terms, done = defaultdict(list), defaultdict(list), 0
    for batch in _batches(photos):
        outputs = model.vae(batch)
        rows = _reconstruction_rows(
            outputs["ab_hat"], batch["ab"], pixel_weights)
        if isinstance(model, JointModel):
            nll = losses.mdn_nll(
                model.prior(batch["luminance"]), outputs["z"]).numpy()
            rows["nll"] = nll / model.latent_dim
        _append(values, rows)
        part = in_subset(done, len(batch["ab"]), len(photos), subset)
        if len(part):
            _append(terms, likelihood.field_terms(model, {
                name: tf.gather(tensor, part)
                for name, tensor in batch.items()}))
        done += len(batch["ab"])
    values = _joined(values)
    if min(subset, done) > 1:
        values["field_nll"] = likelihood.field_nll(
            **_joined(terms), dimensions=photos.canvas ** 2 * 2)
    return values


def measure_reconstruction(
        model: Any, photos: PhotoSet,
        pixel_weights: Callable[[Tensor], Tensor] | None = None
        ) -> dict[str, np.ndarray]:
    """As `measure_autoencoder`, of `model.reconstruct(ab)` alone."""
    values = defaultdict(list)
    for batch in _batches(photos):
        _append(values, _reconstruction_rows(
            model.reconstruct(batch["ab"]), batch["ab"], pixel_weights))
    return _joined(values)


def _reconstruction_rows(ab_hat, ab, pixel_weights):
    """Errors of reconstructions [B, c, c, 2] in CIE units."""
    fields = color.normalize_ab(ab_hat).numpy()
    truth = color.normalize_ab(ab).numpy()
    error = np.float64(fields) - truth
    rows = {
        "reconstruction": np.abs(error).mean(axis=(1, 2, 3)),
        "reconstruction_rmse": np.sqrt(np.square(error).mean(axis=(1, 2, 3))),
    }
    if pixel_weights is not None:
        rows["reconstruction_weighted"] = metrics.weighted_error(
            fields, truth, pixel_weights(ab).numpy())
    return rows


def truth_rows(photos: PhotoSet) -> dict[str, np.ndarray]:
    """What is measured of the true colours themselves.

    Args:
        photos: `PhotoSet`.

    Returns:
        dict of chroma, colourfulness: float64 [N].
    """
    values = defaultdict(list)
    for batch in _batches(photos):
        truth = color.normalize_ab(batch["ab"]).numpy()[:, None]
        _append(values, {
            "chroma": metrics.chroma(truth),
            "colourfulness": metrics.colourfulness(
                _rgb(batch["luminance"], truth))})
    return _joined(values)


def _batches(photos):
    return photos.batches(BATCH, shuffle=False, drop_remainder=False)


def _append(values, rows):
    for name, row in rows.items():
        values[name].append(row)


def _joined(values):
    return {name: np.concatenate(rows) for name, rows in values.items()}
