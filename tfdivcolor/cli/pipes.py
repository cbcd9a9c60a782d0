"""Standard input and output in place of files.

As in `command`, the functions import the modules that take time.
"""

import argparse
import os
import sys
from pathlib import Path

from tfdivcolor.utils.errors import ImageError, reason

STDOUT = Path("/dev/stdout")  # on every system


def output(text: str) -> Path:
    """Converts the value of --out: a folder, or `STDOUT` for "-"."""
    return STDOUT if text in ("-", str(STDOUT)) else Path(text)


def check(options: argparse.Namespace) -> None:
    """Refuses arguments that do not go with standard input or output.

    Args:
        options: the arguments of `tfdivcolor colorize`.

    Raises:
        ValueError: if some arguments do not go together.
    """
    from tfdivcolor.coloring import listing

    named = [path for path in options.paths if path in listing.STDIN_NAMES]
    if len(named) > 1:
        raise ValueError("standard input must be named once "
                         f"(received {' '.join(named)})")
    if options.out != STDOUT:
        return
    if len(options.paths) > 1:
        raise ValueError("--out - must go with one photograph "
                         f"(received {len(options.paths)} paths)")
    if options.recipe:
        if len(options.recipe.results) != 1:
            raise ValueError(
                "--out - must go with a recipe of one result "
                f"(received {len(options.recipe.results)})")
    elif options.num_samples != 1:
        raise ValueError("--out - must go with -n 1 "
                         f"(received -n {options.num_samples})")
    for given, name in ((options.sheet, "--sheet"),
                        (options.gallery, "--gallery"),
                        (options.keep_original, "--keep-original"),
                        (options.page == "all", "--page all")):
        if given:
            raise ValueError("--out - must go with a single output file "
                             f"(received {name})")
    if sys.stdout is None or sys.stdout.isatty():
        raise ValueError("--out - must go to a file or a program (received "
                         f"{'a terminal' if sys.stdout else 'none'})")


def read() -> bytes:
    """Reads all of standard input if it begins like an image file.

    Returns:
        bytes. Only the first `formats.SNIFFED` of them if they are not those
        of an image file, which may be endless.

    Raises:
        ImageError: if standard input is missing, a terminal or unreadable.
    """
    from tfdivcolor.coloring import listing
    from tfdivcolor.images import formats

    try:
        if sys.stdin is None:
            raise ValueError("none")
        if sys.stdin.isatty():
            raise ValueError("a terminal")
        data = sys.stdin.buffer.read(formats.SNIFFED)
        return data + sys.stdin.buffer.read() if formats.sniff(data) else data
    except (OSError, ValueError) as error:  # ValueError: also a closed file
        raise ImageError(f"{listing.STDIN}: must be an image "
                         f"(received {reason(error)})") from error


def write(data: bytes) -> None:
    """Writes a whole file to standard output.

    Raises:
        ImageError: if a part of it could not be written.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:
        _drop_stdout()
        raise ImageError(
            f"{STDOUT}: must stay open until the whole file is written "
            f"(received {reason(error)})") from error


def _drop_stdout():
    # Python would fail again at exit, when it flushes the rest of the buffer.
    try:
        descriptor = sys.stdout.fileno()
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
    except (OSError, ValueError):
        pass
