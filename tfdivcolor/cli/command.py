"""The command `tfdivcolor`: colorize, evaluate, export, info.

A command is two functions: one adds its parser, with `run` set to the other,
which does the work and returns the exit code (those of colorize are in modules
of their own).  All that takes time to import is imported by the second only,
TensorFlow by `start_tensorflow`, so that `--help` answers at once and bad
arguments are refused at once.

Exit codes: 0 all went well; 1 something failed, said in one line each on
stderr; 2 the arguments were wrong; 130 stopped by Ctrl-C.
"""

from pathlib import Path

from tfdivcolor.cli import colorize_arguments
from tfdivcolor.cli.common import (
    Parser,
    UsageError,
    add_quiet,
    add_running,
    add_seed,
    add_temperature,
    checking,
    find_weights,
    positive,
    start_tensorflow,
)
from tfdivcolor.settings import (
    DEFAULTS,
    EXPORT_FORMATS,
    IMAGE_FORMATS,
    MAX_SAMPLES,
    ExportOptions,
    Sampling,
)
from tfdivcolor.utils.messages import report


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
    except UsageError as error:
        report(error)
        return 2
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        report("stopped")
        return 130


# --- Parsers ---------------------------------------------------------------


def _parser():
    parser = Parser(
        prog="tfdivcolor",
        description="Samples many plausible colourings of grey photographs.")
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, title="commands")
    colorize_arguments.add(commands)
    _add_evaluate(commands)
    _add_export(commands)
    _add_info(commands)
    return parser


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
        "--limit", type=positive, metavar="N",
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
        "--seeds", type=positive, default=1, metavar="N",
        help="sampling seeds to average over, from --seed on "
        "(default: %(default)s)")
    parser.add_argument(
        "--subset-size", type=positive, default=200, metavar="N",
        help="pictures, at even distances, for the columns of 100 results and "
        "the likelihood (default: %(default)s)")
    parser.add_argument(
        "--json", metavar="FILE",
        help="also write the table, settings and list of files here")
    parser.add_argument(
        "--plots", metavar="DIR", help="also write figures to this folder")
    add_seed(parser)
    add_temperature(parser)
    add_running(parser)


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
        "--samples", type=positive, default=DEFAULTS.num_samples,
        metavar="N",
        help="colourings that a call without a number gives "
        "(default: %(default)s)")
    parser.add_argument(
        "--max-samples", type=positive, default=MAX_SAMPLES, metavar="N",
        help="refuse calls for more (default: %(default)s)")
    parser.add_argument(
        "--max-results", type=positive, default=ExportOptions.max_results,
        metavar="N",
        help="refuse calls for more, pictures times colourings "
        "(default: %(default)s)")
    parser.add_argument(
        "--max-pixels", type=positive, default=ExportOptions.max_pixels,
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
    add_running(parser)
    add_quiet(parser)


def _add_info(commands):
    parser = commands.add_parser(
        "info", help="describe trained weights and this installation",
        description="Lists the weights that come with the package, and "
        "describes one of them, or a folder.")
    parser.set_defaults(run=_info)
    add_running(parser)


# --- evaluate --------------------------------------------------------------


def _evaluate(options):
    with checking():
        sampling = Sampling(
            seed=options.seed, temperature=options.temperature)
    start_tensorflow(options.threads, in_order=True)
    folder, described = find_weights(options.weights)
    from tfdivcolor.evaluation import bench

    table = bench.run(
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
    with checking():
        settings = ExportOptions(
            options.samples, options.max_samples, options.max_results,
            options.max_pixels, options.image_format, options.batchable)
    start_tensorflow(options.threads, in_order=True)
    folder, described = find_weights(options.weights)
    from tfdivcolor import export
    from tfdivcolor.models import storage

    with checking():
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
    start_tensorflow(options.threads, in_order=True)
    from tfdivcolor import presets
    from tfdivcolor.models import storage

    print(f"shipped weights  {', '.join(presets.shipped()) or 'none'}")
    folder, described = find_weights(options.weights)
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
