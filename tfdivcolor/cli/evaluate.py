"""`tfdivcolor evaluate`: a table of errors on pictures with known colours."""

from typing import Any

from tfdivcolor.cli.common import (
    add_running,
    add_seed,
    add_temperature,
    checking,
    find_weights,
    positive,
    start_tensorflow,
)
from tfdivcolor.settings import Sampling


def add(commands: Any) -> None:
    """Adds the command's parser."""
    parser = commands.add_parser(
        "evaluate", help="measure results on pictures with known colours",
        description="Prints one table: error of the best of 1, 5, 8 and 100 "
        "results, diversity, chroma, likeness to photographs, reconstruction "
        "and likelihood, of the weights in every mode, of floors and of "
        "baselines, all on the same pictures.")
    parser.set_defaults(run=_run)
    parser.add_argument(
        "--data", required=True, metavar="PATH",
        help="folder, .tar or .tgz archive, TFRecord pattern, or a folder "
        "made by training.prepare_lfw")
    parser.add_argument(
        "--subset", choices=["train", "validation"],
        help="only that part of the data, split by person or file name as "
        "when the weights were trained")
    parser.add_argument(
        "--limit", type=positive, metavar="N",
        help="only the first N pictures")
    parser.add_argument(
        "--train-data", metavar="PATH",
        help="pictures whose train part the floors know (mean, neighbours, "
        "principal components); needs scikit-learn")
    parser.add_argument(
        "--baselines", metavar="DIR",
        help="folder that `python -m training.baselines` wrote; saved "
        "Colorizers in it are measured too")
    parser.add_argument(
        "--seeds", type=positive, default=1, metavar="N",
        help="sampling seeds to average over, from --seed on "
        "(default: %(default)s)")
    parser.add_argument(
        "--subset-size", type=positive, default=200, metavar="N",
        help="pictures, at even distances, for the columns of 100 results and "
        "the likelihood (default: %(default)s)")
    parser.add_argument(
        "--json", metavar="FILE",
        help="also write the table, settings and list of files here")
    parser.add_argument(
        "--plots", metavar="DIR", help="also write figures to this folder")
    add_seed(parser)
    add_temperature(parser)
    add_running(parser)


def _run(options):
    with checking():
        sampling = Sampling(
            seed=options.seed, temperature=options.temperature)
    start_tensorflow(options.threads, in_order=True)
    folder, described = find_weights(options.weights)
    from tfdivcolor.evaluation import bench

    table = bench.run(
        options.data, folder, options.subset, options.limit, sampling,
        num_seeds=options.seeds, subset_size=options.subset_size,
        train_data=options.train_data, baselines_folder=options.baselines,
        json_path=options.json, plots_folder=options.plots)
    print(f"weights {folder.resolve().name}, "
          f"{described['sha256'][:12]}...; {options.data}"
          + (f", {options.subset}" if options.subset else ""))
    print(table)
    written = [name for name in (options.json, options.plots) if name]
    if written:
        print(f"wrote {', '.join(written)}")
    return 0
