"""How a run begins and ends, with the reference's indices worked out on paper for ten steps.

1000 // 10 = 100, so the grid is g = 1, 101, 201, …, 901, and g[j] = 1 + 100 j.
"""

import math

import pytest
import torch
from torch import Tensor

from darkroom import names
from darkroom.diffusion import schedule
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.noise import Noise
from darkroom.diffusion.samplers import SAMPLERS
from darkroom.timesteps import steps_from_image
from tests.diffusion import oracles
from tests.diffusion.oracles import ToyUNet

ALPHAS = schedule.alphas_cumprod()
LDM = schedule.sigmas("ldm", 10, ALPHAS)
CONTEXT = torch.zeros(1, 1, 1)

# Timestep that the network is asked about, and timestep to which the step leads.
DDIM_STEPS = [
    (901, 801), (801, 701), (701, 601), (601, 501), (501, 401),
    (401, 301), (301, 201), (201, 101), (101, 1), (1, 0),
]  # fmt: skip
PLMS_EVALUATIONS = [901, 801, 801, 701, 601, 501, 401, 301, 201, 101, 1]

# strength: (t_enc, timestep at which the image is noised, timesteps that are evaluated)
IMG2IMG = {
    0.1: (1, 101, [1]),
    0.25: (2, 201, [101, 1]),
    0.5: (5, 501, [401, 301, 201, 101, 1]),
    0.75: (7, 701, [601, 501, 401, 301, 201, 101, 1]),
    0.99: (9, 901, [801, 701, 601, 501, 401, 301, 201, 101, 1]),
    1.0: (9, 901, [801, 701, 601, 501, 401, 301, 201, 101, 1]),
}
# The rest begin at σ[10 - t_enc - 1], so they evaluate t_enc + 1 of the ten levels.
OTHERS_EVALUATED = {0.01: 1, 0.09: 1, 0.1: 2, 0.5: 6, 0.75: 8, 0.99: 10, 1.0: 10}


def noise() -> Tensor:
    return Noise([1, 2]).draw((4, 3, 5))


def image() -> Tensor:
    return Noise([50]).draw((4, 3, 5)) * 0.8


def begin(name: str, levels: Tensor, strength: float, steps: int = 10) -> tuple[Tensor, Tensor]:
    """The start from the image at this strength, `steps` having been asked for."""
    below = names.SAMPLERS[name].starts_below
    runs = steps_from_image(strength, steps, starts_below=below)
    return schedule.start_from_image(name, levels, runs, image(), noise())


def develop(name: str, x: Tensor, levels: Tensor) -> tuple[Tensor, list[int]]:
    """The latent after a whole run through the denoiser, and the timesteps that it asked for."""
    unet = ToyUNet()
    denoiser = Denoiser(unet, ALPHAS, "eps")

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return denoiser(x, sigma, CONTEXT)

    with torch.no_grad():
        for step in SAMPLERS[name](denoise, x, levels, noise=Noise([8, 9]).steps(name, (4, 3, 5))):
            x = step.x
    for asked in unet.timesteps:
        assert asked == [int(asked[0])] * 2, "integers, the same for each image"
    return schedule.to_latent(x, levels), [int(asked[0]) for asked in unet.timesteps]


def ddim_by_hand(x: Tensor, pairs: list[tuple[int, int]]) -> Tensor:
    """x is variance-preserving; eps from the same network, alpha-bars picked by literal index."""
    unet = ToyUNet()
    for t, t_next in pairs:
        now, after = float(ALPHAS[t]), float(ALPHAS[t_next])
        with torch.no_grad():
            eps = unet(x, torch.full((len(x),), float(t)), CONTEXT)
        x0 = (x - math.sqrt(1 - now) * eps) / math.sqrt(now)
        x = math.sqrt(after) * x0 + math.sqrt(1 - after) * eps
    return x


def test_ddim_ten_steps() -> None:
    x = schedule.start_from_noise("ddim", LDM, noise())
    latent, asked = develop("ddim", x, LDM)
    assert asked == [901, 801, 701, 601, 501, 401, 301, 201, 101, 1]
    torch.testing.assert_close(latent, ddim_by_hand(noise(), DDIM_STEPS), rtol=1e-4, atol=1e-5)


def test_plms_ten_steps() -> None:
    x = schedule.start_from_noise("plms", LDM, noise())
    latent, asked = develop("plms", x, LDM)
    assert asked == PLMS_EVALUATIONS

    unet, by_alpha = ToyUNet(), {float(ALPHAS[t]): t for t in range(1000)}

    def eps(x: Tensor, alpha_bar: float) -> Tensor:
        with torch.no_grad():
            told = torch.full((len(x),), float(by_alpha[alpha_bar]))
            predicted: Tensor = unet(x, told, CONTEXT)
        return predicted

    grid = [901, 801, 701, 601, 501, 401, 301, 201, 101, 1, 0]
    *_, theirs = oracles.plms_vp(eps, noise(), [float(ALPHAS[t]) for t in grid])
    torch.testing.assert_close(latent, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strength", IMG2IMG)
def test_ddim_img2img_is_made_at_one_index_and_evaluated_at_the_one_below(strength: float) -> None:
    _, made, evaluated = IMG2IMG[strength]
    x, levels = begin("ddim", LDM, strength)
    latent, asked = develop("ddim", x, levels)
    assert asked == evaluated

    alpha_bar = float(ALPHAS[made])
    begun = math.sqrt(alpha_bar) * image() + math.sqrt(1 - alpha_bar) * noise()
    pairs = list(zip(evaluated, [*evaluated[1:], 0], strict=True))
    torch.testing.assert_close(latent, ddim_by_hand(begun, pairs), rtol=1e-4, atol=1e-5)


def test_plms_img2img_keeps_the_same_offset() -> None:
    x, levels = begin("plms", LDM, 0.5)
    _, asked = develop("plms", x, levels)
    assert asked == [401, 301, 301, 201, 101, 1]
    same, _ = begin("ddim", LDM, 0.5)
    assert torch.equal(x, same)


def test_where_fifteen_steps_are_sixteen_the_strength_counts_those_asked_for() -> None:
    # 1000 // 15 = 66: g[j] = 1 + 66 j.  int(0.75 · 15) = 11: made at 727, first evaluated at 661.
    levels = schedule.sigmas("ldm", 15, ALPHAS)
    x, rest = begin("ddim", levels, 0.75, steps=15)
    assert len(rest) == 12
    assert float(schedule.timestep_at(rest[0], ALPHAS)) == 661
    alpha_bar = float(ALPHAS[727])
    begun = math.sqrt(alpha_bar) * image() + math.sqrt(1 - alpha_bar) * noise()
    vp = x / math.hypot(1, float(rest[0]))
    torch.testing.assert_close(vp, begun, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strength", [0.0, 0.01, 0.09])
@pytest.mark.parametrize("name", ["ddim", "plms"])
def test_below_one_step_the_offset_samplers_return_the_image(name: str, strength: float) -> None:
    x, levels = begin(name, LDM, strength)
    latent, asked = develop(name, x, levels)
    assert asked == []
    assert torch.equal(latent, image().expand(2, -1, -1, -1))


@pytest.mark.parametrize("name", ["dpm_solver", "euler", "euler_ancestral", "dpmpp_2m"])
def test_the_others_begin_at_the_level_that_they_noise_to(name: str) -> None:
    whole = schedule.sigmas("time_uniform" if name == "dpm_solver" else "karras", 10, ALPHAS)
    for strength, count in OTHERS_EVALUATED.items():
        x, levels = begin(name, whole, strength)
        assert torch.equal(levels, whole[10 - count :])
        torch.testing.assert_close(x, image() + float(whole[10 - count]) * noise())
    x, levels = begin(name, whole, 0.0)
    assert levels.tolist() == [0.0]
    assert torch.equal(x, image().expand(2, -1, -1, -1))


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_from_noise_starts_with_its_own_scale(name: str) -> None:
    levels = torch.tensor([3.0, 1.0, 0.0], dtype=torch.float64)
    factor = math.sqrt(10) if name in {"ddim", "plms", "dpm_solver"} else 3.0
    x = schedule.start_from_noise(name, levels, noise())
    torch.testing.assert_close(x, noise() * factor)
    assert x.dtype == torch.float32


def test_a_run_that_ends_in_noise_is_scaled_back() -> None:
    x = noise()
    assert torch.equal(schedule.to_latent(x, torch.tensor([5.0, 0.0])), x)
    torch.testing.assert_close(schedule.to_latent(x, torch.tensor([5.0, 0.75])), x / 1.25)
