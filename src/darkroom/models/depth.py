"""Depth from one image: MiDaS's DPT-hybrid (Ranftl et al. 2021, 2103.13413).

A residual network (BiT, 1912.11370) sees the image, a vision transformer its sixteenth, and a
decoder (RefineNet, 1611.06612) joins four resolutions of both.
Letters: B batch, C width, H and W height and width in pixels, h and w a sixteenth of them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from darkroom.contracts import DepthConfig
from darkroom.models.vision import VisionBlock

# Where each stage of the residual network begins it halves, but for the first: the stem did.
_STRIDES = (1, 2, 2)


class DepthEstimator(nn.Module):
    """Images [B, 3, H, W] in [-1, 1], H and W multiples of 32, to inverse depth [B, H, W].

    Inverse depth is relative: at least 0, larger where things are nearer, of no unit.
    """

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = ResidualNetwork(config)
        self.patches = nn.Conv2d(config.stages[-1][1], config.width, 1)
        self.class_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.positions = nn.Parameter(torch.zeros(1, 1 + config.grid**2, config.width))
        self.blocks = nn.ModuleList(
            VisionBlock(config.width, config.heads, config.feed_width, "gelu", eps=1e-6)
            for _ in range(max(config.taps) + 1)
        )
        self.readouts = nn.ModuleList(Readout(config.width) for _ in config.taps)
        self.halve = nn.Conv2d(config.width, config.width, 3, stride=2, padding=1)

        (_, quarter), (_, eighth), _ = config.stages
        self.reduce = nn.ModuleList(
            nn.Conv2d(width, config.features, 3, padding=1, bias=False)
            for width in (quarter, eighth, config.width, config.width)
        )
        self.fusions = nn.ModuleList(
            Fusion(config.features, joins=joins) for joins in (True, True, True, False)
        )
        first, second = config.head
        self.head_1 = nn.Conv2d(config.features, first, 3, padding=1)
        self.head_2 = nn.Conv2d(first, second, 3, padding=1)
        self.head_3 = nn.Conv2d(second, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        quarter, eighth, sixteenth = self.backbone(x)
        seen = self._look(sixteenth)
        levels = (quarter, eighth, seen[0], self.halve(seen[1]))  # fine to coarse
        levels = tuple(reduce(y) for reduce, y in zip(self.reduce, levels, strict=True))

        y = self.fusions[3](levels[3])
        for level in (2, 1, 0):
            y = self.fusions[level](y, levels[level])
        y = _doubled(self.head_1(y))
        out: Tensor = F.relu(self.head_3(F.relu(self.head_2(y))))
        return out.squeeze(1)

    def _look(self, features: Tensor) -> list[Tensor]:
        """What the transformer makes of features [B, C, h, w]: [B, W, h, w] at each tap."""
        size = features.shape[2:]
        tokens = self.patches(features).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = tokens + self._positions_for(size)
        taken = []
        for index, block in enumerate(self.blocks):
            tokens = block(tokens)
            if index in self.config.taps:
                taken.append(tokens)
        return [readout(tokens, size) for readout, tokens in zip(self.readouts, taken, strict=True)]

    def _positions_for(self, size: torch.Size) -> Tensor:
        """The learnt positions of a square grid, stretched to another: [1, 1 + h·w, W]."""
        first, grid = self.positions[:, :1], self.positions[:, 1:]
        side = self.config.grid
        grid = grid.reshape(1, side, side, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=size, mode="bilinear", align_corners=False)
        return torch.cat([first, grid.flatten(2).transpose(1, 2)], dim=1)


class Readout(nn.Module):
    """Patches [B, 1 + h·w, W] told what the class token saw, as an image [B, W, h, w]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.join = nn.Linear(2 * width, width)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, tokens: Tensor, size: torch.Size) -> Tensor:
        patches = tokens[:, 1:]
        joined = torch.cat([patches, tokens[:, :1].expand_as(patches)], dim=-1)
        image = F.gelu(self.join(joined)).transpose(1, 2).unflatten(2, size)
        out: Tensor = self.out(image)
        return out


class Fusion(nn.Module):
    """A coarse level [B, C, H, W], joined by the one beside it, at twice the size."""

    def __init__(self, width: int, *, joins: bool) -> None:
        super().__init__()
        self.joined = Refinement(width) if joins else None
        self.refine = Refinement(width)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        if self.joined is not None and level is not None:
            x = x + self.joined(level)
        out: Tensor = self.out(_doubled(self.refine(x)))
        return out


class Refinement(nn.Module):
    """Two convolutions beside an identity: [B, C, H, W] to the same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv_2(F.relu(self.conv_1(F.relu(x))))
        return out


class ResidualNetwork(nn.Module):
    """An image [B, 3, H, W] at a quarter, an eighth and a sixteenth of its size."""

    def __init__(self, config: DepthConfig) -> None:
        super().__init__()
        self.stem = StandardizedConv(3, config.stem, 7, stride=2)
        self.norm = nn.GroupNorm(config.norm_groups, config.stem)
        self.stages = nn.ModuleList()
        before = config.stem
        for stride, (count, width) in zip(_STRIDES, config.stages, strict=True):
            self.stages.append(
                nn.Sequential(
                    Bottleneck(before, width, stride, config.norm_groups),
                    *(Bottleneck(width, width, 1, config.norm_groups) for _ in range(count - 1)),
                )
            )
            before = width

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.relu(self.norm(self.stem(x)))
        # No value is below 0 any more, so zeros beyond the edge are never the largest.
        x = F.max_pool2d(_padded(x, 3, 2), 3, 2)
        out = []
        for stage in self.stages:
            x = stage(x)
            out.append(x)
        return out


class Bottleneck(nn.Module):
    """Three convolutions, the middle one narrow and striding, beside an identity."""

    def __init__(self, before: int, width: int, stride: int, groups: int) -> None:
        super().__init__()
        narrow = width // 4
        self.conv_1 = StandardizedConv(before, narrow, 1)
        self.norm_1 = nn.GroupNorm(groups, narrow)
        self.conv_2 = StandardizedConv(narrow, narrow, 3, stride=stride)
        self.norm_2 = nn.GroupNorm(groups, narrow)
        self.conv_3 = StandardizedConv(narrow, width, 1)
        self.norm_3 = nn.GroupNorm(groups, width)
        changes = before != width or stride != 1
        self.skip = StandardizedConv(before, width, 1, stride=stride) if changes else None
        self.norm_skip = nn.GroupNorm(groups, width) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm_1(self.conv_1(x)))
        y = F.relu(self.norm_2(self.conv_2(y)))
        y = self.norm_3(self.conv_3(y))
        if self.skip is not None and self.norm_skip is not None:
            x = self.norm_skip(self.skip(x))
        return F.relu(x + y)


class StandardizedConv(nn.Conv2d):
    """A convolution by weights of mean 0 and variance 1 (Qiao et al. 2019, 1903.10520).

    The image is padded as TensorFlow does it, with the odd row and column at the end.
    """

    def __init__(self, before: int, width: int, size: int, *, stride: int = 1) -> None:
        super().__init__(before, width, size, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.float()
        variance, mean = torch.var_mean(weight, dim=(1, 2, 3), keepdim=True, correction=0)
        weight = ((weight - mean) * (variance + 1e-8).rsqrt()).to(x.dtype)
        return F.conv2d(_padded(x, self.kernel_size[0], self.stride[0]), weight, None, self.stride)


def _padded(x: Tensor, size: int, stride: int) -> Tensor:
    """Zeros around [B, C, H, W], so that a window of `size` gives ⌈H / stride⌉ x ⌈W / stride⌉."""

    def missing(side: int) -> int:
        return max((-(-side // stride) - 1) * stride + size - side, 0)

    rows, columns = missing(x.shape[2]), missing(x.shape[3])
    if rows == columns == 0:
        return x
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)
