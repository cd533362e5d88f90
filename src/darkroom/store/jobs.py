"""What the queue holds: jobs, claims on them, and what happened to them.  All values are frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from darkroom.contracts import Recipe

State = Literal["waiting", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = ("waiting", "running", "done", "failed", "cancelled")
Kind = Literal[
    "accepted",
    "started",
    "interrupted",
    "worker died",
    "done",
    "failed",
    "cancelled",
    "retried",
]


@dataclass(frozen=True, kw_only=True)
class JobError:
    """Why a job failed, in a user's words."""

    message: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """An ordered list of wishes, whose images are numbered through from 0 to `images - 1`.

    `requests`: in their wire form.  `position`: how many jobs run before this one, 0 for the
    next; None for all but waiting jobs.  `images_done`: those that are in the gallery.
    `attempts`: how often a worker began it.  `deaths`: workers that died over it since its last
    image.  Times are ISO 8601 in UTC.  `grid`: of a comparison, as the server gave it; its table
    is the image number `images`, whose id is `sheet` once it is there.  `origin`: which surface it
    came from.  `notes`: sentences for the user.
    """

    id: str
    state: State
    title: str
    task: str
    requests: tuple[Mapping[str, object], ...] = field(repr=False)
    images: int
    images_done: int
    position: int | None
    attempts: int
    deaths: int
    error: JobError | None
    created: str
    started: str | None
    finished: str | None
    grid: Mapping[str, object] | None = field(default=None, repr=False)
    sheet: str | None = None
    origin: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A worker's right to one job.  It ends with cancelling, and with every new claim.

    `settled`: numbers of the images that are done or were skipped, by earlier attempts.
    """

    job: Job
    worker: str
    token: str
    settled: frozenset[int]

    @property
    def todo(self) -> tuple[int, ...]:
        """Numbers of the images that are left to make."""
        return tuple(n for n in range(self.job.images) if n not in self.settled)


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One line of a job's history."""

    at: str
    kind: Kind
    detail: str


@dataclass(frozen=True, kw_only=True)
class QueueState:
    """The queue as a whole.  `reason`: why it is paused, where a program did it."""

    paused: bool
    reason: str
    waiting: int
    running: int


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """A finished image on its way into the gallery.

    `data`: the whole file, of the format `suffix` (`.png`, …).  `recipe`: None only where the
    gallery shall not know it.  `film_steps`: how many previews lie in its film.
    """

    data: bytes = field(repr=False)
    suffix: str
    width: int
    height: int
    recipe: Recipe | None
    notes: tuple[str, ...] = ()
    film_steps: int = 0
