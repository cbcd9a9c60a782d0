"""Photographs to measure with: a folder of JPEG files, made or given."""

from pathlib import Path

from benchmarks.common.results import Options

SIDE = 250  # pixels, those of Labeled Faces in the Wild
QUALITY = 90


def paths(options, count, folder):
    """JPEG files.

    Args:
        options: `results.Options`; with `data` those of that folder, else
            `count` squares cut from scikit-image's astronaut, turned, tinted
            and with a grain, written to `folder`.
        count: int.
        folder: path of an empty folder.

    Returns:
        list of at most `count` paths, and the folder that they are in.

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
    # A person each, so that nothing is left out as another's relative.
    path = folder / f"picture{number:05d}.jpg"
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(
        path, quality=QUALITY)
    return path


def photograph(options):
    """A photograph in colour: that of `options.photo`, or the astronaut.

    Returns:
        uint8 or uint16 [H, W, 3].

    Raises:
        images.ImageError: a ValueError; the file is no picture.
        ImportError: if scikit-image is wanted and not installed.
    """
    if options.photo:
        from tfdivcolor import images

        return images.read(options.photo).pixels
    try:
        from skimage import data
    except ImportError as error:
        raise ImportError("pictures to measure with need scikit-image: pip "
                          "install 'tfdivcolor[demo]'") from error
    return data.astronaut()


def scaled(options, megapixels):
    """The photograph at another size.

    Args:
        options: `Options`.
        megapixels: float.

    Returns:
        PIL image of the same shape.
    """
    from PIL import Image

    image = Image.fromarray(photograph(options))
    scale = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
    return image.resize(
        [round(side * scale) for side in image.size],
        Image.Resampling.BICUBIC)


def decoded(options, count, folder):
    """As training has them: decoded once, into a cache.

    Args:
        options, count: as `paths`.
        folder: path of an empty folder, for pictures and cache.

    Returns:
        `PhotoSet` on a canvas of `canvas(options)`, from its cache.
    """
    from tfdivcolor import data

    where, cache = Path(folder, "pictures"), Path(folder, "cache")
    where.mkdir()
    _, source = paths(options, count, where)
    side = canvas(options)
    return data.load(source, canvas=side, margin=side // 4, cache=cache,
                     limit=count, progress=False)


def canvas(options):
    """Pixels a side of the networks that are trained: the default's, or few
    if quick."""
    from tfdivcolor.settings import CANVAS

    return 16 if options.quick else CANVAS


def statistics(side, seed):
    """Colour statistics of no data set, for losses that need some.

    Args:
        side: int. Pixels a side of the fields.
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
