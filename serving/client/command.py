"""The command `python -m serving.client`: photographs in, colourings out.

Exit codes: 0 success; 1 a failure, one line for each on stderr; 2 wrong
arguments; 130 stopped by Ctrl-C.
"""

import argparse
import os
import warnings
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from serving.client import client as clients
from serving.client.endpoint import MAX_ATTEMPTS, Endpoint, ServerError
from tfdivcolor import images
from tfdivcolor.cli import common, steering
from tfdivcolor.coloring import listing, outputs
from tfdivcolor.settings import (
    DEFAULTS,
    MAX_SAMPLES,
    UNSTEERED,
    Sampling,
    Steering,
)
from tfdivcolor.utils import files, messages

# Errors that would hit the next picture, too.
_FINAL = ("UNAVAILABLE", "NOT_FOUND")


def main(arguments=None):
    """Runs the command; returns its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        sampling = Sampling(
            options.num_samples, options.seed, options.temperature)
        steered = Steering(**steering.steering_of(options))
        endpoint = Endpoint(
            options.server, options.model_name, options.model_version,
            options.label, options.timeout, options.attempts,
            _api_key(options.api_key_file))
    except ValueError as error:
        parser.error(str(error))
    if options.sheet is None and options.out is None:
        options.out = Path("out")
    pictures, failed, others = listing.find_pictures(
        options.paths, options.out)
    if others:
        messages.report(listing.left_out(others))
    if not pictures:
        return 1
    if options.sheet:
        _check_sheet(parser, options.sheet, pictures)
    try:
        if options.sheet or not endpoint.is_rest:
            start_tensorflow()
        with clients.connect(**asdict(endpoint)) as client:
            # Call this first: an error of the server then names no picture.
            client.signature_for(
                sampling.num_samples, steered != UNSTEERED)
            lost = _colorize(client, pictures, sampling, steered, options)
    except (ServerError, ValueError, OSError, ImportError) as error:
        messages.report(error)
        return 1
    except KeyboardInterrupt:
        messages.report("stopped")
        return 130
    return 1 if failed or lost else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m serving.client",
        description="Colourises photographs on a server that runs the "
        "exported model. Writes NAME_00.png (the safest colours), NAME_01.png "
        "and so on, and the record NAME.json. Replaces files of an earlier "
        "call.")
    add = parser.add_argument
    add("paths", nargs="+", metavar="PATH",
        help="image file, or folder: all images in it and its folders")
    add("-n", "--num-samples", type=int, default=DEFAULTS.num_samples,
        metavar="N", help=f"colourings per photograph, 1 to {MAX_SAMPLES} "
        "(default: %(default)s)")
    add("--seed", type=int, default=DEFAULTS.seed, metavar="N",
        help="the same seed gives the same colourings, another seed gives "
        "others (default: %(default)s)")
    add("--temperature", type=float, default=DEFAULTS.temperature,
        metavar="T", help="0: the safest colours; 1: the whole spread of the "
        "model (default: %(default)s)")
    steering.add_hints(parser)
    steering.add_warmth(parser)
    add("--out", type=Path, metavar="DIR",
        help="folder to write to (default: out, or none with --sheet)")
    add("--sheet", type=Path, metavar="FILE",
        help="PNG file to write: one picture with all colourings of one "
        "photograph")
    add("--server", default=clients.DEFAULT_SERVER, metavar="ADDRESS",
        help="http[s]://HOST:PORT for REST, [grpcs://]HOST:PORT for gRPC "
        "(default: %(default)s)")
    add("--model-name", default=Endpoint.model, metavar="NAME",
        help="the model's name on the server (default: %(default)s)")
    add("--model-version", type=int, metavar="N",
        help="version of the model (default: the newest on the server)")
    add("--label", metavar="NAME",
        help="label of a version, such as stable, instead of its number")
    add("--timeout", type=float, default=Endpoint.timeout, metavar="SECONDS",
        help="time limit for a photograph, all attempts together "
        "(default: %(default)s)")
    add("--attempts", type=int, default=Endpoint.max_attempts, metavar="N",
        help=f"attempts while the server is down or busy, 1 to {MAX_ATTEMPTS} "
        "(default: %(default)s)")
    add("--api-key-file", type=Path, metavar="FILE",
        help="file with the API key for a proxy in front of the server")
    return parser


def _api_key(path):
    """The key in a file, or None. An argument would be visible in `ps`."""
    if path is None:
        return None
    try:
        key = path.read_text().strip()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: must be a text file that can be read "
                         f"(received {error})") from error
    if not key.isascii() or not key.isprintable() or not key:
        raise ValueError(f"{path}: must hold one key, a line of ASCII text "
                         "(received something else)")
    return key


def _check_sheet(parser, sheet, pictures):
    """Refuses a sheet that would replace a photograph or another sheet."""
    if len(pictures) != 1:
        parser.error("--sheet must go with one photograph "
                     f"(received {len(pictures)})")
    if sheet.suffix.lower() != ".png":
        parser.error(f"--sheet must name a .png file (received {sheet})")
    if sheet.resolve() == pictures[0][0].resolve():
        parser.error("--sheet must not name the photograph itself "
                     f"(received {sheet})")


def start_tensorflow():
    """Imports TensorFlow for gRPC's messages and a sheet's grey tile.

    It hides the GPU: a server on this machine may need the memory.
    """
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    common.start_tensorflow()


def _colorize(client, pictures, sampling, steered, options):
    """Colourises and writes all photographs.

    Args:
        client: `Client`.
        pictures: list of (path, stem).
        sampling: `Sampling`.
        steered: `Steering`.
        options: the command's options.

    Returns:
        int. Number of failed photographs, all reported.

    Raises:
        ServerError: if the server is down or lacks the model.
        images.ImageError: if a file cannot be written.
    """
    done = failed = 0
    try:
        with (tqdm(pictures, unit="photo",
                   disable=len(pictures) == 1) as bar,
              warnings.catch_warnings()):
            # Pillow warns about EXIF blocks and other things that do no harm.
            warnings.filterwarnings("ignore", module=r"PIL\.")
            for path, stem in bar:
                coloring = _attempt(client, path, sampling, steered)
                if coloring is None:
                    failed += 1
                    continue
                steering.report_hints(path, coloring)
                if options.out:
                    _write(coloring, options.out / stem, {
                        **asdict(sampling), **_recorded(steered),
                        "input": path.name,
                        **{name: value for name, value in asdict(
                            client.endpoint).items() if name != "api_key"}})
                if options.sheet:
                    from tfdivcolor import plots

                    plots.contact_sheet(coloring, options.sheet)
                done += 1
    finally:
        if done:
            print(_summary(client.endpoint, sampling, done, failed, options))
    return failed


def _recorded(steered):
    """The settings of steering in the record, besides the hints."""
    return {name: getattr(steered, name) for name in ("warmth", "saturation")
            if steered != UNSTEERED}


def _attempt(client, path, sampling, steered):
    """The `ServedColoring`, or None if the photograph is at fault."""
    try:
        return client.colorize(
            path, sampling.num_samples, sampling.seed, sampling.temperature,
            steered.hints, steered.warmth, steered.saturation)
    except images.ImageError as error:
        messages.report(error)
    except ServerError as error:
        if error.code in _FINAL:
            raise
        messages.report(f"{path}: {error.code}: {error.message}")
    return None


def _write(coloring, base, record):
    """Writes the received pictures unchanged, and the record last."""
    outputs.make_folder(base.parent)
    is_jpeg = coloring.encoded[0].startswith(b"\xff\xd8")
    names = outputs.names(
        base, len(coloring), ".jpg" if is_jpeg else ".png")
    for name, data in zip(names, coloring.encoded):
        files.write_atomically(name, data)
    share = None if coloring.share is None else coloring.share.tolist()
    record = {**record, "share": share,
              "log_prob": coloring.log_prob.tolist(),
              **outputs.described_hints(coloring),
              "outputs": [name.name for name in names]}
    outputs.write_record(base, record)


def _summary(endpoint, sampling, done, failed, options):
    each = "" if done == 1 else " each"
    not_done = f", {failed} failed" if failed else ""
    written = [str(path) for path in (options.sheet, options.out) if path]
    return (f"{messages.plural(sampling.num_samples, 'colouring')}{each} of "
            f"{messages.plural(done, 'photograph')} (model "
            f"{endpoint.model} at {endpoint.server}){not_done}; wrote "
            f"{' and '.join(written)}")
