"""Packed networks against plain ones."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from darkroom.contracts import Tiling
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.layers import Conv
from darkroom.models.tiling import tiled
from darkroom.models.unet import UNet
from darkroom.runtime import packing
from tests import tiny

TOLERANCE = 2e-5  # relative, fp32; measured: below 3e-6
TIMESTEPS = torch.tensor([3.0, 700.0])


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing float32 as well: its results are exact enough to tell a mistake from rounding."""
    monkeypatch.setattr(packing, "fused_products_pay", lambda _: True)


def unet() -> UNet:
    return tiny.networks().unet.requires_grad_(False)


def autoencoder() -> Autoencoder:
    return tiny.networks().autoencoder.requires_grad_(False)


def through_unet(network: nn.Module, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 4, 16, 24, generator=generator).to(dtype)
    context = torch.randn(2, 7, tiny.UNET.context_width, generator=generator).to(dtype)
    out: Tensor = network(x, TIMESTEPS, context)
    return out


def through_autoencoder(network: Autoencoder, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(1, 3, 32, 48, generator=generator).to(dtype)
    return network.decode(network.encode(pixels))


CASES = [(unet, through_unet), (autoencoder, through_autoencoder)]


def difference(a: Tensor, b: Tensor) -> float:
    return float((a.double() - b.double()).norm() / b.double().norm())


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("tiling", ["none", "x", "y", "both"])
@pytest.mark.parametrize(("make", "through"), CASES)
@torch.inference_mode()
def test_the_result_is_that_of_the_plain_network(
    make: Callable[[], nn.Module], through: Callable[..., Tensor], tiling: Tiling
) -> None:
    network = make()
    with tiled(network, tiling):
        expected = through(network)
    packing.pack(network)
    with tiled(network, tiling):
        assert difference(through(network), expected) < TOLERANCE


@pytest.mark.parametrize(("make", "through"), CASES)
@torch.inference_mode()
def test_bf16_is_as_close_to_fp32_packed_as_plain(
    make: Callable[[], nn.Module], through: Callable[..., Tensor]
) -> None:
    network = make()
    exact = through(network)
    network.bfloat16()
    plain = difference(through(network, torch.bfloat16), exact)
    packing.pack(network)
    packed = difference(through(network, torch.bfloat16), exact)
    assert packed < 1.5 * plain < 0.1


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(("make", "through"), CASES)
@torch.inference_mode()
def test_no_plain_weight_stays_but_those_of_small_convolutions(
    make: Callable[[], nn.Module], through: Callable[..., Tensor]
) -> None:
    network = make()
    before = sum(weight.numel() for weight in network.parameters())
    packing.pack(network)
    packed = [weight for weight in network.parameters() if weight.is_mkldnn]
    plain = [weight for weight in network.parameters() if not weight.is_mkldnn and weight.ndim > 1]
    assert packed
    assert all(weight.shape[2:] == (1, 1) for weight in plain)
    # What enlarges has 16/9 of its weights.
    after = sum(weight.numel() for weight in network.parameters())
    assert before < after < 1.3 * before


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize(("make", "through"), CASES)
@torch.inference_mode()
def test_it_can_be_widened_and_narrowed(
    make: Callable[[], nn.Module], through: Callable[..., Tensor]
) -> None:
    network = make()
    exact = through(network)
    network.bfloat16()
    packing.pack(network)
    first = through(network, torch.bfloat16)
    assert next(network.parameters()).dtype == torch.bfloat16
    network.float()
    assert next(network.parameters()).dtype == torch.float32
    assert difference(through(network), exact) < 0.1
    network.bfloat16()
    assert difference(through(network, torch.bfloat16), first) < 0.02


def test_where_it_does_not_pay_nothing_changes() -> None:
    network = unet()
    kinds = [type(layer) for layer in network.modules()]
    packing.pack(network)
    assert [type(layer) for layer in network.modules()] == kinds
    assert Conv in kinds
