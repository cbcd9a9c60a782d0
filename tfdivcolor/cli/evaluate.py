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
        description="Prints one table. Of one set of pictures: error of the "
        "best of 1, 5, 8 and 100 results, diversity, chroma, likeness to "
        "photographs, reconstruction and likelihood, a row for the weights in "
        "every mode, for floors and for baselines. Of several, each with a "
        "name: a row a set, with the errors of the weights, floors and "
        "baselines, colour, shares and time.")
    parser.set_defaults(run=_run)
    parser.add_argument(
        "sets", nargs="*", metavar="[NAME=]PATH",
        help="folder, .tar or .tgz archive, TFRecord pattern, or a folder "
        "made by training.prepare_lfw")
    parser.add_argument(
        "--data", metavar="PATH", help="the same as one PATH without a name")
    parser.add_argument(
        "--subset", choices=["train", "validation"],
        help="only that part of the data, split by person or file name as "
        "when the weights were trained")
    parser.add_argument(
        "--limit", type=positive, metavar="N",
        help="only the first N pictures of each set")
    parser.add_argument(
        "--train-data", metavar="PATH",
        help="pictures whose train part the floors know (mean, neighbours, "
        "principal components); needs scikit-learn")
    parser.add_argument(
        "--train-limit", type=positive, default=20_000, metavar="N",
        help="only N of them, at even distances (default: %(default)s)")
    parser.add_argument(
        "--baselines", metavar="DIR",
        help="folder that `python -m training.baselines` wrote; saved "
        "Colorizers in it are measured too, by their components")
    parser.add_argument(
        "--others", nargs="+", default=[], metavar="NAME_OR_DIR",
        help="other weights to compare with")
    parser.add_argument(
        "--seeds", type=positive, default=1, metavar="N",
        help="sampling seeds to average over, from --seed on "
        "(default: %(default)s)")
    parser.add_argument(
        "--subset-size", type=positive, default=200, metavar="N",
        help="pictures of a set, at even distances, for the columns of 100 "
        "results, the likelihood and the stability (default: %(default)s)")
    parser.add_argument(
        "--stability", action="store_true",
        help="of sets with names: also how far the first result moves when "
        "the photograph is resized, cropped or grainy (seconds a picture)")
    for option, what in (("--json", "the table, settings and list of files"),
                         ("--csv", "the table"), ("--markdown", "the table")):
        parser.add_argument(
            option, metavar="FILE", help=f"also write {what} here")
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
    """The one path without a name, or dict from a name to a path."""
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
