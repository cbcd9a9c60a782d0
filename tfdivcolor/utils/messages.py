"""What programs say while they work."""

import sys


def report(message):
    """Prints one line on stderr, beside a progress bar and not across it."""
    from tqdm import tqdm

    line = " ".join(str(message).splitlines())
    # A file's name need not be text.
    line = line.encode(errors="backslashreplace").decode()
    tqdm.write(f"tfdivcolor: {line}", file=sys.stderr)
