"""One SQLite file that threads and processes share, and on which every commit is durable."""

import queue
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from darkroom.errors import DarkroomError
from darkroom.store.refusals import DiskFullError, StoreError

BUSY_SECONDS = 60.0  # a write waits so long for the writes of others
_IDLE_CONNECTIONS = 8


class Database:
    """Connections to the database at `path`, lent to one thread at a time.

    Write-ahead log: readers never wait.  synchronous=FULL: what was committed survives the death
    of the process and of the power.  Nothing is opened before it is used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue(_IDLE_CONNECTIONS)
        self._closed = False

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the only right to write; committed where the block ends well.

        StoreError, DiskFullError.  Keep it short: all other writers wait.
        """
        with self._lent() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                # A full disk ends some transactions by itself.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction that only reads, and sees one state throughout.  StoreError."""
        with self._lent() as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close what is not lent.  What is lent closes when it comes back."""
        self._closed = True
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        try:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                connection = connect(self.path)
            try:
                yield connection
            finally:
                self._back(connection)
        except sqlite3.Error as error:
            raise explained(error) from error

    def _back(self, connection: sqlite3.Connection) -> None:
        """Keep a connection for the next, unless something is wrong with it."""
        if not self._closed and not connection.in_transaction:
            with suppress(queue.Full):
                self._idle.put_nowait(connection)
                return
        connection.close()


def connect(path: Path) -> sqlite3.Connection:
    """A connection as all of them are.  sqlite3.Error."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.text_factory = _text
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA fullfsync=ON")  # macOS asks the disk itself only then
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cache_size=-8000")  # kibibytes
        connection.execute("PRAGMA journal_size_limit=67108864")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _text(data: bytes) -> str:
    """Text of a column; one damaged letter shall not hide the whole page."""
    return data.decode("utf-8", "replace")


def explained(error: sqlite3.Error) -> DarkroomError:
    """An error of SQLite in a user's words."""
    code = getattr(error, "sqlite_errorcode", None)
    kind = None if code is None else code & 0xFF
    if kind == sqlite3.SQLITE_FULL:
        return DiskFullError(
            "The disk is full.", "Make room, or move the data folder: darkroom serve --data DIR."
        )
    if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreError(
            "Another program has held the database for a long time.",
            "Close programs that look into darkroom.db, and try again.",
        )
    if kind in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return StoreError(
            "The database cannot be written.", "Look at the rights of the data folder."
        )
    if kind == sqlite3.SQLITE_IOERR:
        return StoreError("The disk does not read or write the database.", "Look at the disk.")
    if damaged(error):
        return StoreError(
            "The database is damaged.",
            "Start Darkroom again: it is set aside and made anew from the images.",
        )
    return StoreError(f"The database cannot do this: {error}.")


def damaged(error: sqlite3.Error) -> bool:
    """Whether the file is no sound database (and not only busy, full or closed)."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
