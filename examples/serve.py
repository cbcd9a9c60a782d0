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
# # Serve
#
# This notebook exports a model and calls it over TensorFlow Serving's API. It
# starts a stand-in on this machine, which answers the same REST and gRPC
# routes; in production the server is TensorFlow Serving. It takes two minutes
# on two cores, and needs a checkout with `pip install '.[serving]'`.

# %%
import base64
import json
import logging
import sys
import tempfile
import urllib.error
import urllib.request
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage.data
from PIL import Image

import tfdivcolor as tdc

sys.path.insert(0, "..")  # the top of the checkout, which has serving/
from serving import client, standin

# %% [markdown]
# ## Export
#
# The export is a plain SavedModel. It decodes pictures, samples, joins the
# colours with the photograph at its own size and encodes the results. `save`
# runs it and compares it with the Colorizer before the version appears.

# %%
colorizer = tdc.load()
logging.getLogger("tensorflow").setLevel("WARNING")  # no names of folders
models = Path(tempfile.mkdtemp()) / "tfdivcolor"
version = tdc.export.save(models, colorizer)
print(sorted(path.name for path in version.iterdir()))

# %% [markdown]
# The contract lists the functions that a client can call:

# %%
contract = json.loads((version / "contract.json").read_text())
for name, signature in contract["signatures"].items():
    print(f"{name}: {', '.join(signature['inputs'])} -> "
          f"{', '.join(signature['outputs'])}")

# %% [markdown]
# ## Start a server
#
# With Docker, the same folder goes to `docker compose -f
# serving/deploy/docker-compose.yml up -d --wait`.

# %%
server = standin.start(models)
address = f"{server.rest_address}/v1/models/tfdivcolor"
with urllib.request.urlopen(address) as answer:
    print(answer.read().decode())

# %% [markdown]
# ## REST
#
# A call is one POST of JSON. Pictures travel as base64. Any language can do
# this; see `serving/examples/curl.sh`.

# %%
cat = Image.fromarray(skimage.data.chelsea()[:, 75:375]).convert("L")
file = BytesIO()
cat.save(file, "JPEG", quality=95)
jpeg = file.getvalue()


def predict(request):
    """Posts a request; returns the server's JSON."""
    body = json.dumps(request).encode()
    with urllib.request.urlopen(f"{address}:predict", body) as answer:
        return json.load(answer)


answer = predict({
    "signature_name": "colorize",
    "instances": [{"image_bytes": {"b64": base64.b64encode(jpeg).decode()},
                   "seed": 0, "temperature": 0.5}]})["predictions"][0]
pictures = [Image.open(BytesIO(base64.b64decode(encoded["b64"])))
            for encoded in answer["colorized_bytes"]]

figure, places = plt.subplots(2, 4, figsize=(8.4, 4.6), layout="constrained")
for place, picture, share in zip(places.flat, pictures, answer["share"]):
    place.imshow(picture)
    place.set_title(f"{share:.0%}", fontsize=9)
    place.axis("off")
plt.show()

# %% [markdown]
# ## The client, over gRPC
#
# The client adds what programs need: one deadline for all attempts,
# photographs in any format, clear errors. `connect` takes a REST address too.

# %%
with client.connect(server.grpc_address) as connection:
    result = connection.colorize(jpeg, num_samples=8, seed=0, temperature=0.5)
apart = np.abs(result.images.astype(int) - np.stack(pictures))
print("largest difference from REST:", apart.max())

# %% [markdown]
# The pictures are those of the Colorizer in Python, up to rounding:

# %%
expected = colorizer.colorize(jpeg, num_samples=8, seed=0, temperature=0.5)
apart = np.abs(result.images.astype(int) - expected.images)
near = (apart.max(axis=-1) <= 1).mean()
print(f"{near:.1%} of the pixels are within 1 of 255")

# %% [markdown]
# ## What the server refuses
#
# The server refuses a call with an unreadable picture. The message names the
# picture's row. Other calls continue.

# %%
try:
    predict({"signature_name": "colorize", "instances": [
        {"image_bytes": {"b64": base64.b64encode(jpeg[:500]).decode()},
         "seed": 0, "temperature": 0.5}]})
except urllib.error.HTTPError as error:
    print(error.code, json.load(error)["error"].splitlines()[0])

# %%
assert server.stop()

# %% [markdown]
# [The guide](../docs/guides/serving.md) goes on with limits, load tests and
# production.
