"""Training the U-Net, and its text encoder with it, on cached latents."""

import torch
from torch import Tensor, nn

from darkroom.contracts import Prediction
from darkroom.diffusion.denoiser import noised, target
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.training.batches import Batches
from darkroom.training.loop import Loss

CAPTION_DROP = 0.1


class TextAndUNet(nn.Module):
    """What is trained together: captions in, predictions out."""

    def __init__(self, text: TextEncoder, unet: UNet) -> None:
        super().__init__()
        self.text = text
        self.unet = unet

    def forward(
        self, x: Tensor, timestep: Tensor, ids: Tensor, label: Tensor | None = None
    ) -> Tensor:
        out: Tensor = self.unet(x, timestep, self.text(ids), label)
        return out


def diffusion_loss(
    model: TextAndUNet,
    batches: Batches,
    empty_ids: Tensor,
    alphas: Tensor,
    prediction: Prediction,
) -> Loss:
    """Mean squared error of what the network predicts, all timesteps weighing the same.

    `empty_ids` [T] stand in for one caption in ten, which makes guidance possible (Ho & Salimans
    2207.12598).  Timesteps are stratified over the batch, which steadies the loss.
    """

    def loss(step: int, generator: torch.Generator) -> Tensor:
        batch = batches(step)
        x0, count, device = batch.latents, len(batch.latents), batch.latents.device
        dropped = torch.rand(count, generator=generator, device=device) < CAPTION_DROP
        ids = torch.where(dropped[:, None], empty_ids, batch.ids)
        places = torch.arange(count, device=device)
        places = places + torch.rand(count, generator=generator, device=device)
        timestep = (places / count * len(alphas)).long().clamp(max=len(alphas) - 1)
        noise = torch.randn(x0.shape, generator=generator, device=device)
        alpha_bar = alphas[timestep]
        with torch.autocast(device.type, torch.bfloat16):
            predicted = model(noised(x0, noise, alpha_bar), timestep.float(), ids)
        return nn.functional.mse_loss(predicted.float(), target(x0, noise, alpha_bar, prediction))

    return loss
