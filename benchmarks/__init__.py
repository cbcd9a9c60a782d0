"""Programs that measure and print figures. They run from a checkout.

    python -m benchmarks.run                               # speed and memory
    python -m benchmarks.quality.upsampling --data data/lfw.tgz    # quality

Each shows a bar while it runs and prints a table with all settings.  Compare
times only within one table.  Slow tests check that the programs run.
"""

from tfdivcolor.settings import DEFAULT_WEIGHTS


def add_pictures(parser, count):
    """Adds --data, --pictures, --weights and --seed to a parser."""
    parser.add_argument(
        "--data", required=True, metavar="PATH",
        help="photographs in colour: a folder, or a .tar, .tgz or .tar.gz")
    parser.add_argument(
        "--pictures", type=int, default=count, metavar="N",
        help="number of pictures, evenly spaced in the validation subset "
             "(default: %(default)s)")
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR",
        help="trained weights (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N",
        help="seed of the results and of all other random numbers "
             "(default: %(default)s)")


def photographs(options):
    """Starts TensorFlow and reads validation photographs at their own sizes.

    Args:
        options: the options of `add_pictures`.

    Returns:
        list of uint8 [H, W, 3].

    Raises:
        SystemExit: if there are no validation photographs.
    """
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import numpy as np

    from tfdivcolor import images
    from tfdivcolor.data import sources

    try:
        listed = [name for name, _, _ in sources.source_of(options.data)(
            options.data) if sources.is_validation(name)]
        chosen = np.linspace(0, len(listed) - 1, min(
            options.pictures, len(listed))).astype(int)
        wanted = {listed[i] for i in chosen}
        found = [images.read(read()).pixels
                 for name, _, read in sources.source_of(options.data)(
                     options.data) if name in wanted]
    except ValueError as error:
        raise SystemExit(f"{error}") from error
    if not found:
        raise SystemExit(
            f"{options.data}: must have photographs for validation "
            "(received none)")
    return found


def table(headings, rows):
    """Formats a Markdown table, with its first column aligned left.

    Args:
        headings: list of str.
        rows: list of lists of str.

    Returns:
        str.
    """
    lines = [headings, *rows]
    widths = [max(3, *map(len, column)) for column in zip(*lines)]
    rule = [f":{'-' * (widths[0] - 1)}",
            *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "\n".join("| " + " | ".join(
        [line[0].ljust(widths[0]),
         *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))])
        + " |" for line in (headings, rule, *rows))
