"""Measures several methods on one set of pictures.

Rows are methods: the Colorizer in its modes, floors, baselines, other weights.
One run measures all of them on the same pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfdivcolor.color import statistics
from tfdivcolor.color.statistics import ColorStatistics
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.data import PhotoSet
from tfdivcolor.evaluation import baselines, floors, measurement
from tfdivcolor.evaluation.floors import Neighbours
from tfdivcolor.evaluation.measurement import Measured, Method
from tfdivcolor.evaluation.tables import Cell, summarize
from tfdivcolor.settings import DEFAULTS, Sampling

COMPONENTS = 64  # principal components of the floor: the size of z


@dataclass(frozen=True)
class Training:
    """Training data for the floors.

    Attributes:
        names: list of str. The pictures.
        statistics: `ColorStatistics`.
        neighbours: `floors.Neighbours`.
    """

    names: list[str]
    statistics: ColorStatistics
    neighbours: Neighbours

    @classmethod
    def of(cls, photos: PhotoSet, thorough: bool = True) -> Training:
        """Computes the data for the floors.

        Args:
            photos: `PhotoSet`, with the luminance at the size of the canvas.
            thorough: bool. As in `Bench`; if False, one principal component
                is enough, which saves minutes. Defaults to True.
        """
        count = COMPONENTS if thorough else 1
        return cls(photos.names, statistics.compute(
            photos, min(count, len(photos) - 1)), Neighbours(photos))


class Bench:
    """Measures methods on the same pictures and keeps the results.

    Args:
        photos: `PhotoSet`, with margin 0.
        sampling: `settings.Sampling`; only temperature and seed count.
        num_seeds: int, 1 or more. Sampling seeds: seed, seed + 1, ...
        subset_size: int. Pictures for the columns of 100 results and the
            field likelihood.
        training: `Training`, for the floors; or None. Defaults to None.
        thorough: bool. Whether to measure everything. False omits the slow
            metrics: 100 results, the two-sample test, the likeness of pairs of
            results, likelihoods and principal components. Defaults to True.

    Attributes:
        rows: dict from the label of a row to a list of `Measured`, one per
            seed.
    """

    def __init__(self, photos: PhotoSet, sampling: Sampling, num_seeds: int,
                 subset_size: int, training: Training | None = None,
                 thorough: bool = True):
        self.photos = photos
        self.temperature = sampling.temperature
        self.seeds = [sampling.seed + i for i in range(num_seeds)]
        self.subset_size = min(subset_size, len(photos)) if thorough else 0
        self.training = training
        self.thorough = thorough
        self.rows: dict[str, list[Measured]] = {}

    def add_colorizer(self, name: str, model: Colorizer,
                      modes: Sequence[str]) -> None:
        """Measures a Colorizer in several modes, and its autoencoder once."""
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
        """Measures a baseline of the package `baselines`."""
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
        """Measures the floors and the truth itself."""
        if self.training is not None:
            known = self.training.statistics
            self._add(Method(
                "copies of neighbours", self.training.neighbours,
                most=min(measurement.MAX_SAMPLES, len(self.training.names))),
                self.seeds[:1])
            self._add(Method("mean field", floors.MeanField(known), most=1),
                      self.seeds[:1])
            if self.thorough:
                count = len(known.components)
                self._put(f"{count} principal components", [Measured(
                    measurement.measure_reconstruction(
                        floors.PrincipalComponents(known), self.photos,
                        known.pixel_weights))])
        self._add(Method("grey", floors.Grey(), most=1), self.seeds[:1])
        self._put("truth", [Measured(measurement.truth_rows(self.photos))])

    def _add(self, method, seeds=None):
        # The slow metrics use only the first seed.
        measured = [
            measurement.measure(
                method, self.photos, seed, self.subset_size if i == 0 else 0,
                test_realism=self.thorough and i == 0,
                compare_pairs=self.thorough)
            for i, seed in enumerate(seeds or self.seeds)]
        if method.most >= 8:
            measured[0].values["seconds"] = measurement.measure_seconds(
                method, self.photos, self.seeds[0])
        self._put(method.label, measured)

    def _put(self, label, measured):
        if label in self.rows:
            raise ValueError(
                "weights, baselines and floors must have different names "
                f"(received {label!r} twice)")
        self.rows[label] = measured

    def _add_autoencoder(self, label, model):
        weights = None
        if self.training is not None:
            weights = self.training.statistics.pixel_weights
        self.rows[label][0].values.update(measurement.measure_autoencoder(
            model, self.photos, self.subset_size, weights))

    def summary(self) -> dict[str, dict[str, Cell]]:
        """dict from the label of a row to the dict of `summarize`."""
        return {label: summarize(measured)
                for label, measured in self.rows.items()}
