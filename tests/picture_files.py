"""Small picture files of every kind that the exported model reads."""

import io

import numpy as np
from PIL import Image


def pixels_of(size=(40, 30), seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (*[-(-side // 8) for side in size[::-1]], 3))
    return np.kron(coarse, np.ones((8, 8, 1)))[
        :size[1], :size[0]].astype(np.uint8)


def encoded(image_format, mode="RGB", size=(40, 30), **options):
    file = io.BytesIO()
    Image.fromarray(pixels_of(size)).convert(mode).save(
        file, image_format, **options)
    return file.getvalue()


def animated(image_format, count=3):
    frames = [Image.fromarray(pixels_of(seed=i)) for i in range(count)]
    file = io.BytesIO()
    frames[0].save(
        file, image_format, save_all=True, append_images=frames[1:])
    return file.getvalue()


def deep():
    values = np.random.default_rng(0).integers(0, 65536, (30, 40))
    file = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(file, "PNG")
    return file.getvalue()


def transparent(image_format):
    image = Image.fromarray(pixels_of()).convert("RGBA")
    image.putalpha(100)
    file = io.BytesIO()
    image.save(file, image_format)
    return file.getvalue()


PICTURES = {
    "jpeg": encoded("JPEG"),
    "progressive": encoded("JPEG", progressive=True),
    "grey jpeg": encoded("JPEG", "L"),
    "cmyk jpeg": encoded("JPEG", "CMYK"),
    "png": encoded("PNG"),
    "1-bit png": encoded("PNG", "1"),
    "palette png": encoded("PNG", "P"),
    "png with alpha": encoded("PNG", "RGBA"),
    "grey png with alpha": encoded("PNG", "LA"),
    "transparent png": transparent("PNG"),
    "16-bit png": deep(),
    "bmp": encoded("BMP"),
    "bmp with alpha": encoded("BMP", "RGBA"),
    "webp": encoded("WEBP"),
    "lossless webp": encoded("WEBP", lossless=True),
    "webp with alpha": encoded("WEBP", "RGBA"),
    "1x1 png": encoded("PNG", size=(1, 1)),
    "1x1 jpeg": encoded("JPEG", size=(1, 1)),
    "1x1 bmp": encoded("BMP", size=(1, 1)),
    "tall": encoded("PNG", size=(3, 900)),
}


def mutated(data, rng):
    """A picture with bytes changed, cut out, doubled or at its end missing."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 8)):
        at = int(rng.integers(0, len(data)))
        kind = rng.integers(4)
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            del data[at:at + int(rng.integers(1, 40))]
        elif kind == 2:
            data[at:at] = data[at:at + int(rng.integers(1, 40))]
        else:
            del data[max(at, 1):]
        data = data or bytearray(b"\0")
    return bytes(data)
