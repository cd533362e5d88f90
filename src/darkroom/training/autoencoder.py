"""Training the autoencoder: sharp without a perceptual network.

L1 on pixels plus L1 on their gradients at three scales keeps edges, squared error finds colours
soon; a mean KL term, small, keeps the latents compact enough for diffusion to learn.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.contracts import AutoencoderConfig
from darkroom.models.autoencoder import Autoencoder
from darkroom.training.loop import Loss

GRADIENT_WEIGHT = 0.5
KL_WEIGHT = 2e-3


def autoencoder_loss(
    model: Autoencoder, batches: Callable[[int], Tensor], kl_weight: float = KL_WEIGHT
) -> Loss:
    """The loss of batch `n`; `batches(n)` are pixels [B, 3, side, side] in [-1, 1]."""

    def loss(step: int, generator: torch.Generator) -> Tensor:
        pixels = batches(step)
        with torch.autocast(pixels.device.type, torch.bfloat16):
            mean, log_variance = model.moments(pixels)
            decoded = model.decode(drawn(mean, log_variance, generator))
        mean, log_variance = mean.float(), log_variance.float()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        return distance(decoded.float(), pixels) + kl_weight * kl

    return loss


def decoder_loss(model: Autoencoder, batches: Callable[[int], Tensor]) -> Loss:
    """The same for the decoder alone: what latents mean stays as it is."""

    def loss(step: int, generator: torch.Generator) -> Tensor:
        pixels = batches(step)
        with torch.autocast(pixels.device.type, torch.bfloat16):
            with torch.no_grad():
                latents = drawn(*model.moments(pixels), generator)
            decoded = model.decode(latents)
        return distance(decoded.float(), pixels)

    return loss


def drawn(mean: Tensor, log_variance: Tensor, generator: torch.Generator) -> Tensor:
    """Latents of the posterior, of the shape of `mean`."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    return mean + (0.5 * log_variance).exp() * noise


def distance(decoded: Tensor, pixels: Tensor, gradient_weight: float = GRADIENT_WEIGHT) -> Tensor:
    """How far from what it should be, in values and in edges."""
    difference = decoded - pixels
    return (
        difference.abs().mean()
        + difference.square().mean()
        + gradient_weight * gradient_difference(decoded, pixels)
    )


def gradient_difference(a: Tensor, b: Tensor) -> Tensor:
    """Mean L1 distance of horizontal and vertical differences at full, half and quarter size."""
    difference, total = a - b, torch.zeros((), device=a.device)
    for _ in range(3):
        total = total + difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()
        difference = F.avg_pool2d(difference, 2)
    return total


@torch.no_grad()
def normalise_latents(model: Autoencoder, pixels: Tensor, latent_scale: float) -> None:
    """Fold a factor into the two 1 × 1 convolutions so that scaled latents have deviation 1.

    The published layout fixes `latent_scale`; what the training found is free up to a factor.
    """
    factor = 1 / (latent_scale * model.encode(pixels).std())
    mean_weight, _ = model.quant_conv.weight.chunk(2)
    bias = model.quant_conv.bias
    assert bias is not None
    mean_bias, log_variance_bias = bias.chunk(2)
    mean_weight *= factor
    mean_bias *= factor
    log_variance_bias += 2 * factor.log()
    model.post_quant_conv.weight /= factor


def psnr(a: Tensor, b: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pixels in [-1, 1]."""
    return float(10 * torch.log10(4 / (a - b).square().mean()))


def new_autoencoder(config: AutoencoderConfig, seed: int) -> Autoencoder:
    """An untrained autoencoder that begins by decoding everything to middle grey."""
    torch.manual_seed(seed)
    model = Autoencoder(config)
    nn.init.zeros_(model.decoder.conv_out.weight)
    return model
