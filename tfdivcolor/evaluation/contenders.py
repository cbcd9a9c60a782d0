"""Loads the models that an evaluation measures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdivcolor import presets
from tfdivcolor.coloring.colorizer import Colorizer
from tfdivcolor.evaluation import baselines
from tfdivcolor.evaluation.bench import Bench
from tfdivcolor.models import storage
from tfdivcolor.settings import DEFAULTS


@dataclass(frozen=True)
class Contenders:
    """The weights under evaluation, and the models to compare them with.

    Attributes:
        label: str. Name of the weights.
        colorizer: `Colorizer`.
        described: dict. The description in the folder of the weights.
        others: dict from a name to (`Colorizer`, checksum). Other weights.
        rivals: dict from a name to a baseline, or to a `Colorizer` whose
            components are measured.
    """

    label: str
    colorizer: Colorizer
    described: dict[str, Any]
    others: dict[str, tuple[Colorizer, str]]
    rivals: dict[str, Any]

    @classmethod
    def load(cls, weights: str | Path, others: Iterable[str | Path] = (),
             rivals: str | Path | None = None) -> Contenders:
        """Loads all models.

        Args:
            weights: str or path. Shipped name or folder.
            others: strs or paths. Other weights. Defaults to ().
            rivals: str, path or None. Folder written by `training.baselines`,
                which may also hold folders of saved Colorizers. Defaults to
                None.

        Raises:
            ValueError: if a model is missing, or if canvases differ.
        """
        folder = presets.find(weights)
        loaded = cls(
            folder.resolve().name, _load(folder), storage.describe(folder),
            {other.resolve().name: (
                _load(other), storage.describe(other)["sha256"])
             for other in map(presets.find, others)},
            {} if rivals is None else _load_rivals(Path(rivals)))
        for name, model in [
                *loaded.rivals.items(),
                *((name, one) for name, (one, _) in loaded.others.items())]:
            if model.canvas != loaded.canvas:
                raise ValueError(
                    f"{name}: canvas must be {loaded.canvas}, the canvas of "
                    f"the weights (received {model.canvas})")
        return loaded

    @property
    def canvas(self) -> int:
        """Side of the colour fields in pixels."""
        return self.colorizer.canvas

    @property
    def luminance_size(self) -> int:
        """Side of the largest luminance that one of the models sees."""
        return max(
            model.luminance_size for model in (
                self.colorizer, *self.rivals.values(),
                *(one for one, _ in self.others.values()))
            if isinstance(model, Colorizer))

    @property
    def validation_fraction(self) -> float | None:
        """Share of the pictures that the weights were not trained on.

        None if their description does not state it.
        """
        return self.described["about"].get("config", {}).get(
            "validation_fraction")

    def measure(self, bench: Bench, modes: Sequence[str]) -> None:
        """Measures all models and the floors, the weights in several modes."""
        bench.add_colorizer(self.label, self.colorizer, modes)
        for name, model in self.rivals.items():
            if isinstance(model, Colorizer):
                bench.add_colorizer(name, model, ("components",))
            else:
                bench.add_baseline(name, model)
        for name, (model, _) in self.others.items():
            bench.add_colorizer(name, model, (DEFAULTS.mode,))
        bench.add_floors()


def _load(folder):
    """Loads a Colorizer like `colorize`."""
    return presets.load(folder).freeze()


def _load_rivals(folder):
    """Loads the baselines and Colorizers of a folder, by name."""
    found: dict[str, Any] = {
        file.stem: baselines.load(file)
        for file in sorted(folder.glob("[!.]*.keras"))}
    for about in sorted(folder.glob(f"[!.]*/{storage.ABOUT}")):
        found[about.parent.name] = _load(about.parent)
    if not found:
        raise ValueError(
            f"baselines: must be a folder with .keras files of "
            f"training.baselines or saved Colorizers (received {folder})")
    return found
