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
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from torch import Tensor

from darkroom.diffusion.noise import StepNoise

Denoise = Callable[[Tensor, Tensor], Tensor]


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
    "dpmpp_2m": dpmpp_2m,
}
