"""Messages of programs while they work."""

import re
import sys


def report(message: object) -> None:
    """Prints one line on stderr without breaking a progress bar."""
    from tqdm import tqdm

    line = " ".join(str(message).splitlines())
    # A file name may not be valid text.
    line = line.encode(errors="backslashreplace").decode()
    tqdm.write(f"tfdivcolor: {line}", file=sys.stderr)


def plural(number: int, noun: str) -> str:
    """Counts things: "1 photograph", "3 photographs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def readable(name: str) -> str:
    """Text for people of a file's name that may not be Unicode."""
    return re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", name)
