"""Says what a picture of Mini shows: which things, where, in which colour, on which background.

Two parts look at every picture, a matched filter and a trained classifier, and a thing is named
only where they agree.  They share no weights, code or samples with the training: their table of
objects is their own, keyed by the names that Unicode gives the characters.

Letters: H and W an image's sides, B crops, S a crop's side.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from darkroom.evaluation import classifier as crops
from darkroom.evaluation.classifier import Classifier
from darkroom.evaluation.glyphs import (
    Glyphs,
    blackened,
    find_font,
    outlined,
    pixelated,
    shapes,
)
from darkroom.evaluation.matcher import Match, Matcher
from darkroom.evaluation.vocabulary import COLOURS

Kind = Literal["objects", "shapes"]
EXPLAINED = 0.5  # of what differs from the background where a thing stands, it must explain this
NOTICED = 0.12  # of all that differs from the background: less is no thing if nobody knows it
PLAIN = "plain"  # the style of what has none


@dataclass(frozen=True)
class Thing:
    """Something in a picture.  `name` is what both parts say; None where they disagree.

    `matched`, `classified`: what each part says.  `x`, `y`: its centre in 0…1 of the image's
    sides; `size`: its longer side in pixels.  `colour`: that of a drawn shape, else None.
    """

    matched: str | None
    classified: str | None
    x: float
    y: float
    size: float
    explained: float
    colour: str | None = None

    @property
    def name(self) -> str | None:
        return self.matched if self.matched == self.classified else None


@dataclass(frozen=True)
class Verdict:
    """What a picture shows: its things, the most striking first."""

    background: str
    things: tuple[Thing, ...]


class Judge:
    """Looks at pictures [H, W, 3] of 8 bits, of any size."""

    def __init__(self, glyphs: Glyphs, classifier: Classifier) -> None:
        self.glyphs = glyphs
        self._classifier = classifier

    @classmethod
    def open(cls, glyphs: Path | None = None, classifier: Path | None = None) -> "Judge":
        """With pictures from a file, by default from the font; and the package's own classifier.

        Raises DarkroomError: no font, or a file that cannot be used.
        """
        drawn = Glyphs.from_file(glyphs) if glyphs else Glyphs.from_font(find_font())
        if classifier is not None:
            return cls(drawn, Classifier.from_file(classifier))
        own = resources.files("darkroom.evaluation").joinpath("classifier.safetensors")
        with resources.as_file(own) as path:
            return cls(drawn, Classifier.from_file(path))

    @cached_property
    def _objects(self) -> Matcher:
        return Matcher(self.glyphs)

    @cached_property
    def _shapes(self) -> Matcher:
        return Matcher(shapes(), ink=True)

    @cached_property
    def _styles(self) -> tuple[tuple[str, Matcher], ...]:
        return (
            (PLAIN, self._objects),
            ("pixel", Matcher(pixelated(self.glyphs))),
            ("outline", Matcher(outlined(self.glyphs, width=1))),
            ("outline", Matcher(outlined(self.glyphs, width=3))),
            ("silhouette", Matcher(blackened(self.glyphs))),
        )

    def judge(self, pixels: NDArray[np.uint8], kind: Kind = "objects") -> Verdict:
        """What a picture shows, of the objects or of the drawn shapes."""
        image, background = _planes(pixels), border_colour(pixels)
        matcher = self._objects if kind == "objects" else self._shapes
        matches = list(matcher.matches(image, background))
        names = self._classifier.names_of(_crops(image, background, matches))
        things = [_thing(match, name) for match, name in zip(matches, names, strict=True)]
        noticed = [
            thing
            for thing, match in zip(things, matches, strict=True)
            if thing.name is not None or match.share >= NOTICED
        ]
        return Verdict(nearest_colour(background), tuple(noticed))

    def style(self, pixels: NDArray[np.uint8]) -> tuple[str | None, str]:
        """The most striking object of a picture and its style, by the matched filter alone."""
        image, background = _planes(pixels), border_colour(pixels)
        seen: tuple[float, str | None, str] = (EXPLAINED, None, PLAIN)
        for style, matcher in self._styles:
            match = next(matcher.matches(image, background), None)
            if match is not None and match.explained > seen[0]:
                seen = (match.explained, match.name, style)
        return seen[1:]


def border_colour(pixels: NDArray[np.uint8]) -> Tensor:
    """The median colour of the outermost pixels, [3] in 0…1."""
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return torch.from_numpy(np.median(edge, axis=0) / 255).float()


def nearest_colour(colour: Tensor) -> str:
    """The name in COLOURS that is nearest to a colour [3] in 0…1."""
    distance = {name: (colour * 255 - torch.tensor(rgb)).norm() for name, rgb in COLOURS.items()}
    return min(distance, key=lambda name: float(distance[name]))


def _thing(match: Match, classified: str | None) -> Thing:
    return Thing(
        matched=match.name if match.explained >= EXPLAINED else None,
        classified=classified,
        x=match.x,
        y=match.y,
        size=match.size,
        explained=match.explained,
        colour=None if match.ink is None else nearest_colour(match.ink),
    )


def _crops(image: Tensor, background: Tensor, matches: list[Match]) -> Tensor:
    """What the classifier looks at: squares around the matches, [B, 3, S, S]."""
    height, width = image.shape[1:]
    cut = []
    for match in matches:
        half = max(match.size * crops.MARGIN / 2, 2.0)
        centre_y, centre_x = match.y * height, match.x * width
        top, left = round(centre_y - half), round(centre_x - half)
        side = round(2 * half)
        square = background[:, None, None].repeat(1, side, side)
        y0, x0 = max(top, 0), max(left, 0)
        seen = image[:, y0 : max(top + side, 0), x0 : max(left + side, 0)]
        square[:, y0 - top : y0 - top + seen.shape[1], x0 - left : x0 - left + seen.shape[2]] = seen
        size = (crops.SIDE, crops.SIDE)
        cut.append(F.interpolate(square[None], size, mode="bilinear", antialias=True)[0])
    return torch.stack(cut) if cut else torch.zeros(0, 3, crops.SIDE, crops.SIDE)


def _planes(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float() / 255
