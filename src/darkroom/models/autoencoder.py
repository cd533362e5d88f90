"""The KL autoencoder of latent diffusion (Rombach et al. 2022, 2112.10752, appendix G).

Pixels are [B, 3, H, W] in [-1, 1]; latents [B, Z, H / f, W / f], not scaled.
Letters: B batch, Z latent channels, f the factor (8 for Stable Diffusion), C width, T = H·W.
"""

from torch import Tensor, nn

from darkroom.contracts import AutoencoderConfig
from darkroom.models.attention import attend
from darkroom.models.layers import Conv, Enlarge, silu


class Autoencoder(nn.Module):
    """Encoder and decoder with the two 1 × 1 convolutions between them."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        moments = 2 * config.latent_channels
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = Conv(moments, moments, 1)
        self.post_quant_conv = Conv(config.latent_channels, config.latent_channels, 1)

    def moments(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the posterior, each [B, Z, H / f, W / f].

        H and W are multiples of f.
        """
        mean, log_variance = self.quant_conv(self.encoder(pixels)).chunk(2, dim=1)
        return mean, log_variance.clamp(-30, 20)

    def encode(self, pixels: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] to latents [B, Z, H / f, W / f], not scaled: the posterior's mean.

        Its noise is far below what 8-bit pixels can show.
        """
        return self.moments(pixels)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """Latents [B, Z, h, w], not scaled, to pixels [B, 3, f·h, f·w] of about [-1, 1]."""
        out: Tensor = self.decoder(self.post_quant_conv(latents))
        return out


class Encoder(nn.Module):
    """[B, 3, H, W] to [B, 2·Z, H / f, W / f]."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths, groups = config.widths, config.norm_groups
        self.conv_in = Conv(config.in_channels, widths[0])
        self.down = nn.ModuleList(
            EncoderLevel(before, width, config.blocks, groups, last=width_index == len(widths) - 1)
            for width_index, (before, width) in enumerate(
                zip((widths[0], *widths[:-1]), widths, strict=True)
            )
        )
        self.middle = Middle(widths[-1], groups)
        self.norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = Conv(widths[-1], 2 * config.latent_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in self.down:
            x = level(x)
        x = self.middle(x)
        out: Tensor = self.conv_out(silu(self.norm_out(x)))
        return out


class Decoder(nn.Module):
    """[B, Z, h, w] to [B, 3, f·h, f·w].  `up[0]` is the coarsest level."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths, groups = config.widths[::-1], config.norm_groups
        self.conv_in = Conv(config.latent_channels, widths[0])
        self.middle = Middle(widths[0], groups)
        self.up = nn.ModuleList(
            DecoderLevel(
                before, width, config.blocks + 1, groups, last=width_index == len(widths) - 1
            )
            for width_index, (before, width) in enumerate(
                zip((widths[0], *widths[:-1]), widths, strict=True)
            )
        )
        self.norm_out = nn.GroupNorm(groups, widths[-1], eps=1e-6)
        self.conv_out = Conv(widths[-1], config.in_channels)

    def forward(self, z: Tensor) -> Tensor:
        x = self.middle(self.conv_in(z))
        for level in self.up:
            x = level(x)
        out: Tensor = self.conv_out(silu(self.norm_out(x)))
        return out


class EncoderLevel(nn.Module):
    """Residual blocks at one resolution, then half the size, except at the last level."""

    def __init__(self, before: int, width: int, blocks: int, groups: int, *, last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResBlock(before if i == 0 else width, width, groups) for i in range(blocks)
        )
        # The published weights were trained with a margin on the right and below only.
        self.downsample = None if last else Conv(width, width, stride=2, margin=(0, 1))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        if self.downsample is not None:
            x = self.downsample(x)
        return x


class DecoderLevel(nn.Module):
    """Residual blocks at one resolution, then twice the size, except at the last level."""

    def __init__(self, before: int, width: int, blocks: int, groups: int, *, last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            ResBlock(before if i == 0 else width, width, groups) for i in range(blocks)
        )
        self.upsample = None if last else Enlarge(width)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        if self.upsample is not None:
            x = self.upsample(x)
        return x


class Middle(nn.Module):
    """At the coarsest resolution, where attention is affordable: [B, C, h, w]."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.block_1 = ResBlock(width, width, groups)
        self.attention = SpatialAttention(width, groups)
        self.block_2 = ResBlock(width, width, groups)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.block_2(self.attention(self.block_1(x)))
        return out


class ResBlock(nn.Module):
    """Two convolutions and a way round them: [B, before, H, W] to [B, width, H, W]."""

    def __init__(self, before: int, width: int, groups: int) -> None:
        super().__init__()
        self.norm_1 = nn.GroupNorm(groups, before, eps=1e-6)
        self.conv_1 = Conv(before, width)
        self.norm_2 = nn.GroupNorm(groups, width, eps=1e-6)
        self.conv_2 = Conv(width, width)
        self.skip = nn.Identity() if before == width else Conv(before, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv_1(silu(self.norm_1(x)))
        y = self.conv_2(silu(self.norm_2(y)))
        y += self.skip(x)
        return y


class SpatialAttention(nn.Module):
    """Self-attention of one head over all positions: [B, C, H, W] to [B, C, H, W]."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, width, eps=1e-6)
        self.to_q = nn.Linear(width, width)
        self.to_k = nn.Linear(width, width)
        self.to_v = nn.Linear(width, width)
        self.to_out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).flatten(2).transpose(1, 2).unsqueeze(1)  # [B, 1, T, C]
        y = self.to_out(attend(self.to_q(y), self.to_k(y), self.to_v(y)))
        out: Tensor = x + y.squeeze(1).transpose(1, 2).reshape(x.shape)
        return out
