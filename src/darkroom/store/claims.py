"""What workers do to the queue, each only for as long as its claim on a job holds."""

import hashlib
import json
import secrets
import sqlite3
from pathlib import Path

from darkroom.errors import OutputError
from darkroom.store import durable, moments, rows, tables
from darkroom.store.database import Database
from darkroom.store.folder import DataFolder
from darkroom.store.jobs import Claim, Job, NewImage
from darkroom.store.pictures import Image
from darkroom.store.tables import RUNNING, WAITING

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_DEADLY = 2  # deaths of workers over a job, without an image in between, that make it fail


class Claims:
    """The workers' side of the queue.

    Calls that take a Claim return None or False, and do nothing, where that claim has ended:
    the job was cancelled, or is another worker's now.
    """

    def __init__(self, database: Database, folder: DataFolder) -> None:
        self._database = database
        self._folder = folder

    def claim(self, worker: str) -> Claim | None:
        """The next job, for this worker alone; None where nothing waits or the queue is paused."""
        with self._database.read() as connection:  # most calls find nothing, and disturb nobody
            if _next(connection) is None:
                return None
        with self._database.write() as connection:
            job = _next(connection)
            if job is None:
                return None
            token, moment = secrets.token_hex(8), moments.now()
            connection.execute(
                "UPDATE jobs SET rank = ?, state = 'running', worker = ?, token = ?,"
                " attempts = attempts + 1, started = coalesce(started, ?) WHERE id = ?",
                [RUNNING, worker, token, moment, job],
            )
            tables.happened(connection, job, "started", worker, at=moment)
            made = connection.execute("SELECT number FROM made WHERE job = ?", [job])
            settled = frozenset(row[0] for row in made)
            claimed = tables.job(connection, job)
        return Claim(job=claimed, worker=worker, token=token, settled=settled)

    def holds(self, claim: Claim) -> bool:
        """Whether the claim has not ended."""
        with self._database.read() as connection:
            return _holds(connection, claim)

    def image_done(self, claim: Claim, number: int, image: NewImage) -> Image | None:
        """Write image `number` of the job (or its table: `job.images`) and show it, in one step.

        The file is complete on the disk before its row is seen.  An image that is there already
        stays, and is returned.  OutputError, DiskFullError: nothing changed, try again.
        """
        new = _row(claim.job, number, image)
        place = self._folder.shown(new.file)
        part = durable.stage(place.parent, image.data)
        try:
            with self._database.write() as connection:
                if not _holds(connection, claim):
                    return None
                if not _is_made(connection, claim, number):
                    # Under the lock of the database: an orphan of another claim cannot come here.
                    durable.publish(part, place)
                    rows.insert(connection, new)
                    connection.execute(
                        "INSERT INTO made VALUES (?, ?, ?)", [claim.job.id, number, new.id]
                    )
                    connection.execute("UPDATE jobs SET deaths = 0 WHERE id = ?", [claim.job.id])
                found = connection.execute("SELECT * FROM images WHERE id = ?", [new.id]).fetchall()
                images = rows.images(connection, self._folder, found)
                return images[0] if images else None
        finally:
            durable.discard(part)

    def image_skipped(self, claim: Claim, number: int) -> bool:
        """The image is left out on the user's word."""
        with self._database.write() as connection:
            if not _holds(connection, claim):
                return False
            connection.execute(
                "INSERT OR IGNORE INTO made VALUES (?, ?, NULL)", [claim.job.id, number]
            )
            return True

    def note(self, claim: Claim, message: str) -> bool:
        """Add a sentence to the job's notes, once."""
        with self._database.write() as connection:
            if not _holds(connection, claim):
                return False
            notes = rows.texts_of(tables.row(connection, claim.job.id)["notes"])
            if message not in notes:
                connection.execute(
                    "UPDATE jobs SET notes = ? WHERE id = ?",
                    [json.dumps([*notes, message]), claim.job.id],
                )
            return True

    def finished(self, claim: Claim) -> Job | None:
        """The job is done."""
        with self._database.write() as connection:
            if not _holds(connection, claim):
                return None
            tables.end(connection, claim.job.id, "done")
            return tables.job(connection, claim.job.id)

    def failed(self, claim: Claim, message: str, hint: str = "") -> Job | None:
        """The job cannot be done."""
        with self._database.write() as connection:
            if not _holds(connection, claim):
                return None
            tables.end(connection, claim.job.id, "failed", message, hint)
            return tables.job(connection, claim.job.id)

    def release(self, claim: Claim, detail: str = "") -> Job | None:
        """The worker stops in good order: the job waits again, where it stood."""
        with self._database.write() as connection:
            if not _holds(connection, claim):
                return None
            _wait_again(connection, claim.job.id)
            tables.happened(connection, claim.job.id, "interrupted", detail)
            return tables.job(connection, claim.job.id)

    def recover(self, worker: str | None = None, *, cause: str | None = None) -> tuple[Job, ...]:
        """Jobs that dead workers held: they wait again, or have failed.

        `worker`: None for all workers (a server that has just started).  `cause`: None where the
        server or the computer stopped, which no job has to answer for; else why the worker died,
        and the second death without an image in between makes the job fail with it.
        """
        with self._database.write() as connection:
            held = connection.execute(
                "SELECT id, deaths FROM jobs WHERE rank = ? AND (? IS NULL OR worker = ?)",
                [RUNNING, worker, worker],
            ).fetchall()
            for row in held:
                if cause is None:
                    _wait_again(connection, row["id"])
                    tables.happened(connection, row["id"], "interrupted", "Darkroom was stopped.")
                else:
                    _died(connection, row["id"], row["deaths"] + 1, cause)
            return tuple(tables.job(connection, row["id"]) for row in held)


def _next(connection: sqlite3.Connection) -> str | None:
    """The job that is to run next."""
    if tables.paused(connection) is not None:
        return None
    row = connection.execute(
        "SELECT id FROM jobs WHERE rank = ? ORDER BY place LIMIT 1", [WAITING]
    ).fetchone()
    return None if row is None else str(row[0])


def _holds(connection: sqlite3.Connection, claim: Claim) -> bool:
    row = connection.execute(
        "SELECT 1 FROM jobs WHERE id = ? AND rank = ? AND token = ?",
        [claim.job.id, RUNNING, claim.token],
    ).fetchone()
    return row is not None


def _is_made(connection: sqlite3.Connection, claim: Claim, number: int) -> bool:
    row = connection.execute(
        "SELECT 1 FROM made WHERE job = ? AND number = ?", [claim.job.id, number]
    ).fetchone()
    return row is not None


def _wait_again(connection: sqlite3.Connection, job: str) -> None:
    connection.execute(
        "UPDATE jobs SET rank = ?, state = 'waiting', worker = NULL, token = NULL WHERE id = ?",
        [WAITING, job],
    )


def _died(connection: sqlite3.Connection, job: str, deaths: int, cause: str) -> None:
    connection.execute("UPDATE jobs SET deaths = ? WHERE id = ?", [deaths, job])
    tables.happened(connection, job, "worker died", cause)
    if deaths < _DEADLY:
        _wait_again(connection, job)
        return
    message = f"The program that makes the images ended twice over this job: {cause}"
    hint = "Try it smaller: fewer pixels, or fewer images at once."
    tables.end(connection, job, "failed", message, hint)


def _row(job: Job, number: int, image: NewImage) -> rows.NewRow:
    """The row of an image: name and id follow from job and number, so a rerun finds them again."""
    sheet = number == job.images and job.grid is not None
    if not (sheet or 0 <= number < job.images):
        raise ValueError(f"job {job.id} has no image {number}")
    if image.suffix not in SUFFIXES:
        raise OutputError(f"Images are not kept as {image.suffix}.")
    return rows.NewRow(
        id=f"{job.id}-{'sheet' if sheet else number}",
        job=job.id,
        number=number,
        sheet=sheet,
        file=file_name(job.created, job.id, None if sheet else number, image.suffix),
        sha256=hashlib.sha256(image.data).hexdigest(),
        bytes=len(image.data),
        width=image.width,
        height=image.height,
        created=moments.now(),
        recipe=image.recipe,
        told=job.title if image.recipe is None else "",
        notes=image.notes,
        film_steps=image.film_steps,
    )


def file_name(created: str, job: str, number: int | None, suffix: str) -> str:
    """`2026-11/20261120-201530-JOB-001.png`; `rebuilding` reads it.  No number: `-sheet`."""
    date, time = created[:10], created[11:19]
    last = "sheet" if number is None else f"{number + 1:03d}"
    stem = f"{date.replace('-', '')}-{time.replace(':', '')}-{job}-{last}"
    return str(Path(date[:7]) / f"{stem}{suffix}").replace("\\", "/")
