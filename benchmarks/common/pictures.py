"""Photographs for measurements: a folder of JPEG files, generated or given."""

from pathlib import Path

from benchmarks.common.results import Options

SIDE = 250  # pixels, as in Labeled Faces in the Wild
QUALITY = 90


def paths(options, count, folder):
    """Finds or generates JPEG files.

    Args:
        options: `results.Options`. With `data`, the files of that folder;
            otherwise `count` squares from scikit-image's astronaut, mirrored,
            tinted and with grain, written to `folder`.
        count: int.
        folder: path of an empty folder.

    Returns:
        list of at most `count` paths; the folder of the files.

    Raises:
        ValueError: if `options.data` has no JPEG files.
    """
    if options.data:
        found = sorted(path for path in Path(options.data).rglob("*")
                       if path.suffix.lower() in (".jpg", ".jpeg"))
        if not found:
            raise ValueError(f"data must be a folder with JPEG files "
                             f"(received {options.data})")
        return found[:count], options.data
    return [_write(Path(folder), i, options.seed)
            for i in range(count)], folder


def _write(folder, number, seed):
    import numpy as np
    from PIL import Image

    random = np.random.default_rng([seed, number])
    picture = Image.fromarray(photograph(Options()))
    side = int(random.integers(150, 500))
    left, top = random.integers(0, 512 - side, 2).tolist()
    picture = picture.crop((left, top, left + side, top + side)).resize(
        [SIDE, SIDE], Image.Resampling.BICUBIC)
    if random.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(picture) * random.uniform(0.7, 1.1, 3)
    pixels += random.normal(0, 3, pixels.shape)
    # Every name counts as another person, so that a split keeps all pictures.
    path = folder / f"picture{number:05d}.jpg"
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(
        path, quality=QUALITY)
    return path


def photograph(options):
    """A photograph in colour: `options.photo`, or scikit-image's astronaut.

    Returns:
        uint8 or uint16 [H, W, 3].

    Raises:
        images.ImageError: a ValueError, if the file is not a picture.
        ImportError: if scikit-image is needed and not installed.
    """
    if options.photo:
        from tfdivcolor import images

        return images.read(options.photo).pixels
    try:
        from skimage import data
    except ImportError as error:
        raise ImportError("generated pictures need scikit-image: pip "
                          "install 'tfdivcolor[demo]'") from error
    return data.astronaut()


def scaled(options, megapixels):
    """The photograph at another size.

    Args:
        options: `Options`.
        megapixels: float.

    Returns:
        PIL image of the same proportions.
    """
    from PIL import Image

    image = Image.fromarray(photograph(options))
    scale = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
    return image.resize(
        [round(side * scale) for side in image.size],
        Image.Resampling.BICUBIC)


def decoded(options, count, folder):
    """Decodes pictures once into a cache, as training does.

    Args:
        options, count: as in `paths`.
        folder: path of an empty folder for pictures and cache.

    Returns:
        `PhotoSet` from the cache, on a canvas of side `canvas(options)`.
    """
    from tfdivcolor import data

    where, cache = Path(folder, "pictures"), Path(folder, "cache")
    where.mkdir()
    _, source = paths(options, count, where)
    side = canvas(options)
    return data.load(source, canvas=side, margin=side // 4, cache=cache,
                     limit=count, progress=False)


def canvas(options):
    """Side of the canvas in pixels: the default, or a small one if quick."""
    from tfdivcolor.settings import CANVAS

    return 16 if options.quick else CANVAS


def statistics(side, seed):
    """Makes random colour statistics for losses that need them.

    Args:
        side: int. Side of the fields in pixels.
        seed: int.

    Returns:
        dict of the arrays of `statistics.ColorStatistics`.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    size, count = 2 * side**2, 20
    directions = np.linalg.qr(random.normal(size=(size, count)))[0].T
    arrays = {"mean": np.zeros(size), "components": directions,
              "stddev": np.geomspace(5.0, 0.5, count),
              "ab_weights": random.uniform(0.2, 3.0, (23, 23))}
    return {name: array.astype(np.float32) for name, array in arrays.items()}
