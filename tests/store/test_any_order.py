"""Whatever is done to the queue, and in whatever order, it holds what a plain list would hold."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from darkroom.store.jobs import Claim
from darkroom.store.opening import open_store
from darkroom.store.refusals import StateError
from tests.store.samples import new_image, submit

IMAGES = 3
ANY = st.integers(0, 50)


@dataclass
class Expected:
    """What the queue should know of a job."""

    state: str = "waiting"
    deaths: int = 0
    made: set[int] = field(default_factory=set)
    skipped: set[int] = field(default_factory=set)


class Lists(RuleBasedStateMachine):
    """`order`: all that wait or run; `ended`: newest first; `claims`: of running jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name) / "data")
        self.jobs: dict[str, Expected] = {}
        self.order: list[str] = []
        self.ended: list[str] = []
        self.claims: dict[str, Claim] = {}
        self.dead: list[Claim] = []
        self.paused = False

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def waiting(self) -> list[str]:
        return [job for job in self.order if self.jobs[job].state == "waiting"]

    def end(self, job: str, state: str) -> None:
        self.jobs[job].state = state
        self.order.remove(job)
        self.ended.insert(0, job)
        if job in self.claims:
            self.dead.append(self.claims.pop(job))

    def wait_again(self, job: str) -> None:
        self.jobs[job].state = "waiting"
        self.dead.append(self.claims.pop(job))

    @rule()
    def submit(self) -> None:
        job = submit(self.store, images=IMAGES)
        assert job.position == len(self.waiting())
        self.jobs[job.id] = Expected()
        self.order.append(job.id)

    @rule(worker=st.sampled_from(["cpu", "gpu"]))
    def claim(self, worker: str) -> None:
        claim = self.store.queue.claim(worker)
        expected = None if self.paused or not self.waiting() else self.waiting()[0]
        assert (claim and claim.job.id) == expected
        if claim is not None:
            known = self.jobs[claim.job.id]
            known.state = "running"
            assert claim.settled == known.made | known.skipped
            self.claims[claim.job.id] = claim

    @precondition(lambda self: self.claims)
    @rule(which=ANY, number=st.integers(0, IMAGES - 1), what=st.sampled_from(["make", "skip"]))
    def settle(self, which: int, number: int, what: str) -> None:
        job = sorted(self.claims)[which % len(self.claims)]
        known, claim = self.jobs[job], self.claims[job]
        if what == "skip":
            assert self.store.queue.image_skipped(claim, number)
            known.skipped |= {number} - known.made
            return
        image = self.store.queue.image_done(claim, number, new_image(f"{job} {number}".encode()))
        if number not in known.skipped | known.made:
            known.made.add(number)
            known.deaths = 0
        assert (image is not None) == (number in known.made)

    @precondition(lambda self: self.claims)
    @rule(which=ANY, how=st.sampled_from(["done", "failed", "release"]))
    def leave(self, which: int, how: str) -> None:
        job = sorted(self.claims)[which % len(self.claims)]
        claim, queue = self.claims[job], self.store.queue
        if how == "release":
            assert queue.release(claim) is not None
            self.wait_again(job)
        else:
            left = queue.finished(claim) if how == "done" else queue.failed(claim, "It cannot be.")
            assert left is not None
            self.end(job, how)

    @rule(worker=st.sampled_from(["cpu", "gpu", None]), cause=st.sampled_from([None, "signal 9"]))
    def recover(self, worker: str | None, cause: str | None) -> None:
        held = [job for job in self.claims if worker in {None, self.claims[job].worker}]
        back = self.store.queue.recover(worker, cause=cause)
        assert {job.id for job in back} == set(held)
        for job in sorted(held, key=[one.id for one in back].index):
            self.jobs[job].deaths += cause is not None
            if self.jobs[job].deaths == 2:
                self.end(job, "failed")
            else:
                self.wait_again(job)

    @precondition(lambda self: self.order)
    @rule(which=ANY)
    def cancel(self, which: int) -> None:
        job = self.order[which % len(self.order)]
        self.store.queue.cancel(job)
        self.end(job, "cancelled")

    @precondition(lambda self: self.ended)
    @rule(which=ANY)
    def retry(self, which: int) -> None:
        job = self.ended[which % len(self.ended)]
        if self.jobs[job].state == "done":
            with pytest.raises(StateError):
                self.store.queue.retry(job)
            return
        self.store.queue.retry(job)
        self.ended.remove(job)
        self.order.append(job)
        self.jobs[job].state, self.jobs[job].deaths = "waiting", 0

    @precondition(lambda self: self.waiting())
    @rule(which=ANY, before=st.none() | ANY)
    def move(self, which: int, before: int | None) -> None:
        waiting = self.waiting()
        job = waiting[which % len(waiting)]
        target = None if before is None else waiting[before % len(waiting)]
        self.store.queue.move(job, target)
        if job != target:
            self.order.remove(job)
            place = len(self.order) if target is None else self.order.index(target)
            self.order.insert(place, job)

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.store.queue.pause(paused)
        self.paused = paused

    @rule(what=st.sampled_from(["waiting", "finished"]))
    def clear(self, what: str) -> None:
        if what == "waiting":
            cleared = self.waiting()
            assert self.store.queue.clear("waiting") == len(cleared)
            for job in cleared:
                self.end(job, "cancelled")
        else:
            assert self.store.queue.clear("finished") == len(self.ended)
            self.ended.clear()

    @rule()
    def begin_anew(self) -> None:
        """The server ends and begins again, on the same folder."""
        self.store.close()
        self.store = open_store(self.store.folder.root)
        assert self.store.notes == ()

    @invariant()
    def lists_agree(self) -> None:
        listed = self.store.queue.list(limit=1000)
        running = [job for job in self.order if self.jobs[job].state == "running"]
        assert [job.id for job in listed] == running + self.waiting() + self.ended
        assert [job.position for job in listed if job.state == "waiting"] == list(
            range(len(self.waiting()))
        )
        for job in listed:
            known = self.jobs[job.id]
            assert (job.state, job.deaths) == (known.state, known.deaths)
            assert job.images_done == len(known.made)

    @invariant()
    def no_dead_claim_holds(self) -> None:
        for claim in self.dead[-3:]:
            assert not self.store.queue.holds(claim)
            assert self.store.queue.image_done(claim, 0, new_image(b"late")) is None

    @invariant()
    def each_image_is_there_once(self) -> None:
        made = {f"{job}-{number}" for job, known in self.jobs.items() for number in known.made}
        shown = [image.id for image in self.store.gallery.page(limit=500).images]
        assert sorted(shown) == sorted(made)


Lists.TestCase.settings = settings(max_examples=15, stateful_step_count=30)
TestAnyOrder = Lists.TestCase
