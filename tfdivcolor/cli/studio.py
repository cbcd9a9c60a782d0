"""`tfdivcolor studio`: colour photographs in the browser."""

import argparse
from pathlib import Path
from typing import Any

from tfdivcolor.cli.common import (
    UsageError,
    add_running,
    find_weights,
    start_tensorflow,
)


def add(commands: Any) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "studio", help="colour photographs in the browser",
        description="Opens a page in the browser where you colour "
        "photographs: choose among results, set hints, undo, download files. "
        "Name photographs here, or drop them on the page. Only this machine "
        "can open the page, and only with the printed address. The studio "
        "saves your work with every step. Without photographs, it opens the "
        "last ones again. Press Ctrl-C to stop it.")
    parser.set_defaults(run=_run)
    parser.add_argument(
        "paths", nargs="*", metavar="PATH",
        help="photograph, or folder of photographs")
    parser.add_argument(
        "--port", type=_port, metavar="N",
        help="port of the server; 0 takes any free port (default: 8765, or "
        "the next free port)")
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address of the server; with 0.0.0.0 other machines can open the "
        "page too, with the printed address (default: %(default)s)")
    parser.add_argument(
        "--no-browser", action="store_true",
        help="print the address, but do not open a browser")
    add_running(parser)


def _port(text):
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(
            f"must be 0 to 65535 (received {text!r})")
    return int(text)


def _run(options):
    """Serves the studio; returns the exit code."""
    try:
        from tfdivcolor.studio import server
        from tfdivcolor.studio.desk import Model
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tfdivcolor"):
            raise
        raise UsageError(
            "studio: needs its libraries, pip install 'tfdivcolor[studio]' "
            f"(received no module {error.name})") from error
    pictures, failed = [], []
    if options.paths:
        from tfdivcolor.coloring import listing

        if set(options.paths) & set(listing.STDIN_NAMES):
            raise UsageError("PATH must be a file or a folder (received -, "
                             "standard input)")
        found = listing.find_pictures(options.paths)
        failed = found.failed
        pictures = [Path(path) for path, _ in found.pictures]
        if not pictures:
            return 1

    def load():
        start_tensorflow(options.threads, in_order=True)
        from tfdivcolor.coloring.frozen import FrozenColorizer

        folder, described = find_weights(options.weights)
        colorizer = FrozenColorizer(folder)
        return Model(colorizer, folder.resolve().name, described["sha256"])

    server.serve(pictures, options.paths, options.weights, load, options.host,
                 options.port, not options.no_browser)
    return 1 if failed else 0
