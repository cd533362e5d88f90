"""Networks on a plane whose opposite edges meet: what is rolled comes out rolled."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from darkroom.contracts import AutoencoderConfig, Tiling, UNetConfig
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.layers import Conv
from darkroom.models.tiling import tiled
from darkroom.models.unet import UNet
from tests import tiny

# Rolling changes the order of sums: relative to the largest value, fp32; measured: below 2e-6.
TOLERANCE = 2e-5
DIRECTIONS: tuple[Tiling, ...] = ("none", "x", "y", "both")
# A level more than the tiny model has: two halvings of each size.
UNET = UNetConfig(
    in_channels=4,
    out_channels=4,
    widths=(32, 32, 64),
    blocks=1,
    depths=(1, 1, 0),
    middle_depth=1,
    self_attention=(True,) * 3,
    heads=(4, 4, 4),
    context_width=16,
)
AUTOENCODER = AutoencoderConfig(in_channels=3, latent_channels=4, widths=(32, 32, 64), blocks=1)


def unet() -> tuple[UNet, Callable[[Tensor], Tensor], Tensor, int]:
    """The network, what it does to a plane, such a plane, and the step that it can be rolled by."""
    torch.manual_seed(0)
    network = UNet(UNET)
    context = torch.randn(2, 5, 16)
    x = torch.randn(2, 4, 16, 24)
    return network, lambda x: network(x, torch.tensor([3.0, 700.0]), context), x, 4


def encoder() -> tuple[Autoencoder, Callable[[Tensor], Tensor], Tensor, int]:
    torch.manual_seed(0)
    network = Autoencoder(AUTOENCODER)
    return network, lambda x: network.moments(x)[0], torch.randn(1, 3, 32, 48), 4


def decoder() -> tuple[Autoencoder, Callable[[Tensor], Tensor], Tensor, int]:
    torch.manual_seed(0)
    network = Autoencoder(AUTOENCODER)
    return network, network.decode, torch.randn(1, 4, 8, 12), 1


def difference(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("make", [unet, encoder, decoder])
@pytest.mark.parametrize("tiling", DIRECTIONS)
@torch.no_grad()
def test_rolled_inputs_give_rolled_outputs_in_the_directions_asked_for(
    make: Callable[[], tuple[nn.Module, Callable[[Tensor], Tensor], Tensor, int]], tiling: Tiling
) -> None:
    network, evaluate, x, step = make()
    with tiled(network, tiling):
        out = evaluate(x)
        for dim, name in (-1, "x"), (-2, "y"):
            rolled = evaluate(x.roll(step, dim))
            shift = step * out.shape[dim] // x.shape[dim]
            error = difference(rolled, out.roll(shift, dim))
            if tiling in {name, "both"}:
                assert error < TOLERANCE
            else:
                assert error > 100 * TOLERANCE


@pytest.mark.parametrize("make", [unet, encoder, decoder])
@torch.no_grad()
def test_the_edges_are_what_they_were_when_it_is_over(
    make: Callable[[], tuple[nn.Module, Callable[[Tensor], Tensor], Tensor, int]],
) -> None:
    network, evaluate, x, _ = make()
    before = evaluate(x)
    with tiled(network, "none"):
        assert torch.equal(evaluate(x), before)
    with pytest.raises(RuntimeError), tiled(network, "both"):
        raise RuntimeError
    assert torch.equal(evaluate(x), before)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
@torch.no_grad()
def test_a_wrapped_convolution_is_torchs_circular_one(size: int, stride: int) -> None:
    ours = Conv(3, 5, size, stride=stride)
    theirs = nn.Conv2d(3, 5, size, stride, padding=size // 2, padding_mode="circular")
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 6, 10).contiguous(memory_format=torch.channels_last)
    with tiled(ours, "both"):
        out = ours(x)
    assert difference(out, theirs(x)) < TOLERANCE
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_every_convolution_of_the_networks_can_wrap() -> None:
    networks = tiny.networks()
    for network in (networks.unet, networks.autoencoder):
        for layer in network.modules():
            assert isinstance(layer, Conv) or not isinstance(layer, nn.Conv2d)
