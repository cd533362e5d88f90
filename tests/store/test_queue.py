"""What people do to the queue."""

from typing import Any

import pytest

from darkroom.errors import RequestError
from darkroom.store.opening import Store, join_store
from darkroom.store.queue import Queue
from darkroom.store.refusals import KeyConflictError, QueueFullError, StateError, UnknownError
from tests.store import samples
from tests.store.samples import WISH, claim, submit


def titles(store: Store, *states: Any, **more: Any) -> list[str]:
    return [job.title for job in store.queue.list(states, **more)]


def test_an_accepted_job_is_there_for_everybody(store: Store) -> None:
    job = submit(store, "a cat", images=3, grid={"axes": []}, origin="page", notes=["cut"])
    other = join_store(store.folder.root)
    assert other.queue.get(job.id) == job
    assert (job.state, job.position, job.images, job.images_done) == ("waiting", 0, 3, 0)
    assert (job.requests, job.grid, job.origin) == ((WISH,), {"axes": []}, "page")
    assert job.notes == ("cut",)
    assert [one.kind for one in store.queue.history(job.id)] == ["accepted"]
    other.close()


def test_what_is_no_job_is_refused(store: Store) -> None:
    with pytest.raises(RequestError):
        store.queue.submit([], task="txt2img", title="", images=1)
    with pytest.raises(RequestError):
        submit(store, images=0)
    with pytest.raises(UnknownError):
        store.queue.submit([{"image": "0" * 64}], task="img2img", title="", images=1)
    with pytest.raises(UnknownError):
        store.queue.submit([{"image": "../../x"}], task="img2img", title="", images=1)
    assert store.queue.list() == ()


@pytest.mark.parametrize("name", ["", "nobody", "\0", "\ud800", "'; DROP TABLE jobs; --"])
def test_unknown_jobs_are_unknown(store: Store, name: str) -> None:
    queue = store.queue
    for call in (queue.get, queue.history, queue.cancel, queue.retry, queue.remove):
        with pytest.raises(UnknownError):
            call(name)
    with pytest.raises(UnknownError):
        queue.move(name, None)
    with pytest.raises(UnknownError):
        queue.list(after=name)


def test_the_same_key_with_the_same_wish_is_the_same_job(store: Store) -> None:
    said = {"request": {"prompt": "a cat"}, "styles": []}
    first = submit(store, key="k", said=said)
    drawn = {**WISH, "seed": 99}
    again = store.queue.submit([drawn], task="txt2img", title="x", images=1, key="k", said=said)
    assert again == first
    assert store.queue.by_key("k", dict(reversed(said.items()))) == first
    assert store.queue.by_key("other", said) is None
    assert len(store.queue.list()) == 1


def test_the_same_key_with_another_wish_is_a_conflict(store: Store) -> None:
    submit(store, key="k", said={"prompt": "a cat"})
    with pytest.raises(KeyConflictError):
        submit(store, key="k", said={"prompt": "a dog"})
    with pytest.raises(KeyConflictError):
        store.queue.by_key("k", {"prompt": "a dog"})
    for odd in ("", "x" * 256, "a\nb"):
        with pytest.raises(RequestError):
            submit(store, key=odd)


def test_what_json_cannot_say_is_no_wish(store: Store) -> None:
    for odd in (float("nan"), {1, 2}, b"x"):
        with pytest.raises(RequestError, match="no JSON value"):
            submit(store, key="k", said=odd)


def test_a_full_queue_accepts_nothing(store: Store) -> None:
    queue = Queue(store.database, store.folder, max_waiting=2)
    first, _ = submit(store), submit(store)
    with pytest.raises(QueueFullError):
        queue.submit([WISH], task="txt2img", title="", images=1)
    queue.cancel(first.id)
    queue.submit([WISH], task="txt2img", title="", images=1)
    with pytest.raises(QueueFullError):
        queue.retry(first.id)


def test_jobs_are_listed_running_waiting_ended(store: Store) -> None:
    jobs = [submit(store, str(n)) for n in range(6)]
    for _ in range(2):
        store.queue.finished(claim(store))
    claim(store)
    store.queue.cancel(jobs[4].id)
    assert titles(store) == ["2", "3", "5", "4", "1", "0"]
    assert titles(store, "waiting") == ["3", "5"]
    assert titles(store, "done", "cancelled") == ["4", "1", "0"]
    assert titles(store, "running", "done") == ["2", "1", "0"]
    assert [job.position for job in store.queue.list()] == [None, 0, 1, None, None, None]
    walked, after = [], None
    while page := store.queue.list(limit=2, after=after):
        walked += [job.title for job in page]
        after = page[-1].id
    assert walked == titles(store)


def test_a_list_has_limits(store: Store) -> None:
    for limit in (0, -1, 1001):
        with pytest.raises(RequestError):
            store.queue.list(limit=limit)
    with pytest.raises(RequestError):
        store.queue.list(["sleeping"])  # type: ignore[list-item]


def test_jobs_move_before_others_and_to_the_end(store: Store) -> None:
    a, b, c, d = (submit(store, name) for name in "abcd")
    assert store.queue.move(d.id, b.id).position == 1
    assert titles(store) == ["a", "d", "b", "c"]
    store.queue.move(a.id, None)
    store.queue.move(c.id, c.id)
    assert titles(store) == ["d", "b", "c", "a"]
    assert claim(store).job.title == "d"
    with pytest.raises(StateError):
        store.queue.move(d.id, a.id)
    with pytest.raises(StateError):
        store.queue.move(a.id, d.id)
    assert [job.position for job in store.queue.list(["waiting"])] == [0, 1, 2]
    assert b.id


def test_there_is_always_room_between_two_jobs(store: Store) -> None:
    first, second, *others = (submit(store, str(n)) for n in range(4))
    order = [one.id for one in others]
    for turn in range(60):
        moved = order[turn % 2]
        store.queue.move(moved, second.id)
        listed = [job.id for job in store.queue.list()]
        assert listed.index(moved) == listed.index(second.id) - 1
        assert listed[0] == first.id
        assert len(set(listed)) == 4


def test_a_paused_queue_begins_nothing_and_says_why(store: Store) -> None:
    submit(store)
    store.queue.pause(True, "The disk is full.")
    state = store.queue.state()
    assert (state.paused, state.reason, state.waiting) == (True, "The disk is full.", 1)
    assert store.queue.claim("cpu") is None
    store.queue.pause(True)
    assert store.queue.state().reason == ""
    store.queue.pause(False)
    assert claim(store).job.state == "running"
    assert (store.queue.state().paused, store.queue.state().running) == (False, 1)


def test_a_cancelled_job_ends_at_once_and_can_be_tried_again(store: Store) -> None:
    job = submit(store, images=2)
    claimed = claim(store)
    store.queue.image_done(claimed, 0, samples.new_image())
    assert store.queue.cancel(job.id).state == "cancelled"
    assert not store.queue.holds(claimed)
    assert store.queue.image_done(claimed, 1, samples.new_image()) is None
    assert store.queue.finished(claimed) is None
    with pytest.raises(StateError):
        store.queue.cancel(job.id)
    again = store.queue.retry(job.id)
    assert (again.state, again.images_done, again.finished) == ("waiting", 1, None)
    assert claim(store).todo == (1,)
    kinds = [one.kind for one in store.queue.history(job.id)]
    assert kinds == ["accepted", "started", "cancelled", "retried", "started"]


def test_only_what_failed_or_was_cancelled_is_tried_again(store: Store) -> None:
    job = submit(store)
    with pytest.raises(StateError):
        store.queue.retry(job.id)
    store.queue.failed(claim(store), "It cannot be.", "Try less.")
    failed = store.queue.get(job.id)
    assert failed.error is not None
    assert (failed.state, failed.error.message, failed.error.hint) == (
        "failed",
        "It cannot be.",
        "Try less.",
    )
    assert store.queue.retry(job.id).error is None


def test_clearing_cancels_what_waits_and_forgets_what_ended(store: Store) -> None:
    jobs = [submit(store, str(n), key=str(n)) for n in range(4)]
    running = claim(store)
    assert store.queue.clear("waiting") == 3
    assert titles(store) == ["0", "3", "2", "1"]
    assert [one.kind for one in store.queue.history(jobs[2].id)] == ["accepted", "cancelled"]
    image = store.queue.image_done(running, 0, samples.new_image())
    assert image is not None
    store.queue.finished(running)
    assert store.queue.clear("finished") == 4
    assert store.queue.list() == ()
    assert store.gallery.get(image.id).job == running.job.id
    assert store.queue.by_key("0", "whatever") is None
    with pytest.raises(RequestError):
        store.queue.clear("all")  # type: ignore[arg-type]


def test_a_job_that_runs_is_not_removed(store: Store) -> None:
    job = submit(store)
    claimed = claim(store)
    with pytest.raises(StateError):
        store.queue.remove(job.id)
    store.queue.finished(claimed)
    store.queue.remove(job.id)
    with pytest.raises(UnknownError):
        store.queue.get(job.id)


def test_ten_thousand_jobs_keep_their_order(store: Store) -> None:
    first = submit(store, "0")
    with store.database.write() as connection:  # the way of the others, without their waiting
        connection.execute(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
            " INSERT INTO jobs (id, rank, place, state, title, task, images, created, requests)"
            " SELECT printf('%016x', i), 1, place + i * 1048576, 'waiting', i, task, 1, created,"
            " requests FROM jobs, n"
        )
    last = submit(store, "last")
    assert last.position == 10_000
    assert store.queue.move(last.id, first.id).position == 0
    assert titles(store, limit=3) == ["last", "0", "1"]
    assert [job.position for job in store.queue.list(limit=3, after=first.id)] == [2, 3, 4]
    assert claim(store).job.title == "last"
    assert store.queue.clear("waiting") == 10_000
    assert store.queue.state().waiting == 0
    assert titles(store, "cancelled", limit=2) == ["9999", "9998"]
