"""Transformers that look at images: CLIP's image tower (Radford et al. 2021, 2103.00020).

Letters: B batch, T tokens (the class token, then the patches row by row), W width, H heads, D width
of a head, E width of the embedding.
"""

import torch
from torch import Tensor, nn

from darkroom.contracts import ImageEncoderConfig
from darkroom.models.attention import attend
from darkroom.models.text_encoder import ACTIVATIONS


class ImageEncoder(nn.Module):
    """An image [B, 3, S, S] to one embedding [B, E], S = `grid` · `patch` pixels.

    Colours are normalised with CLIP's mean and deviation beforehand.
    """

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.patches = nn.Conv2d(3, config.width, config.patch, config.patch, bias=False)
        self.class_token = nn.Parameter(torch.zeros(config.width))
        self.positions = nn.Parameter(torch.zeros(1 + config.grid**2, config.width))
        self.norm_in = nn.LayerNorm(config.width)
        self.blocks = nn.ModuleList(
            VisionBlock(config.width, config.heads, config.feed_width, config.activation)
            for _ in range(config.layers)
        )
        self.norm_out = nn.LayerNorm(config.width)
        self.projection = nn.Parameter(torch.zeros(config.width, config.embedding))

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        first = self.class_token.expand(len(x), 1, -1)
        tokens = self.norm_in(torch.cat([first, tokens], dim=1) + self.positions)
        for block in self.blocks:
            tokens = block(tokens)
        out: Tensor = self.norm_out(tokens[:, 0]) @ self.projection
        return out


class VisionBlock(nn.Module):
    """Pre-norm transformer block in which every token sees all others: [B, T, W] to [B, T, W]."""

    def __init__(
        self, width: int, heads: int, feed_width: int, activation: str, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(width, eps=eps)
        self.attention = SelfAttention(width, heads)
        self.norm_2 = nn.LayerNorm(width, eps=eps)
        self.feed_in = nn.Linear(width, feed_width)
        self.feed_out = nn.Linear(feed_width, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm_1(x))
        out: Tensor = x + self.feed_out(self.activation(self.feed_in(self.norm_2(x))))
        return out


class SelfAttention(nn.Module):
    """Attention with queries, keys and values from one product, as the published files hold it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, _ = x.shape
        q, k, v = self.to_qkv(x).reshape(B, T, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        out: Tensor = self.to_out(attend(q, k, v).transpose(1, 2).flatten(2))
        return out
