"""`tfdivcolor colorize`: writes colourings of photographs to files."""

import argparse
import concurrent.futures
import contextlib
import errno
import itertools
import warnings
from pathlib import Path
from typing import Any

from tfdivcolor.cli import pipes, recipes, steering
from tfdivcolor.cli.common import (
    UsageError,
    add_quiet,
    add_running,
    add_sampling,
    checking,
    find_weights,
    positive,
    start_tensorflow,
)
from tfdivcolor.settings import (
    MAX_PIXELS,
    OUTPUT_FORMATS,
    UNSTEERED,
    Sampling,
    Steering,
)
from tfdivcolor.utils import files
from tfdivcolor.utils.errors import ImageError
from tfdivcolor.utils.messages import plural, report

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_TOO_STRONG = 10.0  # ab units of a hint that its pixel's lightness excludes


def add(commands: Any) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "colorize", help="colourise photographs",
        description="Writes colourings of each photograph, and a record of "
        "the settings and shares, NAME.json. NAME_00 is the mean of all "
        "colourings that the model finds possible. The other results are "
        "ordered by the number of draws that they represent. With --mode "
        "samples all results are ordered by probability, with --mode "
        "components by weight; with --keep the kept result is first. NAME is "
        "the file's name without its suffix, or with it (img.jpg_00.jpg) if "
        "another photograph has the same. The same call keeps finished files: "
        "a call with the same photograph, page, weights, number, seed, mode, "
        "temperature, steering and --format.")
    parser.set_defaults(run=_run)
    recipes.note_given(parser)
    parser.add_argument(
        "paths", nargs="+", metavar="PATH",
        help="image file; folder (all images in it and its subfolders, by "
        "suffix, or by content if a file has no suffix; hidden files and "
        "folders are skipped); or -, standard input")
    _add_input(parser.add_argument_group("input"))
    _add_output(parser.add_argument_group("output"))
    which = parser.add_argument_group("results")
    add_sampling(which)
    recipes.add(which)
    _add_steering(parser.add_argument_group("steering"))
    running = parser.add_argument_group("running")
    add_running(running)
    add_quiet(running)


def _add_input(group):
    group.add_argument(
        "--page", type=_page, metavar="N",
        help="page of files with several, from 1, or all; the results of page "
        "2 are NAME_p2_00 and so on (default: the page of full resolution, "
        "with results NAME_00 and so on)")
    group.add_argument(
        "--lenient", action="store_true",
        help="read truncated files too; the missing part is grey")
    group.add_argument(
        "--follow-links", action="store_true",
        help="search linked folders too, each real folder once; linked files "
        "are always read")
    group.add_argument(
        "--max-pixels", type=positive, default=MAX_PIXELS, metavar="N",
        help="refuse larger pictures (default: %(default)s)")


def _page(text):
    if text == "all" or text.isdecimal() and int(text):
        return text if text == "all" else int(text)
    raise argparse.ArgumentTypeError(
        f"must be a page number, 1 or more, or all (received {text!r})")


def _add_output(group):
    group.add_argument(
        "--out", type=pipes.output, default=Path("out"), metavar="DIR",
        help="folder to write to; or -, standard output, for one photograph "
        "with -n 1 (default: %(default)s)")
    group.add_argument(
        "--format", choices=OUTPUT_FORMATS,
        help="format of the results (default: the photograph's; PNG for GIF, "
        "AVIF, JPEG 2000, palette and 1-bit pictures)")
    group.add_argument(
        "--sheet", action="store_true",
        help="also write NAME_sheet.png, all results on one picture, with "
        "their shares")
    group.add_argument(
        "--gallery", action="store_true",
        help="also write index.html, a page that shows all results in a "
        "browser and needs no network")
    group.add_argument(
        "--keep-original", action="store_true",
        help="also write NAME_original, a colour photograph in its own "
        "colours, and show it on the sheet and in the gallery")
    group.add_argument(
        "--overwrite", action="store_true",
        help="replace output files of other calls, and other files with the "
        "same names, but never the photographs")


def _add_steering(group):
    steering.add_hints(group)
    group.add_argument(
        "--keep", type=int, metavar="RANK",
        help="vary this result (the number in its file name) of the same call "
        "without --keep: the result comes first, then its variations")
    group.add_argument(
        "--strength", type=float, metavar="S",
        help="size of the variations: 0 makes copies, 1 makes variations as "
        f"different as ordinary results (default: {UNSTEERED.strength})")
    steering.add_warmth(group)
    group.add_argument(
        "--same-z", action="store_true",
        help="give all photographs the latents of the first, in the order of "
        "their names: for the frames of a film, which look alike")


def _run(options):
    """Colours the photographs; returns the exit code."""
    from tfdivcolor.coloring import listing, outputs

    with checking():
        recipes.check(options)
        pipes.check(options)
        sampling, steered = _chosen(options)
    streams = options.out == pipes.STDOUT
    pictures, failed, others = listing.find_pictures(
        options.paths, None if streams else options.out, options.follow_links)
    if pictures:
        stdin = (pipes.read() if any(path == listing.STDIN
                                     for path, _ in pictures) else b"")
        if streams:
            if len(pictures) > 1:
                raise UsageError("--out - must go with one photograph "
                                 f"(received {len(pictures)})")
        else:
            outputs.make_folder(options.out)
            if options.gallery:
                _check_gallery(options)
        start_tensorflow(options.threads, in_order=True)
        work = _start(options, sampling, steered, stdin)
        if streams:
            _stream(options, work, pictures[0][0])
        else:
            _write(options, work, pictures, failed)
    if others and not options.quiet:
        report(listing.left_out(others))
    return 1 if failed else 0


def _chosen(options):
    """Makes `Sampling` and `Steering` from the options or the recipe."""
    if options.recipe:
        return options.recipe.sampling, options.recipe.steering
    if options.strength is not None and options.keep is None:
        raise ValueError("--strength needs --keep "
                         f"(received --strength {options.strength})")
    sampling = Sampling(options.num_samples, options.seed,
                        options.temperature, options.mode)
    strength = options.strength
    steered = Steering(
        keep=options.keep,
        strength=UNSTEERED.strength if strength is None else strength,
        **steering.steering_of(options))
    steered.check(sampling)
    return sampling, steered


def _stream(options, work, path):
    """Colours one photograph and writes it to standard output."""
    with _quiet_pillow():
        result, data = work.stream(path)
    if not options.quiet:
        _say(path, result)
    pipes.write(data)
    if not options.quiet:
        report(f"{_made(work, 1)}; wrote {pipes.STDOUT}")


def _write(options, work, pictures, failed):
    """Colours photographs, writes files and prints a summary.

    Args:
        failed: list. The function appends errors.
    """
    from tfdivcolor.coloring import outputs

    done = []
    try:
        written = _colorize(options, work, pictures, done, failed)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on from here") from None
    finally:
        _list_failed(options.out / outputs.FAILED, failed,
                     len(done) + len(failed))
    places = [options.out]
    if options.sheet and len(pictures) == 1 and done:
        places = [outputs.names(done[0], 0, extras=["sheet.png"])[0]]
    if options.gallery and done:
        places.append(_write_gallery(options, done, failed))
    if not options.quiet:
        print(_summary(work, written, len(done) - written, failed, places,
                       options.out / outputs.FAILED))


def _colorize(options, work, pictures, done, failed):
    """Runs the work; returns the number of photographs with new outputs.

    Args:
        done, failed: lists. The function appends bases and errors.
    """
    from tqdm import tqdm

    written, told, before = 0, False, None
    with (tqdm(total=len(pictures), unit="photo",
               disable=options.quiet or len(pictures) == 1) as bar,
          _quiet_pillow()):
        for path, base, outcome in work.run(pictures, options.out):
            bar.update(path != before)  # once for all pages of a file
            before = path
            if isinstance(outcome, ImageError):
                if getattr(outcome.__cause__, "errno", None) in _DISK_FULL:
                    raise outcome
                failed.append(outcome)
                report(outcome)
                continue
            done.append(base)
            if outcome is None:
                continue
            written += 1
            if not options.quiet:
                _say(path, outcome, told)
                told = told or not outcome.is_grey
            del outcome  # frees its memory before the next is read
    return written


@contextlib.contextmanager
def _quiet_pillow():
    """Hides Pillow's warnings, about damaged EXIF blocks for example, which do
    not affect the results."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _start(options, sampling, steering, stdin):
    from tfdivcolor.coloring import batch, coloring, drawing
    from tfdivcolor.coloring.frozen import FrozenColorizer

    folder, described = find_weights(recipes.weights(options))
    with checking():
        recipes.check_weights(options, described["sha256"])
    colorizer = FrozenColorizer(folder)
    with checking():
        drawing.check(colorizer, sampling, steering)
    # Meanwhile the main thread reads the first photograph.
    concurrent.futures.ThreadPoolExecutor(1).submit(
        coloring.warm_up, colorizer, sampling, steering)
    work = batch.Work(
        colorizer, folder.resolve().name, described["sha256"], sampling,
        steering, same_z=options.same_z, image_format=options.format,
        sheet=options.sheet, original=options.keep_original,
        overwrite=options.overwrite, max_pixels=options.max_pixels,
        page=options.page, lenient=options.lenient, stdin=stdin)
    return options.recipe.applied(work) if options.recipe else work


def _say(path, result, told=False):
    """Reports notes about a photograph, and the distances to hints.

    Args:
        told: bool. Whether an earlier photograph was in colour: the command
            reports only the first.
    """
    for note in result.photo.notes:
        report(f"{path}: {note}")
    if not (result.is_grey or told):
        report(f"{path} is in colour: its luminance is used")
    steering.report_hints(path, result, map(
        _too_strong, result.steering.hints, result.hints_beyond_gamut(),
        itertools.repeat(result.luminance)))


def _too_strong(hint, beyond, luminance):
    """Explains a hint whose pixel cannot have its colour: str, or ""."""
    if beyond <= _TOO_STRONG:
        return ""
    lightness = float(luminance[hint.y, hint.x, 0])
    return (f"the pixel is too {'light' if lightness > 50 else 'dark'} for so "
            f"strong a colour (L {lightness:.0f})")


def _list_failed(path, failed, number):
    """Writes the errors of several photographs; removes an earlier list."""
    # A list that cannot be written is no error of its own, because stderr
    # shows all its lines.
    with contextlib.suppress(OSError, ImageError):
        if not failed:
            path.unlink(missing_ok=True)
        elif number > 1:
            files.write_atomically(
                path, "".join(f"{error}\n" for error in failed).encode())


def _check_gallery(options):
    """Refuses to replace a page that is not a gallery."""
    from tfdivcolor import gallery
    from tfdivcolor.coloring import outputs

    page = options.out / outputs.GALLERY
    if page.exists() and not (options.overwrite or gallery.is_page(page)):
        raise ImageError(
            f"{page}: must be a gallery of an earlier call, or a new file, or "
            "--overwrite (received another file)")


def _write_gallery(options, bases, failed):
    from tfdivcolor import gallery
    from tfdivcolor.coloring import outputs

    path = options.out / outputs.GALLERY
    page = gallery.write(path, bases, quiet=options.quiet)
    for _, reason in page.left_out:
        failed.append(reason)
        report(f"skipped in the gallery: {reason}")
    return path


def _made(work, written):
    each = "" if written == 1 else " each"
    made = (f"{plural(work.num_results, 'colouring')}{each} of "
            f"{plural(written, 'photograph')}"
            if written else "no new colourings")
    return f"{made} (weights {work.weights}, {work.sha256[:12]}...)"


def _summary(work, written, present, failed, places, list_of_failed):
    text = _made(work, written)
    if failed:
        text += f", {len(failed)} failed"
        if written + present + len(failed) > 1:
            text += f" (see {list_of_failed})"
    if present:
        text += f", {present} already there"
    if written + present:
        text += (f"; {'wrote' if written else 'see'} "
                 f"{' and '.join(map(str, places))}")
    return text
