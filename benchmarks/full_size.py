"""Time and memory of colouring large photographs.

    python -m benchmarks.full_size photo.jpg

Scales a photograph to several sizes, adds a grain, and colours each in a
process of its own: `Colorizer.colorize`, then every result with `image(i)`,
encoded as PNG, one at a time.  Prints seconds, the share of each part, and the
process's peak memory, TensorFlow and the photograph included.  The networks
are warmed up on a small picture first.
"""

import argparse
import json
import subprocess
import sys

from benchmarks import table

SIZES = (0.3, 3, 12, 100)  # megapixels
PARTS = ("colorize", "image", "encode")
GRAIN = 3.0  # levels; an enlarged photograph alone is easy to compress


def main(arguments=None):
    """Runs the program."""
    parser = argparse.ArgumentParser(
        description="Measures time and memory of large photographs.")
    parser.add_argument("photo", help="a photograph, to be scaled")
    parser.add_argument(
        "--megapixels", type=float, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--results", type=int, default=8, metavar="N")
    parser.add_argument("--weights", default="lfw", metavar="NAME_OR_DIR")
    parser.add_argument("--seed", type=int, default=0, help="of the results")
    # What one process of its own measures.
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        print(json.dumps(_measure(options)))
        return
    from tqdm import tqdm

    rows = []
    for size in tqdm(options.megapixels, unit="size"):
        command = [
            sys.executable, "-m", "benchmarks.full_size", options.photo,
            "--one", "--megapixels", str(size), "--results",
            str(options.results), "--weights", options.weights, "--seed",
            str(options.seed)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        measured = json.loads(done.stdout.splitlines()[-1])
        seconds = [measured[part] for part in PARTS]
        rows.append([
            f"{size:g}", measured["size"], f"{sum(seconds):.1f}",
            *(f"{100 * part / sum(seconds):.0f} %" for part in seconds),
            f"{measured['peak']:.2f}"])
    print(f"{options.results} results, seed {options.seed}, weights "
          f"{options.weights}, {options.photo}")
    print(table(["megapixels", "size", "seconds", *PARTS, "peak GB"], rows))


def _measure(options):
    """Seconds of each part and peak memory in GB, for one size."""
    from tfdivcolor.command_line import start_tensorflow

    start_tensorflow()
    import collections
    import resource
    import time

    import tfdivcolor as tdc
    from tfdivcolor import formats

    pixels = _photograph(options.photo, options.megapixels[0], options.seed)
    colorizer = tdc.load(options.weights)
    colorizer.colorize(
        pixels[:64, :64], options.results, options.seed).image(0)
    seconds = collections.Counter()

    def timed(part, function, *arguments):
        start = time.perf_counter()
        result = function(*arguments)
        seconds[part] += time.perf_counter() - start
        return result

    result = timed("colorize", colorizer.colorize, pixels, options.results,
                   options.seed)
    for i in range(options.results):
        picture = timed("image", result.image, i)
        timed("encode", formats.encode, picture, "PNG")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if sys.platform != "darwin":  # which counts bytes, others kilobytes
        peak *= 1024
    height, width, _ = pixels.shape
    return {**seconds, "peak": peak / 1e9, "size": f"{width} x {height}"}


def _photograph(path, megapixels, seed):
    """The photograph scaled and with grain: uint8 [H, W, 3]."""
    import numpy as np
    from PIL import Image

    from tfdivcolor import images

    image = Image.fromarray(images.read(path).pixels)
    scale = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
    size = [round(side * scale) for side in image.size]
    pixels = np.array(image.resize(size, Image.Resampling.BICUBIC))
    random = np.random.default_rng(seed)
    for row in pixels:  # the grain of all at once would take much memory
        grain = random.normal(0, GRAIN, [len(row), 1])
        row[:] = np.clip(row + grain, 0, 255).round()
    return pixels


if __name__ == "__main__":
    main()
