"""Noise levels by themselves: literals, published definitions, and diffusers."""

import math
from fractions import Fraction

import diffusers
import hypothesis
import numpy as np
import pytest
import torch
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr
from hypothesis import strategies as st
from scipy import stats

from darkroom import names
from darkroom.diffusion import schedule
from darkroom.errors import RequestError

ALPHAS = schedule.alphas_cumprod()
TERMINAL = schedule.alphas_cumprod(zero_terminal_snr=True)
TABLE = schedule.sigma_table(ALPHAS)

# diffusers keeps its tables in float32.
SINGLE = 2e-5
SCALED_LINEAR = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}

diffusers_warns = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning:diffusers"
)
both_tables = pytest.mark.parametrize("alphas", [ALPHAS, TERMINAL], ids=["usual", "terminal"])


def test_alphas_are_the_product_of_the_published_betas() -> None:
    product = 1.0
    for i in range(1000):
        root = math.sqrt(0.00085) + i / 999 * (math.sqrt(0.012) - math.sqrt(0.00085))
        product *= 1 - root**2
        assert float(ALPHAS[i]) == pytest.approx(product, rel=1e-12)
    assert ALPHAS.dtype == torch.float64


def test_the_ends_that_everyone_quotes() -> None:
    assert float(TABLE[0]) == pytest.approx(0.029167158, abs=1e-9)
    assert float(TABLE[-1]) == pytest.approx(14.614641229, abs=1e-9)


def test_zero_terminal_snr_as_diffusers_has_it() -> None:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    theirs = (1 - rescale_zero_terminal_snr(betas)).cumprod(0)
    torch.testing.assert_close(TERMINAL[:-1], theirs[:-1], rtol=1e-9, atol=0)
    assert float(theirs[-1]) == 0
    assert float(TERMINAL[-1]) == 4.9e-8
    assert float(TERMINAL[0]) == pytest.approx(float(ALPHAS[0]), rel=1e-12)


def test_ldm_ten_steps_by_hand() -> None:
    grid = [901, 801, 701, 601, 501, 401, 301, 201, 101, 1, 0]
    assert schedule.sigmas("ldm", 10, ALPHAS).tolist() == [float(TABLE[t]) for t in grid]


def test_ldm_fifteen_are_sixteen() -> None:
    levels = schedule.sigmas("ldm", 15, ALPHAS)
    assert len(levels) == 17
    assert float(levels[0]) == float(TABLE[991])
    assert float(levels[-2]) == float(TABLE[1])


def test_trailing_ten_steps_by_hand() -> None:
    grid = [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]
    expected = [*(float(TABLE[t]) for t in grid), 0.0]
    assert schedule.sigmas("trailing", 10, ALPHAS).tolist() == expected


@both_tables
@pytest.mark.parametrize("steps", [1, 2, 7, 10, 16, 20, 48, 333, 1000])
def test_normal_is_log_linear_in_timesteps(steps: int, alphas: torch.Tensor) -> None:
    table = np.sqrt((1 - alphas.numpy()) / alphas.numpy())
    t = np.linspace(999, 0, steps)
    expected = np.append(np.exp(np.interp(t, np.arange(1000), np.log(table))), 0)
    np.testing.assert_allclose(schedule.sigmas("normal", steps, alphas), expected, rtol=1e-12)


@both_tables
@pytest.mark.parametrize("steps", [1, 2, 10, 20, 100])
def test_karras_equation_five(steps: int, alphas: torch.Tensor) -> None:
    low = math.sqrt((1 - float(alphas[0])) / float(alphas[0])) ** (1 / 7)
    high = math.sqrt((1 - float(alphas[-1])) / float(alphas[-1])) ** (1 / 7)
    expected = [(high + i / max(steps - 1, 1) * (low - high)) ** 7 for i in range(steps)]
    ours = schedule.sigmas("karras", steps, alphas)
    # The seventh power magnifies the last bit of a cancelling sum.
    np.testing.assert_allclose(ours, [*expected, 0], rtol=1e-10)


@diffusers_warns
@pytest.mark.parametrize("steps", [2, 10, 20, 33])
def test_karras_against_diffusers(steps: int) -> None:
    theirs = diffusers.EulerDiscreteScheduler(**SCALED_LINEAR, use_karras_sigmas=True)
    theirs.set_timesteps(steps)
    ours = schedule.sigmas("karras", steps, ALPHAS)
    torch.testing.assert_close(ours, theirs.sigmas.double(), rtol=SINGLE, atol=0)


@diffusers_warns
@pytest.mark.parametrize(
    ("name", "flag"),
    [("exponential", "use_exponential_sigmas"), ("beta_sigma", "use_beta_sigmas")],
)
@pytest.mark.parametrize("steps", [2, 10, 20, 33])
def test_exponential_and_beta_against_diffusers(name: str, flag: str, steps: int) -> None:
    theirs = diffusers.EulerDiscreteScheduler(**SCALED_LINEAR, **{flag: True})
    theirs.set_timesteps(steps)
    ours = schedule.sigmas(name, steps, ALPHAS)
    torch.testing.assert_close(ours, theirs.sigmas.double(), rtol=SINGLE, atol=0)


@both_tables
@pytest.mark.parametrize("steps", [1, 2, 10, 37])
def test_exponential_and_kl_optimal_by_their_formulas(steps: int, alphas: torch.Tensor) -> None:
    low, high = schedule.sigma_table(alphas)[[0, -1]].tolist()
    share = np.arange(steps) / max(steps - 1, 1)
    expected = {
        "exponential": high ** (1 - share) * low**share,
        "kl_optimal": np.tan((1 - share) * math.atan(high) + share * math.atan(low)),
    }
    for name, levels in expected.items():
        ours = schedule.sigmas(name, steps, alphas)
        np.testing.assert_allclose(ours, [*levels, 0], rtol=1e-9)


@both_tables
@pytest.mark.parametrize("steps", [1, 2, 10, 20, 48, 999])
def test_sgm_uniform_stops_a_step_above_zero(steps: int, alphas: torch.Tensor) -> None:
    table = schedule.sigma_table(alphas).numpy()
    t = np.linspace(999, 0, steps + 1)[:-1]
    expected = np.exp(np.interp(t, np.arange(1000), np.log(table)))
    ours = schedule.sigmas("sgm_uniform", steps, alphas)
    np.testing.assert_allclose(ours, [*expected, 0], rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 7, 15, 20, 48, 333, 1000])
def test_simple_counts_from_the_end_of_the_table(steps: int) -> None:
    table = TABLE.tolist()
    expected = [table[-(1 + int(Fraction(1000 * i, steps)))] for i in range(steps)]
    assert schedule.sigmas("simple", steps, ALPHAS).tolist() == [*expected, 0.0]


@pytest.mark.parametrize("steps", [1, 3, 10, 15, 20, 50, 500])
def test_ddim_uniform_strides_up_from_one(steps: int) -> None:
    expected, t = [0.0], 1
    while t < 1000:
        expected.append(float(TABLE[t]))
        t += 1000 // steps
    assert schedule.sigmas("ddim_uniform", steps, ALPHAS).tolist() == expected[::-1]


@diffusers_warns
@pytest.mark.parametrize("steps", [10, 20, 50])
def test_ddim_uniform_against_diffusers(steps: int) -> None:
    theirs = diffusers.EulerDiscreteScheduler(
        **SCALED_LINEAR, timestep_spacing="leading", steps_offset=1
    )
    theirs.set_timesteps(steps)
    ours = schedule.sigmas("ddim_uniform", steps, ALPHAS)
    torch.testing.assert_close(ours, theirs.sigmas.double(), rtol=SINGLE, atol=0)


def test_beta_quantiles_against_scipy() -> None:
    probability = torch.cat(
        [torch.linspace(0, 1, 501), torch.logspace(-12, -3, 50), 1 - torch.logspace(-12, -3, 50)]
    ).double()
    expected = stats.beta.ppf(probability.numpy(), 0.6, 0.6)
    ours = schedule.beta_quantile(probability)
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-15)


@both_tables
@pytest.mark.parametrize("steps", [1, 2, 10, 20, 40])
def test_beta_as_comfyui_but_for_its_rounding(steps: int, alphas: torch.Tensor) -> None:
    quantiles = stats.beta.ppf(1 - np.linspace(0, 1, steps, endpoint=False), 0.6, 0.6)
    ours = schedule.sigmas("beta", steps, alphas)
    t = schedule.timestep_at(ours[:-1], alphas)
    np.testing.assert_allclose(t, 999 * quantiles, atol=1e-6)
    assert (t - torch.from_numpy(np.rint(999 * quantiles))).abs().max() <= 0.5
    assert float(ours[-1]) == 0


def test_align_your_steps_of_ten_are_the_published_ones() -> None:
    published = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152]
    ours = schedule.sigmas("align_your_steps", 10, ALPHAS)
    np.testing.assert_allclose(ours, [*published, 0], rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 50])
def test_align_your_steps_of_other_counts_are_log_linear(steps: int) -> None:
    published = [14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029]
    places = np.linspace(0, 1, steps + 1)
    expected = np.exp(np.interp(places, np.linspace(0, 1, 11), np.log(published)))
    ours = schedule.sigmas("align_your_steps", steps, ALPHAS)
    np.testing.assert_allclose(ours, [*expected[:-1], 0], rtol=1e-12)


@pytest.mark.parametrize("sampler", ["dpm_2", "dpm_2_ancestral", "dpmpp_3m_sde"])
def test_samplers_that_skip_the_last_level_take_as_many_steps(sampler: str) -> None:
    levels = schedule.run_levels(sampler, "karras", 20, ALPHAS)
    all_of_them = schedule.sigmas("karras", 21, ALPHAS)
    assert levels.tolist() == [*all_of_them[:20].tolist(), 0.0]
    for name, record in names.SCHEDULES.items():
        for steps in (1, 15, record.max_steps):
            levels = schedule.run_levels(sampler, name, steps, ALPHAS)
            assert len(levels) == len(schedule.sigmas(name, steps, ALPHAS))
            assert (levels.diff() < 0).all()


@pytest.mark.parametrize("name", schedule.SCHEDULES)
def test_the_others_take_the_levels_as_they_are(name: str) -> None:
    levels = schedule.run_levels("euler", name, 12, ALPHAS)
    assert torch.equal(levels, schedule.sigmas(name, 12, ALPHAS))


def test_trailing_rounds_exact_fractions() -> None:
    for steps in range(1, 1001):
        grid = [round(1000 - Fraction(1000 * i, steps)) - 1 for i in range(steps)]
        levels = schedule.sigmas("trailing", steps, ALPHAS)
        assert schedule.timestep_at(levels[:-1], ALPHAS).tolist() == grid


# Not 48, nor 61: there diffusers' floating steps miss a half, or reach timestep -1.
@diffusers_warns
@pytest.mark.parametrize("steps", [1, 3, 10, 15, 16, 20, 28, 50, 80, 999])
def test_trailing_against_diffusers(steps: int) -> None:
    theirs = diffusers.EulerDiscreteScheduler(**SCALED_LINEAR, timestep_spacing="trailing")
    theirs.set_timesteps(steps)
    ours = schedule.sigmas("trailing", steps, ALPHAS)
    torch.testing.assert_close(ours, theirs.sigmas.double(), rtol=SINGLE, atol=0)


@both_tables
@pytest.mark.parametrize("steps", [1, 2, 10, 14, 20, 50])
def test_time_uniform_interpolates_log_alpha(steps: int, alphas: torch.Tensor) -> None:
    times = np.linspace(0, 1, 1001)[1:]
    log_alpha = 0.5 * np.log(alphas.numpy())
    t = np.linspace(1, 1 / 1000, steps + 1)
    mean = np.interp(t, times, log_alpha)
    half_log_snr = mean - 0.5 * np.log(1 - np.exp(2 * mean))
    ours = schedule.sigmas("time_uniform", steps, alphas)
    np.testing.assert_allclose(ours, np.exp(-half_log_snr), rtol=1e-10)


@both_tables
def test_time_uniform_gives_back_its_own_timesteps(alphas: torch.Tensor) -> None:
    levels = schedule.sigmas("time_uniform", 20, alphas)
    t = schedule.timestep_at(levels, alphas, schedule.interpolation("time_uniform"))
    np.testing.assert_allclose(t, np.linspace(999, 0, 21), atol=1e-9)


@both_tables
def test_the_tables_own_sigmas_are_exact_integers(alphas: torch.Tensor) -> None:
    integers = torch.arange(1000, dtype=torch.float64)
    table = schedule.sigma_table(alphas)
    assert torch.equal(schedule.timestep_at(table, alphas), integers)
    assert torch.equal(schedule.sigma_at(integers, alphas), table)
    for name in ("ldm", "trailing"):
        levels = schedule.sigmas(name, 20, alphas)
        t = schedule.timestep_at(levels[:-1], alphas)
        assert torch.equal(t, t.round())


@hypothesis.given(
    t=st.floats(0, 999),
    terminal=st.booleans(),
    interpolation=st.sampled_from(["log_sigma", "log_alpha"]),
)
def test_sigma_and_timestep_undo_each_other(
    t: float, terminal: bool, interpolation: schedule.Interpolation
) -> None:
    alphas = TERMINAL if terminal else ALPHAS
    position = torch.tensor(t, dtype=torch.float64)
    sigma = schedule.sigma_at(position, alphas, interpolation)
    back = schedule.timestep_at(sigma, alphas, interpolation)
    assert float(back) == pytest.approx(t, abs=1e-8)


def test_sigmas_outside_the_table_are_clamped() -> None:
    outside = torch.tensor([0.0, 1e-6, 100.0], dtype=torch.float64)
    assert schedule.timestep_at(outside, ALPHAS).tolist() == [0, 0, 999]


@hypothesis.given(
    name=st.sampled_from([*schedule.SCHEDULES]), steps=st.integers(1, 500), terminal=st.booleans()
)
def test_every_schedule_descends_to_where_it_says(name: str, steps: int, terminal: bool) -> None:
    alphas = TERMINAL if terminal else ALPHAS
    levels = schedule.sigmas(name, steps, alphas)
    assert levels.dtype == torch.float64
    assert (levels.diff() < 0).all()
    record = names.SCHEDULES[name]
    if not record.ends_at_zero:
        assert float(levels[-1]) == pytest.approx(0.029167158, abs=1e-9)
    else:
        assert float(levels[-1]) == 0
    assert len(levels) == steps + 1 or (record.on_ldm_grid and len(levels) > steps + 1)


def test_schedules_are_those_with_a_name() -> None:
    assert list(schedule.SCHEDULES) == list(names.SCHEDULES)


@pytest.mark.parametrize("name", schedule.SCHEDULES)
def test_no_steps_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="got 0"):
        schedule.sigmas(name, 0, ALPHAS)


@pytest.mark.parametrize("name", ["ldm", "ddim_uniform"])
def test_too_many_ldm_steps_are_refused(name: str) -> None:
    with pytest.raises(RequestError, match="500"):
        schedule.sigmas(name, 501, ALPHAS)


def test_other_betas_are_those_of_diffusers() -> None:
    """The x4 upscaler's, and the squared cosine of unCLIP's noise; diffusers' are float32."""
    betas = 0.0001, 0.02
    linear = diffusers.DDPMScheduler(
        beta_schedule="scaled_linear", beta_start=betas[0], beta_end=betas[1]
    ).alphas_cumprod
    cosine = diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2").alphas_cumprod
    for ours, theirs in (
        (schedule.alphas_cumprod(betas=betas), linear),
        (schedule.cosine_alphas_cumprod(), cosine),
    ):
        assert ours.dtype == torch.float64 and ours.shape == (1000,)
        assert float((ours - theirs).abs().max()) < 1e-6
