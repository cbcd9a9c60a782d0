"""Makes the pictures of the site: `python docs/tools/pictures.py [NAME ...]`.

All pictures show photographs that come with scikit-image, coloured by the
shipped weights, and stay below 100 kB each.  Without names the program makes
all of them.
"""

import io
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from skimage import data

import tfdivcolor as tdc
from tfdivcolor.color import canvas, lab
from tfdivcolor.latent import clustering, plain_tensorflow, sampling

OUT = Path(__file__).parents[1] / "pictures"
MOST_BYTES = 100_000
SIDE = 210  # pixels of a photograph in a row
HINTS = (tdc.Hint(110, 370, (181, 85, 30)), tdc.Hint(330, 60, (90, 120, 168)))


def main(names):
    colorizer = tdc.load().freeze()
    for name in names or MADE:
        save(name, MADE[name](colorizer))


def portrait():
    """Eileen Collins's portrait, cropped to a square of 405 pixels."""
    whole = Image.fromarray(data.astronaut())
    return np.asarray(whole.crop((90, 0, 360, 270)).resize((405, 405)))


def cat():
    """Chelsea's face, a square of 300 pixels."""
    return data.chelsea()[:, 75:375]


def grey(pixels):
    return np.asarray(Image.fromarray(pixels).convert("L"))


# --- README ------------------------------------------------------------------


def kinds(colorizer):
    """Grey photographs of four kinds, and the first four results of each."""
    return first_results(colorizer, [
        portrait()[:300], data.rocket(), data.chelsea(), data.coffee()])


# --- Guides ------------------------------------------------------------------


def start(colorizer):
    """The eight results of one call."""
    result = colorizer.colorize(grey(portrait()))
    titles = [f"{rank:02d}   {100 * share:.0f} %"
              for rank, share in enumerate(result.share)]
    return row(["grey", *titles[:4], "", *titles[4:]],
               [result.grey, *result.images[:4], None, *result.images[4:]], 5)


def hints(colorizer):
    """The same call without hints, with one and with two."""
    photo = grey(portrait())
    shown = [("grey", marked(np.repeat(photo[..., None], 3, -1), HINTS))]
    for count in range(len(HINTS) + 1):
        result = colorizer.colorize(photo, hints=HINTS[:count])
        said = "no hint" if not count else (
            "one hint" if count == 1 else "two hints")
        shown += [(f"{said}, {rank:02d}", result.image(rank))
                  for rank in (0, 1)]
    order = [0, 1, 3, 5, None, 2, 4, 6]
    return row(*zip(*[shown[i] if i is not None else ("", None)
                      for i in order]), 4)


def keep(colorizer):
    """One result and variations of it by --keep."""
    photo = grey(portrait())
    before = colorizer.colorize(photo)
    little = colorizer.colorize(photo, keep=1, strength=0.3)
    much = colorizer.colorize(photo, keep=1, strength=1.0)
    return row(
        ["result 01", *["strength 0.3"] * 3, "", *["strength 1"] * 3],
        [before.image(1), *(little.image(i) for i in (1, 2, 3)),
         None, *(much.image(i) for i in (1, 2, 3))], 4)


def warmth(colorizer):
    """Cooler, as it comes, warmer; pale and saturated."""
    photo = grey(data.coffee())
    shown = {"cooler 8": {"warmth": -8}, "as it comes": {},
             "warmer 8": {"warmth": 8}, "saturation 0.5": {"saturation": 0.5},
             "saturation 1.5": {"saturation": 1.5}}
    return row(shown, [colorizer.colorize(photo, **steering).image(0)
                       for steering in shown.values()], 5)


def film(colorizer):
    """Frames of one pan, with one z and each for itself."""
    whole = grey(data.coffee())
    frames = [whole[:, start:start + 400] for start in (0, 60, 120, 180)]
    first = colorizer.colorize(frames[0])
    same = [colorizer.colorize(frame, latents=first.latents).image(5)
            for frame in frames]
    anew = [colorizer.colorize(frame).image(5) for frame in frames]
    return row(["--same-z, frame 0", "1", "2", "3",
                "each anew, frame 0", "1", "2", "3"], [*same, *anew], 4)


def results(colorizer):
    """The first results of photographs of different kinds."""
    return first_results(
        colorizer, [data.chelsea(), data.coffee(), data.rocket()])


def failures(colorizer):
    """Photographs in their own colours, and results of their grey versions."""
    photos = {"an orange suit": portrait(),
              "a red saucer": data.coffee(),
              "stained tissue": data.immunohistochemistry(),
              "galaxies": data.hubble_deep_field()[:600, :600]}
    shown, titles = [], []
    for name, photo in photos.items():
        result = colorizer.colorize(grey(photo))
        best = int(np.argmin(_errors(result, photo)))
        shown += [photo, result.image(0), result.image(best),
                  result.image(len(result) - 1)]
        titles += [name, "first", f"nearest of 8 ({best:02d})", "last"]
    return row(titles, shown, 4, side=180)


def _errors(result, photo):
    """Mean distance in ab of every result to the photograph's own colours."""
    truth = canvas.on_canvas(
        lab.srgb_to_lab(tf.constant(photo[..., :3]))[..., 1:],
        result.ab.shape[1]).numpy()
    return np.linalg.norm(result.ab - truth, axis=-1).mean(axis=(1, 2))


# --- How it works ------------------------------------------------------------


def posterior(colorizer):
    """The true colours, and their reconstruction from the latent."""
    shown, titles = [], []
    for name, photo in (("portrait", portrait()), ("cat", cat())):
        back = colorizer.reconstruct(photo)
        field = canvas.join(_grey_lightness(back.ab[0]), back.ab[0]).numpy()
        shown += [photo, enlarged(field), back.image(0)]
        titles += [f"{name}, true colours", "64 x 64 field of z's mean",
                   "joined with the luminance"]
    return row(titles, shown, 3, side=300)


def _grey_lightness(field):
    """A luminance of 65 everywhere, to show a field by itself."""
    return np.full([*field.shape[:2], 1], 65, np.float32)


def regions(colorizer):
    """The pixels of the largest regions."""
    shown, titles = [], []
    for photo in (portrait(), cat()):
        luminance = _seen(colorizer, photo)
        seen, _ = colorizer.look(luminance)
        assignment = seen["assignment"].numpy()[0].reshape([64, 64, -1])
        hues = np.linspace(0, 1, assignment.shape[-1], endpoint=False)
        hues = hues[np.argsort(np.sin(np.arange(len(hues)) * 12.9898))]
        colours = 60 * np.stack(
            [np.cos(2 * np.pi * hues), np.sin(2 * np.pi * hues)], -1)
        small = canvas.on_canvas(luminance[0], 64).numpy()
        shown += [np.repeat(grey(photo)[..., None], 3, -1), enlarged(
            canvas.join(0.6 * small + 30,
                        (assignment @ colours).astype(np.float32)).numpy())]
        titles += ["grey", "32 regions, a hue each"]
        largest = np.argsort(-assignment.sum(axis=(0, 1)))[:3]
        for region in largest:
            mask = np.uint8(255 * assignment[..., region] /
                            assignment[..., region].max())
            shown.append(enlarged(np.repeat(mask[..., None], 3, -1)))
            titles.append(f"region {region}")
    return row(titles, shown, 5)


def mixture(colorizer):
    """The means of the mixture's components, heaviest first."""
    photo = grey(portrait())
    number = colorizer.num_components
    result = colorizer.colorize(photo, num_samples=number, mode="components")
    shown = [result.grey, *(result.image(i) for i in range(number))]
    titles = ["grey", *(f"weight {weight:.2f}" for weight in result.weight)]
    return row(titles, shown, 6, side=175)


def clusters(colorizer):
    """Draws of z, eight results among them, and the pictures of these."""
    luminance = _seen(colorizer, portrait())
    seen, params = colorizer.look(luminance)
    sensitivity = colorizer.vae.decoder.sensitivity(seen)
    seed = tf.constant([0], tf.int64)
    draws = plain_tensorflow.draw(
        params, seed, sampling.SMALLEST_POOL, tf.sqrt(0.5))
    result = colorizer.colorize(grey(portrait()))
    points = (draws * sensitivity[:, None]).numpy()[0]
    centres = result.latents * sensitivity.numpy()
    nearest = tf.argmin(clustering.distances(
        points[None], centres[None]), axis=-1).numpy()[0]
    middle = points.mean(axis=0)
    axes_of = np.linalg.svd(points - middle, full_matrices=False)[2][:2]
    flat, flat_centres = ((x - middle) @ axes_of.T for x in (points, centres))
    colours = [result.image(i)[30:90, 300:390].mean(axis=(0, 1)) / 255
               for i in range(len(result))]
    figure = Figure(figsize=(8.6, 3.6), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 6)
    axes = figure.add_subplot(grid[:, :2])
    for rank, colour in enumerate(colours):
        axes.scatter(*flat[nearest == rank].T, s=14, color=colour,
                     edgecolors="#666", linewidths=0.4)
        axes.annotate(f"{rank:02d}", flat_centres[rank], fontsize=9,
                      ha="center", va="center", bbox={
                          "boxstyle": "circle,pad=0.15", "fc": colour,
                          "ec": "black"})
    axes.set(xticks=[], yticks=[], xlabel="first principal component",
             ylabel="second", title=f"{len(points)} draws and 8 results")
    for rank in range(8):
        small = figure.add_subplot(grid[rank // 4, 2 + rank % 4])
        small.imshow(result.image(rank))
        small.set_title(f"{rank:02d}   {100 * result.share[rank]:.0f} %",
                        fontsize=9)
        small.axis("off")
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def _seen(colorizer, photo):
    """The luminance that the networks see: float32 [1, s, s, 1]."""
    return canvas.on_canvas(
        canvas.luminance_of(photo), colorizer.luminance_size)[None]


# --- Drawing -----------------------------------------------------------------


def first_results(colorizer, photos):
    """A line a photograph: its grey version and the first four results."""
    shown = []
    for photo in photos:
        result = colorizer.colorize(grey(photo))
        shown += [result.grey, *(result.image(i) for i in range(4))]
    titles = ["grey", "00", "01", "02", "03"]
    return row([*titles, *[""] * (len(shown) - len(titles))], shown, 5)


def row(titles, pictures, columns, side=SIDE):
    """Pictures with titles, `columns` in a line; None leaves a place empty."""
    shown = [None if picture is None else fitted(picture, side)
             for picture in pictures]
    lines = [(list(titles)[i:i + columns], shown[i:i + columns])
             for i in range(0, len(shown), columns)]
    heights = [26 + max(picture.shape[0] for picture in line
                        if picture is not None) for _, line in lines]
    width, height = columns * (side + 8), sum(heights)
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    FigureCanvasAgg(figure)
    for i, (names, line) in enumerate(lines):
        top = sum(heights[:i]) + 22
        for column, (name, picture) in enumerate(zip(names, line)):
            if picture is None:
                continue
            axes = figure.add_axes((
                (column * (side + 8) + 4) / width,
                1 - (top + picture.shape[0]) / height,
                side / width, picture.shape[0] / height))
            axes.imshow(picture)
            axes.axis("off")
            axes.set_title(name, fontsize=8, pad=3)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def fitted(pixels, side):
    """The picture with `side` pixels across."""
    height = round(side * pixels.shape[0] / pixels.shape[1])
    return np.asarray(Image.fromarray(pixels).resize(
        (side, height), Image.Resampling.LANCZOS))


def enlarged(pixels):
    """A small field whose pixels stay visible."""
    return np.asarray(Image.fromarray(pixels).resize(
        (448, 448), Image.Resampling.NEAREST))


def marked(pixels, points):
    """The picture with a ring in its colour at each hint."""
    pixels = pixels.copy()
    y, x = np.mgrid[:pixels.shape[0], :pixels.shape[1]]
    for hint in points:
        distance = np.hypot(x - hint.x, y - hint.y)
        pixels[distance < 16] = 255
        pixels[distance < 13] = hint.rgb
    return pixels


def save(name, pixels):
    """Writes a JPEG file of the best quality that fits."""
    for quality in range(92, 40, -4):
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=quality)
        if data.tell() < MOST_BYTES:
            break
    OUT.mkdir(exist_ok=True)
    (OUT / f"{name}.jpg").write_bytes(data.getvalue())
    print(f"{name}: {data.tell():,} bytes, quality {quality}")


MADE = {make.__name__: make for make in (
    kinds, start, hints, keep, warmth, film, results, failures, posterior,
    regions, mixture, clusters)}

if __name__ == "__main__":
    main(sys.argv[1:])
