"""The rows of jobs: order, states, history.  All within the transaction of a caller."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from darkroom.store import moments, rows
from darkroom.store.jobs import Job, JobError, Kind, State
from darkroom.store.refusals import UnknownError
from darkroom.store.searching import clean

# Ranks: what runs stands before what waits, and that before what has ended.
RUNNING, WAITING, ENDED = 0, 1, 2
RANKS: Mapping[State, int] = {
    "running": RUNNING,
    "waiting": WAITING,
    "done": ENDED,
    "failed": ENDED,
    "cancelled": ENDED,
}
_GAP = 2**20  # between two places, so that jobs can move between them
COLUMNS = (
    "jobs.*,"
    " (SELECT count(*) FROM made WHERE job = jobs.id AND number < jobs.images"
    " AND image IS NOT NULL) AS images_done,"
    " (SELECT image FROM made WHERE job = jobs.id AND number = jobs.images) AS sheet"
)


def row(connection: sqlite3.Connection, job: str) -> sqlite3.Row:
    """The row of a job.  UnknownError."""
    found: sqlite3.Row | None = connection.execute(
        f"SELECT {COLUMNS} FROM jobs WHERE id = ?",  # noqa: S608
        [clean(job)],
    ).fetchone()
    if found is None:
        raise UnknownError("There is no such job (any more).")
    return found


def job(connection: sqlite3.Connection, name: str) -> Job:
    """The job of a name.  UnknownError."""
    return jobs(connection, [row(connection, name)])[0]


def jobs(
    connection: sqlite3.Connection, found: Sequence[sqlite3.Row], *, position: int | None = None
) -> tuple[Job, ...]:
    """The jobs of rows in the order of the queue.  `position`: of the first that waits, if known.

    Waiting jobs must follow each other as they do in the queue.
    """
    result = []
    for one in found:
        waits = one["rank"] == WAITING
        if waits and position is None:
            position = connection.execute(
                "SELECT count(*) FROM jobs WHERE rank = ? AND place < ?", [WAITING, one["place"]]
            ).fetchone()[0]
        result.append(_job(one, position if waits else None))
        position = position + 1 if waits and position is not None else None
    return tuple(result)


def _job(one: sqlite3.Row, position: int | None) -> Job:
    message = one["message"]
    return Job(
        **{name: one[name] for name in _COPIED},
        requests=tuple(_parsed(one["requests"]) or ()),
        position=position,
        error=None if message is None else JobError(message=message, hint=one["hint"] or ""),
        grid=_parsed(one["grid"]),
        notes=rows.texts_of(one["notes"]),
    )


_COPIED = (
    *("id", "state", "title", "task", "images", "images_done", "attempts", "deaths"),
    *("created", "started", "finished", "sheet", "origin"),
)


def _parsed(text: str | None) -> Any:
    """A JSON value as a row keeps it; None where a damaged one cannot be understood."""
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None


def count(connection: sqlite3.Connection, rank: int) -> int:
    """How many jobs are of a rank."""
    found = connection.execute("SELECT count(*) FROM jobs WHERE rank = ?", [rank]).fetchone()
    return int(found[0])


def paused(connection: sqlite3.Connection) -> str | None:
    """Why the queue is paused (the reason may be empty); None where it is not."""
    found = connection.execute("SELECT value FROM facts WHERE name = 'paused'").fetchone()
    return None if found is None else str(found[0])


def happened(
    connection: sqlite3.Connection, job: str, kind: Kind, detail: str = "", *, at: str | None = None
) -> None:
    """Write a line of a job's history."""
    connection.execute(
        "INSERT INTO history (job, at, kind, detail) VALUES (?, ?, ?, ?)",
        [job, at or moments.now(), kind, clean(detail)],
    )


def last_place(connection: sqlite3.Connection) -> int:
    """A place behind all that wait or run."""
    found = connection.execute(
        "SELECT max(place) FROM (SELECT max(place) AS place FROM jobs WHERE rank = ?"
        " UNION ALL SELECT max(place) FROM jobs WHERE rank = ?)",
        [RUNNING, WAITING],
    ).fetchone()[0]
    return _GAP if found is None else int(found) + _GAP


def place_before(connection: sqlite3.Connection, before: str, job: str) -> int:
    """A free place right before a waiting job, for another one; all move apart if there is none."""
    place = row(connection, before)["place"]
    lower = _lower(connection, place, job)
    if place - lower < 2:
        connection.execute(
            "UPDATE jobs SET place = fresh.number * ? FROM (SELECT id, row_number() OVER"
            " (ORDER BY place) AS number FROM jobs WHERE rank IN (?, ?)) AS fresh"
            " WHERE jobs.id = fresh.id",
            [_GAP, RUNNING, WAITING],
        )
        place = row(connection, before)["place"]
        lower = _lower(connection, place, job)
    return int((place + lower) // 2)


def _lower(connection: sqlite3.Connection, place: int, job: str) -> int:
    """The next lower place that another job has."""
    found = connection.execute(
        "SELECT max(place) FROM jobs WHERE rank IN (?, ?) AND place < ? AND id != ?",
        [RUNNING, WAITING, place, job],
    ).fetchone()[0]
    return place - 2 * _GAP if found is None else int(found)


def end(
    connection: sqlite3.Connection,
    job: str,
    state: State,
    message: str | None = None,
    hint: str = "",
) -> None:
    """A job is over; it stands first among those that ended, and no claim on it is left."""
    moment = moments.now()
    connection.execute(
        "UPDATE jobs SET rank = ?, place = ?, state = ?, worker = NULL, token = NULL,"
        " message = ?, hint = ?, finished = ? WHERE id = ?",
        [
            *(ENDED, _first_ended(connection) - 1, state),
            *(None if message is None else clean(message), clean(hint), moment, job),
        ],
    )
    kind: Kind = "done" if state == "done" else "failed" if state == "failed" else "cancelled"
    happened(connection, job, kind, message or "", at=moment)


def cancel_waiting(connection: sqlite3.Connection) -> int:
    """All waiting jobs end, in a few statements however many they are."""
    moment, first = moments.now(), _first_ended(connection)
    connection.execute(
        "INSERT INTO history (job, at, kind, detail)"
        " SELECT id, ?, 'cancelled', '' FROM jobs WHERE rank = ? ORDER BY place",
        [moment, WAITING],
    )
    done = connection.execute(
        "UPDATE jobs SET rank = ?, state = 'cancelled', finished = ?, place = ? - fresh.number"
        " FROM (SELECT id, row_number() OVER (ORDER BY place) AS number FROM jobs WHERE rank = ?)"
        " AS fresh WHERE jobs.id = fresh.id",
        [ENDED, moment, first, WAITING],
    )
    return done.rowcount


def _first_ended(connection: sqlite3.Connection) -> int:
    """The place of the job that ended last."""
    found = connection.execute("SELECT min(place) FROM jobs WHERE rank = ?", [ENDED]).fetchone()[0]
    return 0 if found is None else int(found)
