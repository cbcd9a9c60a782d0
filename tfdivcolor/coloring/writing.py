"""Writing: writes the results of one photograph, all files or none."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfdivcolor import images
from tfdivcolor.coloring import outputs
from tfdivcolor.images import formats
from tfdivcolor.utils import files

if TYPE_CHECKING:  # the module imports TensorFlow
    from tfdivcolor.coloring.coloring import Coloring

# Threads that encode and write results while the main thread makes the next.
_WRITERS = 2
LARGE = 20_000_000  # pixels; from here on one thread, for less memory


@dataclass(frozen=True)
class Job:
    """A `Photo`, and the paths of its outputs.

    Attributes:
        base: Path of the outputs without their endings.
        record: dict. The record, without the entries that `write` adds.
        names: list of Path. Pictures to write, results first.
        image_format: str, a key of `images.FORMATS`.
        photo: `images.Photo`.
    """

    base: Path
    record: dict
    names: list[Path]
    image_format: str
    photo: images.Photo

    def named(self, extra: str) -> Path | None:
        """Path of "sheet" or "original", or None if the job lacks it."""
        beginning = f"{self.base.name}_{extra}."
        return next((name for name in self.names
                     if name.name.startswith(beginning)), None)


def write(job: Job, result: Coloring, text: Mapping[str, str]) -> None:
    """Writes all files of one photograph, or none; replaces earlier outputs.

    Args:
        job: `Job`.
        result: `Coloring` of its photograph.
        text: dict of str. Metadata of all its results.

    Raises:
        images.ImageError: if a file cannot be written or removed.
    """
    outputs.make_folder(job.base.parent)
    outputs.remove(job.base)
    record = {**job.record, "outputs": [name.name for name in job.names]}
    written = [outputs.record_path(job.base)]
    outputs.write_record(job.base, {**record, "complete": False})
    try:
        sheet, original = job.named("sheet"), job.named("original")
        tiles, errors = _write_results(job, result, text, bool(sheet), written)
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
                result, sheet, job.photo.pixels if original else None, tiles)
        outputs.write_record(job.base, {
            **record, **_described(result), "luminance_error": errors,
            "complete": True})
    except BaseException:
        # Without the record, the same command starts again.
        for name in reversed(written):
            with contextlib.suppress(OSError):
                name.unlink()
        raise


def pixels(result: Coloring, index: int, image_format: str) -> np.ndarray:
    """Makes one result at full size.

    Args:
        result: `Coloring`.
        index: int. Place of the result in it.
        image_format: str, a key of `images.FORMATS`.

    Returns:
        uint8 [H, W, 3]; or uint16 if the photograph has 16 bits a channel and
        the format can store them. sRGB.
    """
    deep = (result.photo.pixels_16 is not None
            and image_format in formats.DEEP_FORMATS)
    return result.image_16(index) if deep else result.image(index)


def encode(result: Coloring, index: int, made: np.ndarray, image_format: str,
           text: Mapping[str, str]) -> bytes:
    """Encodes one result.

    Args:
        result: `Coloring`.
        index: int. Place of the result in it.
        made: uint8 or uint16 [H, W, 3], sRGB, from `pixels`.
        image_format: str, a key of `images.FORMATS`.
        text: dict of str. Metadata; the function adds rank, share and
            log-probability.

    Returns:
        bytes of an image file.

    Raises:
        images.ImageError: if the format cannot hold a picture of this size.
    """
    photo = result.photo
    return images.encode(
        made, image_format, photo.alpha, photo.exif,
        {**text, "rank": str(result.rank[index]),
         "share": f"{result.share[index]:.3f}",
         "log_prob": f"{result.log_prob[index]:.3f}"}, photo.dpi)


def _write_results(job, result, text, sheet, written):
    """Writes the results, each while the next is made.

    Args:
        job: `Job`.
        result: `Coloring`.
        text: dict of str. Metadata of all results.
        sheet: bool. Whether to make tiles for a contact sheet.
        written: list of Path. The function appends each path before it is
            written.

    Returns:
        tiles: list of reduced pictures for the sheet, empty without one.
        errors: list of float, the largest error of L* in each result; None
            for lossless formats, with errors below 0.5.
    """
    pending, tiles, errors = collections.deque(), [], []
    if sheet:
        from tfdivcolor import plots

    def write_one(index, made):
        data = encode(result, index, made, job.image_format, text)
        files.write_atomically(job.names[index], data)
        if job.image_format not in formats.LOSSLESS_FORMATS:
            return result.luminance_error(
                images.read_back(data, job.image_format))
        return None

    threads = 1 if result.luminance.size > LARGE else _WRITERS
    with concurrent.futures.ThreadPoolExecutor(threads) as writers:
        for index in range(len(result)):
            made = pixels(result, index, job.image_format)
            written.append(job.names[index])
            pending.append(writers.submit(write_one, index, made))
            if sheet:
                tiles.append(plots.reduced(
                    made if made.dtype == np.uint8 else result.image(index)))
            del made
            if len(pending) > threads:
                errors.append(pending.popleft().result())
        errors += [one.result() for one in pending]
    return tiles, None if errors[0] is None else errors


def _described(result):
    """Makes the entries of a record that describe the results."""
    from tfdivcolor.models import storage

    height, width, _ = result.luminance.shape
    return {"width": width, "height": height,
            **{key: getattr(result, key).tolist() for key in
               ("share", "log_prob", "component", "weight", "latents")},
            **outputs.described_hints(result),
            "versions": storage.versions()}
