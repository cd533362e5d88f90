"""Latents are encoded once, and again when what they were encoded with has changed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from darkroom.contracts import AutoencoderConfig
from darkroom.training.autoencoder import new_autoencoder, scene_batch
from darkroom.training.latents import BATCH, cached_latents
from darkroom.training.scenes import Painter, Scene

COUNT = BATCH + 3
CONFIG = AutoencoderConfig(
    in_channels=3, latent_channels=4, widths=(8, 16), blocks=1, norm_groups=4
)


class Brush(Painter):
    """Paints noise instead of glyphs, for which no font is needed, and counts."""

    def __init__(self) -> None:
        self.painted = 0

    def paint(self, scene: Scene, side: int) -> NDArray[np.uint8]:
        self.painted += 1
        dice = np.random.default_rng(round(scene.x * 1e9))
        return dice.integers(0, 256, (side, side, 3), np.uint8)


def test_they_are_what_the_autoencoder_says_scaled(tmp_path: Path) -> None:
    model, brush = new_autoencoder(CONFIG, seed=1), Brush()
    path = tmp_path / "latents.safetensors"
    latents = cached_latents(model, brush, path, seed=1, count=COUNT, side=16, scale=0.5)
    assert latents.shape == (COUNT, 4, 8, 8)
    assert latents.dtype == torch.float32
    with torch.no_grad():
        expected = 0.5 * model.encode(scene_batch(brush, 1, range(COUNT), 16))
    assert (latents - expected).norm() < 0.02 * expected.norm()  # encoded in bf16

    brush.painted = 0
    again = cached_latents(model, brush, path, seed=1, count=COUNT, side=16, scale=0.5)
    assert torch.equal(again, latents)
    assert brush.painted == 0


@pytest.mark.parametrize("change", ["weights", "seed", "count", "side", "scale"])
def test_any_change_encodes_them_again(change: str, tmp_path: Path) -> None:
    model, brush = new_autoencoder(CONFIG, seed=1), Brush()
    seed, count, side, scale = 1, 5, 16, 0.5

    def latents(path: Path) -> torch.Tensor:
        return cached_latents(model, brush, path, seed=seed, count=count, side=side, scale=scale)

    path = tmp_path / "latents.safetensors"
    latents(path)
    if change == "weights":
        with torch.no_grad():
            model.quant_conv.weight += 1
    elif change == "seed":
        seed = 2
    elif change == "count":
        count = 4
    elif change == "side":
        side = 32
    else:
        scale = 0.25
    assert torch.equal(latents(path), latents(tmp_path / "new.safetensors"))
