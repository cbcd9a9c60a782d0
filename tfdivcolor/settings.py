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
MAX_WARMTH = 30  # beyond that even certain colours would have to move
MAX_SATURATION = 10
MAX_LATENT = 1000  # a hundred times the latents of ordinary results

_HINT = re.compile(r"(\d+),(\d+),#?([0-9a-fA-F]{6})")


@dataclass(frozen=True)
class Sampling:
    """Settings of the draws from P(z | grey image).

    Attributes:
        num_samples: int, 1 to `MAX_SAMPLES`. Number of colourings S. Defaults
            to 8.
        seed: int64. The same seed for every picture. Defaults to 0.
        temperature: float, 0 or more. Factor on the standard deviations of
            the mixture's components; mode "diverse" takes its square root. 0
            leaves only the means. Mode "components" ignores it. Defaults to
            0.5.
        mode: one of `MODES`. "diverse": few results that represent many
            draws; "samples": plain draws; "components": the means of the
            mixture's components, as the paper's figures show. Defaults to
            "diverse".

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

    def check(self, num_components: int) -> None:
        """Refuses settings that a model cannot sample.

        Args:
            num_components: int. Number of components in the model's mixture.

        Raises:
            ValueError: if mode "components" has fewer components than
                `num_samples`.
        """
        if self.mode == "components" and self.num_samples > num_components:
            raise ValueError(
                "num_samples must be at most the number of components, "
                f"{num_components}, in mode components "
                f"(received {self.num_samples})")


def _plain(settings, kind, *names):
    """Converts numbers to Python's own types, as in records and metadata."""
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
            lightness: the luminance stays the photograph's.

    Raises:
        ValueError: if a value is outside its range.
    """

    x: int
    y: int
    rgb: tuple[int, int, int]

    def __post_init__(self):
        # Lists, arrays and NumPy's numbers work too.
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
        """The text that `parse` reads."""
        return "{},{},#{:02x}{:02x}{:02x}".format(self.x, self.y, *self.rgb)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads "X,Y,#RRGGBB"; the # may be missing.

        Raises:
            ValueError: if the text has another form.
        """
        match = _HINT.fullmatch(text.strip())
        if not match:
            raise ValueError(
                f"hint: must read X,Y,#RRGGBB (received {text!r})")
        x, y, digits = match.groups()
        red, green, blue = bytes.fromhex(digits)
        return cls(int(x), int(y), (red, green, blue))

    def check(self, width: int, height: int) -> None:
        """Refuses a hint outside a picture.

        Args:
            width, height: ints. Size of the picture in pixels.

        Raises:
            ValueError: if the hint lies outside.
        """
        if not (self.x < width and self.y < height):
            raise ValueError(
                f"hint: must lie inside the picture, 0..{width - 1}, "
                f"0..{height - 1} (received {self.x},{self.y})")


@dataclass(frozen=True)
class Steering:
    """The user's influence on the colours: changes of P(z | grey image).

    Attributes:
        hints: tuple of `Hint`. Known colours at points of the picture.
            Defaults to ().
        keep: int or None. Rank of a result of the same call without `keep`.
            This result comes first, its variations follow. Defaults to None.
        strength: float, 0 to 10. Size of the variations, a factor on the
            standard deviations around the kept result. Without `keep` and
            `kept` it has no effect. Defaults to 0.3.
        warmth: float, -`MAX_WARMTH` to `MAX_WARMTH`. Change of the picture's
            mean colour towards warm, or towards cool below 0, in CIE units;
            10 is plain to see. Defaults to 0.
        saturation: float, 0 to `MAX_SATURATION`. Factor on the chroma of every
            result. Defaults to 1.
        kept: tuple of D floats, or None. Instead of `keep`: latents of any
            result, of this call or another (`Coloring.latents[i]`). This
            result, moved by hints and warmth, comes first, its variations
            follow. Defaults to None.

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
        """Refuses a rank `keep` that no result has.

        Args:
            sampling: `Sampling` of the same call.

        Raises:
            ValueError: if `keep` is `sampling.num_samples` or more.
        """
        if self.keep is not None and self.keep >= sampling.num_samples:
            raise ValueError(
                "keep must be the rank of one of the results, 0 to "
                f"{sampling.num_samples - 1} (received {self.keep})")

    @property
    def moves_latents(self) -> bool:
        """Whether hints, warmth or a kept result change the latents."""
        return bool(self.hints or self.warmth or self.keep is not None
                    or self.kept is not None)


def _latent(values):
    """Converts a latent to a tuple of floats."""
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
    "onnx": "an ONNX file of the whole sampling, for ONNX Runtime",
}
IMAGE_FORMATS = ("png", "jpeg")
# Formats of the command's full-size colourings.
OUTPUT_FORMATS = ("png", "jpeg", "webp", "tiff", "bmp", "heic")
WARMUP_PIXELS = 64  # pixels of a picture in warm-up requests


@dataclass(frozen=True)
class ExportOptions:
    """Settings that an exported model fixes.

    Attributes:
        num_samples: int, 1 to `max_samples`. Number of colourings for calls
            that do not choose one. Defaults to 8.
        max_samples: int, 1 to `MAX_SAMPLES`. The model refuses calls for more
            colourings of a picture. Defaults to `MAX_SAMPLES`.
        max_results: int. The model refuses calls with more results, pictures
            times samples, because each takes about a megabyte. Defaults to
            400.
        max_pixels: int. The model refuses larger pictures when it reads their
            headers. This limits a server's memory: a call for 8 results of 24
            megapixels takes about 2 GB. Defaults to 24,000,000.
        image_format: "png", lossless, or "jpeg" of quality 95 with full
            resolution of chrominance. JPEG takes a fifth of the bytes, but
            its luminance is not exactly the photograph's. Defaults to "png".
        batchable: bool. Whether servers may merge requests into batches.
            Leaves out the signatures with scalar inputs. Defaults to False.
        mode: one of `MODES`. Mode of the results; only format "onnx" has
            others than "diverse", the default.

    Raises:
        ValueError: if a value is outside its range.
    """

    num_samples: int = DEFAULTS.num_samples
    max_samples: int = MAX_SAMPLES
    max_results: int = 400
    max_pixels: int = 24_000_000
    image_format: str = IMAGE_FORMATS[0]
    batchable: bool = False
    mode: str = DEFAULTS.mode

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
        Sampling(mode=self.mode)
        if self.image_format not in IMAGE_FORMATS:
            raise ValueError(
                f"image_format must be one of {', '.join(IMAGE_FORMATS)} "
                f"(received {self.image_format!r})")
