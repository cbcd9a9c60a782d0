"""`tfdivcolor export`: a SavedModel or ONNX file for other programs."""

from pathlib import Path
from typing import Any

from tfdivcolor.cli.common import (
    add_quiet,
    add_running,
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
    MODES,
    ExportOptions,
)


def add(commands: Any) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "export", help="make a SavedModel for TensorFlow Serving, or an ONNX "
        "file",
        description="Writes DIR/VERSION, a SavedModel for TensorFlow Serving "
        "and any other TensorFlow program. It takes encoded pictures and "
        "returns encoded colourings. Needs pip install 'tfdivcolor[serving]'. "
        "Other formats are for other runtimes: they take luminance and return "
        "colour fields. Format onnx needs pip install 'tfdivcolor[onnx]'.")
    parser.set_defaults(run=_run)
    parser.add_argument(
        "base", type=Path, metavar="DIR",
        help="folder of the model, which holds its versions; use one folder "
        "per format")
    parser.add_argument(
        "--version", type=int, metavar="N",
        help="number of the version (default: one more than the last); an "
        "existing version is never replaced")
    parser.add_argument(
        "--format", choices=list(EXPORT_FORMATS), default="serving",
        help="; ".join(": ".join(item) for item in EXPORT_FORMATS.items())
        + " (default: %(default)s)")
    parser.add_argument(
        "--samples", type=positive, default=DEFAULTS.num_samples,
        metavar="N",
        help="colourings per picture for calls that do not give a number "
        "(default: %(default)s)")
    parser.add_argument(
        "--max-samples", type=positive, default=MAX_SAMPLES, metavar="N",
        help="refuse calls for more colourings per picture "
        "(default: %(default)s)")
    parser.add_argument(
        "--max-results", type=positive, default=ExportOptions.max_results,
        metavar="N",
        help="refuse calls for more results, pictures times colourings "
        "(default: %(default)s)")
    parser.add_argument(
        "--max-pixels", type=positive, default=ExportOptions.max_pixels,
        metavar="N",
        help="refuse pictures with more pixels (default: %(default)s)")
    parser.add_argument(
        "--image-format", choices=IMAGE_FORMATS,
        default=ExportOptions.image_format,
        help="encoding of the colourings; jpeg takes a fifth of the bytes "
        "(default: %(default)s)")
    parser.add_argument(
        "--batchable", action="store_true",
        help="for servers that merge requests into batches: omit the "
        "signatures colorize_n, colorize_hinted, colorize_pixels and decode, "
        "and add batching parameters")
    parser.add_argument(
        "--mode", choices=MODES, default=ExportOptions.mode,
        help="mode of the results, for --format onnx (default: %(default)s)")
    add_running(parser)
    add_quiet(parser)


def _run(options):
    with checking():
        settings = ExportOptions(
            options.samples, options.max_samples, options.max_results,
            options.max_pixels, options.image_format, options.batchable,
            options.mode)
    start_tensorflow(options.threads, in_order=True)
    folder, described = find_weights(options.weights)
    from tfdivcolor import export
    from tfdivcolor.coloring.colorizer import Colorizer

    with checking():
        export.version_path(options.base, options.version)
    path = export.save(
        options.base, Colorizer.load(folder), options.version, settings,
        options.format, quiet=options.quiet, weights=folder.resolve().name,
        weights_sha256=described["sha256"])
    if not options.quiet:
        size = sum(file.stat().st_size for file in path.rglob("*"))
        print(f"wrote {path} ({size / 1e6:.1f} MB, weights "
              f"{folder.resolve().name}, {described['sha256'][:12]}...), "
              "checked against the Colorizer")
    return 0
