"""Each sampler, step by step, against the published arithmetic and against diffusers."""

import inspect
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import diffusers
import pytest
import torch
from torch import Tensor

from darkroom import names
from darkroom.diffusion import schedule
from darkroom.diffusion.denoiser import Denoiser
from darkroom.diffusion.guidance import Conditions, Part, guided
from darkroom.diffusion.noise import Noise, StepNoise
from darkroom.diffusion.samplers import CALM, SAMPLERS, Churn, Steps
from tests.diffusion import oracles
from tests.diffusion.oracles import TABLES, ToyUNet, toy_denoise, toy_eps

# float64 throughout: what differs is only the order of the operations.
EXACT = 1e-10
# diffusers holds its tables and its x in float32.
SINGLE = 2e-5
SCALED_LINEAR = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}

DETERMINISTIC = [
    name
    for name, record in names.SAMPLERS.items()
    if record.noise == "none" or (record.noise == "fresh" and record.churn)
]

ChurnedOracle = Callable[
    [oracles.DenoiseAt, Tensor, list[float], StepNoise, Churn], Iterator[Tensor]
]
EtaOracle = Callable[[oracles.DenoiseAt, Tensor, list[float], StepNoise, float], Iterator[Tensor]]

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


def step_noise(name: str) -> StepNoise:
    """That which `run` hands to the sampler, once more."""
    noise = Noise(range(100, 102)).steps(name, (4, 3, 5))
    return lambda sigma, sigma_next: noise(sigma, sigma_next).double()


def no_noise(sigma: float, sigma_next: float) -> Tensor:
    raise AssertionError(f"noise was drawn between {sigma} and {sigma_next}")


def run(
    name: str, x: Tensor, levels: Tensor, *, eta: float | None = None, churn: Churn = CALM
) -> list[Tensor]:
    """x after each step; the steps are counted and the returned x is the last one."""
    eta = names.SAMPLERS[name].eta or 0.0 if eta is None else eta
    steps = SAMPLERS[name](toy_denoise, x, levels, noise=step_noise(name), eta=eta, churn=churn)
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

    @each_table
    @pytest.mark.parametrize("churn", [Churn(), Churn(3.0), Churn(40.0, 0.3, 7.0)], ids=str)
    @pytest.mark.parametrize(
        ("name", "oracle"),
        [
            ("euler", oracles.euler_churned_k),
            ("heun", oracles.heun_k),
            ("dpm_2", oracles.dpm_2_k),
        ],
    )
    def test_with_churn(self, table: str, churn: Churn, name: str, oracle: ChurnedOracle) -> None:
        x = start() * TABLES[table][0]
        theirs = oracle(_at, x, TABLES[table], step_noise(name), churn)
        assert_same_steps(run(name, x, levels_of(table), churn=churn), list(theirs), EXACT)

    @each_table
    @pytest.mark.parametrize("eta", [0.0, 0.6, 1.0])
    @pytest.mark.parametrize(
        ("name", "oracle"),
        [
            ("dpm_2_ancestral", oracles.dpm_2_ancestral_k),
            ("dpmpp_2s_ancestral", oracles.dpmpp_2s_ancestral_k),
            ("dpmpp_sde", oracles.dpmpp_sde_k),
            ("dpmpp_2m_sde", partial(oracles.dpmpp_2m_sde_k, solver="midpoint")),
            ("dpmpp_2m_sde_heun", partial(oracles.dpmpp_2m_sde_k, solver="heun")),
            ("dpmpp_3m_sde", oracles.dpmpp_3m_sde_k),
        ],
    )
    def test_with_fresh_noise(self, table: str, eta: float, name: str, oracle: EtaOracle) -> None:
        """Where the noise is a Brownian path, both are handed the same one."""
        x = start() * TABLES[table][0]
        theirs = oracle(_at, x, TABLES[table], step_noise(name), eta)
        assert_same_steps(run(name, x, levels_of(table), eta=eta), list(theirs), EXACT)

    @each_table
    def test_lms(self, table: str) -> None:
        x = start() * TABLES[table][0]
        theirs = oracles.lms_k(_at, x, TABLES[table])
        assert_same_steps(run("lms", x, levels_of(table)), list(theirs), EXACT)

    @each_table
    def test_lcm(self, table: str) -> None:
        x = start() * TABLES[table][0]
        theirs = oracles.lcm_k(_at, x, TABLES[table], step_noise("lcm"))
        assert_same_steps(run("lcm", x, levels_of(table)), list(theirs), EXACT)

    @each_table
    def test_restart_of_few_steps_is_heun(self, table: str) -> None:
        x = start() * TABLES[table][0]
        heun = run("heun", x, levels_of(table))
        assert_same_steps(run("restart", x, levels_of(table)), heun, 0)

    @pytest.mark.parametrize("steps", [20, 35, 36, 50])
    @pytest.mark.parametrize("highest", [14.6, 5.0])
    def test_restart(self, steps: int, highest: float) -> None:
        levels = torch.tensor([*schedule.karras_between(highest, 0.03, steps), 0.0])
        x = start() * highest
        theirs = oracles.restart_k(_at, x, levels.tolist(), step_noise("restart"))
        assert_same_steps(run("restart", x, levels.double()), list(theirs), EXACT)

    @pytest.mark.parametrize("levels", [[5.0, 0.2], [0.09, 0.03], [1.9, 0.5]], ids=str)
    @pytest.mark.parametrize("ends_at_zero", [True, False])
    def test_restart_of_part_of_the_levels(self, levels: list[float], ends_at_zero: bool) -> None:
        """As from an image: all steps run, whether or not there is a way to go twice."""
        table = schedule.karras_between(levels[0], levels[1], 26 - ends_at_zero)
        table += [0.0] * ends_at_zero
        ours = run("restart", start() * table[0], torch.tensor(table, dtype=torch.float64))
        assert len(ours) == 25
        assert ours[-1].isfinite().all()


def _at(x: Tensor, level: float) -> Tensor:
    return toy_denoise(x, torch.tensor(level, dtype=torch.float64))


# diffusers hands tensors to numpy in a way that numpy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array_:DeprecationWarning:diffusers")
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
        assert_same_steps(*self.in_vp_space(scheduler, name, table), SINGLE)

    @each_table
    def test_lms(self, table: str) -> None:
        scheduler = diffusers.LMSDiscreteScheduler(**SCALED_LINEAR)
        self.fix(scheduler, table)
        x = start() * TABLES[table][0]
        theirs, y = [], x
        for i, t in enumerate(scheduler.timesteps):
            scheduler.scale_model_input(y, t)
            eps = (y - _at(y, TABLES[table][i])) / TABLES[table][i]
            y = scheduler.step(eps, t, y).prev_sample
            theirs.append(y)
        assert_same_steps(run("lms", x, levels_of(table)), theirs, SINGLE)

    @each_table
    @pytest.mark.parametrize(("name", "solver"), [("unipc", "bh1"), ("unipc_bh2", "bh2")])
    def test_unipc(self, table: str, name: str, solver: str) -> None:
        scheduler = diffusers.UniPCMultistepScheduler(
            **SCALED_LINEAR,
            solver_order=3,
            solver_type=solver,
            final_sigmas_type="zero" if TABLES[table][-1] == 0 else "sigma_min",
        )
        ours, theirs = self.in_vp_space(scheduler, name, table)
        self.drop_the_end_if_theirs_is_nan(ours, theirs, table)
        assert_same_steps(ours, theirs, SINGLE)

    @each_table
    def test_deis(self, table: str) -> None:
        scheduler = diffusers.DEISMultistepScheduler(**SCALED_LINEAR, solver_order=2)
        ours, theirs = self.in_vp_space(scheduler, "deis", table)
        self.drop_the_end_if_theirs_is_nan(ours, theirs, table)
        assert_same_steps(ours, theirs, SINGLE)

    @each_table
    @pytest.mark.parametrize(
        ("name", "solver"), [("dpmpp_2m_sde", "midpoint"), ("dpmpp_2m_sde_heun", "heun")]
    )
    def test_dpmpp_2m_sde(
        self, table: str, name: str, solver: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scheduler = diffusers.DPMSolverMultistepScheduler(
            **SCALED_LINEAR,
            algorithm_type="sde-dpmsolver++",
            solver_type=solver,
            lower_order_final=False,
            final_sigmas_type="zero" if TABLES[table][-1] == 0 else "sigma_min",
        )
        module = "diffusers.schedulers.scheduling_dpmsolver_multistep.randn_tensor"
        noise = step_noise(name)
        pieces = iter([noise(*pair) for pair in pairwise(TABLES[table])])
        monkeypatch.setattr(module, lambda *_, **__: next(pieces))
        assert_same_steps(*self.in_vp_space(scheduler, name, table), SINGLE)

    def in_vp_space(
        self, scheduler: diffusers.SchedulerMixin, name: str, table: str
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Ours and theirs, as variance-preserving latents after each step."""
        self.fix(scheduler, table)
        y, theirs = start(), []
        for t, alpha_bar in zip(scheduler.timesteps, alpha_bars_of(table), strict=False):
            y = scheduler.step(toy_eps(y, alpha_bar), t, y).prev_sample
            theirs.append(y)
        ours = run(name, start() * math.hypot(1, TABLES[table][0]), levels_of(table))
        return [x / math.hypot(1, s) for x, s in zip(ours, TABLES[table][1:], strict=True)], theirs

    def drop_the_end_if_theirs_is_nan(
        self, ours: list[Tensor], theirs: list[Tensor], table: str
    ) -> None:
        """On the way to level 0 some of its schedulers multiply infinity by 0."""
        if TABLES[table][-1] == 0 and theirs[-1].isnan().all():
            theirs.pop()
            ours.pop()

    def test_ddpm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scheduler = diffusers.DDPMScheduler(
            **SCALED_LINEAR, timestep_spacing="leading", steps_offset=1, clip_sample=False
        )
        scheduler.set_timesteps(10)
        module = "diffusers.schedulers.scheduling_ddpm.randn_tensor"
        source = draws()
        monkeypatch.setattr(module, lambda *_, **__: next(source))
        alpha_bars = scheduler.alphas_cumprod.double()
        y, theirs = start(), []
        for t in scheduler.timesteps.tolist():
            y = scheduler.step(toy_eps(y, float(alpha_bars[t])), t, y).prev_sample
            theirs.append(y)
        levels = schedule.sigmas("ddim_uniform", 10, schedule.alphas_cumprod())
        ours = run("ddpm", start() * math.hypot(1, float(levels[0])), levels)
        ours = [x / math.hypot(1, s) for x, s in zip(ours, levels[1:].tolist(), strict=True)]
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


# The multistep ones that go on along a polynomial may leave the last denoised image behind.
@pytest.mark.parametrize("name", [name for name in SAMPLERS if name not in {"lms", "plms"}])
@pytest.mark.parametrize("steps", [1, 2, 3, 25])
def test_at_level_zero_stands_the_denoised_image(name: str, steps: int) -> None:
    table = [*schedule.karras_between(14.6, 0.03, steps), 0.0]
    x = start() * table[0]
    levels = torch.tensor(table, dtype=torch.float64)
    eta = names.SAMPLERS[name].eta or 0.0
    *_, last = SAMPLERS[name](toy_denoise, x, levels, noise=step_noise(name), eta=eta)
    assert last.i == steps - 1
    torch.testing.assert_close(last.x, last.denoised)


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 40])
def test_where_the_last_level_is_not_zero_nothing_breaks(name: str, steps: int) -> None:
    for table in (
        schedule.sigmas("ldm", steps, schedule.alphas_cumprod()),
        schedule.sigmas("time_uniform", steps, schedule.alphas_cumprod()),
    ):
        seen = run(name, start() * float(table[0]), table)
        assert all(x.isfinite().all() for x in seen)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "plms"])
@pytest.mark.parametrize("steps", [8, 12, 30])
def test_a_start_from_pure_noise_keeps_its_measure(name: str, steps: int) -> None:
    """The first step of a model with zero terminal SNR leads from sigma 4500 to 20 or so."""
    levels = schedule.sigmas("trailing", steps, schedule.alphas_cumprod(zero_terminal_snr=True))

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return torch.zeros_like(x) if sigma > 100 else torch.tanh(x / sigma)

    x = start() * float(levels[0])
    eta = names.SAMPLERS[name].eta or 0.0
    for step in SAMPLERS[name](denoise, x, levels, noise=step_noise(name), eta=eta):
        if name != "restart":  # it has levels of its own
            assert 0.5 < float(step.x.std()) / math.hypot(levels[step.i + 1], 1) < 1.5
    assert float(step.x.abs().max()) < 2


@each_table
@pytest.mark.parametrize("name", SAMPLERS)
def test_evaluations_are_as_many_as_planned(name: str, table: str) -> None:
    asked = 0

    def counted(x: Tensor, sigma: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        return toy_denoise(x, sigma)

    list(SAMPLERS[name](counted, start(), levels_of(table), noise=step_noise(name)))
    ending = "karras" if TABLES[table][-1] == 0 else "ldm"
    assert asked == names.evaluations(name, ending, len(TABLES[table]) - 1)


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_names_know_what_a_sampler_takes(name: str) -> None:
    """Its signature says which of eta and churn it takes, and eta's default."""
    record = names.SAMPLERS[name]
    parameters = inspect.signature(SAMPLERS[name]).parameters
    assert ("eta" in parameters) == record.uses_eta
    if record.eta is not None:
        assert parameters["eta"].default == record.eta
    assert ("churn" in parameters) == record.churn
    assert ("noise" in parameters) == (record.noise != "none")


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
    record = names.SAMPLERS[name]
    assert evaluations == 2 * record.evaluations + record.extra_evaluations
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
