"""Layers that do a little more than torch's; their parameters have the same names and shapes."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Conv(nn.Conv2d):
    """A convolution of [B, C, H, W] that knows what lies beyond the edges.

    That is zeros or, in the directions in which it wraps, what lies at the opposite edge.
    `margin`: how many rows and columns it looks at before the first and after the last.
    """

    def __init__(
        self,
        before: int,
        width: int,
        size: int = 3,
        *,
        stride: int = 1,
        margin: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(before, width, size, stride=stride)
        self.margin = (size // 2, size // 2) if margin is None else margin
        self.wraps_x = self.wraps_y = False

    def forward(self, x: Tensor) -> Tensor:
        x, zeros = self._extended(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, zeros)

    def _extended(self, x: Tensor) -> tuple[Tensor, int]:
        """`x` with its margins, and how many zeros are still to be taken for granted around it."""
        first, last = self.margin
        wraps = self.wraps_y, self.wraps_x
        if first == last and (first == 0 or not any(wraps)):
            return x, first
        for dim, around in zip((2, 3), wraps, strict=True):
            if around:
                ends = x.narrow(dim, x.shape[dim] - first, first), x.narrow(dim, 0, last)
                x = torch.cat([ends[0], x, ends[1]], dim)
            else:
                x = F.pad(x, (*(0, 0) * (3 - dim), first, last))
        return x, 0


class Enlarge(Conv):
    """Every pixel four times, then a convolution: [B, C, H, W] to [B, C, 2·H, 2·W]."""

    def __init__(self, width: int) -> None:
        super().__init__(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.interpolate(x, scale_factor=2.0, mode="nearest"))


class GatedLinear(nn.Linear):
    """GEGLU (Shazeer 2020, 2002.05202): [B, T, C] to [B, T, width].

    The upper half of the weight makes values, the lower half what opens the gate for each.
    """

    def __init__(self, before: int, width: int) -> None:
        super().__init__(before, 2 * width)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = super().forward(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


def silu(x: Tensor) -> Tensor:
    """SiLU (1702.03118), written over x where no gradient needs x: for what nobody reads again."""
    return F.silu(x, inplace=not x.requires_grad)


def repeated(x: Tensor, rows: int) -> Tensor:
    """A batch [B, …] as often as fits into so many rows, the whole batch one time after another."""
    return x if len(x) == rows else torch.cat([x] * (rows // len(x)))
