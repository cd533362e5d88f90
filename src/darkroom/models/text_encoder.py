"""CLIP's text tower (Radford et al. 2021, 2103.00020): tokens in, one embedding a token out.

Letters: B batch, T tokens, W width, H heads, D width of a head.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.contracts import TextEncoderConfig
from darkroom.models.attention import attend


class TextEncoder(nn.Module):
    """Token ids [B, T] (int64, T at most the context length) to embeddings [B, T, W]."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        self.position_embedding = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(TextBlock(config) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(config.width)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.norm_out(x)
        return out


class TextBlock(nn.Module):
    """Pre-norm transformer block with causal self-attention: [B, T, W] to [B, T, W]."""

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.width)
        self.attention = CausalAttention(config.width, config.heads)
        self.norm_2 = nn.LayerNorm(config.width)
        self.feed_in = nn.Linear(config.width, config.feed_width)
        self.feed_out = nn.Linear(config.feed_width, config.width)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm_1(x))
        out: Tensor = x + self.feed_out(self.activation(self.feed_in(self.norm_2(x))))
        return out


class CausalAttention(nn.Module):
    """Self-attention in which no token sees a later one: [B, T, W] to [B, T, W]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        def split(y: Tensor) -> Tensor:  # [B, T, H·D] to [B, H, T, D]
            return y.reshape(*y.shape[:2], self.heads, -1).transpose(1, 2)

        y = attend(split(self.to_q(x)), split(self.to_k(x)), split(self.to_v(x)), causal=True)
        out: Tensor = self.to_out(y.transpose(1, 2).flatten(2))
        return out


def quick_gelu(x: Tensor) -> Tensor:
    """The sigmoid approximation of GELU that OpenAI trained CLIP with (1606.08415, section 2)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "quick_gelu": quick_gelu,
    "gelu": F.gelu,
}
