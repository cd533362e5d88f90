"""Noise on small pictures and embeddings, against diffusers' schedulers."""

import pytest
import torch
from diffusers import DDPMScheduler

from darkroom.diffusion.augmentation import mixed, noised_embedding, noised_picture


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("level", [0, 20, 350, 999])
def test_of_the_x4_upscaler(level: int) -> None:
    picture, noise = draw(1, 3, 8, 9).tanh(), draw(2, 3, 8, 9)
    oracle = DDPMScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule="scaled_linear")
    expected = oracle.add_noise(picture, noise, torch.tensor([level]))
    torch.testing.assert_close(noised_picture(picture, noise, level), expected)


@pytest.mark.parametrize("level", [0, 100, 999])
def test_of_unclip(level: int) -> None:
    embedding, noise = 3 * draw(1, 40), draw(2, 40)
    mean, deviation = draw(1, 40) / 2, draw(1, 40).exp()
    oracle = DDPMScheduler(beta_schedule="squaredcos_cap_v2")
    scaled = oracle.add_noise((embedding - mean) / deviation, noise, torch.tensor([level]))
    ours = noised_embedding(embedding, noise, level, mean=mean, deviation=deviation)
    torch.testing.assert_close(ours, scaled * deviation + mean, atol=1e-5, rtol=1e-5)


def test_mixing_by_weights() -> None:
    embeddings = draw(3, 5)
    expected = (2 * embeddings[0] + embeddings[2]) / 3
    torch.testing.assert_close(mixed(embeddings, (2.0, 0.0, 1.0)), expected[None])
