"""Time and memory of colouring large photographs.

    python -m benchmarks.full_size photo.jpg

The program scales a photograph to several sizes, adds grain, and lets each size
be coloured as `tfdivcolor colorize` does, in a separate process: reading,
networks, and eight results joined, encoded and written.  Two smaller
photographs warm up graphs and loops first.  The program prints seconds, the
size of the files, and the process's peak memory, with TensorFlow.  JPEG and PNG
results are those of a JPEG file, 16-bit TIFF results those of a 16-bit TIFF
file.
"""

import argparse

from benchmarks import table
from benchmarks.common import timing
from benchmarks.common.processes import once, peak_memory
from benchmarks.common.results import Options, goal, report, section, spread
from tfdivcolor.settings import DEFAULT_WEIGHTS

SIZES = (0.3, 3, 12, 100)  # megapixels
RESULTS, ROUNDS = 8, 3
# For benchmarks.run: megapixels, format, goals for seconds and GB, rounds.
GOALS = ((12, "PNG", 3, 1, ROUNDS), (12, "JPEG", 2, None, ROUNDS),
         (12, "TIFF", 4, None, ROUNDS), (100, "PNG", 25, 3, 1))
HEADINGS = ["megapixels", "size", "results", "seconds", "MB each", "peak GB"]
GRAIN = 3.0  # levels; without it an enlarged photograph compresses too easily


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(
        description="Measures time and memory of large photographs.")
    parser.add_argument("photo", nargs="?", help="the photograph to scale "
                        "(default: scikit-image's astronaut)")
    parser.add_argument(
        "--megapixels", type=float, nargs="+", default=SIZES, metavar="N",
        help="sizes (default: %(default)s)")
    parser.add_argument("--results", type=int, default=RESULTS, metavar="N",
                        help="results of each size (default: %(default)s)")
    parser.add_argument(
        "--weights", default=DEFAULT_WEIGHTS, metavar="NAME_OR_DIR",
        help="trained weights (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0,
                        help="seed of the results (default: %(default)s)")
    options = parser.parse_args(arguments)
    from tqdm import tqdm

    asked = Options(options.weights, options.seed, photo=options.photo)
    rows = [_row(size, image_format, options.results, [once(
        colour, asked, size, options.results, image_format)])
        for size in tqdm(options.megapixels, unit="size")
        for image_format in ("PNG", "JPEG", "TIFF")]
    print(f"seed {options.seed}, weights {options.weights}, "
          f"{options.photo or 'astronaut'}")
    print(table(HEADINGS, rows))


def _row(size, image_format, results, rounds):
    depth = ", 16 bits" * (image_format == "TIFF")
    return [
        f"{size:g}", rounds[0]["size"], f"{results} {image_format}{depth}",
        *(spread([found[part] for found in rounds])
          for part in ("seconds", "megabytes", "peak"))]


def measure(options, say):
    """Measures `GOALS`, for `benchmarks.run`."""
    rows, goals = [], []
    for size, image_format, seconds, peak, rounds in GOALS:
        size = 0.3 if options.quick else size
        say(f"{size:g} megapixels, {image_format}")
        found = [once(colour, options, size, RESULTS, image_format)
                 for _ in range(options.rounds(rounds))]
        rows.append(_row(size, image_format, RESULTS, found))
        name = f"{size:g} megapixels, {RESULTS} results as {image_format}"
        goals.append(goal(f"{name}: time", [one["seconds"] for one in found],
                          at_most=seconds, unit="s"))
        if peak:
            goals.append(goal(f"{name}: peak memory",
                              [one["peak"] for one in found],
                              at_most=peak, unit="GB"))
    return report(
        [section("Read, coloured and written", HEADINGS, rows)], goals)


def colour(options, megapixels, results, image_format):
    """Colours one photograph, in a separate process.

    Args:
        options: `Options`.
        megapixels: float. Size to scale the photograph to.
        results: int.
        image_format: "PNG", "JPEG" or "TIFF". A TIFF file has 16 bits.

    Returns:
        dict of seconds; megabytes: float, of one result; peak: float, GB;
        size: str.
    """
    from tfdivcolor.cli.common import find_weights, start_tensorflow

    start_tensorflow(in_order=True)
    import tempfile
    from pathlib import Path

    from tfdivcolor.coloring.batch import Work
    from tfdivcolor.coloring.frozen import FrozenColorizer
    from tfdivcolor.settings import Sampling

    weights, described = find_weights(options.weights)
    work = Work(FrozenColorizer(weights), weights.name, described["sha256"],
                Sampling(results, options.seed),
                image_format=image_format.lower())
    with tempfile.TemporaryDirectory() as folder:
        kind = ".tif" if image_format == "TIFF" else ".jpg"
        # The first two warm up graphs and loops; see `color.fullsize`.
        paths = [Path(folder, name + kind)
                 for name in ("small", "middle", "large")]
        for path, size in zip(paths, (0.3, 1, megapixels)):
            once(write_photograph, options, size, path)

        def run(path):
            (_, _, result), = work.run([(path, path.stem)], Path(folder))
            if isinstance(result, Exception):
                raise result
            return result

        *before, path = paths
        for other in before:
            run(other)
        done = []
        seconds = timing.seconds(lambda: done.append(run(path)))
        height, width, _ = done[0].luminance.shape
        sizes = [path.stat().st_size for path in Path(folder).glob("large_*")
                 if path.suffix != ".json"]
    return {"seconds": seconds, "megabytes": sum(sizes) / len(sizes) / 1e6,
            "peak": peak_memory(), "size": f"{width} x {height}"}


def write_photograph(options, megapixels, path):
    """Writes a photograph: 8 bits as JPEG, or 16 bits as TIFF."""
    import numpy as np

    from tfdivcolor import images

    pixels, image_format = _photograph(options, megapixels), "JPEG"
    if path.suffix == ".tif":
        pixels, image_format = pixels * np.uint16(257), "TIFF"
    path.write_bytes(images.encode(pixels, image_format))


def _photograph(options, megapixels):
    """The scaled photograph with grain: uint8 [H, W, 3]."""
    import numpy as np

    from benchmarks.common import pictures

    pixels = np.array(pictures.scaled(options, megapixels))
    random = np.random.default_rng(options.seed)
    for row in pixels:  # grain for all rows at once would take much memory
        grain = random.normal(0, GRAIN, [len(row), 1])
        row[:] = np.clip(row + grain, 0, 255).round()
    return pixels


if __name__ == "__main__":
    main()
