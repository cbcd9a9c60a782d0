"""Decodes photographs to Lab fields, each once.

Photographs come from a folder, an archive or TFRecord shards.  Fields have
`canvas + margin` pixels per side (`luminance_size + margin` if that is given);
the margin leaves room for the random crops of training.  `sources` finds the
photographs, this module decodes them, and `photo_cache` keeps the fields.
"""

import collections
import concurrent.futures
import functools
import io
import itertools
import os
import sys
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image
from tqdm import tqdm

from tfdivcolor import color, images, settings
from tfdivcolor.data import encoded, photo_cache, sources
from tfdivcolor.data.photo_cache import Selection
from tfdivcolor.data.photo_set import (
    GREY,
    MIN_CHROMA,
    PhotoSet,
    Skipped,
    report,
)
from tfdivcolor.data.sources import VALIDATION_FRACTION
from tfdivcolor.utils.errors import reason

_WORKERS = 2


def load(path: str | os.PathLike, canvas: int = settings.CANVAS,
         margin: int = 0, subset: str | None = None,
         validation_fraction: float = VALIDATION_FRACTION,
         cache: str | os.PathLike | None = None, limit: int | None = None,
         progress: bool = True, luminance_size: int = 0,
         squash: bool = False, on_demand: bool = False) -> PhotoSet:
    """Decodes photographs to colour fields: largest centred square, resized.

    Unreadable pictures and grey ones (mean chroma below 1) are skipped, listed
    in the result and counted in a message. Unreadable folders and the damaged
    rest of TFRecord files are skipped too, each with its own message.

    Args:
        path: path of a folder (searched recursively, sorted by name), an
            archive (.tar, .tgz, .tar.gz, in its own order), a pattern of
            TFRecord files ("photos-*.tfrecord", with the features
            image/encoded and image/filename), or a folder that an earlier
            call filled as its `cache`.
        canvas: int. Side of the fields in a batch, in pixels. Defaults to
            `settings.CANVAS`.
        margin: int. Extra pixels per side for random crops. Defaults to 0.
        subset: None for all, or "train" or "validation", which share no
            person and no file name; see `is_validation`. Defaults to None.
        validation_fraction: float, 0 to 1. Share of the groups in
            "validation". Defaults to 0.08.
        cache: path of a folder, or None. The folder keeps the fields, and a
            later call for the same pictures reads them as a memory map.
            Defaults to None: the fields stay in memory.
        limit: int or None. Use only the first `limit` pictures. Defaults to
            None.
        progress: bool. Show a progress bar, and the report on standard error.
            Defaults to True.
        luminance_size: int. Side of the luminance in a batch, in pixels, a
            multiple of the canvas. Defaults to 0: the canvas.
        squash: bool. Squash whole pictures to a square, as `colorize` does,
            instead of cropping them to their largest centred square. Defaults
            to False.
        on_demand: bool. Decode pictures of TFRecord files when a batch needs
            them, instead of all of them now: for more pictures than memory
            holds. Excludes `cache`; see `encoded`. Defaults to False.

    Returns:
        `PhotoSet`.

    Raises:
        ValueError: if `path` does not exist or holds no usable picture, or if
            an argument is out of range.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError("path must be the path of a folder, an archive or "
                         f"TFRecord files (received {path!r})")
    options = {
        "canvas": canvas, "margin": margin, "subset": subset,
        "validation_fraction": validation_fraction, "limit": limit,
        "luminance_size": luminance_size, "squash": squash}
    if on_demand:
        if sources.source_of(path) is not sources.from_tfrecord or cache:
            raise ValueError(
                f"{path}: must be TFRecord files, without a cache, to be "
                "decoded on demand")
        photographs = encoded.from_shards(path, Selection(**options))
        if progress or photographs.skipped:
            print(photographs.report(), file=sys.stderr)
        return photographs
    if cache is None and os.path.isdir(path) and photo_cache.sets_in(path):
        return from_cache(path, **options)
    return _load(path, sources.source_of(path), cache=cache,
                 progress=progress, **options)


def from_directory(path: str | os.PathLike, **options: Any) -> PhotoSet:
    """Reads a folder and the folders in it; options as in `load`."""
    return _load(path, sources.from_folder, **options)


def from_archive(path: str | os.PathLike, **options: Any) -> PhotoSet:
    """Reads a .tar, .tgz or .tar.gz archive; options as in `load`."""
    return _load(path, sources.from_archive, **options)


def from_tfrecord(pattern: str | os.PathLike, **options: Any) -> PhotoSet:
    """Reads TFRecord files; options as in `load`."""
    return _load(pattern, sources.from_tfrecord, **options)


def from_cache(folder: str | os.PathLike, canvas: int = settings.CANVAS,
               **options: Any) -> PhotoSet:
    """Reads the fields that `load` cached, without the photographs.

    Args:
        folder: path. The `cache` of an earlier call.
        canvas: int. As in `load`, like the options `margin`, `subset`,
            `validation_fraction`, `limit`, `luminance_size` and `squash`.

    Returns:
        `PhotoSet`.

    Raises:
        ValueError: if the cache holds no fields with these settings.
    """
    return photo_cache.read(folder, Selection(canvas, **options))


def _load(path, source, cache=None, progress=True, **options):
    selection = Selection(**options)
    said = set()

    def look(on_skip):
        def skip(skipped):
            on_skip(skipped)
            if skipped not in said:  # the code reads the source twice
                sources.say(skipped)
                said.add(skipped)

        return _selected(source(path, skip), selection)

    damages = []
    members = [(name, size) for name, size, _ in look(damages.append)]
    if not members:
        subset = selection.subset
        raise ValueError(f"{path}: no pictures found"
                         + (f" for the subset {subset!r}" if subset else ""))
    decode = functools.partial(
        _decode, path, look, [name for name, _ in members], selection,
        progress=progress)
    if cache is None:
        photographs = _in_memory(decode, selection)
    else:
        photographs = photo_cache.read_or_make(
            cache, selection, members + damages, decode, progress)
    if progress or photographs.skipped:
        print(photographs.report(), file=sys.stderr)
    return photographs


def _selected(items, selection):
    chosen = (item for item in items if selection.takes(item[0]))
    return itertools.islice(chosen, selection.limit)


def _contents(read):
    try:
        return read()
    except OSError as error:
        return error


def _in_memory(decode, selection):
    file = io.BytesIO()
    names, skipped, _ = decode(file)
    lab = np.frombuffer(file.getbuffer(), np.float16).reshape(
        -1, selection.size, selection.size, 3)
    return PhotoSet(lab, names, skipped, selection.canvas, selection.margin,
                    selection.luminance_size)


@functools.cache  # one trace per size, for all calls of `load`
def _field_function(size, squash):
    """Makes a function: uint8 [H, W, 3] -> Lab float32 [size, size, 3]."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.uint8)])
    def convert(rgb):
        lab = tf.concat(color.split(rgb), axis=-1)
        return tf.image.resize(lab, [size, size], antialias=True)

    def field(pixels):
        # Limits the memory for large photographs. The reduced picture still
        # has 8 pixels for each pixel of the field.
        factor = max(min(pixels.shape[:2]) // (8 * size), 1)
        pixels = encoded.cropped(pixels, squash, factor)
        if factor > 1:
            pixels = np.asarray(Image.fromarray(pixels).reduce(factor))
        return convert(pixels).numpy()

    return field


def _decode_one(field, contents):
    """Returns (Lab field, None), or (None, reason to skip the picture)."""
    if isinstance(contents, OSError):
        return None, reason(contents)
    try:
        lab = field(images.read(contents).pixels)
    except images.ImageError as error:
        return None, str(error).removeprefix("image: ")
    if np.hypot(lab[..., 1], lab[..., 2]).mean() < MIN_CHROMA:
        return None, GREY
    return lab, None


def _decode(path, look, listed, selection, file, progress):
    """Appends the fields, float16, to `file`.

    Args:
        path: path of the source, for messages.
        look: function of an `on_skip` that reads the source from the start.
        listed: list of str. Names that the source had before.
        selection: `Selection`.
        file: binary file.
        progress: bool.

    Returns:
        names, skipped: as in `PhotoSet`; damaged parts of the source first.
        members: list of (name, size in bytes), with size 0 for unreadable
            pictures, and of the damaged parts. A cache's fingerprint depends
            on it.
    """
    members, damages = [], []

    def items():
        for name, _, read in look(damages.append):
            contents = _contents(read)
            members.append(
                (name, len(contents) if isinstance(contents, bytes) else 0))
            yield name, contents

    decode = functools.partial(_decode_one, _field_function(
        selection.size, selection.squash))
    results = tqdm(_in_order(decode, items()), total=len(listed),
                   unit=" pictures", disable=not progress)
    names, skipped = [], []
    for name, (field, fault) in results:
        if fault is None:
            file.write(field.astype(np.float16).tobytes())
            names.append(name)
        else:
            skipped.append(Skipped(name, fault))
    found = {name for name, _ in members}
    vanished = [Skipped(name, "removed before it could be read")
                for name in listed if name not in found]
    skipped = damages + skipped + vanished
    if not names:
        raise ValueError(
            f"{path}: no usable pictures: {report(names, skipped)}")
    return names, skipped, members + damages


def _in_order(function, items):
    """Maps `function` over (name, contents) in threads, with a short queue."""
    waiting = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
        for name, contents in items:
            waiting.append((name, pool.submit(function, contents)))
            if len(waiting) > 4 * _WORKERS:
                name, future = waiting.popleft()
                yield name, future.result()
        for name, future in waiting:
            yield name, future.result()
