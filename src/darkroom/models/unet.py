"""The text-conditioned U-Net of latent diffusion (Rombach et al. 2022, 2112.10752).

Letters: B batch, C width, H and W height and width in latents, T = H·W, N heads, D width of a
head, S text tokens, X context width, E time width.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.contracts import UNetConfig
from darkroom.models.attention import attend
from darkroom.models.layers import Conv, Enlarge, GatedLinear, repeated, silu


class UNet(nn.Module):
    """Predicts eps or v from a noisy latent.

    x [B, C_in, H, W] (H, W multiples of `config.multiple`), timestep [B] in [0, 999] (may be
    fractional), context [B, S, X]; returns [B, C_out, H, W].

    `label` is what some models are told beside the time, and only those: a number [B] (int64) with
    `config.classes`, a vector [B, V] with `config.vector_width`.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths, time_width = config.widths, config.time_width
        self.time_in = nn.Linear(widths[0], time_width)
        self.time_out = nn.Linear(time_width, time_width)
        if config.classes is not None:
            self.label = nn.Embedding(config.classes, time_width)
        if config.vector_width is not None:
            self.label_in = nn.Linear(config.vector_width, time_width)
            self.label_out = nn.Linear(time_width, time_width)
        self.conv_in = Conv(config.in_channels, widths[0])

        # `skips` are the widths of what the way down leaves for the way up.
        skips = [widths[0]]
        width = widths[0]
        self.down = nn.ModuleList()
        for index in range(len(widths)):
            last = index == len(widths) - 1
            self.down.append(Down(config, index, width, last=last))
            width = widths[index]
            skips += [width] * (config.blocks + (not last))

        self.middle = Middle(config)

        self.up = nn.ModuleList()
        for index in reversed(range(len(widths))):
            joined = [skips.pop() for _ in range(config.blocks + 1)]
            self.up.append(Up(config, index, width, joined, last=index == 0))
            width = widths[index]

        self.norm_out = nn.GroupNorm(config.norm_groups, widths[0])
        self.conv_out = Conv(widths[0], config.out_channels)

    def forward(
        self, x: Tensor, timestep: Tensor, context: Tensor, label: Tensor | None = None
    ) -> Tensor:
        time = sinusoid(timestep, self.config.widths[0]).to(x.dtype)
        time = self.time_out(F.silu(self.time_in(time)))  # [B, E]
        if label is not None:
            time = time + self._told(label)

        # Guidance asks what one image is with several texts.  Until a text is looked at, it is
        # computed once: `x` has fewer rows than `time` and `context`.
        rows = len(x)
        x = self.conv_in(x if self.training else x[: period(x, timestep, label)])
        skips = [x]
        for down in self.down:
            x, left = down(x, time, context)
            skips += left
        x = repeated(self.middle(x, time, context), rows)
        skips = [repeated(skip, rows) for skip in skips]
        for up in self.up:
            x = up(x, skips, time, context)
        out: Tensor = self.conv_out(silu(self.norm_out(x)))
        return out

    def _told(self, label: Tensor) -> Tensor:
        """A number [B] or a vector [B, V] as an addition to the time: [B, E]."""
        if self.config.classes is not None:
            told: Tensor = self.label(label)
        else:
            told = self.label_out(F.silu(self.label_in(label)))
        return told


def period(x: Tensor, timestep: Tensor, label: Tensor | None = None) -> int:
    """The rows after which x [B, …], timestep [B] and label [B, …] begin again, B if they do not.

    They are compared on the CPU only: a GPU would have to be waited for.
    """
    if x.device.type == "cpu":
        compared = [timestep, x] if label is None else [timestep, label, x]
        for rows in range(1, len(x) // 2 + 1):
            again = all(torch.equal(y[rows:], y[:-rows]) for y in compared)
            if again and len(x) % rows == 0:
                return rows
    return len(x)


def sinusoid(timestep: Tensor, width: int) -> Tensor:
    """Timesteps [B] to features [B, width], cosines first (DDPM, 2006.11239, in ldm's order)."""
    half = width // 2
    exponents = torch.arange(half, dtype=torch.float32, device=timestep.device) / half
    angles = timestep.float()[:, None] * torch.exp(-math.log(10_000) * exponents)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class Down(nn.Module):
    """One resolution on the way down; every block, and the halving, leaves a skip."""

    def __init__(self, config: UNetConfig, index: int, before: int, *, last: bool) -> None:
        super().__init__()
        width = config.widths[index]
        self.blocks = nn.ModuleList(
            Block(config, index, before if i == 0 else width) for i in range(config.blocks)
        )
        self.downsample = None if last else Conv(width, width, stride=2)

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> tuple[Tensor, list[Tensor]]:
        skips = []
        for block in self.blocks:
            x = block(x, time, context)
            skips.append(x)
        if self.downsample is not None:
            x = self.downsample(x)
            skips.append(x)
        return x, skips


class Up(nn.Module):
    """One resolution on the way up; every block takes the youngest skip that is left."""

    def __init__(
        self, config: UNetConfig, index: int, before: int, joined: list[int], *, last: bool
    ) -> None:
        super().__init__()
        width = config.widths[index]
        self.blocks = nn.ModuleList(
            Block(config, index, (before if i == 0 else width) + skip)
            for i, skip in enumerate(joined)
        )
        self.upsample = None if last else Enlarge(width)

    def forward(self, x: Tensor, skips: list[Tensor], time: Tensor, context: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(torch.cat([x, skips.pop()], dim=1), time, context)
        if self.upsample is not None:
            x = self.upsample(x)
        return x


class Block(nn.Module):
    """A residual block and, where the resolution has any, attention to itself and the text."""

    def __init__(self, config: UNetConfig, index: int, before: int) -> None:
        super().__init__()
        self.residual = ResBlock(config, before, config.widths[index])
        self.attention = (
            SpatialTransformer(config, index, config.depths[index])
            if config.depths[index]
            else None
        )

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        x = self.residual(x, time)
        if self.attention is not None:
            x = self.attention(x, context)
        return x


class Middle(nn.Module):
    """The coarsest resolution once more, with attention whatever its level has."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        width = config.widths[-1]
        self.residual_1 = ResBlock(config, width, width)
        self.attention = SpatialTransformer(config, len(config.widths) - 1, config.middle_depth)
        self.residual_2 = ResBlock(config, width, width)

    def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
        x = self.attention(self.residual_1(x, time), context)
        out: Tensor = self.residual_2(x, time)
        return out


class ResBlock(nn.Module):
    """Two convolutions with the time added between them: [B, before, H, W] to [B, C, H, W]."""

    def __init__(self, config: UNetConfig, before: int, width: int) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(config.norm_groups, before)
        self.conv_1 = Conv(before, width)
        self.time = nn.Linear(config.time_width, width)
        self.norm_2 = nn.GroupNorm(config.norm_groups, width)
        self.conv_2 = Conv(width, width)
        self.skip = nn.Identity() if before == width else Conv(before, width, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        y: Tensor = self.conv_1(silu(self.norm_1(x)))
        y += self.time(F.silu(time))[: len(x), :, None, None]
        y = self.conv_2(silu(self.norm_2(y)))
        y += self.skip(x)
        return y


class SpatialTransformer(nn.Module):
    """Transformer blocks over the positions of an image: [B, C, H, W] to [B, C, H, W]."""

    def __init__(self, config: UNetConfig, index: int, depth: int) -> None:
        super().__init__()
        width = config.widths[index]
        self.norm = nn.GroupNorm(config.norm_groups, width, eps=1e-6)
        self.proj_in = nn.Linear(width, width)
        self.blocks = nn.ModuleList(TransformerBlock(config, index) for _ in range(depth))
        self.proj_out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        y = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))  # [B, T, C]
        for block in self.blocks:
            y = block(y, context)
        y = self.proj_out(y).transpose(1, 2).unflatten(2, x.shape[2:])
        out: Tensor = repeated(x, len(y)) + y
        return out


class TransformerBlock(nn.Module):
    """Attention to the image itself, to the text, then a gated feed-forward: [B, T, C]."""

    def __init__(self, config: UNetConfig, index: int) -> None:
        super().__init__()
        width, heads = config.widths[index], config.heads[index]
        self.looks_inward = config.self_attention[index]
        first = width if self.looks_inward else config.context_width
        self.norm_1 = nn.LayerNorm(width)
        self.attention_1 = Attention(width, first, heads)
        self.norm_2 = nn.LayerNorm(width)
        self.attention_2 = Attention(width, config.context_width, heads)
        self.norm_3 = nn.LayerNorm(width)
        self.feed_in = GatedLinear(width, 4 * width)
        self.feed_out = nn.Linear(4 * width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        if self.looks_inward:
            y = self.norm_1(x)
            x = repeated(x + self.attention_1(y, y), len(context))
        else:
            x = repeated(x, len(context))
            x = x + self.attention_1(self.norm_1(x), context)
        x = x + self.attention_2(self.norm_2(x), context)
        out: Tensor = x + self.feed_out(self.feed_in(self.norm_3(x)))
        return out


class Attention(nn.Module):
    """Queries from x [B, T, C], keys and values from context [B, S, X]; returns [B, T, C]."""

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        def split(y: Tensor) -> Tensor:  # [B, T, N·D] to [B, N, T, D]
            return y.reshape(*y.shape[:2], self.heads, -1).transpose(1, 2)

        y = attend(split(self.to_q(x)), split(self.to_k(context)), split(self.to_v(context)))
        out: Tensor = self.to_out(y.transpose(1, 2).flatten(2))
        return out
