"""Says what a picture of Mini shows: which object, on which background.

A matched filter over templates of every object at several sizes and all places, and the colour
of the border.  It shares no weights, code or samples with the training: its table of objects is
its own, keyed by the names that Unicode gives the characters.

Letters: N objects, S side of a template, H and W the image's.
"""

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

# Words of a prompt to the Unicode names of what they mean, where the two differ.
UNICODE_NAMES: Mapping[str, str] = {
    "hamster": "HAMSTER FACE",
    "fox": "FOX FACE",
    "cat": "CAT FACE",
    "dog": "DOG FACE",
    "panda": "PANDA FACE",
    "tiger": "TIGER FACE",
    "lion": "LION FACE",
    "frog": "FROG FACE",
    "rabbit": "RABBIT FACE",
    "bear": "BEAR FACE",
    "koala": "KOALA",
    "pig": "PIG FACE",
    "cow": "COW FACE",
    "monkey": "MONKEY FACE",
    "penguin": "PENGUIN",
    "owl": "OWL",
    "bird": "BIRD",
    "fish": "FISH",
    "octopus": "OCTOPUS",
    "turtle": "TURTLE",
    "butterfly": "BUTTERFLY",
    "ladybug": "LADY BEETLE",
    "whale": "SPOUTING WHALE",
    "unicorn": "UNICORN FACE",
    "apple": "RED APPLE",
    "banana": "BANANA",
    "strawberry": "STRAWBERRY",
    "pineapple": "PINEAPPLE",
    "watermelon": "WATERMELON",
    "cherries": "CHERRIES",
    "grapes": "GRAPES",
    "carrot": "CARROT",
    "mushroom": "MUSHROOM",
    "pizza": "SLICE OF PIZZA",
    "hamburger": "HAMBURGER",
    "doughnut": "DOUGHNUT",
    "car": "AUTOMOBILE",
    "bus": "BUS",
    "rocket": "ROCKET",
    "sailboat": "SAILBOAT",
    "house": "HOUSE BUILDING",
    "tree": "EVERGREEN TREE",
    "sunflower": "SUNFLOWER",
    "guitar": "GUITAR",
    "robot": "ROBOT FACE",
    "balloon": "BALLOON",
    "star": "WHITE MEDIUM STAR",
    "cactus": "CACTUS",
}

# sRGB colours that people call by these names; the nearest one wins.
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (215, 35, 40),
    "orange": (250, 140, 25),
    "yellow": (250, 220, 55),
    "green": (45, 160, 80),
    "blue": (45, 110, 220),
    "cyan": (70, 205, 220),
    "purple": (130, 70, 200),
    "pink": (250, 150, 200),
    "brown": (125, 80, 45),
    "gray": (128, 128, 128),
    "black": (10, 10, 10),
    "white": (250, 250, 250),
}

TEMPLATE_SIDE = 64  # the templates' stored side; they are shrunk to each size tried
SIZES = tuple(part / 100 for part in range(60, 97, 4))  # parts of the image's side
EXPLAINED = 0.5  # of what differs from the background, the best template must explain this part


@dataclass(frozen=True)
class Verdict:
    """`object` is None where nothing known is seen; `explained` is in (-∞, 1]."""

    object: str | None
    background: str
    explained: float


class Judge:
    """Judges square images.  `templates`: uint8 [N, 64, 64, 4], not premultiplied."""

    def __init__(self, names: Sequence[str], templates: NDArray[np.uint8]) -> None:
        self.names = tuple(names)
        self.templates = templates

    @classmethod
    def from_font(cls, font: Path) -> "Judge":
        """Templates drawn from Noto Color Emoji."""
        face = ImageFont.truetype(str(font), 109)
        return cls(
            tuple(UNICODE_NAMES), np.stack([_template(n, face) for n in UNICODE_NAMES.values()])
        )

    @classmethod
    def from_file(cls, path: Path) -> "Judge":
        """Templates that `save` wrote, for machines without the font."""
        with np.load(path) as data:
            return cls(tuple(str(name) for name in data["names"]), data["templates"])

    def save(self, path: Path) -> None:
        """Write names and templates as a compressed .npz."""
        np.savez_compressed(path, names=np.array(self.names), templates=self.templates)

    @torch.no_grad()
    def judge(self, pixels: NDArray[np.uint8]) -> Verdict:
        """What an image [H, W, 3] shows."""
        colour = border_colour(pixels)
        difference = _planes(pixels) - colour[:, None, None]  # [3, H, W]
        energy = float(difference.square().sum())
        gains = torch.stack([self._gains(difference, colour, size) for size in SIZES]).amax(dim=0)
        best = int(gains.argmax())
        explained = float(gains[best]) / max(energy, 1e-6)
        seen = self.names[best] if explained >= EXPLAINED else None
        return Verdict(seen, nearest_colour(colour), explained)

    def _gains(self, difference: Tensor, colour: Tensor, size: float) -> Tensor:
        """How much squared error each template, at its best place, takes away: [N].

        With D the image less its background and T a template less the same, the error falls
        from |D|² to |D - T|², which is 2 D·T - |T|² less.
        """
        side = round(size * max(difference.shape[1:]))
        rgba = torch.from_numpy(self.templates).permute(0, 3, 1, 2).float() / 255
        alpha = F.interpolate(rgba[:, 3:], (side, side), mode="area")
        premultiplied = F.interpolate(rgba[:, :3] * rgba[:, 3:], (side, side), mode="area")
        templates = premultiplied - alpha * colour[:, None, None]  # [N, 3, S, S]
        found = F.conv2d(difference[None], templates, padding=side // 8)[0]  # [N, …]
        return 2 * found.amax(dim=(1, 2)) - templates.square().sum(dim=(1, 2, 3))


def border_colour(pixels: NDArray[np.uint8]) -> Tensor:
    """The median colour of the outermost pixels, [3] in 0…1."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return torch.from_numpy(np.median(edge, axis=0) / 255).float()


def nearest_colour(colour: Tensor) -> str:
    """The name in COLOURS that is nearest to a colour [3] in 0…1."""
    distance = {name: (colour * 255 - torch.tensor(rgb)).norm() for name, rgb in COLOURS.items()}
    return min(distance, key=lambda name: float(distance[name]))


def _planes(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float() / 255


def _template(name: str, face: ImageFont.FreeTypeFont) -> NDArray[np.uint8]:
    """The glyph in the middle of a transparent square, its larger side filling it."""
    canvas = Image.new("RGBA", (200, 200))
    ImageDraw.Draw(canvas).text(
        (100, 100), unicodedata.lookup(name), font=face, anchor="mm", embedded_color=True
    )
    left, top, right, bottom = canvas.getbbox() or (0, 0, 1, 1)
    side = max(right - left, bottom - top)
    middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
    box = (middle_x - side / 2, middle_y - side / 2, middle_x + side / 2, middle_y + side / 2)
    square = canvas.resize((TEMPLATE_SIDE, TEMPLATE_SIDE), Image.Resampling.BOX, box)
    return np.asarray(square)
