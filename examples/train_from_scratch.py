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
# # Train on a folder
#
# A folder of colour photographs is enough: their colours are the labels. This
# notebook trains a small model from scratch, in three minutes on two processor
# cores. It uses a tiny set, pieces of four photographs. Such a model knows
# these four photographs and nothing else; thousands of photographs and some
# hours make a useful one.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from PIL import Image

import tfdivcolor as tdc

# %% [markdown]
# ## A folder
#
# Training pieces come from the left of each photograph, and pieces to check
# from the right, so that no pixel is in both. With photographs of your own,
# `subset="train"` and `subset="validation"` split one folder.

# %%
rng = np.random.default_rng(0)
work = Path(tempfile.mkdtemp())


def cut(pixels, folder, name, count):
    """Saves square pieces at random places."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        side = rng.integers(120, 180)
        top = rng.integers(0, pixels.shape[0] - side)
        left = rng.integers(0, pixels.shape[1] - side)
        Image.fromarray(pixels[top:top + side, left:left + side]).save(
            folder / f"{name}{number}.jpg", quality=95)


for name in ("astronaut", "coffee", "chelsea", "rocket"):
    pixels = getattr(skimage.data, name)()
    middle = pixels.shape[1] * 6 // 10
    cut(pixels[:, :middle], work / "train", name, 60)
    cut(pixels[:, middle:], work / "check", name, 4)

photos = tdc.data.from_directory(work / "train", squash=True, progress=False)
check = tdc.data.from_directory(work / "check", squash=True, progress=False)
print(len(photos), "pictures to learn from,", len(check), "to check")

# %% [markdown]
# ## Fit
#
# The preset `regions` needs no pretrained network. Its fields set its size;
# this model is small. `fit` trains the networks and the mixture P(z | grey)
# together, and passes other arguments to Keras' `fit`.

# %%
colorizer = tdc.presets.build(
    "regions", num_regions=16, widths=(24, 32, 48, 64), feature_channels=16,
    depth=1)
history = colorizer.fit(
    photos, validation_data=check, epochs=40, batch_size=16,
    learning_rate=2e-3, verbose=0).history

# %%
figure, place = plt.subplots(figsize=(6, 2.6), layout="constrained")
for name in ("loss", "val_loss"):
    place.plot(range(1, len(history[name]) + 1), history[name], label=name)
place.set(xlabel="epoch", ylabel="loss")
place.legend()
plt.show()

# %% [markdown]
# ## Look
#
# The model has seen no pixel of these pieces. From left to right: grey, three
# results, and the photograph's own colours.

# %%
pieces = [work / "check" / f"{name}0.jpg"
          for name in ("astronaut", "coffee", "chelsea", "rocket")]
figure, places = plt.subplots(
    len(pieces), 5, figsize=(7.5, 6.2), layout="constrained")
for row, piece in zip(places, pieces):
    result = colorizer.colorize(piece, num_samples=3, seed=0)
    shown = [result.grey, *result.images, plt.imread(piece)]
    for place, picture in zip(row, shown):
        place.imshow(picture)
        place.axis("off")
plt.show()

# %% [markdown]
# ## Measure
#
# The table has the mean distance of the first result from the true colours, in
# CIE units, and the same for a grey picture. It compares the small model with
# the package's weights `photos`, which never saw these photographs.


# %%
def error(fields, truth):
    """Mean distance in ab, CIE units."""
    return float(np.linalg.norm(fields - truth, axis=-1).mean())


truth = np.concatenate([
    batch["ab"] for batch in check.batches(
        4, shuffle=False, drop_remainder=False).as_numpy_iterator()])
names = [work / "check" / name for name in check.names]
errors = {"grey": error(np.zeros_like(truth), truth)}
for name, model in (("from scratch", colorizer), ("photos", tdc.load())):
    fields = [model.colorize(path, num_samples=8, seed=0).ab for path in names]
    errors[name] = error(np.stack([field[0] for field in fields]), truth)
for name, value in errors.items():
    print(f"{name:14}{value:5.1f}")

# %% [markdown]
# The small model knows the other half of each photograph, so it may beat
# `photos` here. On any other photograph it is lost.

# %% [markdown]
# ## Save
#
# The saved folder works everywhere in place of a name: in `tdc.load`, and as
# `--weights my_weights` of the command.

# %%
colorizer.save(work / "my_weights")
again = tdc.load(work / "my_weights")
same = again.colorize(pieces[0], num_samples=3, seed=0).images
assert (same == colorizer.colorize(pieces[0], 3, seed=0).images).all()
print(sorted(path.name for path in (work / "my_weights").iterdir()))

# %% [markdown]
# To go on from here: [training with fit](../docs/guides/training.md) starts
# from an ImageNet encoder, and [the loops](../docs/guides/loops.md) resume
# after a power cut and train on hundreds of thousands of photographs.
