"""Guidance: one batch of both halves, or the half that is needed."""

import math

import pytest
import torch
from torch import Tensor, nn

from darkroom.diffusion import schedule
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.guidance import Conditions, Follow, Part, guided
from darkroom.diffusion.noise import Noise
from tests.diffusion.oracles import ToyUNet

ALPHAS = schedule.alphas_cumprod()
SIGMA = schedule.sigma_table(ALPHAS)[400]
COND = torch.full((1, 3, 6), 0.7)
UNCOND = torch.full((1, 3, 6), -0.4)


def conditions(*parts: Part, negative: Tensor = UNCOND) -> Follow:
    return lambda _: Conditions(parts, negative)


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
    ours = guided(denoiser, conditions(Part(cond), negative=uncond), scale)(x, SIGMA)
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
    ours = guided(denoiser, conditions(Part(COND)), scale)(x, SIGMA)
    assert unet.batches == [2]
    assert torch.equal(ours, denoiser(x, SIGMA, only))


class Recorder(nn.Module):
    """A network that answers with a pattern of its context and remembers the shapes it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.asked: list[tuple[int, int]] = []

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        self.asked.append((len(x), context.shape[1]))
        told = (context.mean(dim=(1, 2)) + torch.cos(timestep / 300))[:, None, None, None]
        return told * torch.tanh(x) + told**2 * x.roll(1, -1)


@torch.no_grad()
def test_several_prompts_add_up_by_their_weights(x: Tensor) -> None:
    """Liu et al. 2206.01714: each pulls away from the negative prompt with its own weight."""
    network = Recorder()
    denoiser = Denoiser(network, ALPHAS, "eps")
    contexts = [torch.full((1, 3, 6), value) for value in (0.9, 0.2, -0.7)]
    weights = [1.0, 0.5, -0.3]
    parts = [Part(*pair) for pair in zip(contexts, weights, strict=True)]
    ours = guided(denoiser, conditions(*parts), 4.0)(x, SIGMA)
    assert network.asked == [(8, 3)]
    without = denoiser(x, SIGMA, UNCOND)
    expected = without + 4.0 * sum(
        (w * (denoiser(x, SIGMA, c) - without) for w, c in zip(weights, contexts, strict=True)),
        torch.zeros_like(x),
    )
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_contexts_of_other_lengths_take_a_batch_of_their_own(x: Tensor) -> None:
    network = Recorder()
    denoiser = Denoiser(network, ALPHAS, "v")
    long, short = torch.full((1, 6, 6), 0.7), torch.full((1, 3, 6), 0.3)
    ours = guided(denoiser, conditions(Part(long), Part(short, 2.0)), 3.0)(x, SIGMA)
    assert network.asked == [(4, 3), (2, 6)]
    without = denoiser(x, SIGMA, UNCOND)
    expected = without + 3 * (denoiser(x, SIGMA, long) - without)
    expected = expected + 6 * (denoiser(x, SIGMA, short) - without)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(
    ("weights", "scale", "rows"),
    [
        ((0.5, 0.5), 1.0, 4),  # the negative has no share
        ((1.0, 1.0), 0.5, 4),
        ((1.0, 1.0), 1.0, 6),
        ((1.0, 1.0), 0.0, 2),  # nor have the parts
        ((1.0, 0.0), 7.0, 4),
        ((0.0, 1.0), 1.0, 2),
    ],
)
def test_what_has_no_share_is_not_evaluated(
    x: Tensor, weights: tuple[float, float], scale: float, rows: int
) -> None:
    network = Recorder()
    denoiser = Denoiser(network, ALPHAS, "eps")
    contexts = [torch.full((1, 3, 6), value) for value in (0.9, 0.2)]
    parts = [Part(*pair) for pair in zip(contexts, weights, strict=True)]
    ours = guided(denoiser, conditions(*parts), scale)(x, SIGMA)
    assert network.asked == [(rows, 3)]
    without = denoiser(x, SIGMA, UNCOND)
    expected = without
    for weight, context in zip(weights, contexts, strict=True):
        expected = expected + scale * weight * (denoiser(x, SIGMA, context) - without)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("level", [0.5, 2.0, 8.0])
def test_outside_its_interval_guidance_takes_the_prompt_alone(x: Tensor, level: float) -> None:
    network = Recorder()
    denoiser = Denoiser(network, ALPHAS, "eps")
    sigma = torch.tensor(level, dtype=torch.float64)
    denoise = guided(denoiser, conditions(Part(COND)), 7.5, rescale=0.5, interval=(5.0, 1.0))
    ours = denoise(x, sigma)
    if level == 2.0:
        assert network.asked == [(4, 3)]
        expected = guided(denoiser, conditions(Part(COND)), 7.5, rescale=0.5)(x, sigma)
    else:
        assert network.asked == [(2, 3)]
        expected = denoiser(x, sigma, COND)
    assert torch.equal(ours, expected)


@torch.no_grad()
@pytest.mark.parametrize("ends", [(5.0, 2.0), (2.0, 1.0)])
def test_the_ends_of_the_interval_belong_to_it(x: Tensor, ends: tuple[float, float]) -> None:
    network = Recorder()
    denoise = guided(Denoiser(network, ALPHAS, "eps"), conditions(Part(COND)), 7.5, interval=ends)
    denoise(x, torch.tensor(2.0, dtype=torch.float64))
    assert network.asked == [(4, 3)]


@torch.no_grad()
@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_rescaling_a_model_of_v_by_the_paper(x: Tensor, share: float) -> None:
    """Lin et al. 2305.08891, algorithm 2, on what the network answers."""
    network = Recorder()
    denoiser = Denoiser(network, ALPHAS, "v")
    ours = guided(denoiser, conditions(Part(COND)), 7.5, rescale=share)(x, SIGMA)
    level = float(SIGMA)
    t = torch.full((2,), 400.0)
    shown = x / math.hypot(1, level)
    along, without = network(shown, t, COND), network(shown, t, UNCOND)
    v = without + 7.5 * (along - without)
    for k in range(len(x)):
        v[k] *= share * along[k].std() / v[k].std() + (1 - share)
    expected = x / (1 + level**2) - v * level / math.hypot(1, level)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_rescaling_means_the_same_for_models_of_eps(x: Tensor) -> None:
    """Two networks that describe one denoiser are rescaled alike."""
    level = float(SIGMA)

    class AsEps(Recorder):
        def forward(self, x: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
            v = super().forward(x, timestep, context)
            return (level * x + v) / math.hypot(1, level)

    of_v = guided(Denoiser(Recorder(), ALPHAS, "v"), conditions(Part(COND)), 7.5, rescale=0.7)
    of_eps = guided(Denoiser(AsEps(), ALPHAS, "eps"), conditions(Part(COND)), 7.5, rescale=0.7)
    torch.testing.assert_close(of_eps(x, SIGMA), of_v(x, SIGMA), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("weights", [(1.0,), (0.6, 0.6)])
def test_full_rescaling_restores_the_contrast_of_the_unguided_v(
    x: Tensor, weights: tuple[float, ...]
) -> None:
    denoiser = Denoiser(Recorder(), ALPHAS, "v")
    contexts = [COND, -0.5 * COND]
    parts = [Part(*pair) for pair in zip(contexts, weights, strict=False)]
    skipped = x / (1 + float(SIGMA) ** 2)
    plain = skipped - guided(denoiser, conditions(*parts), 1.0)(x, SIGMA)
    full = skipped - guided(denoiser, conditions(*parts), 9.0, rescale=1.0)(x, SIGMA)
    dims = (1, 2, 3)
    torch.testing.assert_close(full.std(dims), plain.std(dims), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_an_image_is_guided_alone_as_in_a_batch(x: Tensor) -> None:
    denoiser = Denoiser(Recorder(), ALPHAS, "v")
    parts = conditions(Part(COND), Part(torch.full((1, 5, 6), 0.1), 0.4))
    denoise = guided(denoiser, parts, 6.0, rescale=0.7)
    together = denoise(x, SIGMA)
    for k in range(2):
        torch.testing.assert_close(denoise(x[k : k + 1], SIGMA), together[k : k + 1])


@torch.no_grad()
def test_what_holds_may_change_from_level_to_level(x: Tensor) -> None:
    denoiser = Denoiser(Recorder(), ALPHAS, "eps")

    def changing(sigma: Tensor) -> Conditions:
        return Conditions((Part(COND if float(sigma) > 1 else -COND),), UNCOND)

    denoise = guided(denoiser, changing, 3.0)
    for level, context in ((2.0, COND), (0.5, -COND)):
        sigma = torch.tensor(level, dtype=torch.float64)
        expected = guided(denoiser, conditions(Part(context)), 3.0)(x, sigma)
        assert torch.equal(denoise(x, sigma), expected)
