"""`/sdapi/v1`: AUTOMATIC1111's API, for the programs that speak it.

Calls that make images answer when these are there.  Who stops waiting stops nothing: the job goes
on, and its images are in the gallery; `interrupt` stops it.
"""

import json
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from darkroom.contracts import Request as Wanted
from darkroom.server import (
    a1111_answers,
    a1111_extras,
    a1111_lists,
    a1111_wishes,
    jobs,
    refusals,
    waiting,
)
from darkroom.server.a1111_answers import text_of
from darkroom.server.a1111_bodies import (
    ExtraBatch,
    Extras,
    ExtraSingle,
    Img2Img,
    Making,
    PngInfo,
    Txt2Img,
)
from darkroom.server.a1111_wishes import Options, Wish, file_of
from darkroom.server.model_names import ModelNames
from darkroom.server.pictures import DecodedPictures
from darkroom.server.refusals import Refusal
from darkroom.server.services import Here, Services
from darkroom.store.jobs import Job
from darkroom.store.refusals import StateError, UnknownError

ORIGIN = "a1111"
_MAX_BATCH = 64  # images that one call may bring to be enlarged
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _Route(APIRoute):
    """Says what a field lacks in the shape of this API, and lets go of who stopped waiting."""

    def get_route_handler(self) -> Handler:
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await original(request)
            except RequestValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"][1:4]) or "The request"
                shape = refusals.of_a1111(422, f"{ascii(field)[1:-1]}: {first['msg']}", "")
                return _json(shape, 422)
            except waiting.ClientGoneError:
                return Response(status_code=499)

        return handler


router = APIRouter(prefix="/sdapi/v1", tags=["AUTOMATIC1111"], route_class=_Route)


def _json(said: object, status: int = 200) -> Response:
    """JSON in ASCII: a client may have sent halves of characters."""
    return Response(json.dumps(said, allow_nan=False), status, media_type="application/json")


def _options(request: Request) -> Options:
    """What was settled by `options` since the server started."""
    settled: Options | None = getattr(request.app.state, "a1111_options", None)
    return Options(said={}) if settled is None else settled


@router.post("/txt2img")
async def txt2img(body: Txt2Img, request: Request, here: Here) -> Response:
    """Images of a prompt."""
    options, known = _options(request), ModelNames(here.shelf)
    wish = await run_in_threadpool(a1111_wishes.txt2img, body, options, known)
    return await _made(body, wish, request, here, pictures=True)


@router.post("/img2img")
async def img2img(body: Img2Img, request: Request, here: Here) -> Response:
    """Images from an image, or of a masked part of one."""
    pictures = DecodedPictures(lambda data: here.uploads.decoded(data).png)
    known = ModelNames(here.shelf)
    wish = await run_in_threadpool(a1111_wishes.img2img, body, _options(request), known, pictures)
    return await _made(body, wish, request, here, pictures=bool(body.include_init_images))


async def _made(
    body: Making, wish: Wish, request: Request, here: Services, *, pictures: bool
) -> Response:
    job, made = await _carried_out(here, wish.requests, wish.styles, request)

    def answer() -> Response:
        images = []
        if wish.send_images:
            images = [text_of(waiting.written(one, wish.file_format)) for one in made]
        return _json(
            {
                "images": images,
                "parameters": a1111_answers.parameters(body, pictures=pictures),
                "info": a1111_answers.info(body, wish, job, made),
            }
        )

    return await run_in_threadpool(answer)


async def _carried_out(
    here: Services, requests: tuple[Wanted, ...], styles: tuple[str, ...], request: Request
) -> tuple[Job, list[waiting.Made]]:
    """A job from beginning to end.  Refusal where it failed; one that was stopped is answered."""
    wanted = jobs.Wanted(requests=requests, styles=styles, origin=ORIGIN)
    job = await run_in_threadpool(jobs.accept, here, wanted)
    job = await waiting.ended(here, job.id, request.is_disconnected)
    if job.error is not None:
        raise Refusal(500, job.error.message, job.error.hint)
    return job, await run_in_threadpool(waiting.images, here, job.id)


@router.post("/extra-single-image")
async def extra_single_image(body: ExtraSingle, request: Request, here: Here) -> Response:
    """An image, enlarged."""
    (image,) = await _enlarged([body.image], body, request, here)
    return _json({"html_info": "", "image": image})


@router.post("/extra-batch-images")
async def extra_batch_images(body: ExtraBatch, request: Request, here: Here) -> Response:
    """Several images, enlarged."""
    if len(body.imageList) > _MAX_BATCH:
        raise Refusal(
            422, f"These are {len(body.imageList)} images.", f"Send {_MAX_BATCH} or less."
        )
    images = await _enlarged([one.data for one in body.imageList], body, request, here)
    return _json({"html_info": "", "images": images})


async def _enlarged(texts: list[str], body: Extras, request: Request, here: Services) -> list[str]:
    known = await run_in_threadpool(a1111_lists.x4_models, here)
    how = a1111_extras.enlarging(body, known)
    files = await run_in_threadpool(lambda: [file_of(text) for text in texts])
    arrived = [await run_in_threadpool(here.uploads.decoded, file) for file in files]
    for one in arrived:
        how.size((one.width, one.height))
    made: list[waiting.Made] | None = None
    if how.model is not None:
        _, made = await _carried_out(here, tuple(map(how.request, files)), (), request)
        if len(made) < len(arrived):
            raise Refusal(400, "The job was stopped before all images were enlarged.")

    def finished() -> list[str]:
        if made is None:
            sources = [(one.png, one.by_machine) for one in arrived]
        else:
            sources = [(one.path.read_bytes(), True) for one in made]
        images = []
        for (file, by_machine), one in zip(sources, arrived, strict=True):
            picture = a1111_extras.opened(file)
            after = how.finished(picture, (one.width, one.height))
            same = by_machine and how.model is not None and after.size == picture.size
            done = file if same else a1111_extras.encoded(after, by_machine=by_machine)
            images.append(text_of(done))
        return images

    return await run_in_threadpool(finished)


@router.post("/png-info")
def png_info(body: PngInfo, here: Here) -> Response:
    """What an image tells of how it was made."""
    return _json(a1111_answers.png_info(here.uploads.decoded(file_of(body.image))))


@router.get("/progress")
def progress(
    here: Here,
    skip_current_image: Annotated[bool, Query(description="Leave the preview out.")] = False,
) -> Response:
    """How far the running job is, with the picture of its last step."""
    job = _running(here, ours=False)
    now = None if job is None else here.crew.progress(job.id)
    preview: bytes | None = None
    if job is not None and now is not None and not skip_current_image:
        with suppress(OSError):  # it may be cleared away by now
            preview = here.store.folder.film_step(job.id, now.index, now.step).read_bytes()
    return _json(a1111_answers.progress(job, now, preview))


def _running(here: Services, *, ours: bool) -> Job | None:
    """The running job, one that came by this API before others; `ours`: no other."""
    found = here.store.queue.list(["running"])
    own = [job for job in found if job.origin == ORIGIN]
    return next(iter(own if ours else [*own, *found]), None)


@router.post("/interrupt")
def interrupt(here: Here) -> Response:
    """Stop the running job of this API; what it has made comes back to who waits for it."""
    job = _running(here, ours=True)
    if job is not None:
        with suppress(StateError, UnknownError):  # it has just ended by itself
            ended = here.store.queue.cancel(job.id)
            here.crew.cancel(job.id)
            here.news.job(ended)
            here.news.queue()
    return _json({})


@router.post("/skip")
def skip(here: Here) -> Response:
    """Leave out the image that is being made."""
    job = _running(here, ours=True)
    if job is not None:
        here.crew.skip(job.id)
    return _json(None)


@router.get("/options")
def options(request: Request, here: Here) -> Response:
    """What is settled for all calls."""
    return _json(a1111_lists.options(here, _options(request)))


@router.post("/options")
def set_options(body: Annotated[dict[str, Any], Body()], request: Request, here: Here) -> Response:
    """Settle something for all calls until the server ends, such as `sd_model_checkpoint`."""
    now = a1111_lists.settled(body, _options(request), ModelNames(here.shelf))
    a1111_wishes.txt2img(Txt2Img(), now, ModelNames(here.shelf))  # it must be possible
    request.app.state.a1111_options = now
    return _json(None)


@router.get("/samplers")
def samplers() -> Response:
    """The samplers."""
    return _json(a1111_lists.samplers())


@router.get("/schedulers")
def schedulers() -> Response:
    """The schedules."""
    return _json(a1111_lists.schedulers())


@router.get("/sd-models")
def sd_models(here: Here) -> Response:
    """The installed models."""
    return _json(a1111_lists.models(here))


@router.get("/upscalers")
def upscalers(here: Here) -> Response:
    """What enlarges images."""
    return _json(a1111_lists.upscalers(here))


@router.get("/latent-upscale-modes")
def latent_upscale_modes() -> Response:
    """What enlarges latents between two passes."""
    return _json(a1111_lists.latent_modes())


@router.get("/prompt-styles")
def prompt_styles() -> Response:
    """The styles."""
    return _json(a1111_lists.prompt_styles())


@router.get("/memory")
def memory(here: Here) -> Response:
    """Memory of the devices."""
    return _json(a1111_lists.memory(here))


@router.get("/cmd-flags")
def cmd_flags() -> Response:
    """A few flags of the original that clients look for."""
    return _json(a1111_lists.flags())


@router.get("/sd-vae")
@router.get("/loras")
@router.get("/hypernetworks")
@router.get("/face-restorers")
@router.get("/realesrgan-models")
@router.get("/script-info")
@router.get("/extensions")
def nothing() -> Response:
    """There is none of these here."""
    return _json([])


@router.get("/embeddings")
def embeddings() -> Response:
    """There are none here."""
    return _json({"loaded": {}, "skipped": {}})


@router.get("/scripts")
def scripts() -> Response:
    """There are none here."""
    return _json({"txt2img": [], "img2img": []})


@router.post("/refresh-checkpoints")
@router.post("/refresh-vae")
@router.post("/refresh-loras")
def refresh() -> Response:
    """The folder of models is looked at anew by every call."""
    return _json(None)
