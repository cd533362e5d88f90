"""Workers are started, listened to, commanded, and replaced when they die."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from darkroom.server import supervisor as room
from darkroom.server.events import Hub
from darkroom.server.news import News
from darkroom.server.supervisor import Supervisor
from darkroom.server.views import Views
from darkroom.store.jobs import Job
from darkroom.store.opening import Store, open_store

# A worker that claims a job and does what its title says.
WORKER = """
import json, os, signal, sys, time
from pathlib import Path
from darkroom.store.opening import join_store

arguments = dict(zip(sys.argv[1::2], sys.argv[2::2]))
device = arguments["--device"].replace("auto", "cuda:0")
store = join_store(Path(arguments["--data"]))
def say(**values):
    print(json.dumps(values), flush=True)
def working(doing, detail=""):
    say(event="working", doing=doing, device=device, name="Fake", cores=1, memory_total=2,
        memory_free=1, devices=DEVICES, model="mini", detail=detail)
working("idle")
if (claim := store.queue.claim(device)) is not None:
    job = claim.job
    say(event="began", job=job.id)
    say(event="stepped", job=job.id, number=0, images=1, step=1, steps=4, fraction=0.25,
        seconds_left=3.5, film=True)
    if job.title == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if job.title == "broken":
        store.queue.failed(claim, "The driver failed.")
        say(event="changed", job=job.id)
        sys.exit(3)
    if job.title == "full":
        working("waiting for space", "The disk is full.")
        time.sleep(0.5)
        working("busy")
    print("this is no message", flush=True)
    if job.title != "endless":
        store.queue.finished(claim)
        say(event="changed", job=job.id)
for line in sys.stdin:
    with open(store.folder.root / "commands", "a") as file:
        file.write(line)
    if json.loads(line)["order"] == "stop":
        break
"""


class House:
    """A supervisor, and all that it told."""

    def __init__(self, store: Store, script: Path) -> None:
        self.store = store
        self.told: list[tuple[str, Any]] = []
        hub = Hub()
        publish = hub.publish

        def tell(name: str, data: Any) -> None:
            self.told.append((name, data))
            publish(name, data)

        hub.publish = tell  # type: ignore[method-assign]
        self.views = Views(store.queue, store.gallery)
        self.crew = Supervisor(store, News(hub, self.views), command=(sys.executable, str(script)))

    def until(self, job: Job, *states: str) -> Job:
        wait_until(lambda: self.store.queue.get(job.id).state in states)
        return self.store.queue.get(job.id)


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.02)


def submit(store: Store, title: str) -> Job:
    wish = {"task": "txt2img", "prompt": "a", "model": "mini", "version": 1, "seed": 1}
    return store.queue.submit([wish], task="txt2img", title=title, images=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def house(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., House]]:
    monkeypatch.setattr(room, "_FIRST_PAUSE", 0.02)
    houses: list[House] = []

    def opened(devices: tuple[str, ...] = ("cuda:0", "cpu")) -> House:
        script = tmp_path / "worker.py"
        script.write_text(f"DEVICES = {devices!r}\n{WORKER}")
        houses.append(House(store, script))
        return houses[-1]

    yield opened
    for one in houses:
        one.crew.stop(20)


def test_what_a_worker_says_is_told(store: Store, house: Callable[..., House]) -> None:
    job = submit(store, "endless")
    here = house()
    here.crew.start()
    wait_until(lambda: here.crew.progress(job.id))
    progress = here.crew.progress(job.id)
    assert progress is not None
    assert (progress.step, progress.steps, progress.fraction) == (1, 4, 0.25)
    shown = here.views.job(job.id)
    assert shown is not None
    assert (shown["state"], shown["step"], shown["seconds_left"]) == ("running", 1, 3.5)
    step = next(data for name, data in here.told if name == "step")
    assert step["preview"] == f"/api/jobs/{job.id}/film/0/1"
    (row,) = here.crew.devices()
    assert (row["device"], row["state"], row["model"]) == ("cuda:0", "idle", "mini")
    here.crew.wake()
    here.crew.cancel(job.id)
    here.crew.skip(job.id)
    commands = store.folder.root / "commands"
    wait_until(lambda: commands.exists() and commands.read_text().count("\n") == 3)
    said = [json.loads(line) for line in commands.read_text().splitlines()]
    assert [one["order"] for one in said] == ["wake", "cancel", "skip"]
    here.crew.stop(20)
    assert store.queue.get(job.id).state == "waiting"
    kinds = [line.kind for line in store.queue.history(job.id)]
    assert kinds == ["accepted", "started", "interrupted"]


def test_the_second_death_over_a_job_parks_it(store: Store, house: Callable[..., House]) -> None:
    poison, after = submit(store, "crash"), submit(store, "fine")
    here = house()
    here.crew.start()
    here.until(after, "done")
    failed = here.until(poison, "failed")
    assert failed.error is not None
    assert "segmentation fault" in failed.error.message
    assert [line.kind for line in store.queue.history(poison.id)] == [
        "accepted",
        "started",
        "worker died",
        "started",
        "worker died",
        "failed",
    ]
    told = [data["job"]["state"] for name, data in here.told if name == "job"]
    assert "failed" in told


def test_a_worker_that_told_of_its_fault_is_replaced(
    store: Store, house: Callable[..., House]
) -> None:
    broken, after = submit(store, "broken"), submit(store, "fine")
    here = house()
    here.crew.start()
    here.until(after, "done")
    assert "worker died" not in [line.kind for line in store.queue.history(broken.id)]


def test_a_full_disk_is_told(store: Store, house: Callable[..., House]) -> None:
    job = submit(store, "full")
    here = house()
    here.crew.start()
    wait_until(here.crew.blocked)
    assert here.crew.blocked() == "The disk is full."
    here.until(job, "done")
    wait_until(lambda: here.crew.blocked() is None)
    wait_until(lambda: [data for name, data in here.told if name == "queue"][-1]["reason"] == "")
    reasons = [data["reason"] for name, data in here.told if name == "queue"]
    assert "The disk is full." in reasons


def test_every_gpu_gets_a_worker_and_the_cpu_beside_them_none(
    store: Store, house: Callable[..., House]
) -> None:
    here = house(("cuda:0", "cuda:1", "cpu"))
    here.crew.start()
    wait_until(lambda: len(here.crew.devices()) == 2)
    wait_until(lambda: all(row["state"] == "idle" for row in here.crew.devices()))
    assert {row["device"] for row in here.crew.devices()} == {"cuda:0", "cuda:1"}


def test_jobs_of_a_dead_server_wait_again(store: Store, house: Callable[..., House]) -> None:
    job = submit(store, "fine")
    assert store.queue.claim("cuda:0") is not None  # by a worker that is no more
    here = house()
    here.crew.start()
    done = here.until(job, "done")
    assert (done.attempts, done.deaths) == (2, 0)


def test_a_worker_that_does_not_start_is_dead_and_tried_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_FIRST_PAUSE", 0.02)
    here = House(store, tmp_path / "no such script")
    starts = threading.Semaphore(0)
    begin = here.crew.begin

    def counted(device: str) -> Any:
        starts.release()
        return begin(device)

    monkeypatch.setattr(here.crew, "begin", counted)
    here.crew.start()
    for _ in range(3):
        assert starts.acquire(timeout=30)
    wait_until(lambda: here.crew.devices()[0]["state"] == "dead")
    assert "is started again" in (here.crew.blocked() or "")
    here.crew.stop(20)
