"""Hints: points of a photograph whose colour the user knows.

Imports nothing heavy, so that the command line can check them at once.
"""

import re
from dataclasses import dataclass

_HINT = re.compile(r"(\d+),(\d+),#?([0-9a-fA-F]{6})")


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
    rgb: tuple

    def __post_init__(self):
        # Lists, arrays and NumPy's numbers are as good.
        object.__setattr__(self, "rgb", tuple(self.rgb))
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

    def __str__(self):
        """As `parse` reads it."""
        return "{},{},#{:02x}{:02x}{:02x}".format(self.x, self.y, *self.rgb)

    @classmethod
    def parse(cls, text):
        """Reads "X,Y,#RRGGBB"; the # may be missing.

        Raises:
            ValueError: if the text does not read so.
        """
        match = _HINT.fullmatch(text.strip())
        if not match:
            raise ValueError(
                f"hint: must read X,Y,#RRGGBB (received {text!r})")
        x, y, digits = match.groups()
        return cls(int(x), int(y), tuple(bytes.fromhex(digits)))

    def check(self, width, height):
        """Refuses a hint outside a picture of that size.

        Raises:
            ValueError: if it is outside.
        """
        if not (self.x < width and self.y < height):
            raise ValueError(
                f"hint: must lie inside the picture, 0..{width - 1}, "
                f"0..{height - 1} (received {self.x},{self.y})")


def canvas_position(x, y, width, height, canvas):
    """Where a photograph's pixel lies on the networks' canvas.

    The whole photograph is squashed to the canvas. The field there is the
    colour that the pixel gets, but for what `upsample` moves along edges.

    Args:
        x, y: ints. The pixel.
        width, height: ints. Of the photograph.
        canvas: int. Pixels a side of the canvas.

    Returns:
        column, row: floats, 0 to canvas - 1.
    """
    return tuple(
        min(max((value + 0.5) / size * canvas - 0.5, 0.0), canvas - 1.0)
        for value, size in ((x, width), (y, height)))
