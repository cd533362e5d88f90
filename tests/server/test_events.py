"""Events reach everybody who listens, in order and without a gap, however slow or interrupted."""

import asyncio
import re
import threading
from typing import Any

import pytest

from darkroom.server.events import Hub
from tests.server.asgi import ask, listening
from tests.server.conftest import House


def key(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {house.services.keys.token}"}


def test_events_arrive_as_they_happen(house: House) -> None:
    async def story() -> list[tuple[str, str, Any]]:
        async with listening(house.app, key(house)) as listener:
            await listener.until("id: ")
            await asyncio.to_thread(house.submit, prompt="a dog")
            await listener.until("event: queue")
            return listener.events

    (_, first, told), (_, second, queue) = asyncio.run(story())
    assert (first, second) == ("job", "queue")
    assert told["job"]["title"] == "a dog" and queue["waiting"] == 1


def test_a_listener_goes_on_where_it_was(house: House) -> None:
    hub = house.services.news.hub

    async def story() -> None:
        async with listening(house.app, key(house)) as listener:
            await listener.until("id: ")
            hub.publish("models", {"number": 1})
            await listener.until('"number":1')
            last = listener.last_id
        hub.publish("models", {"number": 2})
        hub.publish("models", {"number": 3})
        async with listening(house.app, key(house) | {"last-event-id": last}) as again:
            await again.until('"number":3')
            hub.publish("models", {"number": 4})
            await again.until('"number":4')
            assert [data["number"] for _, _, data in again.events] == [2, 3, 4]

    asyncio.run(story())


@pytest.mark.parametrize("last", ["0badcafe-1", "x", "", "-", "0badcafe-999999999999999999", "é"])
def test_who_cannot_go_on_begins_anew(house: House, last: str) -> None:
    async def story() -> None:
        headers = key(house) | {"last-event-id": last}
        async with listening(house.app, headers) as listener:
            await listener.until("event: reset")

    asyncio.run(story())


def test_who_was_away_for_too_long_begins_anew() -> None:
    hub = Hub(kept=3)
    for number in range(5):
        hub.publish("models", {"number": number})
    assert hub.since(1) is None
    events = hub.since(2)
    assert events is not None and [event.number for event in events] == [3, 4, 5]
    assert hub.since(6) is None


def test_of_steps_only_the_latest_is_kept() -> None:
    hub = Hub()
    hub.publish("job", {"job": {"id": "a", "state": "running"}})
    for step in range(100):
        hub.publish("step", {"job": "a", "step": step})
        hub.publish("step", {"job": "b", "step": step})
    events = hub.since(0)
    assert events is not None
    assert [event.name for event in events] == ["job", "step", "step"]
    hub.publish("job", {"job": {"id": "a", "state": "done"}})
    events = hub.since(0)
    assert events is not None
    assert [event.name for event in events] == ["job", "step", "job"]
    assert '"b"' in events[1].data


def test_slow_listeners_lose_steps_and_nothing_else(house: House) -> None:
    hub = house.services.news.hub

    async def story() -> None:
        async with listening(house.app, key(house), slow=0.02) as slow:
            await slow.until("id: ")
            for number in range(200):
                for step in range(5):
                    hub.publish("step", {"job": "a", "step": 5 * number + step})
                hub.publish("models", {"number": number})
                if number % 20 == 0:
                    await asyncio.sleep(0)
            await slow.until('"number":199')
            told = [data["number"] for _, name, data in slow.events if name == "models"]
            steps = [data["step"] for _, name, data in slow.events if name == "step"]
            assert told == list(range(200))
            assert len(steps) < 200 and steps == sorted(steps) and steps[-1] == 999

    asyncio.run(story())


def test_fifty_listeners_and_many_threads(house: House) -> None:
    hub = house.services.news.hub

    def talk(first: int) -> None:
        for number in range(first, first + 50):
            hub.publish("models", {"number": number})

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            ready = asyncio.Barrier(51)

            async def listen() -> None:
                async with listening(house.app, key(house)) as listener:
                    await listener.until("id: ")
                    await ready.wait()
                    await listener.until("event: gone", seconds=30)
                    numbers = [d["number"] for _, name, d in listener.events if name == "models"]
                    assert sorted(numbers) == list(range(200))
                    ids = [int(name.split("-")[1]) for name, _, _ in listener.events]
                    assert ids == sorted(ids)

            for _ in range(50):
                group.create_task(listen())
            await ready.wait()
            threads = [threading.Thread(target=talk, args=(50 * place,)) for place in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            hub.publish("gone", {})

    asyncio.run(story())
    assert hub.listeners == 0


def test_signs_of_life() -> None:
    async def story() -> bytes:
        stream = Hub().stream(heartbeat=0.01)
        await anext(stream)
        beat = await anext(stream)
        await stream.aclose()
        return beat

    assert asyncio.run(story()) == b": still here\n\n"


def test_a_stopped_server_ends_its_streams(house: House) -> None:
    async def story() -> None:
        async with listening(house.app, key(house)) as listener:
            await listener.until("id: ")
            house.services.news.hub.close()
            async with asyncio.timeout(5):
                await listener.done.wait()

    asyncio.run(story())
    assert house.services.news.hub.listeners == 0


def test_who_takes_nothing_is_left(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom.server.rest_events._PATIENCE", 0.05)

    monkeypatch.setattr("darkroom.server.rest_events._LAST_PATIENCE", 0.05)

    async def story() -> None:
        async with listening(house.app, key(house), slow=30) as stuck, asyncio.timeout(5):
            await stuck.done.wait()

    asyncio.run(story())
    assert house.services.news.hub.listeners == 0


def test_too_many_listeners(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darkroom.server.rest_events.MAX_LISTENERS", 0)
    answer = asyncio.run(ask(house.app, "GET", "/api/events", key(house)))
    assert answer.status == 429 and answer.headers["retry-after"]


def test_other_sites_hear_nothing(house: House) -> None:
    async def story() -> None:
        foreign = key(house) | {"origin": "http://evil.example"}
        async with listening(house.app, foreign) as listener:
            async with asyncio.timeout(5):
                await listener.done.wait()
            assert listener.status == 403
            assert not re.search("event:|id:", listener.text)

    asyncio.run(story())


def test_somebody_comes_while_it_is_told() -> None:
    hub = Hub()
    comers: list[threading.Thread] = []
    told = threading.Event()

    def come() -> None:
        async def story() -> None:
            stream = hub.stream()
            await anext(stream)
            await asyncio.to_thread(told.wait, 10)
            await stream.aclose()

        asyncio.run(story())

    class Door(asyncio.Event):
        """Somebody comes in as it is looked who sleeps."""

        def is_set(self) -> bool:
            comers.append(threading.Thread(target=come))
            comers[-1].start()
            comers[-1].join(0.2)  # it has to wait for the end of `publish`
            return True

    async def story() -> None:
        listeners = [hub.stream() for _ in range(3)]
        for one in listeners:
            await anext(one)
        for listener in hub._listeners:
            listener.news = Door()
        try:
            hub.publish("models", {})
        finally:
            told.set()
        for one in listeners:
            await one.aclose()

    asyncio.run(story())
    for comer in comers:
        comer.join(10)
    assert len(comers) == 3 and hub.listeners == 0
