"""A server without sockets and workers: a real store, a real decoder, and somebody who notes."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from darkroom.contracts import Machine, Recipe
from darkroom.server.app import create_app
from darkroom.server.events import Hub
from darkroom.server.keys import Keys
from darkroom.server.news import News
from darkroom.server.security import Hosts
from darkroom.server.services import Services
from darkroom.server.views import Progress, Views
from darkroom.store.jobs import NewImage
from darkroom.store.opening import open_store
from darkroom.worker.decoder import Decoder

ADDRESS = "http://127.0.0.1:7860"
MACHINE = Machine(
    device="cpu",
    name="a CPU",
    cores=2,
    memory_total=8 * 2**30,
    memory_free=6 * 2**30,
    speed={"fp32": 1e11, "bf16": 1e11, "fp16": 1e10},
)


class NotingCrew:
    """Workers that do nothing, and remember what they were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def wake(self) -> None:
        self.told.append(("wake",))

    def cancel(self, job_id: str) -> None:
        self.told.append(("cancel", job_id))

    def skip(self, job_id: str) -> None:
        self.told.append(("skip", job_id))

    def devices(self) -> Sequence[Mapping[str, object]]:
        return [{"device": "cpu", "name": "a CPU", "state": "idle", "model": None}]

    def progress(self, job_id: str) -> Progress | None:  # noqa: ARG002
        return None

    def blocked(self) -> str | None:
        return None


@dataclass
class House:
    """One server, and a client that has a key."""

    services: Services
    crew: NotingCrew
    app: FastAPI
    client: TestClient
    stranger: TestClient

    def submit(self, **wish: Any) -> dict[str, Any]:
        answer = self.client.post("/api/jobs", json={"request": {"prompt": "a cat", **wish}})
        assert answer.status_code == 201, answer.text
        job: dict[str, Any] = answer.json()["job"]
        return job

    def develop(self, data: bytes, recipe: Recipe | None = None) -> str:
        """Carry out the next job, whose every image is this file; the id of the first."""
        claim = self.services.store.queue.claim("cpu")
        assert claim is not None
        for number in claim.todo:
            new = NewImage(data=data, suffix=".png", width=64, height=64, recipe=recipe)
            assert self.services.store.queue.image_done(claim, number, new) is not None
        self.services.store.queue.finished(claim)
        return f"{claim.job.id}-0"


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder(processes=1)
    yield decoder
    decoder.close()


@pytest.fixture
def opened(decoder: Decoder) -> Iterator[Callable[..., House]]:
    """Opens servers in folders; they are closed after the test."""
    with contextlib.ExitStack() as closing:
        yield lambda folder, **more: _open(closing, decoder, folder, **more)


def _open(
    closing: contextlib.ExitStack,
    decoder: Decoder,
    folder: Path,
    hosts: Hosts | None = None,
    password: str | None = None,
) -> House:
    store = open_store(folder)
    closing.callback(store.close)
    store.machines.put(MACHINE)
    crew = NotingCrew()
    services = Services(
        store=store,
        decoder=decoder,
        news=News(Hub(), Views(store.queue, store.gallery)),
        keys=Keys(password=password),
        hosts=hosts or Hosts(port=7860),
        crew=crew,
    )
    app = create_app(services)
    key = {"authorization": f"Bearer {services.keys.token}"}
    house = House(
        services,
        crew,
        app,
        TestClient(app, base_url=ADDRESS, headers=key, follow_redirects=False),
        TestClient(app, base_url=ADDRESS, follow_redirects=False),
    )
    closing.enter_context(house.client)
    closing.enter_context(house.stranger)
    return house


@pytest.fixture
def house(opened: Callable[..., House], tmp_path: Path) -> House:
    return opened(tmp_path / "data")


@pytest.fixture(scope="module")
def shared(decoder: Decoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One server for the tests of a file that change nothing."""
    with contextlib.ExitStack() as closing:
        yield _open(closing, decoder, tmp_path_factory.mktemp("data"))
