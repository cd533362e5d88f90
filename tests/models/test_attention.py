"""Attention against its definition in float64, on every path and at its edges."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from darkroom.models.attention import attend

TOLERANCE = {torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1.2e-2}
AMX = torch.cpu._is_amx_tile_supported()
PRODUCTS = torch.cpu._is_avx512_bf16_supported() and not AMX


def oracle(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
    q, k, v = q.double(), k.double(), v.double()
    logits = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
    if causal:
        later = torch.ones(logits.shape[-2:], dtype=torch.bool).triu(1)
        logits = logits.masked_fill(later, float("-inf"))
    out: Tensor = logits.softmax(-1) @ v
    return out


def inputs(
    dtype: torch.dtype, queries: int, keys: int, width: int, heads: int = 2, batch: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v as the networks make them: heads cut out of [B, T, H·D]."""
    generator = torch.Generator().manual_seed(queries * 7919 + keys)

    def draw(tokens: int) -> Tensor:
        x = torch.randn(batch, tokens, heads * width, generator=generator).to(dtype)
        return x.reshape(batch, tokens, heads, width).transpose(1, 2)

    return draw(queries), draw(keys), draw(keys)


def error(out: Tensor, expected: Tensor) -> float:
    return float((out.double() - expected).norm() / expected.norm())


class Watch(TorchDispatchMode):
    """Notes which operators run, and the most elements that one of them returns."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()
        self.largest = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.names.add(str(func))
        for x in out if isinstance(out, tuple) else (out,):
            if isinstance(x, Tensor):
                self.largest = max(self.largest, x.numel())
        return out

    @property
    def products(self) -> bool:
        return any("_linear_pointwise" in name for name in self.names)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    ("queries", "keys", "width"),
    [(1, 1, 8), (16, 16, 24), (77, 77, 64), (255, 256, 160), (256, 77, 40), (300, 32, 16),
     (257, 1, 40), (1031, 1031, 40), (513, 999, 80), (256, 256, 512)],
)  # fmt: skip
@torch.inference_mode()
def test_is_its_definition(dtype: torch.dtype, queries: int, keys: int, width: int) -> None:
    q, k, v = inputs(dtype, queries, keys, width)
    out = attend(q, k, v)
    assert out.shape == q.shape
    assert out.dtype == dtype
    assert error(out, oracle(q, k, v)) < TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("tokens", [1, 32, 77, 300])
@torch.inference_mode()
def test_causal_is_its_definition(dtype: torch.dtype, tokens: int) -> None:
    q, k, v = inputs(dtype, tokens, tokens, 64)
    assert error(attend(q, k, v, causal=True), oracle(q, k, v, causal=True)) < TOLERANCE[dtype]


@pytest.mark.parametrize("sharpness", [0.1, 1.0, 3.0, 8.0, 16.0])
@torch.inference_mode()
def test_bf16_keeps_nearly_the_accuracy_of_torchs_own_kernel(sharpness: float) -> None:
    q, k, v = inputs(torch.bfloat16, 512, 512, 40)
    q = q * sharpness
    expected = oracle(q, k, v)
    theirs = error(F.scaled_dot_product_attention(q, k, v), expected)
    assert error(attend(q, k, v), expected) < 3 * max(theirs, 0.0015, 0.001 * sharpness)


@pytest.mark.parametrize("size", [8, 100, 1000, 10_000])
@torch.inference_mode()
def test_a_mean_that_all_keys_share_costs_no_accuracy(size: int) -> None:
    q, k, v = inputs(torch.bfloat16, 512, 512, 40)
    k = k + size * torch.randn(40, generator=torch.Generator().manual_seed(0)).bfloat16()
    with Watch() as watch:
        out = attend(q, k, v)
    assert error(out, oracle(q, k, v)) < TOLERANCE[torch.bfloat16]
    assert watch.products == (PRODUCTS and size < 10_000)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("scale", [3.0, 10.0, 30.0, 300.0])
@torch.inference_mode()
def test_logits_of_any_size_neither_overflow_nor_vanish(dtype: torch.dtype, scale: float) -> None:
    """Logits up to ± 10⁵; one head of two stays small, and both must be right."""
    q, k, v = inputs(dtype, 320, 320, 64)
    size = torch.tensor([1.0, scale], dtype=dtype)[:, None, None]
    q, k = q * size, k * size
    out = attend(q, k, v)
    assert out.isfinite().all()
    for head in range(2):
        assert error(out[:, head], oracle(q, k, v)[:, head]) < 0.03


@torch.inference_mode()
def test_one_key_far_from_the_others_takes_all_the_weight() -> None:
    q, k, v = inputs(torch.bfloat16, 256, 300, 40)
    q = q.abs()
    k[:, :, 17] = 12
    assert error(attend(q, k, v), oracle(q, k, v)) < TOLERANCE[torch.bfloat16]


@pytest.mark.parametrize("dtype", TOLERANCE)
@torch.inference_mode()
def test_nan_stays_in_its_head_and_is_not_hidden(dtype: torch.dtype) -> None:
    q, k, v = inputs(dtype, 256, 256, 16)
    q[0, 0, 3, 5] = float("nan")
    out = attend(q, k, v)
    assert out[0, 0, 3].isnan().all()
    assert error(out[1], oracle(q, k, v)[1]) < TOLERANCE[dtype]
    assert error(out[0, 1], oracle(q, k, v)[0, 1]) < TOLERANCE[dtype]


@torch.inference_mode()
def test_a_head_is_the_same_alone_and_among_others() -> None:
    q, k, v = inputs(torch.bfloat16, 300, 300, 40)
    alone = attend(q[1:, 1:], k[1:, 1:], v[1:, 1:])
    assert torch.equal(attend(q, k, v)[1:, 1:], alone)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("scale", [1.0, 6.0, 100.0])
@torch.inference_mode()
def test_the_weights_of_all_heads_never_exist_at_once(dtype: torch.dtype, scale: float) -> None:
    q, k, v = inputs(dtype, 4096, 4096, 16, heads=2, batch=1)
    with Watch() as watch:
        attend(q * scale, k * scale, v)
    assert watch.largest <= max(2**20 * torch.get_num_threads(), 2 * q.numel())
    assert watch.products == (PRODUCTS and dtype == torch.bfloat16 and scale < 100)


def test_bf16_has_a_gradient_where_one_is_asked_for() -> None:
    q, k, v = inputs(torch.bfloat16, 256, 256, 16)
    with Watch() as watch:
        attend(q, k, v)
    assert watch.products == PRODUCTS

    q, k, v = (x.detach().requires_grad_() for x in (q, k, v))
    attend(q, k, v).float().square().sum().backward()
    for x in (q, k, v):
        assert x.grad is not None
        assert x.grad.isfinite().all()
        assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("causal", [False, True])
def test_short_attention_trains_as_the_definition_does(dtype: torch.dtype, causal: bool) -> None:
    ours = [x.detach().requires_grad_() for x in inputs(dtype, 33, 33, 24)]
    exact = [x.detach().double().requires_grad_() for x in ours]
    out, expected = attend(*ours, causal=causal), oracle(*exact, causal=causal)
    assert error(out.detach(), expected.detach()) < TOLERANCE[dtype]
    torch.autograd.backward(out.square().sum())
    torch.autograd.backward(expected.square().sum())
    for mine, theirs in zip(ours, exact, strict=True):
        assert mine.grad is not None
        assert theirs.grad is not None
        assert error(mine.grad, theirs.grad) < 2 * TOLERANCE[dtype]


@pytest.mark.parametrize(("tokens", "causal"), [(16, False), (77, True), (128, False), (200, True)])
def test_the_gradient_is_that_of_its_definition(tokens: int, causal: bool) -> None:
    given = [x.detach().requires_grad_() for x in inputs(torch.float32, tokens, tokens, 24)]
    exact = [x.detach().double().requires_grad_() for x in given]
    weight = torch.randn(given[0].shape, generator=torch.Generator().manual_seed(0))
    (attend(*given, causal=causal) * weight).sum().backward()
    (oracle(*exact, causal=causal) * weight).sum().backward()
    for x, expected in zip(given, exact, strict=True):
        assert x.grad is not None
        assert expected.grad is not None
        assert error(x.grad, expected.grad) < 5e-6
