"""Makes the training and validation fields of Labeled Faces in the Wild.

    python -m training.prepare_lfw --out data/lfw

decodes the official deep-funneled archive (13,233 pictures of 5,749 people,
250 x 250 pixels) once, in about two minutes on two cores.  The configuration
`lfw` trains on the folder written here instead of the archive.  All pictures
of one person are on the same side of the split.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import posixpath
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # --help does not wait for TensorFlow
    from tfdivcolor.data import PhotoSet

URL = "http://vis-www.cs.umass.edu/lfw/lfw-deepfunneled.tgz"
CHECKSUM = "68331da3eb755a505a502b5aacb3c201"  # MD5 of the file at URL
NUM_PICTURES = 13_233

_ALGORITHMS = {32: "md5", 64: "sha256"}  # by number of digits


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        archive = fetch(options.archive, options.checksum)
        prepare(archive, options.out, options.canvas)
    except ValueError as error:
        print(f"prepare_lfw: {error}", file=sys.stderr)
        return 1
    return 0


def fetch(archive: str, checksum: str | None = None) -> str:
    """Finds or downloads the archive and checks its checksum.

    Args:
        archive: str. A path or an http(s) URL. A URL is downloaded once, into
            Keras's folder of data sets.
        checksum: str or None. MD5 or SHA-256 in hexadecimal. None, the
            default, checks only the file at `URL`, against `CHECKSUM`.

    Returns:
        str. The path of the local file.

    Raises:
        ValueError: if the file does not exist, the download fails, or the
            checksum differs.
    """
    if checksum is None and archive == URL:
        checksum = CHECKSUM
    if checksum is not None and len(checksum) not in _ALGORITHMS:
        raise ValueError("checksum must be an MD5 or SHA-256 in hexadecimal, "
                         f"32 or 64 digits (received {checksum!r})")
    if archive.startswith(("http://", "https://")):
        archive = _download(archive, checksum)
    elif not os.path.isfile(archive):
        raise ValueError(f"{archive}: must be a file or an http(s) URL "
                         "(received neither)")
    if checksum is not None:
        with open(archive, "rb") as file:
            digest = hashlib.file_digest(file, _ALGORITHMS[len(checksum)])
        if digest.hexdigest() != checksum.lower():
            raise ValueError(
                f"{archive}: the checksum must be {checksum.lower()} "
                f"(received {digest.hexdigest()})")
    return archive


def prepare(archive: str, out: str, canvas: int) -> dict[str, PhotoSet]:
    """Decodes both subsets into the folder `out` and prints their sizes.

    Args:
        archive: str. Path of a .tgz with NAME/NAME_0001.jpg and so on.
        out: str. Folder for the fields. A missing folder is made.
        canvas: int. Side of the fields in a batch, in pixels.

    Returns:
        dict from a subset's name to `data.PhotoSet`.

    Raises:
        ValueError: if the archive is unreadable or is not LFW.
    """
    # Imported here so that --help does not wait for TensorFlow.
    from tfdivcolor import data
    from training import configs

    config = configs.CONFIGS["lfw"]
    names = data.names_in(archive)
    for name in names:
        if posixpath.basename(posixpath.dirname(name)) != data.group_of(name):
            raise ValueError(
                f"{archive}: every picture must have a name like "
                f"NAME/NAME_0001.jpg (received {name})")
    subsets = {}
    for subset, margin in (("train", config.margin), ("validation", 0)):
        subsets[subset] = data.from_archive(
            archive, canvas=canvas, margin=margin, subset=subset,
            validation_fraction=config.validation_fraction, cache=out)
        people = {data.group_of(name) for name in subsets[subset].names}
        print(f"{subset}: {len(subsets[subset]):,} pictures of "
              f"{len(people):,} people")
    if len(names) != NUM_PICTURES:
        print(f"{archive} has {len(names):,} of LFW's {NUM_PICTURES:,} "
              "pictures")
    print(f"Written to {out}. Train with\n"
          f"    python -m training.train --config lfw --data {out}")
    return subsets


def _download(url, checksum):
    import keras

    try:
        # With the checksum, Keras replaces an incomplete earlier download.
        return keras.utils.get_file(origin=url, file_hash=checksum)
    except Exception as error:  # get_file raises Exception itself
        raise ValueError(f"{url}: download failed ({error})") from error


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m training.prepare_lfw",
        description="Decodes the archive of Labeled Faces in the Wild once, "
        "into fields for training and validation, split by person.")
    parser.add_argument(
        "--archive", default=URL, metavar="FILE_OR_URL",
        help="the deep-funneled archive; a URL is downloaded once "
        "(default: %(default)s)")
    parser.add_argument(
        "--checksum", metavar="MD5_OR_SHA256",
        help="checksum of the archive (default: the known checksum for the "
        "default URL, none for other archives)")
    parser.add_argument(
        "--out", default="data/lfw", metavar="DIR",
        help="folder for the fields (default: %(default)s)")
    parser.add_argument(
        "--canvas", type=int, default=64,
        help="side of the colour fields in pixels (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
