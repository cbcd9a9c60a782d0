"""The command `tfdivcolor`: colorize, evaluate, export, info.

A command is two functions here: one adds its parser, with `run` set to the
other, which does the work and returns the exit code.  TensorFlow is imported
by the second only, by `start_tensorflow`, so that `--help` answers at once
and bad arguments are refused at once.

Exit codes: 0 all went well; 1 something failed, said in one line each on
stderr; 2 the arguments were wrong; 130 stopped by Ctrl-C.
"""

import argparse
import contextlib
import errno
import os
import sys
import warnings
from pathlib import Path

from tqdm import tqdm

from tfdivcolor import batch, images
from tfdivcolor.batch import report
from tfdivcolor.settings import (
    DEFAULTS,
    EXPORT_FORMATS,
    IMAGE_FORMATS,
    MAX_PIXELS,
    MAX_SAMPLES,
    MODES,
    ExportOptions,
    Sampling,
)

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
        report(error)
        return 2
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        report("stopped")
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
    _add_evaluate(commands)
    _add_export(commands)
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
    _add_quiet(parser)


def _add_evaluate(commands):
    parser = commands.add_parser(
        "evaluate", help="measure results on pictures with known colours",
        description="Prints one table: error of the best of 1, 5, 8 and 100 "
        "results, diversity, chroma, likeness to photographs, reconstruction "
        "and likelihood, of the weights in every mode, of floors and of "
        "baselines, all on the same pictures.")
    parser.set_defaults(run=_evaluate)
    parser.add_argument(
        "--data", required=True, metavar="PATH",
        help="folder, .tar or .tgz archive, TFRecord pattern, or a folder "
        "made by training.prepare_lfw")
    parser.add_argument(
        "--subset", choices=["train", "validation"],
        help="only that part of the data, split by person or file name as "
        "when the weights were trained")
    parser.add_argument(
        "--limit", type=_positive, metavar="N",
        help="only the first N pictures")
    parser.add_argument(
        "--train-data", metavar="PATH",
        help="pictures whose train part the floors know (mean, neighbours, "
        "principal components); needs scikit-learn")
    parser.add_argument(
        "--baselines", metavar="DIR",
        help="folder that `python -m training.baselines` wrote; saved "
        "Colorizers in it are measured too")
    parser.add_argument(
        "--seeds", type=_positive, default=1, metavar="N",
        help="sampling seeds to average over, from --seed on "
        "(default: %(default)s)")
    parser.add_argument(
        "--subset-size", type=_positive, default=200, metavar="N",
        help="pictures, at even distances, for the columns of 100 results and "
        "the likelihood (default: %(default)s)")
    parser.add_argument(
        "--json", metavar="FILE",
        help="also write the table, settings and list of files here")
    parser.add_argument(
        "--plots", metavar="DIR", help="also write figures to this folder")
    _add_seed(parser)
    _add_temperature(parser)
    _add_running(parser)


def _add_export(commands):
    parser = commands.add_parser(
        "export", help="make a SavedModel for TensorFlow Serving",
        description="Writes DIR/VERSION, a SavedModel that TensorFlow Serving "
        "and any TensorFlow program runs: encoded pictures in, encoded "
        "colourings out. Needs pip install 'tfdivcolor[serving]'.")
    parser.set_defaults(run=_export)
    parser.add_argument(
        "base", type=Path, metavar="DIR",
        help="the model's folder, which holds its versions; one for each "
        "format")
    parser.add_argument(
        "--version", type=int, metavar="N",
        help="number of the version (default: one more than the last); what "
        "is there is never replaced")
    parser.add_argument(
        "--format", choices=list(EXPORT_FORMATS), default="serving",
        help="; ".join(": ".join(item) for item in EXPORT_FORMATS.items())
        + " (default: %(default)s)")
    parser.add_argument(
        "--samples", type=_positive, default=DEFAULTS.num_samples,
        metavar="N",
        help="colourings that a call without a number gives "
        "(default: %(default)s)")
    parser.add_argument(
        "--max-samples", type=_positive, default=MAX_SAMPLES, metavar="N",
        help="refuse calls for more (default: %(default)s)")
    parser.add_argument(
        "--max-results", type=_positive, default=ExportOptions.max_results,
        metavar="N",
        help="refuse calls for more, pictures times colourings "
        "(default: %(default)s)")
    parser.add_argument(
        "--max-pixels", type=_positive, default=ExportOptions.max_pixels,
        metavar="N",
        help="refuse larger pictures (default: %(default)s)")
    parser.add_argument(
        "--image-format", choices=IMAGE_FORMATS,
        default=ExportOptions.image_format,
        help="what to encode colourings as; jpeg has a fifth of the bytes "
        "(default: %(default)s)")
    parser.add_argument(
        "--batchable", action="store_true",
        help="for servers that merge requests into batches: leaves out the "
        "signatures colorize_n and decode, adds batching parameters")
    _add_running(parser)
    _add_quiet(parser)


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
    _add_seed(parser)
    parser.add_argument(
        "--mode", choices=MODES, default=DEFAULTS.mode,
        help="diverse: a few that stand for many draws; samples: plain "
        "draws; components: the means of the mixture's components "
        "(default: %(default)s)")
    _add_temperature(parser)


def _add_seed(parser):
    parser.add_argument(
        "--seed", type=int, default=DEFAULTS.seed, metavar="N",
        help="another seed gives other colourings, the same one the same "
        "(default: %(default)s)")


def _add_temperature(parser):
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


def _add_quiet(parser):
    parser.add_argument(
        "--quiet", action="store_true", help="say nothing but errors")


def _positive(text):
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"must be an integer of 1 or more (received {text!r})")
    return int(text)


# --- Start -----------------------------------------------------------------


def start_tensorflow(threads=None):
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
    pictures, failed = batch.find_pictures(options.paths)
    if not pictures:
        return 1
    batch.make_folder(options.out)
    start_tensorflow(options.threads)
    work = _start_work(options, sampling)
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
                report(error)
    if not options.quiet:
        where = options.out
        if options.sheet and len(pictures) == 1 and written + present:
            where = batch.output_names(
                options.out / pictures[0][1], 0, sheet=True)[0]
        print(_summary(work, written, present, failed, where))
    return 1 if failed else 0


def _start_work(options, sampling):
    from tfdivcolor import storage

    folder, described = _find_weights(options.weights)
    colorizer = storage.load(folder)
    with _checking_arguments():
        colorizer.check_sampling(sampling)
    return batch.Work(
        colorizer, folder.resolve().name, described["sha256"], sampling,
        sheet=options.sheet, overwrite=options.overwrite,
        max_pixels=options.max_pixels, quiet=options.quiet)


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


# --- evaluate --------------------------------------------------------------


def _evaluate(options):
    with _checking_arguments():
        sampling = Sampling(
            seed=options.seed, temperature=options.temperature)
    start_tensorflow(options.threads)
    folder, described = _find_weights(options.weights)
    from tfdivcolor import comparison

    table = comparison.run(
        options.data, folder, options.subset, options.limit, sampling,
        num_seeds=options.seeds, subset_size=options.subset_size,
        train_data=options.train_data, baselines_folder=options.baselines,
        json_path=options.json, plots_folder=options.plots)
    print(f"weights {folder.resolve().name}, "
          f"{described['sha256'][:12]}...; {options.data}"
          + (f", {options.subset}" if options.subset else ""))
    print(table)
    written = [name for name in (options.json, options.plots) if name]
    if written:
        print(f"wrote {', '.join(written)}")
    return 0


# --- export ----------------------------------------------------------------


def _export(options):
    with _checking_arguments():
        settings = ExportOptions(
            options.samples, options.max_samples, options.max_results,
            options.max_pixels, options.image_format, options.batchable)
    start_tensorflow(options.threads)
    folder, described = _find_weights(options.weights)
    from tfdivcolor import export, storage

    with _checking_arguments():
        export.version_path(options.base, options.version)
    path = export.save(
        options.base, storage.load(folder), options.version, settings,
        options.format, quiet=options.quiet, weights=folder.resolve().name,
        weights_sha256=described["sha256"])
    if not options.quiet:
        size = sum(file.stat().st_size for file in path.rglob("*"))
        print(f"wrote {path} ({size / 1e6:.1f} MB, weights "
              f"{folder.resolve().name}, {described['sha256'][:12]}...), "
              "run and compared with the Colorizer")
    return 0


# --- info ------------------------------------------------------------------


def _info(options):
    start_tensorflow(options.threads)
    from tfdivcolor import presets, storage

    print(f"shipped weights  {', '.join(presets.shipped()) or 'none'}")
    folder, described = _find_weights(options.weights)
    parameters = storage.load(folder).count_params()
    size = sum(file.stat().st_size for file in folder.iterdir())
    rows = [("weights", options.weights), ("folder", folder),
            ("sha256", described["sha256"]), ("size", f"{size / 1e6:.1f} MB"),
            ("parameters", f"{parameters:,}"),
            *((name, value) for name, value in described["about"].items()
              if name != "history"),  # one line an epoch: for plots
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
