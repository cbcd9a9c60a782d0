"""Pictures for calls of the command, and what they leave."""

import json
from pathlib import Path

import numpy as np
import skimage.color
import skimage.data
from PIL import Image


def photograph(seed=0, height=40, width=52):
    """A part of the astronaut, without colour: uint8 [height, width]."""
    grey = skimage.color.rgb2gray(skimage.data.astronaut())
    top, left = np.random.default_rng(seed).integers(0, 400, 2)
    grey = grey[top:top + height, left:left + width]
    return np.round(grey * 255).astype(np.uint8)


def put(path, pixels, **options):
    """Writes a picture, with the folders above it; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def files_in(folder):
    """Relative names and bytes of all files, hidden ones included."""
    return {path.relative_to(folder).as_posix(): path.read_bytes()
            for path in Path(folder).rglob("*") if path.is_file()}


def record_in(folder, stem="photo"):
    return json.loads((folder / f"{stem}.json").read_text())


def errors_of(stderr):
    """The messages of stderr, each of which must be one line of ours."""
    lines = stderr.splitlines()
    assert all(line.startswith("tfdivcolor: ") for line in lines)
    return [line.removeprefix("tfdivcolor: ") for line in lines]


def said(stderr):
    """Our messages of stderr, without the progress bar beside them."""
    return [line.partition("tfdivcolor: ")[2] for line in
            stderr.replace("\r", "\n").splitlines() if "tfdivcolor: " in line]
