"""Classifier-free guidance (Ho & Salimans 2207.12598)."""

import torch
from torch import Tensor

from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.samplers import Denoise


def guided(denoiser: Denoiser, cond: Tensor, uncond: Tensor, scale: float) -> Denoise:
    """`denoise(x, sigma)` = uncond + scale · (cond - uncond), of the denoised images.

    Denoised images are linear in what the network predicts, so this is the same for eps and v.
    `cond`, `uncond`: embeddings [B or 1, T, W].  Both are evaluated in one batch of 2 B, the
    unconditional half first; scale 1 needs only the conditional, scale 0 only the unconditional.
    """
    if scale in {0, 1}:
        only = cond if scale == 1 else uncond
        return lambda x, sigma: denoiser(x, sigma, only.expand(len(x), -1, -1))

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        context = torch.cat([half.expand(len(x), -1, -1) for half in (uncond, cond)])
        without, along = denoiser(torch.cat([x, x]), sigma, context).chunk(2)
        return without + scale * (along - without)

    return denoise
