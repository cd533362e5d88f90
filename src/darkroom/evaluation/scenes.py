"""True drawings of what the trials ask for: the judge's own figures are measured on them.

Places and sizes are this module's; the training draws its scenes elsewhere and otherwise.
"""

import random
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from darkroom.evaluation.glyphs import Glyphs, blackened, outlined, pixelated, resized, shapes
from darkroom.evaluation.suites import Trial
from darkroom.evaluation.vocabulary import COLOURS, SHAPES

SKETCH = 8  # colours along each side of a coarse sketch
Box = tuple[float, float, float]  # centre x, y and side, in parts of the image's side


class Drawer:
    """Draws trials with pictures of every object."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._names = glyphs.names
        self._pictures = {
            None: glyphs.pictures,
            "pixel": pixelated(glyphs).pictures,
            "outline": outlined(glyphs).pictures,
            "silhouette": blackened(glyphs).pictures,
        }
        self._shapes = shapes(glyphs.pictures.shape[-1]).pictures

    def draw(self, trial: Trial, side: int) -> NDArray[np.uint8]:
        """What a trial asks for, as pixels [side, side, 3]."""
        ground = torch.tensor(COLOURS[trial.background]) / 255
        canvas = ground[:, None, None].repeat(1, side, side)
        pictures = self._of(trial)
        for picture, (x, y, size) in zip(pictures, boxes(trial), strict=True):
            length = max(1, round(size * side))
            small = resized(picture, length)
            top, left = round(y * side - length / 2), round(x * side - length / 2)
            top, left = (min(max(edge, 0), side - length) for edge in (top, left))
            place = canvas[:, top : top + length, left : left + length]
            place.mul_(1 - small[3]).add_(small[:3])
        pixels: NDArray[np.uint8] = (canvas * 255).round().byte().permute(1, 2, 0).numpy()
        return pixels

    def draw_start(self, trial: Trial, side: int) -> NDArray[np.uint8]:
        """What img2img starts from, [side, side, 3]: a true drawing, or a coarse sketch of one."""
        drawn = self.draw(replace(trial, objects=(trial.start or "",)), side)
        if not trial.sketched:
            return drawn
        coarse = Image.fromarray(drawn).resize((SKETCH, SKETCH), Image.Resampling.BOX)
        return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))

    def _of(self, trial: Trial) -> list[Tensor]:
        """The trial's pictures [4, S, S], premultiplied."""
        if trial.shape is not None:
            ink = torch.tensor([*COLOURS[trial.colour or "black"], 255]) / 255
            return [self._shapes[SHAPES.index(trial.shape)] * ink[:, None, None]]
        table = self._pictures[trial.style]
        return [table[self._names.index(name)] for name in trial.objects]


def boxes(trial: Trial) -> list[Box]:
    """Where the things of a trial stand, at random but the same for the same trial."""
    dice = random.Random(trial.seed)
    count = len(trial.objects) or 1
    if count == 1:
        size = dice.uniform(0.6, 0.9 if trial.start is None else 0.7)
        room = (1 - size) / 2
        return [(0.5 + dice.uniform(-room, room), 0.5 + dice.uniform(-room, room), size)]
    sizes = [dice.uniform(0.36, 0.46) for _ in range(count)]
    if count > 2:
        corners = [(0.26, 0.26), (0.74, 0.26), (0.26, 0.74), (0.74, 0.74)][:count]
        return [(x, y, size) for (x, y), size in zip(corners, sizes, strict=True)]
    along = [0.26, 0.74]
    if trial.relation in {"right of", "below"}:
        along.reverse()
    across = [dice.uniform(0.35, 0.65) for _ in range(2)]
    if trial.relation in {"above", "below"}:
        along, across = across, along
    return list(zip(along, across, sizes, strict=True))
