"""The queue of jobs.  Accepted means committed: no death of any process loses a job."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from darkroom.store.database import Database
from darkroom.store.folder import DataFolder
from darkroom.store.gallery import Image
from darkroom.store.jobs import Claim, Happening, Job, NewImage, QueueState, State

MAX_WAITING = 20_000


class Queue:
    """Jobs in the database, images in the folder.  Threads and processes may share them.

    Calls that take a Claim return None or False, and do nothing, where that claim has ended:
    the job was cancelled, or is another worker's now.
    """

    def __init__(
        self, database: Database, folder: DataFolder, *, max_waiting: int = MAX_WAITING
    ) -> None:
        self._database = database
        self._folder = folder
        self._max_waiting = max_waiting

    def submit(
        self,
        requests: Sequence[Mapping[str, object]],
        *,
        task: str,
        title: str,
        images: int,
        key: str | None = None,
        said: object = None,
        grid: Mapping[str, object] | None = None,
        origin: str | None = None,
        notes: Sequence[str] = (),
    ) -> Job:
        """Accept a job: it is committed when this returns.

        `requests`: wire forms, seeds fixed.  `images`: how many it makes.  `key`: idempotency key;
        with a key that was used, and the same `said` (any JSON value: what the client sent, before
        seeds were drawn; the requests where it is None), it returns that job.
        QueueFullError; KeyConflictError; UnknownError where an input is not there.
        """
        raise NotImplementedError

    def by_key(self, key: str, said: object) -> Job | None:
        """The job that was accepted under a key, to answer a repeated wish before any work.

        KeyConflictError where something else was said then.
        """
        raise NotImplementedError

    # What workers call.

    def claim(self, worker: str) -> Claim | None:
        """The next job, for this worker alone; None where nothing waits or the queue is paused."""
        raise NotImplementedError

    def holds(self, claim: Claim) -> bool:
        """Whether the claim has not ended."""
        raise NotImplementedError

    def image_done(self, claim: Claim, number: int, image: NewImage) -> Image | None:
        """Write image `number` of the job (or its table: `job.images`) and show it, in one step.

        The file is complete on the disk before its row is seen.  None where the claim has ended or
        the image was there already.  OutputError, DiskFullError: nothing changed, try again.
        """
        raise NotImplementedError

    def image_skipped(self, claim: Claim, number: int) -> bool:
        """The image is left out on the user's word."""
        raise NotImplementedError

    def note(self, claim: Claim, message: str) -> bool:
        """Add a sentence to the job's notes, once."""
        raise NotImplementedError

    def finished(self, claim: Claim) -> Job | None:
        """The job is done."""
        raise NotImplementedError

    def failed(self, claim: Claim, message: str, hint: str = "") -> Job | None:
        """The job cannot be done."""
        raise NotImplementedError

    def release(self, claim: Claim, detail: str = "") -> Job | None:
        """The worker stops in good order: the job waits again, where it stood."""
        raise NotImplementedError

    # What supervisors call.

    def recover(self, worker: str | None = None, *, cause: str | None = None) -> tuple[Job, ...]:
        """Jobs that dead workers held: they wait again, or have failed.

        `worker`: None for all workers (a server that has just started).  `cause`: None where the
        server or the computer stopped, which no job has to answer for; else why the worker died,
        and the second death without an image in between makes the job fail with it.
        """
        raise NotImplementedError

    # What people call.

    def get(self, job: str) -> Job:
        """UnknownError."""
        raise NotImplementedError

    def history(self, job: str) -> tuple[Happening, ...]:
        """What happened to a job, oldest first.  UnknownError."""
        raise NotImplementedError

    def list(
        self,
        states: Collection[State] = (),
        *,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Job, ...]:
        """Jobs in these states (or all): running, waiting in their order, ended newest first.

        `after`: the id of the last job of the page before.
        """
        raise NotImplementedError

    def state(self) -> QueueState:
        """Paused or not, and how many jobs wait and run."""
        raise NotImplementedError

    def pause(self, paused: bool, reason: str = "") -> None:
        """No further job begins, or they do again.  Running jobs go on."""
        raise NotImplementedError

    def cancel(self, job: str) -> Job:
        """The job ends at once, and so does a claim on it.  StateError where it has ended."""
        raise NotImplementedError

    def retry(self, job: str) -> Job:
        """A failed or cancelled job waits again, as the last; its images stay.  StateError."""
        raise NotImplementedError

    def move(self, job: str, before: str | None) -> Job:
        """A waiting job runs before another waiting one, or as the last.  StateError."""
        raise NotImplementedError

    def clear(self, what: Literal["waiting", "finished"]) -> int:
        """Cancel all that waits, or forget all that has ended (not its images).  How many."""
        raise NotImplementedError

    def remove(self, job: str) -> None:
        """Forget a job that does not run.  StateError where it runs."""
        raise NotImplementedError
