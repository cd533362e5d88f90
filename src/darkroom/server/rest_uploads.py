"""`/api/uploads`: images that come in.  A process of its own opens them; here they are bytes."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from darkroom.server import answers
from darkroom.server.answers import Sha256
from darkroom.server.refusals import Refusal
from darkroom.server.services import Here

router = APIRouter(prefix="/api/uploads", tags=["uploads"])

_SIDES = (64, 128, 256, 512, 1024, 2048)
_FOREVER = "private, max-age=31536000, immutable"  # its name is its checksum


@router.post(
    "",
    status_code=201,
    response_model=answers.Upload,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The file itself: PNG, JPEG, WebP, GIF, BMP or TIFF.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "image/png": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def upload(
    request: Request,
    here: Here,
    over: Annotated[Sha256 | None, Query(description="The upload it was drawn over.")] = None,
) -> dict[str, Any]:
    """Take an image.  It is kept under its checksum, and told what recipe it holds."""
    async with here.uploads.at_once:
        data = await request.body()
        if not data:
            raise Refusal(422, "There is no image in the request.", "Its body is the file itself.")
        return await run_in_threadpool(_taken, here, data, over)


def _taken(here: Here, data: bytes, over: str | None) -> dict[str, Any]:
    told = _told(here, data) | {"id": here.store.inputs.keep(data)}
    if over is not None and here.store.inputs.exists(over):
        here.store.gallery.derived(told["id"], over)
    return told


def _told(here: Here, data: bytes) -> dict[str, Any]:
    seen = here.uploads.decoded(data)
    found = seen.recipe
    return {
        "width": seen.width,
        "height": seen.height,
        "format": seen.format,
        "notes": list(seen.notes),
        "recipe": None
        if found is None
        else {
            "program": found.program,
            "ours": found.ours,
            "fields": dict(found.fields),
            "text": found.text,
            "remarks": list(found.remarks),
        },
    }


@router.get("/{upload_id}", response_model=answers.Upload)
def look(upload_id: Sha256, here: Here) -> dict[str, Any]:
    """What is known of an image that came in."""
    return _told(here, here.store.inputs.read(upload_id)) | {"id": upload_id}


@router.get(
    "/{upload_id}/image",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
def picture(
    upload_id: Sha256,
    here: Here,
    side: Annotated[int | None, Query(ge=1, le=4096, description="At most so large.")] = None,
) -> Response:
    """Its pixels, encoded anew: never the file that came in."""
    file = here.store.inputs.read(upload_id)
    limit = next((one for one in _SIDES if side is not None and one >= side), None)
    data = here.uploads.decoded(file).png if limit is None else here.decoder.picture(file, limit)
    return Response(data, media_type="image/png", headers={"cache-control": _FOREVER})
