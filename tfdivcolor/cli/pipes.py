"""Standard input and output in the place of files.

What takes time to import is imported by the functions, as in `command`.
"""

import argparse
import os
import sys
from pathlib import Path

from tfdivcolor.utils.errors import ImageError, reason

STDOUT = Path("/dev/stdout")  # whatever the system calls it


def output(text: str) -> Path:
    """Where to write, of what is given as --out: a folder, or `STDOUT`."""
    return STDOUT if text in ("-", str(STDOUT)) else Path(text)


def check(options: argparse.Namespace) -> None:
    """Refuses arguments that standard input or output cannot go with.

    Args:
        options: those of `tfdivcolor colorize`.

    Raises:
        ValueError: they cannot.
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
            raise ValueError("--out - must go with one picture "
                             f"(received {name})")
    if sys.stdout is None or sys.stdout.isatty():
        raise ValueError("--out - must lead to a file or a program (received "
                         f"{'a terminal' if sys.stdout else 'none'})")


def read() -> bytes:
    """All that standard input holds, if it begins as a picture does.

    Returns:
        bytes. Of anything else only its beginning, however long it is.

    Raises:
        ImageError: it cannot be read, or is a terminal.
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
    except (OSError, ValueError) as error:  # ValueError: also if it is closed
        raise ImageError(f"{listing.STDIN}: must be an image "
                         f"(received {reason(error)})") from error


def write(data: bytes) -> None:
    """Writes all of a file to standard output.

    Raises:
        ImageError: not all of it could be written.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:
        _drop_stdout()
        raise ImageError(
            f"{STDOUT}: must be open until all is written "
            f"(received {reason(error)})") from error


def _drop_stdout():
    # What is left in its buffer would fail once more at the end.
    try:
        descriptor = sys.stdout.fileno()
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), descriptor)
    except (OSError, ValueError):
        pass
