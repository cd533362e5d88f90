"""Uploads are kept by their checksum, for as long as something needs them."""

import hashlib
import os
import time

import pytest

from darkroom.store.opening import Store
from darkroom.store.refusals import DiskFullError, UnknownError
from tests.store import samples
from tests.store.samples import submit


def age(store: Store, name: str, days: float) -> None:
    then = time.time() - days * 86_400
    os.utime(store.folder.input(name), (then, then))


def test_an_input_comes_back_by_its_checksum(store: Store) -> None:
    name = store.inputs.keep(b"an image")
    assert name == hashlib.sha256(b"an image").hexdigest() == store.inputs.keep(b"an image")
    assert store.inputs.read(name) == b"an image"
    assert store.inputs.exists(name)


@pytest.mark.parametrize("name", ["", "..", "../x", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n"])
def test_only_checksums_are_names(store: Store, name: str) -> None:
    with pytest.raises(UnknownError):
        store.inputs.read(name)
    with pytest.raises(UnknownError):
        store.inputs.exists(name)


def test_a_changed_input_is_not_given_out(store: Store) -> None:
    name = store.inputs.keep(b"an image")
    store.folder.input(name).write_bytes(b"AN IMAGE")
    with pytest.raises(UnknownError):
        store.inputs.read(name)
    with pytest.raises(UnknownError):
        store.inputs.read("0" * 64)


def test_a_full_disk_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError) as refused:
        store.inputs.keep(b"an image")
    assert str(store.folder.root) not in refused.value.message + refused.value.hint
    assert list(store.folder.inputs.iterdir()) == []


def test_only_what_nothing_needs_is_removed(store: Store) -> None:
    names = {what: store.inputs.keep(what.encode()) for what in ("job", "image", "drawn", "none")}
    fresh = store.inputs.keep(b"fresh")
    again = store.inputs.keep(b"again")
    wish = {**samples.WISH, "task": "img2img", "image": names["job"]}
    job = store.queue.submit([wish], task="img2img", title="", images=1)
    store.queue.cancel(job.id)
    samples.make(store, input_sha256=names["image"])
    store.gallery.derived(names["image"], names["drawn"])
    for name in (*names.values(), again):
        age(store, name, 8)
    store.inputs.keep(b"again")
    store.prune()
    left = {path.name for path in store.folder.inputs.iterdir()}
    assert left == {names["job"], names["image"], names["drawn"], fresh, again}


def test_a_job_is_refused_when_its_input_has_gone(store: Store) -> None:
    name = store.inputs.keep(b"an image")
    store.folder.input(name).unlink()
    with pytest.raises(UnknownError):
        store.queue.submit([{"images": [name]}], task="vary", title="", images=1)
    assert submit(store).position == 0


def test_a_damaged_input_is_mended_by_its_like(store: Store) -> None:
    name = store.inputs.keep(b"an image")
    store.folder.input(name).write_bytes(b"AN IMAGE")
    assert store.inputs.keep(b"an image") == name
    assert store.inputs.read(name) == b"an image"
