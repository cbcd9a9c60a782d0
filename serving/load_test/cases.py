"""The requests of a load test: photographs, or a mixture with bad requests."""

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from serving import client
from tfdivcolor import images
from tfdivcolor.settings import DEFAULTS, Hint, Steering

_REFUSED = "INVALID_ARGUMENT"


@dataclass(frozen=True, eq=False)
class Case:
    """One request and its expected answer.

    Attributes:
        signature: str. The signature to call.
        inputs: dict from an input's name to a list of bytes or an array.
        pictures: int. Number of encoded pictures in the answer.
        expected: str. "OK", or the code of the refusal.
    """

    signature: str
    inputs: dict
    pictures: int
    expected: str = "OK"


def plain(photos, signatures, num_samples=None):
    """Makes one request for each photograph.

    Args:
        photos: list of bytes, image files.
        signatures: dict, the model's signatures; see `RestClient.signatures`.
        num_samples: int, for colorize_n. None, the default, calls colorize,
            with the number that the model was exported with.

    Returns:
        list of `Case`.

    Raises:
        ValueError: if the model lacks the signature.
    """
    if num_samples is None:
        _require(signatures, "colorize")
        return [_colorize(signatures, [photo]) for photo in photos]
    _require(signatures, "colorize_n")
    return [_colorize_n(photo, num_samples) for photo in photos]


def mixed(photos, signatures):
    """Makes requests as from many users: several signatures, sizes, mistakes.

    Args:
        photos, signatures: as in `plain`.

    Returns:
        list of `Case`. About one in three is deliberately bad.

    Raises:
        ValueError: if the model lacks a signature.
    """
    _require(signatures, "serving_default", "colorize", "colorize_tensor",
             "prior")
    count = signatures["colorize_tensor"]["ab"][1]
    shape = [1, *signatures["colorize_tensor"]["luminance"][1:]]
    luminance = np.linspace(0, 100, np.prod(shape), dtype=np.float32)
    luminance = luminance.reshape(shape)
    cases = [
        Case("prior", {"luminance": luminance}, 0),
        Case("colorize_tensor", {
            "luminance": luminance, "seed": np.int64([1]),
            "temperature": np.float32([1])}, 0),
        _bad(_colorize(signatures, [b"not a picture"])),
    ]
    for photo in photos:
        half, quarter = _reduced(photo, 2, "JPEG"), _reduced(photo, 4, "WEBP")
        cases += [Case("serving_default", {"image_bytes": [data]}, count)
                  for data in (photo, half, quarter)]
        whole = _colorize(signatures, [photo])
        cases += [
            whole, _colorize(signatures, [half, photo, quarter]),
            _bad(_colorize(signatures, [quarter, photo[:len(photo) // 2]])),
            _bad(whole, temperature=np.float32([-1])),
            _bad(whole, seed=np.int64([1, 2])),
        ]
        if "colorize_n" in signatures:
            one = _colorize_n(photo, 1)
            cases += [one, _colorize_n(half, 3),
                      _bad(one, num_samples=np.int32(0))]
        if "colorize_hinted" in signatures:
            hinted = _colorize_hinted(photo, 2)
            cases += [hinted, _bad(hinted, warmth=np.float32(99))]
    return cases


def _require(signatures, *names):
    missing = [name for name in names if name not in signatures]
    if missing:
        raise ValueError(
            f"the model must have the signature {', '.join(missing)} "
            f"(received {', '.join(sorted(signatures)) or 'none'})")


def _colorize(signatures, data):
    count = signatures["colorize"]["log_prob"][1]
    return Case("colorize", client.inputs_of("colorize", data, DEFAULTS),
                len(data) * count)


def _colorize_n(photo, num_samples):
    return Case("colorize_n", client.inputs_of(
        "colorize_n", [photo], replace(DEFAULTS, num_samples=num_samples)),
        num_samples)


def _colorize_hinted(photo, num_samples):
    return Case("colorize_hinted", client.inputs_of(
        "colorize_hinted", [photo], replace(DEFAULTS, num_samples=num_samples),
        [Steering(hints=[Hint(0, 0, (178, 34, 34))])]), num_samples)


def _bad(case, **inputs):
    """The case with some inputs replaced, so that the server must refuse."""
    return Case(case.signature, {**case.inputs, **inputs}, 0, _REFUSED)


def _reduced(photo, factor, image_format):
    pixels = Image.fromarray(images.read(photo).pixels)
    file = io.BytesIO()
    pixels.reduce(factor).save(file, image_format, quality=90)
    return file.getvalue()
