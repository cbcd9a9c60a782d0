"""`tfdivcolor colorize`: the run over all photographs."""

import contextlib
import errno
import warnings

from tqdm import tqdm

from tfdivcolor import images
from tfdivcolor.cli.colorize_arguments import GALLERY
from tfdivcolor.cli.common import (
    checking,
    find_weights,
    start_tensorflow,
)
from tfdivcolor.coloring import batch, outputs
from tfdivcolor.settings import UNSTEERED, Sampling, Steering
from tfdivcolor.utils import files
from tfdivcolor.utils.messages import report

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_FAILED = "tfdivcolor_failed.txt"


def run(options):
    """Colourises; returns the exit code."""
    with checking():
        if options.strength is not None and options.keep is None:
            raise ValueError("--strength needs --keep "
                             f"(received --strength {options.strength})")
        sampling = Sampling(options.num_samples, options.seed,
                            options.temperature, options.mode)
        strength = options.strength
        steering = Steering(
            tuple(options.hints), options.keep,
            UNSTEERED.strength if strength is None else strength,
            options.warmer - options.cooler, options.saturation)
        steering.check(sampling)
    pictures, failed = batch.find_pictures(options.paths)
    if not pictures:
        return 1
    outputs.make_folder(options.out)
    if options.gallery:
        _check_gallery(options)
    start_tensorflow(options.threads, in_order=True)
    work = _start(options, sampling, steering)
    done = []
    try:
        written = _colorize(options, work, pictures, done, failed)
    finally:
        _list_failed(options.out / _FAILED, failed, len(done) + len(failed))
    places = [options.out]
    if options.sheet and len(pictures) == 1 and done:
        places = [outputs.names(done[0], 0, extras=["sheet.png"])[0]]
    if options.gallery and done:
        places.append(_write_gallery(options, done, failed))
    if not options.quiet:
        print(_summary(work, written, len(done) - written, failed, places,
                       options.out))
    return 1 if failed else 0


def _colorize(options, work, pictures, done, failed):
    """Runs the work; returns how many photographs' outputs are new.

    Args:
        done, failed: lists, which get bases and errors.
    """
    written, told = 0, options.quiet
    with (tqdm(total=len(pictures), unit="photo",
               disable=options.quiet or len(pictures) == 1) as bar,
          warnings.catch_warnings()):
        # Pillow's, on EXIF blocks and the like that cost nothing here.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for path, base, outcome in work.run(pictures, options.out):
            bar.update()
            if isinstance(outcome, images.ImageError):
                if getattr(outcome.__cause__, "errno", None) in _DISK_FULL:
                    raise outcome
                failed.append(outcome)
                report(outcome)
                continue
            done.append(base)
            written += outcome is not None
            if outcome is not None and not (outcome.is_grey or told):
                told = True
                report(f"{path} is in colour: its luminance is used")
            if outcome is not None and not options.quiet:
                _say_hints(path, outcome)
            del outcome  # a photograph in memory, while the next is read
    return written


def _start(options, sampling, steering):
    from tfdivcolor.models import storage

    folder, described = find_weights(options.weights)
    colorizer = storage.load(folder).freeze()
    with checking():
        colorizer.check_sampling(sampling)
    return batch.Work(
        colorizer, folder.resolve().name, described["sha256"], sampling,
        steering, same_z=options.same_z, image_format=options.format,
        sheet=options.sheet, original=options.keep_original,
        overwrite=options.overwrite, max_pixels=options.max_pixels)


def _say_hints(path, result):
    for hint, before, after in zip(
            result.steering.hints, result.hints_before,
            result.hints_after.T):
        report(
            f"{path}: hint {hint} is missed by {after[0]:.1f} ab units in "
            f"the first result, by {after.max():.1f} at most; by "
            f"{before:.1f} without hints")


def _list_failed(path, failed, number):
    """Writes what failed of several to a file; takes an earlier one away."""
    # The errors have been reported; that their list cannot be written is not
    # worth another one.
    with contextlib.suppress(OSError, images.ImageError):
        if not failed:
            path.unlink(missing_ok=True)
        elif number > 1:
            files.write_atomically(
                path, "".join(f"{error}\n" for error in failed).encode())


def _check_gallery(options):
    """Refuses to replace a page of someone else."""
    from tfdivcolor import gallery

    page = options.out / GALLERY
    if page.exists() and not (options.overwrite or gallery.is_page(page)):
        raise images.ImageError(
            f"{page}: must be a gallery of an earlier call, or not there, or "
            "--overwrite (received another file)")


def _write_gallery(options, bases, failed):
    from tfdivcolor import gallery

    page = gallery.write(
        options.out / GALLERY, bases, quiet=options.quiet)
    for _, reason in page.left_out:
        failed.append(reason)
        report(f"left out of the gallery: {reason}")
    return options.out / GALLERY


def _summary(work, written, present, failed, places, out):
    number = work.sampling.num_samples
    text = (f"{number} colouring{'s' * (number != 1)}"
            f"{' each' * (written != 1)} of "
            f"{written} photograph{'s' * (written != 1)} "
            f"(weights {work.weights}, {work.sha256[:12]}...)")
    if failed:
        text += f", {len(failed)} failed"
        if written + present + len(failed) > 1:
            text += f" (see {out / _FAILED})"
    if present:
        text += f", {present} already there"
    if written + present:
        text += (f"; {'wrote' if written else 'see'} "
                 f"{' and '.join(map(str, places))}")
    return text
