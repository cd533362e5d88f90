"""What a model in training makes of fixed prompts and fixed noise."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.guidance import Conditions, Part, guided
from darkroom.diffusion.samplers import dpmpp_2m
from darkroom.diffusion.schedule import sigmas, start_from_noise, to_latent
from darkroom.models.autoencoder import Autoencoder
from darkroom.text.tokenizer import Tokenizer
from darkroom.training.diffusion import TextAndUNet


@torch.no_grad()
def samples(
    model: TextAndUNet,
    autoencoder: Autoencoder,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    *,
    alphas: Tensor,
    scale: float,
    side: int = 16,
    steps: int = 16,
    guidance: float = 3.5,
) -> list[NDArray[np.uint8]]:
    """One image [H, W, 3] of each prompt; `side` is that of the latents, `scale` their factor."""
    device = next(model.parameters()).device
    noise = torch.randn(len(prompts), 4, side, side, generator=torch.Generator().manual_seed(0))
    with torch.autocast(device.type, torch.bfloat16):
        contexts = model.text(token_ids(tokenizer, ["", *prompts]).to(device))
        conditions = Conditions(parts=(Part(context=contexts[1:]),), negative=contexts[:1])
        levels = sigmas("trailing", steps, alphas.cpu())
        x = start_from_noise("dpmpp_2m", levels, noise).to(device)
        denoise = guided(Denoiser(model.unet, alphas.cpu(), "v"), lambda _: conditions, guidance)
        for step in dpmpp_2m(denoise, x, levels):
            x = step.x
        decoded = autoencoder.decode(to_latent(x, levels) / scale)
    return list(to_images(decoded))


def token_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Texts to [N, T] int64."""
    return torch.tensor([tokenizer.chunk(text).ids for text in texts])


def to_images(pixels: Tensor) -> NDArray[np.uint8]:
    """Pixels [B, 3, H, W] in [-1, 1] to images [B, H, W, 3]."""
    bytes_ = pixels.float().clamp(-1, 1).add(1).mul(127.5).round().byte()
    return bytes_.permute(0, 2, 3, 1).cpu().numpy()
