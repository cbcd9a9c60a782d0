"""The files that the pages' examples read, made of scikit-image's pictures."""

import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import skimage.data
from doc_blocks import ROOT
from PIL import Image

from tfdivcolor.coloring.recipes import Recipe
from tfdivcolor.data import is_validation
from tfdivcolor.models import storage
from tfdivcolor.settings import Sampling, Steering

FRAMES = (0, 60, 120, 180)  # pixels from the left of a pan


def make(folder, photographs):
    """Fills a folder.

    Args:
        folder: pathlib.Path.
        photographs: int. Number of files in photographs/.
    """
    portrait = Image.fromarray(skimage.data.astronaut()).crop(
        (90, 0, 360, 270)).resize((405, 405))
    coffee = Image.fromarray(skimage.data.coffee())
    portrait.save(folder / "colour.jpg", quality=95)
    (folder / "demo").mkdir()
    for path in ("portrait.png", "demo/portrait.png"):  # as `make demo` does
        portrait.convert("L").save(folder / path)
    portrait.convert("L").save(folder / "photo.jpg", quality=95)
    portrait.convert("L").crop((5, 0, 405, 405)).save(
        folder / "next.jpg", quality=95)
    for name, pixels in (("coffee", skimage.data.coffee()),
                         ("cat", skimage.data.chelsea()),
                         ("rocket", skimage.data.rocket())):
        Image.fromarray(pixels).convert("L").reduce(2).save(
            folder / f"{name}.png")
    for name in ("photo.jpg", "portrait.png"):
        (folder / name).with_name(f"{Path(name).stem}_recipe.json").write_text(
            _recipe(folder / name))
    (folder / "frames").mkdir()
    for number, left in enumerate(FRAMES):
        coffee.convert("L").crop((left, 0, left + 400, 400)).resize(
            (200, 200)).save(folder / "frames" / f"{number:04d}.png")
    for name, count in (("photographs", photographs),
                        ("photos", photographs), ("kodak", 5), ("streets", 5)):
        (folder / name).mkdir()
        for file, cut in zip(names(count), cuts(count)):
            cut.save(folder / name / file, quality=95)


def _recipe(photo):
    """What the studio writes of three results without hints."""
    weights = storage.describe(storage.find("photos"))["sha256"]
    return Recipe(
        photo.name, hashlib.sha256(photo.read_bytes()).hexdigest(), None,
        "photos", weights, Sampling(), Steering(), (0, 1, 2)).to_json()


def make_checkout(folder, people=120):
    """Adds what only slow examples read: archives, the folder serving/."""
    for name in ("lfw.tgz", "lfw-deepfunneled.tgz"):
        with tarfile.open(folder / name, "w:gz") as archive:
            for number, cut in enumerate(cuts(people)):
                data = io.BytesIO()
                cut.save(data, "JPEG", quality=95)
                member = tarfile.TarInfo(
                    f"lfw/Person_{number}/Person_{number}_0001.jpg")
                member.size = data.tell()
                data.seek(0)
                archive.addfile(member, data)
    shutil.copytree(
        ROOT / "serving", folder / "serving",
        ignore=shutil.ignore_patterns("build", "__pycache__"))


def names(count):
    """list of names of files; of many, two are for validation in any case."""
    possible = [f"{number:04d}.jpg" for number in range(1000)]
    held_out = [name for name in possible if is_validation(name, 0.01)][:2]
    if count < 10:
        return possible[:count]
    return held_out + [name for name in possible if name not in held_out][
        :count - len(held_out)]


def cuts(count):
    """Yields pieces of 128x128 pixels of four photographs in colour."""
    rng = np.random.default_rng(0)
    sources = (skimage.data.astronaut(), skimage.data.coffee(),
               skimage.data.chelsea(), skimage.data.rocket())
    for number in range(count):
        pixels = sources[number % len(sources)]
        side = 200
        top = rng.integers(0, pixels.shape[0] - side)
        left = rng.integers(0, pixels.shape[1] - side)
        yield Image.fromarray(
            pixels[top:top + side, left:left + side]).resize((128, 128))
