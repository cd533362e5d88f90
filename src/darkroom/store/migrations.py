"""The tables of the database, and how each state of them becomes the next.

`MIGRATIONS` is in the order in which they are applied, once each.  One that was released is never
changed: what is to be different is a new one at the end.  Each runs in a transaction with the
line that says that it ran, so the tables are of the old form or of the new one, never between.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from darkroom.store import durable
from darkroom.store.refusals import StoreError

Migration = Callable[[sqlite3.Connection], None]


def jobs_and_images(connection: sqlite3.Connection) -> None:
    """The queue, the gallery, and the machines."""
    for statement in _FIRST.split(";\n"):
        connection.execute(statement)


MIGRATIONS: tuple[Migration, ...] = (jobs_and_images,)

# `place` orders jobs of the same `rank` (0 runs, 1 waits, 2 has ended), so that a page of the
# queue is a walk along one index.  `made`: numbers that are settled; `image` is empty for those
# that were skipped.  What is long stands beside the rows that pages are made of.
_FIRST = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    rank INTEGER NOT NULL,
    place INTEGER NOT NULL,
    state TEXT NOT NULL,
    title TEXT NOT NULL,
    task TEXT NOT NULL,
    images INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    worker TEXT,
    token TEXT,
    message TEXT,
    hint TEXT,
    created TEXT NOT NULL,
    started TEXT,
    finished TEXT,
    origin TEXT,
    notes TEXT NOT NULL DEFAULT '[]',
    grid TEXT,
    requests TEXT NOT NULL
);
CREATE INDEX jobs_in_order ON jobs (rank, place);
CREATE INDEX jobs_of_worker ON jobs (worker) WHERE worker IS NOT NULL;
CREATE TABLE made (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    image TEXT,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE keys (
    key TEXT PRIMARY KEY,
    said TEXT NOT NULL,
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE
) WITHOUT ROWID;
CREATE INDEX keys_of_job ON keys (job);
CREATE TABLE job_inputs (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (job, sha256)
) WITHOUT ROWID;
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX history_of_job ON history (job, id);
CREATE TABLE images (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    job TEXT,
    number INTEGER,
    sheet INTEGER NOT NULL DEFAULT 0,
    file TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    seed TEXT,
    prompt TEXT NOT NULL,
    negative TEXT NOT NULL,
    model TEXT,
    task TEXT,
    created TEXT NOT NULL,
    favourite INTEGER NOT NULL DEFAULT 0,
    film_steps INTEGER NOT NULL DEFAULT 0,
    flagged INTEGER NOT NULL DEFAULT 0,
    trashed TEXT,
    UNIQUE (job, number)
);
CREATE INDEX images_shown ON images (seq) WHERE trashed IS NULL;
CREATE INDEX images_trashed ON images (trashed) WHERE trashed IS NOT NULL;
CREATE INDEX images_by_sha256 ON images (sha256);
CREATE INDEX images_by_model ON images (model, seq) WHERE trashed IS NULL;
CREATE INDEX images_favourite ON images (seq) WHERE favourite AND trashed IS NULL;
CREATE TABLE recipes (
    image INTEGER PRIMARY KEY REFERENCES images (seq) ON DELETE CASCADE,
    recipe TEXT,
    notes TEXT NOT NULL
);
CREATE TABLE sources (
    image INTEGER NOT NULL REFERENCES images (seq) ON DELETE CASCADE,
    sha256 TEXT NOT NULL,
    PRIMARY KEY (image, sha256)
) WITHOUT ROWID;
CREATE INDEX sources_by_sha256 ON sources (sha256);
CREATE TABLE derived (
    sha256 TEXT NOT NULL,
    original TEXT NOT NULL,
    PRIMARY KEY (sha256, original)
) WITHOUT ROWID;
CREATE INDEX derived_by_original ON derived (original);
CREATE TABLE tags (
    tag TEXT NOT NULL,
    image INTEGER NOT NULL REFERENCES images (seq) ON DELETE CASCADE,
    PRIMARY KEY (tag, image)
) WITHOUT ROWID;
CREATE INDEX tags_of_image ON tags (image);
CREATE TABLE machines (
    device TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    cores INTEGER NOT NULL,
    memory_total INTEGER NOT NULL,
    memory_free INTEGER NOT NULL,
    speed TEXT NOT NULL
);
CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID"""


def pending(
    connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS
) -> tuple[Migration, ...]:
    """Those that were not applied.  StoreError where a newer program applied others."""
    known = [migration.__name__ for migration in migrations]
    there = connection.execute(
        "SELECT count(*) FROM sqlite_master WHERE name = 'migrations'"
    ).fetchone()[0]
    applied = []
    if there:
        rows = connection.execute("SELECT name FROM migrations ORDER BY number")
        applied = [row[0] for row in rows]
    if applied != known[: len(applied)]:
        raise StoreError(
            "The data folder was used by a newer Darkroom, whose database this one does not know.",
            "Install the newer Darkroom, or name another folder with --data.",
        )
    return migrations[len(applied) :]


def migrate(
    connection: sqlite3.Connection,
    path: Path,
    migrations: tuple[Migration, ...] = MIGRATIONS,
) -> tuple[str, ...]:
    """Apply what is missing; the names of what was applied.

    A database that holds something is copied first, to `NAME-before-MIGRATION.db` beside it.
    """
    todo = pending(connection, migrations)
    if not todo:
        return ()
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        copy(connection, path.with_name(f"{path.stem}-before-{todo[0].__name__}.db"))
    for migration in todo:
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)"
            )
            migration(connection)
            connection.execute("INSERT INTO migrations (name) VALUES (?)", [migration.__name__])
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return tuple(migration.__name__ for migration in todo)


def copy(connection: sqlite3.Connection, path: Path) -> None:
    """A whole copy of the database at `path`, in one step, in place of what stands there."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    target = sqlite3.connect(part)
    try:
        connection.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")
    finally:
        target.close()
    durable.publish(part, path)
