"""Time and memory of colouring large photographs.

    python -m benchmarks.full_size photo.jpg

The program scales a photograph to several sizes, adds grain, and colours each
size in a separate process: `Colorizer.colorize`, then every result with
`image(i)`, encoded as PNG, one at a time.  It prints seconds, the share of
each part, and the process's peak memory, with TensorFlow and the photograph.
A small picture warms up the networks first.  `benchmarks.run` uses 12
megapixels.
"""

import argparse

from benchmarks import table
from benchmarks.common import timing
from benchmarks.common.processes import once, peak_memory
from benchmarks.common.results import Options, goal, report, section, spread
from tfdivcolor.settings import DEFAULT_WEIGHTS

SIZES = (0.3, 3, 12, 100)  # megapixels
LARGE, RESULTS, ROUNDS = 12, 8, 2  # for benchmarks.run
PARTS = ("colorize", "image", "encode")
HEADINGS = ["megapixels", "size", "seconds", *PARTS, "peak GB"]
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
    rows = [_row(size, [once(colour, asked, size, options.results)])
            for size in tqdm(options.megapixels, unit="size")]
    print(f"{options.results} results, seed {options.seed}, weights "
          f"{options.weights}, {options.photo or 'astronaut'}")
    print(table(HEADINGS, rows))


def _row(size, rounds):
    seconds = [sum(found[part] for part in PARTS) for found in rounds]
    return [
        f"{size:g}", rounds[0]["size"], spread(seconds),
        *("{:.0f} %".format(100 * timing.summary(timing.ratios(
            [found[part] for found in rounds], seconds))["median"])
          for part in PARTS),
        spread([found["peak"] for found in rounds])]


def measure(options, say):
    """Measures 12 megapixels and eight results, for `benchmarks.run`."""
    size = 0.3 if options.quick else LARGE
    say(f"{size:g} megapixels")
    rounds = [once(colour, options, size, RESULTS)
              for _ in range(options.rounds(ROUNDS))]
    name = f"{size:g} megapixels, {RESULTS} results with PNG"
    return report(
        [section(f"{RESULTS} results, written as PNG", HEADINGS,
                 [_row(size, rounds)])],
        [goal(f"{name}: time",
              [sum(found[part] for part in PARTS) for found in rounds],
              unit="s"),
         goal(f"{name}: peak memory", [found["peak"] for found in rounds],
              unit="GB")],
        rounds=rounds)


def colour(options, megapixels, results):
    """Colours one photograph, in a separate process.

    Args:
        options: `Options`.
        megapixels: float. Size to scale the photograph to.
        results: int.

    Returns:
        dict of the seconds of each of `PARTS`; peak: float, GB; size: str.
    """
    from tfdivcolor.cli.common import start_tensorflow

    start_tensorflow()
    import collections

    import tfdivcolor as tdc
    from tfdivcolor import images

    pixels = _photograph(options, megapixels)
    colorizer = tdc.load(options.weights)
    colorizer.colorize(
        pixels[:64, :64], results, options.seed).image(0)
    seconds = collections.Counter()

    def timed(part, function, *arguments):
        done = []
        seconds[part] += timing.seconds(
            lambda: done.append(function(*arguments)))
        return done[0]

    result = timed("colorize", colorizer.colorize, pixels, results,
                   options.seed)
    for i in range(results):
        picture = timed("image", result.image, i)
        timed("encode", images.encode, picture, "PNG")
    height, width, _ = pixels.shape
    return {**seconds, "peak": peak_memory(), "size": f"{width} x {height}"}


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
