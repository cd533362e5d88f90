"""What a worker makes of the queue, with a machine that makes flat images at once."""

import dataclasses
import errno
import io as streams
import json
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from darkroom.contracts import Event, Noted, Raster, Request
from darkroom.errors import DarkroomError
from darkroom.images import inspection, sheet
from darkroom.images import io as files
from darkroom.store import wire
from darkroom.store.jobs import Job
from darkroom.store.opening import Store, open_store
from darkroom.store.refusals import DiskFullError
from darkroom.worker import loop, making, tables
from darkroom.worker.log import Log
from darkroom.worker.messages import (
    Command,
    Made,
    Message,
    Working,
    command_in,
    line_of,
    message_in,
)
from darkroom.worker.messages import Stepped as StepMessage
from darkroom.worker.orders import Orders
from darkroom.worker.shelf import Shelf
from tests.server import stub


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(making, "_PAUSE", 0.02)


class House:
    """A worker in a thread of this process."""

    def __init__(self, store: Store, backend: stub.StubBackend | None = None) -> None:
        self.store = store
        self.backend = backend or stub.StubBackend()
        self.orders = Orders()
        self.told: list[Message] = []
        self.listeners: list[Callable[[Message], None]] = []
        self.faults = streams.StringIO()
        self.worker = loop.Worker(
            store,
            self.backend,
            stub.MACHINE,
            idle=60,
            orders=self.orders,
            tell=self._tell,
            log=Log(self.faults),
        )
        self.code: int | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.code = self.worker.run()

    def _tell(self, message: Message) -> None:
        self.told.append(message)
        for listener in self.listeners:
            listener(message)

    def until(self, job: str, *states: str) -> Job:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            found = self.store.queue.get(job)
            if found.state in states:
                return found
            time.sleep(0.01)
        raise AssertionError(f"the job is {found.state}")

    def stop(self) -> None:
        self.orders.stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def hire(store: Store) -> Iterator[Callable[..., House]]:
    houses: list[House] = []

    def one(backend: stub.StubBackend | None = None) -> House:
        houses.append(House(store, backend))
        return houses[-1]

    yield one
    for house in houses:
        house.stop()


def submit(store: Store, *requests: Request, grid: Any = None) -> Job:
    made = requests or (Request(prompt="a hamster", seed=7, steps=3),)
    return store.queue.submit(
        [wire.request_to_wire(one, store.inputs.keep) for one in made],
        task="txt2img",
        title="a hamster",
        images=sum(one.count for one in made),
        grid=grid,
    )


def seeds(store: Store, job: Job) -> list[int]:
    """The seeds that the images of a job show, in their order."""
    found = sorted(store.gallery.page().images, key=lambda image: image.number or 0)
    colours = [files.read_file(store.gallery.path(image.id)).pixels[0, 0] for image in found]
    assert [tuple(one) for one in colours] == [stub.colour(image.seed or 0) for image in found]
    return [image.seed or 0 for image in found]


def test_messages_survive_the_pipe() -> None:
    working = Working(
        doing="idle",
        device="cpu",
        name="x",
        cores=1,
        memory_total=2,
        memory_free=1,
        devices=("cpu",),
    )
    for message in working, Made(job="a", number=1, image="a-1"):
        assert message_in(line_of(message)) == message
    command = Command(order="cancel", job="a")
    assert command_in(line_of(command)) == command
    for nonsense in "", "{", "[]", "{}", '{"event": "made"}', '{"event": "made", "x": 1}', "null":
        assert message_in(nonsense) is None
        assert command_in(nonsense) is None or nonsense == "{}"


def test_jobs_are_made_and_numbered_through(store: Store, hire: Callable[..., House]) -> None:
    job = submit(
        store,
        Request(prompt="a", seed=7, count=2, steps=3),
        Request(prompt="b", seed=100, count=1, steps=2),
    )
    house = hire()
    done = house.until(job.id, "done")
    assert done.images_done == 3
    assert seeds(store, job) == [7, 8, 100]
    images = sorted(store.gallery.page().images, key=lambda image: image.number or 0)
    assert [image.prompt for image in images] == ["a", "a", "b"]
    assert [image.film_steps for image in images] == [3, 3, 2]
    film = store.folder.film_step(job.id, 2, 2)
    with Image.open(film) as picture:
        assert picture.format == "WEBP"
    steps = [message for message in house.told if isinstance(message, StepMessage)]
    assert [message.number for message in steps] == [0, 0, 0, 1, 1, 1, 2, 2]
    assert all(message.film for message in steps)
    assert [message.fraction for message in steps] == sorted(m.fraction for m in steps)
    assert steps[-1].fraction == 1.0
    assert store.machines.all()[0].device == "cpu"


def test_it_goes_on_with_the_first_image_that_is_not_done(
    store: Store, hire: Callable[..., House]
) -> None:
    job = submit(store, Request(prompt="a", seed=7, count=4, steps=2))
    first = hire(stub.StubBackend(delay=0.05))
    made: list[Made] = []

    def stop_after_two(message: Message) -> None:
        if isinstance(message, Made):
            made.append(message)
            if len(made) == 2:
                first.orders.stop()

    first.listeners.append(stop_after_two)
    first._thread.join(20)
    assert first.code == loop.FINE
    assert store.queue.get(job.id).state == "waiting"
    assert store.queue.get(job.id).images_done == 2
    assert not store.folder.film(job.id, 2).exists()
    second = hire()
    second.until(job.id, "done")
    assert [one.number for one in second.told if isinstance(one, Made)] == [2, 3]
    assert seeds(store, job) == [7, 8, 9, 10]
    assert "interrupted" in [line.kind for line in store.queue.history(job.id)]


def test_a_variation_goes_on_with_its_own_seed() -> None:
    request = Request(seed=7, variation_seed=50, variation_strength=0.3, count=5)
    part = making._part(request, 2, 3)
    assert (part.seed, part.variation_seed, part.count) == (7, 52, 3)
    assert making._part(Request(seed=7, count=5), 2, 1).seed == 9
    assert making._part(request, 0, 5) is request


def test_cancelling_ends_within_a_step(store: Store, hire: Callable[..., House]) -> None:
    job = submit(store, Request(prompt="a", seed=7, count=3, steps=50))
    after = submit(store)
    house = hire(stub.StubBackend(delay=0.02))
    steps: list[int] = []

    def cancel(message: Message) -> None:
        if isinstance(message, StepMessage) and message.job == job.id:
            steps.append(message.step)
            if message.step == 3:
                store.queue.cancel(job.id)
                house.orders.take(Command(order="cancel", job=job.id))

    house.listeners.append(cancel)
    house.until(after.id, "done")
    assert steps == [1, 2, 3]
    assert store.queue.get(job.id).state == "cancelled"
    assert not store.folder.film(job.id, 0).exists()


def test_a_command_for_another_job_changes_nothing(
    store: Store, hire: Callable[..., House]
) -> None:
    job = submit(store)
    house = hire()
    house.orders.take(Command(order="cancel", job="other"))
    house.orders.take(Command(order="skip", job="other"))
    assert house.until(job.id, "done", "cancelled").state == "done"


def test_cancelled_in_the_store_alone_it_ends_with_the_image(
    store: Store, hire: Callable[..., House]
) -> None:
    job = submit(store, Request(prompt="a", seed=7, count=3, steps=5))
    after = submit(store)
    house = hire()

    def cancel(message: Message) -> None:
        if isinstance(message, StepMessage) and message.job == job.id and message.step == 2:
            store.queue.cancel(job.id)

    house.listeners.append(cancel)
    house.until(after.id, "done")
    assert store.gallery.count() == 1


def test_an_image_is_skipped_and_the_next_one_made(
    store: Store, hire: Callable[..., House]
) -> None:
    job = submit(store, Request(prompt="a", seed=7, count=3, steps=4))
    house = hire()

    def skip(message: Message) -> None:
        if isinstance(message, StepMessage) and (message.number, message.step) == (1, 2):
            house.orders.take(Command(order="skip", job=job.id))

    house.listeners.append(skip)
    house.until(job.id, "done")
    assert seeds(store, job) == [7, 9]
    assert not store.folder.film(job.id, 1).exists()


class Failing(stub.StubBackend):
    """Fails with an error as the images of one prompt are made."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.fatal = False

    def open(self, model: str, prediction: Any) -> stub.StubMaker:
        maker = super().open(model, prediction)
        run = maker.run

        def failing(request: Request, *, previews: bool = False) -> Generator[Event]:
            yield Noted(message="It begins.")
            if request.prompt == "secret words":
                raise self.error
            yield from run(request, previews=previews)

        maker.run = failing  # type: ignore[method-assign]
        return maker

    def broken(self, _: BaseException) -> bool:
        return self.fatal


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DarkroomError("It is too large.", "Make it smaller."), "It is too large."),
        (RuntimeError("secret words"), "Darkroom failed in a way that it does not know"),
    ],
)
def test_an_error_fails_its_job_and_no_other(
    store: Store, hire: Callable[..., House], error: BaseException, said: str
) -> None:
    bad = submit(store, Request(prompt="secret words", seed=1, steps=2))
    good = submit(store, Request(prompt="a", seed=2, steps=2))
    house = hire(Failing(error))
    house.until(good.id, "done")
    failed = store.queue.get(bad.id)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error.message.startswith(said)
    assert failed.notes == ("It begins.",)
    assert "secret" not in failed.error.message
    assert "secret" not in house.faults.getvalue()
    assert ("RuntimeError" in house.faults.getvalue()) == isinstance(error, RuntimeError)


def test_a_broken_driver_asks_for_another_process(store: Store, hire: Callable[..., House]) -> None:
    bad = submit(store, Request(prompt="secret words", seed=1, steps=2))
    backend = Failing(RuntimeError("CUDA error"))
    backend.fatal = True
    house = hire(backend)
    house.until(bad.id, "failed")
    house._thread.join(10)
    assert house.code == loop.BROKEN


def test_a_wish_that_cannot_be_meant_fails_alone(store: Store, hire: Callable[..., House]) -> None:
    bad = submit(store, Request(prompt="a", seed=1, model="none such"))
    worse = submit(store, Request(prompt="a", seed=1, steps=0))
    good = submit(store)
    house = hire()
    house.until(good.id, "done")
    assert {store.queue.get(one.id).state for one in (bad, worse)} == {"failed"}


def test_a_full_disk_is_waited_for_and_no_image_lost(
    store: Store, hire: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, full = store.queue.image_done, threading.Event()
    full.set()
    tries: list[int] = []

    def image_done(*arguments: Any) -> Any:
        tries.append(arguments[1])
        if full.is_set():
            raise DiskFullError("The disk is full.", "Make room.")
        return real(*arguments)

    monkeypatch.setattr(store.queue, "image_done", image_done)
    job = submit(store, Request(prompt="a", seed=7, count=2, steps=2))
    house = hire()
    end = time.monotonic() + 10
    while len(tries) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    assert store.queue.get(job.id).state == "running"
    last = [message for message in house.told if isinstance(message, Working)][-1]
    assert last.doing == "waiting for space"
    assert "The disk is full." in last.detail
    full.clear()
    house.until(job.id, "done")
    assert seeds(store, job) == [7, 8]
    assert set(tries) == {0, 1}
    last = [message for message in house.told if isinstance(message, Working)][-1]
    assert not last.detail
    opened = [message for message in house.told if isinstance(message, StepMessage)]
    assert len(opened) == 4  # nothing was computed twice


def test_without_room_no_job_begins(
    store: Store, hire: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = type("Space", (), {"free": 1000})
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: space)
        job = submit(store)
        house = hire()
        time.sleep(0.2)
        assert store.queue.get(job.id).state == "waiting"
        assert "Free at least" in [m for m in house.told if isinstance(m, Working)][-1].detail
    house.until(job.id, "done")


def test_a_film_that_cannot_be_written_costs_no_image(
    store: Store, hire: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    job = submit(store)
    house = hire()
    house.until(job.id, "done")
    assert store.gallery.page().images[0].film_steps == 0
    assert not any(m.film for m in house.told if isinstance(m, StepMessage))


def test_a_comparison_ends_with_its_table(store: Store, hire: Callable[..., House]) -> None:
    grid = {
        "axes": [
            {"field": "steps", "values": [2, 3]},
            {"field": "guidance", "values": [1.0, 2.0, 3.0]},
        ]
    }
    cells = [
        Request(prompt="a", seed=7, steps=steps, guidance=guidance)
        for guidance in (1.0, 2.0, 3.0)
        for steps in (2, 3)
    ]
    job = submit(store, *cells, grid=grid)
    house = hire()
    done = house.until(job.id, "done")
    assert done.sheet is not None
    table = store.gallery.get(done.sheet)
    assert table.sheet
    assert table.number == 6
    found = inspection.inspect_file(store.gallery.path(table.id))
    assert (found.width, found.height) == (table.width, table.height)
    assert found.mark is not None
    assert found.mark.by_machine
    pixels = files.read_file(store.gallery.path(table.id)).pixels
    side = store.gallery.get(f"{job.id}-0").width
    shown = (pixels == stub.colour(7)).all(axis=2).sum()
    assert shown >= 6 * side * side  # small images are enlarged
    assert shown % (6 * side * side) == 0


class Roomy(stub.StubBackend):
    """Remembers what it gives up."""

    def __init__(self) -> None:
        super().__init__()
        self.given_up = 0

    def freed(self) -> None:
        self.given_up += 1


def test_models_stay_while_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    backend = Roomy()
    shelf = Shelf(backend, "cpu", idle=100, clock=lambda: now[0])
    mini = Request(prompt="a", steps=2)
    engine, fresh = shelf.engine(mini)
    assert fresh
    shelf.loaded(engine, 1000)
    assert shelf.engine(mini) == (engine, False)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(engine.spec.path.read_bytes())
    other = Request(prompt="a", steps=2, model=str(copy))
    second, _ = shelf.engine(other)
    shelf.loaded(second, 1000)
    assert list(shelf.models) == ["mini", str(copy)]
    assert shelf.engine(mini)[0] is engine
    assert list(shelf.models) == [str(copy), "mini"]
    now[0] = 99
    shelf.engine(other)
    assert not shelf.rest()
    now[0] = 200
    assert shelf.rest()
    assert not shelf.models
    assert backend.given_up == 1


def test_a_model_gives_way_where_it_would_change_a_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Roomy()
    shelf = Shelf(backend, "cpu", idle=100)
    first, _ = shelf.engine(Request(prompt="a", steps=2))
    shelf.loaded(first, 2**33)
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(first.spec.path.read_bytes())
    tight = dataclasses.replace(stub.MACHINE, memory_free=2**25)
    monkeypatch.setattr(stub, "MACHINE", tight)
    second, _ = shelf.engine(Request(prompt="a", steps=2, model=str(copy)))
    shelf.loaded(second, 1)
    assert shelf.models == (str(copy),)
    assert backend.given_up == 1


def test_a_model_that_was_exchanged_is_opened_anew(tmp_path: Path) -> None:
    backend = Roomy()
    shelf = Shelf(backend, "cpu", idle=100)
    first, _ = shelf.engine(Request(prompt="a", steps=2))
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(first.spec.path.read_bytes())
    request = Request(prompt="a", steps=2, model=str(copy))
    before, _ = shelf.engine(request)
    shelf.loaded(before, 1000)
    os.utime(copy, (1, 1))
    after, fresh = shelf.engine(request)
    assert after is not before
    assert fresh


def test_the_end_of_the_commands_means_stop() -> None:
    orders = Orders()
    orders.listen([json.dumps({"order": "wake", "job": ""}), "nonsense"])
    end = time.monotonic() + 5
    while not orders.stopping and time.monotonic() < end:
        time.sleep(0.01)
    assert orders.stopping


def test_what_waits_for_room_is_not_skipped(
    store: Store, hire: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, full = store.queue.finished, threading.Event()
    full.set()

    def finished(claim: Any) -> Any:
        if full.is_set():
            raise DiskFullError("The disk is full.", "Make room.")
        return real(claim)

    monkeypatch.setattr(store.queue, "finished", finished)
    job = submit(store)
    house = hire()

    def skip(message: Message) -> None:
        if isinstance(message, Working) and message.doing == "waiting for space":
            house.orders.take(Command(order="skip", job=job.id))
            full.clear()

    house.listeners.append(skip)
    assert house.until(job.id, "done", "failed").state == "done"
    assert seeds(store, job) == [7]


def test_a_large_table_is_made_of_small_images(
    store: Store, hire: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[tuple[int, int]] = []
    real = sheet.labelled

    def labelled(cells: Sequence[Raster | None], *rest: Any) -> Raster:
        sizes.extend((cell.width, cell.height) for cell in cells if cell is not None)
        return real(cells, *rest)

    monkeypatch.setattr(tables, "_PIXELS", 3 * 16 * 16)
    monkeypatch.setattr(sheet, "labelled", labelled)
    cells = [Request(prompt="a", seed=seed, width=64, height=64, steps=2) for seed in (1, 2, 3)]
    job = submit(store, *cells, grid={"axes": [{"field": "seed", "values": [1, 2, 3]}]})
    assert hire().until(job.id, "done").sheet is not None
    assert sizes == [(16, 16)] * 3
