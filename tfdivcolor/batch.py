"""Photographs to files of colourings: many, resumably, whole or not at all."""

import collections
import concurrent.futures
import contextlib
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

import tfdivcolor
from tfdivcolor import formats, images, outputs
from tfdivcolor.settings import MAX_PIXELS, UNSTEERED, Sampling, Steering

# Photographs that go through the networks together, and pixels at which
# there are fewer: all of them are in memory at once.
GROUP = 8
GROUP_PIXELS = 16_000_000
# Encoding one result, and writing it, goes on beside the making of the next.
_WRITERS = 2


def report(message):
    """Says one line on stderr, beside a progress bar and not across it."""
    line = " ".join(str(message).splitlines())
    # A file's name need not be text.
    line = line.encode(errors="backslashreplace").decode()
    tqdm.write(f"tfdivcolor: {line}", file=sys.stderr)


def find_pictures(paths):
    """Lists the photographs, with the names of their outputs.

    Reports what is none. An output of an earlier call is not taken for a
    photograph, unless it is named.

    Args:
        paths: list of str. Files and folders.

    Returns:
        pictures: list of (path, stem), stems different.
        failed: list of `images.ImageError`, those reported.
    """
    pictures, failed = {}, []

    def fail(message):
        failed.append(images.ImageError(message))
        report(message)

    for given in paths:
        try:
            found = images.find([given])
        except images.ImageError as error:
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
        image_format: one of `formats.OUTPUT_FORMATS`, or None for each
            photograph's own.
        sheet: bool. Whether to write a contact sheet too.
        original: bool. Whether to write the photograph as it came too, and
            show it on the sheet.
        overwrite: bool. Whether to replace another call's outputs.
        max_pixels: int. Larger pictures are refused.
    """

    colorizer: object
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

    def run(self, pictures, folder):
        """Colourises photographs, one group after the other.

        Args:
            pictures: iterable of (path, stem).
            folder: Path. Where the outputs go, by their stems.

        Yields:
            path, base: of every photograph, in order within a group.
            outcome: its new `Coloring`, None where an earlier call has made
                the same, or the `images.ImageError` that it failed with.
        """
        group, pixels = [], 0
        for path, stem in pictures:
            base = folder / stem
            try:
                job = self._job(path, base)
            except images.ImageError as error:
                yield path, base, error
                continue
            if job is None:
                yield path, base, None
                continue
            group.append(job)
            pixels += job.photo.pixels[..., 0].size
            first = self.same_z and self._first[0] is None
            if first or len(group) == GROUP or pixels >= GROUP_PIXELS:
                yield from self._finish(group)
                group, pixels = [], 0
        if group:
            yield from self._finish(group)

    def _job(self, path, base):
        """Reads a photograph, unless everything has been made of it."""
        from tfdivcolor import coloring

        record = self._record(path)
        same = outputs.is_same(outputs.read_record(base), record)
        if outputs.is_done(base, record, self.sheet, self.original):
            if self.same_z and self._first[0] is None:
                self._first = (record["input_sha256"], np.asarray(
                    outputs.read_record(base)["latents"], np.float32))
            return None
        photo = images.read(path, max_pixels=self.max_pixels)
        coloring.check_hints(photo, self.steering.hints)
        chosen = formats.output_format(photo, self.image_format)
        extras = ["sheet.png"] if self.sheet else []
        # A grey photograph has no colours of its own to show.
        if self.original and not photo.is_grey:
            extras.append("original" + formats.suffix(chosen))
        names = outputs.names(base, self.sampling.num_samples,
                              formats.suffix(chosen), extras)
        if not (same or self.overwrite):
            outputs.check_free(path, [*names, outputs.record_path(base)])
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

    def _finish(self, group):
        """Colourises and writes what `_job` has made ready."""
        from tfdivcolor import coloring

        colorings = coloring.colorize(
            self.colorizer, [job.photo for job in group], self.sampling,
            self.steering, latents=self._first[1], rows=GROUP)
        if self.same_z and self._first[0] is None:
            self._first = (group[0].record["input_sha256"],
                           colorings[0].latents)
        for job, result in zip(group, colorings):
            try:
                outputs.make_folder(job.base.parent)
                outputs.remove(job.base)
                self._write(job, result)
            except images.ImageError as error:
                yield job.path, job.base, error
            else:
                yield job.path, job.base, result

    def _write(self, job, result):
        """Writes all files of one photograph, or none."""
        try:
            tiles, errors = _write_results(
                job, result, self._text(), self.sheet)
            original = job.named("original") if self.original else None
            if original:
                images.write_atomically(original, formats.encode(
                    job.photo.finest, job.image_format, job.photo.alpha,
                    job.photo.exif))
            if self.sheet:
                from tfdivcolor import plots

                plots.contact_sheet(
                    result, job.named("sheet"),
                    job.photo.pixels if original else None, tiles)
            record = {**job.record, **_described(result),
                      "outputs": [name.name for name in job.names],
                      "luminance_error": errors}
            if self.original:
                record["original"] = original and original.name
            # Last: it says that the others are whole.
            outputs.write_record(job.base, record)
        except BaseException:
            # So that the same command does this photograph anew.
            for name in job.names:
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


def _write_results(job, result, text, sheet):
    """Writes the results, each while the next one is made.

    Returns:
        tiles: list of what a sheet shows of each, if there is to be one.
        errors: list of float, the largest error of L* in each result; or
            None for lossless formats, which have less than 0.5.
    """
    photo = job.photo
    deep = (photo.pixels_16 is not None
            and job.image_format in formats.DEEP_FORMATS)
    pending, tiles, errors = collections.deque(), [], []

    def write(rank, pixels):
        data = formats.encode(
            pixels, job.image_format, photo.alpha, photo.exif,
            {**text, "rank": str(rank),
             "log_prob": f"{result.log_prob[rank]:.3f}"})
        images.write_atomically(job.names[rank], data)
        if job.image_format not in formats.LOSSLESS_FORMATS:
            return result.luminance_error(images.read(data).pixels)
        return None

    with concurrent.futures.ThreadPoolExecutor(_WRITERS) as writers:
        for rank in range(len(result)):
            pixels = result.image_16(rank) if deep else result.image(rank)
            pending.append(writers.submit(write, rank, pixels))
            if sheet:
                from tfdivcolor import plots

                tiles.append(plots.reduced(
                    result.image(rank) if deep else pixels))
            del pixels
            if len(pending) > _WRITERS:
                errors.append(pending.popleft().result())
        errors += [one.result() for one in pending]
    return tiles, None if errors[0] is None else errors


def _described(result):
    """What a record says of a photograph's results."""
    from tfdivcolor import storage

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
               ("log_prob", "component", "weight", "latents")}, **found,
            "versions": storage.versions()}


def _checksum(path):
    from tfdivcolor import storage

    try:
        return storage.checksum(path)
    except OSError as error:
        raise images.ImageError(
            f"{path}: must be a file that can be read "
            f"(received {error.strerror})") from error
