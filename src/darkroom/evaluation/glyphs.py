"""The judge's own pictures of every object: drawn from the font, or read from a file of them.

    python -m darkroom.evaluation.glyphs tests/data/judge.npz

writes that file.

Letters: N objects, S side of a picture.
"""

import argparse
import itertools
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional as F

from darkroom.errors import DarkroomError
from darkroom.evaluation.vocabulary import OBJECTS, SHAPES

SIDE = 64  # pixels; the pictures are shrunk to each size tried
_STRIKE = 109  # points: the one size at which the font's bitmaps can be drawn
_FONT_NAME = "NotoColorEmoji.ttf"
_FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts")


@dataclass(frozen=True)
class Glyphs:
    """`pictures`: [N, 4, S, S] in 0…1, colours premultiplied; the larger side of each fills S."""

    names: tuple[str, ...]
    pictures: Tensor

    @classmethod
    def from_font(
        cls, font: Path, objects: Mapping[str, str] = OBJECTS, side: int = SIDE
    ) -> "Glyphs":
        """Drawn from Noto Color Emoji; `objects` are names and the Unicode names they stand for."""
        face = ImageFont.truetype(str(font), _STRIKE)
        drawn = [_drawn(unicodedata.lookup(name), face, side) for name in objects.values()]
        return cls(tuple(objects), _premultiplied(np.stack(drawn)))

    @classmethod
    def from_file(cls, path: Path) -> "Glyphs":
        """What `save` wrote, for machines without the font."""
        try:
            with np.load(path) as data:
                return cls(
                    tuple(str(name) for name in data["names"]), _premultiplied(data["templates"])
                )
        except (OSError, ValueError, KeyError) as error:
            raise DarkroomError(
                f"{path} holds no pictures that the judge can use ({error}).",
                "Leave it out to draw them from the font Noto Color Emoji.",
            ) from error

    def save(self, path: Path) -> None:
        """Write names and pictures as a compressed .npz, 8 bits a channel."""
        alpha = self.pictures[:, 3:]
        colours = torch.where(alpha > 0, self.pictures[:, :3] / alpha.clamp(min=1e-6), 0)
        straight = torch.cat([colours, alpha], dim=1).mul(255).round().to(torch.uint8)
        templates = straight.permute(0, 2, 3, 1).numpy()
        np.savez_compressed(path, names=np.array(self.names), templates=templates)

    def of(self, names: Sequence[str]) -> "Glyphs":
        """Those of some objects alone, in this order."""
        places = [self.names.index(name) for name in names]
        return Glyphs(tuple(names), self.pictures[places])


def shapes(side: int = SIDE) -> Glyphs:
    """The drawn shapes, white: their colour is for the scene to say."""
    fine = 8 * side
    across = np.linspace(-1, 1, fine)
    x, y = np.meshgrid(across, across)
    masks = np.stack([_inside(name, x, y) for name in SHAPES]).astype(np.float32)
    alpha = torch.from_numpy(masks.reshape(len(SHAPES), side, 8, side, 8).mean(axis=(2, 4)))
    return Glyphs(tuple(SHAPES), alpha[:, None].repeat(1, 4, 1, 1))


def pixelated(glyphs: Glyphs, blocks: int = 14) -> Glyphs:
    """As pixel art, so many blocks along the larger side."""
    side = glyphs.pictures.shape[-1]
    pictures = torch.zeros_like(glyphs.pictures)
    for picture, result in zip(glyphs.pictures, pictures, strict=True):
        rows, columns = (picture[3] > 0).any(dim=1).nonzero(), (picture[3] > 0).any(dim=0).nonzero()
        top, bottom = int(rows.min()), int(rows.max()) + 1
        left, right = int(columns.min()), int(columns.max()) + 1
        inside = picture[None, :, top:bottom, left:right]
        size = tuple(max(1, round(length * blocks / side)) for length in inside.shape[2:])
        small = F.interpolate(inside, size, mode="area")
        solid = (small[:, 3:] > 0.5).float()
        straight = small / small[:, 3:].clamp(min=1e-3) * solid
        result[:, top:bottom, left:right] = F.interpolate(straight, inside.shape[2:])[0]
    return Glyphs(glyphs.names, pictures)


def outlined(glyphs: Glyphs, width: int = 3) -> Glyphs:
    """As black lines where the colours change, so many pixels wide (odd), white between them."""
    alpha = glyphs.pictures[:, 3:]
    steps = torch.zeros_like(alpha)
    steps[:, :, 1:] = glyphs.pictures.diff(dim=2).abs().sum(dim=1, keepdim=True)
    across = glyphs.pictures.diff(dim=3).abs().sum(dim=1, keepdim=True)
    steps[..., 1:] = torch.maximum(steps[..., 1:], across)
    lines = F.max_pool2d((steps > 0.25).float(), width, 1, width // 2)
    body = torch.maximum((alpha > 0.5).float(), lines)
    return Glyphs(glyphs.names, torch.cat([(body - lines).repeat(1, 3, 1, 1), body], dim=1))


def blackened(glyphs: Glyphs) -> Glyphs:
    """As black silhouettes."""
    alpha = glyphs.pictures[:, 3:]
    return Glyphs(glyphs.names, torch.cat([torch.zeros_like(glyphs.pictures[:, :3]), alpha], dim=1))


def resized(picture: Tensor, side: int) -> Tensor:
    """A picture [4, S, S] with another side."""
    mode = "area" if side <= picture.shape[-1] else "bilinear"
    return F.interpolate(picture[None], (side, side), mode=mode)[0]


def find_font() -> Path:
    """Noto Color Emoji, where systems put their fonts."""
    found = itertools.chain.from_iterable(folder.rglob(_FONT_NAME) for folder in _FONT_FOLDERS)
    font = next(found, None)
    if font is None:
        raise DarkroomError(
            "The judge draws what it looks for from the font Noto Color Emoji, which is not here.",
            "Install it (Debian and Ubuntu: fonts-noto-color-emoji), or pass --glyphs "
            "tests/data/judge.npz in a checkout of Darkroom.",
        )
    return font


def _drawn(text: str, face: ImageFont.FreeTypeFont, side: int) -> NDArray[np.uint8]:
    """The glyph in the middle of a transparent square [S, S, 4], its larger side filling it."""
    canvas = Image.new("RGBA", (200, 200))
    ImageDraw.Draw(canvas).text((100, 100), text, font=face, anchor="mm", embedded_color=True)
    left, top, right, bottom = canvas.getbbox() or (0, 0, 1, 1)
    half = max(right - left, bottom - top) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    box = (x - half, y - half, x + half, y + half)
    return np.asarray(canvas.resize((side, side), Image.Resampling.BOX, box))


def _premultiplied(straight: NDArray[np.uint8]) -> Tensor:
    """[N, S, S, 4] of 8 bits to [N, 4, S, S]."""
    rgba = torch.from_numpy(np.array(straight)).permute(0, 3, 1, 2).float() / 255
    return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1)


def _inside(shape: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a shape is; x to the right and y down, both from -1 to 1."""
    half_height = math.sqrt(3) / 2  # of an equilateral triangle and of a regular hexagon
    across, down = np.abs(x), np.abs(y)
    insides: dict[str, NDArray[np.bool_]] = {
        "circle": np.less_equal(x**2 + y**2, 1),
        "square": np.less_equal(np.maximum(across, down), 1),
        "cross": np.less_equal(np.minimum(across, down), 1 / 3),
        "triangle": np.less_equal(across, y / math.sqrt(3) + 0.5) & (y <= half_height),
        "hexagon": np.less_equal(across + down / math.sqrt(3), 1) & (down <= half_height),
    }
    return insides[shape]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="the file, .npz")
    Glyphs.from_font(find_font()).save(parser.parse_args().out)


if __name__ == "__main__":
    main()
