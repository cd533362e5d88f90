"""The worker as a process, with Mini: killed, begun anew, locked out, and left alone."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from darkroom.contracts import Request
from darkroom.images import inspection
from darkroom.images import io as files
from darkroom.store import wire
from darkroom.store.jobs import Job
from darkroom.store.opening import Store, open_store
from darkroom.worker.messages import (
    Command,
    Made,
    Message,
    Stepped,
    Unfit,
    Working,
    line_of,
    message_in,
)
from darkroom.worker.process import UNFIT

SECRET = "a hamster on a blue background"


class Process:
    """`python -m darkroom.worker`, and everything that it says."""

    def __init__(self, root: Path, device: str = "auto") -> None:
        words = ["--data", str(root), "--device", device]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "darkroom.worker", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.told: list[Message] = []
        self.nonsense: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                message = message_in(line)
                if message is None:
                    self.nonsense.append(line)
                else:
                    self.told.append(message)

    def say(self, command: Command) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line_of(command))
        self.process.stdin.flush()

    def leave(self) -> int:
        """As if the server were gone."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.end()

    def kill(self) -> None:
        self.process.kill()
        self.end()

    def end(self) -> int:
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self._reader.join(10)
            if self.process.stdin is not None and not self.process.stdin.closed:
                self.process.stdin.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def hire() -> Iterator[Callable[..., Process]]:
    hired: list[Process] = []

    def one(store: Store, device: str = "auto") -> Process:
        hired.append(Process(store.folder.root, device))
        return hired[-1]

    yield one
    for process in hired:
        process.kill()


def submit(store: Store, count: int = 3, steps: int = 4) -> Job:
    request = Request(prompt=SECRET, seed=7, count=count, steps=steps, batch=1)
    said = wire.request_to_wire(request, store.inputs.keep)
    return store.queue.submit([said], task="txt2img", title="a", images=count)


def wait_until(happened: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def pictures(store: Store, job: Job) -> list[files.Pixels]:
    return [
        files.read_file(store.gallery.path(f"{job.id}-{number}")).pixels
        for number in range(job.images)
    ]


def test_killed_and_begun_anew_it_makes_the_same_images(
    store: Store, hire: Callable[..., Process]
) -> None:
    job = submit(store)
    first = hire(store)
    wait_until(lambda: any(isinstance(one, Made) for one in first.told))
    first.kill()
    assert store.queue.get(job.id).state == "running"
    store.queue.recover("cpu", cause="it was killed.")
    second = hire(store)
    wait_until(lambda: store.queue.get(job.id).state == "done")
    told = first.told + second.told
    made = [one.number for one in told if isinstance(one, Made)]
    assert sorted(set(made)) == sorted(made)
    assert second.leave() == 0
    same = submit(store)
    third = hire(store)
    wait_until(lambda: store.queue.get(same.id).state == "done")
    assert third.leave() == 0
    for one, other in zip(pictures(store, job), pictures(store, same), strict=True):
        assert np.abs(one.astype(int) - other.astype(int)).max() <= 1
    found = inspection.inspect_file(store.gallery.path(f"{job.id}-0"))
    assert found.recipe is not None
    assert found.recipe.prompt == SECRET
    assert not first.nonsense + second.nonsense + third.nonsense
    logs = "".join(path.read_text() for path in store.folder.root.glob("workers/*.log"))
    assert "begins" in logs
    assert "hamster" not in logs


def test_left_alone_it_stops_within_a_step_and_the_job_waits(
    store: Store, hire: Callable[..., Process]
) -> None:
    job = submit(store, count=1, steps=400)
    process = hire(store)
    wait_until(lambda: any(isinstance(one, Stepped) for one in process.told))
    assert process.leave() == 0
    steps = [one.step for one in process.told if isinstance(one, Stepped)]
    assert max(steps) < 400
    found = store.queue.get(job.id)
    assert (found.state, found.deaths) == ("waiting", 0)


def test_cancelled_it_stops_within_a_step(store: Store, hire: Callable[..., Process]) -> None:
    job = submit(store, count=1, steps=400)
    process = hire(store)
    wait_until(lambda: any(isinstance(one, Stepped) for one in process.told))
    store.queue.cancel(job.id)
    process.say(Command(order="cancel", job=job.id))
    wait_until(lambda: isinstance(process.told[-1], Working) and process.told[-1].doing == "idle")
    assert max(one.step for one in process.told if isinstance(one, Stepped)) < 400
    process.say(Command(order="stop"))
    assert process.end() == 0


def test_a_second_worker_waits_for_the_first(store: Store, hire: Callable[..., Process]) -> None:
    first = hire(store)
    wait_until(lambda: first.told)
    second = hire(store)
    job = submit(store, count=1)
    first.say(Command(order="wake"))
    wait_until(lambda: store.queue.get(job.id).state == "done")
    time.sleep(1)
    assert not second.told
    first.kill()
    wait_until(lambda: second.told)


def test_a_device_that_is_not_there_is_told(store: Store, hire: Callable[..., Process]) -> None:
    process = hire(store, "xpu:7")
    assert process.end() == UNFIT
    (told,) = process.told
    assert isinstance(told, Unfit)
    assert "no device 'xpu:7'" in told.message


def test_a_folder_that_no_server_opened_is_told(tmp_path: Path) -> None:
    process = Process(tmp_path)
    assert process.end() == UNFIT
    assert isinstance(process.told[0], Unfit)
