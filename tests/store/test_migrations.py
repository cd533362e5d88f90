"""The database becomes a newer one, step by step, or stays what it was."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from darkroom.store import migrations
from darkroom.store.database import connect
from darkroom.store.opening import Store, open_store
from darkroom.store.refusals import StoreError
from tests.store.samples import submit


def add_colours(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE colours (name TEXT)")
    connection.execute("INSERT INTO colours VALUES ('blue')")


def add_shades(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE colours ADD COLUMN shade TEXT")


def power_cut(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE half (name TEXT)")
    connection.execute("DELETE FROM colours")
    raise KeyboardInterrupt


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.db"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    opened = connect(path)
    yield opened
    opened.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def test_each_is_applied_once_and_in_order(connection: sqlite3.Connection, path: Path) -> None:
    assert migrations.migrate(connection, path, (add_colours,)) == ("add_colours",)
    assert migrations.migrate(connection, path, (add_colours, add_shades)) == ("add_shades",)
    assert migrations.migrate(connection, path, (add_colours, add_shades)) == ()
    assert [*connection.execute("SELECT name, shade FROM colours").fetchone()] == ["blue", None]


def test_the_file_is_copied_before(connection: sqlite3.Connection, path: Path) -> None:
    migrations.migrate(connection, path, (add_colours,))
    assert list(path.parent.glob("*before*")) == [], "there was nothing to copy"
    migrations.migrate(connection, path, (add_colours, add_shades))
    copy = connect(path.with_name("some-before-add_shades.db"))
    assert [*copy.execute("SELECT * FROM colours").fetchone()] == ["blue"]
    copy.close()


def test_one_that_is_interrupted_never_was(connection: sqlite3.Connection, path: Path) -> None:
    migrations.migrate(connection, path, (add_colours,))
    with pytest.raises(KeyboardInterrupt):
        migrations.migrate(connection, path, (add_colours, power_cut, add_shades))
    assert "half" not in tables(connection)
    assert connection.execute("SELECT name FROM colours").fetchone()[0] == "blue"
    assert migrations.pending(connection, (add_colours, add_shades)) == (add_shades,)


def test_a_newer_database_is_refused(connection: sqlite3.Connection, path: Path) -> None:
    migrations.migrate(connection, path, (add_colours, add_shades))
    with pytest.raises(StoreError, match="newer Darkroom"):
        migrations.migrate(connection, path, (add_colours,))
    with pytest.raises(StoreError, match="newer Darkroom"):
        migrations.pending(connection, (add_shades, add_colours))


def test_a_newer_store_is_refused_and_left_as_it_is(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(store)
    with store.database.write() as connection:
        connection.execute("INSERT INTO migrations (name) VALUES ('of_tomorrow')")
    store.close()
    with pytest.raises(StoreError) as refused:
        open_store(store.folder.root)
    assert "newer Darkroom" in refused.value.message
    assert refused.value.hint
    with monkeypatch.context() as patch:
        newer = (*migrations.MIGRATIONS, of_tomorrow)
        patch.setattr(migrations.pending, "__defaults__", (newer,))
        patch.setattr(migrations.migrate, "__defaults__", (newer,))
        opened = open_store(store.folder.root)
        assert opened.queue.get(job.id).id == job.id
        opened.close()
    assert list(store.folder.root.glob("*damaged*")) == []


def of_tomorrow(connection: sqlite3.Connection) -> None:
    """One that this program does not know yet."""


def test_names_of_migrations_differ() -> None:
    names = [migration.__name__ for migration in migrations.MIGRATIONS]
    assert len(set(names)) == len(names)
