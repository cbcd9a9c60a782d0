"""Saves and loads Colorizers: folders that load completely or not at all.

    colorizer.json      configuration, versions, checksum, how it was trained
    model.weights.h5    every weight, with batch norm and colour statistics
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf

import tfdivcolor
from tfdivcolor.models.base import full_precision
from tfdivcolor.utils.files import checksum, whole_folder

ABOUT = "colorizer.json"
WEIGHTS = "model.weights.h5"
FORMAT = 1
# Suffixes of files of Keras, TensorFlow and others: a path with one of them is
# not meant as a folder.
FILE_SUFFIXES = frozenset({
    ".bin", ".ckpt", ".h5", ".hdf5", ".json", ".keras", ".npz", ".onnx", ".pb",
    ".pickle", ".pkl", ".pt", ".pth", ".safetensors", ".tar", ".tflite", ".tgz",
    ".zip"})
SHIPPED = Path(tfdivcolor.__file__).parent / "weights"


def versions() -> dict[str, str]:
    """Versions of the packages that compute results, to store with them."""
    return {"tfdivcolor": tfdivcolor.__version__,
            "tensorflow": tf.__version__, "keras": keras.__version__,
            "numpy": np.__version__}


def save(model: keras.Model, path: str | os.PathLike,
         overwrite: bool = False, about: dict | None = None,
         half: bool = False) -> None:
    """Writes a Colorizer to a folder, completely or not at all.

    Args:
        model: `Colorizer`.
        path: str or path of the folder.
        overwrite: bool. Whether to replace a saved Colorizer there. Defaults
            to False.
        about: dict of JSON values to keep with the weights. Defaults to None:
            an empty one.
        half: bool. Store float32 weights as float16, which takes half the size
            and moves fields by less than .05 units of ab. `load` restores
            float32. Defaults to False.

    Raises:
        ValueError: if `path` exists and `overwrite` is False, if it is not a
            saved Colorizer, or if its name has the suffix of a file.
    """
    path = Path(path)
    if path.suffix.lower() in FILE_SUFFIXES:
        raise ValueError(
            f"{path}: must be a folder, or a file that ends in .keras "
            f"(received a name that ends in {path.suffix})")
    check_free(path, overwrite)
    if path.exists() and not (path / ABOUT).is_file():
        raise ValueError(
            f"{path}: must be a saved Colorizer to be replaced "
            f"(received a path without {ABOUT})")
    with whole_folder(path, replace=overwrite) as folder:
        model.save_weights(folder / WEIGHTS)
        if half:
            _halve(folder / WEIGHTS)
        (folder / ABOUT).write_text(json.dumps({
            "format": FORMAT,
            "sha256": checksum(folder / WEIGHTS),
            "versions": versions(),
            "about": about or {},
            "config": keras.saving.serialize_keras_object(model),
        }, indent=1) + "\n")


def check_free(path: Path, overwrite: bool) -> None:
    """Refuses to save to an existing path.

    Raises:
        ValueError: if `path` exists and `overwrite` is False.
    """
    if path.exists() and not overwrite:
        raise ValueError(
            f"{path}: must be a new path, or overwrite must be True (received "
            "an existing path)")


def _halve(path):
    """Rewrites a file of weights with float16 instead of float32."""
    whole = path.with_name(f"whole_{path.name}")
    path.rename(whole)
    with h5py.File(whole) as old, h5py.File(path, "w") as new:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                made = new.require_group(name)
            else:
                half = np.float16 if item.dtype == np.float32 else item.dtype
                made = new.create_dataset(name, data=item[()], dtype=half)
            made.attrs.update(item.attrs)

        new.attrs.update(old.attrs)
        old.visititems(copy)
    whole.unlink()


def shipped() -> list[str]:
    """Names of the shipped weights."""
    return sorted(
        about.parent.name for about in SHIPPED.glob(f"*/{ABOUT}"))


def find(weights: str | os.PathLike) -> Path:
    """Finds the folder of shipped or saved weights.

    Args:
        weights: str or path. A name of `shipped()`, or a folder.

    Returns:
        pathlib.Path. A folder with this path takes precedence over a name.

    Raises:
        ValueError: if neither exists.
    """
    received = repr(weights)
    if isinstance(weights, str | os.PathLike):
        path, received = Path(weights), repr(str(weights))
        with contextlib.suppress(OSError):  # the name may be too long
            if (path / ABOUT).is_file():
                return path
            if path.is_file():
                received += ", a file"
        if str(weights) in shipped():
            return SHIPPED / str(weights)
        if path.suffix == ".keras":
            received += "; keras.models.load_model reads .keras files"
    raise ValueError(
        f"weights must be one of {', '.join(shipped())}, or a folder saved "
        f"by Colorizer.save (received {received})")


def describe(path: str | os.PathLike) -> dict:
    """Reads the description in a saved folder, without the weights.

    Args:
        path: str or path of the folder.

    Returns:
        dict of format, sha256, versions, about and config.

    Raises:
        ValueError: if the folder is not a saved Colorizer.
    """
    path = Path(path)
    try:
        described = json.loads((path / ABOUT).read_text())
    except FileNotFoundError:
        raise ValueError(
            f"{path}: must be a saved Colorizer (received a folder without "
            f"{ABOUT})") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path / ABOUT}: must be JSON (received {error})") from None
    if described.get("format") != FORMAT:
        raise ValueError(
            f"{path / ABOUT}: format must be {FORMAT} "
            f"(received {described.get('format')!r})")
    missing = {"sha256", "versions", "about", "config"} - set(described)
    if missing:
        raise ValueError(
            f"{path / ABOUT}: must have {', '.join(sorted(missing))} "
            f"(received {', '.join(sorted(described))})")
    return described


def check(path: str | os.PathLike) -> dict:
    """Checks that a saved folder is complete and unchanged.

    Args:
        path: str or path of a folder written by `save`.

    Returns:
        dict, as from `describe`.

    Raises:
        ValueError: if a file is missing or has changed.
    """
    path = Path(path)
    described = describe(path)
    weights = path / WEIGHTS
    if not weights.is_file():
        raise ValueError(f"{path}: must hold {WEIGHTS} (received a folder "
                         "without it)")
    found = checksum(weights)
    if found != described["sha256"]:
        raise ValueError(
            f"{weights}: checksum must be {described['sha256'][:12]}... "
            f"(received {found[:12]}...); the file has changed or is cut off")
    return described


def load(path: str | os.PathLike) -> Any:
    """Loads a Colorizer, strictly, and in float32 under any Keras policy.

    The class of the Colorizer must be imported, and so registered with Keras.
    This package registers the classes of its parts.

    Args:
        path: str or path of a folder written by `save`.

    Returns:
        `Colorizer`.

    Raises:
        ValueError: if a file is missing or has changed, or if a weight is
            missing or does not fit.
    """
    described = check(path)
    with full_precision():
        loaded = keras.saving.deserialize_keras_object(described["config"])
    loaded.load_weights(Path(path) / WEIGHTS)
    return loaded


def begin_from(model: Any, trained: Any) -> None:
    """Copies a trained Colorizer's weights into another, to train on.

    The other Colorizer may have more layers. New layers must begin without
    effect (`blocks.residual_block`).

    Args:
        model: `Colorizer`, changed in place.
        trained: `Colorizer`.

    Raises:
        ValueError: if a trained weight has no place in `model`.
    """
    parts, old_parts = _parts(model), _parts(trained)
    if len(parts) != len(old_parts):
        raise ValueError(
            "the trained weights must fit the model: only one of the two has "
            "a separate grey network for the mixture (received parts "
            f"{len(parts)} and {len(old_parts)})")
    for part, old in zip(parts, old_parts):
        places = {weight.path: weight for weight in part.weights}
        for weight in old.weights:
            place = places.get(weight.path)
            if place is None or place.shape != weight.shape:
                raise ValueError(
                    f"the trained weights must fit the model: no place for "
                    f"{old.name}/{weight.path} {list(weight.shape)} (received "
                    f"{place if place is None else list(place.shape)})")
            place.assign(weight)


def _parts(model):
    parts = [model.vae.grey_encoder, model.vae.posterior, model.vae.decoder,
             model.mdn.head]
    return parts if model.shares_grey else [*parts, model.mdn.features]
