"""What scenes can show: objects, shapes, colours, backgrounds and styles."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Object:
    """An emoji and the names that captions call it by, the usual one first."""

    glyph: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.names[0]


@cache
def objects(count: int | None = None) -> tuple[Object, ...]:
    """The first `count` objects, the best known first; all of them by default."""
    text = resources.files("darkroom.training.scenes").joinpath("objects.txt").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return tuple(Object(glyph, tuple(names.split(", "))) for glyph, names in rows)[:count]


COLOURS: Mapping[str, Colour] = {
    "red": (214, 40, 40),
    "orange": (250, 140, 30),
    "yellow": (250, 220, 60),
    "green": (46, 160, 80),
    "blue": (50, 110, 220),
    "cyan": (70, 205, 220),
    "purple": (130, 70, 200),
    "pink": (250, 150, 200),
    "brown": (125, 80, 45),
    "gray": (128, 128, 128),
    "black": (12, 12, 12),
    "white": (250, 250, 250),
}
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "gray": ("gray", "grey"),
    "cyan": ("cyan", "turquoise"),
    "purple": ("purple", "violet"),
}

# Polygons in a square from -1 to 1, y downwards; a circle has no corners.
SHAPES: Mapping[str, tuple[tuple[float, float], ...]] = {
    "circle": (),
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "triangle": ((0.0, -0.9), (1.0, 0.83), (-1.0, 0.83)),
    "hexagon": ((-1.0, 0.0), (-0.5, -0.87), (0.5, -0.87), (1.0, 0.0), (0.5, 0.87), (-0.5, 0.87)),
    "cross": tuple(
        (x / 3, y / 3)
        for x, y in (
            *((-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1)),
            *((1, 3), (-1, 3), (-1, 1), (-3, 1), (-3, -1), (-1, -1)),
        )
    ),
}

PATTERNS = ("striped", "checkered", "dotted")  # of one of COLOURS
PLACES = ("night sky", "meadow", "beach", "sea", "desert", "snow")
STYLES = ("flat", "pixel", "outline", "silhouette")
