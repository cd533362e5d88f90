"""The queue of jobs.  Accepted means committed: no death of any process loses a job.

What workers and supervisors do to it is in `claims`; both are sides of the same tables.
"""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from darkroom.errors import RequestError
from darkroom.store import moments, searching, tables
from darkroom.store.claims import Claims
from darkroom.store.database import Database
from darkroom.store.folder import DataFolder
from darkroom.store.jobs import STATES, Happening, Job, QueueState, State
from darkroom.store.refusals import KeyConflictError, QueueFullError, StateError, UnknownError
from darkroom.store.tables import ENDED, RUNNING, WAITING
from darkroom.store.wire import files_of

MAX_WAITING = 20_000
MAX_PAGE = 1000
_LONGEST_KEY = 255


class Queue(Claims):
    """Jobs in the database, images in the folder.  Threads and processes may share them."""

    def __init__(
        self, database: Database, folder: DataFolder, *, max_waiting: int = MAX_WAITING
    ) -> None:
        super().__init__(database, folder)
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
        if not requests or images < 1:
            raise RequestError("A job needs something to make.")
        files = {name for wire in requests for name in files_of(wire)}
        if any(not self._folder.input(name).is_file() for name in files):
            raise UnknownError("The uploaded image is not there any more.", "Upload it again.")
        said = _digest(list(requests) if said is None else said)
        job, moment = secrets.token_hex(8), moments.now()
        with self._database.write() as connection:
            known = self._of_key(connection, key, said)
            if known is not None:
                return known
            waiting = self._make_room(connection)
            connection.execute(
                "INSERT INTO jobs (id, rank, place, state, title, task, images, created, origin,"
                " notes, grid, requests) VALUES (?, ?, ?, 'waiting', ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    *(job, WAITING, tables.last_place(connection)),
                    *(searching.clean(title), task, images, moment, origin),
                    json.dumps(list(notes)),
                    None if grid is None else json.dumps(grid, allow_nan=False),
                    json.dumps(list(requests), allow_nan=False),
                ],
            )
            connection.executemany(
                "INSERT INTO job_inputs VALUES (?, ?)", [(job, name) for name in files]
            )
            if key is not None:
                connection.execute("INSERT INTO keys VALUES (?, ?, ?)", [key, said, job])
            tables.happened(connection, job, "accepted", at=moment)
            return tables.jobs(connection, [tables.row(connection, job)], position=waiting)[0]

    def by_key(self, key: str, said: object) -> Job | None:
        """The job that was accepted under a key, to answer a repeated wish before any work.

        KeyConflictError where something else was said then.
        """
        with self._database.read() as connection:
            return self._of_key(connection, key, _digest(said))

    def get(self, job: str) -> Job:
        """UnknownError."""
        with self._database.read() as connection:
            return tables.job(connection, job)

    def history(self, job: str) -> tuple[Happening, ...]:
        """What happened to a job, oldest first.  UnknownError."""
        with self._database.read() as connection:
            tables.row(connection, job)
            rows = connection.execute(
                "SELECT at, kind, detail FROM history WHERE job = ? ORDER BY id", [job]
            ).fetchall()
        return tuple(
            Happening(at=row["at"], kind=row["kind"], detail=row["detail"]) for row in rows
        )

    def list(
        self,
        states: Collection[State] = (),
        *,
        limit: int = 100,
        after: str | None = None,
    ) -> tuple[Job, ...]:
        """Jobs in these states (or all): running, waiting in their order, ended newest first.

        `after`: the id of the last job of the page before.  RequestError, UnknownError.
        """
        if not 1 <= limit <= MAX_PAGE:
            raise RequestError(f"limit: expected 1 to {MAX_PAGE}, got {limit}.")
        wanted = [state for state in STATES if state in states] if states else list(STATES)
        if states and len(wanted) != len(set(states)):
            raise RequestError(f"state: expected one of {', '.join(STATES)}.")
        ranks = sorted({tables.RANKS[state] for state in wanted})
        with self._database.read() as connection:
            start = (-1, 0)
            if after is not None:
                last = tables.row(connection, after)
                start = (last["rank"], last["place"])
            found: list[sqlite3.Row] = []
            for rank in ranks:
                found += _walk(connection, rank, wanted, start, limit - len(found))
            return tables.jobs(connection, found)

    def state(self) -> QueueState:
        """Paused or not, and how many jobs wait and run."""
        with self._database.read() as connection:
            reason = tables.paused(connection)
            return QueueState(
                paused=reason is not None,
                reason=reason or "",
                waiting=tables.count(connection, WAITING),
                running=tables.count(connection, RUNNING),
            )

    def pause(self, paused: bool, reason: str = "") -> None:
        """No further job begins, or they do again.  Running jobs go on."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM facts WHERE name = 'paused'")
            if paused:
                connection.execute(
                    "INSERT INTO facts VALUES ('paused', ?)", [searching.clean(reason)]
                )

    def cancel(self, job: str) -> Job:
        """The job ends at once, and so does a claim on it.  StateError where it has ended."""
        with self._database.write() as connection:
            if tables.row(connection, job)["rank"] == ENDED:
                raise StateError("The job has ended already.")
            tables.end(connection, job, "cancelled")
            return tables.job(connection, job)

    def retry(self, job: str) -> Job:
        """A failed or cancelled job waits again, as the last; its images stay.  StateError."""
        with self._database.write() as connection:
            if tables.row(connection, job)["state"] not in {"failed", "cancelled"}:
                raise StateError("Only a job that failed or was cancelled can be tried again.")
            self._make_room(connection)
            connection.execute(
                "UPDATE jobs SET rank = ?, place = ?, state = 'waiting', deaths = 0,"
                " message = NULL, hint = NULL, started = NULL, finished = NULL WHERE id = ?",
                [WAITING, tables.last_place(connection), job],
            )
            tables.happened(connection, job, "retried")
            return tables.job(connection, job)

    def move(self, job: str, before: str | None) -> Job:
        """A waiting job runs before another waiting one, or as the last.  StateError."""
        with self._database.write() as connection:
            for name in (job, before):
                if name is not None and tables.row(connection, name)["rank"] != WAITING:
                    raise StateError("Only jobs that wait can change places.")
            if job != before:
                place = (
                    tables.last_place(connection)
                    if before is None
                    else tables.place_before(connection, before, job)
                )
                connection.execute("UPDATE jobs SET place = ? WHERE id = ?", [place, job])
            return tables.job(connection, job)

    def clear(self, what: Literal["waiting", "finished"]) -> int:
        """Cancel all that waits, or forget all that has ended (not its images).  How many."""
        with self._database.write() as connection:
            if what == "waiting":
                return tables.cancel_waiting(connection)
            if what == "finished":
                done = connection.execute("DELETE FROM jobs WHERE rank = ?", [ENDED])
                return done.rowcount
        raise RequestError("what: expected waiting or finished.")

    def remove(self, job: str) -> None:
        """Forget a job that does not run.  StateError where it runs."""
        with self._database.write() as connection:
            if tables.row(connection, job)["rank"] == RUNNING:
                raise StateError("The job runs.", "Cancel it first.")
            connection.execute("DELETE FROM jobs WHERE id = ?", [job])

    def _of_key(self, connection: sqlite3.Connection, key: str | None, said: str) -> Job | None:
        if key is None:
            return None
        if not 1 <= len(key) <= _LONGEST_KEY or not key.isprintable():
            raise RequestError(
                f"An idempotency key has 1 to {_LONGEST_KEY} characters that can be printed."
            )
        row = connection.execute("SELECT said, job FROM keys WHERE key = ?", [key]).fetchone()
        if row is None:
            return None
        if row["said"] != said:
            raise KeyConflictError(
                "This idempotency key was used before, for another wish.",
                "Take a new key for a new wish.",
            )
        return tables.job(connection, row["job"])

    def _make_room(self, connection: sqlite3.Connection) -> int:
        """How many jobs wait.  QueueFullError where no further one may."""
        waiting = tables.count(connection, WAITING)
        if waiting >= self._max_waiting:
            raise QueueFullError(
                f"{self._max_waiting} jobs wait already.", "Try again when some of them are done."
            )
        return waiting


def _walk(
    connection: sqlite3.Connection,
    rank: int,
    states: Sequence[State],
    start: tuple[int, int],
    limit: int,
) -> Sequence[sqlite3.Row]:
    """The next rows of one rank behind a place, in the order of the index."""
    if limit < 1 or rank < start[0]:
        return []
    marks = ", ".join("?" * len(states))
    behind = "AND place > ?" if rank == start[0] else ""
    values = [rank, *([start[1]] if behind else []), *states, limit]
    return connection.execute(
        f"SELECT {tables.COLUMNS} FROM jobs WHERE rank = ? {behind} AND state IN ({marks})"  # noqa: S608
        " ORDER BY place LIMIT ?",
        values,
    ).fetchall()


def _digest(said: object) -> str:
    """Equal JSON values have equal digests."""
    try:
        text = json.dumps(said, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError("The wish is no JSON value.") from error
    return hashlib.sha256(text.encode()).hexdigest()
