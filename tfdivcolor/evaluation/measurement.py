"""Measures one method of colourisation.

A method is an object with `sample(luminance, num_samples, seed)`: a Colorizer
in one of its modes, a baseline or a floor.  All methods are measured on the
same pictures, with fields at the size of the canvas, in ab / 128.  A Colorizer
may see a larger luminance than other methods, which get it averaged down.  One
call with 8 results gives "one" (the first result), "best of 5" (the first
five), "best of 8" and the statistics of the 8. One call with 100 results on a
subset of the pictures gives "best of 100".
"""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfdivcolor import color
from tfdivcolor.data import PhotoSet
from tfdivcolor.evaluation import likelihood, metrics, pictures, two_sample
from tfdivcolor.models import losses
from tfdivcolor.models.joint import JointModel
from tfdivcolor.settings import DEFAULTS, MAX_SAMPLES
from tfdivcolor.utils.types import Tensor

BATCH = 16
# Default size of the subset for metrics that need 100 fields per picture or 64
# draws of the posterior.
SUBSET = 200
FEWEST = 4  # pictures; the two-sample test needs this many
TIMED = 8  # pictures, one after the other


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        label: str.
        model: object with `sample(luminance, num_samples, seed=..., ...)`
            that returns a dict with ab: [B, S, c, c, 2], CIE units.
        most: int. Number of different results that it can give. Defaults to
            `settings.MAX_SAMPLES`.
        options: dict. Further arguments of `sample`. Defaults to {}.
    """

    label: str
    model: Any
    most: int = MAX_SAMPLES
    options: dict[str, Any] = field(default_factory=dict)

    def draw(self, luminance: Tensor, canvas: int, num_samples: int,
             seed: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The method's results.

        Args:
            luminance: float32 [B, s, s, 1], 0..100, with s a multiple of the
                method's own luminance size.
            canvas: int c.
            num_samples: int S.
            seed: int.

        Returns:
            fields: float32 array [B, min(S, most), c, c, 2], ab / 128.
            share: float32 array [B, min(S, most)], or None if the method
                gives no shares.
        """
        drawn = self.model.sample(
            pictures.shrunk(luminance, _seen(self.model, canvas)),
            min(num_samples, self.most), seed=seed, **self.options)
        share = drawn.get("share")
        return (color.normalize_ab(drawn["ab"]).numpy(),
                None if share is None else np.asarray(share))


@dataclass
class Measured:
    """The result of `measure` for one method with one seed.

    Attributes:
        values: dict from a name in `tables.METRICS` to float64 [n]: one
            number per picture, or one for all of them (auc, histogram).
        errors: float64 [N, S]. MAE of every result of the call with 8, or
            None if there are no results.
        errors_of_100: float64 [n, 100] or None.
        share: float32 [N, S], the promised share of every result of the call
            with 8, or None.
        nearest: int [N]. Index of the result that is nearest to the truth.
    """

    values: dict[str, np.ndarray]
    errors: np.ndarray | None = None
    errors_of_100: np.ndarray | None = None
    share: np.ndarray | None = None
    nearest: np.ndarray | None = None


def measure(method: Method, photos: PhotoSet, seed: int = DEFAULTS.seed,
            subset: int = SUBSET, test_realism: bool = True,
            compare_pairs: bool = True, progress: bool = True) -> Measured:
    """Measures a method's results.

    Args:
        method: `Method`.
        photos: `PhotoSet` of true colours, with margin 0.
        seed: int. Seed of the results. Defaults to `settings.DEFAULTS.seed`.
        subset: int. Number of evenly spaced pictures to measure with 100
            results each; 0 for none. Defaults to 200.
        test_realism: bool. Whether to measure "auc" and "auc_coarse", the
            slowest metrics. Defaults to True.
        compare_pairs: bool. Whether to measure "ms_ssim", which takes longer
            than all other metrics together. Defaults to True.
        progress: bool. Whether to show a progress bar. Defaults to True.

    Returns:
        `Measured`.
    """
    values, kept, done = defaultdict(list), defaultdict(list), 0
    with tqdm(total=len(photos), unit="picture", desc=method.label,
              disable=not progress, leave=False) as bar:
        for batch in _batches(photos):
            luminance = batch["luminance"]
            truth = color.normalize_ab(batch["ab"]).numpy()
            fields, share = method.draw(luminance, photos.canvas, 8, seed)
            luminance = pictures.shrunk(luminance, photos.canvas)
            _append(values, _result_rows(
                fields, truth, luminance, compare_pairs))
            count = len(truth)
            if share is not None:
                _append(kept, {"share": share,
                               "nearest": metrics.nearest(fields, truth)})
            # A typical result of the method, not always the most probable.
            which = np.arange(done, done + count) % fields.shape[1]
            _append(kept, {
                "errors": metrics.errors_by_result(fields, truth),
                "luminance": luminance.numpy(), "truth": truth,
                "results": fields[np.arange(count), which]})
            part = in_subset(done, count, len(photos), subset)
            if method.most >= 100 and len(part):
                errors, pixels = _hundred(
                    method, tf.gather(batch["luminance"], part), truth[part],
                    seed)
                _append(kept, {"errors_of_100": errors})
                _append(values, {"best_of_100": errors.min(axis=1),
                                 "pixel_of_100": pixels})
            done += count
            bar.update(count)
    values, kept = _joined(values), _joined(kept)
    for name, k in (("one", 1), ("best_of_5", 5), ("best_of_8", 8)):
        if k <= method.most:
            values[name] = kept["errors"][:, :k].min(axis=1)
    if "share" in kept:
        values["share"] = kept["share"][:, 0].astype(np.float64)
        values["share_kept"] = (kept["nearest"] == 0).astype(np.float64)
    results, truth = kept["results"], kept["truth"]
    values["histogram"] = np.array(
        [two_sample.histogram_distance(truth, results)])
    if test_realism:
        told = kept["luminance"], truth, results
        values["auc"] = np.array([two_sample.two_sample_auc(*told)])
        values["auc_coarse"] = np.array(
            [two_sample.two_sample_auc(*map(_block_means, told))])
    if method.most == 1:
        part = in_subset(0, done, done, subset)
        if len(part) > 1:
            squared = np.square(np.float64(results[part]) - truth[part])
            values["field_nll"] = likelihood.gaussian_nll(
                squared.sum(axis=(1, 2, 3)), photos.canvas ** 2 * 2)
    return Measured(
        values, *(kept.get(name) for name in (
            "errors", "errors_of_100", "share", "nearest")))


def measure_seconds(method: Method, photos: PhotoSet,
                    seed: int = DEFAULTS.seed) -> np.ndarray:
    """Measures how long a method takes for 8 results.

    The function takes one picture at a time, like `colorize`. It does not
    count a first call that warms up.

    Args:
        method, seed: as in `measure`.
        photos: `PhotoSet`; only its first 8 pictures are used.

    Returns:
        float64 [n], seconds per picture.
    """
    batch = next(iter(photos.batches(
        TIMED, shuffle=False, drop_remainder=False)))
    seconds = []
    for i in (0, *range(len(batch["ab"]))):
        start = time.perf_counter()
        method.draw(batch["luminance"][i:i + 1], photos.canvas, 8, seed)
        seconds.append(time.perf_counter() - start)
    return np.array(seconds[1:])


def _seen(model, canvas):
    """Side of the luminance that a model sees."""
    return model.luminance_size if isinstance(model, JointModel) else canvas


def in_subset(start: int, count: int, total: int, subset: int) -> np.ndarray:
    """Selects the pictures of a batch in the subset for the slow metrics.

    The subset is evenly spaced, because data sets are sorted by name.

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


def _result_rows(fields, truth, luminance, compare_pairs):
    """Metrics of the results of one call."""
    rgb = _rgb(luminance, fields)
    rows = {
        "chroma": metrics.chroma(fields),
        "chroma_first": metrics.chroma(fields[:, 0]),
        "colourfulness": metrics.colourfulness(rgb),
        "colourfulness_first": metrics.colourfulness(rgb[:, 0]),
    }
    if fields.shape[1] >= 5:
        rows["pixel_of_5"] = metrics.error_of_best_pixel(fields, truth, 5)
    if fields.shape[1] >= 8:
        rows |= {
            "pixel_of_8": metrics.error_of_best_pixel(fields, truth, 8),
            "rgb_of_8": metrics.rgb_error_best_pixel(
                rgb, _rgb(luminance, truth[:, None])[:, 0], 8),
            "variance": metrics.variance(fields),
        }
        if compare_pairs:
            rows["ms_ssim"] = metrics.ms_ssim(fields)
    return rows


def _rgb(luminance, fields):
    """uint8 [B, S, c, c, 3] of fields [B, S, c, c, 2] in ab / 128."""
    return color.join(
        luminance[:, None], color.denormalize_ab(fields)).numpy()


def _hundred(method, luminance, truth, seed):
    """Errors of 100 results, and of their best at every pixel.

    A few pictures at a time, because 100 fields per picture take much memory.
    """
    errors, pixels = [], []
    for start in range(0, len(truth), 4):
        part = slice(start, start + 4)
        fields, _ = method.draw(
            luminance[part], truth.shape[1], 100, seed)
        errors.append(metrics.errors_by_result(fields, truth[part]))
        pixels.append(metrics.error_of_best_pixel(fields, truth[part], 100))
    return np.concatenate(errors), np.concatenate(pixels)


def measure_autoencoder(
        model: Any, photos: PhotoSet, subset: int = SUBSET,
        pixel_weights: Callable[[Tensor], Tensor] | None = None
        ) -> dict[str, np.ndarray]:
    """Measures the reconstruction and the likelihoods of an autoencoder.

    Args:
        model: object with `vae` (`ColorVAE`) and `prior(luminance)`.
        photos: `PhotoSet`, with margin 0.
        subset: int. Number of evenly spaced pictures for the likelihood of
            the field, 2 or more to measure it. Defaults to 200.
        pixel_weights: function, ab in CIE units [..., 2] -> weights [...]
            (`ColorStatistics.pixel_weights`), or None. Defaults to None.

    Returns:
        dict from a name in `tables.METRICS` to float64 [n].
    """
    values, terms, done = defaultdict(list), defaultdict(list), 0
    for batch in _batches(photos):
        batch = pictures.shrunk_batch(batch, _seen(model, photos.canvas))
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
    """Like `measure_autoencoder`, for `model.reconstruct(ab)` alone."""
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
    """Measures the true colours themselves.

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
                _rgb(pictures.shrunk(batch["luminance"], photos.canvas),
                     truth))})
    return _joined(values)


def _batches(photos):
    return photos.batches(BATCH, shuffle=False, drop_remainder=False)


def _append(values, rows):
    for name, row in rows.items():
        values[name].append(row)


def _joined(values):
    return {name: np.concatenate(rows) for name, rows in values.items()}
