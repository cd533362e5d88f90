"""Only what nobody can miss is removed by itself."""

import os
import time
from pathlib import Path

import pytest

from darkroom.errors import DarkroomError
from darkroom.store.opening import Store
from tests.store import samples
from tests.store.samples import submit


def age(path: Path, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(path, (then, then))


def test_old_trash_goes_with_it(store: Store) -> None:
    image = samples.make(store)
    store.gallery.trash([image.id])
    store.prune()
    assert store.gallery.get(image.id).trashed is not None
    store.prune(trash_days=0)
    with pytest.raises(DarkroomError):
        store.gallery.get(image.id)


def film(store: Store, job: str) -> Path:
    """A film that was not touched for some days."""
    step = store.folder.film_step(job, 0, 1)
    step.parent.mkdir(parents=True)
    step.write_bytes(b"small")
    age(step.parent.parent, 2)
    return step


def test_films_stay_as_long_as_their_job_or_an_image_of_it(store: Store) -> None:
    image = samples.make(store)
    store.queue.clear("finished")
    waiting = film(store, submit(store).id)
    shown = film(store, str(image.job))
    forgotten = film(store, "0123456789abcdef")
    fresh = film(store, "fedcba9876543210")
    age(fresh.parent.parent, 0)
    store.prune()
    assert [path.exists() for path in (waiting, shown, forgotten, fresh)] == [1, 1, 0, 1]


def test_halves_of_files_go_when_nobody_writes_at_them(store: Store) -> None:
    image = samples.make(store)
    month = store.gallery.path(image.id).parent
    places = (store.folder.root, store.folder.inputs, month, store.folder.thumbnails)
    old = [place / ".darkroom-0000000000000001.part" for place in places]
    new = [place / ".darkroom-0000000000000002.part" for place in places]
    for path in (*old, *new):
        path.write_bytes(b"half")
    for path in old:
        age(path, 2)
    store.prune()
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in new)
    assert store.gallery.path(image.id).is_file()


def test_a_folder_without_its_folders_is_tidy(store: Store) -> None:
    for place in (store.folder.films, store.folder.thumbnails, store.folder.inputs):
        place.rmdir()
    store.prune()
