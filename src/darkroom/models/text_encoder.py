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
    """Token ids [B, T] (int64, T at most the context length) to embeddings [B, T, W].

    `skip`: 1 takes the last block's output, 2 the one before it, …; the final norm follows.
    `seen` [B, T], where given: tokens that are False are hidden from all that follow.
    """

    def __init__(self, config: TextEncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocabulary, config.width)
        self.position_embedding = nn.Embedding(config.context_length, config.width)
        self.blocks = nn.ModuleList(TextBlock(config) for _ in range(config.layers))
        self.norm_out = nn.LayerNorm(config.width)

    def forward(self, ids: Tensor, *, skip: int = 1, seen: Tensor | None = None) -> Tensor:
        x = self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[1]]
        mask = (
            None if seen is None else seen[:, None, None, :].expand(-1, -1, ids.shape[1], -1).tril()
        )
        for block in self.blocks[: len(self.blocks) + 1 - skip]:
            x = block(x, mask)
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

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.attention(self.norm_1(x), mask)
        out: Tensor = x + self.feed_out(self.activation(self.feed_in(self.norm_2(x))))
        return out


class CausalAttention(nn.Module):
    """Self-attention in which no token sees a later one: [B, T, W] to [B, T, W].

    `mask` [B, 1, T, T], where given, says instead which token (row) sees which (column).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        def split(y: Tensor) -> Tensor:  # [B, T, H·D] to [B, H, T, D]
            return y.reshape(*y.shape[:2], self.heads, -1).transpose(1, 2)

        q, k, v = split(self.to_q(x)), split(self.to_k(x)), split(self.to_v(x))
        if mask is None:
            y = attend(q, k, v, causal=True)
        else:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.to_out(y.transpose(1, 2).flatten(2))
        return out


def quick_gelu(x: Tensor) -> Tensor:
    """The sigmoid approximation of GELU that OpenAI trained CLIP with (1606.08415, section 2)."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "quick_gelu": quick_gelu,
    "gelu": F.gelu,
}
