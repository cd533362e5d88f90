"""`/api/jobs` and `/api/queue`: what waits, runs and has ended."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response

from darkroom.errors import RequestError
from darkroom.planning import comparing
from darkroom.server import answers, jobs
from darkroom.server.answers import Id
from darkroom.server.services import Here
from darkroom.server.views import of_happening, of_image
from darkroom.store.gallery import MAX_PAGE
from darkroom.store.jobs import Job, State
from darkroom.store.pictures import Filter

router = APIRouter(prefix="/api", tags=["jobs"])

Key = Annotated[
    str | None,
    Header(
        pattern=r"^[!-~]{1,128}$",
        description="Sent again with the same body, the same job is answered, and no second made.",
    ),
]


@router.post("/jobs", status_code=201, response_model=answers.OneJob)
def submit(
    body: answers.Submission, here: Here, response: Response, idempotency_key: Key = None
) -> dict[str, Any]:
    """Accept a wish.  When this answers, the job is on the disk: no crash loses it."""
    if (body.request is None) == (body.requests is None):
        raise RequestError("There is no wish, or there are two.", "Say “request” or “requests”.")
    said = [body.request] if body.requests is None else body.requests
    job = jobs.accept(
        here,
        jobs.Wanted(
            requests=jobs.all_wished(here, [one for one in said if one is not None]),
            styles=body.styles,
            table=() if body.grid is None else comparing.axes(body.grid.model_dump()["axes"]),
            key=idempotency_key,
            said=body.model_dump(),
        ),
    )
    response.headers["location"] = f"/api/jobs/{job.id}"
    return _answer(here, job)


@router.get("/jobs", response_model=answers.Jobs)
def listed(
    here: Here,
    state: Annotated[list[State] | None, Query(description="Of these states alone.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[Id | None, Query(description="The last job of the page before.")] = None,
) -> dict[str, Any]:
    """Jobs: those that run, those that wait in their order, then those that ended, newest first."""
    found = here.store.queue.list(state or (), limit=limit, after=after)
    return {
        "jobs": [here.news.views.of_job(job) for job in found],
        "next": found[-1].id if len(found) == limit else None,
    }


@router.get("/jobs/{job_id}", response_model=answers.WholeJob)
def whole(job_id: Id, here: Here) -> dict[str, Any]:
    """A job with all its requests, its history and its images in their order."""
    job = here.store.queue.get(job_id)
    page = here.store.gallery.page(Filter(job=job_id), order="old", limit=MAX_PAGE)
    return {
        "job": here.news.views.of_job(job, whole=True),
        "history": [of_happening(one) for one in here.store.queue.history(job_id)],
        "images": [of_image(image) for image in page.images],
    }


@router.post("/jobs/{job_id}/cancel", response_model=answers.OneJob)
def cancel(job_id: Id, here: Here) -> dict[str, Any]:
    """End a job.  One that runs stops within a step; its finished images stay."""
    job = here.store.queue.cancel(job_id)
    here.crew.cancel(job_id)
    return _changed(here, job)


@router.post("/jobs/{job_id}/retry", response_model=answers.OneJob)
def retry(job_id: Id, here: Here) -> dict[str, Any]:
    """Let a failed or cancelled job wait again; images that it has made are not made twice."""
    job = here.store.queue.retry(job_id)
    here.crew.wake()
    return _changed(here, job)


@router.post("/jobs/{job_id}/skip", response_model=answers.OneJob)
def skip(job_id: Id, here: Here) -> dict[str, Any]:
    """Leave out the image that is being made, and go on with the next."""
    job = here.store.queue.get(job_id)
    here.crew.skip(job_id)
    return _answer(here, job)


@router.post("/jobs/{job_id}/move", response_model=answers.OneJob)
def move(job_id: Id, body: answers.Move, here: Here) -> dict[str, Any]:
    """Let a waiting job run before another one, or as the last."""
    return _changed(here, here.store.queue.move(job_id, body.before))


@router.delete("/jobs/{job_id}", status_code=204)
def forget(job_id: Id, here: Here) -> None:
    """Forget a job that does not run.  Its images stay."""
    here.store.queue.remove(job_id)
    here.news.gone(job=job_id)
    here.news.queue()


@router.post("/queue", response_model=answers.QueueSays)
def pause(body: answers.Pause, here: Here) -> dict[str, Any]:
    """Pause or go on.  What runs is finished; nothing further begins while the queue is paused."""
    here.store.queue.pause(body.paused)
    if not body.paused:
        here.crew.wake()
    here.news.queue()
    return here.news.views.queue()


@router.post("/queue/clear", response_model=answers.Cleared)
def clear(body: answers.Clear, here: Here) -> dict[str, Any]:
    """Cancel all that waits, or forget all that has ended.  Images stay."""
    count = here.store.queue.clear(body.what)
    here.news.reset()  # many changed at once: the lists are read anew
    here.news.queue()
    return {"jobs": count}


def _changed(here: Here, job: Job) -> dict[str, Any]:
    here.news.job(job)
    here.news.queue()
    return _answer(here, job)


def _answer(here: Here, job: Job) -> dict[str, Any]:
    return {"job": here.news.views.of_job(job)}
