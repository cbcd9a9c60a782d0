"""Photographs to files of colourings: many, resumably, whole or not at all."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import tfdivcolor
from tfdivcolor import images
from tfdivcolor.coloring import outputs
from tfdivcolor.images import formats
from tfdivcolor.settings import MAX_PIXELS, UNSTEERED, Sampling, Steering
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import ImageError, reason
from tfdivcolor.utils.messages import report

if TYPE_CHECKING:  # they import TensorFlow
    from tfdivcolor.coloring.coloring import Coloring
    from tfdivcolor.models.joint import JointModel

# Encoding one result, and writing it, goes on beside the making of the next.
_WRITERS = 2


def find_pictures(paths: Sequence[str]
                  ) -> tuple[list[tuple[Path, str]], list[ImageError]]:
    """Lists the photographs, with the names of their outputs.

    Reports what is none. An output of an earlier call is not taken for a
    photograph, unless it is named.

    Args:
        paths: list of str. Files and folders.

    Returns:
        pictures: list of (path, stem), stems different.
        failed: list of `ImageError`, those reported.
    """
    pictures, failed = {}, []

    def fail(message):
        failed.append(ImageError(message))
        report(message)

    for given in paths:
        try:
            found = images.find([given])
        except ImageError as error:
            fail(str(error))
            continue
        for path, stem in found:
            if Path(given).is_dir() and outputs.is_output(path):
                continue
            if stem in pictures:
                fail(f"{path}: must have an output name of its own "
                     f"(received {stem}, as {pictures[stem]} has)")
                continue
            pictures[stem] = path
    if not pictures and not failed:
        fail(f"{', '.join(paths)}: must hold photographs "
             "(received earlier outputs only)")
    return [(path, stem) for stem, path in pictures.items()], failed


@dataclass
class Work:
    """What one call does to every photograph.

    Attributes:
        colorizer: `Colorizer`.
        weights: str. Name of its weights.
        sha256: str. Their checksum.
        sampling: `Sampling`.
        steering: `Steering`.
        same_z: bool. Whether all photographs have the latents of the first.
        image_format: one of `settings.OUTPUT_FORMATS`, or None for each
            photograph's own.
        sheet: bool. Whether to write a contact sheet too.
        original: bool. Whether to write the photograph as it came too, and
            show it on the sheet.
        overwrite: bool. Whether to replace another call's outputs.
        max_pixels: int. Larger pictures are refused.
    """

    colorizer: JointModel
    weights: str
    sha256: str
    sampling: Sampling
    steering: Steering = UNSTEERED
    same_z: bool = False
    image_format: str | None = None
    sheet: bool = False
    original: bool = False
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS
    # With `same_z`: checksum and latents of the first photograph.
    _first: tuple = field(default=(None, None), init=False)

    def run(self, pictures: Sequence[tuple[Path, str]], folder: Path
            ) -> Iterator[tuple[Path, Path, Coloring | None | ImageError]]:
        """Colourises photographs, one after the other.

        Args:
            pictures: list of (path, stem).
            folder: Path. Where the outputs go, by their stems.

        Yields:
            path, base: of every photograph, in order.
            outcome: its new `Coloring`, None where an earlier call has made
                the same, or the `ImageError` that it failed with.

        Raises:
            ImageError: with `same_z`, if the first photograph fails.
        """
        import tensorflow as tf

        # One picture's fault must not cost the others.
        faults = OSError, ValueError, MemoryError, tf.errors.OpError
        inputs = {os.path.realpath(path) for path, _ in pictures}
        for path, stem in pictures:
            base = folder / stem
            try:
                outcome = self._one(path, base, inputs)
            except faults as error:
                outcome = self._failure(path, error)
            yield path, base, outcome
            del outcome  # a photograph in memory, while the next is read

    def _failure(self, path, error):
        """What a photograph failed with, as an `ImageError`."""
        if not isinstance(error, ImageError):
            reason = str(error).partition("\n")[0] or type(error).__name__
            cause = error
            error = ImageError(
                f"{path}: must be a photograph that can be colourised here "
                f"(received {reason})")
            error.__cause__ = cause
        if self.same_z and self._first[0] is None:
            raise ImageError(
                f"{error}; no other can have the latents of the first"
            ) from error
        return error

    def _job(self, path, base, inputs):
        """Reads a photograph, unless everything has been made of it."""
        from tfdivcolor.coloring import coloring

        record = self._record(path)
        # What an equal call has made stays, and what it has not is added.
        old = outputs.read_record(base)
        if not outputs.is_same(old, record):
            old = {}
        if outputs.is_whole(base, old, self.sheet, self.original):
            if self.same_z and self._first[0] is None:
                self._first = (record["input_sha256"], np.asarray(
                    old["latents"], np.float32))
            return None
        photo = images.read(path, max_pixels=self.max_pixels)
        if self._first[0] is None:
            coloring.check_hints(photo, self.steering.hints)
        chosen = formats.output_format(photo, self.image_format)
        before = old.get("outputs", ())
        extras = []
        if self.sheet or f"{base.name}_sheet.png" in before:
            extras.append("sheet.png")
        # A grey photograph has no colours of its own to show.
        wants_original = self.original or "original" in old
        if wants_original and not photo.is_grey:
            extras.append("original" + formats.suffix(chosen))
        names = outputs.names(base, self.sampling.num_samples,
                              formats.suffix(chosen), extras)
        for name in names:
            if os.path.realpath(name) in inputs:
                raise ImageError(
                    f"{path}: must have outputs that are no photographs of "
                    f"this call (received {name})")
        if not self.overwrite:
            new = [name for name in names if name.name not in before]
            if not old:
                new.append(outputs.record_path(base))
            outputs.check_free(path, new)
        if wants_original:
            record["original"] = None
        return _Job(path, base, record, names, chosen, photo)

    def _record(self, path):
        """What is known of a photograph's record before it is read."""
        checksum = _checksum(path)
        steering = asdict(self.steering)
        steering["hints"] = [str(hint) for hint in self.steering.hints]
        return {
            **asdict(self.sampling), "steering": steering,
            "same_z_as": (self._first[0] or checksum) if self.same_z
            else None,
            "format": self.image_format, "weights": self.weights,
            "weights_sha256": self.sha256, "input": path.name,
            "input_sha256": checksum}

    def _one(self, path, base, inputs):
        """Colourises a photograph and writes the results; None if they are
        there."""
        from tfdivcolor.coloring import coloring

        job = self._job(path, base, inputs)
        if job is None:
            return None
        steering = self.steering
        if self._first[1] is not None:
            steering = replace(steering, hints=(), keep=None, warmth=0.0)
        result = coloring.colorize(
            self.colorizer, job.photo, self.sampling, steering,
            latents=self._first[1])
        self._write(job, result)
        if self.same_z and self._first[0] is None:
            self._first = job.record["input_sha256"], result.latents
        return result

    def _write(self, job, result):
        """Writes all files of one photograph, or none."""
        outputs.make_folder(job.base.parent)
        outputs.remove(job.base)
        record = {**job.record, "outputs": [name.name for name in job.names]}
        written = [outputs.record_path(job.base)]
        outputs.write_record(job.base, {**record, "complete": False})
        try:
            sheet, original = job.named("sheet"), job.named("original")
            tiles, errors = _write_results(
                job, result, self._text(), bool(sheet), written)
            if original:
                written.append(original)
                files.write_atomically(original, images.encode(
                    job.photo.finest, job.image_format, job.photo.alpha,
                    job.photo.exif, dpi=job.photo.dpi))
                record["original"] = original.name
            if sheet:
                from tfdivcolor import plots

                written.append(sheet)
                plots.contact_sheet(
                    result, sheet, job.photo.pixels if original else None,
                    tiles)
            outputs.write_record(job.base, {
                **record, **_described(result), "luminance_error": errors,
                "complete": True})
        except BaseException:
            # So that the same command does this photograph anew.
            for name in reversed(written):
                with contextlib.suppress(OSError):
                    name.unlink()
            raise

    def _text(self):
        """What every result says of itself in its metadata."""
        steered = {key: value for key, value in asdict(self.steering).items()
                   if value != getattr(UNSTEERED, key)}
        if self.steering.hints:
            steered["hints"] = " ".join(map(str, self.steering.hints))
        return {"Software": f"tfdivcolor {tfdivcolor.__version__}",
                "weights": f"{self.weights} {self.sha256}",
                **{key: str(value) for key, value in
                   {**asdict(self.sampling), **steered}.items()}}


@dataclass(frozen=True)
class _Job:
    """A photograph that has been read, and where its outputs go."""

    path: Path
    base: Path
    record: dict
    names: list
    image_format: str
    photo: images.Photo

    def named(self, extra):
        """Path of a further picture, or None if there is to be none."""
        beginning = f"{self.base.name}_{extra}."
        return next((name for name in self.names
                     if name.name.startswith(beginning)), None)


def _write_results(job, result, text, sheet, written):
    """Writes the results, each while the next one is made.

    Args:
        job: `_Job`.
        result: `Coloring`.
        text: dict. What all of them say in their metadata.
        sheet: bool. Whether there is to be a sheet.
        written: list of Path, which gets what is written.

    Returns:
        tiles: list of what a sheet shows of each, if there is to be one.
        errors: list of float, the largest error of L* in each result; or
            None for lossless formats, which have less than 0.5.
    """
    photo = job.photo
    deep = (photo.pixels_16 is not None
            and job.image_format in formats.DEEP_FORMATS)
    pending, tiles, errors = collections.deque(), [], []
    if sheet:
        from tfdivcolor import plots

    def write(rank, pixels):
        data = images.encode(
            pixels, job.image_format, photo.alpha, photo.exif,
            {**text, "rank": str(rank),
             "share": f"{result.share[rank]:.3f}",
             "log_prob": f"{result.log_prob[rank]:.3f}"}, photo.dpi)
        files.write_atomically(job.names[rank], data)
        if job.image_format not in formats.LOSSLESS_FORMATS:
            return result.luminance_error(images.read(
                data, max_pixels=pixels[..., 0].size).pixels)
        return None

    with concurrent.futures.ThreadPoolExecutor(_WRITERS) as writers:
        for rank in range(len(result)):
            pixels = result.image_16(rank) if deep else result.image(rank)
            written.append(job.names[rank])
            pending.append(writers.submit(write, rank, pixels))
            if sheet:
                tiles.append(plots.reduced(
                    result.image(rank) if deep else pixels))
            del pixels
            if len(pending) > _WRITERS:
                errors.append(pending.popleft().result())
        errors += [one.result() for one in pending]
    return tiles, None if errors[0] is None else errors


def _described(result):
    """What a record says of a photograph's results."""
    from tfdivcolor.models import storage

    height, width, _ = result.luminance.shape
    hints = [
        {"x": hint.x, "y": hint.y, "rgb": str(hint).split(",")[2],
         "before": float(before), "after": after.tolist()}
        for hint, before, after in zip(
            result.steering.hints, result.hints_before,
            result.hints_after.T)]
    found = {"hints": hints} if hints else {}
    return {"width": width, "height": height,
            **{key: getattr(result, key).tolist() for key in
               ("share", "log_prob", "component", "weight", "latents")},
            **found,
            "versions": storage.versions()}


def _checksum(path):
    from tfdivcolor.models import storage

    try:
        return storage.checksum(path)
    except OSError as error:
        raise ImageError(
            f"{path}: must be a file that can be read "
            f"(received {reason(error)})") from error
