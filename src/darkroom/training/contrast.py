"""The text encoder's start: captions and latents that belong together are told from the rest.

Trained with the U-Net from nothing, the text tower had learnt no more than backgrounds when a
tower that began this way already drew objects.  Symmetric InfoNCE, as CLIP (2103.00020, figure
3); scenes of the batch that show the same thing count as one.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.models.text_encoder import TextEncoder

LatentBatch = Callable[[int, int], tuple[Tensor, Tensor, Tensor]]
"""(step, size) to latents [B, Z, h, w], token ids [B, T] and labels [B] of what is shown."""


class ContrastiveStart(nn.Module):
    """A text encoder beside a small tower over latents, both ending in vectors of one width."""

    def __init__(self, text: TextEncoder, latent_channels: int, end_id: int) -> None:
        super().__init__()
        width = text.config.width
        self.text = text
        self.end_id = end_id
        self.image = nn.Sequential(
            nn.Conv2d(latent_channels, 64, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(64, 128, 3, stride=2, padding=1),
            nn.GroupNorm(8, 128),
            nn.SiLU(),
            nn.Conv2d(128, 256, 3, stride=2, padding=1),
            nn.GroupNorm(8, 256),
            nn.SiLU(),
            nn.Flatten(),
            nn.LazyLinear(width),
        )
        self.log_scale = nn.Parameter(torch.tensor(2.66))  # e^2.66 = 1 / 0.07, CLIP's start

    def forward(self, latents: Tensor, ids: Tensor) -> Tensor:
        """Similarities [B, B] of every image with every caption, scaled."""
        ends = (ids == self.end_id).int().argmax(dim=1)  # EOS also pads: the first one ends
        text = self.text(ids)[torch.arange(len(ids)), ends].float()
        image = self.image(latents).float()
        scale = self.log_scale.exp().clamp(max=100)
        return scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T


def contrastive_loss(
    model: ContrastiveStart, batches: LatentBatch, batch: int
) -> Callable[[int, torch.Generator], Tensor]:
    """The loss of batch `n`; nothing in it is drawn beside the batch."""

    def loss(step: int, _: torch.Generator) -> Tensor:
        latents, ids, labels = batches(step, batch)
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(latents, ids)
        same = (labels[:, None] == labels[None, :]).float()
        target = same / same.sum(dim=1, keepdim=True)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2

    return loss
