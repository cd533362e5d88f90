"""Normal data have an exact denoiser and an exact solution: samplers must run into it.

For x0 ~ N(m, s²) the denoised image is (s² x + σ² m) / (s² + σ²), and the probability-flow ODE
carries (x - m) along in proportion to √(s² + σ²).
"""

import math

import pytest
import torch
from torch import Tensor

from darkroom.diffusion.noise import Noise
from darkroom.diffusion.samplers import SAMPLERS

MEAN, SPREAD = 0.6, 0.5
BEGIN, END = 10.0, 0.1


def denoise(x: Tensor, sigma: Tensor) -> Tensor:
    variance = float(sigma) ** 2
    return (SPREAD**2 * x + variance * MEAN) / (SPREAD**2 + variance)


def solve(name: str, x: Tensor, levels: Tensor, eta: float = 0.0) -> Tensor:
    noise = Noise([77]).steps(name, x.shape[1:])
    for step in SAMPLERS[name](denoise, x, levels, noise=noise, eta=eta):
        x = step.x
    return x


def error(name: str, levels: Tensor) -> float:
    x = torch.full((1, 1), MEAN + 8.0, dtype=torch.float64)
    kept = math.hypot(SPREAD, float(levels[-1])) / math.hypot(SPREAD, float(levels[0]))
    return float((solve(name, x, levels) - (MEAN + 8.0 * kept)).abs())


def geometric(steps: int) -> Tensor:
    return torch.logspace(math.log10(BEGIN), math.log10(END), steps + 1, dtype=torch.float64)


def uniform(steps: int) -> Tensor:
    return torch.linspace(BEGIN, END, steps + 1, dtype=torch.float64)


def smooth_ends(steps: int) -> Tensor:
    """Geometric, with tiny steps at both ends, where multistep methods are of lower order."""
    (begin, *inner, end), tiny = geometric(steps).tolist(), math.exp(-1e-4)
    begins, ends = [begin, begin * tiny, begin * tiny**2], [end / tiny**2, end / tiny, end]
    return torch.tensor([*begins, *inner, *ends], dtype=torch.float64)


ORDERS = {
    "ddim": 1,
    "dpm_solver": 2,
    "euler": 1,
    "euler_ancestral": 1,
    "heun": 2,
    "dpm_2": 2,
    "dpm_2_ancestral": 2,
    "dpmpp_2m": 2,
    "dpmpp_2s_ancestral": 2,
    "dpmpp_sde": 2,
    "dpmpp_2m_sde": 2,
    "dpmpp_2m_sde_heun": 2,
    # See `_quadratic_correction`.
    "dpmpp_3m_sde": 2,
    "unipc": 2,
    "unipc_bh2": 2,
    "deis": 2,
}


@pytest.mark.parametrize(("name", "order"), ORDERS.items())
def test_twice_the_steps_divide_the_error_by_two_to_the_order(name: str, order: int) -> None:
    coarse, fine = error(name, geometric(80)), error(name, geometric(160))
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize(("name", "order"), [("lms", 3.7), ("unipc", 3), ("unipc_bh2", 3)])
def test_the_order_of_a_method_in_its_stride(name: str, order: float) -> None:
    coarse, fine = error(name, smooth_ends(80)), error(name, smooth_ends(160))
    assert math.log2(coarse / fine) > order


def test_plms_on_even_levels_is_of_high_order() -> None:
    """Adams-Bashforth weights presume even spacing; the Euler-Heun start is of local order 3."""
    coarse, fine = error("plms", uniform(400)), error("plms", uniform(800))
    assert math.log2(coarse / fine) > 2.5
    assert fine < error("dpmpp_2m", uniform(800)) / 10


# lcm follows no equation: a step of it presumes a model that has learnt to jump.
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "lcm"])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_samples_have_the_mean_and_spread_of_the_data(name: str, eta: float) -> None:
    levels = torch.cat([geometric(300), torch.zeros(1, dtype=torch.float64)])
    x = MEAN + math.hypot(SPREAD, BEGIN) * Noise([3]).draw((20_000,)).double()
    x = solve(name, x, levels, eta)
    # Four standard errors, and what the last jump to 0 leaves out.
    assert float(x.mean()) == pytest.approx(MEAN, abs=0.015)
    assert float(x.std()) == pytest.approx(SPREAD, abs=0.02)
