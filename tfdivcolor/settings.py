"""Defaults and limits shared by Python, command line and SavedModel.

Imports nothing heavy, so that `tfdivcolor --help` can print them at once.
"""

from dataclasses import dataclass

CANVAS = 64  # pixels a side of the colour fields

MODES = ("diverse", "samples", "components")

MAX_SAMPLES = 100
MAX_PIXELS = 120_000_000


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
        for name in ("num_samples", "seed"):
            value = getattr(self, name)
            if not hasattr(value, "__index__"):
                raise ValueError(
                    f"{name} must be a whole number (received {value!r})")
        if not 1 <= self.num_samples <= MAX_SAMPLES:
            raise ValueError(
                f"num_samples must be 1 to {MAX_SAMPLES} "
                f"(received {self.num_samples})")
        if not -2**63 <= self.seed < 2**63:
            raise ValueError(
                f"seed must fit into 64 bits (received {self.seed})")
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(
                "temperature must be a number of 0 or more "
                f"(received {self.temperature})")
        if self.mode not in MODES:
            raise ValueError(
                f"mode must be one of {', '.join(MODES)} "
                f"(received {self.mode!r})")


DEFAULTS = Sampling()
