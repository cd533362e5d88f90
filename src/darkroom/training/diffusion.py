"""Training the U-Net, and its text encoder with it, on cached latents."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from darkroom.contracts import Prediction
from darkroom.diffusion.denoiser import noised, target
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.training.contrast import LatentBatch

CAPTION_DROP = 0.1


class TextAndUNet(nn.Module):
    """What is trained together: captions in, predictions out."""

    def __init__(self, text: TextEncoder, unet: UNet) -> None:
        super().__init__()
        self.text = text
        self.unet = unet

    def forward(self, x: Tensor, timestep: Tensor, ids: Tensor) -> Tensor:
        out: Tensor = self.unet(x, timestep, self.text(ids))
        return out


def diffusion_loss(
    model: TextAndUNet,
    batches: LatentBatch,
    empty_ids: Tensor,
    alphas: Tensor,
    prediction: Prediction,
    batch: int,
) -> Callable[[int, torch.Generator], Tensor]:
    """Mean squared error of what the network predicts, all timesteps weighing the same.

    `empty_ids` [T] stand in for one caption in ten, which makes guidance possible (Ho & Salimans
    2207.12598).  Timesteps are stratified over the batch, which steadies the loss.
    """

    def loss(step: int, generator: torch.Generator) -> Tensor:
        latents, ids, _ = batches(step, batch)
        dropped = torch.rand(batch, generator=generator) < CAPTION_DROP
        ids = torch.where(dropped[:, None], empty_ids, ids)
        places = torch.arange(batch) + torch.rand(batch, generator=generator)
        timestep = (places / batch * len(alphas)).long().clamp(max=len(alphas) - 1)
        noise = torch.randn(latents.shape, generator=generator)
        alpha_bar = alphas[timestep]
        with torch.autocast("cpu", torch.bfloat16):
            predicted = model(noised(latents, noise, alpha_bar), timestep.float(), ids)
        wanted = target(latents, noise, alpha_bar, prediction)
        return nn.functional.mse_loss(predicted.float(), wanted)

    return loss
