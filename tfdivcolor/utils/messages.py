"""What programs say while they work."""

import sys


def report(message: object) -> None:
    """Prints one line on stderr, beside a progress bar and not across it."""
    from tqdm import tqdm

    line = " ".join(str(message).splitlines())
    # A file's name need not be text.
    line = line.encode(errors="backslashreplace").decode()
    tqdm.write(f"tfdivcolor: {line}", file=sys.stderr)


def plural(number: int, noun: str) -> str:
    """A number of things: "1 photograph", "3 photographs"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
