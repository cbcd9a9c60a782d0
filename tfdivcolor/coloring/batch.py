"""Colours many photographs and writes the results to files.

The files of a photograph are written completely or not at all, and the same
call resumes.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np

import tfdivcolor
from tfdivcolor import images
from tfdivcolor.coloring import naming, outputs, overlap, writing
from tfdivcolor.coloring.listing import STDIN
from tfdivcolor.images import formats
from tfdivcolor.settings import MAX_PIXELS, UNSTEERED, Sampling, Steering
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import ImageError, reason

if TYPE_CHECKING:  # these modules import TensorFlow
    from tfdivcolor.coloring.coloring import Coloring
    from tfdivcolor.coloring.frozen import AnyColorizer

_OF_ANOTHER = "the recipe was made for another photograph, {}"


@dataclass
class Work:
    """The settings of one call, for all its photographs.

    Attributes:
        colorizer: `Colorizer`.
        weights: str. Name of its weights.
        sha256: str. Checksum of the weights, 64 hexadecimal digits.
        sampling: `Sampling`.
        steering: `Steering`. Defaults to none.
        ranks: tuple of int, or None for all. Ranks of the results to write;
            the names of the files show them.
        same_z: bool. Whether all photographs get the latents of the first.
        image_format: one of `settings.OUTPUT_FORMATS`, or None for the format
            of each photograph.
        sheet: bool. Whether to write a contact sheet too.
        original: bool. Whether to write the photograph in its own colours
            too, and show it on the sheet.
        overwrite: bool. Whether to replace the outputs of other calls.
        max_pixels: int. Larger pictures are refused. Defaults to
            `settings.MAX_PIXELS`.
        page: int from 1, "all", or None for each file's page of full
            resolution. With a number or "all", the outputs' names contain the
            page, if the file has several.
        lenient: bool. Whether to read truncated files too.
        made_for: (name, SHA-256) of the photograph that a recipe was made for,
            or None. Other photographs get a note.
        stdin: bytes. The picture of the path `listing.STDIN`.
    """

    colorizer: AnyColorizer
    weights: str
    sha256: str
    sampling: Sampling
    steering: Steering = UNSTEERED
    ranks: tuple[int, ...] | None = None
    same_z: bool = False
    image_format: str | None = None
    sheet: bool = False
    original: bool = False
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS
    page: int | Literal["all"] | None = None
    lenient: bool = False
    made_for: tuple[str, str] | None = None
    stdin: bytes = b""
    # With `same_z`: checksum and latents of the first photograph.
    _first: tuple = field(default=(None, None), init=False)

    @property
    def num_results(self) -> int:
        """Number of results to write for each photograph."""
        return (self.sampling.num_samples if self.ranks is None
                else len(self.ranks))

    def run(self, pictures: Sequence[tuple[Path, str]], folder: Path
            ) -> Iterator[tuple[Path, Path, Coloring | None | ImageError]]:
        """Colours photographs and writes the results.

        Reading, colouring and writing of successive photographs overlap;
        those with more than `writing.LARGE` pixels are alone in memory.

        Args:
            pictures: list of (path, stem), from `listing.find_pictures`.
            folder: Path of the folder for outputs; the stems are paths in it.

        Yields:
            path, base: Paths of each photograph and of its outputs, in order;
                with `page="all"` once for each page.
            outcome: the new `Coloring`, None if the outputs of an equal call
                exist, or the `ImageError` of a failure.

        Raises:
            ImageError: if the first photograph fails and `same_z` is True.
        """
        inputs = {_identity(path) for path, _ in pictures} - {None}

        def read(task):
            path, base, page = task
            if isinstance(page, Exception):
                raise page
            return self._job(path, page, base, inputs)

        def write(job, result):
            writing.write(job, result, self._text())
            if self._needs_first:
                self._first = job.record["input_sha256"], result.latents

        for (path, base, _), outcome in overlap.in_order(
                self._tasks(pictures, folder), read,
                lambda job: self.colorize(job.photo), write, _faults(),
                lambda job: self._needs_first or (
                    job.photo.pixels[..., 0].size > writing.LARGE)):
            if isinstance(outcome, Exception):
                outcome = self._failure(path, outcome)
            yield path, base, outcome
            del outcome  # frees its memory before the next is made

    @property
    def _needs_first(self):
        """Whether the next photograph gives its latents to all others."""
        return self.same_z and self._first[0] is None

    def _tasks(self, pictures, folder):
        """Lists what to colour: (path, base of the outputs, page or error)."""
        stems = [stem for _, stem in pictures]
        for path, stem in pictures:
            try:
                for page, part in self._parts(path, stem, stems, folder):
                    yield path, folder / part, page
            except _faults() as error:
                yield path, folder / stem, error

    def colorize(self, photo: images.Photo) -> Coloring:
        """Colours a `Photo`.

        Args:
            photo: `images.Photo`.

        Returns:
            `Coloring` with the results of `ranks`.

        Raises:
            ImageError: if a hint lies outside the photograph.
            ValueError: if sampling or steering do not suit the model.
        """
        from tfdivcolor.coloring import coloring

        steering = self.steering
        if self._first[1] is not None:
            steering = replace(
                steering, hints=(), keep=None, kept=None, warmth=0.0)
        result = coloring.colorize(
            self.colorizer, photo, self.sampling, steering,
            latents=self._first[1])
        return result if self.ranks is None else result.pick(self.ranks)

    def encoded(self, result: Coloring) -> Iterator[tuple[str, bytes]]:
        """Encodes the results of a photograph in memory.

        Args:
            result: `Coloring` from `colorize`.

        Yields:
            ending: str. End of the result's name: "03.png" for NAME_03.png.
            data: bytes. The same file as `run` writes.

        Raises:
            ImageError: if the format cannot hold a picture of this size.
        """
        image_format = self._format(result.photo)
        for index, rank in enumerate(result.rank):
            yield (f"{rank:02d}{formats.suffix(image_format)}",
                   self._encoded(result, index, image_format))

    def stream(self, path: Path) -> tuple[Coloring, bytes]:
        """Colours one photograph for a stream.

        Args:
            path: Path.

        Returns:
            `Coloring`, and bytes: the image file of its first result.

        Raises:
            ImageError: if the photograph fails.
        """
        try:
            page = None if self.page == "all" else self.page
            photo, image_format, _ = self._read(path, page)
            result = self.colorize(photo)
            return result, self._encoded(result, 0, image_format)
        except _faults() as error:
            raise self._failure(path, error) from error

    def _encoded(self, result, index, image_format):
        return writing.encode(
            result, index, writing.pixels(result, index, image_format),
            image_format, self._text())

    def _failure(self, path, error):
        """Converts the error of a photograph to an `ImageError`."""
        if not isinstance(error, ImageError):
            reason = str(error).partition("\n")[0] or type(error).__name__
            cause = error
            error = ImageError(
                f"{path}: must be a photograph that can be colourised here "
                f"(received {reason})")
            error.__cause__ = cause
        elif path == STDIN and str(error).startswith("image: "):
            error = ImageError(f"{path}{str(error).removeprefix('image')}")
        if self._needs_first:
            raise ImageError(
                f"{error}; the other photographs need its latents"
            ) from error
        return error

    def _source(self, path):
        return self.stdin if path == STDIN else path

    def _parts(self, path, stem, stems, folder):
        """Lists the pages of a file to colour: list of (page, stem)."""
        if self.page is None:
            return [(None, stem)]
        count = images.count_pages(self._source(path))
        if count == 1 and self.page in ("all", 1):
            return [(None, stem)]
        name = str(PurePosixPath(stem).with_name(path.name))
        pages = naming.of_pages(name, stem, count, stems, folder)
        wanted = [(page, part) for page, part in enumerate(pages, 1)
                  if self.page in ("all", page)]
        return wanted or [(self.page, stem)]  # reading refuses this page

    def _read(self, path, page):
        """Reads a photograph: (`Photo`, format of results, is truncated)."""
        from tfdivcolor.coloring import coloring

        read = functools.partial(
            images.read, self._source(path), max_pixels=self.max_pixels,
            page=page)
        truncated = False
        try:
            photo = read()
        except ImageError:
            if not self.lenient:
                raise
            photo = read(lenient=True)
            truncated = True
        if path == STDIN:
            photo = replace(photo, name=str(path))
        if self.made_for and self.checksum(path) != self.made_for[1]:
            photo = replace(photo, notes=(*photo.notes, _OF_ANOTHER.format(
                ascii(self.made_for[0]))))
        if self._first[0] is None:
            coloring.check_hints(photo, self.steering.hints)
        return photo, self._format(photo), truncated

    def _format(self, photo):
        """Chooses a format that can hold a photograph's results."""
        chosen = formats.output_format(photo, self.image_format)
        height, width, _ = photo.pixels.shape
        formats.check_sides(photo.name, chosen, width, height)
        return chosen

    def _job(self, path, page, base, inputs):
        """Reads a photograph, unless all its outputs exist: `Job` or None."""
        record = self._record(path)
        # Outputs of an equal call stay; the call adds missing ones.
        old = outputs.read_record(base)
        if not outputs.is_same(old, {
                **record, "page": page, "lenient": self.lenient}):
            old = {}
        if outputs.is_whole(base, old, self.sheet, self.original):
            if self._needs_first:
                self._first = (record["input_sha256"], np.asarray(
                    old["latents"], np.float32))
            return None
        photo, image_format, truncated = self._read(path, page)
        before = old.get("outputs", ())
        extras = []
        if self.sheet or f"{base.name}_sheet.png" in before:
            extras.append("sheet.png")
        # A grey photograph has no colours to show.
        wants_original = self.original or "original" in old
        if wants_original and not photo.is_grey:
            extras.append("original" + formats.suffix(image_format))
        names = outputs.names(base, self.sampling.num_samples,
                              formats.suffix(image_format))
        if self.ranks is not None:
            names = [names[rank] for rank in self.ranks]
        names += outputs.names(base, 0, extras=extras)
        for name in (*names, outputs.record_path(base)):
            if _identity(name) in inputs:
                raise ImageError(
                    f"{path}: must have outputs that replace no photograph of "
                    f"this call (received {name})")
        if not self.overwrite:
            new = [name for name in names if name.name not in before]
            if not old:
                new.append(outputs.record_path(base))
            outputs.check_free(path, new)
        record.update(page=photo.page, pages=photo.num_pages,
                      notes=list(photo.notes), lenient=truncated)
        if wants_original:
            record["original"] = None
        return writing.Job(base, record, names, image_format, photo)

    def checksum(self, path: Path) -> str:
        """Computes the SHA-256 of a photograph's file.

        Args:
            path: Path.

        Returns:
            str of 64 hexadecimal digits.

        Raises:
            ImageError: if the file is unreadable.
        """
        if path == STDIN:
            return hashlib.sha256(self.stdin).hexdigest()
        try:
            return files.checksum(path)
        except OSError as error:
            raise ImageError(
                f"{path}: must be a file that can be read "
                f"(received {reason(error)})") from error

    def _record(self, path):
        """Starts the record of a photograph, before the file is decoded."""
        checksum = self.checksum(path)
        steering = asdict(self.steering)
        steering["hints"] = [str(hint) for hint in self.steering.hints]
        # As JSON returns it. Records of versions before 0.7 lack `kept`.
        kept = steering.pop("kept")
        if kept is not None:
            steering["kept"] = list(kept)
        picked = {} if self.ranks is None else {"ranks": list(self.ranks)}
        return {
            **asdict(self.sampling), "steering": steering, **picked,
            "same_z_as": (self._first[0] or checksum) if self.same_z
            else None,
            "format": self.image_format, "weights": self.weights,
            "weights_sha256": self.sha256, "input": path.name,
            "input_sha256": checksum}

    def _text(self):
        """Makes the text for the metadata of every result."""
        # Without the latents of a kept result, which are longer than all the
        # rest; the record has them.
        steered = {key: value for key, value in asdict(self.steering).items()
                   if value != getattr(UNSTEERED, key) and key != "kept"}
        if self.steering.hints:
            steered["hints"] = " ".join(map(str, self.steering.hints))
        return {"Software": f"tfdivcolor {tfdivcolor.__version__}",
                "weights": f"{self.weights} {self.sha256}",
                **{key: str(value) for key, value in
                   {**asdict(self.sampling), **steered}.items()}}


def _faults():
    """Errors of one picture that do not stop the call."""
    import tensorflow as tf

    return OSError, ValueError, MemoryError, tf.errors.OpError


def _identity(path):
    """Identifies a file whatever its name: (device, number), or None."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
