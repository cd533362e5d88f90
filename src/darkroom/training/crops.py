"""Pieces of scenes for the autoencoder: most of a scene is plain, so pieces follow the figures."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.training.scenes.layout import Scene, training_scene
from darkroom.training.scenes.painter import Painter


def crops(
    painter: Painter, names: Sequence[str], *, seed: int, indices: range, side: int
) -> Tensor:
    """One piece [B, 3, side, side] in [-1, 1] of each training scene, at most 96 pixels wide."""
    pieces = []
    for index in indices:
        scene = training_scene(seed, index, names, "all")
        rng = np.random.default_rng((seed, index, side))
        pieces.append(crop(painter.paint(scene), scene, side, rng))
    return pixels(pieces)


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
