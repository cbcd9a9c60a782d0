"""Runs the benchmarks of speed and memory, and checks their goals.

    python -m benchmarks.run                          # all, under 20 minutes
    python -m benchmarks.run sampling growth
    python -m benchmarks.run --json run.json --plot run.png

The program measures things to compare in turns, in one run.  A figure is the
median over the rounds, with the quartiles in brackets.  Run no other programs
at the same time.
The tables are Markdown, as in docs/performance.md.
"""

import argparse
import importlib
import json
import sys
import time
from pathlib import Path

from benchmarks import table
from benchmarks.common.results import Options, spread_of, text
from tfdivcolor.settings import DEFAULT_WEIGHTS

NAMES = ("machine", "train_step", "input", "sampling", "full_size", "folder",
         "start", "studio", "growth")


def main(arguments=None):
    """Runs the program; returns its exit code."""
    options = _parser().parse_args(arguments)
    names = options.names or NAMES
    from tqdm import tqdm

    from benchmarks import machine

    asked = Options(options.weights, options.seed, options.data,
                    options.photo, options.quick)
    found = {"machine": machine.description(asked), "benchmarks": {},
             "quick": asked.quick}
    print(table(["", "this run"], [
        list(pair) for pair in found["machine"].items()]))
    failed, started = [], time.monotonic()
    with tqdm(names, unit="benchmark") as bar:
        for name in bar:
            module = importlib.import_module(f"benchmarks.{name}")
            bar.set_postfix_str("", refresh=False)
            bar.set_description(name)
            try:
                part = module.measure(asked, bar.set_postfix_str)
            # One failure must not stop the other benchmarks.
            except Exception as error:
                failed.append(name)
                tqdm.write(f"{name}: {_line(error)}", file=sys.stderr)
                continue
            found["benchmarks"][name] = part
            tqdm.write(f"\n## {name}\n{text(part)}", file=sys.stdout)
            if options.json:
                options.json.write_text(json.dumps(found, indent=1) + "\n")
    print(f"\n## Goals\n\n{goals(found['benchmarks'])}")
    print(f"\n{(time.monotonic() - started) / 60:.1f} minutes"
          f"{', QUICK: do not use these figures' if asked.quick else ''}")
    if options.plot:
        from benchmarks.common import plot

        plot.save(found, options.plot)
    for path in (options.json, options.plot):
        if path and (path != options.json or found["benchmarks"]):
            print(f"wrote {path}")
    if failed:
        print(f"run: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", type=_name,
        help=f"benchmarks to run: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="write all measurements to FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE",
                        help="write a figure, PNG, PDF or SVG")
    parser.add_argument(
        "--data", type=_there, metavar="DIR",
        help="folder of JPEG files to read (default: generated files)")
    parser.add_argument(
        "--photo", type=_there, metavar="FILE", help="photograph to colour at "
        "full size (default: scikit-image's astronaut)")
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR",
        help="trained weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="seed of the results and of all other random "
                        "numbers (default: %(default)s)")
    parser.add_argument(
        "--quick", action="store_true",
        help="small networks, one round: a check that everything runs")
    return parser


def _name(text):
    if text not in NAMES:
        raise argparse.ArgumentTypeError(
            f"must be one of {', '.join(NAMES)} (received {text!r})")
    return text


def _there(text):
    if not Path(text).exists():
        raise argparse.ArgumentTypeError(f"must exist (received {text!r})")
    return text


def _line(error):
    """An error as one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300]


def goals(benchmarks):
    """Formats the table of figures, their bounds, and whether they are met.

    Args:
        benchmarks: dict from a benchmark's name to its report.

    Returns:
        str.
    """
    rows = []
    for name, part in benchmarks.items():
        for one in part["goals"]:
            found = (spread_of(one["found"], one["unit"]) if one["found"]
                     else one["instead"])
            bound = next((f"{sign} {one[key]:g} {one['unit']}".strip()
                          for key, sign in (("at_least", ">="),
                                            ("at_most", "<="))
                          if one[key] is not None), "")
            met = {True: "yes", False: "NO", None: ""}[one["met"]]
            rows.append([name, one["name"], found, bound, met,
                         one["absolute"]])
    return table(["benchmark", "figure", "median (quartiles)", "goal", "met",
                  "absolute"], rows)


if __name__ == "__main__":
    sys.exit(main())
