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
    `starts_below`: img2img evaluates a noised image first one level below the one it was made at.
    `predictions`: what the model may predict.
    `evaluations`: of the U-Net at a step; a step to sigma 0 always takes one.
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
        aliases=("uniform",),
    ),
    Schedule(
        name="karras",
        label="Karras",
        help="sigmas evenly spaced in their 7th root (Karras et al. 2022, eq. 5)",
        aliases=("k",),
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
)

_SAMPLERS = (
    Sampler(
        name="ddim",
        label="DDIM",
        help="deterministic at eta 0 (Song et al. 2020)",
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
        aliases=("pndm",),
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
        help="first order, no fresh noise (Karras et al. 2022)",
        aliases=("k_euler",),
        churn=True,
        noise="fresh",
    ),
    Sampler(
        name="euler_ancestral",
        label="Euler a",
        help="first order, fresh noise at each step",
        aliases=("euler_a", "k_euler_a", "k_euler_ancestral"),
        eta=1.0,
        noise="fresh",
    ),
    Sampler(
        name="dpmpp_2m",
        label="DPM++ 2M",
        help="second-order multistep (Lu et al. 2022)",
        aliases=("k_dpmpp_2m",),
    ),
)

SCHEDULES: Mapping[str, Schedule] = {entry.name: entry for entry in _SCHEDULES}
SAMPLERS: Mapping[str, Sampler] = {entry.name: entry for entry in _SAMPLERS}

_SHOWN = 40  # characters of a wrong name that a message repeats


def evaluations(sampler: str, schedule: str, steps: int) -> int:
    """How often a run of `steps` evaluates the U-Net; both names canonical."""
    if steps == 0:
        return 0
    record = SAMPLERS[sampler]
    shorter_end = record.evaluations - 1 if SCHEDULES[schedule].ends_at_zero else 0
    return record.evaluations * steps - shorter_end + record.extra_evaluations


def schedule_named(name: str) -> str:
    """The canonical name of a schedule, given it, its label or an alias in any spelling.

    RequestError names the nearest schedule and lists all.
    """
    known = _spellings(SCHEDULES)
    found = known.get(_key(name))
    if found is None:
        raise unknown("schedule", name, known)
    return found


def sampler_named(name: str) -> tuple[str, str | None]:
    """Canonical names of a sampler and of the schedule that its name carries, if any.

    Case, spaces, hyphens and underscores do not matter: `Euler a`, `k_euler_ancestral`.
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
    return "".join(letter for letter in name.casefold() if letter not in " _-\t")


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
