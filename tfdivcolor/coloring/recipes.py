"""Recipes: files that make chosen results of a photograph again.

A recipe is JSON. The studio writes it, and `tfdivcolor colorize PHOTO --recipe
FILE` makes its results again, to the same bytes.  A recipe may come from
anyone, so the reader checks every value.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tfdivcolor.coloring import batch
from tfdivcolor.settings import (
    MAX_SAMPLES,
    OUTPUT_FORMATS,
    Hint,
    Sampling,
    Steering,
)
from tfdivcolor.utils.errors import ImageError, reason

VERSION = 1
MAX_BYTES = 1_000_000
# Limits far above any person's recipe; more would fill the memory.
_MAX_HINTS = 1000
_MAX_LATENTS = 10_000
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Recipe:
    """The settings that make chosen results of one photograph.

    Attributes:
        photo: str. Name of the photograph's file, without folders.
        photo_sha256: str. The file's checksum, 64 hexadecimal digits.
        page: int from 1, or None for the default page.
        weights: str. Name of the weights.
        weights_sha256: str. Checksum of the weights, 64 hexadecimal digits.
        sampling: `settings.Sampling`.
        steering: `settings.Steering`.
        results: tuple of int. Ranks of the chosen results, in ascending order.
        image_format: one of `settings.OUTPUT_FORMATS`, or None for the format
            of the photograph. Defaults to None.

    Raises:
        ValueError: if a value is outside its range; with the key.
    """

    photo: str
    photo_sha256: str
    page: int | None
    weights: str
    weights_sha256: str
    sampling: Sampling
    steering: Steering
    results: tuple[int, ...]
    image_format: str | None = None

    def __post_init__(self):
        for key, value in (("photo", self.photo_sha256),
                           ("weights", self.weights_sha256)):
            if not _SHA256.fullmatch(value):
                raise ValueError(f"{key}.sha256 must be 64 hexadecimal digits "
                                 f"(received {_shown(value)})")
        for key, value in (("photo", self.photo), ("weights", self.weights)):
            if not value or "/" in value or "\0" in value:
                raise ValueError(f"{key}.name must be a name without folders "
                                 f"(received {_shown(value)})")
        if self.page is not None and self.page < 1:
            raise ValueError("photo.page must be 1 or more, or null "
                             f"(received {_shown(self.page)})")
        self.steering.check(self.sampling)
        count, results = self.sampling.num_samples, sorted(self.results)
        if not (results and len(set(results)) == len(results)
                and 0 <= results[0] and results[-1] < count):
            raise ValueError(
                f"results must be one or more different ranks of 0 to "
                f"{count - 1} (received {_shown(list(self.results))})")
        object.__setattr__(self, "results", tuple(map(int, results)))
        if self.image_format not in (None, *OUTPUT_FORMATS):
            raise ValueError(
                f"format must be null or one of {', '.join(OUTPUT_FORMATS)} "
                f"(received {_shown(self.image_format)})")

    def applied(self, work: batch.Work) -> batch.Work:
        """Replaces the settings of a call by those of the recipe.

        Args:
            work: `batch.Work` with the recipe's weights. Its format applies if
                the recipe has none.

        Returns:
            `batch.Work`, a new one.
        """
        return replace(
            work, weights=self.weights, sampling=self.sampling,
            steering=self.steering, ranks=self.results, page=self.page,
            image_format=self.image_format or work.image_format,
            made_for=(self.photo, self.photo_sha256))

    def to_json(self) -> str:
        """Returns the text of the recipe's file, which `parse` reads."""
        steering = asdict(self.steering)
        steering["hints"] = [str(hint) for hint in self.steering.hints]
        return json.dumps({
            "tfdivcolor": "recipe", "version": VERSION,
            "photo": {"name": self.photo, "sha256": self.photo_sha256,
                      "page": self.page},
            "weights": {"name": self.weights, "sha256": self.weights_sha256},
            "sampling": asdict(self.sampling), "steering": steering,
            "results": self.results, "format": self.image_format,
        }, indent=1) + "\n"


def read(path: str | os.PathLike) -> Recipe:
    """Reads the file of a recipe.

    Args:
        path: str or path.

    Returns:
        `Recipe`.

    Raises:
        ValueError: if the file is unreadable or not a recipe; with the path,
            and the key of a wrong value.
    """
    try:
        if not Path(path).is_file():  # a device may never end
            raise ValueError("a path that is not a file")
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: must be a recipe file that can be read "
                         f"(received {reason(error)})") from error
    try:
        return parse(data)
    except ValueError as error:
        raise ImageError(f"{path}: {error}") from error


def parse(data: str | bytes) -> Recipe:
    """Reads the text of a recipe.

    Args:
        data: str or bytes, JSON. At most `MAX_BYTES`.

    Returns:
        `Recipe`.

    Raises:
        ValueError: if the text is not a recipe of this version; one line, with
            the key of a wrong value.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"a recipe must have at most {MAX_BYTES:,} bytes "
                         "(received more)")
    try:
        values = json.loads(data, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError) as error:
        raise ValueError("a recipe must be JSON "
                         f"(received {_shown(reason(error))})") from error
    kind = values.get("tfdivcolor") if isinstance(values, dict) else None
    if kind != "recipe":
        raise ValueError('a recipe must be an object with "tfdivcolor": '
                         '"recipe" (received other JSON)')
    version = values.get("version")
    if not _is_whole(version) or version != VERSION:
        raise ValueError(f"version must be {VERSION}, the only one that this "
                         f"tfdivcolor reads (received {_shown(version)})")
    found = _fields("", values, _RECIPE)
    photo, weights = found["photo"], found["weights"]
    return Recipe(
        photo["name"], photo["sha256"], photo["page"], weights["name"],
        weights["sha256"], Sampling(**found["sampling"]),
        Steering(**found["steering"]), found["results"], found["format"])


# --- Readers of keys -------------------------------------------------------


def _fields(name, values, readers):
    """Reads an object that must have these keys and no others."""
    if not isinstance(values, dict):
        raise ValueError(
            f"{name} must be an object (received {_shown(values)})")
    prefix = f"{name}." if name else ""
    for key in values:
        if key not in readers:
            raise ValueError(f"{prefix}{_key(key)} must not be present; the "
                             f"known keys are {', '.join(readers)}")
    for key in readers:
        if key not in values:
            raise ValueError(f"{prefix}{key} must be present (received none)")
    return {key: reader(f"{prefix}{key}", values[key])
            for key, reader in readers.items()}


def _is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    return (_is_whole(value) and abs(value) < 1e300
            or isinstance(value, float) and math.isfinite(value))


def _reader(rule: str, is_right: Callable[[Any], bool],
            convert: Callable[[Any], Any] = lambda value: value):
    def read(name, value):
        if not is_right(value):
            raise ValueError(
                f"{name} must be {rule} (received {_shown(value)})")
        return convert(value)

    return read


def _or_null(reader):
    return lambda name, value: None if value is None else reader(name, value)


def _list(reader, most):
    def read(name, values):
        if not isinstance(values, list) or len(values) > most:
            raise ValueError(f"{name} must be a list of at most {most} "
                             f"(received {_shown(values)})")
        return tuple(reader(name, value) for value in values)

    return read


def _object(readers):
    return lambda name, values: _fields(name, values, readers)


def _hint(name, value):
    try:
        return Hint.parse(_text(name, value))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


_text = _reader("text", lambda value: isinstance(value, str))
_whole = _reader("a whole number", _is_whole)
_number = _reader("a number", _is_number, float)

_RECIPE = {
    "tfdivcolor": _text, "version": _whole,
    "photo": _object({
        "name": _text, "sha256": _text, "page": _or_null(_whole)}),
    "weights": _object({"name": _text, "sha256": _text}),
    "sampling": _object({
        "num_samples": _whole, "seed": _whole, "temperature": _number,
        "mode": _text}),
    "steering": _object({
        "hints": _list(_hint, _MAX_HINTS), "keep": _or_null(_whole),
        "kept": _or_null(_list(_number, _MAX_LATENTS)),
        "strength": _number, "warmth": _number, "saturation": _number}),
    "results": _list(_whole, MAX_SAMPLES), "format": _or_null(_text)}


def _without_twins(pairs):
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key that occurs twice")
    return values


def _key(key):
    return _shown(key)[1:-1]


def _shown(value):
    """Shortens a value for a message: one line of ASCII."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
