"""Writes photographs into TFRecord shards for training.

    python -m training.write_tfrecords photographs/ --out shards/photos

writes shards/photos-00000-of-00008.tfrecord and so on, with the unchanged bytes
of the files.  To train on them: --data 'shards/photos-*.tfrecord'.

    python -m training.write_tfrecords faces=lfw.tgz streets=streets/ \\
        flowers=flowers.pack --size 128 --out shards/photos

writes small squares of several named sources, about 4 kB each, without grey
and toned pictures.  --config photos trains on such files.

The command reads each picture once and holds one in memory at a time.  The
shards appear when all are complete.  The command names, counts and skips
unreadable files.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    # Imported here so that --help does not wait for TensorFlow.
    from tqdm import tqdm

    from tfdivcolor.coloring import outputs
    from tfdivcolor.data import sources, tfrecords

    skipped = []

    def skip(one):
        sources.say(one)
        skipped.append(one)

    try:
        outputs.make_folder(Path(options.out).parent)
        # The delay keeps the bar out of an error about wrong arguments.
        with tqdm(unit=" pictures", delay=1) as bar:
            paths = tfrecords.write_tfrecords(
                _sources(options.photos), options.out, options.shards,
                on_skip=skip, on_picture=bar.update, size=options.size)
    except (ValueError, OSError) as error:
        print(f"write_tfrecords: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("write_tfrecords: stopped; wrote nothing", file=sys.stderr)
        return 130
    size = sum(map(os.path.getsize, paths))
    where = paths[0]
    if len(paths) > 1:
        where = (f"{len(paths):,} files, {paths[0]} to "
                 f"{os.path.basename(paths[-1])}")
    print(f"wrote {bar.n:,} pictures, {size:,} bytes, to {where}; skipped "
          f"{len(skipped):,}" + (", listed above" if skipped else ""))
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m training.write_tfrecords", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "photos", metavar="[NAME=]PHOTOS", nargs="+",
        help="folder (searched recursively), .tar/.tgz archive, .pack or "
        "TFRecord pattern; each of several needs a NAME, the name of its "
        "source")
    parser.add_argument(
        "--out", required=True, metavar="FOLDER/PREFIX",
        help="start of the files' names; a missing folder is made")
    parser.add_argument(
        "--shards", type=int, default=8, metavar="N",
        help="number of files, of about equal size (default: %(default)s)")
    parser.add_argument(
        "--size", type=int, metavar="PIXELS",
        help="write WebP squares with sides of PIXELS, and leave out grey and "
        "toned pictures (default: the unchanged files)")
    return parser


def _sources(arguments):
    """Maps source names to paths; returns a single unnamed path as it is."""
    if len(arguments) == 1 and "=" not in arguments[0]:
        return arguments[0]
    paths = {}
    for argument in arguments:
        name, equals, path = argument.partition("=")
        if not equals or not name or name in paths:
            raise ValueError(
                "PHOTOS: several sources must be NAME=PHOTOS, each name once "
                f"(received {argument!r})")
        paths[name] = path
    return paths


if __name__ == "__main__":
    sys.exit(main())
