"""Scenes encoded once, so that the U-Net's training never draws or encodes an image."""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from darkroom.models.autoencoder import Autoencoder
from darkroom.training.autoencoder import scene_batch
from darkroom.training.scenes import Painter

BATCH = 64


@torch.no_grad()
def cached_latents(
    autoencoder: Autoencoder,
    painter: Painter,
    path: Path,
    *,
    seed: int,
    count: int,
    side: int,
    scale: float,
) -> Tensor:
    """Scaled latents [count, Z, h, w] (float32) of training scenes 0 … count - 1.

    Made once; `path` must be removed when the autoencoder changes.
    """
    if path.exists():
        with safe_open(path, framework="pt") as file:
            made_for = json.loads(file.metadata()["made_for"])
            if made_for == [seed, count, side]:
                latents: Tensor = file.get_tensor("latents")
                return latents.float()
    parts = []
    for first in range(0, count, BATCH):
        pixels = scene_batch(painter, seed, range(first, min(first + BATCH, count)), side)
        with torch.autocast("cpu", torch.bfloat16):
            parts.append((autoencoder.encode(pixels).float() * scale).half())
    latents = torch.cat(parts).contiguous()
    temporary = path.with_suffix(".part")
    save_file({"latents": latents}, temporary, {"made_for": json.dumps([seed, count, side])})
    temporary.replace(path)
    return latents.float()
