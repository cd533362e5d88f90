"""Weights laid out beforehand as oneDNN wants them, and less work for the same result.

Left alone, torch lays out the weight of a convolution anew each time it runs, and passes over the
results of products again to add a bias or to take a GELU, which oneDNN does while the numbers are
in registers.  The operators used here are those that torch.compile emits.  (They can add a residual
or multiply by a gate as well; that was measured, and is slower than doing it afterwards.)
"""

# ruff: noqa: SLF001 (those operators have no public names)

from collections.abc import Callable, Mapping
from itertools import product
from typing import Self

import torch
from torch import Tensor, nn

from darkroom.models.attention import fused_products_pay
from darkroom.models.layers import Conv, Enlarge, GatedLinear

_PARITIES = tuple(product((0, 1), repeat=2))  # of a row and a column


def pack(network: nn.Module) -> None:
    """Change a network in place, for inference, if it is in bf16 and on a CPU where this pays.

    Results agree with those of the plain network to the rounding of bf16.  Plain weights are freed
    layer by layer.  A packed network can be widened to float32 and narrowed again: its weights then
    lie plainly, and it works as before, if slower.
    """
    for layer in list(network.modules()):
        kind = _KINDS.get(type(layer))
        if kind is not None and fused_products_pay(next(layer.parameters())):
            layer.__class__ = kind
            assert isinstance(layer, Packed)
            layer.pack()


class Packed(nn.Module):
    """A layer with weights in an order that only oneDNN knows."""

    def pack(self) -> None:
        """Bring the plain weights into that order."""
        raise NotImplementedError

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Unpack: tensors in that order can neither be converted nor moved."""
        for name, weight in list(self.named_parameters(recurse=False)):
            if weight.is_mkldnn:
                setattr(self, name, _constant(weight.to_dense()))
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


class PackedConv(Packed, Conv):
    """See Conv."""

    def pack(self) -> None:
        """Lay out the weight.

        What oneDNN prefers for a 1 × 1 convolution depends on the size of the image, and a wrong
        guess costs many times what could be gained; larger ones it wants the same way for any.
        """
        if self.kernel_size != (1, 1):
            self.weight = _laid_out(self.weight, self.stride)

    def forward(self, x: Tensor) -> Tensor:
        """See Conv."""
        x, zeros = self._extended(x)
        return _convolution(x, self.weight, self.bias, self.stride, zeros)


class PackedEnlarge(Packed, Conv):
    """See Enlarge.

    Of the nine pixels that a pixel of the large image sees, those that are copies of one pixel of
    the small image meet the sum of their weights.  So 2 × 2 weights for the small image remain,
    one set for each parity of row and column, which is 4/9 of the work.
    """

    def pack(self) -> None:
        """Sum the weight [C, C, 3, 3] to four of [C, C, 2, 2], and lay them out."""
        rows = _pairs(self.weight.float(), dim=2)
        for i, j in _PARITIES:
            weight = _pairs(rows[i], dim=3)[j].to(self.weight.dtype)
            self.register_parameter(f"weight_{i}{j}", _laid_out(weight, self.stride))
        del self.weight

    def forward(self, x: Tensor) -> Tensor:
        """See Enlarge."""
        batch, width, height, length = x.shape
        x, zeros = self._extended(x)
        out = x.new_empty((batch, 2 * height, 2 * length, width)).permute(0, 3, 1, 2)
        for i, j in _PARITIES:
            # Between and around n rows there are n + 1 places that touch two neighbours.  The large
            # image's row 2·k looks at the place above row k, 2·k + 1 at the one below it.
            weight = self.get_parameter(f"weight_{i}{j}")
            places = _convolution(x, weight, self.bias, self.stride, zeros)
            out[:, :, i::2, j::2] = places[:, :, i : i + height, j : j + length]
        return out


class PackedLinear(Packed, nn.Linear):
    """See nn.Linear."""

    def pack(self) -> None:
        """Lay out the weight."""
        self.weight = _laid_out(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """See nn.Linear."""
        return _product(x, self.weight, self.bias)


class PackedGatedLinear(Packed, GatedLinear):
    """See GatedLinear."""

    def pack(self) -> None:
        """Part weight and bias into those of the values and those of the gates."""
        weights, biases = self.weight.chunk(2), self.bias.chunk(2)
        del self.weight, self.bias
        self.value, self.gate = (_laid_out(weight) for weight in weights)
        self.value_bias, self.gate_bias = (_constant(bias) for bias in biases)

    def forward(self, x: Tensor) -> Tensor:
        """See GatedLinear."""
        value = _product(x, self.value, self.value_bias)
        return value.mul_(_product(x, self.gate, self.gate_bias, "gelu"))


_KINDS: Mapping[type[nn.Module], type[Packed]] = {
    Conv: PackedConv,
    Enlarge: PackedEnlarge,
    nn.Linear: PackedLinear,
    GatedLinear: PackedGatedLinear,
}


def _constant(weight: Tensor) -> nn.Parameter:
    return nn.Parameter(weight, requires_grad=False)


def _laid_out(weight: Tensor, stride: tuple[int, ...] = ()) -> nn.Parameter:
    """A weight [C, B] of a product, or [C, B, h, w] of a convolution, in oneDNN's order."""
    if weight.ndim == 2:
        return _constant(torch.ops.mkldnn._reorder_linear_weight(weight))
    return _constant(
        torch.ops.mkldnn._reorder_convolution_weight(weight, [1, 1], list(stride), [1, 1], 1)
    )


def _pairs(weight: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Of three neighbours in a row, what two pixels meet: an even one first, then an odd one."""
    first, middle, last = weight.unbind(dim)
    return torch.stack([first, middle + last], dim), torch.stack([first + middle, last], dim)


def _convolution(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, ...], zeros: int
) -> Tensor:
    """The convolution of x [B, C, H, W] with `zeros` around it; channels last."""
    out: Tensor = torch.ops.mkldnn._convolution_pointwise(
        x.contiguous(memory_format=torch.channels_last),
        weight,
        bias,
        [zeros, zeros],
        list(stride),
        [1, 1],
        1,
        "none",
        [],
        "",
    )
    return out


def _product(x: Tensor, weight: Tensor, bias: Tensor | None, function: str = "none") -> Tensor:
    """function(x weightᵀ + bias)."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, function, [], "none")
    return out
