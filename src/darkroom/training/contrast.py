"""The text encoder's start: captions and latents that belong together are told from the rest.

Trained with the U-Net from nothing, the text tower had learnt no more than backgrounds when a
tower that began this way already drew objects.  Symmetric InfoNCE, as CLIP (2103.00020, figure
3); scenes of the batch that show the same thing count as one.  Captions with colours or sides
exchanged are further negatives: without them the tower learns a bag of words (2210.01936).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.models.text_encoder import TextEncoder
from darkroom.training.batches import Batches
from darkroom.training.cache import NONE
from darkroom.training.loop import Loss


class ContrastiveStart(nn.Module):
    """A text encoder beside a small tower over latents, both ending in vectors of one width."""

    def __init__(self, text: TextEncoder, latent_channels: int, side: int, end_id: int) -> None:
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
            nn.Linear(256 * (side // 4) ** 2, width),
        )
        self.log_scale = nn.Parameter(torch.tensor(2.66))  # e^2.66 = 1 / 0.07, CLIP's start

    def forward(self, latents: Tensor, ids: Tensor) -> Tensor:
        """Similarities [B, C], scaled, of latents [B, Z, h, h] with captions [C, T]."""
        ends = (ids == self.end_id).int().argmax(dim=1)  # EOS also pads: the first one ends
        text = self.text(ids)[torch.arange(len(ids), device=ids.device), ends].float()
        image = self.image(latents).float()
        scale = self.log_scale.exp().clamp(max=100)
        return scale * F.normalize(image, dim=-1) @ F.normalize(text, dim=-1).T


def contrastive_loss(model: ContrastiveStart, batches: Batches) -> Loss:
    """The loss of batch `n`; nothing in it is drawn beside the batch."""

    def loss(step: int, _: torch.Generator) -> Tensor:
        batch = batches(step)
        true, twisted = batch.whole[:, 0], batch.whole[:, 1]
        twisted = twisted[(twisted != NONE).all(dim=1)]
        with torch.autocast(batch.latents.device.type, torch.bfloat16):
            logits = model(batch.latents, torch.cat([true, twisted]))
        same = (batch.labels[:, None] == batch.labels[None, :]).float()
        same = same / same.sum(dim=1, keepdim=True)
        none = same.new_zeros(len(same), len(twisted))
        by_image = F.cross_entropy(logits, torch.cat([same, none], dim=1))
        by_caption = F.cross_entropy(logits[:, : len(same)].T, same)
        return (by_image + by_caption) / 2

    return loss
