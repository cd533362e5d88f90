"""A damaged database is set aside, and nothing that can be had again is lost."""

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from darkroom.store import mending
from darkroom.store.opening import Store, open_store
from darkroom.store.pictures import Filter
from darkroom.store.refusals import DiskFullError, StoreError
from tests.store import samples
from tests.store.samples import submit

JOBS, IMAGES = 60, 12


def filled(root: Path) -> tuple[list[str], list[str]]:
    """Ids of jobs that wait, and of images, in a store that was closed in good order."""
    store = open_store(root)
    images = [
        samples.make(store, f"pixels:a fox {n}".encode(), prompt=f"a fox {n}").id
        for n in range(IMAGES)
    ]
    store.gallery.favourite(images[0], True)
    jobs = [submit(store, f"job {n}", notes=["x" * 300]).id for n in range(JOBS)]
    store.close()
    return jobs, images


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[str]]:
    """A data folder to be copied and damaged."""
    root = tmp_path_factory.mktemp("model") / "data"
    return root, *filled(root)


def copied(model: tuple[Path, list[str], list[str]], tmp_path: Path) -> Path:
    root = tmp_path / "data"
    shutil.copytree(model[0], root)
    return root


def overwrite(start: float, length: float, byte: bytes = b"\xa5") -> Callable[[Path], None]:
    """Damages a part of the file, both ends given as shares of it."""

    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        first, last = int(start * len(data)), int((start + length) * len(data))
        data[first:last] = byte * (last - first)
        path.write_bytes(data)

    return damage


def truncate(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def drop_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA foreign_keys=OFF")
    connection.execute("DROP TABLE images")
    connection.commit()
    connection.close()


def no_database(path: Path) -> None:
    path.write_text("not a database " * 1000)


def other_program(path: Path) -> None:
    other = path.with_name("other.sqlite")
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE jobs (something TEXT)")
    connection.execute("INSERT INTO jobs VALUES ('else')")
    connection.commit()
    connection.close()
    shutil.copy(other, path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "its head": overwrite(0.0, 0.001),
    "its middle": overwrite(0.4, 0.2),
    "its end": overwrite(0.8, 0.2),
    "zeros": overwrite(0.3, 0.3, b"\0"),
    "all of it": overwrite(0.0, 1.0),
    "cut short": truncate,
    "another kind of file": no_database,
    "a table is gone": drop_table,
    "another program's": other_program,
}


@pytest.mark.parametrize("with_copy", [True, False], ids=["with a copy", "without a copy"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_mended(
    model: tuple[Path, list[str], list[str]], tmp_path: Path, damage: str, with_copy: bool
) -> None:
    _, jobs, images = model
    root = copied(model, tmp_path)
    mending.copy_of(root / "darkroom.db").unlink()
    if with_copy:
        open_store(root).close()
    DAMAGES[damage](root / "darkroom.db")
    damaged = (root / "darkroom.db").read_bytes()

    store = open_store(root)
    assert len(store.notes) == 1
    assert "was damaged" in store.notes[0]
    assert store.rebuild
    (aside,) = [path for path in root.glob("darkroom-damaged-*") if path.suffix == ".db"]
    assert aside.read_bytes()[100:] == damaged[100:], "kept as it was, but for SQLite's own header"
    store.gallery.rebuild(samples.read)
    shown = store.gallery.page(Filter(search="fox")).images
    assert {image.id for image in shown} == set(images)
    assert not any(image.missing for image in shown)
    waiting = [job.id for job in store.queue.list(["waiting"], limit=1000)]
    assert set(waiting) <= set(jobs)
    if with_copy:
        assert waiting == jobs
        assert store.gallery.get(images[0]).favourite
    if waiting:
        assert store.queue.state().paused
        assert "damaged" in store.queue.state().reason
    submit(store)
    store.close()
    again = open_store(root)
    assert again.notes == ()
    again.close()


def test_what_is_readable_comes_out_of_a_damaged_file(
    model: tuple[Path, list[str], list[str]], tmp_path: Path
) -> None:
    """One page of an index: every row can still be read."""
    root = copied(model, tmp_path)
    path = root / "darkroom.db"
    mending.copy_of(path).unlink()
    connection = sqlite3.connect(path)
    page, size = (
        connection.execute(query).fetchone()[0]
        for query in (
            "SELECT rootpage FROM sqlite_master WHERE name = 'history_of_job'",
            "PRAGMA page_size",
        )
    )
    connection.close()
    data = bytearray(path.read_bytes())
    data[(page - 1) * size : page * size] = bytes(size)
    path.write_bytes(data)
    store = open_store(root)
    assert store.notes
    assert [job.id for job in store.queue.list(["waiting"], limit=1000)] == model[1]
    assert store.gallery.get(model[2][0]).favourite
    store.close()


def test_random_damage_never_stops_the_start(
    model: tuple[Path, list[str], list[str]], tmp_path: Path
) -> None:
    chance = random.Random(1)
    for turn in range(12):
        root = tmp_path / str(turn)
        shutil.copytree(model[0], root)
        path = root / "darkroom.db"
        data = bytearray(path.read_bytes())
        for _ in range(chance.choice([1, 10, 1000])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        store = open_store(root)
        if store.rebuild:
            store.gallery.rebuild(samples.read)
        store.queue.list(limit=1000)
        page = store.gallery.page(limit=100)
        for image in page.images:
            store.gallery.recipe(image.id)
        files = {path.name for path in store.folder.images.rglob("*.png")}
        assert len(files) == IMAGES
        submit(store)
        store.close()


def test_a_lost_database_comes_back_from_its_copy(
    model: tuple[Path, list[str], list[str]], tmp_path: Path
) -> None:
    root = copied(model, tmp_path)
    mending.copy_of(root / "darkroom.db").unlink()
    open_store(root).close()
    (root / "darkroom.db").unlink()
    store = open_store(root)
    assert "was gone" in store.notes[0]
    assert store.rebuild
    assert store.gallery.get(model[2][0]).favourite
    assert [job.id for job in store.queue.list(limit=1000)][: len(model[1])] == model[1]
    assert list(root.glob("*damaged*")) == []
    store.close()


def test_a_copy_is_kept_once_an_hour(store: Store) -> None:
    copy = mending.copy_of(store.folder.database)
    first = copy.stat().st_mtime_ns
    store.keep_copy()
    assert copy.stat().st_mtime_ns == first
    yesterday = time.time() - 86_400
    os.utime(copy, (yesterday, yesterday))
    job = submit(store)
    store.keep_copy()
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT id FROM jobs").fetchone()[0] == job.id
    connection.close()


def test_a_copy_that_cannot_be_made_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    mending.copy_of(store.folder.database).unlink()
    for error, kind in (
        (OSError(28, "No space left on device"), DiskFullError),
        (sqlite3.OperationalError("interrupted"), StoreError),
    ):

        def refuse(*_: object, error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("darkroom.store.migrations.copy", refuse)
            with pytest.raises(kind):
                store.keep_copy()
            with pytest.raises(kind):
                open_store(store.folder.root)
    store.keep_copy()


def test_a_database_that_cannot_be_opened_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "darkroom.db").mkdir()
    (tmp_path / "darkroom.db" / "something").touch()
    with pytest.raises(StoreError, match="cannot be written"):
        open_store(tmp_path)
    assert (tmp_path / "darkroom.db" / "something").exists()


def test_what_ran_when_the_copy_was_made_does_not_run_by_itself(tmp_path: Path) -> None:
    root = tmp_path / "data"
    store = open_store(root)
    submit(store)
    samples.claim(store)
    mending.copy_of(root / "darkroom.db").unlink()
    store.keep_copy()
    store.close()
    (root / "darkroom.db").unlink()
    again = open_store(root)
    assert again.queue.state().paused
    again.queue.recover()
    assert again.queue.claim("cpu") is None
    again.close()
