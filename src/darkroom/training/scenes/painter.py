"""Draws scenes with the glyphs of Noto Color Emoji.

The font is read here and nowhere else: no glyph is shipped and none is looked at when an image
is made.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from darkroom.errors import DarkroomError
from darkroom.training.scenes.layout import Background, Figure, Scene
from darkroom.training.scenes.vocabulary import COLOURS, SHAPES, Colour, objects

FONT_PLACES = (
    Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"),
    Path("/usr/share/fonts/noto/NotoColorEmoji.ttf"),
    Path("/usr/share/fonts/google-noto-color-emoji-fonts/NotoColorEmoji.ttf"),
)
STRIKE = 109  # the one size, in points, at which the font's bitmaps can be drawn
PIXEL_GRID = 14  # blocks along the larger side of what is drawn in pixel style
SHARPNESS = 4  # shapes are drawn this many times larger, then shrunk


class Painter:
    """Draws scenes; glyphs and their styles are read from the font once."""

    def __init__(self, font: Path | None = None) -> None:
        self._font = ImageFont.truetype(str(font or find_font()), STRIKE)
        self._styled = lru_cache(maxsize=None)(self._draw_styled)

    def paint(self, scene: Scene) -> NDArray[np.uint8]:
        """The scene as pixels [height, width, 3]."""
        canvas = background(scene.background, scene.width, scene.height)
        for figure in scene.figures:
            self._place(canvas, figure)
        return np.asarray(canvas)

    def _place(self, canvas: Image.Image, figure: Figure) -> None:
        side = max(1, round(figure.size * min(canvas.size)))
        picture = self._picture(figure, side)
        corner = (
            round(figure.x * canvas.width - picture.width / 2),
            round(figure.y * canvas.height - picture.height / 2),
        )
        canvas.paste(picture, corner, picture)

    def _picture(self, figure: Figure, side: int) -> Image.Image:
        """RGBA, its larger side `side` pixels long."""
        if figure.name in SHAPES:
            return shape(figure.name, COLOURS[figure.colour or "black"], side)
        glyph = self._styled(figure.name, figure.style, figure.colour)
        scale = side / max(glyph.size)
        size = max(1, round(glyph.width * scale)), max(1, round(glyph.height * scale))
        if figure.style == "pixel":
            return glyph.resize(size, Image.Resampling.NEAREST)
        return glyph.resize(size, Image.Resampling.LANCZOS)

    def _draw_styled(self, name: str, style: str | None, colour: str | None) -> Image.Image:
        glyph = draw_glyph(_glyph(name), self._font)
        if style == "silhouette":
            return silhouette(glyph, COLOURS[colour or "black"])
        return glyph if style is None else FILTERS[style](glyph)


def _glyph(name: str) -> str:
    return _glyphs()[name]


@lru_cache
def _glyphs() -> Mapping[str, str]:
    return {item.name: item.glyph for item in objects()}


def draw_glyph(text: str, font: ImageFont.FreeTypeFont) -> Image.Image:
    """One glyph as RGBA, cut to what is visible."""
    image = Image.new("RGBA", (160, 160), (0, 0, 0, 0))
    ImageDraw.Draw(image).text((10, 10), text, font=font, embedded_color=True)
    box = image.getbbox()
    if box is None:
        raise DarkroomError(f"The font has no picture for {text!r}.", "Use Noto Color Emoji 2.042.")
    return image.crop(box)


def flat(glyph: Image.Image) -> Image.Image:
    """Few colours, hard edges."""
    few = glyph.convert("RGB").quantize(6, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    result = few.convert("RGB")
    result.putalpha(_solid(glyph))
    return result


def pixel(glyph: Image.Image) -> Image.Image:
    """Some dozen blocks along the larger side."""
    scale = PIXEL_GRID / max(glyph.size)
    size = max(1, round(glyph.width * scale)), max(1, round(glyph.height * scale))
    small = glyph.resize(size, Image.Resampling.BOX)
    small.putalpha(_solid(small))
    return small


def outline(glyph: Image.Image) -> Image.Image:
    """Black lines around what differs in colour, white between them."""
    padded = Image.new("RGBA", (glyph.width + 8, glyph.height + 8), (0, 0, 0, 0))
    padded.paste(glyph, (4, 4))
    alpha = _solid(padded)
    body = np.asarray(flat(padded).convert("RGB"), np.int16)
    body[np.asarray(alpha) == 0] = -255
    lines = np.zeros(body.shape[:2], np.uint8)
    for axis in (0, 1):
        step = np.abs(np.diff(body, axis=axis, prepend=-255)).sum(axis=2) > 60
        lines |= step.astype(np.uint8) * 255
    thick = Image.fromarray(lines).filter(ImageFilter.MaxFilter(5))
    result = Image.composite(
        Image.new("RGB", padded.size, COLOURS["black"]),
        Image.new("RGB", padded.size, COLOURS["white"]),
        thick,
    )
    result.putalpha(Image.fromarray(np.maximum(np.asarray(alpha), np.asarray(thick))))
    return result


def silhouette(glyph: Image.Image, colour: Colour) -> Image.Image:
    """The glyph's form in one colour."""
    result = Image.new("RGB", glyph.size, colour)
    result.putalpha(glyph.getchannel("A"))
    return result


FILTERS: Mapping[str, Callable[[Image.Image], Image.Image]] = {
    "flat": flat,
    "pixel": pixel,
    "outline": outline,
}


def _solid(glyph: Image.Image) -> Image.Image:
    return glyph.getchannel("A").point(lambda value: 255 * (value > 127))


def shape(name: str, colour: Colour, side: int) -> Image.Image:
    """A filled shape as RGBA [side, side]."""
    large = side * SHARPNESS
    mask = Image.new("L", (large, large))
    draw = ImageDraw.Draw(mask)
    corners = [((x + 1) / 2 * large, (y + 1) / 2 * large) for x, y in SHAPES[name]]
    if corners:
        draw.polygon(corners, fill=255)
    else:
        draw.ellipse((0, 0, large - 1, large - 1), fill=255)
    result = Image.new("RGB", (side, side), colour)
    result.putalpha(mask.resize((side, side), Image.Resampling.BOX))
    return result


def background(what: Background, width: int, height: int) -> Image.Image:
    """The canvas that figures are put on."""
    if what.place is not None:
        return place(what.place, width, height, what.seed)
    colour = COLOURS[what.colour]
    canvas = Image.new("RGB", (width, height), colour)
    if what.pattern is not None:
        light = sum(colour) > 600
        other = tuple(round(0.7 * c) if light else round(c + 0.45 * (255 - c)) for c in colour)
        canvas.paste(other, mask=pattern_mask(what.pattern, width, height))
    return canvas


def pattern_mask(pattern: str, width: int, height: int) -> Image.Image:
    """Where the second colour of a pattern goes; the period is 16 pixels."""
    y, x = np.mgrid[0:height, 0:width]
    if pattern == "striped":
        where = x // 8 % 2 == 0
    elif pattern == "checkered":
        where = (x // 16 + y // 16) % 2 == 0
    else:
        where = (x % 16 - 7.5) ** 2 + (y % 16 - 7.5) ** 2 < 16
    return Image.fromarray(where.astype(np.uint8) * 255)


def place(name: str, width: int, height: int, seed: int) -> Image.Image:
    """A simple landscape: bands of colour, fading downwards inside each; stars at night."""
    rows = np.linspace(0, 1, height)[:, None]
    canvas = np.zeros((height, width, 3))
    for begin, end, top, bottom in BANDS[name]:
        inside = (rows[:, 0] >= begin) & (rows[:, 0] <= end)
        part = (rows[inside] - begin) / (end - begin)
        canvas[inside] = (np.array(top) * (1 - part) + np.array(bottom) * part)[:, None, :]
    if name == "night sky":
        rng = np.random.default_rng(seed)
        for _ in range(width * height // 500):
            y, x = rng.integers(height - 1), rng.integers(width - 1)
            canvas[y : y + 2, x : x + 2] = rng.uniform(150, 255)
    return Image.fromarray(canvas.round().astype(np.uint8))


# Bands of a place: begin and end in parts of the height, colour at the top and at the bottom.
BANDS: Mapping[str, tuple[tuple[float, float, Colour, Colour], ...]] = {
    "night sky": ((0, 1, (8, 10, 40), (35, 40, 95)),),
    "meadow": ((0, 0.6, (120, 190, 245), (200, 230, 250)), (0.6, 1, (110, 190, 70), (60, 140, 40))),
    "beach": (
        (0, 0.4, (110, 190, 250), (190, 230, 250)),
        (0.4, 0.6, (30, 120, 190), (60, 170, 210)),
        (0.6, 1, (245, 225, 160), (235, 205, 130)),
    ),
    "sea": ((0, 0.4, (130, 200, 250), (210, 235, 250)), (0.4, 1, (40, 130, 200), (10, 60, 130))),
    "desert": (
        (0, 0.55, (250, 190, 110), (252, 225, 170)),
        (0.55, 1, (225, 160, 85), (200, 130, 60)),
    ),
    "snow": (
        (0, 0.55, (150, 180, 215), (210, 222, 238)),
        (0.55, 1, (250, 250, 255), (225, 232, 245)),
    ),
}


def find_font() -> Path:
    """Noto Color Emoji where Linux distributions put it."""
    for path in FONT_PLACES:
        if path.exists():
            return path
    raise DarkroomError(
        "Training scenes are drawn from the Noto Color Emoji font, which is not installed.",
        "Install it (Debian and Ubuntu: fonts-noto-color-emoji) or pass its path.",
    )


def sheet(images: list[NDArray[np.uint8]], columns: int) -> Image.Image:
    """Images side by side in equal cells, row after row."""
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
    rows = -(-len(images) // columns)
    canvas = Image.new("RGB", (columns * width, rows * height), (255, 255, 255))
    for i, image in enumerate(images):
        y, x = divmod(i, columns)
        canvas.paste(Image.fromarray(image), (x * width, y * height))
    return canvas
