"""Noise on what a model is given besides: it learnt how much is to be made up (2106.15282)."""

import torch
from torch import Tensor

from darkroom.diffusion.denoiser import noised
from darkroom.diffusion.schedule import alphas_cumprod, cosine_alphas_cumprod

# Of the x4 upscaler's small picture, whatever the schedule of its latents.
_PICTURE_BETAS = 0.0001, 0.02


def noised_picture(picture: Tensor, noise: Tensor, level: int | Tensor) -> Tensor:
    """What the x4 upscaler sees of a small picture [1 or B, 3, h, w] in [-1, 1].

    `noise`: unit normal [B, 3, h, w], as the result.  `level`: 0 … 999, little to much,
    one or [B] of them.
    """
    return noised(picture, noise, alphas_cumprod(betas=_PICTURE_BETAS)[level, None])


def noised_embedding(
    embedding: Tensor, noise: Tensor, level: int, *, mean: Tensor, deviation: Tensor
) -> Tensor:
    """What unCLIP is told of an image's embedding [1 or B, E] (Ramesh et al. 2204.06125).

    `noise`: unit normal [B, E], as the result.  `level`: 0 … 999, little to much.  `mean` and
    `deviation` [1, E], those of many images' embeddings, make it as large as the noise meanwhile.
    """
    scaled = (embedding - mean) / deviation
    return noised(scaled, noise, cosine_alphas_cumprod()[level, None]) * deviation + mean


def mixed(embeddings: Tensor, weights: tuple[float, ...]) -> Tensor:
    """One embedding [1, E] between several [N, E], in the proportions of their N weights."""
    whole = sum(weights)  # in double precision: none is too small to count
    shares = torch.tensor([weight / whole for weight in weights], dtype=embeddings.dtype)
    return shares @ embeddings[None]
