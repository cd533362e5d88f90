"""Guidance: one batch of both halves, or the half that is needed."""

import pytest
import torch

from darkroom.diffusion import schedule
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.guidance import Conditions, Follow, Part, guided
from darkroom.diffusion.noise import Noise
from tests.diffusion.oracles import ToyUNet

ALPHAS = schedule.alphas_cumprod()
SIGMA = schedule.sigma_table(ALPHAS)[400]
COND = torch.full((1, 3, 6), 0.7)
UNCOND = torch.full((1, 3, 6), -0.4)


def always(cond: torch.Tensor, uncond: torch.Tensor) -> Follow:
    conditions = Conditions((Part(cond),), uncond)
    return lambda _: conditions


@pytest.fixture
def x() -> torch.Tensor:
    return Noise([1, 2]).draw((4, 3, 5)) * float(SIGMA)


@torch.no_grad()
@pytest.mark.parametrize("scale", [7.5, 0.5, -1.0])
@pytest.mark.parametrize("images", [1, 2], ids=["one embedding", "one for each image"])
def test_guidance_is_linear_and_takes_one_batch(x: torch.Tensor, scale: float, images: int) -> None:
    unet = ToyUNet()
    denoiser = Denoiser(unet, ALPHAS, "v")
    cond, uncond = COND.expand(images, -1, -1), UNCOND.expand(images, -1, -1)
    ours = guided(denoiser, always(cond, uncond), scale)(x, SIGMA)
    assert unet.batches == [4]
    with_prompt = denoiser(x, SIGMA, COND)
    without = denoiser(x, SIGMA, UNCOND)
    torch.testing.assert_close(ours, without + scale * (with_prompt - without))


@torch.no_grad()
@pytest.mark.parametrize(("scale", "only"), [(1, COND), (1.0, COND), (0, UNCOND), (0.0, UNCOND)])
def test_where_one_half_is_enough_the_other_is_not_computed(
    x: torch.Tensor, scale: float, only: torch.Tensor
) -> None:
    unet = ToyUNet()
    denoiser = Denoiser(unet, ALPHAS, "eps")
    ours = guided(denoiser, always(COND, UNCOND), scale)(x, SIGMA)
    assert unet.batches == [2]
    assert torch.equal(ours, denoiser(x, SIGMA, only))
