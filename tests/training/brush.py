"""A painter that needs no font, networks that need no time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from darkroom.contracts import AutoencoderConfig
from darkroom.training.crops import Kind
from darkroom.training.loop import Schedule
from darkroom.training.recipe import UNET, Phase, Recipe
from darkroom.training.scenes.layout import Scene

AUTOENCODER = AutoencoderConfig(
    in_channels=3, latent_channels=4, widths=(8, 8, 8, 16), blocks=1, norm_groups=8
)


class Brush:
    """Paints noise that depends on the scene, and counts."""

    painted = 0

    def __init__(self, font: Path | None = None) -> None:
        pass

    def paint(self, scene: Scene) -> NDArray[np.uint8]:
        Brush.painted += 1
        dice = np.random.default_rng(round(scene.figures[0].size * 1e9))
        return dice.integers(0, 256, (scene.height, scene.width, 3), np.uint8)


def tiny_recipe() -> Recipe:
    """Every stage, a few steps of each."""

    def few(steps: int) -> Schedule:
        return Schedule(steps=steps, rate=1e-3, warm_up=2, slow=0.1, slow_prefix="text.")

    return Recipe(
        autoencoder=AUTOENCODER,
        unet=replace(UNET, widths=(8, 16, 16), context_width=32),
        autoencoder_schedule=few(3),
        crops=(Kind(since=0, side=32, batch=3), Kind(since=2, side=48, batch=2)),
        decoder_schedule=few(2),
        decoder_crops=(Kind(since=0, side=32, batch=3),),
        contrast_schedule=few(2),
        contrast_batch=6,
        contrast_scenes=10,
        phases=(
            Phase(stage="large", scenes=3, batch=4, schedule=few(2)),
            Phase(stage="all", scenes=10, batch=4, schedule=few(3)),
        ),
    )
