"""Transactions: whole or not at all, and never in each other's way."""

import sqlite3
import threading
from pathlib import Path

import pytest

from darkroom.errors import DarkroomError
from darkroom.store import database as module
from darkroom.store.database import Database, explained
from darkroom.store.opening import Store, join_store
from darkroom.store.refusals import DiskFullError, StoreError
from tests.store.samples import submit


@pytest.fixture
def numbers(tmp_path: Path) -> Database:
    opened = Database(tmp_path / "numbers.db")
    with opened.write() as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    return opened


def test_a_block_that_fails_leaves_nothing(numbers: Database) -> None:
    def half() -> None:
        with numbers.write() as connection:
            connection.execute("INSERT INTO numbers VALUES (1)")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    with numbers.read() as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone()[0] == 0
    numbers.close()


def test_commits_go_through_to_the_disk(numbers: Database) -> None:
    with numbers.read() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2
        assert connection.execute("PRAGMA fullfsync").fetchone()[0] == 1
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    numbers.close()


def test_many_threads_write_at_once(numbers: Database) -> None:
    wrong: list[Exception] = []

    def write(start: int) -> None:
        try:
            for n in range(start, start + 20):
                with numbers.write() as connection:
                    connection.execute("INSERT INTO numbers VALUES (?)", [n])
                with numbers.read() as connection:
                    connection.execute("SELECT count(*) FROM numbers").fetchone()
        except Exception as error:  # noqa: BLE001
            wrong.append(error)

    threads = [threading.Thread(target=write, args=[100 * n]) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    with numbers.read() as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone()[0] == 240
    numbers.close()


def test_readers_see_one_state(numbers: Database) -> None:
    with numbers.read() as reader:
        assert reader.execute("SELECT count(*) FROM numbers").fetchone()[0] == 0
        with numbers.write() as writer:
            writer.execute("INSERT INTO numbers VALUES (1)")
        assert reader.execute("SELECT count(*) FROM numbers").fetchone()[0] == 0
    numbers.close()


def test_a_closed_database_keeps_no_file_open(numbers: Database) -> None:
    with numbers.read() as connection:
        numbers.close()
    with pytest.raises(sqlite3.ProgrammingError):
        connection.execute("SELECT 1")


def test_a_database_held_by_a_stranger_is_told(
    numbers: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    stranger = sqlite3.connect(numbers.path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    fresh = Database(numbers.path)
    with pytest.raises(StoreError, match="Another program has held"), fresh.write():
        pass
    stranger.close()
    fresh.close()
    numbers.close()


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_FULL, DiskFullError, "disk is full"),
        (sqlite3.SQLITE_READONLY, StoreError, "cannot be written"),
        (sqlite3.SQLITE_CANTOPEN, StoreError, "cannot be written"),
        (sqlite3.SQLITE_IOERR | 3 << 8, StoreError, "does not read or write"),
        (sqlite3.SQLITE_CORRUPT, StoreError, "is damaged"),
        (sqlite3.SQLITE_NOTADB, StoreError, "is damaged"),
        (sqlite3.SQLITE_BUSY | 1 << 8, StoreError, "Another program"),
        (sqlite3.SQLITE_CONSTRAINT, StoreError, "cannot do this"),
        (None, StoreError, "cannot do this"),
    ],
)
def test_errors_of_sqlite_are_told_in_words(
    code: int | None, kind: type[DarkroomError], words: str
) -> None:
    error = sqlite3.OperationalError("technical")
    if code is not None:
        error.sqlite_errorcode = code
    told = explained(error)
    assert type(told) is kind
    assert words in told.message


def test_a_full_disk_fails_a_submission_and_loses_nothing(store: Store) -> None:
    """SQLite meets its limit of pages as it meets the end of a disk."""
    accepted = [submit(store, str(n)).id for n in range(5)]
    with store.database.read() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    while True:
        try:
            accepted.append(submit(store).id)
        except DiskFullError:
            break
    other = join_store(store.folder.root)
    assert [job.id for job in other.queue.list(limit=1000)] == accepted
    assert other.queue.history(accepted[-1])[0].kind == "accepted"
    submit(other)
    other.close()


def test_a_worker_joins_only_what_was_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not opened yet"):
        join_store(tmp_path)
    (tmp_path / "darkroom.db").touch()
    with pytest.raises(StoreError, match="not opened yet"):
        join_store(tmp_path)
