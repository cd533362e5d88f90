"""What an upscaler is taught by: latents first, then pixels as well."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from darkroom.diffusion.augmentation import noised_picture
from darkroom.diffusion.denoiser import noised, velocity
from darkroom.models.autoencoder import Autoencoder
from darkroom.training.autoencoder import distance
from darkroom.training.diffusion import TextAndUNet
from darkroom.training.loop import Loss
from darkroom.training.pairs import Batch, shrunk

CLEAN = 0.75  # the part of small pictures that are given without noise
MOST_NOISE = 350  # the highest level that the published upscaler was trained with
FIRST_STEP = 0.75  # the part of a batch that is at the last timestep, where images begin
LATENT_WEIGHT = 0.02  # of the latents' error beside that of pixels
GRADIENT_WEIGHT = 0.2  # edges come by themselves where the U-Net knows where they are
COLOUR_WEIGHT = 1.0  # of the error in the mean colours of squares
SQUARE = 8
RECOLOURED = 0.5  # of what is learnt from pixels alone: scenes have few colours, pictures all
WORDLESS = 0.75  # the part of pictures of which nothing is said


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
        dice = torch.rand(5, count, generator=generator, device=device)
        last = len(alphas) - 1
        inside = torch.arange(count, device=device) >= round(FIRST_STEP * count)
        timestep = torch.where(inside, (dice[0] * last).long(), last)
        # Their latents are those of other colours: of these only the last timestep shows nothing.
        strange = ~inside & (dice[1] < RECOLOURED) & (drawn is not None)
        large = torch.where(_each(strange), recoloured(batch.large, generator), batch.large)
        small = shrunk(large, generator, redraw)
        level = (dice[2].square() * (MOST_NOISE + 1)).long() * (dice[3] > CLEAN)
        beside = torch.randn(small.shape, generator=generator, device=device)
        seen = noised_picture(small, beside, level)
        wordless = strange | (dice[4] < WORDLESS)
        ids = torch.where(wordless[:, None], empty_ids, batch.ids)
        noise = torch.randn(x0.shape, generator=generator, device=device)
        alpha_bar = alphas[timestep]
        x = noised(x0, noise, alpha_bar)
        with torch.autocast(device.type, torch.bfloat16):
            v = model(torch.cat([x, seen], dim=1), timestep.float(), ids, level).float()
        error: Tensor = (v - velocity(x0, noise, alpha_bar)).square() * ~_each(strange)
        if drawn is None:
            return error.mean()
        roots = _each(alpha_bar.float())
        with torch.autocast(device.type, torch.bfloat16):
            decoded = drawn(roots.sqrt() * x - (1 - roots).sqrt() * v).float()
        colours = functional.avg_pool2d(decoded - large, SQUARE).abs().mean()
        shown: Tensor = distance(decoded, large, GRADIENT_WEIGHT) + COLOUR_WEIGHT * colours
        return LATENT_WEIGHT * error.mean() + shown

    return loss


def recoloured(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures [B, 3, H, W] with their channels in another order, and some of another colour."""
    count, device = len(pixels), pixels.device
    order = torch.rand(count, 3, generator=generator, device=device).argsort(dim=1)
    mixed = pixels.gather(1, order[:, :, None, None].expand_as(pixels))
    colour = torch.rand(count, 3, 1, 1, generator=generator, device=device) * 2 - 1
    part = torch.rand(count, 1, 1, 1, generator=generator, device=device) / 2
    return mixed.lerp(colour.expand_as(mixed), part)


def _each(values: Tensor) -> Tensor:
    """One value [B] for each picture, shaped to be combined with [B, C, H, W]."""
    return values[:, None, None, None]
