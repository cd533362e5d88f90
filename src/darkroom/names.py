"""The names of samplers and schedules, ours and those by which other programs know them.

A new sampler is one entry of `_SAMPLERS`; lookup, messages, planning and the generated reference
follow from it.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from darkroom.contracts import Prediction
from darkroom.errors import RequestError
from darkroom.timesteps import MAX_LDM_STEPS


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the noise levels of a run are spaced.

    `max_steps`: more would repeat timesteps of the 1000 that the models were trained on.
    `ends_at_zero`: its last sigma is 0, otherwise that of timestep 0.
    `on_ldm_grid`: it visits `timesteps.ldm_timesteps`, which may be more than were asked for.
    """

    name: str
    label: str
    help: str
    aliases: tuple[str, ...] = ()
    max_steps: int = 1000
    ends_at_zero: bool = True
    on_ldm_grid: bool = False


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """How one noise level leads to the next.

    `schedule`: its own default, None where the model's or the house's default applies.
    `schedules`: those it is defined on, None for all of them.
    `eta`: its own default for the share of fresh noise in each step, None where it takes none.
    `churn`: whether it takes churn.
    `noise`: what it may draw beside the start: nothing, fresh noise at a step, or the pieces of
    one Brownian path.
    `unit_start`: a run starts from unit noise as the variance-preserving latent, as in the first
    release; otherwise from noise times the first sigma, as in k-diffusion.
    `skips_last`: the level before sigma 0 is left out (`schedule.run_levels`), as A1111 does:
    these samplers leave grain where the last step is short.
    `starts_below`: img2img evaluates a noised image first one level below the one it was made at.
    `predictions`: what the model may predict.
    `evaluations`: of the U-Net at a step; a step to sigma 0 takes one.
    `extra_evaluations`: of the U-Net once a run, beside those of its steps.
    """

    name: str
    label: str
    help: str
    aliases: tuple[str, ...] = ()
    schedule: str | None = None
    schedules: tuple[str, ...] | None = None
    eta: float | None = None
    churn: bool = False
    noise: Literal["none", "fresh", "path"] = "none"
    unit_start: bool = False
    skips_last: bool = False
    starts_below: bool = False
    predictions: tuple[Prediction, ...] = ("eps", "v")
    evaluations: int = 1
    extra_evaluations: int = 0

    @property
    def uses_eta(self) -> bool:
        return self.eta is not None


_SCHEDULES = (
    Schedule(
        name="ldm",
        label="LDM",
        help="every (1000 // steps)-th timestep from 1, as the first Stable Diffusion release",
        max_steps=MAX_LDM_STEPS,
        ends_at_zero=False,
        on_ldm_grid=True,
    ),
    Schedule(
        name="normal",
        label="Normal",
        help="timesteps evenly spaced from 999 to 0",
        aliases=("uniform", "linspace"),
    ),
    Schedule(
        name="karras",
        label="Karras",
        help="sigmas evenly spaced in their 7th root (Karras et al. 2022, eq. 5)",
        aliases=("k",),
    ),
    Schedule(
        name="exponential",
        label="Exponential",
        help="sigmas evenly spaced in their logarithm",
        # Its exponent is 1 wherever it can be chosen by name alone, and then the two are one.
        aliases=("polyexponential",),
    ),
    Schedule(
        name="sgm_uniform",
        label="SGM Uniform",
        help="timesteps evenly spaced from 999, the last a step above 0",
    ),
    Schedule(
        name="simple",
        label="Simple",
        help="every (1000 / steps)-th timestep from 999",
    ),
    Schedule(
        name="ddim_uniform",
        label="DDIM",
        help="the timesteps of ldm, then sigma 0",
        aliases=("leading",),
        max_steps=MAX_LDM_STEPS,
        on_ldm_grid=True,
    ),
    Schedule(
        name="trailing",
        label="Trailing",
        help="timesteps evenly spaced, the noisiest included (Lin et al. 2023)",
    ),
    Schedule(
        name="time_uniform",
        label="Time uniform",
        help="continuous time evenly spaced, as DPM-Solver's own code",
        ends_at_zero=False,
    ),
    Schedule(
        name="beta",
        label="Beta",
        help="timesteps at the quantiles of a beta distribution (Lee et al. 2024), as ComfyUI",
    ),
    Schedule(
        name="beta_sigma",
        label="Beta sigma",
        help="sigmas at the quantiles of a beta distribution, as A1111 and diffusers",
    ),
    Schedule(
        name="kl_optimal",
        label="KL Optimal",
        help="sigmas evenly spaced in their arc tangent (Sabour et al. 2024)",
    ),
    Schedule(
        name="align_your_steps",
        label="Align Your Steps",
        help="sigmas optimised for Stable Diffusion 1.5 and 10 steps (Sabour et al. 2024)",
        aliases=("ays",),
    ),
)

_SAMPLERS = (
    Sampler(
        name="ddim",
        label="DDIM",
        help="deterministic at eta 0 (Song et al. 2020)",
        aliases=("DDIMScheduler",),
        schedule="ldm",
        eta=0.0,
        noise="fresh",
        unit_start=True,
        starts_below=True,
    ),
    Sampler(
        name="plms",
        label="PLMS",
        help="linear multistep on eps (Liu et al. 2022)",
        aliases=("pndm", "PNDMScheduler"),
        schedule="ldm",
        # Its Adams-Bashforth weights hold for evenly spaced timesteps and a model of eps.
        schedules=("ldm",),
        predictions=("eps",),
        unit_start=True,
        starts_below=True,
        extra_evaluations=1,
    ),
    Sampler(
        name="dpm_solver",
        label="DPM-Solver++",
        help="DPM-Solver++ 2M exactly as the first release runs it (Lu et al. 2022)",
        aliases=("dpm", "dpm_solver_stability"),
        schedule="time_uniform",
        # On any other grid it would be dpmpp_2m.
        schedules=("time_uniform",),
        unit_start=True,
    ),
    Sampler(
        name="euler",
        label="Euler",
        help="first order, no fresh noise without churn (Karras et al. 2022)",
        aliases=("k_euler", "EulerDiscreteScheduler"),
        churn=True,
        noise="fresh",
    ),
    Sampler(
        name="euler_ancestral",
        label="Euler a",
        help="first order, fresh noise at each step",
        aliases=("euler_a", "k_euler_a", "k_euler_ancestral", "EulerAncestralDiscreteScheduler"),
        eta=1.0,
        noise="fresh",
    ),
    Sampler(
        name="heun",
        label="Heun",
        help="second order, two evaluations a step (Karras et al. 2022)",
        aliases=("k_heun", "HeunDiscreteScheduler"),
        churn=True,
        noise="fresh",
        evaluations=2,
    ),
    Sampler(
        name="lms",
        label="LMS",
        help="fourth-order linear multistep (k-diffusion)",
        aliases=("k_lms", "LMSDiscreteScheduler"),
    ),
    Sampler(
        name="dpm_2",
        label="DPM2",
        help="second order by the midpoint, two evaluations a step (k-diffusion)",
        aliases=("k_dpm_2", "KDPM2DiscreteScheduler"),
        churn=True,
        noise="fresh",
        skips_last=True,
        evaluations=2,
    ),
    Sampler(
        name="dpm_2_ancestral",
        label="DPM2 a",
        help="dpm_2 with fresh noise at each step",
        aliases=("k_dpm_2_a", "k_dpm_2_ancestral", "KDPM2AncestralDiscreteScheduler"),
        eta=1.0,
        noise="fresh",
        skips_last=True,
        evaluations=2,
    ),
    Sampler(
        name="dpmpp_2m",
        label="DPM++ 2M",
        help="second-order multistep (Lu et al. 2022)",
        aliases=("k_dpmpp_2m", "DPMSolverMultistepScheduler"),
    ),
    Sampler(
        name="dpmpp_2s_ancestral",
        label="DPM++ 2S a",
        help="second order, two evaluations a step, fresh noise (Lu et al. 2022)",
        aliases=("k_dpmpp_2s_a", "k_dpmpp_2s_ancestral", "dpmpp_2s_a"),
        eta=1.0,
        noise="fresh",
        evaluations=2,
    ),
    Sampler(
        name="dpmpp_sde",
        label="DPM++ SDE",
        help="stochastic equation, second order, two evaluations a step",
        aliases=("k_dpmpp_sde", "dpmpp_sde_gpu", "DPMSolverSDEScheduler"),
        eta=1.0,
        noise="path",
        evaluations=2,
    ),
    Sampler(
        name="dpmpp_2m_sde",
        label="DPM++ 2M SDE",
        help="stochastic equation, second-order multistep by the midpoint rule",
        aliases=("k_dpmpp_2m_sde", "dpmpp_2m_sde_gpu"),
        eta=1.0,
        noise="path",
    ),
    Sampler(
        name="dpmpp_2m_sde_heun",
        label="DPM++ 2M SDE Heun",
        help="dpmpp_2m_sde with Heun's correction",
        aliases=("k_dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu"),
        eta=1.0,
        noise="path",
    ),
    Sampler(
        name="dpmpp_3m_sde",
        label="DPM++ 3M SDE",
        help="stochastic equation, third-order multistep",
        aliases=("k_dpmpp_3m_sde", "dpmpp_3m_sde_gpu"),
        eta=1.0,
        noise="path",
        skips_last=True,
    ),
    Sampler(
        name="unipc",
        label="UniPC",
        help="third order, predicts and corrects (Zhao et al. 2023)",
        aliases=("k_unipc",),
    ),
    Sampler(
        name="unipc_bh2",
        label="UniPC bh2",
        help="unipc with B(h) = exp(h) - 1, for guided runs of few steps",
        aliases=("UniPCMultistepScheduler",),
    ),
    Sampler(
        name="deis",
        label="DEIS",
        help="second-order multistep on eps (Zhang and Chen 2022)",
        aliases=("DEISMultistepScheduler",),
    ),
    Sampler(
        name="ddpm",
        label="DDPM",
        help="the first diffusion sampler, for very many steps (Ho et al. 2020)",
        aliases=("DDPMScheduler",),
        noise="fresh",
    ),
    Sampler(
        name="lcm",
        label="LCM",
        help="for models that are distilled to few steps (Luo et al. 2023)",
        aliases=("k_lcm", "LCMScheduler"),
        schedule="sgm_uniform",
        noise="fresh",
    ),
    Sampler(
        name="restart",
        label="Restart",
        help="heun that goes back to a noisier level and down again (Xu et al. 2023)",
        aliases=("k_restart",),
        noise="fresh",
        evaluations=2,
    ),
)

SCHEDULES: Mapping[str, Schedule] = {entry.name: entry for entry in _SCHEDULES}
SAMPLERS: Mapping[str, Sampler] = {entry.name: entry for entry in _SAMPLERS}

_AUTOMATIC = "automatic"  # the web interface's word for the schedule that goes with the sampler
_SHOWN = 40  # characters of a wrong name that a message repeats


def evaluations(sampler: str, schedule: str, steps: int) -> int:
    """How often a run of `steps` evaluates the U-Net; both names canonical."""
    if steps == 0:
        return 0
    record = SAMPLERS[sampler]
    shorter_end = record.evaluations - 1 if SCHEDULES[schedule].ends_at_zero else 0
    return record.evaluations * steps - shorter_end + record.extra_evaluations


def schedule_named(name: str) -> str | None:
    """The canonical name of a schedule, given it, its label or an alias in any spelling.

    None for `Automatic`.  RequestError names the nearest schedule and lists all.
    """
    if _key(name) == _AUTOMATIC:
        return None
    known = _spellings(SCHEDULES)
    found = known.get(_key(name))
    if found is None:
        raise unknown("schedule", name, known)
    return found


def sampler_named(name: str) -> tuple[str, str | None]:
    """Canonical names of a sampler and of the schedule that its name carries, if any.

    Case, spaces, hyphens and underscores do not matter, and `++` is `pp`: `Euler a`, `dpmpp_2m`.
    A joint name is split: `DPM++ 2M Karras` is `("dpmpp_2m", "karras")`.
    RequestError names the nearest sampler and lists all.
    """
    samplers = _spellings(SAMPLERS)
    key = _key(name)
    if key in samplers:
        return samplers[key], None
    for ending, schedule in _spellings(SCHEDULES).items():
        if key.endswith(ending) and key.removesuffix(ending) in samplers:
            return samplers[key.removesuffix(ending)], schedule
    raise unknown("sampler", name, samplers)


def _key(name: str) -> str:
    """What two spellings of a name have in common."""
    bare = "".join(letter for letter in name.casefold() if letter not in " _-\t")
    return bare.replace("++", "pp")


def _spellings(entries: Mapping[str, Sampler] | Mapping[str, Schedule]) -> dict[str, str]:
    """Every spelling's key, with the canonical name that it stands for."""

    def pairs() -> Iterator[tuple[str, str]]:
        for entry in entries.values():
            for spelling in (entry.name, entry.label, *entry.aliases):
                yield _key(spelling), entry.name

    return dict(pairs())


def unknown(kind: str, name: str, spellings: Mapping[str, str]) -> RequestError:
    """The refusal of a name: it tells the nearest of `spellings` and lists what they stand for.

    `spellings`: normalised ways to write a name, each with the name that it means.
    """
    near = difflib.get_close_matches(_key(name[:_SHOWN]), spellings, n=1, cutoff=0.4)
    nearest = f"; the nearest is {spellings[near[0]]}" if near else ""
    shown = repr(name if len(name) <= _SHOWN else name[:_SHOWN] + "…")
    choices = ", ".join(dict.fromkeys(spellings.values()))
    return RequestError(f"There is no {kind} {shown}{nearest}.", f"Choose one of {choices}.")
