"""`tfdivcolor evaluate`: a table of errors on pictures with known colours."""

import re
from typing import Any

from tfdivcolor.cli.common import (
    UsageError,
    add_running,
    add_seed,
    add_temperature,
    checking,
    find_weights,
    positive,
    start_tensorflow,
)
from tfdivcolor.settings import Sampling

_NAMED = re.compile(r"([\w -]+)=(.+)")


def add(commands: Any) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "evaluate", help="measure results on pictures with known colours",
        description="Prints one table. For one set of pictures it has a row "
        "for the weights in each mode, for each floor and for each baseline, "
        "with the error of the best of 1, 5, 8 and 100 results, diversity, "
        "chroma, likeness to photographs, reconstruction and likelihood. For "
        "several named sets it has a row per set, with the errors of the "
        "weights, floors and baselines, colour, shares and time.")
    parser.set_defaults(run=_run)
    parser.add_argument(
        "sets", nargs="*", metavar="[NAME=]PATH",
        help="folder, .tar or .tgz archive, TFRecord pattern, or folder "
        "made by training.prepare_lfw")
    parser.add_argument(
        "--data", metavar="PATH", help="same as one PATH without a name")
    parser.add_argument(
        "--subset", choices=["train", "validation"],
        help="use only this part of the data, split by person or file name "
        "as for the training of the weights")
    parser.add_argument(
        "--limit", type=positive, metavar="N",
        help="use only the first N pictures of each set")
    parser.add_argument(
        "--train-data", metavar="PATH",
        help="pictures for the floors (mean, neighbours, principal "
        "components), which use their train part; needs scikit-learn")
    parser.add_argument(
        "--train-limit", type=positive, default=20_000, metavar="N",
        help="use N evenly spaced pictures of --train-data "
        "(default: %(default)s)")
    parser.add_argument(
        "--baselines", metavar="DIR",
        help="folder written by `python -m training.baselines`; the table "
        "also has the components of the Colorizers saved in it")
    parser.add_argument(
        "--others", nargs="+", default=[], metavar="NAME_OR_DIR",
        help="other weights to compare with")
    parser.add_argument(
        "--seeds", type=positive, default=1, metavar="N",
        help="average over N sampling seeds, beginning with --seed "
        "(default: %(default)s)")
    parser.add_argument(
        "--subset-size", type=positive, default=200, metavar="N",
        help="evenly spaced pictures of each set for the columns of 100 "
        "results, the likelihood and the stability (default: %(default)s)")
    parser.add_argument(
        "--stability", action="store_true",
        help="for named sets: also measure how far the first result moves "
        "when the photograph is resized, cropped or grainy (takes seconds "
        "per picture)")
    for option, what in (("--json", "the table, settings and list of files"),
                         ("--csv", "the table"), ("--markdown", "the table")):
        parser.add_argument(
            option, metavar="FILE", help=f"also write {what} to this file")
    parser.add_argument(
        "--plots", metavar="DIR", help="also write figures to this folder")
    add_seed(parser)
    add_temperature(parser)
    add_running(parser)


def _run(options):
    sets = _sets(options)
    with checking():
        sampling = Sampling(
            seed=options.seed, temperature=options.temperature)
    start_tensorflow(options.threads, in_order=True)
    folder, _ = find_weights(options.weights)
    from tfdivcolor.evaluation import evaluate

    print(evaluate.run(evaluate.Request(
        sets, folder, options.others, options.baselines, options.train_data,
        options.train_limit, options.subset, options.limit, sampling,
        options.seeds, options.subset_size, options.stability, options.json,
        options.csv, options.markdown, options.plots)))
    written = [name for name in (options.json, options.csv, options.markdown,
                                 options.plots) if name]
    if written:
        print(f"wrote {', '.join(written)}")
    return 0


def _sets(options):
    """Returns the one path without a name, or a dict from name to path."""
    given = [*options.sets, *([options.data] if options.data else [])]
    named = [(match[1], match[2])
             for match in map(_NAMED.fullmatch, given) if match]
    if len(given) == 1 and (options.data or not named):
        return given[0]
    if not given or len(named) < len(given) or options.data:
        raise UsageError(
            "sets must be one PATH, or one or more NAME=PATH "
            f"(received {' '.join(given) or 'none, and no --data'})")
    sets: dict[str, str] = dict(named)
    if len(sets) < len(named):
        raise UsageError("sets must have different names "
                         f"(received {' '.join(given)})")
    return sets
