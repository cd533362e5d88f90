"""The N-th thing that a disk is asked for fails, for every N until nothing fails any more."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from darkroom.errors import OutputError
from darkroom.store import durable
from darkroom.store.opening import Store
from tests.store.samples import claim, make, new_image, submit

Call = Callable[..., Any]


class Faults:
    """Counts what the disk is asked for, and fails one of it."""

    def __init__(self, failing: int, code: int) -> None:
        self.failing, self.code, self.asked = failing, code, 0

    def around(self, call: Call) -> Call:
        def asked(*arguments: Any, **named: Any) -> Any:
            self.asked += 1
            if self.asked == self.failing:
                raise OSError(self.code, os.strerror(self.code), "/home/somebody/secret")
            return call(*arguments, **named)

        return asked


def until_nothing_fails(run: Callable[[], None], code: int, after: Callable[[], None]) -> int:
    """Run with every fault in turn; how many there were."""
    for failing in range(1, 100):
        faults = Faults(failing, code)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", faults.around(os.fsync))
            for name in ("open", "replace", "mkdir"):
                patch.setattr(Path, name, faults.around(getattr(Path, name)))
            told = ""
            try:
                run()
            except OutputError as error:
                told = error.message + error.hint
        assert "/home" not in told
        after()
        if faults.asked < failing:
            return failing - 1
    raise AssertionError("it never ends")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_an_image_is_there_wholly_or_not_at_all(store: Store, code: int) -> None:
    submit(store, images=2)
    claimed = claim(store)
    data = b"all of it" * 1000

    def whole() -> None:
        count = store.gallery.count()
        assert count == store.queue.get(claimed.job.id).images_done
        for image in store.gallery.page().images:
            assert store.gallery.path(image.id).read_bytes() == data
        parts = [path for path in store.folder.images.rglob("*") if durable.is_part(path)]
        assert parts == []

    def run() -> None:
        store.queue.image_done(claimed, 0, new_image(data))

    assert until_nothing_fails(run, code, whole) >= 4
    whole()
    assert store.gallery.count() == 1


def test_an_input_is_there_wholly_or_not_at_all(store: Store) -> None:
    data = b"an image that came in"

    def whole() -> None:
        for path in store.folder.inputs.iterdir():
            assert path.read_bytes() == data

    def run() -> None:
        for path in store.folder.inputs.iterdir():
            path.unlink()  # what is there already is not written again
        store.inputs.keep(data)

    assert until_nothing_fails(run, errno.ENOSPC, whole) >= 3
    whole()


def test_what_cannot_be_moved_into_the_trash_is_deleted_all_the_same(store: Store) -> None:
    image = make(store, b"kept")

    def there() -> None:
        assert store.gallery.path(image.id).read_bytes() == b"kept"
        assert not store.gallery.get(image.id).missing

    def run() -> None:
        assert store.gallery.trash([image.id]) == (image.id,)
        assert store.gallery.restore([image.id]) == (image.id,)

    assert until_nothing_fails(run, errno.EACCES, there) >= 2
    there()
