"""Mini and its upscaler as files: fp16 weights in published layouts, and what they are."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from darkroom.checkpoints.load import Networks, save_published
from darkroom.models.autoencoder import Autoencoder
from darkroom.training.diffusion import TextAndUNet
from darkroom.training.recipe import LATENT_SCALE, X4_LATENT_SCALE


@torch.no_grad()
def export(
    path: Path,
    model: TextAndUNet,
    autoencoder: Autoencoder,
    pixels: Tensor,
    *,
    merges: Sequence[str],
    words: Sequence[str],
) -> None:
    """Write a checkpoint; `pixels` [B, 3, H, W] are scenes that the preview is fitted to."""
    latents = autoencoder.encode(pixels) * LATENT_SCALE
    height, width = pixels.shape[2:]
    metadata = {
        "modelspec.title": "Mini",
        "modelspec.architecture": "stable-diffusion-v1",
        "modelspec.prediction_type": "v",
        "modelspec.resolution": f"{width}x{height}",
        "modelspec.license": "Apache-2.0",
        "ztsnr": "true",
        "darkroom.demonstration": "true",
        "darkroom.tokenizer.merges": "\n".join(merges),
        "darkroom.words": " ".join(words),
        "darkroom.preview": json.dumps(fit_preview(latents, pixels)),
        "darkroom.defaults": json.dumps(
            {"steps": 20, "guidance": 3.5, "sampler": "dpmpp_2m", "schedule": "trailing"}
        ),
    }
    networks = Networks(text_encoder=model.text, unet=model.unet, autoencoder=autoencoder)
    save_published(path, networks, metadata=metadata, dtype=torch.float16)


@torch.no_grad()
def export_upscaler(
    path: Path,
    networks: Networks,
    pixels: Tensor,
    *,
    merges: Sequence[str],
    words: Sequence[str],
) -> None:
    """Write an upscaler's checkpoint; `pixels` [B, 3, H, W] as in `export`."""
    latents = networks.autoencoder.encode(pixels) * X4_LATENT_SCALE
    metadata = {
        "modelspec.title": "Mini-x4",
        "modelspec.architecture": "stable-diffusion-v2-x4-upscaler",
        "modelspec.prediction_type": "v",
        "modelspec.license": "Apache-2.0",
        "ztsnr": "true",
        "darkroom.demonstration": "true",
        "darkroom.tokenizer.merges": "\n".join(merges),
        "darkroom.words": " ".join(words),
        "darkroom.preview": json.dumps(fit_preview(latents, pixels)),
        "darkroom.defaults": json.dumps(
            {
                "steps": 1,
                "guidance": 1.0,
                "sampler": "dpmpp_2m",
                "schedule": "trailing",
                "noise_level": 0,
            }
        ),
    }
    save_published(path, networks, metadata=metadata, dtype=torch.float16)


def fit_preview(latents: Tensor, pixels: Tensor) -> list[list[float]]:
    """The linear map from scaled latents to colours: a row for each channel, then the offsets."""
    small = F.interpolate(pixels, latents.shape[2:], mode="area")
    known = latents.movedim(1, -1).flatten(0, -2)
    known = torch.cat([known, known.new_ones(len(known), 1)], dim=1)
    solution = torch.linalg.lstsq(known, small.movedim(1, -1).flatten(0, -2)).solution
    return [[round(float(value), 5) for value in row] for row in solution]
