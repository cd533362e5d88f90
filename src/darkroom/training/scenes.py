"""Captioned scenes for Mini, drawn from the Noto Color Emoji font.

The font is read here and nowhere else: no glyph is shipped and none is looked at when an image
is made.  A scene is one object, large, on a plain background.  Scene `n` depends on the seed and
on `n` alone, so a run that was interrupted goes on with the very scenes it would have seen.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from darkroom.errors import DarkroomError

FONT_PLACES = (
    Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"),
    Path("/usr/share/fonts/noto/NotoColorEmoji.ttf"),
    Path("/usr/share/fonts/google-noto-color-emoji-fonts/NotoColorEmoji.ttf"),
)
STRIKE = 109  # the one size, in points, at which the font's bitmaps can be drawn


@dataclass(frozen=True)
class Object:
    """A glyph and the names that captions call it by, the usual one first."""

    glyph: str
    names: tuple[str, ...]


OBJECTS: tuple[Object, ...] = tuple(
    Object(glyph, tuple(names.split(", ")))
    for glyph, names in (
        ("🐹", "hamster"),
        ("🦊", "fox"),
        ("🐱", "cat, kitty"),
        ("🐶", "dog, puppy"),
        ("🐼", "panda"),
        ("🐯", "tiger"),
        ("🦁", "lion"),
        ("🐸", "frog"),
        ("🐰", "rabbit, bunny"),
        ("🐻", "bear"),
        ("🐨", "koala"),
        ("🐷", "pig"),
        ("🐮", "cow"),
        ("🐵", "monkey"),
        ("🐧", "penguin"),
        ("🦉", "owl"),
        ("🐦", "bird"),
        ("🐟", "fish"),
        ("🐙", "octopus"),
        ("🐢", "turtle, tortoise"),
        ("🦋", "butterfly"),
        ("🐞", "ladybug, ladybird"),
        ("🐳", "whale"),
        ("🦄", "unicorn"),
        ("🍎", "apple"),
        ("🍌", "banana"),
        ("🍓", "strawberry"),
        ("🍍", "pineapple"),
        ("🍉", "watermelon"),
        ("🍒", "cherries"),
        ("🍇", "grapes"),
        ("🥕", "carrot"),
        ("🍄", "mushroom, toadstool"),
        ("🍕", "pizza"),
        ("🍔", "hamburger, burger"),
        ("🍩", "doughnut, donut"),
        ("🚗", "car"),
        ("🚌", "bus"),
        ("🚀", "rocket"),
        ("⛵", "sailboat, boat"),
        ("🏠", "house"),
        ("🌲", "tree"),
        ("🌻", "sunflower, flower"),
        ("🎸", "guitar"),
        ("🤖", "robot"),
        ("🎈", "balloon"),
        ("⭐", "star"),
        ("🌵", "cactus"),
    )
)

BACKGROUNDS: Mapping[str, tuple[int, int, int]] = {
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
SPELLINGS = {
    "gray": ("gray", "grey"),
    "cyan": ("cyan", "turquoise"),
    "purple": ("purple", "violet"),
}

CAPTIONS = (
    "{a} {object} on {b} {colour} background",
    "{a} {object} on a {colour} background",
    "{a} {object} on {colour}",
    "{object}, {colour} background",
    "an image of {a} {object} on a {colour} background",
    "a picture of {a} {object} in front of a {colour} background",
    "a {colour} background with {a} {object}",
    "the {object} on the {colour} background",
)
BARE_CAPTIONS = (
    "{a} {object}",
    "{object}",
    "a picture of {a} {object}",
    "an image of {a} {object}",
)


@dataclass(frozen=True)
class Scene:
    """`index` of the object in OBJECTS, the background's name, and where the glyph stands.

    `size` is the glyph's larger side as a part of the image's side; `x`, `y` its centre, in
    parts of the side.
    """

    object: int
    background: str
    size: float
    x: float
    y: float
    caption: str


def held_out(object_index: int, background: str) -> bool:
    """Whether this object is never drawn on this background in training (one pair in ten)."""
    name = OBJECTS[object_index].names[0]
    return hashlib.sha256(f"{name} on {background}".encode()).digest()[0] < 26


def training_scene(seed: int, index: int) -> Scene:
    """Scene `index` of the endless training set `seed`; held-out pairs never occur."""
    rng = np.random.default_rng((seed, index))
    while True:
        object_index = int(rng.integers(len(OBJECTS)))
        background = list(BACKGROUNDS)[int(rng.integers(len(BACKGROUNDS)))]
        if not held_out(object_index, background):
            return place(rng, object_index, background)


def place(rng: np.random.Generator, object_index: int, background: str) -> Scene:
    """The object nearly fills the frame and hardly moves: learnt first, and fastest."""
    size = float(rng.uniform(0.68, 0.90))
    room = (1 - size) / 2 + 0.03
    x, y = 0.5 + rng.uniform(-room, room, 2) * 0.6
    return Scene(
        object_index, background, size, float(x), float(y), caption(rng, object_index, background)
    )


def caption(
    rng: np.random.Generator, object_index: int, background: str, *, bare: float = 0.1
) -> str:
    """One of the ways to say it; `bare` is the part of captions without the background."""
    names = OBJECTS[object_index].names
    name = names[0] if rng.random() < 0.7 else names[int(rng.integers(len(names)))]
    spellings = SPELLINGS.get(background, (background,))
    colour = spellings[0] if rng.random() < 0.7 else spellings[int(rng.integers(len(spellings)))]
    patterns = BARE_CAPTIONS if rng.random() < bare else CAPTIONS
    pattern = patterns[int(rng.integers(len(patterns)))]
    return pattern.format(a=article(name), b=article(colour), object=name, colour=colour)


def article(word: str) -> str:
    """The indefinite article before a word."""
    if word in ("cherries", "grapes"):
        return "some"
    return "an" if word[0] in "aeio" else "a"


def words() -> tuple[str, ...]:
    """Every word that a caption may hold, sorted."""
    known = {word for pattern in (*CAPTIONS, *BARE_CAPTIONS) for word in pattern.split()}
    known = {word.strip(",") for word in known if "{" not in word}
    known |= {"a", "an", "some"} | set(BACKGROUNDS)
    known |= {spelling for spellings in SPELLINGS.values() for spelling in spellings}
    known |= {name for item in OBJECTS for name in item.names}
    return tuple(sorted(known))


class Painter:
    """Draws scenes.  Holds the glyphs of all objects, read from the font once."""

    def __init__(self, font: Path | None = None) -> None:
        self.font = font or find_font()

    @cached_property
    def glyphs(self) -> tuple[Image.Image, ...]:
        """RGBA images, cut to what is visible."""
        font = ImageFont.truetype(str(self.font), STRIKE)
        return tuple(draw_glyph(item.glyph, font) for item in OBJECTS)

    def paint(self, scene: Scene, side: int) -> NDArray[np.uint8]:
        """The scene as [side, side, 3] pixels."""
        glyph = self.glyphs[scene.object]
        scale = scene.size * side / max(glyph.size)
        width, height = (max(1, round(length * scale)) for length in glyph.size)
        small = glyph.resize((width, height), Image.Resampling.LANCZOS)
        canvas = Image.new("RGB", (side, side), BACKGROUNDS[scene.background])
        corner = (round(scene.x * side - width / 2), round(scene.y * side - height / 2))
        canvas.paste(small, corner, small)
        return np.asarray(canvas)


def draw_glyph(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """One glyph as RGBA, cut to what is visible."""
    image = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((10, 10), text, font=font, embedded_color=True)
    box = image.getbbox()
    if box is None:
        raise DarkroomError(f"The font has no picture for {text!r}.", "Use Noto Color Emoji 2.042.")
    return image.crop(box)


def find_font() -> Path:
    """Noto Color Emoji where Linux distributions put it."""
    for path in FONT_PLACES:
        if path.exists():
            return path
    raise DarkroomError(
        "Training scenes are drawn from the Noto Color Emoji font, which is not installed.",
        "Install it (Debian and Ubuntu: fonts-noto-color-emoji) or pass its path.",
    )


def sheet(images: NDArray[np.uint8], columns: int) -> Image.Image:
    """Images [N, side, side, 3] side by side, row after row."""
    count, side = images.shape[:2]
    rows = -(-count // columns)
    canvas = np.zeros((rows * side, columns * side, 3), np.uint8)
    for i, image in enumerate(images):
        y, x = divmod(i, columns)
        canvas[y * side : (y + 1) * side, x * side : (x + 1) * side] = image
    return Image.fromarray(canvas)
