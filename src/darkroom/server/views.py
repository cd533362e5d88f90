"""Jobs and images as the page and other programs see them: plain JSON values."""

from collections.abc import Callable
from typing import Any, Protocol

from darkroom.errors import DarkroomError
from darkroom.server.refusals import without_paths
from darkroom.store.gallery import Gallery
from darkroom.store.jobs import Happening, Job
from darkroom.store.pictures import Image
from darkroom.store.queue import Queue

SHOWN_REQUESTS = 4  # of a job among others; the job alone shows all


class Progress(Protocol):
    """How far a running job is: which image, which step of it, and the share of the whole job."""

    @property
    def index(self) -> int: ...
    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...
    @property
    def seconds_left(self) -> float | None: ...


class Views:
    """Makes the JSON of jobs, images and the queue, for answers and for events alike.

    `progress` and `blocked` are set by who knows them, once there is somebody.
    """

    def __init__(self, queue: Queue, gallery: Gallery) -> None:
        self._queue = queue
        self._gallery = gallery
        self.progress: Callable[[str], Progress | None] = lambda _: None
        self.blocked: Callable[[], str | None] = lambda: None

    def job(self, job: str) -> dict[str, Any] | None:
        """The job of this id; None where there is none any more."""
        try:
            return self.of_job(self._queue.get(job))
        except DarkroomError:
            return None

    def image(self, image: str) -> dict[str, Any] | None:
        """The image of this id; None where there is none any more."""
        try:
            return of_image(self._gallery.get(image))
        except DarkroomError:
            return None

    def of_job(self, job: Job, *, whole: bool = False) -> dict[str, Any]:
        """A job with how far it is.  `whole`: with all its requests, which may be a thousand."""
        now = self.progress(job.id) if job.state == "running" else None
        return {
            "id": job.id,
            "state": job.state,
            "title": job.title,
            "task": job.task,
            "images": job.images,
            "images_done": job.images_done,
            "position": job.position,
            "attempts": job.attempts,
            "error": None
            if job.error is None
            else {
                "message": without_paths(job.error.message),
                "hint": without_paths(job.error.hint),
            },
            "created": job.created,
            "started": job.started,
            "finished": job.finished,
            "seconds_left": None if now is None else now.seconds_left,
            "index": None if now is None else now.index,
            "step": None if now is None else now.step,
            "steps": None if now is None else now.steps,
            "requests": [dict(one) for one in job.requests[: None if whole else SHOWN_REQUESTS]],
            "grid": None if job.grid is None else dict(job.grid),
            "sheet": job.sheet,
            "origin": job.origin,
            "notes": [without_paths(note) for note in job.notes],
        }

    def queue(self) -> dict[str, Any]:
        """Whether the queue is paused, why nothing goes on, and how many jobs wait and run."""
        state = self._queue.state()
        return {
            "paused": state.paused,
            "reason": without_paths(state.reason or self.blocked() or ""),
            "waiting": state.waiting,
            "running": state.running,
        }


def of_image(image: Image) -> dict[str, Any]:
    """An image of the gallery, with the addresses of its file and its thumbnail."""
    return {
        "id": image.id,
        "job": image.job,
        "number": image.number,
        "sheet": image.sheet,
        "width": image.width,
        "height": image.height,
        "bytes": image.bytes,
        "seed": image.seed,
        "prompt": image.prompt,
        "negative": image.negative,
        "model": image.model,
        "task": image.task,
        "created": image.created,
        "favourite": image.favourite,
        "tags": list(image.tags),
        "steps": image.film_steps,
        "flagged": image.flagged,
        "missing": image.missing,
        "trashed": image.trashed,
        "file": f"/api/images/{image.id}/file",
        "thumbnail": f"/api/images/{image.id}/thumbnail",
    }


def of_happening(happening: Happening) -> dict[str, str]:
    """One line of a job's history."""
    return {"at": happening.at, "kind": happening.kind, "detail": without_paths(happening.detail)}
