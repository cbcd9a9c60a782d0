"""The Beam pipeline from photographs to colourings.

    patterns -> files -----.
                            >- by output name -> read -> model -> write
    earlier manifests -----'

It ends with rows for the manifest.  Every step may produce dead letters.

Beam shuffles only names.  From reading to writing a picture stays in one
process, and each thread holds one picture in memory at a time.
"""

import io
import posixpath
import warnings
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.ml.inference.base import RunInference
from PIL import Image

from serving.bulk import files, records
from serving.bulk.model import Model, Picture, Refusal, SavedModelHandler
from serving.client import upload
from tfdivcolor import images
from tfdivcolor.coloring import outputs
from tfdivcolor.settings import Sampling
from tfdivcolor.utils.errors import reason

# The pipeline refuses larger files without reading them, because a worker
# holds a whole file in memory.
MAX_BYTES = 1 << 30

_LONGEST_MESSAGE = 500
_LETTERS = "dead_letters"
# Fields to compare with earlier runs.
_CALL = ("num_samples", "seed", "temperature", "model_sha256")
_FILE = ("input", "input_bytes", "input_modified")


@dataclass(frozen=True)
class Call:
    """One run of the command.

    Attributes:
        patterns: tuple of str, absolute.
        out: str, absolute. The output folder.
        model: `Model`.
        sampling: `Sampling`.
        run: str. The run's name. Names of later runs sort after it.
    """

    patterns: tuple
    out: str
    model: Model
    sampling: Sampling
    run: str

    @property
    def settings(self):
        """The settings in every row of the manifest."""
        return {"num_samples": self.sampling.num_samples,
                "seed": self.sampling.seed,
                "temperature": self.sampling.temperature,
                "model": self.model.path,
                "model_version": self.model.version,
                "model_sha256": self.model.sha256}


def build(pipeline, call):
    """Adds all steps to a pipeline.

    Args:
        pipeline: `beam.Pipeline`.
        call: `Call`.
    """
    found = (
        pipeline
        | "Patterns" >> beam.Create([
            (files.fixed_folder(pattern), beam_pattern)
            for pattern in call.patterns
            for beam_pattern in files.expand(pattern)])
        | "SpreadPatterns" >> beam.Reshuffle()
        | "List" >> beam.ParDo(_List(call.out)).with_outputs(
            _LETTERS, main="files"))
    earlier = (
        pipeline
        | "Manifest" >> beam.Create(
            [records.pattern(call.out, records.MANIFEST)])
        | "ListShards" >> fileio.MatchAll()
        | "SpreadShards" >> beam.Reshuffle()
        | "ReadShards" >> beam.ParDo(
            records.ReadShards((*_CALL, *_FILE, "run"))))
    chosen = (
        {"files": found.files, "rows": earlier}
        | "ByName" >> beam.CoGroupByKey()
        | "Choose" >> beam.ParDo(_Choose(call)).with_outputs(
            _LETTERS, main="files"))
    read = chosen.files | "Read" >> beam.ParDo(_Read(call)).with_outputs(
        _LETTERS, main="pictures")
    written = (
        read.pictures
        | "Colorize" >> RunInference(
            SavedModelHandler(call.model, call.sampling))
        | "Write" >> beam.ParDo(_Write(call.out)).with_outputs(
            _LETTERS, main="rows"))
    _ = written.rows | "Records" >> beam.ParDo(
        records.WriteShards(call.out, records.MANIFEST, call.run))
    _ = ([step[_LETTERS] for step in (found, chosen, read, written)]
         | "DeadLetters" >> beam.Flatten()
         | "Failures" >> beam.ParDo(
             records.WriteShards(call.out, records.FAILED, call.run)))


class _Step(beam.DoFn):
    """A step that sends failed files to the dead letters."""

    def setup(self):
        # Pillow warns about EXIF blocks and other things that do no harm.
        warnings.filterwarnings("ignore", module=r"PIL\.")

    def fail(self, path, message):
        records.counter("failed").inc()
        line = " ".join(str(message).split())[:_LONGEST_MESSAGE]
        return beam.pvalue.TaggedOutput(_LETTERS, {
            "input": path.encode(errors="backslashreplace").decode(),
            "message": line.encode(errors="backslashreplace").decode()})


class _List(_Step):
    """Patterns -> (stem of the outputs, (path, size, time) of the file)."""

    def __init__(self, out):
        self._out = out

    def process(self, element):
        folder, pattern = element
        match, = beam.io.filesystems.FileSystems.match([pattern])
        for file in match.metadata_list:
            path = file.path
            if path.startswith(f"{self._out}/"):
                continue  # an output of an earlier run
            stem = posixpath.splitext(path.removeprefix(folder))[0]
            if _is_usable(stem):
                yield stem, (path, file.size_in_bytes,
                             file.last_updated_in_seconds)
            else:
                yield self.fail(path, "must have a path in UTF-8, without "
                                      f"empty parts or .. (received {path!r})")


def _is_usable(stem):
    """Whether outputs of that name can be below the output folder."""
    try:
        stem.encode()
    except UnicodeEncodeError:
        return False
    return not {"", ".", ".."} & set(stem.split("/"))


class _Choose(_Step):
    """Skips finished files, and takes one file for each output name."""

    def __init__(self, call):
        self._call = [call.settings[key] for key in _CALL]

    def process(self, element):
        stem, found = element
        # Patterns may overlap.
        first, *others = sorted(set(found["files"])) or [None]
        for path, *_ in others:
            yield self.fail(path, "must have an output name of its own "
                                  f"(received {stem}, also that of {first[0]})")
        if first is None:
            return  # a row from another run's patterns
        if found["rows"]:
            newest = max(found["rows"], key=lambda row: row[-1])
            call, file = newest[:len(_CALL)], newest[len(_CALL):-1]
            if call != self._call or file[0] != first[0]:
                yield self.fail(
                    first[0], f"must have no outputs, or outputs of the same "
                    f"call (received {stem} of {file[0]}, " + ", ".join(
                        f"{key} {value}" for key, value in zip(_CALL, call))
                    + ")")
                return
            if tuple(file) == first:
                records.counter("skipped").inc()
                return
        yield stem, first


class _Read(_Step):
    """Files -> `Picture`s that the model reads as viewers show them."""

    def __init__(self, call):
        self._settings = {**call.settings, "run": call.run}

    def process(self, element):
        stem, file = element
        path, size, _ = file
        try:
            if size > MAX_BYTES:
                raise images.ImageError(
                    f"image: must have at most {MAX_BYTES} bytes "
                    f"(received {size})")
            data = files.read(path)
            sent = upload.encode(data, "image")
            with Image.open(io.BytesIO(sent)) as image:
                width, height = image.size
        except images.ImageError as error:
            yield self.fail(path, str(error).removeprefix("image: "))
        except OSError as error:
            yield self.fail(path, "must be a file that can be read "
                                  f"(received {reason(error)})")
        else:
            records.counter("bytes_in").inc(len(data))
            yield Picture({
                **dict(zip(_FILE, file)), "stem": stem,
                "input_sha256": sha256(data).hexdigest(),
                "width": width, "height": height, **self._settings},
                stem, sent)


class _Write(_Step):
    """Results -> files, and the manifest's rows."""

    def __init__(self, out):
        self._out = out

    def process(self, result):
        picture = result.example
        if isinstance(result.inference, Refusal):
            yield self.fail(picture.row["input"], result.inference.message)
            return
        encoded = result.inference.encoded
        is_jpeg = encoded[0].startswith(b"\xff\xd8")
        base = PurePosixPath(picture.stem)
        names = [str(name) for name in outputs.names(
            base, len(encoded), ".jpg" if is_jpeg else ".png")]
        try:
            files.write(dict(zip(
                [posixpath.join(self._out, name) for name in names],
                encoded)), self._out)
        except OSError as error:
            yield self.fail(
                picture.row["input"], "must have outputs that can be written "
                f"(received {reason(error)})")
            return
        records.counter("colorized").inc()
        records.counter("bytes_out").inc(sum(map(len, encoded)))
        yield {**picture.row, "outputs": names,
               "share": result.inference.share,
               "log_prob": result.inference.log_prob}
