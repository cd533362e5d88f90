"""Toy models, and the published arithmetic written down a second time, apart from ours.

The variance-preserving oracles take a list of ᾱ, noisiest first, and never see a sigma of ours;
the others (`…_k`) follow k-diffusion's definitions.  All yield x after each step, in float64.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import integrate
from torch import Tensor, nn

from darkroom.diffusion.noise import StepNoise
from darkroom.diffusion.samplers import Churn

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


def _ancestral(begin: float, end: float, eta: float) -> tuple[float, float]:
    up = min(end, eta * math.sqrt(end**2 * (begin**2 - end**2) / begin**2))
    return math.sqrt(end**2 - up**2), up


def _stirred(
    x: Tensor, level: float, steps: int, churn: Churn, noise: StepNoise
) -> tuple[Tensor, float]:
    gamma = 0.0
    if churn.low <= level <= churn.high:
        gamma = min(churn.amount / steps, 2**0.5 - 1)
    hat = level * (gamma + 1)
    if gamma > 0:
        x = x + noise(hat, level) * (hat**2 - level**2) ** 0.5
    return x, hat


def euler_churned_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise, churn: Churn
) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        x, hat = _stirred(x, levels[i], len(levels) - 1, churn, noise)
        x = x + (x - denoise(x, hat)) / hat * (levels[i + 1] - hat)
        yield x


def heun_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise, churn: Churn
) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        end = levels[i + 1]
        x, hat = _stirred(x, levels[i], len(levels) - 1, churn, noise)
        slope = (x - denoise(x, hat)) / hat
        if end == 0:
            x = x + slope * (end - hat)
        else:
            there = x + slope * (end - hat)
            slope_there = (there - denoise(there, end)) / end
            x = x + (slope + slope_there) / 2 * (end - hat)
        yield x


def dpm_2_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise, churn: Churn
) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        x, hat = _stirred(x, levels[i], len(levels) - 1, churn, noise)
        x = _midpoint_k(denoise, x, hat, levels[i + 1])
        yield x


def dpm_2_ancestral_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise, eta: float
) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        down, up = _ancestral(levels[i], levels[i + 1], eta)
        x = _midpoint_k(denoise, x, levels[i], down)
        if up > 0:
            x = x + noise(levels[i], levels[i + 1]) * up
        yield x


def _midpoint_k(denoise: DenoiseAt, x: Tensor, begin: float, end: float) -> Tensor:
    slope = (x - denoise(x, begin)) / begin
    if end == 0:
        return x + slope * (end - begin)
    middle = math.exp(0.5 * (math.log(begin) + math.log(end)))
    there = x + slope * (middle - begin)
    return x + (there - denoise(there, middle)) / middle * (end - begin)


def lms_k(denoise: DenoiseAt, x: Tensor, levels: Sequence[float]) -> Iterator[Tensor]:
    slopes: list[Tensor] = []
    for i in range(len(levels) - 1):
        slopes.append((x - denoise(x, levels[i])) / levels[i])
        order = min(i + 1, 4)
        for j in range(order):
            others = [levels[i - k] for k in range(order) if k != j]

            def basis(s: float, here: float = levels[i - j], others: list[float] = others) -> float:
                return math.prod((s - other) / (here - other) for other in others)

            weight, _ = integrate.quad(basis, levels[i], levels[i + 1], epsabs=1e-13, epsrel=1e-13)
            x = x + weight * slopes[i - j]
        yield x


def dpmpp_2s_ancestral_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise, eta: float
) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        down, up = _ancestral(levels[i], levels[i + 1], eta)
        denoised = denoise(x, levels[i])
        if down == 0:
            x = x + (x - denoised) / levels[i] * (down - levels[i])
        else:
            t, t_next = -math.log(levels[i]), -math.log(down)
            h = t_next - t
            s = t + h / 2
            half = math.exp(t - s) * x - math.expm1(-h / 2) * denoised
            x = math.exp(t - t_next) * x - math.expm1(-h) * denoise(half, math.exp(-s))
        if up > 0:
            x = x + noise(levels[i], levels[i + 1]) * up
        yield x


def dpmpp_sde_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise, eta: float
) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        begin, end = levels[i], levels[i + 1]
        denoised = denoise(x, begin)
        if end == 0:
            x = x + (x - denoised) / begin * (end - begin)
        else:
            t = -math.log(begin)
            middle = math.exp(-(t + 0.5 * (-math.log(end) - t)))
            down, up = _ancestral(begin, middle, eta)
            half = down / begin * x - math.expm1(t + math.log(down)) * denoised
            if up > 0:
                half = half + noise(begin, middle) * up
            denoised = denoise(half, middle)
            down, up = _ancestral(begin, end, eta)
            x = down / begin * x - math.expm1(t + math.log(down)) * denoised
            if up > 0:
                x = x + noise(begin, end) * up
        yield x


def dpmpp_2m_sde_k(
    denoise: DenoiseAt,
    x: Tensor,
    levels: Sequence[float],
    noise: StepNoise,
    eta: float,
    solver: str,
) -> Iterator[Tensor]:
    old: Tensor | None = None
    h_last = math.nan
    for i in range(len(levels) - 1):
        denoised = denoise(x, levels[i])
        if levels[i + 1] == 0:
            x = denoised
        else:
            h = math.log(levels[i]) - math.log(levels[i + 1])
            whole = h + eta * h
            x = levels[i + 1] / levels[i] * math.exp(-eta * h) * x - math.expm1(-whole) * denoised
            if old is not None:
                slope = (denoised - old) * h / h_last
                if solver == "heun":
                    x = x + (math.expm1(-whole) / whole + 1) * slope
                else:
                    x = x - 0.5 * math.expm1(-whole) * slope
            if eta:
                x = x + noise(levels[i], levels[i + 1]) * levels[i + 1] * math.sqrt(
                    -math.expm1(-2 * eta * h)
                )
            h_last = h
        old = denoised
        yield x


def dpmpp_3m_sde_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise, eta: float
) -> Iterator[Tensor]:
    h: list[float] = []
    images: list[Tensor] = []
    for i in range(len(levels) - 1):
        images.append(denoise(x, levels[i]))
        if levels[i + 1] == 0:
            x = images[i]
        else:
            h.append(math.log(levels[i]) - math.log(levels[i + 1]))
            whole = h[i] * (eta + 1)
            x = math.exp(-whole) * x - math.expm1(-whole) * images[i]
            phi_2 = math.expm1(-whole) / whole + 1
            phi_3 = phi_2 / whole - 0.5
            if i >= 2:
                r0, r1 = h[i - 1] / h[i], h[i - 2] / h[i]
                d10 = (images[i] - images[i - 1]) / r0
                d11 = (images[i - 1] - images[i - 2]) / r1
                d1 = d10 + (d10 - d11) * r0 / (r0 + r1)
                x = x + phi_2 * d1 - phi_3 * (d10 - d11) / (r0 + r1)
            elif i == 1:
                x = x + phi_2 * (images[1] - images[0]) * h[1] / h[0]
            if eta:
                up = levels[i + 1] * math.sqrt(-math.expm1(-2 * h[i] * eta))
                x = x + noise(levels[i], levels[i + 1]) * up
        yield x


def restart_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise
) -> Iterator[Tensor]:
    """Xu et al. 2306.14878 as A1111 runs it, for runs to 0: Heun over a list of steps."""
    steps = len(levels) - 1
    length, times = (9, 1) if steps < 36 else (steps // 4, 2)
    main = np.append(_karras(steps - length * times, levels[-2], levels[0]), 0)
    low = int(np.abs(main - 0.1).argmin())
    high = int(np.abs(main - 2).argmin())
    again = _karras(length + 1, main[low], main[high])
    path = [*main[:low], *([main[low], *again[:-1]] * times), *main[low:]]
    # A rise is no step: noise takes it.
    for begin, end in itertools.pairwise(map(float, path)):
        if end > begin:
            x = x + noise(end, begin) * (end**2 - begin**2) ** 0.5
        else:
            (x,) = heun_k(denoise, x, [begin, end], noise, Churn())
            yield x


def _karras(count: int, low: float, high: float) -> NDArray[np.float64]:
    ramp = np.linspace(0, 1, count)
    levels: NDArray[np.float64] = (high ** (1 / 7) * (1 - ramp) + low ** (1 / 7) * ramp) ** 7
    return levels


def lcm_k(
    denoise: DenoiseAt, x: Tensor, levels: Sequence[float], noise: StepNoise
) -> Iterator[Tensor]:
    for i in range(len(levels) - 1):
        x = denoise(x, levels[i])
        if levels[i + 1] > 0:
            x = x + levels[i + 1] * noise(levels[i], levels[i + 1])
        yield x
