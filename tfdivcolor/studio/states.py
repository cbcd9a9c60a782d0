"""The settings behind the results of one photograph, as the page sends them.

A state says how the networks draw results, which hints the results follow and
which result is chosen.  Equal states of a photograph have equal results and
the same key.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tfdivcolor.settings import DEFAULTS, UNSTEERED, Hint, Sampling, Steering

_KEYS = {"seed", "num_samples", "temperature", "warmth", "saturation", "kept",
         "strength", "hints", "chosen"}
_HINT_KEYS = {"x", "y", "rgb", "muted"}
MAX_HINTS = 100

START = {
    "seed": str(DEFAULTS.seed), "num_samples": DEFAULTS.num_samples,
    "temperature": DEFAULTS.temperature, "warmth": UNSTEERED.warmth,
    "saturation": UNSTEERED.saturation, "kept": None,
    "strength": UNSTEERED.strength, "hints": [], "chosen": 0}


@dataclass(frozen=True)
class State:
    """Settings that determine the results of a photograph.

    Attributes:
        sampling: `Sampling` with mode "diverse".
        steering: `Steering`, without the muted hints.
        places: tuple of int. The place of each of these hints in the page's
            list of N hints.
        num_hints: int N, including muted hints.
        chosen: int. Rank of the chosen result.
    """

    sampling: Sampling
    steering: Steering
    places: tuple[int, ...]
    num_hints: int
    chosen: int

    def key(self, *identity: str) -> str:
        """The name of the state's results.

        The key does not depend on the chosen rank and on muted hints.

        Args:
            *identity: str. Checksums of the photograph and the weights.

        Returns:
            str, 24 hexadecimal digits.
        """
        steering = asdict(self.steering)
        steering["hints"] = [str(hint) for hint in self.steering.hints]
        text = json.dumps([identity, asdict(self.sampling), steering])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def parse(values: Any) -> State:
    """Reads a state from the page.

    Args:
        values: JSON value: an object with some of the keys of `START`, which
            has the defaults.

    Returns:
        `State`.

    Raises:
        ValueError: the state is not valid; one line names the fault.
    """
    values = {**START, **_mapping("state", values, _KEYS)}
    # Text, because a seed may have more digits than a JavaScript number.
    seed = values["seed"]
    if not (isinstance(seed, str) and len(seed) <= 20
            and seed.removeprefix("-").isascii()
            and seed.removeprefix("-").isdecimal()):
        raise ValueError("seed must be a whole number, as text "
                         f"(received {shown(seed)})")
    sampling = Sampling(
        _whole("num_samples", values["num_samples"]), int(seed),
        _number("temperature", values["temperature"]))
    hints = values["hints"]
    if not isinstance(hints, list) or len(hints) > MAX_HINTS:
        raise ValueError(f"hints must be a list of at most {MAX_HINTS} hints "
                         f"(received {shown(hints)})")
    parsed = [_hint(hint) for hint in hints]
    places = tuple(place for place, (_, muted) in enumerate(parsed)
                   if not muted)
    kept = values["kept"]
    if kept is not None:
        if not isinstance(kept, list) or len(kept) > 4096:
            raise ValueError("kept must be a list of latents "
                             f"(received {shown(kept)})")
        kept = tuple(_number("kept", value) for value in kept)
    steering = Steering(
        hints=tuple(parsed[place][0] for place in places), kept=kept,
        strength=_number("strength", values["strength"]),
        warmth=_number("warmth", values["warmth"]),
        saturation=_number("saturation", values["saturation"]))
    chosen = _whole("chosen", values["chosen"])
    if not 0 <= chosen < sampling.num_samples:
        raise ValueError(
            f"chosen must be 0 to {sampling.num_samples - 1} "
            f"(received {chosen})")
    return State(sampling, steering, places, len(parsed), chosen)


def _hint(values):
    """One hint: (`Hint`, whether it is muted)."""
    values = _mapping("hint", values, _HINT_KEYS)
    if missing := {"x", "y", "rgb"} - set(values):
        raise ValueError(f"hint must have {', '.join(sorted(missing))}")
    x, y = (_whole(name, values[name]) for name in "xy")
    if not isinstance(values["rgb"], str):
        raise ValueError("hint: rgb must read #RRGGBB "
                         f"(received {shown(values['rgb'])})")
    muted = values.get("muted", False)
    if not isinstance(muted, bool):
        raise ValueError("hint: muted must be true or false "
                         f"(received {shown(muted)})")
    return Hint.parse(f"{x},{y},{values['rgb']}"), muted


def _mapping(name, values, keys) -> Mapping[str, Any]:
    if not isinstance(values, dict):
        raise ValueError(f"{name} must be an object "
                         f"(received {shown(values)})")
    if unknown := set(values) - keys:
        raise ValueError(f"{name} must not have {shown(min(unknown))}, only "
                         f"{', '.join(sorted(keys))}")
    return values


def _number(name: str, value: Any) -> float:
    if (isinstance(value, bool) or not isinstance(value, (int, float))
            or abs(value) > 1e9):
        raise ValueError(f"{name} must be a number (received {shown(value)})")
    return float(value)


def _whole(name: str, value: Any) -> int:
    if (isinstance(value, bool) or not isinstance(value, int)
            or abs(value) > 1e9):
        raise ValueError(
            f"{name} must be a whole number (received {shown(value)})")
    return value


def shown(value):
    """Shortens a value for a message: str of at most 63 characters."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
