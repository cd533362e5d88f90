"""What an upscaler is taught by: latents first, then pixels as well."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from darkroom.diffusion.augmentation import noised_picture
from darkroom.diffusion.denoiser import noised, velocity
from darkroom.models.autoencoder import Autoencoder
from darkroom.training.autoencoder import distance
from darkroom.training.diffusion import CAPTION_DROP, TextAndUNet
from darkroom.training.loop import Loss
from darkroom.training.pairs import Batch, shrunk

CLEAN = 0.75  # the part of small pictures that are given without noise
MOST_NOISE = 350  # the highest level that the published upscaler was trained with
FIRST_STEP = 0.75  # the part of a batch that is at the last timestep, where images begin
LATENT_WEIGHT = 0.02  # of the latents' error beside that of pixels
GRADIENT_WEIGHT = 0.2  # edges come by themselves where the U-Net knows where they are
COLOUR_WEIGHT = 1.0  # of the error in the mean colours of squares
SQUARE = 8


class Enlarger(nn.Module):
    """A U-Net with its text encoder, and the decoder that draws what it says."""

    def __init__(self, model: TextAndUNet, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.model = model
        self.post_quant_conv = autoencoder.post_quant_conv
        self.decoder = autoencoder.decoder

    def decode(self, latents: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.post_quant_conv(latents))
        return out


def upscaling_loss(
    model: TextAndUNet,
    batches: Callable[[int], Batch],
    alphas: Tensor,
    empty_ids: Tensor,
    *,
    redraw: Callable[[Tensor], Tensor] | None = None,
    drawn: Callable[[Tensor], Tensor] | None = None,
) -> Loss:
    """Mean squared error of v; with `drawn`, from scaled latents to pixels, the error of those.

    Most of each batch is at the last timestep, where nothing of the latents is left: what is
    predicted there is what all later steps begin with, and most of what there is to learn.
    """

    def loss(step: int, generator: torch.Generator) -> Tensor:
        batch = batches(step)
        x0, count, device = batch.latents, len(batch.latents), batch.latents.device
        small = shrunk(batch.large, generator, redraw)
        dice = torch.rand(4, count, generator=generator, device=device)
        level = (dice[0].square() * (MOST_NOISE + 1)).long() * (dice[1] > CLEAN)
        beside = torch.randn(small.shape, generator=generator, device=device)
        seen = noised_picture(small, beside, level)
        ids = torch.where(dice[2, :, None] < CAPTION_DROP, empty_ids, batch.ids)
        last = len(alphas) - 1
        inside = torch.arange(count, device=device) >= round(FIRST_STEP * count)
        timestep = torch.where(inside, (dice[3] * last).long(), last)
        noise = torch.randn(x0.shape, generator=generator, device=device)
        alpha_bar = alphas[timestep]
        x = noised(x0, noise, alpha_bar)
        with torch.autocast(device.type, torch.bfloat16):
            v = model(torch.cat([x, seen], dim=1), timestep.float(), ids, level).float()
        error = functional.mse_loss(v, velocity(x0, noise, alpha_bar))
        if drawn is None:
            return error
        roots = alpha_bar.float()[:, None, None, None]
        with torch.autocast(device.type, torch.bfloat16):
            decoded = drawn(roots.sqrt() * x - (1 - roots).sqrt() * v).float()
        colours = functional.avg_pool2d(decoded - batch.large, SQUARE).abs().mean()
        shown = distance(decoded, batch.large, GRADIENT_WEIGHT) + COLOUR_WEIGHT * colours
        return LATENT_WEIGHT * error + shown

    return loss
