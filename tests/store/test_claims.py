"""What workers do to the queue, and what is left when they die."""

import pytest

from darkroom.errors import OutputError
from darkroom.store import durable
from darkroom.store.jobs import Claim, NewImage
from darkroom.store.opening import Store
from darkroom.store.refusals import DiskFullError
from tests.store import samples
from tests.store.samples import claim, new_image, submit


def kinds(store: Store, job: str) -> list[str]:
    return [one.kind for one in store.queue.history(job)]


def ended(store: Store, claimed: Claim) -> bool:
    """Whether nothing can be done under a claim any more."""
    queue = store.queue
    refused = [
        queue.holds(claimed),
        queue.image_done(claimed, 0, new_image()),
        queue.image_skipped(claimed, 0),
        queue.note(claimed, "late"),
        queue.finished(claimed),
        queue.failed(claimed, "late"),
        queue.release(claimed),
    ]
    return not any(refused)


def test_jobs_are_claimed_in_order_and_once(store: Store) -> None:
    for name in "abc":
        submit(store, name)
    claims = [claim(store, f"worker {n}") for n in range(3)]
    assert [one.job.title for one in claims] == ["a", "b", "c"]
    assert store.queue.claim("worker 4") is None
    assert claims[0].job.state == "running"
    assert claims[0].job.attempts == 1
    assert claims[0].job.started is not None


def test_an_image_is_complete_before_it_is_seen(store: Store) -> None:
    job = submit(store, images=2)
    image = store.queue.image_done(claim(store), 1, new_image(b"all of it", prompt="a fox"))
    assert image is not None
    assert image.id == f"{job.id}-1"
    assert image.file.endswith(f"-{job.id}-002.png")
    assert store.gallery.path(image.id).read_bytes() == b"all of it"
    assert (image.prompt, image.seed, image.model, image.bytes) == ("a fox", 7, "mini", 9)
    assert store.gallery.page().images == (image,)
    assert store.queue.get(job.id).images_done == 1


def test_no_image_is_made_twice(store: Store) -> None:
    job = submit(store, images=2)
    claimed = claim(store)
    first = store.queue.image_done(claimed, 0, new_image(b"first"))
    assert first is not None
    assert store.queue.image_done(claimed, 0, new_image(b"second")) == first
    assert store.gallery.path(first.id).read_bytes() == b"first"
    assert store.gallery.count() == 1
    store.queue.image_skipped(claimed, 1)
    store.queue.release(claimed)
    again = claim(store)
    assert again.settled == {0, 1}
    assert again.todo == ()
    assert again.job.images_done == 1
    done = store.queue.finished(again)
    assert done is not None
    assert (done.state, done.attempts) == ("done", 2)
    assert kinds(store, job.id) == ["accepted", "started", "interrupted", "started", "done"]


def test_a_purged_image_is_not_made_again(store: Store) -> None:
    submit(store, images=2)
    claimed = claim(store)
    image = store.queue.image_done(claimed, 0, new_image())
    assert image is not None
    store.gallery.trash([image.id])
    store.gallery.purge([image.id])
    store.queue.release(claimed)
    assert claim(store).todo == (1,)


def test_numbers_that_the_job_has_not_are_a_mistake(store: Store) -> None:
    submit(store, images=2)
    claimed = claim(store)
    for number in (-1, 2):
        with pytest.raises(ValueError, match="has no image"):
            store.queue.image_done(claimed, number, new_image())
    odd = NewImage(data=b"", suffix=".html", width=1, height=1, recipe=None)
    with pytest.raises(OutputError):
        store.queue.image_done(claimed, 0, odd)


def test_the_table_of_a_comparison_is_a_sheet(store: Store) -> None:
    job = submit(store, "steps by guidance", images=2, grid={"axes": []})
    claimed = claim(store)
    store.queue.image_done(claimed, 0, new_image())
    sheet = NewImage(data=b"table", suffix=".png", width=600, height=400, recipe=None)
    image = store.queue.image_done(claimed, 2, sheet)
    assert image is not None
    assert (image.sheet, image.prompt, image.model) == (True, "steps by guidance", None)
    assert image.file.endswith("-sheet.png")
    after = store.queue.get(job.id)
    assert (after.sheet, after.images_done) == (image.id, 1)
    assert store.gallery.recipe(image.id) is None


def test_notes_are_said_once(store: Store) -> None:
    job = submit(store)
    claimed = claim(store)
    for message in ("cut", "smaller batch", "cut"):
        assert store.queue.note(claimed, message)
    assert store.queue.get(job.id).notes == ("cut", "smaller batch")


def test_an_orphan_cannot_finish_what_is_anothers_now(store: Store) -> None:
    job = submit(store)
    orphan = claim(store, "cpu")
    assert [one.id for one in store.queue.recover()] == [job.id]
    assert ended(store, orphan)
    current = claim(store, "cpu")  # the same name: only the token differs
    assert ended(store, orphan)
    assert store.queue.get(job.id).state == "running"
    assert store.queue.holds(current)
    assert [path for path in store.folder.images.rglob("*") if path.is_file()] == []


def test_the_death_of_the_server_is_no_jobs_fault(store: Store) -> None:
    jobs = [submit(store, name) for name in "ab"]
    for _ in range(5):
        claim(store)
        (back,) = store.queue.recover()
        assert (back.state, back.deaths, back.position) == ("waiting", 0, 0)
    assert [job.id for job in store.queue.list()] == [job.id for job in jobs]
    assert kinds(store, jobs[0].id) == ["accepted", *["started", "interrupted"] * 5]


def test_the_second_death_over_a_job_parks_it_with_its_cause(store: Store) -> None:
    poison, good = submit(store, "poison"), submit(store, "good")
    claim(store, "cpu")
    (once,) = store.queue.recover("cpu", cause="signal 9")
    assert (once.state, once.deaths) == ("waiting", 1)
    claim(store, "cpu")
    assert store.queue.recover("gpu", cause="signal 9") == ()
    (twice,) = store.queue.recover("cpu", cause="signal 9")
    assert twice.state == "failed"
    assert twice.error is not None
    assert "signal 9" in twice.error.message
    assert claim(store).job.id == good.id
    died = ["started", "worker died"]
    assert kinds(store, poison.id) == ["accepted", *died, *died, "failed"]
    assert store.queue.retry(poison.id).deaths == 0


def test_an_image_in_between_shows_that_the_job_is_no_poison(store: Store) -> None:
    job = submit(store, images=9)
    for number in range(4):
        store.queue.image_done(claim(store, "cpu"), number, new_image())
        (back,) = store.queue.recover("cpu", cause="signal 9")
        assert back.state == "waiting"
    claim(store, "cpu")
    (back,) = store.queue.recover("cpu", cause="signal 9")
    assert back.state == "failed"
    assert store.queue.get(job.id).images_done == 4


def test_a_full_disk_changes_nothing_and_the_image_can_be_brought_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submit(store)
    claimed = claim(store)
    for step in ("stage", "publish", "sync_folder"):
        with monkeypatch.context() as patch:

            def full(*_: object) -> None:
                raise OSError(28, "No space left on device")

            def full_told(*_: object) -> None:
                raise durable.output_error(OSError(28, "full"), "")

            patch.setattr(durable, step, full if step == "sync_folder" else full_told)
            with pytest.raises(DiskFullError):
                store.queue.image_done(claimed, 0, new_image())
        assert store.gallery.count() == 0
        assert store.queue.get(job.id).images_done == 0
    image = store.queue.image_done(claimed, 0, new_image(b"at last"))
    assert image is not None
    assert store.gallery.path(image.id).read_bytes() == b"at last"
    assert not [path for path in store.folder.images.rglob("*") if durable.is_part(path)]


def test_a_file_whose_row_was_not_written_is_written_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after the file has its name and before the row is committed."""
    submit(store)
    claimed = claim(store)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("darkroom.store.rows.insert", die)
        with pytest.raises(KeyboardInterrupt):
            store.queue.image_done(claimed, 0, new_image(b"orphan"))
    assert store.gallery.count() == 0
    store.queue.recover()
    image = store.queue.image_done(claim(store), 0, new_image(b"second try"))
    assert image is not None
    files = [path for path in store.folder.images.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in files] == [b"second try"]


def test_what_was_flagged_shows_in_pages(store: Store) -> None:
    samples.make(store, safety="flag", flagged=True)
    samples.make(store)
    assert [image.flagged for image in store.gallery.page().images] == [False, True]


def test_what_was_made_is_told_by_its_own_recipe(store: Store) -> None:
    image = samples.make(store, prompt="half \ud800 a pair", negative="\0", seed=2**80)
    assert store.gallery.recipe(image.id) == samples.recipe(
        prompt="half \ud800 a pair", negative="\0", seed=2**80
    )
    assert (image.prompt, image.seed) == ("half ? a pair", 2**80)
