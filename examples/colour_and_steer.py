# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Colour and steer
#
# A grey photograph has many plausible colourings. This notebook samples eight,
# gives two hints, varies one result, and warms another photograph. It takes a
# minute on two processor cores.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from PIL import Image

import tfdivcolor as tdc


def show(titles, pictures, columns=4):
    """Shows pictures in rows."""
    rows = -(-len(pictures) // columns)
    height, width = pictures[0].shape[:2]
    figure, places = plt.subplots(
        rows, columns, squeeze=False, layout="constrained",
        figsize=(2.2 * columns, (2.2 * height / width + 0.3) * rows))
    for place in places.flat:
        place.axis("off")
    for place, title, picture in zip(places.flat, titles, pictures):
        place.imshow(picture, cmap="gray")
        place.set_title(title, fontsize=9)
    plt.show()


# %% [markdown]
# ## Colour
#
# The photograph is Eileen Collins's portrait by NASA, without its colours. A
# path, bytes, an open file or an array of any size work alike.

# %%
portrait = Image.fromarray(skimage.data.astronaut()).crop((90, 0, 360, 270))
photo = np.asarray(portrait.resize((405, 405)).convert("L"))
show(["the photograph"], [photo])

# %%
colorizer = tdc.load()  # the weights "photos"
result = colorizer.colorize(photo, num_samples=8, seed=0)
print(result.images.shape, result.images.dtype)

# %% [markdown]
# The first result is the mean of all colourings that the model finds possible.
# The others are alternatives. The share of a result says how often it is the
# best of the eight, as far as the model is right.

# %%
titles = [f"{rank}: {share:.0%}" for rank, share in enumerate(result.share)]
show(titles, result.images)

# %% [markdown]
# All results have the photograph's own luminance. They differ in the two
# chrominance channels only.

# %%
for rank in range(len(result)):
    assert result.luminance_error(result.image(rank)) < 0.5  # L*, 0 to 100

# %% [markdown]
# ## Hints
#
# Somebody knows that the suit was orange and the wall behind it blue. A hint
# is a pixel, counted from the top left, and a colour. The lightness of the
# colour does not matter.

# %%
suit = tdc.Hint(110, 370, (181, 85, 30))
wall = tdc.Hint(330, 60, (90, 120, 168))
hinted = colorizer.colorize(photo, seed=0, hints=[suit, wall])
show([f"{rank}" for rank in range(4)], hinted.images[:4])

# %% [markdown]
# How far is the first result from the two hints, in CIE units of ab? Without
# hints, and with them:

# %%
print(hinted.hints_before.round(), hinted.hints_after[0].round())

# %% [markdown]
# ## Keep and vary
#
# `keep` varies a result of the same call. The kept result comes first, and its
# variations follow. `strength` sets how far they go, from 0 to 1.

# %%
varied = colorizer.colorize(
    photo, seed=0, hints=[suit, wall], keep=3, strength=0.5)
show(["kept", "variation", "variation", "variation"], varied.images[:4])

# %% [markdown]
# `interpolate` makes results between two others, at even distances in the
# latent:

# %%
way = colorizer.interpolate(result[1], result[7], steps=4)
show(["result 1", "", "", "result 7"], way.images)

# %% [markdown]
# ## Warmth and saturation
#
# Warmth moves the colours that the model is unsure of. It does not tint the
# whole picture.

# %%
coffee = np.asarray(Image.fromarray(skimage.data.coffee()).convert("L"))
cups = {
    "cooler": colorizer.colorize(coffee, warmth=-8),
    "as it comes": colorizer.colorize(coffee),
    "warmer": colorizer.colorize(coffee, warmth=8),
    "more saturated": colorizer.colorize(coffee, saturation=1.5),
}
show(list(cups), [cup.image(0) for cup in cups.values()])

# %% [markdown]
# ## Take it away
#
# `image` gives pixels of 8 bits, `image_16` of 16. The command `tfdivcolor
# colorize photo.jpg --hint 110,370,#b5551e` writes the same results to files,
# with a record of the seed and all settings.
#
# Colours are guesses. They are no evidence of how anything or anyone looked.

# %%
folder = Path(tempfile.mkdtemp())
for rank in range(len(hinted)):
    Image.fromarray(hinted.image(rank)).save(folder / f"portrait_{rank:02}.png")
print(sorted(path.name for path in folder.iterdir()))
