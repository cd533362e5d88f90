"""What happens, told to everybody who listens: events with numbers, and streams that resume.

Listeners hold a place in one common list and no queue of their own, so that a slow one costs
nothing.  Of events that only the latest matters of (steps and their previews) it gets the latest.
Who was away for longer than the list reaches is told to `reset`: to ask for the state anew.
"""

import asyncio
import json
import re
import secrets
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter

HEARTBEAT_SECONDS = 15.0
MAX_LISTENERS = 256
_KEPT = 20_000  # events that a listener may miss and still be told
# Events of which only the latest matters, each with the part of its data that it is about.
_LATEST: Mapping[str, str] = {"step": "job", "pull": "name"}
_RETRY = b"retry: 1500\n\n"
_ID = re.compile(r"([0-9a-f]{8})-(\d{1,18})")
_BEAT = b": still here\n\n"


@dataclass(frozen=True)
class Happening:
    """One event: its number, its name, and its data as JSON."""

    number: int
    name: str
    data: str


@dataclass(eq=False)
class _Listener:
    """Somebody who is asleep until something happens."""

    loop: asyncio.AbstractEventLoop
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        self.loop.call_soon_threadsafe(self.news.set)


class Hub:
    """Takes events from any thread, and tells them to every listener in one order."""

    def __init__(self, *, kept: int = _KEPT) -> None:
        self._boot = secrets.token_hex(4)  # of this run of the server: its numbers begin anew
        self._lock = threading.Lock()
        self._number = 0
        self._lost = 0  # the number of the last event that is no longer kept
        self._events: deque[Happening] = deque()
        self._latest: dict[str, Happening] = {}
        self._kept = kept
        self._listeners: set[_Listener] = set()
        self._closed = False

    def publish(self, name: str, data: Mapping[str, object]) -> None:
        """Tell an event."""
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        with self._lock:
            self._number += 1
            event = Happening(self._number, name, text)
            if name in _LATEST:
                self._latest[f"{name} {data[_LATEST[name]]}"] = event
            else:
                self._events.append(event)
                if len(self._events) > self._kept:
                    self._lost = self._events.popleft().number
            self._forget(name, data)
            sleepers = [one for one in self._listeners if not one.news.is_set()]
        self._wake(sleepers)

    def _forget(self, name: str, data: Mapping[str, object]) -> None:
        """The steps of a job that runs no longer."""
        job = data.get("job")
        if name == "job" and isinstance(job, Mapping) and job.get("state") != "running":
            self._latest.pop(f"step {job.get('id')}", None)

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        with self._lock:
            self._closed = True
            sleepers = list(self._listeners)
        self._wake(sleepers)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def since(self, number: int) -> list[Happening] | None:
        """The events after this number, None where some of them are lost or never were."""
        with self._lock:
            if not self._lost <= number <= self._number:
                return None
            first = bisect_right(self._events, number, key=attrgetter("number"))
            found = [self._events[place] for place in range(first, len(self._events))]
            found += [event for event in self._latest.values() if event.number > number]
        return sorted(found, key=attrgetter("number"))

    async def stream(
        self, last_id: str | None = None, *, heartbeat: float = HEARTBEAT_SECONDS
    ) -> AsyncGenerator[bytes]:
        """Server-sent events from here on, or from after the event of this id."""
        listener = _Listener(asyncio.get_running_loop())
        self._joins(listener)
        try:
            place, beginning = self._place(last_id)
            yield _RETRY + beginning
            while not self._closed:
                listener.news.clear()
                events = self.since(place)
                if events is None:
                    place, beginning = self._anew()
                    yield beginning
                elif events:
                    place = events[-1].number
                    yield b"".join(map(self._written, events))
                elif not await _heard(listener.news, heartbeat):
                    yield _BEAT
        finally:
            self._leaves(listener)

    async def follow(
        self, *, heartbeat: float = HEARTBEAT_SECONDS
    ) -> AsyncGenerator[list[Happening]]:
        """What happens from now on, for a route that waits for it.

        The first list is empty and comes at once, so that nothing falls between a look at the
        state and listening.  An empty list also tells of a silence, or that some events are lost.
        """
        listener = _Listener(asyncio.get_running_loop())
        self._joins(listener)
        try:
            place = self._number
            yield []
            while not self._closed:
                listener.news.clear()
                events = self.since(place)
                if events is None or not events:
                    place = self._number if events is None else place
                    if events is None or not await _heard(listener.news, heartbeat):
                        yield []
                    continue
                place = events[-1].number
                yield events
        finally:
            self._leaves(listener)

    def _joins(self, listener: _Listener) -> None:
        with self._lock:  # `publish` walks through them in another thread
            self._listeners.add(listener)

    def _leaves(self, listener: _Listener) -> None:
        with self._lock:
            self._listeners.discard(listener)

    def _place(self, last_id: str | None) -> tuple[int, bytes]:
        """Where a stream begins, and what it says first."""
        if last_id is None:
            return self._number, f"id: {self._boot}-{self._number}\n\n".encode()
        known = _ID.fullmatch(last_id)
        if known is None or known[1] != self._boot or self.since(int(known[2])) is None:
            return self._anew()
        return int(known[2]), b""

    def _anew(self) -> tuple[int, bytes]:
        number = self._number
        return number, self._written(Happening(number, "reset", "{}"))

    def _written(self, event: Happening) -> bytes:
        # JSON holds no line breaks, so one line of data is enough.
        return (
            f"id: {self._boot}-{event.number}\nevent: {event.name}\ndata: {event.data}\n\n"
        ).encode()

    @staticmethod
    def _wake(listeners: list[_Listener]) -> None:
        for listener in listeners:
            with suppress(RuntimeError):  # its loop was closed
                listener.wake()


async def _heard(news: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(news.wait(), seconds)
    except TimeoutError:
        return False
    return True
