"""Toy models, and the published arithmetic written down a second time, apart from ours.

The variance-preserving oracles take a list of ᾱ, noisiest first, and never see a sigma of ours;
the others follow k-diffusion's definitions.  All yield x after each step, in float64.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

Eps = Callable[[Tensor, float], Tensor]
DenoiseAt = Callable[[Tensor, float], Tensor]

# Fixed levels: the ten ldm steps, a steep descent to 0, sixteen halvings by the root of two.
TABLES = {
    "ldm": [8.3907, 5.1344, 3.3478, 2.2814, 1.6025, 1.1439, 0.8157, 0.5673, 0.3462, 0.0413, 0.0292],
    "to_zero": [14.6146, 6.5, 2.6, 0.93, 0.27, 0.0],
    "sixteen": [10.0 * 2.0 ** (-i / 2) for i in range(17)],
}


def toy_eps(x: Tensor, alpha_bar: float) -> Tensor:
    """An eps that is neither linear, nor the same in every place, nor at every level."""
    neighbour = x.roll(1, dims=-1)
    return 0.9 * torch.tanh(1.3 * x + math.sin(3 * alpha_bar)) + 0.2 * neighbour


def toy_denoise(x: Tensor, sigma: Tensor) -> Tensor:
    """The same toy as our samplers see it."""
    level = float(sigma)
    return x - level * toy_eps(x / math.sqrt(1 + level**2), 1 / (1 + level**2))


class ToyUNet(nn.Module):
    """Seeded weights, the published signature, and a record of what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = nn.Parameter(torch.randn(4, 4, generator=generator) / 2)
        self.timesteps: list[list[float]] = []
        self.batches: list[int] = []
        self.dtypes: list[torch.dtype] = []

    def forward(self, x: Tensor, timestep: Tensor, context: Tensor) -> Tensor:
        self.timesteps.append(timestep.tolist())
        self.batches.append(len(x))
        self.dtypes += [x.dtype, context.dtype]
        mixed = torch.einsum("oc,bchw->bohw", self.weight, x)
        told = context.mean(dim=(1, 2)) + torch.cos(timestep.to(x.dtype) / 300)
        return torch.tanh(mixed + told[:, None, None, None]) + 0.3 * x


def ddim_vp(
    eps: Eps, x: Tensor, alpha_bars: Sequence[float], eta: float, draws: Iterator[Tensor]
) -> Iterator[Tensor]:
    """Song et al. 2010.02502, eq. 12 with eq. 16."""
    for i in range(len(alpha_bars) - 1):
        now, after = alpha_bars[i], alpha_bars[i + 1]
        e = eps(x, now)
        s = eta * math.sqrt((1 - after) / (1 - now)) * math.sqrt(1 - now / after)
        x0 = (x - math.sqrt(1 - now) * e) / math.sqrt(now)
        x = math.sqrt(after) * x0 + math.sqrt(1 - after - s**2) * e
        if s > 0:
            x = x + s * next(draws)
        yield x


def plms_vp(eps: Eps, x: Tensor, alpha_bars: Sequence[float]) -> Iterator[Tensor]:
    """Liu et al. 2202.09778: DDIM's transfer with eps by Adams-Bashforth, Euler-Heun at first."""

    def transfer(e: Tensor) -> Tensor:
        x0 = (x - math.sqrt(1 - now) * e) / math.sqrt(now)
        return math.sqrt(after) * x0 + math.sqrt(1 - after) * e

    history: list[Tensor] = []
    for i in range(len(alpha_bars) - 1):
        now, after = alpha_bars[i], alpha_bars[i + 1]
        history.append(eps(x, now))
        if i == 0:
            evaluated_next = alpha_bars[1] if len(alpha_bars) > 2 else alpha_bars[0]
            combined = (history[0] + eps(transfer(history[0]), evaluated_next)) / 2
        else:
            order = min(i + 1, 4)
            weights = {
                2: [3 / 2, -1 / 2],
                3: [23 / 12, -16 / 12, 5 / 12],
                4: [55 / 24, -59 / 24, 37 / 24, -9 / 24],
            }[order]
            newest_first = history[::-1][:order]
            combined = sum(
                (w * e for w, e in zip(weights, newest_first, strict=True)), torch.zeros_like(x)
            )
        x = transfer(combined)
        yield x


def dpm_solver_vp(eps: Eps, x: Tensor, alpha_bars: Sequence[float]) -> Iterator[Tensor]:
    """Lu et al. 2211.01095, eq. 12 and algorithm 2, in its own α, σ and λ."""
    alpha = [math.sqrt(a) for a in alpha_bars]
    sigma = [math.sqrt(1 - a) for a in alpha_bars]
    lamb = [math.log(a / s) if s > 0 else math.inf for a, s in zip(alpha, sigma, strict=True)]
    steps = len(alpha_bars) - 1
    x0: list[Tensor] = []
    for i in range(steps):
        x0.append((x - sigma[i] * eps(x, alpha_bars[i])) / alpha[i])
        h = lamb[i + 1] - lamb[i]
        second = i > 0 and not (steps < 15 and i == steps - 1) and h < math.inf
        direction = x0[i]
        if second:
            r0 = (lamb[i] - lamb[i - 1]) / h
            direction = x0[i] + 0.5 * (x0[i] - x0[i - 1]) / r0
        x = sigma[i + 1] / sigma[i] * x - alpha[i + 1] * math.expm1(-h) * direction
        yield x


def euler_k(denoise: DenoiseAt, x: Tensor, levels: Sequence[float]) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        derivative = (x - denoise(x, levels[i])) / levels[i]
        x = x + derivative * (levels[i + 1] - levels[i])
        yield x


def euler_ancestral_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], draws: Iterator[Tensor]
) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        begin, end = levels[i], levels[i + 1]
        up = min(end, math.sqrt(end**2 * (begin**2 - end**2) / begin**2))
        down = math.sqrt(end**2 - up**2)
        derivative = (x - denoise(x, begin)) / begin
        x = x + derivative * (down - begin)
        if end > 0:
            x = x + next(draws) * up
        yield x


def dpmpp_2m_k(denoise: DenoiseAt, x: Tensor, levels: Sequence[float]) -> Iterator[Tensor]:
    old: Tensor | None = None
    for i in range(len(levels) - 1):
        denoised = denoise(x, levels[i])
        if levels[i + 1] == 0:
            x = denoised
        else:
            t, t_next = -math.log(levels[i]), -math.log(levels[i + 1])
            h = t_next - t
            used = denoised
            if old is not None:
                r = (t + math.log(levels[i - 1])) / h
                used = (1 + 1 / (2 * r)) * denoised - 1 / (2 * r) * old
            x = math.exp(-t_next) / math.exp(-t) * x - math.expm1(-h) * used
        old = denoised
        yield x
