"""Defaults and limits shared by Python, command line and SavedModel.

Imports nothing heavy, so that `tfdivcolor --help` can print them at once.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tfdivcolor.utils.arguments import check_number, check_whole

CANVAS = 64  # pixels a side of the colour fields
DEFAULT_WEIGHTS = "photos"

MODES = ("diverse", "samples", "components")

MAX_SAMPLES = 100
MAX_PIXELS = 120_000_000
MAX_WARMTH = 30  # beyond that even what is certain would have to move
MAX_SATURATION = 10
MAX_LATENT = 1000  # results are a hundred times nearer to 0

_HINT = re.compile(r"(\d+),(\d+),#?([0-9a-fA-F]{6})")


@dataclass(frozen=True)
class Sampling:
    """How colourings are drawn from P(z | grey image).

    Attributes:
        num_samples: int, 1 to `MAX_SAMPLES`. Number of colourings S.
        seed: int64. One seed for every picture, used as given.
        temperature: float, 0 or more. Factor on the standard deviations of
            the mixture's components ("diverse": its square root): 0 leaves
            their means only. Does not matter to "components".
        mode: one of `MODES`. "diverse": few that stand for many draws;
            "samples": plain draws; "components": the means of the mixture's
            components (the paper's figures).

    Raises:
        ValueError: if a value is outside its range.
    """

    num_samples: int = 8
    seed: int = 0
    temperature: float = 0.5
    mode: str = "diverse"

    def __post_init__(self):
        check_whole("num_samples", self.num_samples, 1, MAX_SAMPLES)
        check_whole("seed", self.seed)
        if not -2**63 <= self.seed < 2**63:
            raise ValueError(
                f"seed must fit into 64 bits (received {self.seed})")
        check_number("temperature", self.temperature, 0)
        _plain(self, int, "num_samples", "seed")
        _plain(self, float, "temperature")
        if self.mode not in MODES:
            raise ValueError(
                f"mode must be one of {', '.join(MODES)} "
                f"(received {self.mode!r})")


def _plain(settings, kind, *names):
    """Makes Python's numbers of NumPy's and of 1 for 1.0, as records and
    metadata tell them."""
    for name in names:
        object.__setattr__(settings, name, kind(getattr(settings, name)))


DEFAULTS = Sampling()


@dataclass(frozen=True)
class Hint:
    """A pixel of a photograph and the colour that belongs there.

    Attributes:
        x: int. Column of the photograph's own pixels, 0 on the left.
        y: int. Row, 0 on top.
        rgb: three ints, 0..255, sRGB. Its hue and chroma count, not its
            lightness, which is the photograph's.

    Raises:
        ValueError: if a value is outside its range.
    """

    x: int
    y: int
    rgb: tuple[int, int, int]

    def __post_init__(self):
        # Lists, arrays and NumPy's numbers are as good.
        if isinstance(self.rgb, Iterable):
            object.__setattr__(self, "rgb", tuple(self.rgb))
        else:
            raise ValueError("hint: rgb must be three numbers of 0 to 255 "
                             f"(received {self.rgb!r})")
        for name, values in (("x", (self.x,)), ("y", (self.y,)),
                             ("rgb", self.rgb)):
            if not all(hasattr(value, "__index__") and value >= 0
                       for value in values):
                raise ValueError(
                    f"hint: {name} must be whole and 0 or more "
                    f"(received {getattr(self, name)})")
        if len(self.rgb) != 3 or max(self.rgb) > 255:
            raise ValueError("hint: rgb must be three numbers of 0 to 255 "
                             f"(received {self.rgb})")

    def __str__(self) -> str:
        """As `parse` reads it."""
        return "{},{},#{:02x}{:02x}{:02x}".format(self.x, self.y, *self.rgb)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads "X,Y,#RRGGBB"; the # may be missing.

        Raises:
            ValueError: if the text does not read so.
        """
        match = _HINT.fullmatch(text.strip())
        if not match:
            raise ValueError(
                f"hint: must read X,Y,#RRGGBB (received {text!r})")
        x, y, digits = match.groups()
        red, green, blue = bytes.fromhex(digits)
        return cls(int(x), int(y), (red, green, blue))

    def check(self, width: int, height: int) -> None:
        """Refuses a hint outside a picture of that size.

        Raises:
            ValueError: if it is outside.
        """
        if not (self.x < width and self.y < height):
            raise ValueError(
                f"hint: must lie inside the picture, 0..{width - 1}, "
                f"0..{height - 1} (received {self.x},{self.y})")


@dataclass(frozen=True)
class Steering:
    """A hand on the colours, beside what P(z | grey image) says of them.

    Attributes:
        hints: tuple of `Hint`. Colours known at points of the picture.
        keep: int or None. Rank of a result of the same call without `keep`:
            it comes first, and variations of it after it.
        kept: tuple of D floats, or None. Latents of any result, of this call
            or another (`Coloring.latents[i]`), instead of `keep`: that result
            comes first, moved by hints and warmth, and variations of it after
            it.
        strength: float, 0 to 10. How far the variations go, as a factor on
            the standard deviations around the kept result; only for `keep`
            and `kept`.
        warmth: float. By how much warmer (cooler, if below 0) the whole
            picture becomes on average, CIE units, up to `MAX_WARMTH`; 10 is
            plain to see.
        saturation: float, 0 to `MAX_SATURATION`. Factor on the chroma of
            every result.

    Raises:
        ValueError: if a value is outside its range.
    """

    hints: tuple[Hint, ...] = ()
    keep: int | None = None
    strength: float = 0.3
    warmth: float = 0.0
    saturation: float = 1.0
    kept: tuple[float, ...] | None = None

    def __post_init__(self):
        if not isinstance(self.hints, Iterable):
            raise ValueError(
                f"hints must be a list of Hint (received {self.hints!r})")
        object.__setattr__(self, "hints", tuple(self.hints))
        for hint in self.hints:
            if not isinstance(hint, Hint):
                raise ValueError(
                    f"hints must be of class Hint (received {hint!r})")
        if self.keep is not None and not (
                hasattr(self.keep, "__index__") and self.keep >= 0):
            raise ValueError("keep must be the rank of a result, from 0 on "
                             f"(received {self.keep})")
        if self.kept is not None:
            if self.keep is not None:
                raise ValueError("kept must come without keep "
                                 f"(received keep={self.keep} too)")
            object.__setattr__(self, "kept", _latent(self.kept))
        check_number("strength", self.strength, 0, 10)
        check_number("saturation", self.saturation, 0, MAX_SATURATION)
        check_number("warmth", self.warmth, -MAX_WARMTH, MAX_WARMTH)
        _plain(self, float, "strength", "saturation", "warmth")
        if self.keep is not None:
            _plain(self, int, "keep")

    def check(self, sampling: Sampling) -> None:
        """Refuses to keep a result that there is not.

        Args:
            sampling: `Sampling` that it belongs to.

        Raises:
            ValueError: if `keep` is not below its number of results.
        """
        if self.keep is not None and self.keep >= sampling.num_samples:
            raise ValueError(
                "keep must be the rank of one of the results, 0 to "
                f"{sampling.num_samples - 1} (received {self.keep})")

    @property
    def moves_latents(self) -> bool:
        """Whether anything but the saturation differs from none."""
        return bool(self.hints or self.warmth or self.keep is not None
                    or self.kept is not None)


def _latent(values):
    """A latent as a tuple of floats."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ValueError("kept must be a list of numbers, the latents of a "
                         f"result (received {values!r})")
    values = tuple(values)
    for value in values:
        check_number("kept: latents", value, -MAX_LATENT, MAX_LATENT)
    return tuple(map(float, values))


UNSTEERED = Steering()

EXPORT_FORMATS = {
    "serving": "a SavedModel for TensorFlow Serving",
    "decode": "a SavedModel of the decoder alone, which OpenVINO reads",
    "tflite": "decoder and prior for LiteRT (TensorFlow Lite)",
}
IMAGE_FORMATS = ("png", "jpeg")
# Of colourings at full size, by the command.
OUTPUT_FORMATS = ("png", "jpeg", "webp", "tiff", "bmp", "heic")
WARMUP_PIXELS = 64  # of a picture in warm-up requests


@dataclass(frozen=True)
class ExportOptions:
    """What an exported model fixes.

    Attributes:
        num_samples: int, 1 to max_samples. Colourings a call gives that does
            not say how many.
        max_samples: int, up to `MAX_SAMPLES`. Calls for more are refused.
        max_results: int. Calls whose pictures times samples are more are
            refused: each takes about a megabyte.
        max_pixels: int. Larger pictures are refused by their headers. The
            default is a limit on a server's memory: a call for 8 results of
            so many pixels takes about 2 GB.
        image_format: "png", lossless, or "jpeg", quality 95 at full colour
            resolution: a fifth of the bytes, but luminance is no longer
            exactly the photograph's.
        batchable: bool. For servers that merge requests into batches.

    Raises:
        ValueError: if a value is outside its range.
    """

    num_samples: int = DEFAULTS.num_samples
    max_samples: int = MAX_SAMPLES
    max_results: int = 400
    max_pixels: int = 24_000_000
    image_format: str = IMAGE_FORMATS[0]
    batchable: bool = False

    def __post_init__(self):
        if not 1 <= self.max_samples <= MAX_SAMPLES:
            raise ValueError(f"max_samples must be 1 to {MAX_SAMPLES} "
                             f"(received {self.max_samples})")
        for name, least in (("max_results", 2 * self.num_samples),
                            ("max_pixels", WARMUP_PIXELS)):
            # The version's own warm-up requests must be answered.
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be {least} or more "
                                 f"(received {getattr(self, name)})")
        if not 1 <= self.num_samples <= self.max_samples:
            raise ValueError(
                f"num_samples must be 1 to max_samples, {self.max_samples} "
                f"(received {self.num_samples})")
        if self.image_format not in IMAGE_FORMATS:
            raise ValueError(
                f"image_format must be one of {', '.join(IMAGE_FORMATS)} "
                f"(received {self.image_format!r})")
