"""`/v1`: OpenAI's image API, for the programs that speak it."""

import io
import math
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from PIL import Image as Pillow
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from darkroom.errors import DarkroomError, ImageError, RequestError
from darkroom.images import io as files
from darkroom.server import jobs, openai_answers, openai_wishes, refusals, waiting
from darkroom.server.model_names import ModelNames
from darkroom.server.openai_answers import Envelope
from darkroom.server.openai_wishes import UnusableError, Wish
from darkroom.server.pictures import DecodedPictures
from darkroom.server.refusals import Refusal
from darkroom.server.services import Here, Services
from darkroom.store.jobs import Job

_MAX_FILES = 17
_MAX_FIELDS = 200
_LIST = re.compile(r"\[\d{0,3}\]$")
_FILES = {"image", "mask", "depth"}
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class _Route(APIRoute):
    """Says no as OpenAI does, and which field it is about."""

    def get_route_handler(self) -> Handler:
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await original(request)
            except RequestValidationError:
                return _refused(UnusableError("The request is no JSON object.", "Mend it.", "body"))
            except DarkroomError as error:
                return _refused(error)
            except waiting.ClientGoneError:
                return Response(status_code=499)

        return handler


router = APIRouter(prefix="/v1", tags=["OpenAI"], route_class=_Route)


def _refused(error: DarkroomError) -> JSONResponse:
    status = refusals.status_of(error)
    if status == 422 and isinstance(error, RequestError | ImageError):
        status = 400
    headers = {**(refusals.headers_of(error) or {})}
    if status >= 500:
        headers["x-should-retry"] = "false"  # a wish that failed once fails again
    answer = refusals.of_openai(
        status,
        _told(error.message),
        _told(error.hint),
        getattr(error, "param", None),
        getattr(error, "code", None),
    )
    return JSONResponse(answer, status, headers)


def _told(text: str) -> str:
    """Without paths, and without halves of characters that the client sent."""
    return refusals.without_paths(text).encode("utf-8", "replace").decode()


_FIELDS: dict[str, Any] = {
    "prompt": {"type": "string"},
    "model": {"type": "string", "description": "A name of /v1/models; else the settings'."},
    "n": {"type": "integer", "minimum": 1, "maximum": openai_wishes.MAX_IMAGES},
    "size": {"type": "string", "description": "WIDTHxHEIGHT, or auto: the model's own."},
    "output_format": {"type": "string", "enum": ["png", "jpeg", "webp"]},
    "output_compression": {"type": "integer", "minimum": 0, "maximum": 100},
    "response_format": {"type": "string", "enum": ["b64_json", "url"]},
    "stream": {"type": "boolean"},
    "partial_images": {"type": "integer", "minimum": 0, "maximum": openai_wishes.MAX_PARTIAL},
}
_DOCUMENTED = {"description": "Beside these, every field of a wish of `/api` is taken."}
_FILE = {"type": "string", "format": "binary"}


def _documented(kind: str, fields: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": dict(fields), "required": required, **_DOCUMENTED}
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


@router.post(
    "/images/generations", openapi_extra=_documented("application/json", _FIELDS, ["prompt"])
)
async def generations(
    body: Annotated[dict[str, Any], Body()], request: Request, here: Here
) -> Response:
    """Images of a prompt.  The answer comes when they are there, or streams with `stream`."""
    wish = await run_in_threadpool(
        openai_wishes.generation, body, ModelNames(here.shelf), here.store.inputs.read
    )
    return await _made(wish, request, here, "image_generation")


@router.post(
    "/images/edits",
    openapi_extra=_documented(
        "multipart/form-data", {**_FIELDS, "image": _FILE, "mask": _FILE}, ["image", "prompt"]
    ),
)
async def edits(request: Request, here: Here) -> Response:
    """Images from an image: of all of it, or of what `mask` leaves transparent."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise UnusableError("Images are sent as a form.", "Use multipart/form-data.", "image")
    async with request.form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS) as form:
        texts: dict[str, Any] = {}
        sent: dict[str, list[bytes]] = {}
        for key, value in form.multi_items():
            name = _LIST.sub("", key)
            if isinstance(value, UploadFile):
                sent.setdefault(name, []).append(await value.read())
            elif name != key:
                texts.setdefault(name, []).append(value)
            else:
                texts[name] = value
    wish = await run_in_threadpool(_edit, here, texts, sent)
    return await _made(wish, request, here, "image_edit")


def _edit(here: Services, texts: dict[str, Any], sent: Mapping[str, list[bytes]]) -> Wish:
    """The wish of a form; its files are opened in the decoder's process alone."""
    for name in sent:
        if name not in _FILES:
            raise UnusableError(f"There is no file {name[:40]!a} here.", "Leave it out.", name)
    for name in ("image", "mask"):
        if name in texts:
            raise UnusableError(f"{name} must be a file.", "Send it with a file name.", name)
    masks = sent.get("mask", [])
    if len(masks) > 1 or len(sent.get("depth", [])) > 1:
        raise UnusableError("There are several masks, or depth maps.", "Send one.", "mask")
    for depth in sent.get("depth", []):
        texts["depth"] = here.store.inputs.keep(depth)
    return openai_wishes.edit(
        texts,
        sent.get("image", []),
        masks[0] if masks else None,
        ModelNames(here.shelf),
        DecodedPictures(lambda data: here.uploads.decoded(data).png),
        here.store.inputs.read,
    )


@router.get("/models")
def models(here: Here) -> Response:
    """The installed models."""
    return JSONResponse({"object": "list", "data": [_model(one) for one in here.shelf.installed()]})


@router.get("/models/{model:path}")
def model(model: str, here: Here) -> Response:
    """One installed model."""
    for one in here.shelf.installed():
        if one.name == model:
            return JSONResponse(_model(one))
    raise UnusableError(
        "There is no such model.", "/v1/models lists them.", "model", status=404,
        code="model_not_found",
    )  # fmt: skip


def _model(one: Any) -> dict[str, Any]:
    return {
        "id": one.name,
        "object": "model",
        "created": int(one.path.stat().st_mtime),
        "owned_by": "darkroom",
    }


async def _made(wish: Wish, request: Request, here: Services, kind: str) -> Response:
    """The answer to a wish, or the stream of it."""
    wanted = jobs.Wanted(requests=[wish.request], styles=wish.styles, origin="openai")
    job = await run_in_threadpool(jobs.accept, here, wanted)
    address = f"{request.url.scheme}://{request.headers['host']}"
    envelope = await run_in_threadpool(_envelope, here, wish, job, address)
    if wish.stream:
        events = _streamed(here, job, envelope, wish.partial_images, kind)
        return StreamingResponse(events, media_type="text/event-stream")
    job = await waiting.ended(here, job.id, request.is_disconnected)
    made = await run_in_threadpool(waiting.images, here, job.id)
    if not made:
        raise _without_images(job)
    return JSONResponse(await run_in_threadpool(envelope.whole, made, int(time.time())))


def _envelope(here: Services, wish: Wish, job: Job, address: str) -> Envelope:
    return Envelope(
        address=address,
        file_format=wish.file_format,
        quality=wish.quality,
        as_url=wish.as_url,
        factor=here.shelf.spec(wish.request.model).autoencoder.factor,
        tokens=openai_answers.tokens_of(here, job),
        prompt=wish.request.prompt,
    )


async def _streamed(
    here: Services, job: Job, envelope: Envelope, partial_images: int, kind: str
) -> AsyncIterator[bytes]:
    """The events of a stream: pictures of some steps, and each image when it is there."""

    async def never() -> bool:
        return False  # whoever sends the stream notices that nobody takes it

    shown: dict[int, int] = {}  # partial images by the number of their image
    told = 0
    try:
        async for event in waiting.happenings(here, job.id, never):
            if isinstance(event, waiting.Stepped):
                if not _is_due(event, shown.get(event.number, 0), partial_images):
                    continue
                index = shown[event.number] = shown.get(event.number, 0) + 1
                data = await run_in_threadpool(_partial, event.preview or b"", envelope)
                yield openai_answers.event(
                    f"{kind}.partial_image", {**data, "partial_image_index": index - 1}
                )
                continue
            job = event if isinstance(event, Job) else job
            made = await run_in_threadpool(waiting.images, here, job.id)
            for one in made[told:]:
                yield openai_answers.event(
                    f"{kind}.completed", await run_in_threadpool(_completed, one, envelope)
                )
            told = len(made)
        if not told:
            raise _without_images(job)
    except DarkroomError as error:
        status = refusals.status_of(error)
        problem = refusals.of_openai(status, _told(error.message), _told(error.hint))
        yield openai_answers.event("error", problem)


def _is_due(event: waiting.Stepped, shown: int, partial_images: int) -> bool:
    """Whether so many steps are done that one more partial image is to be shown."""
    if event.preview is None or shown >= partial_images or event.step >= event.steps:
        return False
    return event.step >= math.ceil(event.steps * (shown + 1) / (partial_images + 1))


def _partial(preview: bytes, envelope: Envelope) -> dict[str, Any]:
    """The picture of a step as large as the image, in the format that was asked for."""
    image = Pillow.open(io.BytesIO(preview), formats=("WEBP",))
    mark = waiting.mark_of(image)
    size = image.width * envelope.factor, image.height * envelope.factor
    raster = files.from_pil(image.convert("RGB").resize(size, Pillow.Resampling.BICUBIC))
    picture = files.encode(raster, envelope.file_format, mark=mark, quality=envelope.quality)
    return envelope.shown(size, picture, int(time.time()))


def _completed(made: waiting.Made, envelope: Envelope) -> dict[str, Any]:
    picture = waiting.written(made, envelope.file_format, envelope.quality)
    size = made.image.width, made.image.height
    said = envelope.shown(size, picture, int(time.time()))
    return {**said, "seed": made.image.seed, "id": made.image.id, "usage": envelope.usage()}


def _without_images(job: Job) -> Refusal:
    """Why a job that has ended made nothing."""
    if job.error is not None:
        return Refusal(500, job.error.message, job.error.hint)
    return Refusal(400, "The job was cancelled.", "Somebody did so on the page, or by the API.")
