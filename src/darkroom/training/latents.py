"""Scenes encoded once, so that the U-Net's training never draws or encodes an image."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save, save_file
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

    `side` is the scenes' in pixels, `scale` the factor from what the autoencoder encodes to
    scaled latents.  Made once, and again where `path` holds those of other arguments or of an
    autoencoder with other weights.
    """
    weights = hashlib.sha256(save(autoencoder.state_dict())).hexdigest()
    asked = json.dumps([seed, count, side, scale, weights])
    if path.exists():
        with safe_open(path, framework="pt") as file:
            if file.metadata()["made_for"] == asked:
                latents: Tensor = file.get_tensor("latents")
                return latents.float()
    parts = []
    for first in range(0, count, BATCH):
        pixels = scene_batch(painter, seed, range(first, min(first + BATCH, count)), side)
        with torch.autocast("cpu", torch.bfloat16):
            parts.append((autoencoder.encode(pixels).float() * scale).half())
    latents = torch.cat(parts).contiguous()
    temporary = path.with_suffix(".part")
    save_file({"latents": latents}, temporary, {"made_for": asked})
    temporary.replace(path)
    return latents.float()
