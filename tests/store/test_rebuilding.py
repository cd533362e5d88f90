"""What the database lost is taken up from the files."""

import os
from pathlib import Path

import pytest

from darkroom.errors import ImageError
from darkroom.store.jobs import NewImage
from darkroom.store.opening import Store, open_store
from darkroom.store.pictures import Filter, Found
from tests.store import samples
from tests.store.samples import claim, new_image, read, submit


def without_database(store: Store) -> Store:
    """The same folder after its database and the copy of it were removed."""
    store.close()
    for path in store.folder.root.glob("*.db*"):
        path.unlink()
    return open_store(store.folder.root)


def test_a_lost_database_is_rebuilt_from_the_files(store: Store) -> None:
    made = [samples.make(store, f"pixels:{n}".encode(), prompt=str(n)) for n in range(3)]
    job = submit(store, images=2, grid={"axes": []})
    claimed = claim(store)
    table = NewImage(data=b"s", suffix=".png", width=9, height=9, recipe=None)
    sheet = store.queue.image_done(claimed, 2, table)
    assert sheet is not None
    store.gallery.trash([made[1].id])
    film = store.folder.film_step(str(made[0].job), 0, 1)
    film.parent.mkdir(parents=True)
    film.write_bytes(b"small")

    fresh = without_database(store)
    assert fresh.rebuild
    told: list[tuple[int, int]] = []
    rebuilt = fresh.gallery.rebuild(read, lambda done, total: told.append((done, total)))
    assert (rebuilt.added, rebuilt.known, rebuilt.unreadable) == (4, 0, ())
    assert told == [(4, 4)]
    first = fresh.gallery.get(made[0].id)
    assert (first.prompt, first.job, first.number) == ("0", made[0].job, 0)
    assert (first.sha256, first.seed, first.film_steps) == (made[0].sha256, 7, 1)
    assert first.created[:16] <= made[0].created[:16], "when the job was accepted"
    assert fresh.gallery.get(f"{job.id}-sheet").sheet
    assert fresh.gallery.get(made[1].id).trashed is not None
    assert fresh.gallery.count() == 3
    assert fresh.gallery.count(Filter(search="2")) == 1
    again = fresh.gallery.rebuild(read)
    assert (again.added, again.known) == (0, 4)
    fresh.close()


def test_files_put_there_by_hand_are_taken_up(store: Store) -> None:
    samples.make(store)
    place = store.folder.images / "from a friend"
    place.mkdir()
    (place / "a.png").write_bytes(b"pixels:found")
    (place / "copy of a.PNG").write_bytes(b"pixels:found")
    (place / "notes.txt").write_bytes(b"no image")
    (place / ".darkroom-0123456789abcdef.part").write_bytes(b"half")
    os.utime(place / "a.png", (0, 0))
    rebuilt = store.gallery.rebuild(read)
    assert (rebuilt.added, rebuilt.known) == (2, 1)
    found = store.gallery.page(Filter(search="found"), order="old").images
    assert [image.file for image in found] == ["from a friend/a.png", "from a friend/copy of a.PNG"]
    assert found[0].created == "1970-01-01T00:00:00.000Z"
    assert (found[0].job, found[0].number) == (None, None)
    assert store.gallery.path(found[1].id).read_bytes() == b"pixels:found"


def test_what_is_no_image_is_told_and_left_alone(store: Store) -> None:
    month = store.folder.images / "2026-11"
    month.mkdir()
    (month / "broken.png").write_bytes(b"broken")
    (month / "fine.png").write_bytes(b"pixels:fine")

    def strict(path: Path) -> Found:
        if path.name == "broken.png":
            raise ImageError("This is no image.")
        return read(path)

    rebuilt = store.gallery.rebuild(strict)
    assert (rebuilt.added, rebuilt.unreadable) == (1, ("broken.png",))
    assert (month / "broken.png").exists()


def test_what_a_waiting_job_made_is_not_made_again(store: Store) -> None:
    submit(store, images=2)
    image = store.queue.image_done(claim(store), 0, new_image(b"pixels:x"))
    assert image is not None
    store.queue.recover()
    with store.database.write() as connection:  # as after a copy was restored
        connection.execute("DELETE FROM images")
        connection.execute("DELETE FROM made")
    store.gallery.rebuild(read)
    claimed = claim(store)
    assert claimed.todo == (1,)
    assert claimed.job.images_done == 1


@pytest.mark.parametrize("name", ["20269999-999999-0123456789abcdef-001.png", "a-001.png"])
def test_names_that_look_like_ours(store: Store, name: str) -> None:
    store.folder.shown(name).write_bytes(b"pixels:x")
    assert store.gallery.rebuild(read).added == 1
    assert store.gallery.count() == 1
