"""Photographs to files of colourings: many, resumably, whole or not at all.

For a photograph NAME the outputs are NAME_00.png (most probable) upwards,
NAME_sheet.png where asked for, and last NAME.json, the record that says that
the others are complete and how they were made.
"""

import contextlib
import errno
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

import tfdivcolor
from tfdivcolor import images
from tfdivcolor.settings import MAX_PIXELS, MAX_SAMPLES, Sampling

# What makes two calls for one picture the same call.
_IDENTITY = ("seed", "num_samples", "mode", "temperature", "weights_sha256",
             "input_sha256")


def report(message):
    """Says one line on stderr, beside a progress bar and not across it."""
    line = " ".join(str(message).splitlines())
    tqdm.write(f"tfdivcolor: {line}", file=sys.stderr)


def find_pictures(paths):
    """Lists the photographs, with the names of their outputs.

    Reports what is none. An output of an earlier call is not taken for a
    photograph, unless it is named.

    Args:
        paths: list of str. Files and folders.

    Returns:
        pictures: list of (path, stem), stems different.
        failed: int. How many were reported.
    """
    pictures, failed = {}, 0
    for given in paths:
        try:
            found = images.find([given])
        except images.ImageError as error:
            failed += 1
            report(error)
            continue
        for path, stem in found:
            if Path(given).is_dir() and _is_output(path):
                continue
            if stem in pictures:
                failed += 1
                report(f"{path}: must have an output name of its own "
                        f"(received {stem}, as {pictures[stem]} has)")
                continue
            pictures[stem] = path
    if not pictures and not failed:
        failed = 1
        report(f"{', '.join(paths)}: must hold photographs "
                "(received earlier outputs only)")
    return [(path, stem) for stem, path in pictures.items()], failed


def _is_output(path):
    stem = path.name.rpartition("_")[0]
    record = _read_record(path.with_name(f"{stem}.json"))
    return path.name in record.get("outputs", ())


def make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise images.ImageError(
            f"{folder}: must be a folder that can be written "
            f"(received {error.strerror})") from error


def output_names(base, num_samples, sheet):
    """Paths of the pictures made of one photograph, most probable first."""
    endings = [f"{rank:02d}" for rank in range(num_samples)]
    return [base.with_name(f"{base.name}_{ending}.png")
            for ending in endings + ["sheet"] * sheet]


def _record_path(base):
    return base.with_name(f"{base.name}.json")


def _read_record(path):
    """The record that `Work` wrote, or {} if that is not one."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    known = isinstance(record, dict) and isinstance(
        record.get("outputs"), list)
    return record if known else {}


@dataclass
class Work:
    """What one call does to every photograph.

    Attributes:
        colorizer: `Colorizer`.
        weights: str. Name of its weights.
        sha256: str. Their checksum.
        sampling: `Sampling`.
        sheet: bool. Whether to write a contact sheet too.
        overwrite: bool. Whether to replace another call's outputs.
        max_pixels: int. Larger pictures are refused.
        quiet: bool. Say nothing but errors.
        told: bool. Whether a picture in colour has been mentioned.
    """

    colorizer: object
    weights: str
    sha256: str
    sampling: Sampling
    sheet: bool = False
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS
    quiet: bool = False
    told: bool = False

    def colorize(self, path, base):
        """Colourises one photograph, unless that has been done.

        Args:
            path: Path of the photograph.
            base: Path of its outputs, up to their endings.

        Returns:
            bool. Whether the outputs are new.

        Raises:
            images.ImageError: it cannot be read, its outputs cannot be
                written, or another call's are in their place.
        """
        record = {**asdict(self.sampling), "weights": self.weights,
                  "weights_sha256": self.sha256, "input": path.name,
                  "input_sha256": _checksum(path)}
        names = output_names(base, self.sampling.num_samples, self.sheet)
        old = _read_record(_record_path(base))
        same = all(old.get(key) == record[key] for key in _IDENTITY)
        if same and all(name.exists() for name in names):
            return False
        for name in [*names, _record_path(base)]:
            if name.exists() and not (same or self.overwrite):
                raise images.ImageError(
                    f"{path}: must have outputs that are not there yet, or "
                    f"--overwrite (received {name})")
        coloring = self.colorizer.colorize(
            path, **asdict(self.sampling),
            max_pixels=self.max_pixels)
        if not (coloring.is_grey or self.told or self.quiet):
            self.told = True
            report(f"{path} is in colour: its luminance is used")
        make_folder(base.parent)
        _remove(base, old)
        self._write(coloring, base, record, names)
        return True

    def _write(self, coloring, base, record, names):
        """Writes all files of one photograph, or none."""
        from tfdivcolor import storage

        text = {"Software": f"tfdivcolor {tfdivcolor.__version__}",
                "weights": f"{self.weights} {self.sha256}",
                **{key: str(value)
                   for key, value in asdict(self.sampling).items()}}
        height, width, _ = coloring.luminance.shape
        record = {**record, "width": width, "height": height,
                  **{key: getattr(coloring, key).tolist() for key in
                     ("log_prob", "component", "weight", "latents")},
                  "versions": storage.versions(),
                  "outputs": [name.name for name in names]}
        try:
            for rank in range(len(coloring)):
                images.write_png(names[rank], coloring.image(rank), {
                    **text, "rank": str(rank),
                    "log_prob": f"{coloring.log_prob[rank]:.3f}"})
            if self.sheet:
                from tfdivcolor import plots

                plots.contact_sheet(coloring, names[-1])
            # Last: it says that the others are whole.
            images.write_atomically(
                _record_path(base),
                (json.dumps(record, indent=1) + "\n").encode())
        except BaseException:
            # So that the same command does this photograph anew.
            for name in names:
                with contextlib.suppress(OSError):
                    name.unlink()
            raise


def _checksum(path):
    from tfdivcolor import storage

    try:
        return storage.checksum(path)
    except OSError as error:
        raise images.ImageError(
            f"{path}: must be a file that can be read "
            f"(received {error.strerror})") from error


def _remove(base, record):
    """Removes the outputs of an earlier call, its record first."""
    names = [name for name in output_names(base, MAX_SAMPLES, sheet=True)
             if name.name in record.get("outputs", ())]
    try:
        for name in [_record_path(base), *names]:
            name.unlink(missing_ok=True)
    except OSError as error:
        raise images.ImageError(
            f"{name}: must be a file that can be replaced "
            f"(received {error.strerror})") from error
