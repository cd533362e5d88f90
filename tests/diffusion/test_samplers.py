"""Each sampler, step by step, against the published arithmetic and against diffusers."""

import math
from collections.abc import Iterator
from itertools import pairwise

import diffusers
import pytest
import torch
from torch import Tensor

from darkroom import names
from darkroom.diffusion import schedule
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.guidance import Conditions, Part, guided
from darkroom.diffusion.noise import Noise
from darkroom.diffusion.samplers import CALM, SAMPLERS, Churn, Steps
from tests.diffusion import oracles
from tests.diffusion.oracles import TABLES, ToyUNet, toy_denoise, toy_eps

# float64 throughout: what differs is only the order of the operations.
EXACT = 1e-10
# diffusers holds its tables and its x in float32.
SINGLE = 2e-5
SCALED_LINEAR = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}

DETERMINISTIC = ["plms", "dpm_solver", "euler", "dpmpp_2m"]

each_table = pytest.mark.parametrize("table", TABLES)


def levels_of(table: str) -> Tensor:
    return torch.tensor(TABLES[table], dtype=torch.float64)


def alpha_bars_of(table: str) -> list[float]:
    return [1 / (1 + level**2) for level in TABLES[table]]


def start(images: int = 2) -> Tensor:
    """Unit noise in float64."""
    return Noise(range(images)).draw((4, 3, 5)).double()


def draws(images: int = 2) -> Iterator[Tensor]:
    source = Noise(range(100, 100 + images))
    while True:
        yield source.draw((4, 3, 5)).double()


def no_noise(sigma: float, sigma_next: float) -> Tensor:
    raise AssertionError(f"noise was drawn between {sigma} and {sigma_next}")


def run(
    name: str, x: Tensor, levels: Tensor, *, eta: float | None = None, churn: Churn = CALM
) -> list[Tensor]:
    """x after each step; the steps are counted and the returned x is the last one."""
    noise = Noise(range(100, 102)).steps(name, (4, 3, 5))
    eta = names.SAMPLERS[name].eta or 0.0 if eta is None else eta
    steps = SAMPLERS[name](toy_denoise, x, levels, noise=noise, eta=eta, churn=churn)
    seen = []
    for i in range(len(levels) - 1):
        step = next(steps)
        assert step.i == i
        assert step.denoised.shape == step.x.shape == x.shape
        seen.append(step.x)
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value is seen[-1]
    return seen


def assert_same_steps(ours: list[Tensor], theirs: list[Tensor], tolerance: float) -> None:
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=tolerance, atol=tolerance, check_dtype=False)


def test_the_registry_is_what_the_names_promise() -> None:
    assert list(SAMPLERS) == list(names.SAMPLERS)


class TestInVariancePreservingSpace:
    """x_vp = x / √(1 + σ²): the reference's samplers, which know no sigma of ours."""

    def run(self, name: str, table: str, eta: float = 0.0) -> list[Tensor]:
        levels = levels_of(table)
        ours = run(name, start() * math.hypot(1, TABLES[table][0]), levels, eta=eta)
        return [x / math.hypot(1, s) for x, s in zip(ours, TABLES[table][1:], strict=True)]

    @each_table
    @pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
    def test_ddim(self, table: str, eta: float) -> None:
        theirs = oracles.ddim_vp(toy_eps, start(), alpha_bars_of(table), eta, draws())
        assert_same_steps(self.run("ddim", table, eta), list(theirs), EXACT)

    @each_table
    def test_plms(self, table: str) -> None:
        theirs = oracles.plms_vp(toy_eps, start(), alpha_bars_of(table))
        assert_same_steps(self.run("plms", table), list(theirs), EXACT)

    def test_plms_of_one_step_looks_ahead_at_its_own_timestep(self) -> None:
        levels = torch.tensor([8.0, 0.03], dtype=torch.float64)
        (ours,) = run("plms", start() * math.hypot(1, 8.0), levels)
        (theirs,) = oracles.plms_vp(toy_eps, start(), [1 / 65, 1 / 1.0009])
        assert_same_steps([ours / math.hypot(1, 0.03)], [theirs], EXACT)

    @each_table
    def test_dpm_solver(self, table: str) -> None:
        theirs = oracles.dpm_solver_vp(toy_eps, start(), alpha_bars_of(table))
        assert_same_steps(self.run("dpm_solver", table), list(theirs), EXACT)


class TestAsKDiffusionDefinesThem:
    @each_table
    def test_euler(self, table: str) -> None:
        x = start() * TABLES[table][0]
        theirs = oracles.euler_k(_at, x, TABLES[table])
        assert_same_steps(run("euler", x, levels_of(table)), list(theirs), EXACT)

    @each_table
    def test_euler_ancestral(self, table: str) -> None:
        x = start() * TABLES[table][0]
        theirs = oracles.euler_ancestral_k(_at, x, TABLES[table], draws())
        assert_same_steps(run("euler_ancestral", x, levels_of(table)), list(theirs), EXACT)

    @each_table
    def test_dpmpp_2m(self, table: str) -> None:
        x = start() * TABLES[table][0]
        theirs = oracles.dpmpp_2m_k(_at, x, TABLES[table])
        assert_same_steps(run("dpmpp_2m", x, levels_of(table)), list(theirs), EXACT)


def _at(x: Tensor, level: float) -> Tensor:
    return toy_denoise(x, torch.tensor(level, dtype=torch.float64))


# diffusers hands tensors to numpy in a way that numpy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning:diffusers")
class TestAgainstDiffusers:
    """Its schedulers are fed the same fixed levels and the same toy."""

    @each_table
    def test_euler(self, table: str) -> None:
        scheduler = diffusers.EulerDiscreteScheduler(**SCALED_LINEAR)
        self.fix(scheduler, table)
        x = start() * TABLES[table][0]
        theirs, y = [], x
        for i, t in enumerate(scheduler.timesteps):
            scheduler.scale_model_input(y, t)
            eps = (y - _at(y, TABLES[table][i])) / TABLES[table][i]
            y = scheduler.step(eps, t, y).prev_sample
            theirs.append(y)
        assert_same_steps(run("euler", x, levels_of(table)), theirs, SINGLE)

    @each_table
    def test_euler_ancestral(self, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
        module = "diffusers.schedulers.scheduling_euler_ancestral_discrete.randn_tensor"
        source = draws()
        monkeypatch.setattr(module, lambda *_, **__: next(source))
        scheduler = diffusers.EulerAncestralDiscreteScheduler(**SCALED_LINEAR)
        self.fix(scheduler, table)
        x = start() * TABLES[table][0]
        theirs, y = [], x
        for i, t in enumerate(scheduler.timesteps):
            scheduler.scale_model_input(y, t)
            eps = (y - _at(y, TABLES[table][i])) / TABLES[table][i]
            y = scheduler.step(eps, t, y).prev_sample
            theirs.append(y)
        assert_same_steps(run("euler_ancestral", x, levels_of(table)), theirs, SINGLE)

    @each_table
    @pytest.mark.parametrize("name", ["dpm_solver", "dpmpp_2m"])
    def test_dpm_solver(self, table: str, name: str) -> None:
        ends_at_zero = TABLES[table][-1] == 0
        scheduler = diffusers.DPMSolverMultistepScheduler(
            **SCALED_LINEAR,
            lower_order_final=name == "dpm_solver",
            final_sigmas_type="zero" if ends_at_zero else "sigma_min",
        )
        self.fix(scheduler, table)
        y = start()
        x = y * math.hypot(1, TABLES[table][0])
        theirs = []
        for t, alpha_bar in zip(scheduler.timesteps, alpha_bars_of(table), strict=False):
            y = scheduler.step(toy_eps(y, alpha_bar), t, y).prev_sample
            theirs.append(y)
        ours = run(name, x, levels_of(table))
        ours = [x / math.hypot(1, s) for x, s in zip(ours, TABLES[table][1:], strict=True)]
        assert_same_steps(ours, theirs, SINGLE)

    def fix(self, scheduler: diffusers.SchedulerMixin, table: str) -> None:
        """Puts our fixed levels in the place of the scheduler's own."""
        scheduler.set_timesteps(len(TABLES[table]) - 1)
        scheduler.sigmas = torch.tensor(TABLES[table], dtype=torch.float32)

    @pytest.mark.parametrize("eta", [0.0, 0.7])
    def test_ddim_on_its_own_grid(self, eta: float) -> None:
        scheduler = diffusers.DDIMScheduler(
            **SCALED_LINEAR,
            timestep_spacing="leading",
            steps_offset=1,
            set_alpha_to_one=False,
            clip_sample=False,
        )
        scheduler.set_timesteps(10)
        alpha_bars = scheduler.alphas_cumprod.double()
        grid = scheduler.timesteps.tolist()
        source, y, theirs = draws(), start(), []
        for t in grid:
            eps = toy_eps(y, float(alpha_bars[t]))
            y = scheduler.step(eps, t, y, eta=eta, variance_noise=next(source)).prev_sample
            theirs.append(y)
        levels = ((1 - alpha_bars) / alpha_bars).sqrt()[[*grid, 0]]
        ours = run("ddim", start() * torch.hypot(levels[0], torch.tensor(1.0)), levels, eta=eta)
        ours = [x / math.hypot(1, s) for x, s in zip(ours, levels[1:].tolist(), strict=True)]
        assert_same_steps(ours, theirs, SINGLE)

    def test_v_with_zero_terminal_snr_on_trailing(self) -> None:
        """The whole way of a model of today: its ᾱ of 0 has a floor with us, and none there."""
        scheduler = diffusers.DDIMScheduler(
            **SCALED_LINEAR,
            prediction_type="v_prediction",
            timestep_spacing="trailing",
            rescale_betas_zero_snr=True,
            clip_sample=False,
        )
        scheduler.set_timesteps(20)
        unet, context = ToyUNet(), torch.zeros(1, 1, 1)
        y = start().float()
        alphas = schedule.alphas_cumprod(zero_terminal_snr=True)
        levels = schedule.sigmas("trailing", 20, alphas)
        conditions = Conditions((Part(context),), context)
        denoise = guided(Denoiser(unet, alphas, "v"), lambda _: conditions, 1)
        x = schedule.start_from_noise("ddim", levels, y)
        theirs = []
        with torch.no_grad():
            for t in scheduler.timesteps:
                v = unet(y, t.expand(len(y)).float(), context)
                y = scheduler.step(v, t, y).prev_sample
                theirs.append(y)
            steps = SAMPLERS["ddim"](denoise, x, levels, noise=no_noise)
            ours = [schedule.to_latent(step.x, levels[[step.i + 1]]) for step in steps]
        # The floor leaves 2.2e-4 of the start's noise in the first denoised image.
        assert_same_steps(ours, theirs, 1e-3)


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_image_is_the_same_alone_and_in_a_batch(name: str) -> None:
    levels = levels_of("to_zero")
    seeds = [7, 8, 9]
    together = self_contained(name, seeds, levels)
    for k, seed in enumerate(seeds):
        alone = self_contained(name, [seed], levels)
        torch.testing.assert_close(together[k : k + 1], alone, rtol=0, atol=1e-6)


def self_contained(name: str, seeds: list[int], levels: Tensor) -> Tensor:
    """A whole float32 run with start and step noise from the seeds alone, eta 1."""
    noise = Noise(seeds)
    x = noise.draw((4, 3, 5)) * float(levels[0])
    steps = noise.steps(name, (4, 3, 5))
    for step in SAMPLERS[name](toy_denoise, x, levels, noise=steps, eta=1.0):
        x = step.x
    assert x.dtype == torch.float32
    return x


@each_table
@pytest.mark.parametrize("name", [*DETERMINISTIC, "ddim"])
def test_without_need_no_noise_is_drawn(name: str, table: str) -> None:
    steps = SAMPLERS[name](toy_denoise, start() * 10, levels_of(table), noise=no_noise, eta=0.0)
    assert len(list(steps)) == len(TABLES[table]) - 1


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_deterministic_samplers_draw_nothing_at_any_eta(name: str) -> None:
    list(SAMPLERS[name](toy_denoise, start(), levels_of("ldm"), noise=no_noise, eta=1.0))


@pytest.mark.parametrize(("table", "expected"), [("ldm", 10), ("to_zero", 4)])
@pytest.mark.parametrize(("name", "eta"), [("ddim", 1.0), ("ddim", 0.1), ("euler_ancestral", 1.0)])
def test_noise_is_drawn_once_a_step_but_not_for_level_zero(
    table: str, expected: int, name: str, eta: float
) -> None:
    between = []

    def draw(sigma: float, sigma_next: float) -> Tensor:
        between.append((sigma, sigma_next))
        return torch.zeros(2, 4, 3, 5)

    list(SAMPLERS[name](toy_denoise, start(), levels_of(table), noise=draw, eta=eta))
    assert between == list(pairwise(TABLES[table]))[:expected]


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_ends_when_it_is_closed_and_leaves_nothing_behind(name: str) -> None:
    evaluations = 0

    def counted(x: Tensor, sigma: Tensor) -> Tensor:
        nonlocal evaluations
        evaluations += 1
        return toy_denoise(x, sigma)

    def begin() -> Steps:
        levels = levels_of("ldm")
        noise = Noise([5, 6]).steps(name, (4, 3, 5))
        return SAMPLERS[name](counted, start(), levels, noise=noise, eta=1.0)

    whole = [step.x for step in begin()]
    evaluations = 0
    stopped = begin()
    assert evaluations == 0, "nothing runs before the first step is asked for"
    next(stopped)
    next(stopped)
    stopped.close()
    assert evaluations == (3 if name == "plms" else 2)
    with pytest.raises(StopIteration):
        next(stopped)
    assert_same_steps([step.x for step in begin()], whole, 0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_input_is_left_alone_and_no_levels_mean_no_steps(name: str) -> None:
    x = start()
    before = x.clone()
    run(name, x, levels_of("to_zero"), eta=1.0)
    assert torch.equal(x, before)
    nothing = SAMPLERS[name](toy_denoise, x, torch.zeros(1, dtype=torch.float64), noise=no_noise)
    with pytest.raises(StopIteration) as stop:
        next(nothing)
    assert stop.value.value is x
