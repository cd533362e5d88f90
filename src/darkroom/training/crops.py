"""Pieces of scenes for the autoencoder: most of a scene is plain, so pieces follow the figures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.training.scenes.layout import Scene, training_scene
from darkroom.training.scenes.painter import Painter


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What batches are like from step `since` on: `batch` pieces of `side` pixels, at most 96."""

    since: int
    side: int
    batch: int


@dataclass(frozen=True, kw_only=True)
class Crops:
    """Batch `n` of pieces, one of each scene, as pixels [B, 3, side, side] in [-1, 1].

    `enlarged`: scenes are drawn so many times as large, each number as often as it is there.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    seed: int
    font: Path | None = None
    enlarged: tuple[float, ...] = (1.0,)

    @cached_property
    def painter(self) -> Painter:
        return Painter(self.font)

    def __call__(self, step: int) -> Tensor:
        kind = [kind for kind in self.kinds if kind.since <= step][-1]
        first = step * max(kind.batch for kind in self.kinds)
        pieces = []
        for index in range(first, first + kind.batch):
            scene = training_scene(self.seed, index, self.names, "all")
            scene = large(scene, self.enlarged[index % len(self.enlarged)])
            rng = np.random.default_rng((self.seed, index, kind.side))
            pieces.append(crop(self.painter.paint(scene), scene, kind.side, rng))
        return pixels(pieces)


def large(scene: Scene, factor: float) -> Scene:
    """The same scene with more pixels."""
    return replace(scene, width=round(scene.width * factor), height=round(scene.height * factor))


def crop(
    image: NDArray[np.uint8], scene: Scene, side: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A square piece around a random point of a random figure."""
    figure = scene.figures[int(rng.integers(len(scene.figures)))]
    reach = figure.size * min(scene.width, scene.height) / 2
    corner = []
    for middle, length in ((figure.x, scene.width), (figure.y, scene.height)):
        start = round(middle * length + rng.uniform(-reach, reach) - side / 2)
        corner.append(min(max(start, 0), length - side))
    x, y = corner
    return image[y : y + side, x : x + side]


def pixels(images: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Images [H, W, 3] of one size as pixels [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1


def whole_scenes(painter: Painter, names: Sequence[str], *, seed: int, count: int) -> Tensor:
    """The first `count` square scenes of a set, as pixels [B, 3, 128, 128]."""
    found: list[NDArray[np.uint8]] = []
    index = 0
    while len(found) < count:
        scene = training_scene(seed, index, names, "all")
        if scene.width == scene.height:
            found.append(painter.paint(scene))
        index += 1
    return pixels(found)
