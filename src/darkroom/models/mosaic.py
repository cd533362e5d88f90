"""A picture that is too large for a network, in overlapping tiles without a seam.

Every tile counts in the result by a smooth window, and at each place those of all tiles add up to
1, as in MultiDiffusion (Bar-Tal et al. 2302.08113, eq. 5).  Averaged in every step of a sampler,
neighbours come to agree on what they share.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from darkroom.tiles import Tiles


def in_tiles(
    evaluate: Callable[[Tensor], Tensor], x: Tensor, tiles: Tiles, *, factor: int = 1
) -> Tensor:
    """`evaluate(x)` of x [B, C, h, w], put together from tiles: [B, C', f·h, f·w].

    `factor` f: how much larger than a tile the result for it is.  It may lie on another device
    than x; of several tiles it is float32.
    """
    if tiles.count == 1:
        return evaluate(x)
    rows = windows([factor * top for top in tiles.tops], factor * tiles.height)
    columns = windows([factor * left for left in tiles.lefts], factor * tiles.width)
    out = None
    for top, row in zip(tiles.tops, rows, strict=True):
        for left, column in zip(tiles.lefts, columns, strict=True):
            part = evaluate(x[..., top : top + tiles.height, left : left + tiles.width]).float()
            if out is None:
                out = part.new_zeros(*part.shape[:2], *(factor * side for side in x.shape[2:]))
            place = out[..., factor * top :, factor * left :]
            place = place[..., : part.shape[2], : part.shape[3]]
            place += part * row.to(part)[:, None] * column.to(part)
    assert out is not None  # every picture has a tile
    return out


@contextmanager
def common_norms(network: nn.Module) -> Iterator[Callable[[], None]]:
    """Group norms that go by all tiles of a picture, so that each is normalised like the others.

    Evaluate every tile, call what this yields, and evaluate every tile again.  The first time each
    goes by itself, as it does outside: what lies deeper is measured the better the more alike the
    tiles are, and the first layers exactly.
    """
    norms = _CommonNorms()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.GroupNorm)]
    hooks = [layer.register_forward_hook(norms) for layer in layers]
    try:
        yield norms.settle
    finally:
        for hook in hooks:
            hook.remove()


class _CommonNorms:
    """Measures what goes into each layer, then replaces what comes out of it."""

    def __init__(self) -> None:
        self._moments: dict[nn.Module, list[Tensor]] = {}
        self._settled = False

    def settle(self) -> None:
        self._settled = True

    def __call__(self, layer: nn.GroupNorm, seen: tuple[Tensor, ...], out: Tensor) -> Tensor:
        x = seen[0].float()
        if not self._settled:
            groups = x.unflatten(1, (layer.num_groups, -1))
            measured = torch.var_mean(groups, dim=(0, 2, 3, 4), correction=0)
            # On the CPU: not every device has double precision.
            variance, mean = (values.cpu().double() for values in measured)
            self._moments.setdefault(layer, []).append(torch.stack([mean, variance + mean**2]))
            return out
        # Where numbers overflowed, the tile was evaluated once more.
        mean, square = torch.stack(
            [moments for moments in self._moments[layer] if moments.isfinite().all()]
        ).mean(dim=0)
        share = ((square - mean**2).clamp(min=0) + layer.eps).rsqrt()
        each = x.shape[1] // layer.num_groups
        weight, bias = (parameter.cpu().double() for parameter in (layer.weight, layer.bias))
        scale = weight * share.repeat_interleave(each)
        shift = bias - mean.repeat_interleave(each) * scale
        scale, shift = (values.to(x)[:, None, None] for values in (scale, shift))
        # Large as it is: in place, but for what went in, which the layers after may read.
        return out.copy_((x * scale).add_(shift))


def each_tile(x: Tensor, tiles: Tiles) -> Iterator[Tensor]:
    """The parts of x [B, C, h, w] that `in_tiles` evaluates, in its order."""
    for top in tiles.tops:
        for left in tiles.lefts:
            yield x[..., top : top + tiles.height, left : left + tiles.width]


def windows(starts: Sequence[int], side: int) -> Tensor:
    """How much each place of each tile along one side counts: float64 [tiles, side], above 0.

    It rises and falls like a squared sine over what a tile shares with a neighbour, and does not
    fall towards the picture's own edges.
    """
    places = torch.arange(side, dtype=torch.float64) + 0.5
    shares = torch.ones(len(starts), side, dtype=torch.float64)
    for index in range(1, len(starts)):
        shared = starts[index - 1] + side - starts[index]
        rise = (places / shared).clamp(max=1).mul(math.pi / 2).sin() ** 2
        shares[index] *= rise
        shares[index - 1] *= rise.flip(0)
    total = torch.zeros(starts[-1] + side, dtype=torch.float64)
    for share, start in zip(shares, starts, strict=True):
        total[start : start + side] += share
    return shares / torch.stack([total[start : start + side] for start in starts])
