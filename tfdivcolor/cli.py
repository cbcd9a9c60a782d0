"""The command `tfdivcolor`: colorize, info.

A command is two functions here: one adds its parser, with `run` set to the
other, which does the work and returns the exit code.  TensorFlow is imported
by the second only, by `_start_tensorflow`, so that `--help` answers at once
and bad arguments are refused at once.

Exit codes: 0 all went well; 1 something failed, said in one line each on
stderr; 2 the arguments were wrong; 130 stopped by Ctrl-C.
"""

import argparse
import contextlib
import errno
import json
import os
import sys
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

import tfdivcolor
from tfdivcolor import images
from tfdivcolor.settings import (
    DEFAULTS,
    MAX_PIXELS,
    MAX_SAMPLES,
    MODES,
    Sampling,
)

# What makes two calls for one picture the same call.
_IDENTITY = ("seed", "num_samples", "mode", "temperature", "weights_sha256",
             "input_sha256")

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


def main(arguments=None):
    """Runs the command.

    Args:
        arguments: list of str. Defaults to those of the process.

    Returns:
        int, the exit code.
    """
    try:
        options = _parser().parse_args(arguments)
        return options.run(options)
    except _UsageError as error:
        _report(error)
        return 2
    except (ValueError, OSError) as error:
        _report(error)
        return 1
    except KeyboardInterrupt:
        _report("stopped")
        return 130


class _UsageError(ValueError):
    """The arguments are wrong; the message is one line."""


@contextlib.contextmanager
def _checking_arguments():
    """Makes usage errors of the ValueErrors raised within."""
    try:
        yield
    except ValueError as error:
        raise _UsageError(error) from error


def _report(message):
    # Beside a progress bar, not across it.
    line = " ".join(str(message).splitlines())
    tqdm.write(f"tfdivcolor: {line}", file=sys.stderr)


# --- Parsers ---------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line, without the usage."""

    def error(self, message):
        raise _UsageError(f"{message}; see {self.prog} --help")


def _parser():
    parser = _Parser(
        prog="tfdivcolor",
        description="Samples many plausible colourings of grey photographs.")
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, title="commands")
    _add_colorize(commands)
    _add_info(commands)
    return parser


def _add_colorize(commands):
    parser = commands.add_parser(
        "colorize", help="colourise photographs",
        description="Writes colourings of each photograph: NAME_00.png, the "
        "most probable, and so on, and NAME.json, a record of how they were "
        "made. What the same call has made already is left as it is.")
    parser.set_defaults(run=_colorize)
    parser.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="image file, or folder: all images in it and its folders")
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR",
        help="folder to write to (default: %(default)s)")
    parser.add_argument(
        "--sheet", action="store_true",
        help="also write NAME_sheet.png, all results on one picture")
    parser.add_argument(
        "--overwrite", action="store_true",
        help="replace files that another call has written")
    _add_sampling(parser)
    _add_running(parser)
    parser.add_argument(
        "--max-pixels", type=_positive, default=MAX_PIXELS, metavar="N",
        help="refuse larger pictures (default: %(default)s)")
    parser.add_argument(
        "--quiet", action="store_true",
        help="say nothing but errors")


def _add_info(commands):
    parser = commands.add_parser(
        "info", help="describe trained weights and this installation",
        description="Lists the weights that come with the package, and "
        "describes one of them, or a folder.")
    parser.set_defaults(run=_info)
    _add_running(parser)


def _add_sampling(parser):
    parser.add_argument(
        "-n", "--num-samples", type=int, default=DEFAULTS.num_samples,
        metavar="N",
        help=f"colourings of each, 1 to {MAX_SAMPLES} (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=DEFAULTS.seed, metavar="N",
        help="another seed gives other colourings, the same one the same "
        "(default: %(default)s)")
    parser.add_argument(
        "--mode", choices=MODES, default=DEFAULTS.mode,
        help="diverse: the probable ones that differ most; samples: plain "
        "draws; components: the means of the mixture's components "
        "(default: %(default)s)")
    parser.add_argument(
        "--temperature", type=float, default=DEFAULTS.temperature,
        metavar="T",
        help="0 for the safest colours, 1 for the model's whole spread "
        "(default: %(default)s)")


def _add_running(parser):
    parser.add_argument(
        "--weights", default="lfw", metavar="NAME_OR_DIR",
        help="trained weights: a name that `tfdivcolor info` lists, or a "
        "folder saved by Colorizer.save (default: %(default)s)")
    parser.add_argument(
        "--threads", type=_positive, metavar="N",
        help="processor cores to use (default: all)")


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"must be an integer of 1 or more (received {text!r})")
    return int(text)


# --- Start -----------------------------------------------------------------


def _start_tensorflow(threads=None):
    """Imports TensorFlow and starts its devices, without its log lines.

    TF_CPP_MIN_LOG_LEVEL silences it only once its log is set up. What it
    writes before (on oneDNN, on CUDA) goes to file descriptor 2 whatever the
    environment says, so that one is put aside meanwhile. Both only if the
    user has not set the variable.

    Args:
        threads: int. Limit on processor cores, or None.
    """
    silent = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _without_stderr() if silent else contextlib.nullcontext():
        import tensorflow as tf

        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.config.list_logical_devices()  # starts them


@contextlib.contextmanager
def _without_stderr():
    """Drops what the process itself, C++ included, writes to stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _find_weights(weights):
    """Folder of the weights, and what it says of itself."""
    from tfdivcolor import presets, storage

    with _checking_arguments():
        folder = presets.find(weights)
    return folder, storage.describe(folder)


# --- colorize --------------------------------------------------------------


def _colorize(options):
    with _checking_arguments():
        sampling = Sampling(options.num_samples, options.seed,
                            options.temperature, options.mode)
    pictures, failed = _find_pictures(options.paths)
    if not pictures:
        return 1
    _make_folder(options.out)
    _start_tensorflow(options.threads)
    work = _Work.start(options, sampling)
    written = present = 0
    with (tqdm(pictures, unit="photo",
               disable=options.quiet or len(pictures) == 1) as bar,
          warnings.catch_warnings()):
        # Pillow's, on EXIF blocks and the like that cost nothing here.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for path, stem in bar:
            try:
                if work.colorize(path, options.out / stem):
                    written += 1
                else:
                    present += 1
            except images.ImageError as error:
                if getattr(error.__cause__, "errno", None) in _DISK_FULL:
                    raise
                failed += 1
                _report(error)
    if not options.quiet:
        where = options.out
        if options.sheet and len(pictures) == 1 and written + present:
            where = _names(options.out / pictures[0][1], 0, sheet=True)[0]
        print(_summary(work, written, present, failed, where))
    return 1 if failed else 0


def _find_pictures(paths):
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
            _report(error)
            continue
        for path, stem in found:
            if Path(given).is_dir() and _is_output(path):
                continue
            if stem in pictures:
                failed += 1
                _report(f"{path}: must have an output name of its own "
                        f"(received {stem}, as {pictures[stem]} has)")
                continue
            pictures[stem] = path
    if not pictures and not failed:
        failed = 1
        _report(f"{', '.join(paths)}: must hold photographs "
                "(received earlier outputs only)")
    return [(path, stem) for stem, path in pictures.items()], failed


def _is_output(path):
    stem = path.name.rpartition("_")[0]
    record = _read_record(path.with_name(f"{stem}.json"))
    return path.name in record.get("outputs", ())


def _make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise images.ImageError(
            f"{folder}: must be a folder that can be written "
            f"(received {error.strerror})") from error


def _names(base, num_samples, sheet):
    """Paths of the pictures made of one photograph, most probable first."""
    endings = [f"{rank:02d}" for rank in range(num_samples)]
    return [base.with_name(f"{base.name}_{ending}.png")
            for ending in endings + ["sheet"] * sheet]


def _record_path(base):
    return base.with_name(f"{base.name}.json")


def _read_record(path):
    """The record that `_Work` wrote, or {} if that is not one."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    known = isinstance(record, dict) and isinstance(
        record.get("outputs"), list)
    return record if known else {}


def _summary(work, written, present, failed, where):
    number = work.sampling.num_samples
    text = (f"{number} colouring{'s' * (number != 1)}"
            f"{' each' * (written != 1)} of "
            f"{written} photograph{'s' * (written != 1)} "
            f"(weights {work.weights}, {work.sha256[:12]}...)")
    if failed:
        text += f", {failed} failed"
    if present:
        text += f", {present} already there"
    return f"{text}; {'wrote' if written else 'see'} {where}"


@dataclass
class _Work:
    """What one call does to every photograph.

    Attributes:
        colorizer: `Colorizer`.
        weights: str. Name of its weights.
        sha256: str. Their checksum.
        sampling: `Sampling`.
        options: argparse.Namespace of `colorize`.
        told: bool. Whether a picture in colour has been mentioned.
    """

    colorizer: object
    weights: str
    sha256: str
    sampling: Sampling
    options: argparse.Namespace
    told: bool = False

    @classmethod
    def start(cls, options, sampling):
        from tfdivcolor import storage

        folder, described = _find_weights(options.weights)
        colorizer = storage.load(folder)
        with _checking_arguments():
            colorizer.check_sampling(sampling)
        return cls(colorizer, folder.resolve().name, described["sha256"],
                   sampling, options)

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
        names = _names(base, self.sampling.num_samples, self.options.sheet)
        old = _read_record(_record_path(base))
        same = all(old.get(key) == record[key] for key in _IDENTITY)
        if same and all(name.exists() for name in names):
            return False
        for name in [*names, _record_path(base)]:
            if name.exists() and not (same or self.options.overwrite):
                raise images.ImageError(
                    f"{path}: must have outputs that are not there yet, or "
                    f"--overwrite (received {name})")
        coloring = self.colorizer.colorize(
            path, **asdict(self.sampling),
            max_pixels=self.options.max_pixels)
        if not (coloring.is_grey or self.told or self.options.quiet):
            self.told = True
            _report(f"{path} is in colour: its luminance is used")
        _make_folder(base.parent)
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
            if self.options.sheet:
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
    names = [name for name in _names(base, MAX_SAMPLES, sheet=True)
             if name.name in record.get("outputs", ())]
    try:
        for name in [_record_path(base), *names]:
            name.unlink(missing_ok=True)
    except OSError as error:
        raise images.ImageError(
            f"{name}: must be a file that can be replaced "
            f"(received {error.strerror})") from error


# --- info ------------------------------------------------------------------


def _info(options):
    _start_tensorflow(options.threads)
    from tfdivcolor import presets, storage

    print(f"shipped weights  {', '.join(presets.shipped()) or 'none'}")
    folder, described = _find_weights(options.weights)
    parameters = storage.load(folder).count_params()
    size = sum(file.stat().st_size for file in folder.iterdir())
    rows = [("weights", options.weights), ("folder", folder),
            ("sha256", described["sha256"]), ("size", f"{size / 1e6:.1f} MB"),
            ("parameters", f"{parameters:,}"), *described["about"].items(),
            ("made with", _listed(described["versions"])),
            ("installed", _listed(storage.versions()))]
    card = folder / "card.md"
    if card.is_file():
        rows.append(("card", card))
    for name, value in rows:
        print(f"{name:16} {value}")
    return 0


def _listed(versions):
    return ", ".join(f"{name} {value}" for name, value in versions.items())
