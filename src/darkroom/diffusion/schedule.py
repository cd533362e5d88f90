"""Noise levels: from a count of steps to sigmas, and how a latent enters and leaves a run.

Sigma space: `x = x0 + sigma * n` with a signal of scale 1, so that the variance-preserving latent
of the papers (and of the network) is `x / sqrt(1 + sigma²)`, and `sigma² = (1 - ᾱ) / ᾱ`.
Timesteps count from 0 (least noise) to 999.  Sigmas are float64 on the CPU, descending.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from darkroom import names
from darkroom.timesteps import TIMESTEPS, ldm_timesteps

Interpolation = Literal["log_sigma", "log_alpha"]

# Scaled-linear betas of v1 and v2 (Rombach et al. 2112.10752, its code); the x4 upscaler differs.
_BETAS = 0.00085, 0.012
# An ᾱ of exactly 0 is an infinite sigma; the floor is the value that the field settled on.
_ALPHA_FLOOR = 4.9e-8
_KARRAS_RHO = 7.0
_BETA_SHAPE = 0.6
# Sabour et al. 2404.14507, the authors' guide: ten steps for Stable Diffusion 1.5.
_ALIGNED = 14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029


def alphas_cumprod(
    zero_terminal_snr: bool = False, *, betas: tuple[float, float] = _BETAS
) -> Tensor:
    """The ᾱ of all 1000 timesteps: float64 [1000], falling from 0.99915 towards 0.

    The roots of the betas rise evenly from that of the first to that of the last of `betas`.
    `zero_terminal_snr` shifts and scales √ᾱ so that the last is zero and the first unchanged
    (Lin et al. 2305.08891, algorithm 1), then floors it to 4.9e-8.
    """
    first, last = (beta**0.5 for beta in betas)
    alphas = (1 - torch.linspace(first, last, TIMESTEPS, dtype=torch.float64) ** 2).cumprod(0)
    if not zero_terminal_snr:
        return alphas
    roots = alphas.sqrt()
    roots = (roots - roots[-1]) * roots[0] / (roots[0] - roots[-1])
    return (roots**2).clamp(min=_ALPHA_FLOOR)


def cosine_alphas_cumprod() -> Tensor:
    """The ᾱ with which unCLIP noises image embeddings: float64 [1000].

    A squared cosine (Nichol & Dhariwal 2102.09672, eq. 17) whose betas end at 0.999.
    """
    t = torch.linspace(0, 1, TIMESTEPS + 1, dtype=torch.float64)
    curve = ((t + 0.008) / 1.008 * math.pi / 2).cos() ** 2
    return (1 - (1 - curve[1:] / curve[:-1]).clamp(max=0.999)).cumprod(0)


def sigma_table(alphas: Tensor) -> Tensor:
    """The sigma of each timestep, ascending: float64 of the shape of `alphas`."""
    return ((1 - alphas) / alphas).sqrt()


def sigma_at(t: Tensor, alphas: Tensor, interpolation: Interpolation = "log_sigma") -> Tensor:
    """The sigma at timesteps `t` in [0, 999], which may lie between the table's; float64.

    Between them log sigma is linear (k-diffusion), or log ᾱ (DPM-Solver's discrete schedule).
    """
    if interpolation == "log_alpha":
        return sigma_table(_log_linear(alphas, t))
    return _log_linear(sigma_table(alphas), t)


def timestep_at(
    sigma: Tensor, alphas: Tensor, interpolation: Interpolation = "log_sigma"
) -> Tensor:
    """The inverse of `sigma_at`: timesteps in [0, 999], float64; sigmas outside are clamped.

    With `log_sigma` the table's own sigmas give exact integers.
    """
    if interpolation == "log_alpha":
        return _log_linear_inverse(1 / alphas, 1 + sigma**2)
    return _log_linear_inverse(sigma_table(alphas), sigma)


def _log_linear(table: Tensor, t: Tensor) -> Tensor:
    """`table` at real positions `t`, its logarithm linear in between, exact at integers."""
    low = t.floor().clamp(0, len(table) - 1).long()
    high = (low + 1).clamp(max=len(table) - 1)
    return table[low] * (table[high] / table[low]) ** (t - low)


def _log_linear_inverse(table: Tensor, values: Tensor) -> Tensor:
    """The real positions of `values` in an ascending `table`, exact at its own values."""
    low = (torch.searchsorted(table, values, right=True) - 1).clamp(0, len(table) - 2)
    fraction = (values / table[low]).log() / (table[low + 1] / table[low]).log()
    return low + fraction.clamp(0, 1)


def _ldm(steps: int, alphas: Tensor) -> Tensor:
    """The integer grid of the first release, down to timestep 0, not to sigma 0."""
    return sigma_table(alphas)[[*reversed(ldm_timesteps(steps)), 0]]


def _normal(steps: int, alphas: Tensor) -> Tensor:
    """Timesteps evenly spaced from 999 to 0, then 0 (k-diffusion)."""
    t = torch.linspace(TIMESTEPS - 1, 0, steps, dtype=torch.float64)
    return _then_zero(sigma_at(t, alphas))


def _karras(steps: int, alphas: Tensor) -> Tensor:
    """The seventh root of sigma evenly spaced, then 0 (Karras et al. 2206.00364, eq. 5)."""
    lowest, highest = sigma_table(alphas)[[0, -1]].tolist()
    levels = karras_between(highest, lowest, steps)
    return _then_zero(torch.tensor(levels, dtype=torch.float64))


def karras_between(highest: float, lowest: float, count: int) -> list[float]:
    """Karras levels from one sigma to another; of a single one, the highest."""
    high, low = highest ** (1 / _KARRAS_RHO), lowest ** (1 / _KARRAS_RHO)
    levels: list[float] = ((high + _ramp(count) * (low - high)) ** _KARRAS_RHO).tolist()
    return levels


def _exponential(steps: int, alphas: Tensor) -> Tensor:
    """Log sigma evenly spaced, then 0 (k-diffusion)."""
    low, high = sigma_table(alphas)[[0, -1]].log()
    return _then_zero((high + _ramp(steps) * (low - high)).exp())


def _sgm_uniform(steps: int, alphas: Tensor) -> Tensor:
    """Timesteps evenly spaced from 999, the last of them a step above 0 (Stability's SGM)."""
    t = torch.linspace(TIMESTEPS - 1, 0, steps + 1, dtype=torch.float64)[:-1]
    return _then_zero(sigma_at(t, alphas))


def _simple(steps: int, alphas: Tensor) -> Tensor:
    """Every (1000 / steps)-th entry of the table from its end (ComfyUI)."""
    return _then_zero(sigma_table(alphas)[[-1 - i * TIMESTEPS // steps for i in range(steps)]])


def _ddim_uniform(steps: int, alphas: Tensor) -> Tensor:
    """The integer grid of the first release, then 0 (ComfyUI)."""
    return _then_zero(sigma_table(alphas)[[*reversed(ldm_timesteps(steps))]])


def _beta(steps: int, alphas: Tensor) -> Tensor:
    """Timesteps at the quantiles of a beta distribution, then 0 (Lee et al. 2407.12173).

    As ComfyUI has it, but not rounded to whole timesteps, which would repeat some.
    """
    quantiles = beta_quantile(1 - torch.arange(steps, dtype=torch.float64) / steps)
    return _then_zero(sigma_at((TIMESTEPS - 1) * quantiles, alphas))


def _beta_sigma(steps: int, alphas: Tensor) -> Tensor:
    """Sigmas at the quantiles of a beta distribution, then 0 (diffusers, A1111)."""
    low, high = sigma_table(alphas)[[0, -1]]
    return _then_zero(low + beta_quantile(1 - _ramp(steps)) * (high - low))


def beta_quantile(probability: Tensor) -> Tensor:
    """The quantiles of the beta distribution with α = β = 0.6; float64, to about 1e-15.

    Bisection of the incomplete beta function (Abramowitz & Stegun 6.6.8), whose power series
    converges fast below 1/2; the other half mirrors it.
    """
    k = torch.arange(1, 60, dtype=torch.float64)
    series = ((k - _BETA_SHAPE) / k).cumprod(0) / (_BETA_SHAPE + k)

    def incomplete(x: Tensor) -> Tensor:
        return x**_BETA_SHAPE * (1 / _BETA_SHAPE + (x[..., None] ** k) @ series)

    tail = torch.minimum(probability, 1 - probability)
    low, high = torch.zeros_like(tail), torch.full_like(tail, 0.5)
    wanted = tail * 2 * incomplete(high)
    for _ in range(60):
        middle = (low + high) / 2
        below = incomplete(middle) < wanted
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return torch.where(probability < 0.5, low, 1 - low)


def _kl_optimal(steps: int, alphas: Tensor) -> Tensor:
    """The angle arctan sigma evenly spaced, then 0 (Sabour et al. 2404.14507)."""
    low, high = sigma_table(alphas)[[0, -1]].atan()
    return _then_zero((high + _ramp(steps) * (low - high)).tan())


def _align_your_steps(steps: int, _alphas: Tensor) -> Tensor:
    """The optimised levels for Stable Diffusion 1.5, log-linear in between, the last made 0."""
    places = (len(_ALIGNED) - 1) * _ramp(steps + 1)
    return _then_zero(_log_linear(torch.tensor(_ALIGNED, dtype=torch.float64), places)[:-1])


def _trailing(steps: int, alphas: Tensor) -> Tensor:
    """Timesteps evenly spaced from 999, then 0 (Lin et al. 2305.08891, section 3.3)."""
    grid = [round(TIMESTEPS - i * TIMESTEPS / steps) - 1 for i in range(steps)]
    return _then_zero(sigma_table(alphas)[grid])


def _time_uniform(steps: int, alphas: Tensor) -> Tensor:
    """Continuous time evenly spaced from 1 to 1/1000, where it ends (Lu et al. 2211.01095, code).

    Time t in (0, 1] is timestep 1000 t - 1.
    """
    t = torch.linspace(1, 1 / TIMESTEPS, steps + 1, dtype=torch.float64)
    return sigma_at((TIMESTEPS * t - 1).clamp(min=0), alphas, "log_alpha")


def _ramp(count: int) -> Tensor:
    """From 0 to 1; of a single value, 0."""
    return torch.linspace(0, 1, count, dtype=torch.float64)


def _then_zero(values: Tensor) -> Tensor:
    return torch.cat([values, values.new_zeros(1)])


SCHEDULES: Mapping[str, Callable[[int, Tensor], Tensor]] = {
    "ldm": _ldm,
    "normal": _normal,
    "karras": _karras,
    "exponential": _exponential,
    "sgm_uniform": _sgm_uniform,
    "simple": _simple,
    "ddim_uniform": _ddim_uniform,
    "trailing": _trailing,
    "time_uniform": _time_uniform,
    "beta": _beta,
    "beta_sigma": _beta_sigma,
    "kl_optimal": _kl_optimal,
    "align_your_steps": _align_your_steps,
}


def sigmas(name: str, steps: int, alphas: Tensor) -> Tensor:
    """The noise levels of a run, descending: float64 [n + 1] for n steps.

    `ldm` and `ddim_uniform` may give more steps than asked for.  `ldm` and `time_uniform` end at
    the sigma of timestep 0, the others at 0.  `alphas`: float64 [1000] of `alphas_cumprod`.
    ValueError for fewer than one step, RequestError from these two above 500.
    """
    if steps < 1:
        raise ValueError(f"expected at least 1 step, got {steps}")
    return SCHEDULES[name](steps, alphas)


def run_levels(sampler: str, name: str, steps: int, alphas: Tensor) -> Tensor:
    """The noise levels of a run of `sampler`, as `sigmas` gives them.

    A sampler that skips the last level takes those of one step more without the one before 0: its
    steps are as many, and the last of them is longer.
    """
    record = names.SCHEDULES[name]
    spare = record.ends_at_zero and not record.on_ldm_grid and steps < record.max_steps
    if not (names.SAMPLERS[sampler].skips_last and spare):
        return sigmas(name, steps, alphas)
    levels = sigmas(name, steps + 1, alphas)
    return torch.cat([levels[:-2], levels[-1:]])


def interpolation(name: str) -> Interpolation:
    """How a schedule reads the table between two timesteps, and so how a denoiser must."""
    return "log_alpha" if name == "time_uniform" else "log_sigma"


def start_from_noise(sampler: str, levels: Tensor, noise: Tensor) -> Tensor:
    """The x of sigma space from which a run begins; `noise` is unit normal, [B, C, h, w].

    `ddim`, `plms` and `dpm_solver` take the noise as the variance-preserving latent itself, as
    the reference does; the others as pure noise of the first sigma, as k-diffusion does.
    """
    first = float(levels[0])
    return noise * (math.hypot(1, first) if names.SAMPLERS[sampler].unit_start else first)


def start_from_image(
    sampler: str, levels: Tensor, steps: int, latent: Tensor, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """The x and the levels with which img2img begins: ([B, C, h, w], float64 [steps + 1]).

    `sampler`: its canonical name.  `levels` are those of the whole schedule, of which the last
    `steps` are run (`timesteps.steps_from_image`); `latent` is the scaled latent ([B or 1, C, h,
    w]), `noise` unit normal [B, C, h, w].  Without a step to run x is the latent.

    With `ddim` and `plms` an image is noised one level above the one at which it is first
    evaluated: the reference encodes with one index and decodes with the one below, and published
    pictures depend on it.  The variance-preserving latent stays what it was made as.  The others
    begin at the level that they noise to, where the scaling that keeps it so is 1.
    """
    if steps == 0:
        return latent.expand_as(noise), levels.new_zeros(1)
    first = len(levels) - 1 - steps
    made = float(levels[first - names.SAMPLERS[sampler].starts_below])
    read = float(levels[first])
    x = (latent + made * noise) * (math.hypot(1, read) / math.hypot(1, made))
    return x, levels[first:]


def to_latent(x: Tensor, levels: Tensor) -> Tensor:
    """The scaled latent that a finished run stands for: x at the last level, signal scale 1.

    Divided by √(1 + σ²) where the last sigma is not 0: such a run ends in variance-preserving
    space, slightly noisy, and the reference decodes that as it is.
    """
    return x / math.hypot(1, float(levels[-1]))
