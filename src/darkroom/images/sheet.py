"""A labelled table of images: what a comparison shows at a glance, as one picture."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from darkroom.contracts import Raster
from darkroom.images import io

_GROUND, _PLACE, _TEXT, _MUTED = (20, 18, 17), (38, 34, 31), (243, 237, 230), (167, 157, 147)
_GAP, _LINES = 8, 5
_NARROWEST = 128  # pixels of a cell, so that a label can be read above it


@dataclass(frozen=True, kw_only=True)
class Heads:
    """The words of a table: the values along each axis, and which parameter each axis is.

    Up to three axes: columns, rows, and tables below each other.
    """

    names: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]


def labelled(cells: Sequence[Raster | None], heads: Heads, title: str = "") -> Raster:
    """The table of these images: columns fastest, then rows, then tables below each other.

    Images may differ in size: each stands in the middle of its place; where all are small, they
    are enlarged by a whole number, so that the labels have room.  None leaves a place empty.
    The font is the one within Pillow.  ValueError where cells and heads do not fit each other.
    """
    lengths = [len(values) for values in heads.values] + [1] * (3 - len(heads.values))
    columns, rows, blocks = lengths
    if columns * rows * blocks != len(cells) or len(heads.names) != len(heads.values):
        raise ValueError(f"expected {columns} x {rows} x {blocks} cells, got {len(cells)}")
    sizes = [(cell.width, cell.height) for cell in cells if cell is not None]
    factor = math.ceil(_NARROWEST / max([1, *map(max, sizes)])) if sizes else 1
    width = max([_NARROWEST, *(factor * one for one, _ in sizes)])
    height = max([_NARROWEST, *(factor * one for _, one in sizes)])
    ink = _Ink(min(36, max(12, width // 22)))
    tops = [ink.wrapped(_head(heads, 0, place), width) for place in range(columns)]
    aside = min(width, 24 * ink.size) if len(heads.values) > 1 else 0
    sides = [ink.wrapped(_head(heads, 1, place), aside) for place in range(rows) if aside]
    left = aside + _GAP if aside else 0
    across = left + columns * (width + _GAP) + _GAP
    above = max(map(len, tops)) * ink.line + _GAP
    named = 2 * ink.line if len(heads.values) > 2 else 0
    titles = ink.wrapped(title, across - 2 * _GAP) if title else []
    begin = _GAP + (len(titles) * ink.line + _GAP if titles else 0)
    deep = named + above + rows * (height + _GAP) + _GAP
    sheet = Image.new("RGB", (across, begin + blocks * deep), _GROUND)
    pen = ImageDraw.Draw(sheet)
    ink.write(pen, (_GAP, _GAP), titles, _TEXT)
    for block in range(blocks):
        top = begin + block * deep
        if named:
            words = ink.wrapped(_head(heads, 2, block), across - 2 * _GAP)[:1]
            ink.write(pen, (_GAP, top + ink.line // 2), words, _TEXT)
        for column, words in enumerate(tops):
            ink.write(pen, (left + _GAP + column * (width + _GAP), top + named), words, _MUTED)
        for row in range(rows):
            y = top + named + above + row * (height + _GAP)
            if sides:
                ink.write(pen, (_GAP, y), sides[row], _MUTED)
            for column in range(columns):
                x = left + _GAP + column * (width + _GAP)
                cell = cells[(block * rows + row) * columns + column]
                _place(sheet, (x, y, width, height), cell, factor)
    return io.from_array(np.asarray(sheet))


def _head(heads: Heads, axis: int, place: int) -> str:
    """A number says which parameter it is; words speak for themselves."""
    value = heads.values[axis][place]
    number = value.replace(".", "", 1).replace("-", "", 1).isdigit()
    return f"{heads.names[axis]} {value}" if number else value


class _Ink:
    """The font within Pillow at one size, and how it is set."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.line = round(size * 1.35)
        self._font = ImageFont.load_default(size)

    def wrapped(self, text: str, width: int) -> list[str]:
        """Lines no wider than `width` pixels, the last of too many with an ellipsis."""
        text = " ".join(text.split()) or "none"
        letters = max(4, int(width / (self._font.getlength("n") or 1)) + 4)
        while True:
            lines = textwrap.wrap(text, letters, break_long_words=True)
            if letters <= 4 or max(map(self._font.getlength, lines)) <= width:
                break
            letters -= 1
        return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], lines[_LINES - 1] + " ..."]

    def write(
        self,
        pen: ImageDraw.ImageDraw,
        spot: tuple[int, int],
        lines: Sequence[str],
        colour: tuple[int, int, int],
    ) -> None:
        for number, words in enumerate(lines):
            pen.text((spot[0], spot[1] + number * self.line), words, colour, self._font)


def _place(
    sheet: Image.Image, box: tuple[int, int, int, int], cell: Raster | None, factor: int
) -> None:
    x, y, width, height = box
    if cell is None:
        ImageDraw.Draw(sheet).rectangle((x, y, x + width - 1, y + height - 1), _PLACE)
        return
    picture = Image.fromarray(io.to_array(cell))
    if factor > 1:
        size = factor * cell.width, factor * cell.height
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    sheet.paste(picture, (x + (width - picture.width) // 2, y + (height - picture.height) // 2))
