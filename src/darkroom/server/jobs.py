"""How a wish becomes a job: read, completed, judged, its seeds drawn, and then accepted.

Every surface comes through here, so that equal wishes are equal Requests, and equal images.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from darkroom.contracts import Machine, ModelSpec, Request, Resolved
from darkroom.errors import RequestError
from darkroom.planning import comparing
from darkroom.planning import plan as planning
from darkroom.planning.comparing import Axis
from darkroom.planning.resolve import MAX_COUNT
from darkroom.server.services import Services
from darkroom.server.wishing import completed
from darkroom.store import wire
from darkroom.store.jobs import Job
from darkroom.tasks import judging, wording
from darkroom.text.tokenizer import tokenizer_of

_FORM = "The form of a wish stands in the API's document, /api/openapi.json."
_TITLE = 100  # characters of the prompt that a job is called by


def wished(services: Services, said: Mapping[str, Any]) -> Request:
    """The Request that a wish of `/api` means; what it leaves unsaid, the settings may say.

    RequestError names the field; UnknownError where an upload is not there.
    """
    return all_wished(services, [said])[0]


def all_wished(services: Services, said: Sequence[Mapping[str, Any]]) -> list[Request]:
    """As `wished`, of several: an image that they share is in memory once."""
    read = cache(services.store.inputs.read)
    return [_wished(one, read) for one in said]


def _wished(said: Mapping[str, Any], read_file: Callable[[str], bytes]) -> Request:
    form = {name: value for name, value in said.items() if value is not None}
    _check_texts(form)
    try:
        read = wire.request_from_wire(form, read_file)
    except RequestError as error:
        raise RequestError(error.message, error.hint or _FORM) from error
    return completed({name: getattr(read, name) for name in form})


def _check_texts(form: Mapping[str, Any]) -> None:
    """RequestError for halves of characters: JSON can write them, and no answer can repeat them."""
    for name, value in form.items():
        if not isinstance(value, str):
            continue
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise RequestError(
                f"{ascii(name)[1:-1]}: there is half of a character at {error.start + 1}.",
                "Write it anew there.",
            ) from error


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a client asks for.  `table`: the axes of a comparison, empty for none.

    `key`, `said`: the idempotency key, and what must be equal where it comes again.
    """

    requests: Sequence[Request]
    styles: Sequence[str] = ()
    table: Sequence[Axis] = ()
    origin: str = "rest"
    key: str | None = None
    said: object = None


def accept(services: Services, wanted: Wanted) -> Job:
    """The job, committed: nothing that was accepted is lost.

    Raises:
        DarkroomError: a wish that cannot be meant, or is too large; or the queue is full.
    """
    if wanted.key is not None:
        known = services.store.queue.by_key(wanted.key, wanted.said)
        if known is not None:
            return known
    requests = spelt_out(wanted)
    images = sum(judged(services, request).count for request in requests)
    if images > MAX_COUNT:
        raise RequestError(
            f"The job would make {images:,} images.",
            f"At most {MAX_COUNT:,} in one job; make several of it.",
        )
    keep = cache(services.store.inputs.keep)
    job = services.store.queue.submit(
        [wire.request_to_wire(request, keep) for request in requests],
        task=requests[0].task,
        title=_title(wanted.requests[0]),
        images=images,
        key=wanted.key,
        said=wanted.said,
        grid=_grid(wanted.table),
        origin=wanted.origin,
    )
    services.crew.wake()
    services.news.job(job)
    services.news.queue()
    return job


def spelt_out(wanted: Wanted) -> tuple[Request, ...]:
    """The Requests of a job in their order, with styles, wildcards, cells and seeds settled."""
    styled = [wording.styled(request, wanted.styles) for request in wanted.requests]
    if not wanted.table:
        return tuple(with_seeds(one) for request in styled for one in wording.chosen(request))
    if len(styled) != 1:
        raise RequestError("A comparison has one wish.", "Say it as “request”.")
    cells = comparing.expand(with_seeds(styled[0]), wanted.table)
    return tuple(with_seeds(one) for cell in cells for one in wording.chosen(cell))


def with_seeds(request: Request) -> Request:
    """The request with its random seeds drawn, so that it makes the same images once more."""
    if request.seed is None:
        request = replace(request, seed=secrets.randbelow(judging.SEEDS))
    if request.variation_strength and request.variation_seed is None:
        request = replace(request, variation_seed=secrets.randbelow(judging.SEEDS))
    return request


def judged(services: Services, request: Request) -> Resolved:
    """The request with nothing left unsaid.

    DarkroomError where it cannot be meant, or could never fit into this machine.
    """
    spec, resolved = settled(services, request)
    machine = machine_for(services, request.device)
    if machine is not None:
        empty = replace(machine, memory_free=machine.memory_total)
        planning.plan(resolved, spec, empty, prompts=prompts_of(spec, resolved))
    return resolved


def settled(services: Services, request: Request) -> tuple[ModelSpec, Resolved]:
    """The model of a request, and the request with nothing left unsaid.

    Images are judged as the decoder's process re-encoded them: nothing that came in is opened
    here.
    """
    if not isinstance(request.model, str):
        raise RequestError("The model must be text.", "Say the name of an installed model.")
    spec = services.shelf.spec(request.model, request.prediction)
    if request.vae is not None:
        services.shelf.named(request.vae)
    safe = replace(
        request,
        image=_made_anew(services, request.image),
        mask=_made_anew(services, request.mask),
        depth=_made_anew(services, request.depth),
        images=tuple(services.uploads.decoded(data).png for data in request.images),
    )
    resolved, _ = judging.judge(safe, spec)
    return spec, replace(resolved, request=request)


def _made_anew(services: Services, data: bytes | None) -> bytes | None:
    return None if data is None else services.uploads.decoded(data).png


def prompts_of(spec: ModelSpec, resolved: Resolved) -> planning.Prompts:
    """How much the model has to read."""
    return judging.prompts_of(resolved, tokenizer_of(spec))


def machine_for(services: Services, device: str | None) -> Machine | None:
    """The machine that a wish would run on; None where none was measured yet.

    RequestError where there is no such device.
    """
    machines = services.store.machines.all()
    if device is None or not machines:
        return machines[0] if machines else None
    for machine in machines:
        if machine.device == device:
            return machine
    known = ", ".join(machine.device for machine in machines)
    raise RequestError(f"There is no device {device[:40]!r} here.", f"Choose one of {known}.")


def _title(request: Request) -> str:
    """What a person knows a job by."""
    words = " ".join(request.prompt.split())
    if not words:
        return request.task
    return words if len(words) <= _TITLE else words[: _TITLE - 1] + "…"


def _grid(table: Sequence[Axis]) -> dict[str, object] | None:
    if not table:
        return None
    return {
        "axes": [
            {
                "field": axis.field,
                "label": axis.label,
                "values": list(axis.values),
                "labels": list(axis.labels),
            }
            for axis in table
        ]
    }
