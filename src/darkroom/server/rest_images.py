"""`/api/images`: the gallery."""

import contextlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import FileResponse, Response, StreamingResponse

from darkroom.contracts import ModelSpec
from darkroom.errors import DarkroomError, OutputError
from darkroom.server import answers, answers_about, sayings
from darkroom.server.answers import Id
from darkroom.server.refusals import Refusal, missing, without_paths
from darkroom.server.services import Here
from darkroom.server.views import of_happening, of_image
from darkroom.store import durable, wire
from darkroom.store.pictures import Filter, Image

router = APIRouter(prefix="/api", tags=["images"])

_TYPES = {".png": "image/png", ".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
_SIDES = (128, 256, 512)
_FOREVER = "private, max-age=31536000, immutable"
_CHUNK = 2**18
_FILM: dict[int | str, dict[str, Any]] = {200: {"content": {"image/webp": {}}}}

Word = Annotated[str | None, Query(max_length=200)]
Side = Annotated[int | None, Query(ge=1, le=100_000)]


@router.get("/images", response_model=answers.Images)
def listed(
    here: Here,
    search: Annotated[str, Query(max_length=1000, description="Words of the prompt.")] = "",
    model: Word = None,
    task: Word = None,
    favourite: bool | None = None,
    tag: Word = None,
    min_side: Side = None,
    max_side: Side = None,
    since: Annotated[str | None, Query(alias="from", max_length=40)] = None,
    until: Annotated[str | None, Query(alias="to", max_length=40)] = None,
    trashed: bool = False,
    job: Annotated[Id | None, Query()] = None,
    order: Literal["new", "old"] = "new",
    after: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 60,
) -> dict[str, Any]:
    """Images that pass every filter that is said, a page at a time."""
    chosen = Filter(
        search=search,
        model=model,
        task=task,
        favourite=favourite,
        tag=tag,
        min_side=min_side,
        max_side=max_side,
        since=since,
        until=until,
        trashed=trashed,
        job=job,
    )
    page = here.store.gallery.page(chosen, order=order, after=after, limit=limit)
    return {
        "images": [of_image(image) for image in page.images],
        "next": page.next,
        "total": here.store.gallery.count(chosen),
    }


@router.get("/images/facets", response_model=answers_about.Facets)
def facets(here: Here) -> dict[str, Any]:
    """What the gallery can be filtered by: models and tags, with the number of their images."""
    gallery = here.store.gallery
    return {
        "models": [{"name": name, "images": count} for name, count in gallery.models()],
        "tags": [{"name": name, "images": count} for name, count in gallery.tags()],
    }


@router.post("/images/delete", response_model=answers.Changed)
def delete_many(body: answers.Ids, here: Here) -> dict[str, Any]:
    """Put images into the trash, from which they can be brought back."""
    done = here.store.gallery.trash(body.ids)
    if done:
        here.news.gone(images=done)
    return {"ids": list(done)}


@router.post("/images/restore", response_model=answers.Changed)
def restore_many(body: answers.Ids, here: Here) -> dict[str, Any]:
    """Bring images back from the trash."""
    done = here.store.gallery.restore(body.ids)
    for image in done:
        _tell(here, here.store.gallery.get(image))
    return {"ids": list(done)}


@router.post("/images/purge", response_model=answers.Changed)
def purge_many(body: answers.Ids, here: Here) -> dict[str, Any]:
    """Remove images that are in the trash, for good."""
    done = here.store.gallery.purge(body.ids)
    if done:
        here.news.gone(images=done)
    return {"ids": list(done)}


@router.post(
    "/images/zip",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}},
)
def download_many(body: answers.Ids, here: Here) -> StreamingResponse:
    """Images as one file, as they are, recipes included."""
    files = [here.store.gallery.path(image) for image in dict.fromkeys(body.ids)]
    headers = {"content-disposition": 'attachment; filename="darkroom-images.zip"'}
    return StreamingResponse(_zipped(files), media_type="application/zip", headers=headers)


@router.get("/images/{image_id}", response_model=answers.WholeImage)
def whole(image_id: Id, here: Here) -> dict[str, Any]:
    """An image, how it was made, and what it has to do with others."""
    gallery = here.store.gallery
    image = gallery.get(image_id)
    recipe = gallery.recipe(image_id)
    request, said = None, None
    if recipe is not None:
        request, said = sayings.of_recipe(recipe, _spec_of(here, recipe.model), here.hosts.port)
    return {
        "image": of_image(image),
        "recipe": None if recipe is None else wire.recipe_to_wire(recipe),
        "request": request,
        "notes": [without_paths(note) for note in gallery.notes(image_id)],
        "parents": [of_image(one) for one in gallery.parents(image_id)],
        "children": [of_image(one) for one in gallery.children(image_id)],
        "sayings": said,
        "history": _history(here, image),
    }


@router.get(
    "/images/{image_id}/file",
    response_class=FileResponse,
    responses={200: {"content": {"image/png": {}}}},
)
def file(image_id: Id, here: Here, download: bool = False) -> FileResponse:
    """The image file, as it was written."""
    path = here.store.gallery.path(image_id)
    kind = _TYPES.get(path.suffix.lower())
    if kind is None:
        raise missing("image")
    return FileResponse(
        path,
        media_type=kind,
        filename=path.name if download else None,
        headers={"cache-control": _FOREVER},
    )


@router.get(
    "/images/{image_id}/thumbnail",
    response_class=Response,
    responses={200: {"content": {"image/webp": {}}}},
)
def thumbnail(
    image_id: Id, here: Here, side: Annotated[int, Query(ge=1, le=512)] = 256
) -> Response:
    """A small picture of the image."""
    image = here.store.gallery.get(image_id)
    limit = next(one for one in _SIDES if one >= side)
    place = here.store.folder.thumbnail(image.sha256, limit)
    headers = {"cache-control": _FOREVER}
    try:
        data = place.read_bytes()
    except OSError:
        data = here.decoder.thumbnail(here.store.gallery.path(image_id), limit)
        with contextlib.suppress(OutputError):  # on a full disk images can be looked at as well
            durable.write(place, data)
    return Response(data, media_type="image/webp", headers=headers)


@router.get("/images/{image_id}/film/{step}", response_class=Response, responses=_FILM)
def film_of_image(image_id: Id, step: int, here: Here) -> Response:
    """What was seen of the image after a step, counted from 1."""
    image = here.store.gallery.get(image_id)
    if image.job is None or image.number is None:
        raise missing("film")
    return _film(here.store.folder.film_step(image.job, image.number, step))


@router.get("/jobs/{job_id}/film/{index}/{step}", response_class=Response, responses=_FILM)
def film_of_job(job_id: Id, index: int, step: int, here: Here) -> Response:
    """What is seen of an image that is being made, after a step, counted from 1."""
    return _film(here.store.folder.film_step(job_id, index, step))


@router.patch("/images/{image_id}", response_model=answers.Image)
def change(image_id: Id, body: answers.ImageChange, here: Here) -> dict[str, Any]:
    """Say something of an image: whether it is a favourite, and its tags."""
    image = here.store.gallery.get(image_id)
    if body.tags is not None:
        image = here.store.gallery.tag(image_id, body.tags)
    if body.favourite is not None:
        image = here.store.gallery.favourite(image_id, body.favourite)
    return _tell(here, image)


@router.delete("/images/{image_id}", response_model=answers.Changed)
def delete(image_id: Id, here: Here) -> dict[str, Any]:
    """Put an image into the trash, from which it can be brought back."""
    here.store.gallery.get(image_id)
    return delete_many(answers.Ids(ids=[image_id]), here)


@router.post("/images/{image_id}/restore", response_model=answers.Image)
def restore(image_id: Id, here: Here) -> dict[str, Any]:
    """Bring an image back from the trash."""
    here.store.gallery.restore([image_id])
    return _tell(here, here.store.gallery.get(image_id))


@router.post("/images/{image_id}/input", response_model=answers.UploadId)
def as_input(image_id: Id, here: Here) -> dict[str, str]:
    """Make the image an upload, so that wishes can start from it."""
    path = here.store.gallery.path(image_id)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise missing("image") from error
    return {"id": here.store.inputs.keep(data)}


def _tell(here: Here, image: Image) -> dict[str, Any]:
    here.news.image(image)
    return of_image(image)


def _spec_of(here: Here, model: str) -> ModelSpec | None:
    with contextlib.suppress(DarkroomError):
        return here.shelf.spec(model)
    return None


def _history(here: Here, image: Image) -> list[dict[str, str]]:
    """That of its job, which may be forgotten by now."""
    if image.job is None:
        return []
    try:
        return [of_happening(one) for one in here.store.queue.history(image.job)]
    except DarkroomError:
        return []


def _film(place: Path) -> Response:
    try:
        data = place.read_bytes()
    except OSError as error:
        raise Refusal(404, "There is no picture of this step.") from error
    return Response(data, media_type="image/webp", headers={"cache-control": _FOREVER})


class _Pipe(io.RawIOBase):
    """What was written since it was last asked."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def taken(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data


def _zipped(files: list[Path]) -> Iterator[bytes]:
    """A zip file of these files, a piece at a time: images are not pressed any smaller."""
    pipe = _Pipe()
    names: set[str] = set()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for path in files:
            # Files of two months that were put there by hand may be called alike.
            name = f"{path.parent.name}-{path.name}" if path.name in names else path.name
            names.add(name)
            entry = zipfile.ZipInfo.from_file(path, name, strict_timestamps=False)
            with path.open("rb") as source, archive.open(entry, "w") as target:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    yield pipe.taken()
    yield pipe.taken()
