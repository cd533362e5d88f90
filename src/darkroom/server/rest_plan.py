"""What would be done, before anything is: the plan, the token meter, the same wish elsewhere."""

from dataclasses import replace
from typing import Any, cast, get_args

from fastapi import APIRouter

from darkroom.contracts import PromptSyntax, Resolved
from darkroom.errors import RequestError
from darkroom.planning import checks
from darkroom.planning import plan as planning
from darkroom.planning.resolve import PROMPT_SYNTAX
from darkroom.server import answers, jobs, sayings
from darkroom.server.metering import metered
from darkroom.server.refusals import Refusal
from darkroom.server.services import Here
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
def plan(body: answers.Wished, here: Here) -> dict[str, Any]:
    """Device, time and memory of a wish, and what it means where it says nothing."""
    first, *others = _spelt_out(body, here)
    spec, resolved = jobs.settled(here, first)
    count = resolved.count + sum(other.count for other in others)
    resolved = replace(resolved, count=count, batch=max(1, min(count, resolved.batch)))
    machine = jobs.machine_for(here, first.device)
    if machine is None:
        raise Refusal(
            409,
            "The device is still being measured.",
            "It takes a few seconds after the start; nothing else has to be done.",
            retry_after=2,
        )
    made = planning.plan(resolved, spec, machine, prompts=jobs.prompts_of(spec, resolved))
    return {
        "device": made.device,
        "device_name": made.device_name,
        "engine": made.engine,
        "precision": made.precision,
        "seconds": made.seconds,
        "peak_bytes": made.peak_bytes,
        "weight_bytes": made.weight_bytes,
        "memory_total": machine.memory_total,
        "memory_free": machine.memory_free,
        "batch": made.batch,
        "steps": made.steps,
        "images": resolved.count,
        "notes": list(made.notes),
        "resolved": _settled(resolved),
    }


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
    return sayings.of_request(request, body.request)


def _spelt_out(body: answers.Wished, here: Here) -> Any:
    request = jobs.wished(here, body.request)
    found = jobs.spelt_out(jobs.Wanted(requests=[request], styles=body.styles))
    if not found:
        raise RequestError("There is no wish.", "Say what to make.")
    return found


def _settled(resolved: Resolved) -> dict[str, Any]:
    return {name: getattr(resolved, name) for name in _SETTLED} | {
        "steps": resolved.passes[0].steps
    }
