"""For interfaces that answer when the images are there: waiting for a job, and its images."""

import contextlib
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image as Pillow
from starlette.concurrency import run_in_threadpool

from darkroom import __version__
from darkroom.contracts import Recipe
from darkroom.images import io as files
from darkroom.images import metadata, provenance
from darkroom.images.io import Format
from darkroom.server.refusals import Refusal
from darkroom.server.services import Services
from darkroom.store.jobs import Job
from darkroom.store.pictures import Filter, Image

ENDED = frozenset({"done", "failed", "cancelled"})
_PAGE = 500
_PATIENCE = 5.0  # seconds of silence after which it is asked whether the client is still there

Gone = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, kw_only=True)
class Made:
    """A finished image.  `path`: of its file.  `recipe`: None where it is private."""

    image: Image
    path: Path
    recipe: Recipe | None = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """A step of the image of this number is done; `preview`: a picture of it, if there is one."""

    number: int
    step: int
    steps: int
    preview: bytes | None = field(repr=False)


class ClientGoneError(Exception):
    """Nobody waits for the answer any more.  The job goes on."""


@dataclass(frozen=True)
class Imaged:
    """One more image is there."""


async def happenings(
    services: Services, job: str, gone: Gone
) -> AsyncIterator[Stepped | Imaged | Job]:
    """Steps and images of a job as they are told, and at last the job itself, when it has ended.

    Steps that follow each other quickly may be left out.

    Raises:
        ClientGoneError: the client went away before.
        Refusal: the server stops.
    """
    async with contextlib.aclosing(services.news.hub.follow(heartbeat=_PATIENCE)) as news:
        async for events in news:
            ours = [event for event in events if f'"{job}"' in event.data]
            for event in ours:
                if event.name == "step":
                    yield await run_in_threadpool(_stepped, services, json.loads(event.data))
                elif event.name == "image":
                    yield Imaged()
            told = any(event.name in {"job", "gone"} for event in ours)
            if told or not events or any(event.name == "reset" for event in events):
                state = await run_in_threadpool(services.store.queue.get, job)
                if state.state in ENDED:
                    yield state
                    return
            if not events and await gone():
                raise ClientGoneError
    raise Refusal(503, "The server stops.", "The job goes on when it is started again.")


async def ended(services: Services, job: str, gone: Gone) -> Job:
    """The job, when it has ended.  Raises as `happenings`."""
    async for event in happenings(services, job, gone):
        if isinstance(event, Job):
            return event
    raise AssertionError("a job ends, or raises")


def images(services: Services, job: str) -> list[Made]:
    """The images of a job in their order, without the table of a comparison."""
    rows: list[Image] = []
    after: str | None = None
    while True:
        page = services.store.gallery.page(Filter(job=job), order="old", after=after, limit=_PAGE)
        rows += page.images
        after = page.next
        if after is None:
            break
    wanted = sorted((row for row in rows if not row.sheet), key=lambda row: row.number or 0)
    gallery = services.store.gallery
    return [
        Made(image=row, path=gallery.path(row.id), recipe=gallery.recipe(row.id)) for row in wanted
    ]


def written(made: Made, file_format: Format, quality: int | None = None) -> bytes:
    """The file of an image in another format, with the same mark and the same recipe."""
    file = made.path.read_bytes()
    if made.path.suffix == f".{file_format}" and quality is None:
        return file
    image = Pillow.open(io.BytesIO(file), formats=("PNG", "JPEG", "WEBP"))
    recipe = made.recipe
    if recipe is not None and (file_format == "jpeg" or quality is not None):
        recipe = replace(recipe, outside_unchanged=False)  # compression moves every pixel
    return files.encode(
        files.from_pil(image), file_format, mark=mark_of(image), recipe=recipe, quality=quality
    )


def mark_of(image: Pillow.Image) -> provenance.Mark:
    """The mark that a finished image bears."""
    image.load()
    packet = metadata.carried(image).xmp
    found = None if packet is None else provenance.from_xmp(packet)
    return provenance.new_mark(__version__) if found is None else found


def _stepped(services: Services, said: dict[str, Any]) -> Stepped:
    preview: bytes | None = None
    if said.get("preview") is not None:
        file = services.store.folder.film_step(said["job"], said["index"], said["step"])
        with contextlib.suppress(OSError):  # it may be cleared away already
            preview = file.read_bytes()
    return Stepped(number=said["index"], step=said["step"], steps=said["steps"], preview=preview)
