"""A sound database, whatever was found: new, migrated, or mended out of a damaged one."""

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from darkroom.store import durable, migrations, searching
from darkroom.store.database import connect, damaged, explained
from darkroom.store.folder import DataFolder
from darkroom.store.jobs import STATES

# SQLite quotes what it found, and Python cannot decode every quotation.
_BROKEN = (sqlite3.DatabaseError, UnicodeDecodeError)
_COPY_SECONDS = 3600  # a copy that is older is made anew
_SIDES = ("", "-wal", "-shm")
# Parents before those that refer to them.
_TABLES = (
    *("jobs", "made", "keys", "job_inputs", "history", "images", "recipes", "sources"),
    *("derived", "tags", "machines", "facts"),
)
_REFERENCES = (
    *((table, "job", "jobs", "id") for table in ("made", "keys", "job_inputs", "history")),
    *((table, "image", "images", "seq") for table in ("recipes", "sources", "tags")),
)


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What was done.  `mended`: it was damaged or gone.  `rebuild`: images may lack their rows."""

    notes: tuple[str, ...] = ()
    mended: bool = False
    rebuild: bool = False


def prepare(folder: DataFolder) -> Prepared:
    """Make sure that there is a sound database of the newest form.

    A damaged one is set aside, and what can be read of it is taken over, on top of the last copy.
    StoreError where a newer program made it, or the disk refuses.
    """
    path = folder.database
    try:
        there = path.exists() and path.stat().st_size > 0
        if (there and not sound(path)) or (not there and copy_of(path).is_file()):
            return _mended(folder, there=there)
        with closing(connect(path)) as connection:
            migrations.migrate(connection, path)
            lost = _finish(connection, folder)
        if lost is None:
            return _mended(folder, there=there)
        keep_copy(path)
    except sqlite3.Error as error:
        raise explained(error) from error
    except OSError as error:
        raise durable.output_error(error, "The database cannot be prepared") from error
    return Prepared(rebuild=lost)


def sound(path: Path) -> bool:
    """Whether SQLite can read it whole, and all tables are there that ought to be.

    StoreError where a newer program made it: that is no damage.
    """
    try:
        with closing(connect(path)) as connection:
            if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
                return False
            there = _tables(connection)
            if "migrations" not in there:
                return not there  # else another program's, or what is left of ours
            if migrations.pending(connection):
                return True
            with closing(sqlite3.connect(":memory:", isolation_level=None)) as ideal:
                migrations.migrate(ideal, path)
                return _tables(ideal) <= there
    except UnicodeDecodeError:
        return False
    except sqlite3.DatabaseError as error:
        if damaged(error):
            return False
        raise


def copy_of(path: Path) -> Path:
    """Where the last copy of a database lies."""
    return path.with_name(f"{path.stem}-copy{path.suffix}")


def keep_copy(path: Path) -> None:
    """Copy a sound database, unless that was done within the hour.  sqlite3.Error, OSError."""
    copy = copy_of(path)
    with suppress(FileNotFoundError):
        if 0 <= time.time() - copy.stat().st_mtime < _COPY_SECONDS:
            return
    with closing(connect(path)) as connection:
        migrations.copy(connection, copy)


def _mended(folder: DataFolder, *, there: bool) -> Prepared:
    """Set the damaged database aside, and make one of the last copy and what can be read."""
    path = folder.database
    aside = _set_aside(path)
    copied = _restore(path)
    with closing(connect(path)) as connection:
        migrations.migrate(connection, path)
        saved = _salvage(aside, connection) if there else 0
        _finish(connection, folder, anew=True)
    notes = [
        f"The database was damaged. It lies aside as {aside.name}, and a new one was made."
        if there
        else "The database was gone, and a new one was made."
    ]
    if copied:
        notes.append("What its last copy held was taken over.")
    if saved:
        notes.append(f"What could be read of the damaged one was taken over: {saved} rows.")
    notes.append("Images that are missing in it are taken up from their files.")
    return Prepared(notes=(" ".join(notes),), mended=True, rebuild=True)


def _finish(
    connection: sqlite3.Connection, folder: DataFolder, *, anew: bool = False
) -> bool | None:
    """Bring the search up to date.  Whether there are files of images, and not one row.

    None where the index of words is damaged beyond repair.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        searching.ensure(connection, anew=anew)
        connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        # What FTS5 cannot make sense of is, for SQLite, an error in what it was asked.
        if damaged(error) or error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
            return None
        raise
    images = connection.execute("SELECT 1 FROM images LIMIT 1").fetchone()
    return images is None and any(path.is_file() for path in folder.images.rglob("*"))


def _restore(path: Path) -> bool:
    """Begin with the last copy, if it is sound."""
    copy = copy_of(path)
    if not copy.is_file() or not sound(copy):
        return False
    with closing(connect(copy)) as connection:
        migrations.copy(connection, path)
    return True


def _set_aside(path: Path) -> Path:
    """Move the database and what belongs to it out of the way; nothing is removed."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    aside = path.with_name(f"{path.stem}-damaged-{stamp}{path.suffix}")
    for side in _SIDES:
        with suppress(FileNotFoundError):
            Path(f"{path}{side}").replace(f"{aside}{side}")
    return aside


def _salvage(aside: Path, target: sqlite3.Connection) -> int:
    """Copy all rows that can still be read, over those that are there.  How many."""
    saved = 0
    # A copy is read, because reading changes a database that was not closed.
    reading = Path(f"{aside}.read")
    target.execute("PRAGMA foreign_keys=OFF")
    try:
        for side in _SIDES[:2]:
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{aside}{side}", f"{reading}{side}")
        with closing(sqlite3.connect(reading, isolation_level=None)) as source:
            source.text_factory = lambda data: data.decode("utf-8", "replace")
            target.execute("BEGIN IMMEDIATE")
            for table in _TABLES:
                saved += _salvage_table(source, target, table)
            for table, column, parent, key in _REFERENCES:
                target.execute(
                    f"DELETE FROM {table} WHERE {column} NOT IN (SELECT {key} FROM {parent})"  # noqa: S608
                )
            target.execute("COMMIT")
    finally:
        if target.in_transaction:
            target.execute("ROLLBACK")
        target.execute("PRAGMA foreign_keys=ON")
        for side in _SIDES:
            durable.discard(Path(f"{reading}{side}"))
    return saved


def _salvage_table(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> int:
    """Copy the rows of one table that can be read, and are what rows of it are."""
    kinds = {row[1]: row[2] for row in target.execute(f"PRAGMA table_info({table})")}
    try:
        had = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    except _BROKEN:
        return 0
    columns = [name for name in kinds if name in had]
    if not columns:
        return 0
    marks = ", ".join("?" * len(columns))
    saved = 0
    for row in _readable(source, f"SELECT {', '.join(columns)} FROM {table}"):  # noqa: S608
        if _fits(dict(zip(columns, row, strict=True)), kinds):
            with suppress(sqlite3.IntegrityError):
                target.execute(
                    f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})",  # noqa: S608
                    row,
                )
                saved += 1
    return saved


def _readable(source: sqlite3.Connection, query: str) -> Iterator[Sequence[object]]:
    """Rows from the first up to the damage, and from the last up to it."""
    try:
        yield from source.execute(query)
    except _BROKEN:
        with suppress(*_BROKEN):
            yield from source.execute(f"{query} ORDER BY 1 DESC")


def _fits(row: dict[str, object], kinds: dict[str, str]) -> bool:
    """Whether the values are of their columns' types, and a job is one."""
    python = {"INTEGER": int, "TEXT": str}
    if not all(value is None or isinstance(value, python[kinds[n]]) for n, value in row.items()):
        return False
    if "requests" not in row:
        return True
    try:
        return row["state"] in STATES and isinstance(json.loads(str(row["requests"])), list)
    except ValueError:
        return False


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    }
