"""What would be done, before anything is: the plan, the token meter, the same wish elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from fastapi import APIRouter

from darkroom.contracts import Machine, Plan, PromptSyntax, Request, Resolved
from darkroom.errors import RequestError
from darkroom.planning import checks, comparing
from darkroom.planning import plan as planning
from darkroom.planning.resolve import PROMPT_SYNTAX
from darkroom.server import answers, jobs, sayings
from darkroom.server.metering import metered
from darkroom.server.refusals import Refusal
from darkroom.server.services import Here, Services
from darkroom.tasks import wording

router = APIRouter(prefix="/api", tags=["before"])

_SETTLED = (
    "width",
    "height",
    "sampler",
    "schedule",
    "guidance",
    "strength",
    "eta",
    "clip_skip",
    "prompt_syntax",
    "rescale",
    "noise_level",
    "image_guidance",
    "count",
)


@router.post("/plan", response_model=answers.Plan)
def plan(body: answers.Forecast, here: Here) -> dict[str, Any]:
    """Device, time and memory of a wish, and what it means where it says nothing.

    Of a comparison: the time of all its images, and the memory of the largest.
    """
    parts = [_planned(here, first, count) for first, count in _alike(_spelt_out(body, here))]
    first = parts[0]
    made, machine = first.plan, first.machine
    return {
        "device": made.device,
        "device_name": made.device_name,
        "engine": made.engine,
        "precision": made.precision,
        "seconds": sum(part.plan.seconds for part in parts),
        "peak_bytes": max(part.plan.peak_bytes for part in parts),
        "weight_bytes": max(part.plan.weight_bytes for part in parts),
        "memory_total": machine.memory_total,
        "memory_free": machine.memory_free,
        "batch": made.batch,
        "steps": made.steps,
        "images": sum(part.resolved.count for part in parts),
        "notes": list(dict.fromkeys(note for part in parts for note in part.plan.notes)),
        "resolved": _settled(first.resolved),
    }


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Images that are made alike, and what they take."""

    resolved: Resolved
    plan: Plan
    machine: Machine


def _planned(here: Services, request: Request, count: int) -> _Part:
    spec, resolved = jobs.settled(here, request)
    resolved = replace(resolved, count=count, batch=max(1, min(count, resolved.batch)))
    machine = jobs.machine_for(here, request.device)
    if machine is None:
        raise Refusal(
            409,
            "The device is still being measured.",
            "It takes a few seconds after the start; nothing else has to be done.",
            retry_after=2,
        )
    made = planning.plan(resolved, spec, machine, prompts=jobs.prompts_of(spec, resolved))
    return _Part(resolved=resolved, plan=made, machine=machine)


def _alike(requests: Sequence[Request]) -> list[tuple[Request, int]]:
    """One request of each kind that takes its own time, and how many images are of that kind."""
    kinds: dict[Request, tuple[Request, int]] = {}
    for request in requests:
        kind = replace(request, prompt="", negative="", seed=0, variation_seed=0, count=1)
        first, images = kinds.get(kind, (request, 0))
        kinds[kind] = first, images + request.count
    return list(kinds.values())


@router.post("/tokens", response_model=answers.Meters)
def tokens(body: answers.Words, here: Here) -> dict[str, Any]:
    """How a model reads two prompts: tokens, and the words that it does not see or know."""
    spec = here.shelf.spec(body.model)
    checks.choice("prompt syntax", body.prompt_syntax, get_args(PromptSyntax))
    chosen = PROMPT_SYNTAX if body.prompt_syntax is None else body.prompt_syntax
    syntax = cast("PromptSyntax", chosen)
    return {
        "prompt": metered(body.prompt, spec, syntax),
        "negative": metered(body.negative, spec, syntax, negative=True),
    }


@router.post("/sayings", response_model=answers.Sayings)
def say(body: answers.Wished, here: Here) -> dict[str, str]:
    """The same wish as a command, as Python, and as a request to this API."""
    request = wording.styled(jobs.wished(here, body.request), body.styles)
    return sayings.of_request(request, body.request, here.hosts.port)


def _spelt_out(body: answers.Forecast, here: Here) -> tuple[Request, ...]:
    request = jobs.wished(here, body.request)
    table = () if body.grid is None else comparing.axes(body.grid.model_dump()["axes"])
    found = jobs.spelt_out(jobs.Wanted(requests=[request], styles=body.styles, table=table))
    if not found:
        raise RequestError("There is no wish.", "Say what to make.")
    return found


def _settled(resolved: Resolved) -> dict[str, Any]:
    return {name: getattr(resolved, name) for name in _SETTLED} | {
        "steps": resolved.passes[0].steps
    }
