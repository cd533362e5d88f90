"""Samplers: from noise to an image, one noise level at a time.

Each is a generator function `(denoise, x, sigmas, *, noise, eta, churn) -> Steps`:

    denoise(x, sigma)  what x would be without its noise (`guidance.guided`)
    x                  [B, C, h, w], float32, in sigma space: x = x0 + sigma · n
    sigmas             float64 [n + 1] on the CPU, descending; only the last may be 0
    noise(sigma, sigma_next)  unit normal [B, C, h, w] for the way between two levels
                       (`Noise.steps`); it is called only where noise is used
    eta                the share of fresh noise in each step, 0 to 1
    churn              fresh noise before a step (`Churn`)

A sampler names those of the three that it takes and lets the others pass.  It yields a `Step`
after each level and returns the last x.  Nothing is remembered between calls: closing the
generator ends the run.  With `d = (x - denoised) / sigma`, the eps that the network
predicts or implies, the process to be solved is `dx / dsigma = d` (Karras et al. 2206.00364,
eq. 1 with s(t) = 1).
"""

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from darkroom.diffusion.noise import StepNoise
from darkroom.diffusion.schedule import karras_between

Denoise = Callable[[Tensor, Tensor], Tensor]

_PURE_NOISE = 100.0  # no sigma of a model without zero terminal SNR is nearly as large
_RESTART_LOW, _RESTART_HIGH = 0.1, 2.0  # sigmas, as chosen for Stable Diffusion by its first users


@dataclass(frozen=True, slots=True)
class Step:
    """Step `i`, counted from 0, is done: `x` is where it led, `denoised` what it saw."""

    i: int
    x: Tensor
    denoised: Tensor


Steps = Generator[Step, None, Tensor]


@dataclass(frozen=True, slots=True)
class Churn:
    """Noise that lifts x before a step (Karras et al. 2206.00364, algorithm 2).

    `amount` is S_churn: that of all steps together, in shares of sigma.  It acts at sigmas from
    `low` to `high` (S_tmin, S_tmax).
    """

    amount: float = 0.0
    low: float = 0.0
    high: float = math.inf

    def lift(self, sigma: float, steps: int) -> float:
        """The level to lift to: σ (1 + γ), γ at most √2 - 1."""
        if not self.low <= sigma <= self.high:
            return sigma
        return sigma * (1 + min(self.amount / steps, math.sqrt(2) - 1))


CALM = Churn()


def ddim(
    denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, eta: float = 0.0, **_: object
) -> Steps:
    """DDIM (Song et al. 2010.02502, eq. 12 and 16), deterministic at eta 0."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = denoise(x, sigmas[i])
        d = (x - denoised) / sigma
        down, up = _split(sigma, sigma_next, eta)
        x = denoised + down * d
        if up > 0:
            x = x + up * noise(sigma, sigma_next).to(x)
        yield Step(i, x, denoised)
    return x


def plms(denoise: Denoise, x: Tensor, sigmas: Tensor, **_: object) -> Steps:
    """PLMS: a linear multistep method on eps (Liu et al. 2202.09778).

    Adams-Bashforth of the orders 2, 3 and 4 as eps gather; the first step is a pseudo improved
    Euler with a second evaluation at its end, as in the reference.  `denoised` of a Step is that
    of the combined eps.
    """
    earlier: list[Tensor] = []  # at most three eps, newest first
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        d = (x - denoise(x, sigmas[i])) / sigma
        match earlier:
            case []:
                slope = (d + _eps_ahead(denoise, x + (sigma_next - sigma) * d, sigmas)) / 2
            case [d1]:
                slope = (3 * d - d1) / 2
            case [d1, d2]:
                slope = (23 * d - 16 * d1 + 5 * d2) / 12
            case _:
                d1, d2, d3 = earlier
                slope = (55 * d - 59 * d1 + 37 * d2 - 9 * d3) / 24
        denoised = x - sigma * slope
        x = denoised + sigma_next * slope
        earlier = [d, *earlier[:2]]
        yield Step(i, x, denoised)
    return x


def _eps_ahead(denoise: Denoise, x: Tensor, sigmas: Tensor) -> Tensor:
    """The eps of the first step's end, `x` being at `sigmas[1]`.

    Of a single step the end is no grid point.  There the reference shows the network the
    variance-preserving latent of the end at the timestep of the beginning.
    """
    sigma = sigmas[min(1, len(sigmas) - 2)]
    x = x * (math.hypot(1, float(sigma)) / math.hypot(1, float(sigmas[1])))
    return (x - denoise(x, sigma)) / float(sigma)


def dpm_solver(denoise: Denoise, x: Tensor, sigmas: Tensor, **_: object) -> Steps:
    """DPM-Solver++ 2M as its authors run it: below 15 steps the last one is of first order."""
    return (yield from _multistep(denoise, x, sigmas, first_order_end=len(sigmas) - 1 < 15))


def euler(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    churn: Churn = CALM,
    **_: object,
) -> Steps:
    """Euler's method (Karras et al. 2206.00364, algorithm 2 without its correction)."""
    for i, sigma_next in enumerate(sigmas.tolist()[1:]):
        x, sigma = _churned(x, sigmas, i, noise, churn)
        denoised = denoise(x, sigma)
        x = x + (sigma_next - float(sigma)) * (x - denoised) / float(sigma)
        yield Step(i, x, denoised)
    return x


def euler_ancestral(
    denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, eta: float = 1.0, **_: object
) -> Steps:
    """Euler's method to a level below the next one, then fresh noise up to it (k-diffusion).

    Step by step this is DDIM of the same eta: the two were found apart and split the noise alike
    (`_split`).  What differs is the usual eta, and the schedule and the start that go with the
    names.
    """
    return (yield from ddim(denoise, x, sigmas, noise=noise, eta=eta))


def heun(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    churn: Churn = CALM,
    **_: object,
) -> Steps:
    """Heun's method (Karras et al. 2206.00364, algorithm 2)."""
    for i, sigma_next in enumerate(sigmas.tolist()[1:]):
        x, sigma = _churned(x, sigmas, i, noise, churn)
        x, denoised = _heun_step(denoise, x, sigma, sigma_next)
        yield Step(i, x, denoised)
    return x


def _heun_step(
    denoise: Denoise, x: Tensor, sigma: Tensor, sigma_next: float
) -> tuple[Tensor, Tensor]:
    """Where Heun's method leads, and what x was without its noise.

    To level 0 it is Euler's; so it is from levels of pure noise, where models with zero terminal
    SNR begin: a first step from 4500 to 20 would weigh a change of the denoised image by 112.
    """
    denoised = denoise(x, sigma)
    d = (x - denoised) / float(sigma)
    way = sigma_next - float(sigma)
    ahead = x + way * d
    if sigma_next > 0 and float(sigma) < _PURE_NOISE:
        d_ahead = (ahead - denoise(ahead, sigma.new_tensor(sigma_next))) / sigma_next
        ahead = x + way * (d + d_ahead) / 2
    return ahead, denoised


def dpm_2(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    *,
    noise: StepNoise,
    churn: Churn = CALM,
    **_: object,
) -> Steps:
    """The midpoint method, its midpoint in log sigma (k-diffusion; Lu et al. 2206.00927)."""
    for i, sigma_next in enumerate(sigmas.tolist()[1:]):
        x, sigma = _churned(x, sigmas, i, noise, churn)
        x, denoised = _midpoint_step(denoise, x, sigma, sigma_next)
        yield Step(i, x, denoised)
    return x


def dpm_2_ancestral(
    denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, eta: float = 1.0, **_: object
) -> Steps:
    """`dpm_2` to a level below the next one, then fresh noise up to it (k-diffusion)."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        down, up = _split(sigma, sigma_next, eta)
        x, denoised = _midpoint_step(denoise, x, sigmas[i], down)
        if up > 0:
            x = x + up * noise(sigma, sigma_next).to(x)
        yield Step(i, x, denoised)
    return x


def _midpoint_step(
    denoise: Denoise, x: Tensor, sigma: Tensor, sigma_next: float
) -> tuple[Tensor, Tensor]:
    """Where the slope at the midpoint leads, and what x was without its noise.

    Where Heun's method falls back to Euler's, this does (`_heun_step`).
    """
    denoised = denoise(x, sigma)
    now = float(sigma)
    d = (x - denoised) / now
    if sigma_next > 0 and now < _PURE_NOISE:
        middle = math.sqrt(now * sigma_next)
        halfway = x + (middle - now) * d
        d = (halfway - denoise(halfway, sigma.new_tensor(middle))) / middle
    return x + (sigma_next - now) * d, denoised


def lms(denoise: Denoise, x: Tensor, sigmas: Tensor, **_: object) -> Steps:
    """Linear multistep: d as a cubic through its last four values (k-diffusion; Adams 1883)."""
    levels = sigmas.tolist()
    slopes: list[Tensor] = []  # at most four, newest first
    for i, sigma in enumerate(levels[:-1]):
        denoised = denoise(x, sigmas[i])
        slopes = [(x - denoised) / sigma, *slopes[:3]]
        nodes = [levels[i - k] for k in range(len(slopes))]
        weights = _lagrange_integrals(nodes, sigma, levels[i + 1])
        x = x + _weighted(weights, slopes)
        yield Step(i, x, denoised)
    return x


def _lagrange_integrals(nodes: Sequence[float], begin: float, end: float) -> list[float]:
    """The integrals from `begin` to `end` of the Lagrange polynomials of at most four nodes.

    Two points of Gauss and Legendre integrate a cubic exactly.
    """
    middle, half = (begin + end) / 2, (end - begin) / 2
    points = [middle - half / math.sqrt(3), middle + half / math.sqrt(3)]

    def polynomial(node: float, at: float) -> float:
        return math.prod((at - other) / (node - other) for other in nodes if other != node)

    return [half * sum(polynomial(node, at) for at in points) for node in nodes]


def _weighted(weights: Sequence[float], values: Sequence[Tensor]) -> Tensor:
    """The sum of `values` by `weights`."""
    first, *rest = (weight * value for weight, value in zip(weights, values, strict=True))
    return sum(rest, first)


def deis(denoise: Denoise, x: Tensor, sigmas: Tensor, **_: object) -> Steps:
    """DEIS of order 2: d as a line in log sigma (Zhang & Chen 2204.13902, with ρ = sigma).

    As in diffusers, below 15 steps the last one is of first order; to level 0 it always is.
    """
    previous: tuple[float, Tensor] | None = None  # sigma and d of the step before
    last = len(sigmas) - 2
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = denoise(x, sigmas[i])
        d = (x - denoised) / sigma
        x = x + (sigma_next - sigma) * d
        if previous is not None and sigma_next > 0 and not (i == last < 14):
            before, d_before = previous
            # The integral of log(ρ / sigma) / log(before / sigma).
            area = sigma_next * (math.log(sigma_next / sigma) - 1) + sigma
            x = x + area / math.log(before / sigma) * (d_before - d)
        previous = sigma, d
        yield Step(i, x, denoised)
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Tensor, **_: object) -> Steps:
    """DPM-Solver++ 2M as k-diffusion runs it: of first order only at the start and to sigma 0."""
    return (yield from _multistep(denoise, x, sigmas, first_order_end=False))


def _multistep(denoise: Denoise, x: Tensor, sigmas: Tensor, *, first_order_end: bool) -> Steps:
    """DPM-Solver++ 2M (Lu et al. 2211.01095, algorithm 2), λ = -log sigma."""
    previous: tuple[float, Tensor] | None = None  # sigma and denoised of the step before
    last = len(sigmas) - 2
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = denoise(x, sigmas[i])
        toward = denoised
        if previous is not None and sigma_next > 0 and not (first_order_end and i == last):
            before, denoised_before = previous
            r = math.log(before / sigma) / math.log(sigma / sigma_next)
            toward = denoised + (denoised - denoised_before) / (2 * r)
        # sigma_next / sigma is exp(-h).
        x = toward + sigma_next / sigma * (x - toward)
        previous = sigma, denoised
        yield Step(i, x, denoised)
    return x


def dpmpp_2s_ancestral(
    denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, eta: float = 1.0, **_: object
) -> Steps:
    """DPM-Solver++ 2S (Lu et al. 2211.01095, algorithm 1, r = 1/2) with ancestral noise."""
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = denoise(x, sigmas[i])
        down, up = _split(sigma, sigma_next, eta)
        toward = denoised
        if down > 0:
            middle = math.sqrt(sigma * down)
            halfway = denoised + middle / sigma * (x - denoised)
            toward = denoise(halfway, sigmas.new_tensor(middle))
        x = toward + down / sigma * (x - toward)
        if up > 0:
            x = x + up * noise(sigma, sigma_next).to(x)
        yield Step(i, x, denoised)
    return x


def dpmpp_sde(
    denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, eta: float = 1.0, **_: object
) -> Steps:
    """DPM-Solver++ 2S for the stochastic equation (k-diffusion, r = 1/2).

    The noise of the half step and that of the whole are of one path.
    """

    def step(toward: Tensor, sigma: float, sigma_next: float) -> Tensor:
        down, up = _split(sigma, sigma_next, eta)
        stepped = toward + down / sigma * (x - toward)
        return stepped + up * noise(sigma, sigma_next).to(x) if up > 0 else stepped

    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = toward = denoise(x, sigmas[i])
        if sigma_next > 0:
            middle = math.sqrt(sigma * sigma_next)
            toward = denoise(step(denoised, sigma, middle), sigmas.new_tensor(middle))
        x = step(toward, sigma, sigma_next)
        yield Step(i, x, denoised)
    return x


def dpmpp_2m_sde(
    denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, eta: float = 1.0, **_: object
) -> Steps:
    """DPM-Solver++ 2M for the stochastic equation, its correction by the midpoint rule.

    SDE-DPM-Solver++ 2M of Lu et al. 2211.01095; eta as in k-diffusion: 0 is `dpmpp_2m`.
    """
    return (yield from _multistep_sde(denoise, x, sigmas, noise, eta, _midpoint_correction))


def dpmpp_2m_sde_heun(
    denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, eta: float = 1.0, **_: object
) -> Steps:
    """`dpmpp_2m_sde` with the correction that a denoised image linear in log sigma asks for."""
    return (yield from _multistep_sde(denoise, x, sigmas, noise, eta, _linear_correction))


def dpmpp_3m_sde(
    denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, eta: float = 1.0, **_: object
) -> Steps:
    """DPM-Solver++ 3M for the stochastic equation (k-diffusion)."""
    return (yield from _multistep_sde(denoise, x, sigmas, noise, eta, _quadratic_correction))


# Ways in λ = -log sigma to the last two levels, newest first, with the denoised images there.
Earlier = Sequence[tuple[float, Tensor]]
# `(h, reach, denoised, earlier)`: what to add to a first-order step of the way h, where noise
# that is replaced on the way stretches it to reach = h (1 + eta).
Correction = Callable[[float, float, Tensor, Earlier], Tensor]


def _multistep_sde(
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: StepNoise,
    eta: float,
    correction: Correction,
) -> Steps:
    """Exponential steps towards the denoised image, and eta's share of the noise renewed."""
    earlier: list[tuple[float, Tensor]] = []
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        denoised = denoise(x, sigmas[i])
        if sigma_next == 0:
            x = denoised
        else:
            h = math.log(sigma / sigma_next)
            reach = h * (1 + eta)
            x = denoised + math.exp(-reach) * (x - denoised)
            if earlier:
                x = x + correction(h, reach, denoised, earlier)
            if eta > 0:
                up = sigma_next * math.sqrt(-math.expm1(-2 * eta * h))
                x = x + up * noise(sigma, sigma_next).to(x)
            earlier = [(h, denoised), *earlier[:1]]
        yield Step(i, x, denoised)
    return x


def _midpoint_correction(h: float, reach: float, denoised: Tensor, earlier: Earlier) -> Tensor:
    """The change of the denoised image, as if all of it held from the middle of the step on."""
    before, denoised_before = earlier[0]
    return -math.expm1(-reach) * h / (2 * before) * (denoised - denoised_before)


def _linear_correction(h: float, reach: float, denoised: Tensor, earlier: Earlier) -> Tensor:
    """The change of the denoised image, which goes on as it did between the last two levels."""
    before, denoised_before = earlier[0]
    return _moments(reach, 1)[1] * h / before * (denoised - denoised_before)


def _quadratic_correction(h: float, reach: float, denoised: Tensor, earlier: Earlier) -> Tensor:
    """The same by a parabola through the last three, its bend counted half.

    Half is what DPM-Solver's published code and k-diffusion take, and their images depend on it;
    all of it would make the method one of third order.
    """
    if len(earlier) < 2:
        return _linear_correction(h, reach, denoised, earlier)
    (before, denoised_1), (long_before, denoised_2) = earlier
    _, first, second = _moments(reach, 2)
    slope_0 = (denoised - denoised_1) * h / before
    slope_1 = (denoised_1 - denoised_2) * h / long_before
    bend = (slope_0 - slope_1) * h / (before + long_before)
    slope = slope_0 + bend * before / h
    return first * slope + second / 2 * bend


def _moments(h: float, highest: int) -> list[float]:
    """The integrals over τ from 0 to h of exp(τ - h) (τ / h)^k, for k from 0 to `highest`.

    They weigh a polynomial in λ over an exponential step: by partial integration, the φ functions
    of exponential integrators (Hochbruck & Ostermann 2010, section 2.1).
    """
    moments = [-math.expm1(-h)]
    for k in range(1, highest + 1):
        moments.append(1 - k / h * moments[-1])
    return moments


def unipc(denoise: Denoise, x: Tensor, sigmas: Tensor, **_: object) -> Steps:
    """UniPC of order 3 with B(h) = h (Zhao et al. 2302.04867)."""
    return (yield from _unipc(denoise, x, sigmas, lambda h: h))


def unipc_bh2(denoise: Denoise, x: Tensor, sigmas: Tensor, **_: object) -> Steps:
    """UniPC of order 3 with B(h) = e^h - 1 (Zhao et al. 2302.04867)."""
    return (yield from _unipc(denoise, x, sigmas, lambda h: -math.expm1(-h)))


def _unipc(denoise: Denoise, x: Tensor, sigmas: Tensor, scale: Callable[[float], float]) -> Steps:
    """Predict by the denoised images so far, then correct by the one at the step's end.

    That one is evaluated anyway: it is the next step's.  The first steps are of the orders that
    there are images for; the orders of the last ones fall to 1.
    """
    levels = sigmas.tolist()
    last = len(levels) - 2
    seen: list[Tensor] = []  # denoised images, newest first
    begin, order = x, 0
    for i, (sigma, sigma_next) in enumerate(pairwise(levels)):
        seen = [denoise(x, sigmas[i]), *seen[:3]]
        if i > 0:
            nodes = levels[i - order : i + 1][::-1]
            x = _exponential_step(begin, levels[i - 1], sigma, nodes, seen, scale)
        begin, order = x, min(3, i + 1, last - i + 1)
        nodes = levels[i - order + 1 : i + 1][::-1]
        x = _exponential_step(begin, sigma, sigma_next, nodes, seen, scale)
        yield Step(i, x, seen[0])
    return x


def _exponential_step(
    x: Tensor,
    sigma: float,
    sigma_next: float,
    nodes: Sequence[float],
    seen: Sequence[Tensor],
    scale: Callable[[float], float],
) -> Tensor:
    """The step from `sigma` to `sigma_next` along a polynomial in log sigma.

    It goes through the denoised images `seen` at the sigmas `nodes`.  A line's integral UniPC
    replaces by half of B(h): there alone its variants differ.
    """
    if sigma_next == 0:
        return seen[0]
    h = math.log(sigma / sigma_next)
    moments = _moments(h, len(nodes) - 1)
    if len(nodes) == 2:
        moments[1] = scale(h) / 2
    places = torch.tensor([math.log(sigma / node) / h for node in nodes], dtype=torch.float64)
    powers = torch.stack([places**k for k in range(len(nodes))])
    weights = torch.linalg.solve(powers, torch.tensor(moments, dtype=torch.float64))
    return sigma_next / sigma * x + _weighted(weights.tolist(), seen[: len(nodes)])


def ddpm(denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, **_: object) -> Steps:
    """Ancestral sampling (Ho et al. 2006.11239, algorithm 2, with the posterior's variance).

    It is DDIM with all of its noise (Song et al. 2010.02502, section 4.1).
    """
    return (yield from ddim(denoise, x, sigmas, noise=noise, eta=1.0))


def lcm(denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, **_: object) -> Steps:
    """Jump to the end, and back up with fresh noise (Luo et al. 2310.04378, algorithm 3).

    For models that were distilled to be consistent: a few steps, guidance 1 to 2.
    """
    for i, (sigma, sigma_next) in enumerate(pairwise(sigmas.tolist())):
        x = denoised = denoise(x, sigmas[i])
        if sigma_next > 0:
            x = x + sigma_next * noise(sigma, sigma_next).to(x)
        yield Step(i, x, denoised)
    return x


def restart(denoise: Denoise, x: Tensor, sigmas: Tensor, *, noise: StepNoise, **_: object) -> Steps:
    """Restart (Xu et al. 2306.14878) over Heun's method.

    Runs of 20 steps and more spend some of them on going down again from sigma 2 to 0.1.
    """
    before = 0.0
    for i, (sigma, sigma_next) in enumerate(_with_restarts(sigmas.tolist())):
        if 0 < before < sigma:
            x = x + math.sqrt(sigma**2 - before**2) * noise(sigma, before).to(x)
        x, denoised = _heun_step(denoise, x, sigmas.new_tensor(sigma), sigma_next)
        before = sigma_next
        yield Step(i, x, denoised)
    return x


def _with_restarts(levels: Sequence[float]) -> list[tuple[float, float]]:
    """As many steps as `levels` have, some of them from sigma 2 to 0.1 once more.

    How many and how often is what the web interface that made the method popular chose: 9 steps
    once from 20 on, a quarter of them twice from 36 on.  From 20 on, all levels are Karras'.
    """
    plain = list(pairwise(levels))
    times, length = (2, len(plain) // 4) if len(plain) >= 36 else (1, 9)
    if len(plain) < 20:
        return plain
    count = len(plain) - times * length
    ends_at_zero = levels[-1] == 0
    lowest = levels[-2] if ends_at_zero else levels[-1]
    main = karras_between(levels[0], lowest, count + (not ends_at_zero))
    low = min(range(len(main)), key=lambda k: abs(main[k] - _RESTART_LOW))
    high = min(range(len(main)), key=lambda k: abs(main[k] - _RESTART_HIGH))
    if high >= low:
        return plain
    again = list(pairwise(karras_between(main[high], main[low], length + 1)))
    steps = list(pairwise([*main, 0.0] if ends_at_zero else main))
    return [*steps[:low], *again * times, *steps[low:]]


def _split(sigma: float, sigma_next: float, eta: float) -> tuple[float, float]:
    """The level to step down to and the noise to add, so that both together give `sigma_next`.

    Dividing DDIM's variance (2010.02502, eq. 16) by the next ᾱ, and ᾱ = 1 / (1 + σ²), leave
    up² = eta² σ'² (σ² - σ'²) / σ².  k-diffusion's ancestral step is the same.
    """
    up = min(sigma_next, eta * sigma_next * math.sqrt(1 - (sigma_next / sigma) ** 2))
    return math.sqrt(sigma_next**2 - up**2), up


def _churned(
    x: Tensor, sigmas: Tensor, i: int, noise: StepNoise, churn: Churn
) -> tuple[Tensor, Tensor]:
    """The x lifted by fresh noise before step `i`, and the level at which it is then."""
    sigma = float(sigmas[i])
    lifted = churn.lift(sigma, len(sigmas) - 1)
    if lifted == sigma:
        return x, sigmas[i]
    fresh = noise(lifted, sigma).to(x)
    return x + math.sqrt(lifted**2 - sigma**2) * fresh, sigmas.new_tensor(lifted)


class Sampler(Protocol):
    """What every sampler of this file is."""

    def __call__(
        self,
        denoise: Denoise,
        x: Tensor,
        sigmas: Tensor,
        /,
        *,
        noise: StepNoise,
        eta: float = ...,
        churn: Churn = ...,
    ) -> Steps:
        """See the file's head."""


SAMPLERS: Mapping[str, Sampler] = {
    "ddim": ddim,
    "plms": plms,
    "dpm_solver": dpm_solver,
    "euler": euler,
    "euler_ancestral": euler_ancestral,
    "heun": heun,
    "lms": lms,
    "dpm_2": dpm_2,
    "dpm_2_ancestral": dpm_2_ancestral,
    "dpmpp_2m": dpmpp_2m,
    "dpmpp_2s_ancestral": dpmpp_2s_ancestral,
    "dpmpp_sde": dpmpp_sde,
    "dpmpp_2m_sde": dpmpp_2m_sde,
    "dpmpp_2m_sde_heun": dpmpp_2m_sde_heun,
    "dpmpp_3m_sde": dpmpp_3m_sde,
    "unipc": unipc,
    "unipc_bh2": unipc_bh2,
    "deis": deis,
    "ddpm": ddpm,
    "lcm": lcm,
    "restart": restart,
}
